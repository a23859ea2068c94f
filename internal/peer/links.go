package peer

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/presence"
	"github.com/wzp-voice/wzp/internal/wire"
)

// Config is a relay that this one is configured to have a link with.
type Config struct {
	Address     string               // HOST:PORT, UDP; empty: it may connect in, but is not dialled
	Fingerprint identity.Fingerprint // of its identity key, which both sides of the link have to prove
	Label       string               // what the operator calls it; members see it beside its members
	Presence    presence.Word        // what it may know of who can be called here, and pass on
}

// Handler is who uses a Link: what the function given to New has returned for it. Its Down comes last; it and
// Suspect come on the goroutine that has called that function, with no lock held. Urgent messages come one at
// a time, Bind and AliasAcked concurrently; what has begun before Down may still be running after it, as may
// frames of media.
//
// They may call all methods of all links, and of Links but its Close.
type Handler interface {
	Down(why string)
	Suspect(suspect bool) // nothing was heard for a while, or something is again
	Bind(m *wire.Media) link.Inbound
	AliasAcked(pair wire.AliasPair)
	Urgent(kind wire.UrgentKind, body []byte) (taken bool)
}

const (
	heardEvery    = 25 * time.Millisecond // how often accepted candidates are looked at
	candidateTime = 20 * time.Second      // how long one may stay unheard
	maxCandidates = 4                     // accepted ones of one peer at once
	endedGrace    = 500 * time.Millisecond
)

// Links keeps a link with every configured peer, as far as that can be done.
//
//	dialer, one goroutine each ── link.Client ──> candidate ──+
//	                                                          |   run, one goroutine: which one is used,
//	                                                          +─> is it alive, is it to end ──> Handler
//	the peer dials ── CheckPeer, AcceptPeer ────> candidate ──+
//
// Only run dials, opens and ends links. All others say what they want by Link.end and wakeUp. So Links.mu is
// never held when a Handler or a session's End are called.
type Links struct {
	log     *slog.Logger
	up      func(l *Link) Handler
	unknown unknownKeys
	lookup  func(ctx context.Context, host string) ([]netip.Addr, error) // nil: the system's
	awake   chan struct{}                                                // cap 1: run has something to do

	// Set by start, before anything runs:
	ep   *link.Endpoint
	self identity.PublicKey

	ctx    context.Context // done when close was called
	cancel context.CancelFunc
	wg     sync.WaitGroup // run and the dialers

	mu      sync.Mutex // guards what follows, and the fields of the peers; sessions' locks are taken under it
	peers   map[identity.Fingerprint]*peer
	removed []*peer // those that still have links
	started bool
	closed  bool
}

// peer is what is known of one configured relay. Links.mu guards it, but for what never changes.
type peer struct {
	fingerprint identity.Fingerprint
	ctx         context.Context
	cancel      context.CancelFunc // it is not configured any more

	address, label string
	link           *Link   // that is up; nil: none
	candidates     []*Link // not judged yet
	backoff        backoff
	notBefore      time.Time            // of the next dial
	barred         time.Time            // until when it is refused
	barredWhy      string               // shown to the operator
	client         *dialer              // whose client has not ended, or that dials; nil: none
	dial           *dialer              // the same, while it dials
	answered       identity.Fingerprint // another one, with which the address answered; zero: it did not
	problem        string               // the last one; empty while a link is up
	swaps          swaps
}

// New returns Links without peers. When a link is up, up returns who uses it; the other side knows nothing of
// ours then. It is called with no lock held, on one goroutine. A peer has at most one link that is up: the
// one before is down when up is called again. A nil log is silent.
func New(log *slog.Logger, up func(l *Link) Handler) *Links {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	ls := &Links{log: log, up: up, awake: make(chan struct{}, 1), peers: make(map[identity.Fingerprint]*peer)}
	ls.ctx, ls.cancel = context.WithCancel(context.Background())
	return ls
}

// Start begins to dial and to accept, on an Endpoint whose Config.Peers is ls. It is called once.
func (ls *Links) Start(ep *link.Endpoint, self *identity.Identity) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.closed || ls.started {
		return
	}
	ls.ep, ls.self, ls.started = ep, self.Public(), true
	ls.wg.Go(ls.run)
}

