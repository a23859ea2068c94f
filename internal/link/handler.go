package link

import (
	"net/netip"
	"sync/atomic"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// Handler is what a Session calls. Its methods run on the receiving goroutine and must not block; none is
// called with a lock of this package held, but for what makes Urgent come one at a time, and all may be
// called concurrently.
type Handler interface {
	// Bind is asked when the remote announces a new stream, by a frame with its KID, and on peer links its
	// Room. The result, whose Stream has that KID and Room, gets the stream's frames; nil refuses the stream.
	// m is valid until it returns.
	Bind(s *Session, m *wire.Media) Inbound
	// AliasAcked says that the remote knows pair, which SendMedia announced to it.
	AliasAcked(s *Session, pair wire.AliasPair)
	// Urgent gets each urgent message once, those of one session one at a time. accepted false: it cannot be
	// used yet, and comes again with the remote's next repeat, as if for the first time. body is valid until
	// it returns. It may end s, and send urgent messages on any session.
	Urgent(s *Session, kind wire.UrgentKind, body []byte) (accepted bool)
}

// PeerHandler is the Handler of an accepted session.
type PeerHandler interface {
	Handler
	// Ended says that the session is over. It is called once; no other method is called for the session
	// afterwards, but some may still be running.
	Ended(s *Session, code wire.CloseCode)
}

// AcceptedHandler is the Handler of a client's session.
type AcceptedHandler interface {
	PeerHandler
	// Control answers a control message; nil sends nothing. A *wire.Refused ends the session.
	Control(s *Session, m wire.Message) wire.Message
}

// Acceptor decides which clients may open sessions. It may be called concurrently.
type Acceptor interface {
	// Accept decides about a new session, whose identity is proved, and returns what handles it; a non-nil
	// *wire.Refused refuses it.
	Accept(s *Session, remote netip.Addr) (AcceptedHandler, *wire.Refused)
}

// PeerAcceptor decides which relays may open peer links. All methods may be called concurrently.
type PeerAcceptor interface {
	// CheckPeer is asked during the TLS handshake about the key that a dialler with server name
	// PeerServerName shows, on every connection; an error refuses it. The dialler has not proved yet that it
	// holds the key: compare it, keep nothing. (Another key than its own gets nobody any further, for the
	// handshake fails right afterwards.) remote has sent a packet from where one of ours went, so it is no
	// forged address.
	CheckPeer(key identity.PublicKey, remote netip.AddrPort) error
	// AcceptPeer decides about a new session whose certificate and Hello have proved the same key, and
	// returns what handles it; a non-nil *wire.Refused refuses it. What is given to s to send waits until
	// AcceptPeer has returned. As with clients, the handler gets wire.UrgentLeave when the dialler leaves,
	// and ends s. Calls come one at a time, and one for each session, however many connections it has.
	AcceptPeer(s *Session) (PeerHandler, *wire.Refused)
}

// ClientHandler is told what becomes of a Client.
type ClientHandler interface {
	// Opened returns what handles a new session: the first one, in Start, and one whenever the relay turns
	// out to know nothing of the session before, as after a restart. Aliases and urgent messages start from
	// zero on s.
	Opened(s *Session) Handler
	// Attached says that the relay has welcomed the client again, after the connection or the relay was lost.
	// joined is nil for lines and peers. fresh: the session is new, too.
	Attached(joined *wire.Joined, fresh bool)
	// Detached says that the client is trying to attach again, and why. The session goes on.
	Detached(cause string)
}

// Inbound is one stream of media that a session receives. It embeds a Stream.
type Inbound interface {
	// Media gets a frame of the stream with its full KID and CTR, and on peer links its Room. m.Ciphertext is
	// valid until it returns. As a Handler's methods it must not block.
	Media(m *wire.Media, tx *Tx)

	stream() *Stream
}

// InboundFunc returns what gets the frames of the stream that m announces, by a call of f.
func InboundFunc(m *wire.Media, f func(st *Stream, m *wire.Media, tx *Tx)) Inbound {
	return &inboundFunc{Stream: Stream{KID: m.KID, Room: m.Room}, f: f}
}

type inboundFunc struct {
	Stream
	f func(st *Stream, m *wire.Media, tx *Tx)
}

func (in *inboundFunc) Media(m *wire.Media, tx *Tx) { in.f(&in.Stream, m, tx) }

// Stream says which stream of media an Inbound is.
type Stream struct {
	KID  wire.KID
	Room wire.RoomHash // on peer links; zero on others
	next atomic.Uint64 // one above the highest CTR seen
}

func (st *Stream) stream() *Stream { return st }

// Seen notes that ctr was received, so that the low bits of later ones are understood. Call it for frames
// that are trusted: a relay for all of a member's own, a client after decryption.
func (st *Stream) Seen(ctr uint64) {
	for {
		next := st.next.Load()
		if ctr < next || st.next.CompareAndSwap(next, ctr+1) {
			return
		}
	}
}
