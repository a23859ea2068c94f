package link

import (
	"cmp"
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/time/rate"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/seal"
	"github.com/wzp-voice/wzp/internal/udp"
	"github.com/wzp-voice/wzp/internal/wire"
)

// Config is what an Endpoint is made of.
type Config struct {
	Identity *identity.Identity // the relay's, or the person's
	Version  string             // "wzp 1.0", told to the remote; at most 64 bytes
	Accept   Acceptor           // nil: the endpoint only dials
	Peers    PeerAcceptor       // nil: no peer links are accepted; of no use without Accept
	Log      *slog.Logger       // nil: silent
	Drops    *drops.Counters    // nil: those of the endpoint alone, see Drops

	// MaxHandshakes bounds connections that have not said a valid Hello yet. From a quarter of it on
	// clients prove their address first (QUIC Retry); above it new ones are refused, and below it those of
	// prefixes that have more than their share, see Places. Some more are kept for addresses of sessions and
	// of peers. 0: 1024.
	MaxHandshakes int
	// HelloRate is how many handshakes a second one proven address (or IPv6 /64) may complete, with
	// bursts of ten seconds' worth. 0: 20.
	HelloRate float64
	// MaxMessage is the longest control message that is accepted, in bytes. 0: 8192; what a client sends is
	// below 2000.
	MaxMessage int
	// ControlRate is how many control messages a second one connection may send, with bursts of
	// ten seconds' worth. 0: 10.
	ControlRate float64
	// Web lets browsers attach, if there is an Acceptor; nil: none may.
	Web *WebConfig
}

// resetRate bounds the resets that unknown packets draw, per second.
const resetRate = 1000

// Endpoint is one UDP port with the sessions on it.
type Endpoint struct {
	config    Config
	log       *slog.Logger
	mux       *udp.Mux
	transport *quic.Transport
	cert      tls.Certificate
	resetKey  seal.ResetKey
	resets    *rate.Limiter
	helloRate *AddressLimiter
	start     time.Time // of the endpoint's clock

	web     *webServer  // nil: browsers may not attach
	pending *handshakes // connections before a valid Hello
	known   *knownAddrs
	probes  probes
	repeats repeats
	resting atomic.Bool   // the tick loop may be asleep for longer than a tick
	woken   chan struct{} // cap 1: it must not be
	failed  chan struct{} // closed when the port has ended
	err     error         // why; valid after failed
	drops   *drops.Counters
	senders sync.Pool // *Tx with a batch of their own

	resetsSent, moved, webAttached atomic.Uint64 // see Stats

	wg     sync.WaitGroup // every goroutine of the endpoint
	cancel context.CancelFunc
	ctx    context.Context // done when the endpoint closes

	mu       sync.RWMutex                // guards what follows; taken before no other lock
	conns    map[wire.ConnID]*attachment // nil values are reserved ids
	sessions map[[16]byte]*Session       // accepted ones, by id
	asking   map[[16]byte]chan struct{}  // peer links that AcceptPeer is being asked about; closed then
	dialled  map[*Session]struct{}       // those of Clients: a few, so that a reset may look through them
	closed   bool
}

// Stats are an Endpoint's totals since it was made, beside what was dropped.
type Stats struct {
	UDP udp.Stats

	ResetsSent  uint64
	Moved       uint64 // sessions that proved a new address
	Handshakes  int    // connections before a valid Hello now, of browsers, too
	WebSessions uint64 // attachments that browsers made
	WebOpen     int    // connections of browsers now, those in their handshake included
	Probes      int    // probe links of others now
}

