package link

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/internal/udp"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	sessionTimeout = 60 * time.Second // without an authentic packet
	longAfter      = 1 << 14          // unacknowledged packets from which counters are sent long

	// packetOverhead is what a sealed packet costs on the wire beside its frames: IPv4 20, UDP 8, header
	// and tag.
	packetOverhead = 28 + wire.HeaderSize + wire.TagSize
)

// Session is the life of one link. It outlives its QUIC connections and ends when either side
// leaves or 60 s after the last authentic packet.
//
// Sending takes no lock: any number of goroutines may send on one session, each with its own Tx.
type Session struct {
	// Sending. Atomic, no lock. These come first, and the words of the first aliases directly after them, so
	// that a fan-out touches one cache line of each session.
	counter    atomic.Uint64 // of the next packet
	acked      atomic.Uint64 // one above the highest counter that a report acknowledged
	route      atomic.Pointer[route]
	waiting    atomic.Int64 // since when (Endpoint.clock) sent packets have shown no sign of arriving; 0: none
	stopped    atomic.Bool  // the circuit breaker is open: no media
	elicited   atomic.Bool  // the peer sent something that wants a report
	mediaSent  mediaCount
	share      atomic.Pointer[budget.Pool] // of media, by whose it is, while the path carries less than there is; nil: all is sent
	aliasKnown [wire.MaxAliases / 64]atomic.Uint64
	mediaHeld  atomic.Uint64 // media frames not sent because of the circuit breaker
	// mediaRefused counts media frames that share kept back.
	mediaRefused atomic.Uint64
	reportAt     atomic.Int64 // when (Endpoint.clock) the next report may be due
	idleUntil    atomic.Int64 // until when (Endpoint.clock) no tick has anything to do
	sent         sentTimes
	out          atomic.Pointer[attachment] // the one to send with
	path         atomic.Pointer[udp.Path]   // where to

	ep       *Endpoint
	handler  Handler
	accepted PeerHandler     // the same; nil of a dialled session, and until it is accepted
	requests AcceptedHandler // the same; nil of a dialled session, and of a peer link
	client   *Client         // nil on the accepting side
	peer     bool            // a peer link

	id          [16]byte
	incarnation [8]byte
	identity    identity.PublicKey // the peer's, proved
	name        string             // what the peer calls itself; of accepted sessions only
	remote      netip.Addr         // where the first attachment came from

	mu          sync.Mutex // guards what follows; no other lock of this package is taken under it
	recv        receiveStats
	send        sendStats
	meter       mediaMeter
	narrow      narrow
	urgentOut   urgentOut
	urgentIn    urgentIn
	roaming     roaming
	attachments []*attachment
	aliases     boundAliases // of the streams that the peer announced
	pings       pinger
	ended       bool
	code        wire.CloseCode // why, then
}

// Identity returns the peer's key, which its handshake proved.
func (s *Session) Identity() identity.PublicKey { return s.identity }

// Handler returns what handles the session.
func (s *Session) Handler() Handler { return s.handler }

// Name returns what the client, or the relay that dialled, calls itself.
func (s *Session) Name() string { return s.name }

// Remote returns the address that the session was opened from.
func (s *Session) Remote() netip.Addr { return s.remote }

// PeerAddr returns where packets to the peer go; the zero AddrPort before there is an attachment.
func (s *Session) PeerAddr() netip.AddrPort {
	if path := s.path.Load(); path != nil {
		return path.Peer
	}
	return netip.AddrPort{}
}

// Quality returns what the peer reported of the packets sent to it.
func (s *Session) Quality() Quality {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.send.quality
}

// HeardWithin reports whether something authentic came from the peer within the last d.
func (s *Session) HeardWithin(d time.Duration) bool {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Sub(s.recv.authenticAt) <= d
}

