package link

import (
	"net/netip"
	"sync"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	sessionTimeout = 60 * time.Second // without an authentic packet
	longAfter      = 1 << 14          // unacknowledged packets from which counters are sent long

	udpHeaders = 20 + 8 // bytes: IPv4 and UDP

	// packetOverhead is what a sealed packet costs on the wire beside its frames.
	packetOverhead = udpHeaders + wire.HeaderSize + wire.TagSize
)

// Session is the life of one link. It outlives its connections and ends when either side leaves or 60 s after
// the last authentic packet. Those that were dialled and those that were accepted are the same but for who
// handles what comes, and who keeps them alive.
type Session struct {
	sender // comes first: a fan-out touches its first cache line

	handler  Handler
	accepted PeerHandler     // the same; nil of a dialled session, and until it is accepted
	requests AcceptedHandler // the same; nil of a dialled session, and of a peer link
	client   *Client         // nil on the accepting side
	peer     bool            // a peer link
	probe    *probe          // of a probe link; nil: it is none

	id          [16]byte
	incarnation [8]byte
	identity    identity.PublicKey // the remote's, proved
	remote      netip.Addr         // where the first attachment came from

	mu          sync.Mutex // guards what follows; no other lock of this package is taken under it
	recv        receiveStats
	send        sendStats
	meter       mediaMeter
	narrow      narrow
	urgentOut   urgentOut
	urgentIn    urgentIn
	roaming     roaming
	attachments attachments
	aliases     boundAliases // of the streams that the remote announced
	pings       pinger
	trips       *trips // of a peer link, and of a probe link that was dialled; nil: it is not measured
	ended       bool
	code        wire.CloseCode // why, then
}

func (ep *Endpoint) newSession(h Handler, id [16]byte, key identity.PublicKey) *Session {
	s := &Session{sender: sender{ep: ep}, handler: h, id: id, identity: key}
	s.aliases.limit = wire.MaxAliases
	s.recv.authenticAt = time.Now()
	return s
}

// Identity returns the remote's key, which its handshake proved.
func (s *Session) Identity() identity.PublicKey { return s.identity }

// Handler returns what handles the session.
func (s *Session) Handler() Handler { return s.handler }

// Remote returns the address that the session was opened from.
func (s *Session) Remote() netip.Addr { return s.remote }

// Addr returns where packets go; the zero AddrPort before there is an attachment.
func (s *Session) Addr() netip.AddrPort {
	if path := s.path.Load(); path != nil {
		return path.Remote
	}
	return netip.AddrPort{}
}

// provenAddrs returns where the remote is, as far as it has proved it.
func (s *Session) provenAddrs() []netip.Addr {
	list := []netip.Addr{s.remote}
	if path := s.path.Load(); path != nil {
		list = append(list, path.Remote.Addr())
	}
	if a := s.out.Load(); a.ofBrowser() {
		list = append(list, a.web.remote)
	}
	return list
}

// Quality returns what the remote reported of the packets sent to it.
func (s *Session) Quality() Quality {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.send.quality
}

// Path returns what pings tell of the way to the remote and back, of a peer link or a probe link.
func (s *Session) Path() (p Path) {
	at := time.Since(s.ep.start)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trips != nil {
		p = s.trips.path(at)
	}
	p.LossOut, p.LossIn = s.send.quality.Loss, s.recv.loss
	return p
}

// ReceivedWithin reports whether something authentic came from the remote within the last d.
func (s *Session) ReceivedWithin(d time.Duration) bool {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Sub(s.recv.authenticAt) <= d
}

// Counts are a session's totals.
type Counts struct {
	PacketsSent, PacketsReceived uint64 // sealed packets
	PacketsLost                  uint64 // of the remote's, that did not arrive
	BytesReceived                uint64 // with IP and UDP headers, IPv4 assumed
	MediaSent                    uint64 // packets with media
	MediaHeld                    uint64 // media frames that the circuit breaker kept back
}

// Counts returns the totals so far.
func (s *Session) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Counts{
		PacketsSent: s.counter.Load(), PacketsReceived: s.recv.received, PacketsLost: s.recv.lost,
		BytesReceived: s.recv.bytes, MediaSent: s.mediaSent.packets(), MediaHeld: s.mediaHeld.Load(),
	}
}

// Closed returns whether the session has ended, and how: CloseLost also of one that the relay has forgotten.
func (s *Session) Closed() (code wire.CloseCode, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.code, s.ended
}

// Over reports whether the session has ended.
func (s *Session) Over() bool {
	_, over := s.Closed()
	return over
}

// End closes the session: the remote is told, connections are closed, the handler learns it.
func (s *Session) End(code wire.CloseCode) {
	s.ep.WithTx(func(tx *Tx) { s.end(tx, code, true) })
}

// end is End; tell says whether the remote does not know yet.
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
	s.ep.forget(s)
	s.drop(code.String(), attachments...)
	callAll(unacked, false)
	if s.client != nil {
		s.client.sessionEnded(s, code, tell)
	} else if accepted != nil {
		accepted.Ended(s, code)
	}
}

// Peer reports whether the session is a peer link.
func (s *Session) Peer() bool { return s.peer }

// purpose is what a session is for. It stays what it was made as: who may open one kind gets no further on
// another by it.
type purpose uint8

const (
	forClient purpose = iota
	forPeer           // a peer link
	forProbe          // a probe link
)

func (s *Session) purpose() purpose {
	switch {
	case s.peer:
		return forPeer
	case s.probe != nil:
		return forProbe
	}
	return forClient
}

// makePeer makes a new session a peer link.
func (s *Session) makePeer() {
	s.peer, s.trips = true, new(trips)
	s.aliases.limit = wire.MaxAliases
	s.urgentOut.pace.limits = &peerPace
}
