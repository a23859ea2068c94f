package peer

import (
	"cmp"
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/wire"
)

// ProbeConfig is a relay to measure that is no peer.
type ProbeConfig struct {
	Address     string               // HOST:PORT, UDP
	Fingerprint identity.Fingerprint // of its identity key; zero: whoever answers there is measured
	Label       string               // what the operator calls it
}

// Probes measures relays that are no peers, over probe links (docs/protocol.md, section 9.10): one goroutine
// each, which dials again when a link ends.
//
//	Configure ──> probe: dial ──> link.Client, which pings ──> Status
//	                ^                   |
//	                +── back-off <──────+── it ended, or nothing was heard for 30 s
type Probes struct {
	log    *slog.Logger
	ctx    context.Context // done when Close was called
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex     // guards what follows, and what is marked so; sessions' locks are taken under it
	ep     *link.Endpoint // nil before Start
	probes map[ProbeConfig]*probe
}

// probe is one relay that is measured.
type probe struct {
	probes   *Probes
	config   ProbeConfig
	cancel   context.CancelFunc // it is not configured any more
	resolver link.Resolver

	// Of its goroutine alone:
	backoff backoff
	told    bool // the log has said that it does not answer

	// Guarded by Probes.mu:
	client   *link.Client // nil: there is no link
	dialling bool
	since    time.Time
	problem  string // why there is no link
}

// NewProbes returns Probes that measure nothing yet. A nil log is silent.
func NewProbes(log *slog.Logger) *Probes {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	ps := &Probes{log: log, probes: make(map[ProbeConfig]*probe)}
	ps.ctx, ps.cancel = context.WithCancel(context.Background())
	return ps
}

// Start begins to measure what Configure was given, and will be. It is called once.
func (ps *Probes) Start(ep *link.Endpoint) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.ep = ep
	for _, p := range ps.probes {
		p.startLocked()
	}
}

// Configure replaces the list of relays. Those that stay are not touched.
func (ps *Probes) Configure(list []ProbeConfig) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for config, p := range ps.probes {
		if !slices.Contains(list, config) {
			delete(ps.probes, config)
			if p.cancel != nil {
				p.cancel()
			}
		}
	}
	for _, config := range list {
		if ps.probes[config] != nil {
			continue
		}
		p := &probe{probes: ps, config: config}
		ps.probes[config] = p
		if ps.ep != nil {
			p.startLocked()
		}
	}
}

// Close ends all links and waits for everything.
func (ps *Probes) Close() {
	ps.cancel()
	ps.wg.Wait()
}

// startLocked begins to measure. The caller holds Probes.mu.
func (p *probe) startLocked() {
	ps := p.probes
	if ps.ctx.Err() != nil {
		return
	}
	var ctx context.Context
	ctx, p.cancel = context.WithCancel(ps.ctx)
	ps.wg.Go(func() {
		defer p.cancel()
		for wait := time.Duration(0); ; {
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			wait = p.measure(ctx)
		}
	})
}

// measure dials, lets the link measure until it ends, and returns how long to wait then.
func (p *probe) measure(ctx context.Context) (wait time.Duration) {
	ps := p.probes
	ps.mu.Lock()
	p.dialling = true
	ps.mu.Unlock()
	trying, hangUp := context.WithTimeout(ctx, dialTime)
	client, err := ps.ep.Dial(trying, link.ClientConfig{Probe: true, Resolve: p.resolve, CheckRelay: p.check})
	hangUp()
	if err != nil {
		wait = p.backoff.failed(chance())
		p.failed(ctx, err)
		return wait
	}
	h := &proberHandler{detached: make(chan string, 1)}
	client.Start(h)
	since := time.Now()
	p.answers(client, since)
	var why string
	select {
	case <-client.Done():
		why = inWords(client.Err())
	case why = <-h.detached:
	case <-ctx.Done():
	}
	ps.mu.Lock()
	p.client, p.problem = nil, why
	ps.mu.Unlock()
	client.Close()
	p.backoff.lasted(time.Since(since))
	if time.Since(since) >= stableLink { // at once: its time was over, or it was restarted
		return time.Duration(chance() * float64(time.Second))
	}
	return p.backoff.failed(chance())
}

