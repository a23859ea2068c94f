package peer

import (
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/wire"
)

// Link is one link with a peer: one session, from its first packet to its end. When the peer was
// restarted, or when another session took the place of this one, that is another Link. It handles the
// session's packets (it is a link.Handler), and sends with its methods.
//
//	candidate ── the peer was heard, and the link is the better one ──> open ──> over
//	    |                                                                         ^
//	    +───────────────────── not heard, or the other one is better ─────────────+
type Link struct {
	key     identity.PublicKey // the peer's, which the handshake proved
	ID      wire.RelayID       // its short form
	Label   string             // what we call the peer
	dialled bool               // by us

	links  *Links
	s      *link.Session
	dialer *dialer // of a dialled link
	out    outbox
	born   time.Time

	handler Handler     // who uses it; set before it is open
	open    atomic.Bool // from when there is a handler to before its Down: what comes is handed on
	leaving atomic.Bool // the peer has said that it shuts down
	suspect atomic.Bool
	fate    atomic.Pointer[verdict] // why it has to end; nil: it does not
	tooLong atomic.Int64            // kind of a message that no message can hold, to be logged; 0: none

	// Of the goroutine that runs Links.run alone:
	live liveness
	over time.Time // when its session was first seen to have ended for an unknown reason

	since time.Time // when it was opened; guarded by Links.mu
}

// verdict is why a link ends.
type verdict struct {
	code     wire.CloseCode // what the peer is told, if it does not know yet
	why      string         // what the log is told
	replaced bool           // by another link, so that it is no failure
	twin     bool           // by one that the other side has dialled: both did, and one is kept
}

// Why links end, for the log.
const (
	whyOverflow = "the peer does not acknowledge messages as fast as they come; too many waited"
	whyReplaced = "the peer uses another link"
	whyShutdown = "the peer is shutting down"
	whyRefused  = "the peer has cut this relay off, or does not have it configured any more; ask its operator"
)

// Key returns the peer's identity key, which the handshake proved.
func (l *Link) Key() identity.PublicKey { return l.key }

// RTT returns how long the round trip to the peer is, smoothed; 0: it was not measured yet.
func (l *Link) RTT() time.Duration { return l.s.Path().RTT }

// Send queues an urgent message for the peer, and sends what there is room for; body, of at most
// wire.MaxUrgent bytes, is kept. Messages leave in their order, but may arrive in another. Unless the link
// ends, all arrive; when too many wait it does. then, unless nil, is called when the peer has acknowledged
// the message, on a goroutine that receives and holds no lock; never if it does not.
func (l *Link) Send(kind wire.UrgentKind, body []byte, then func()) {
	if len(body) > wire.MaxUrgent {
		l.tooLong.Store(int64(kind))
	}
	if !l.out.put(kind, body, then) {
		l.end(verdict{code: wire.CloseLeft, why: whyOverflow})
	}
	l.out.feed()
}

// SendPacket sends whole frames as one packet, of which media are media: see link.Session.
func (l *Link) SendPacket(tx *link.Tx, frames []byte, media int) { l.s.SendPacket(tx, frames, media) }

// AtEnd has f called when what came together with the packet that tx handles has been handled.
func (l *Link) AtEnd(tx *link.Tx, f func(tx *link.Tx)) { tx.AtEnd(f) }

// WithTx calls f with a Tx: see link.Endpoint.
func (l *Link) WithTx(f func(tx *link.Tx)) { l.links.ep.WithTx(f) }

// TakesMedia reports whether packets with media are sent now: see link.Session.
func (l *Link) TakesMedia() bool { return l.s.TakesMedia() }

// NewAlarm returns an alarm that is not set, with f to call: see link.Endpoint.
func (l *Link) NewAlarm(f func()) link.Alarm { return l.links.ep.NewAlarm(f) }

// end has the link end soon, by Links.run, for the first reason that is given. It waits for nothing, so it
// may be called from anywhere.
func (l *Link) end(v verdict) {
	if l.fate.CompareAndSwap(nil, &v) {
		l.links.wakeUp()
	}
}

// heard reports whether the peer has shown that it uses the session: it is welcome on ours, or has sent a
// packet.
func (l *Link) heard() bool { return l.dialled || l.s.Counts().PacketsReceived > 0 }

// Bind implements link.Handler.
func (l *Link) Bind(_ *link.Session, m *wire.Media) link.Inbound {
	if !l.open.Load() {
		return nil
	}
	return l.handler.Bind(m)
}

// AliasAcked implements link.Handler.
func (l *Link) AliasAcked(_ *link.Session, pair wire.AliasPair) {
	if l.open.Load() {
		l.handler.AliasAcked(pair)
	}
}

// Urgent implements link.Handler. What comes before the link is open is not taken, so it comes again.
func (l *Link) Urgent(_ *link.Session, kind wire.UrgentKind, body []byte) (taken bool) {
	switch {
	case kind == wire.UrgentLeave:
		l.end(verdict{code: wire.CloseLeft, why: l.farewell()})
		return true
	case kind == wire.UrgentShutdown:
		l.leaving.Store(true)
		return true
	case kind < wire.UrgentFederationRoom: // of clients' sessions
		return true
	}
	if !l.open.Load() {
		return false
	}
	return l.handler.Urgent(kind, body)
}

// farewell is why a link is over that the peer has ended.
func (l *Link) farewell() string {
	if l.leaving.Load() {
		return whyShutdown
	}
	return "the peer ended it"
}

// address returns where the peer is, for the log: HOST:PORT as configured, or the address that it came from.
func (l *Link) address() string {
	if l.dialer != nil {
		return l.dialer.address
	}
	return l.s.Remote().String()
}