// Counts are a session's totals.
type Counts struct {
	PacketsSent, PacketsReceived uint64 // sealed packets
	PacketsLost                  uint64 // of the peer's, that did not arrive
	BytesReceived                uint64 // with IP and UDP headers, IPv4 assumed
	MediaSent                    uint64 // packets with media
	MediaHeld                    uint64 // media frames that the circuit breaker kept back
}

// Counts returns the totals so far.
func (s *Session) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Counts{
		PacketsSent:     s.counter.Load(),
		PacketsReceived: s.recv.received,
		PacketsLost:     s.recv.lost,
		BytesReceived:   s.recv.bytes,
		MediaSent:       s.mediaSent.packets(),
		MediaHeld:       s.mediaHeld.Load(),
	}
}

// End closes the session: the peer is told, QUIC connections are closed, the handler learns it.
func (s *Session) End(code wire.CloseCode) {
	s.ep.WithTx(func(tx *Tx) { s.end(tx, code, true) })
}

// end is End; tell says whether the peer does not know yet.
func (s *Session) end(tx *Tx, code wire.CloseCode, tell bool) {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	s.ended, s.code = true, code
	accepted := s.accepted
	attachments := s.attachments
	s.attachments = nil
	var conns []connection
	for _, a := range attachments {
		if a.conn != nil {
			conns = append(conns, a.conn)
		}
	}
	unacked := s.urgentOut.clear()
	s.mu.Unlock()

	if tell {
		frames := wire.AppendClose(tx.plain[:0], code, true)
		for range 3 {
			s.transmit(tx, frames)
		}
	}
	s.mu.Lock()
	s.setOutLocked(nil) // nothing is sent any more
	s.mu.Unlock()
	s.ep.forget(s, attachments)
	for _, conn := range conns {
		// Not here: closing waits for the connection's own goroutine.
		s.ep.background(func() { conn.CloseWithError(quicEnded, code.String()) })
	}
	callAll(unacked, false)
	if s.client != nil {
		s.client.sessionEnded(s, code, tell)
	} else if accepted != nil {
		accepted.Ended(s, code)
	}
}

// attachLocked adds an attachment, and returns one that makes room for it. The caller holds s.mu.
func (s *Session) attachLocked(a *attachment, now time.Time) (dropped *attachment) {
	if len(s.attachments) >= maxAttachments {
		for i, old := range s.attachments {
			if old != s.out.Load() {
				dropped = old
				s.attachments = append(s.attachments[:i:i], s.attachments[i+1:]...)
				break
			}
		}
	}
	s.attachments = append(s.attachments, a)
	s.recv.authenticAt = now // a handshake is as good as a packet
	return dropped
}

// drop gives up attachments that the session does not hold any more.
func (s *Session) drop(gone ...*attachment) {
	for _, a := range gone {
		s.ep.release(a.local)
		s.mu.Lock()
		conn := a.conn
		s.mu.Unlock()
		if conn != nil { // its peer should have closed it
			s.ep.background(func() { conn.CloseWithError(quicEnded, "superseded") })
		}
	}
}

// retireLocked marks all attachments but the one in use. The caller holds s.mu.
func (s *Session) retireLocked(inUse *attachment, now time.Time) {
	for _, a := range s.attachments {
		if a == inUse {
			a.retired = time.Time{}
		} else if a.retired.IsZero() {
			a.retired = now
		}
	}
}

// AliasKnown tells whether the peer has acknowledged an alias of ours.
func (s *Session) AliasKnown(alias uint16) bool {
	return s.aliasKnown[alias/64].Load()&(1<<(alias%64)) != 0
}

// SetAliasKnown notes that the peer knows, or must learn again, what an alias of ours stands for. While it
// does not, SendMedia sends the long form.
func (s *Session) SetAliasKnown(alias uint16, known bool) {
	if known {
		s.aliasKnown[alias/64].Or(1 << (alias % 64))
	} else {
		s.aliasKnown[alias/64].And(^uint64(1 << (alias % 64)))
	}
}