// answers notes that there is a link.
func (p *probe) answers(client *link.Client, since time.Time) {
	ps := p.probes
	ps.mu.Lock()
	p.client, p.dialling, p.since, p.problem = client, false, since, ""
	ps.mu.Unlock()
	p.told = false
	said := client.Handshake()
	ps.log.Debug("a relay that is probed answers", "label", p.config.Label, "address", p.config.Address,
		"fingerprint", said.Relay.Fingerprint(), "version", said.Version)
}

// failed notes that there is none. The log says so once.
func (p *probe) failed(ctx context.Context, err error) {
	ps, why := p.probes, inWords(err)
	ps.mu.Lock()
	p.dialling, p.problem = false, why
	ps.mu.Unlock()
	if ctx.Err() == nil && !p.told {
		p.told = true
		ps.log.Warn("a relay that is probed cannot be reached", "label", p.config.Label, "address",
			p.config.Address, "err", why, "do", "check --probe or [[probes]], and that UDP gets through")
	}
}

// resolve looks the address up. A dial that fails is repeated by the probe.
func (p *probe) resolve(ctx context.Context) (netip.AddrPort, error) {
	addr, err := p.resolver.Resolve(ctx, p.config.Address)
	if err != nil {
		return netip.AddrPort{}, &link.FinalError{Err: err}
	}
	return addr, nil
}

// check compares the relay's key, if it is known which it should be.
func (p *probe) check(key identity.PublicKey) error {
	want, got := p.config.Fingerprint, key.Fingerprint()
	if want != (identity.Fingerprint{}) && want != got {
		return &wrongKeyError{want: want, got: got}
	}
	return nil
}

// proberHandler is told when a link needs a new connection: then another link is made.
type proberHandler struct {
	link.ProbeHandler
	detached chan string // cap 1
}

// Opened implements link.ClientHandler.
func (h *proberHandler) Opened(*link.Session) link.Handler { return h }

// Attached implements link.ClientHandler.
func (h *proberHandler) Attached(*wire.Joined, bool) {}

// Detached implements link.ClientHandler.
func (h *proberHandler) Detached(cause string) {
	select {
	case h.detached <- cause:
	default:
	}
}

// ProbeStatus is what is known of a relay that is measured.
type ProbeStatus struct {
	Addr        string                `json:"addr"`
	Label       string                `json:"label"`
	State       State                 `json:"state"`
	Fingerprint *identity.Fingerprint `json:"fingerprint,omitempty"` // of who answers
	Version     string                `json:"version,omitempty"`     // what it says that it runs
	Since       *time.Time            `json:"since,omitempty"`       // when this link was made
	Problem     string                `json:"problem,omitempty"`     // why there is none

	RTTMillis    float64   `json:"rtt_ms"` // smoothed; 0: not measured yet
	LeastMillis  float64   `json:"rtt_least_ms"`
	JitterMillis float64   `json:"jitter_ms"`
	Loss         float64   `json:"loss"` // share of the last minute's pings that were not answered
	Path         link.Path `json:"-"`
}

// silentAfter is how long nothing was heard over a probe link that is silent.
const silentAfter = 5 * time.Second

// Status returns what is known of all relays that are measured, in the order of their addresses.
func (ps *Probes) Status() []ProbeStatus {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	list := make([]ProbeStatus, 0, len(ps.probes))
	for _, p := range ps.probes {
		list = append(list, p.statusLocked())
	}
	slices.SortFunc(list, func(a, b ProbeStatus) int {
		return cmp.Or(cmp.Compare(a.Addr, b.Addr), cmp.Compare(a.Label, b.Label))
	})
	return list
}

// statusLocked is that of one. The caller holds Probes.mu.
func (p *probe) statusLocked() ProbeStatus {
	info := ProbeStatus{Addr: p.config.Address, Label: p.config.Label, State: Down, Problem: p.problem}
	if p.dialling {
		info.State = Dialling
	}
	if p.client == nil {
		return info
	}
	s, said, since := p.client.Session(), p.client.Handshake(), p.since
	fingerprint := said.Relay.Fingerprint()
	info.State, info.Fingerprint, info.Version, info.Since = Up, &fingerprint, said.Version, &since
	if !s.ReceivedWithin(silentAfter) {
		info.State = Silent
	}
	info.Path = s.Path()
	info.RTTMillis, info.LeastMillis = millis(info.Path.RTT), millis(info.Path.Least)
	info.JitterMillis, info.Loss = millis(info.Path.Jitter), info.Path.Loss
	return info
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
