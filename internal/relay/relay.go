package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/federation"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/peer"
	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/internal/udp"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	flushEvery = 100 * time.Millisecond // how often members are told of changes that waited
	maxChanged = 256                    // rooms whose members are told before the next flushEvery
	drainTime  = 2 * time.Second        // how long clients are told that the relay shuts down
)

// Relay is a running server.
type Relay struct {
	config     Config
	log        *slog.Logger
	rooms      *room.Rooms
	endpoint   *link.Endpoint
	admin      *admin // nil: none
	site       *site  // nil: none
	federation *federation.Federation
	probes     *peer.Probes
	events     *eventlog.Writer // nil: none
	members    memberLog        // for it
	stats      counters
	draining   atomic.Bool
	changed    chan *room.Member // in whose rooms somebody has joined or left
	missed     atomic.Bool       // changed was full
	soon       chan struct{}     // something waits for the next flush
	notices    notices
	replaced   replaced
	lines      lines

	mu        sync.Mutex // guards what follows
	sessions  int
	addresses map[netip.Prefix]int
}

// counters are the relay's totals.
type counters struct {
	mediaIn, mediaOut, joins, leaves, accepted atomic.Uint64
}

// New opens the relay's ports. Run serves them.
func New(config Config) (*Relay, error) {
	config = config.withDefaults()
	mux, err := udp.Listen(config.Listen, config.Sockets)
	if err != nil {
		return nil, err
	}
	warnAboutBuffers(config.Log, mux.Buffers())
	return NewOn(mux, config)
}

// warnAboutBuffers says what the system gave, if that is less than bursts need.
func warnAboutBuffers(log *slog.Logger, b udp.Buffers) {
	if !b.Small() {
		return
	}
	advice := fmt.Sprintf("let it: sysctl -w net.core.rmem_max=%d net.core.wmem_max=%[1]d", b.Asked)
	if runtime.GOOS != "linux" {
		advice = "let it: see the limit on buffers of sockets, such as sysctl kern.ipc.maxsockbuf"
	}
	log.Warn("the system gives UDP sockets smaller buffers than asked for: bursts of packets are lost in "+
		"them", "asked_bytes", b.Asked, "receive_bytes", b.Receive, "send_bytes", b.Send, "do", advice)
}

// NewOn is New on a port that is open already, such as one of a simulated network. It takes the Mux over.
func NewOn(mux *udp.Mux, config Config) (*Relay, error) {
	if config.Identity == nil {
		return nil, errors.Join(errors.New("relay: Config.Identity is missing: a relay needs an identity "+
			"of its own"), mux.Close())
	}
	config = config.withDefaults()
	r := &Relay{
		config: config,
		log:    config.Log,
		rooms: room.NewRooms(room.Limits{
			Rooms: config.MaxRooms, Members: config.MaxMembers, PerAddress: config.MaxMembersPerAddress,
			SendRate: config.SendRate, MemberRate: config.MemberRate * 1000 / 8,
			RoomRate: config.RoomRate * 1000 / 8,
		}),
		probes:    peer.NewProbes(config.Log),
		changed:   make(chan *room.Member, maxChanged),
		soon:      make(chan struct{}, 1),
		addresses: make(map[netip.Prefix]int),
	}
	r.rooms.FanOut, r.rooms.Soon, r.rooms.Replaced = newGroup, r.flushSoon, r.noteReplaced
	if err := r.open(mux); err != nil {
		r.admin.close()
		r.site.close()
		return nil, errors.Join(err, r.events.Close(), mux.Close())
	}
	r.federation.Start(r.endpoint)
	r.probes.Start(r.endpoint)
	r.Reload(config.Federation)
	r.site.start(r)
	return r, nil
}

// open opens the relay's other ports and files, and starts the endpoint.
func (r *Relay) open(mux *udp.Mux) (err error) {
	config := &r.config
	if config.Admin != "" {
		if r.admin, err = newAdmin(r, config.Admin); err != nil {
			return err
		}
	}
	if r.site, err = newSite(*config, r.rooms.Drops); err != nil {
		return err
	}
	if err = r.bridge(); err != nil {
		return err
	}
	r.endpoint, err = link.NewEndpoint(mux, link.Config{
		Identity:      config.Identity,
		Version:       config.Version,
		Accept:        r,
		Peers:         r.federation.Acceptor(),
		Web:           r.site.webConfig(),
		Log:           config.Log,
		Drops:         r.rooms.Drops,
		MaxHandshakes: config.MaxHandshakes,
		HelloRate:     config.HelloRate,
		MaxMessage:    config.MaxMessage,
		ControlRate:   config.ControlRate,
	})
	return err
}