// Configure replaces the list of peers. New ones are dialled, removed ones are cut, unchanged ones are not
// touched: a changed address is dialled at once if there is no link, a changed label from the next link on.
// It may be called before Start.
func (ls *Links) Configure(list []Config) {
	wanted := ls.acceptable(list)
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.closed {
		return
	}
	for _, c := range wanted {
		p := ls.peers[c.Fingerprint]
		if p == nil {
			ls.addLocked(c)
			continue
		}
		if p.address != c.Address {
			p.moveLocked(c.Address)
		}
		p.label = c.Label
	}
	for fingerprint, p := range ls.peers {
		if _, ok := wanted[fingerprint]; !ok {
			delete(ls.peers, fingerprint)
			ls.removed = append(ls.removed, p)
			p.cancel()
			p.end(verdict{code: wire.CloseRefused, why: "the peer is not configured any more"})
		}
	}
	ls.wakeUp()
}

// acceptable returns the peers that can be used, by fingerprint. What cannot is named in the log.
func (ls *Links) acceptable(list []Config) map[identity.Fingerprint]Config {
	wanted := make(map[identity.Fingerprint]Config, len(list))
	ids := make(map[wire.RelayID]identity.Fingerprint, len(list))
	for _, c := range list {
		id := wire.RelayID(c.Fingerprint[:len(wire.RelayID{})])
		other, taken := ids[id]
		if taken && other != c.Fingerprint {
			ls.log.Error("two peers have fingerprints that begin alike, and only the first is used; "+
				"give one of the relays another identity",
				"label", c.Label, "fingerprint", c.Fingerprint, "other", other)
			continue
		}
		ids[id] = c.Fingerprint
		if before, twice := wanted[c.Fingerprint]; twice && before.Address != "" {
			continue // a peer that is trusted, too
		}
		wanted[c.Fingerprint] = c
	}
	return wanted
}

// addLocked makes a peer. The caller holds ls.mu.
func (ls *Links) addLocked(c Config) {
	p := &peer{fingerprint: c.Fingerprint, address: c.Address, label: c.Label}
	p.ctx, p.cancel = context.WithCancel(ls.ctx)
	ls.peers[c.Fingerprint] = p
}

// moveLocked gives the peer another address, at which it is dialled at once: the failures, and the dial that
// may be under way, were those of the old one. The caller holds Links.mu.
func (p *peer) moveLocked(address string) {
	p.address, p.backoff, p.notBefore, p.answered = address, backoff{}, time.Time{}, identity.Fingerprint{}
	if p.link == nil {
		p.problem = ""
	}
	if p.dial != nil {
		p.dial.stale = true
		p.dial.hangUp()
	}
}

// end has all links with the peer end. The caller holds Links.mu.
func (p *peer) end(v verdict) {
	for _, l := range p.all() {
		l.end(v)
	}
}

// all returns the links with the peer. The caller holds Links.mu.
func (p *peer) all() []*Link {
	all := slices.Clone(p.candidates)
	if p.link != nil {
		all = append(all, p.link)
	}
	return all
}

// dropCandidate forgets a candidate. The caller holds Links.mu.
func (p *peer) dropCandidate(l *Link) {
	p.candidates = slices.DeleteFunc(p.candidates, func(o *Link) bool { return o == l })
}

// wakeUp has run look at what has changed.
func (ls *Links) wakeUp() {
	select {
	case ls.awake <- struct{}{}:
	default:
	}
}

// Cut ends a link, and refuses the peer for a while after it: no link, ours or its, is made before that is
// over. The link ends soon after Cut has returned.
func (ls *Links) Cut(l *Link, why string, bar time.Duration) {
	ls.mu.Lock()
	if p := ls.peers[l.key.Fingerprint()]; p != nil && bar > 0 {
		p.barred, p.barredWhy = time.Now().Add(bar), why
	}
	ls.mu.Unlock()
	l.end(verdict{code: wire.CloseRefused, why: why})
}

// Close ends all links and waits for everything that runs. No link comes up afterwards.
func (ls *Links) Close() {
	ls.mu.Lock()
	ls.closed = true
	ls.mu.Unlock()
	ls.cancel()
	ls.wg.Wait()
}

// chance returns a uniform random number in [0, 1).
func chance() float64 { return rand.Float64() } // it spreads attempts in time