// NewEndpoint starts the endpoint on a port. It takes the Mux over; Close closes it.
func NewEndpoint(mux *udp.Mux, config Config) (*Endpoint, error) {
	cert, err := config.Identity.TLSCertificate()
	if err != nil {
		return nil, err
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.Drops == nil {
		config.Drops = new(drops.Counters)
	}
	config.MaxHandshakes = cmp.Or(config.MaxHandshakes, 1024)
	config.HelloRate = cmp.Or(config.HelloRate, 20)
	config.MaxMessage = cmp.Or(config.MaxMessage, 8<<10)
	config.ControlRate = cmp.Or(config.ControlRate, 10)
	known := &knownAddrs{}
	seed := config.Identity.X25519().Bytes()
	ep := &Endpoint{
		config: config, log: config.Log, drops: config.Drops, mux: mux, cert: cert,
		resetKey: seal.NewResetKey(seed), resets: rate.NewLimiter(resetRate, resetRate),
		helloRate: NewAddressLimiter(rate.Limit(config.HelloRate), int(10*config.HelloRate)+1),
		pending:   newHandshakes(config.MaxHandshakes, known, config.Log), known: known, start: time.Now(),
		woken: make(chan struct{}, 1), failed: make(chan struct{}), conns: make(map[wire.ConnID]*attachment),
		sessions: make(map[[16]byte]*Session), asking: make(map[[16]byte]chan struct{}),
		dialled: make(map[*Session]struct{}),
	}
	known.list = ep.Sessions
	ep.probes.drops, ep.probes.places = config.Drops, NewPlaces(maxProbes, probesOfOne)
	ep.ctx, ep.cancel = context.WithCancel(context.Background())
	ep.senders.New = func() any { return newTx(mux.NewBatch()) }
	statelessReset, err := hkdf.Key(sha256.New, seed, nil, "wzp/1 quic reset key", 32)
	if err != nil {
		return nil, err
	}
	mux.OnQUIC(ep.sentQUIC)
	ep.transport = &quic.Transport{
		Conn:                mux.QUIC(),
		ConnectionIDLength:  8,
		StatelessResetKey:   (*quic.StatelessResetKey)(statelessReset),
		VerifySourceAddress: func(net.Addr) bool { return ep.pending.total() > config.MaxHandshakes/4 },
		ConnContext:         ep.admit,
	}
	if config.Web != nil && config.Accept != nil {
		if ep.web, err = newWebServer(ep, config.Web); err != nil {
			return nil, err
		}
	}
	if err := ep.listen(); err != nil {
		return nil, err
	}
	ep.wg.Go(func() {
		ep.err = mux.Serve(ep.sealed)
		close(ep.failed)
	})
	ep.wg.Go(ep.tickLoop)
	return ep, nil
}

func newTx(b *udp.Batch) *Tx {
	tx := &Tx{
		batch: b, plain: make([]byte, 0, wire.MaxPacketSize), Short: make([]byte, 0, wire.MaxPacketSize),
		Long: make([]byte, 0, wire.MaxPacketSize),
	}
	b.Owner = tx
	return tx
}

// Failed is closed when the port has ended: after Close, or because it failed.
func (ep *Endpoint) Failed() <-chan struct{} { return ep.failed }

// Err returns why the port ended; nil after Close.
func (ep *Endpoint) Err() error {
	<-ep.failed
	return ep.err
}

// LocalAddr returns the address of the port.
func (ep *Endpoint) LocalAddr() net.Addr { return ep.mux.LocalAddr() }

// Close ends the sessions that are left, closes the port, and waits for every goroutine.
func (ep *Endpoint) Close() error {
	ep.mu.Lock()
	closed := ep.closed
	ep.closed = true
	ep.mu.Unlock()
	if closed {
		return nil
	}
	for _, s := range ep.Sessions() {
		s.End(wire.CloseShuttingDown)
	}
	if ep.web != nil {
		ep.web.close()
	}
	ep.cancel()
	err := ep.transport.Close()
	if muxErr := ep.mux.Close(); !errors.Is(muxErr, net.ErrClosed) {
		err = errors.Join(err, muxErr)
	}
	ep.wg.Wait()
	return err
}

// Sessions returns the sessions of now.
func (ep *Endpoint) Sessions() []*Session {
	ep.mu.RLock()
	defer ep.mu.RUnlock()
	list := make([]*Session, 0, len(ep.sessions)+len(ep.dialled))
	return slices.AppendSeq(slices.AppendSeq(list, maps.Values(ep.sessions)), maps.Keys(ep.dialled))
}

// Accepted returns the session of a client, by the secret that names it; nil: there is none.
func (ep *Endpoint) Accepted(id [16]byte) *Session {
	ep.mu.RLock()
	defer ep.mu.RUnlock()
	return ep.sessions[id]
}

// Stats returns the totals so far.
func (ep *Endpoint) Stats() Stats {
	stats := Stats{
		UDP: ep.mux.Stats(), ResetsSent: ep.resetsSent.Load(), Moved: ep.moved.Load(),
		Handshakes: ep.pending.all(), WebSessions: ep.webAttached.Load(), Probes: ep.probes.open(),
	}
	if ep.web != nil {
		stats.Handshakes += ep.web.pending.all()
		stats.WebOpen = ep.web.open()
	}
	return stats
}

// Drops are the totals of what was dropped.
func (ep *Endpoint) Drops() *drops.Counters { return ep.drops }

// Alarm calls a function some time after it was set: see udp.Alarm.
type Alarm = udp.Alarm

// NewAlarm returns an alarm that is not set, with f to call.
func (ep *Endpoint) NewAlarm(f func()) Alarm { return ep.mux.NewAlarm(f) }

// WithTx calls f with a Tx and sends what f put into it: for who sends without having received. f keeps
// nothing of tx.
func (ep *Endpoint) WithTx(f func(tx *Tx)) {
	tx := ep.senders.Get().(*Tx)
	ep.stamp(tx)
	f(tx)
	tx.batch.Finish()
	ep.senders.Put(tx)
}

func (ep *Endpoint) stamp(tx *Tx) {
	tx.now = time.Now()
	tx.at = tx.now.Sub(ep.start)
}

// background runs f on a goroutine that Close waits for. It does not when the endpoint is closed: then the
// transport closes everything, and the group may be waited for already.
func (ep *Endpoint) background(f func()) bool {
	ep.mu.RLock()
	defer ep.mu.RUnlock()
	if !ep.closed {
		ep.wg.Go(f)
	}
	return !ep.closed
}

// sealed handles a sealed packet. It is the udp.Handler: one goroutine a socket.
func (ep *Endpoint) sealed(b *udp.Batch, p []byte, from udp.Path) {
	h, n, err := wire.ParseHeader(p)
	if err != nil {
		ep.drops.Add(drops.BadHeader, 1)
		return
	}
	tx, known := b.Owner.(*Tx)
	if !known {
		tx = newTx(b)
	}
	ep.stamp(tx)
	if h.Reset {
		ep.reset(p)
	} else {
		ep.mu.RLock()
		a, reserved := ep.conns[h.ConnID]
		ep.mu.RUnlock()
		switch {
		case a != nil:
			a.session.receive(tx, a, h.Counter, h.CounterBits(), p, n, from)
		case reserved: // it overtook the Welcome
			ep.drops.Add(drops.UnknownID, 1)
		default:
			ep.unknown(tx, h.ConnID, len(p), from)
		}
	}
}

// unknown answers a packet for no attachment of ours: it may be from before a restart.
func (ep *Endpoint) unknown(tx *Tx, id wire.ConnID, size int, from udp.Path) {
	ep.drops.Add(drops.UnknownID, 1)
	if ep.config.Accept == nil || size < wire.MinResetCause || !ep.resets.AllowN(tx.now, 1) {
		return
	}
	ep.resetsSent.Add(1)
	p := wire.AppendReset(tx.batch.Buffer(), id, ep.resetKey.Token(uint32(id)))
	tx.batch.Commit(len(p), from)
}

// reset handles the remote's word that it does not know a session of ours: if the token is right, its
// client attaches again. It ends nothing.
func (ep *Endpoint) reset(p []byte) {
	id, token, err := wire.ParseReset(p)
	if err != nil {
		ep.drops.Add(drops.BadHeader, 1)
		return
	}
	ep.mu.RLock()
	defer ep.mu.RUnlock()
	for s := range ep.dialled {
		if a := s.out.Load(); a != nil && a.remote == id && a.reset.Equal(token) {
			s.client.reattach(causeReset)
			wake(s.client.restarted)
		}
	}
}

// reserve returns a connection id that is not in use, and keeps it.
func (ep *Endpoint) reserve() wire.ConnID {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	for {
		var b [3]byte
		rand.Read(b[:])
		id := wire.ConnID(b[0])<<16 | wire.ConnID(b[1])<<8 | wire.ConnID(b[2])
		if _, taken := ep.conns[id]; id != 0 && !taken {
			ep.conns[id] = nil
			return id
		}
	}
}

// bind makes packets with the attachment's id reach it.
func (ep *Endpoint) bind(a *attachment) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	ep.conns[a.local] = a
}

// unbind gives the attachment's id back, unless it is another's by now.
func (ep *Endpoint) unbind(a *attachment) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if now := ep.conns[a.local]; now == nil || now == a {
		delete(ep.conns, a.local)
	}
}

// release gives a connection id back.
func (ep *Endpoint) release(id wire.ConnID) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	delete(ep.conns, id)
}

// forget removes a session from the tables.
func (ep *Endpoint) forget(s *Session) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if ep.sessions[s.id] == s {
		delete(ep.sessions, s.id)
	}
	delete(ep.dialled, s)
}

// wake puts a token into a channel of capacity 1, unless there is one.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// drain empties a channel of capacity 1.
func drain[T any](c chan T) {
	select {
	case <-c:
	default:
	}
}