// Addr returns the UDP address that the relay listens on.
func (r *Relay) Addr() netip.AddrPort { return r.endpoint.LocalAddr().(*net.UDPAddr).AddrPort() }

// AdminAddr returns the TCP address of the admin interface, or nil.
func (r *Relay) AdminAddr() net.Addr {
	if r.admin == nil {
		return nil
	}
	return r.admin.ln.Addr()
}

// HTTPAddr returns the TCP address of the page and the WebSocket; it is not valid if there is none.
func (r *Relay) HTTPAddr() netip.AddrPort { return r.site.addr() }

// PageURL returns the address to open in a browser; empty if there is none.
func (r *Relay) PageURL() string { return r.site.url() }

// Run serves until ctx is done, then tells the clients, closes everything and waits for all of it.
func (r *Relay) Run(ctx context.Context) error {
	r.log.Info("listening", "udp", r.Addr().String(), "http", r.site.logAddr(), "admin", r.admin.addr(),
		"fingerprint", r.config.Identity.Fingerprint().String())
	var wg sync.WaitGroup
	wg.Go(func() { r.admin.serve() })
	wg.Go(func() { r.site.serve() })
	err := r.flushChanges(ctx)
	r.draining.Store(true) // nobody joins any more
	r.federation.Close()
	r.probes.Close()
	r.drain()
	err = errors.Join(err, r.endpoint.Close(), r.events.Close())
	r.site.close()
	r.admin.close()
	wg.Wait()
	r.log.Info("stopped")
	return err
}

// ReopenEventLog goes on in a new file if the event log's was moved away.
func (r *Relay) ReopenEventLog() error { return r.events.Reopen() }

// flushChanges does what rooms have to do later, until ctx is done or the port fails.
func (r *Relay) flushChanges(ctx context.Context) error {
	timer := time.NewTimer(flushEvery)
	defer timer.Stop()
	armed := true
	told := drops.Seldom[culprit]{Every: shortageEvery, Most: maxTold}
	for {
		var left bool
		select {
		case <-ctx.Done():
			return nil
		case <-r.endpoint.Failed():
			return r.endpoint.Err()
		case m := <-r.changed:
			left = m.Flush(time.Now())
		case <-r.soon:
			r.endReplaced()
			left = true
		case s := <-r.rooms.Shortages:
			r.logShortage(s, &told, time.Now())
		case now := <-timer.C:
			armed = false
			left = r.rooms.Flush(now)
			left = r.flushNotices(now) || left
		}
		if (left || r.missed.Swap(false)) && !armed {
			timer.Reset(flushEvery)
			armed = true
		}
	}
}

// notifyRoom has the members of m's room told of a change, by Run: who receives packets must not send to a
// whole room. When too many rooms change at once the next tick of Run does it.
func (r *Relay) notifyRoom(m *room.Member) {
	select {
	case r.changed <- m:
	default:
		r.missed.Store(true)
	}
}

// flushSoon has Run flush the rooms within flushEvery.
func (r *Relay) flushSoon() {
	select {
	case r.soon <- struct{}{}:
	default:
	}
}

// drain tells every client that the relay shuts down, waits for them to acknowledge, and ends their sessions.
func (r *Relay) drain() {
	sessions := r.endpoint.Sessions()
	r.log.Info("shutting down", "sessions", len(sessions))
	acked := make(chan struct{}, len(sessions))
	done := func(bool) { acked <- struct{}{} }
	for _, s := range sessions {
		if err := s.SendLast(wire.UrgentShutdown, done); err != nil {
			r.log.Debug("cannot say that the relay shuts down; the close frames must do", "err", err)
			done(false)
		}
	}
	late := time.After(drainTime)
	for range sessions {
		select {
		case <-acked:
			continue
		case <-late:
		}
		break
	}
	for _, s := range sessions {
		s.End(wire.CloseShuttingDown)
	}
}

// refusal is what a client is told about an error of package room.
func refusal(err error) *wire.Refused {
	switch {
	case errors.Is(err, room.ErrCrowded):
		return &wire.Refused{Code: wire.CodeRoomFull, Reason: "too many of its members have your address"}
	case errors.Is(err, room.ErrRoomFull):
		return &wire.Refused{Code: wire.CodeRoomFull}
	case errors.Is(err, room.ErrTooManyRooms):
		return &wire.Refused{Code: wire.CodeTooManyRooms}
	case errors.Is(err, room.ErrReplaced):
		return &wire.Refused{Code: wire.CodeReplaced}
	case errors.Is(err, errLine):
		return &wire.Refused{Code: wire.CodeProtocol, Reason: "the session is a line"}
	default:
		return &wire.Refused{Code: wire.CodeEntry, Reason: fmt.Sprint(err)}
	}
}
