package link

import (
	"net/netip"
	"sync/atomic"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// Handler is what an Endpoint calls for its sessions: the relay, or the client's room. Media and
// the other packet methods run on the receiving goroutine and must not block; none is called with a
// lock of this package held, but for what makes Urgent come one at a time, and all may be called concurrently.
type Handler interface {
	// Bind is asked when a peer announces a new stream, by a frame with its KID, and on peer links its Room. The
	// result, which is of that KID and Room, is given to Media with each of its frames; nil refuses the stream. m is
	// valid until it returns.
	Bind(s *Session, m *wire.Media) *Stream
	// Media gets a media frame with its full KID and CTR, and on peer links its Room. m.Ciphertext is valid until it
	// returns.
	Media(s *Session, st *Stream, m *wire.Media, tx *Tx)
	// AliasAcked says that the peer knows pair, which SendMedia announced to it.
	AliasAcked(s *Session, pair wire.AliasPair)
	// Urgent gets each urgent message once, those of one session one at a time. taken false: it cannot be used
	// yet, and comes again with the peer's next repeat, as if for the first time. body is valid until it
	// returns. It may end s, and send urgent messages on any session.
	Urgent(s *Session, kind wire.UrgentKind, body []byte) (taken bool)
}

// Acceptor is the Handler of an Endpoint that accepts sessions.
type Acceptor interface {
	Handler
	// Accept decides about a new session, whose identity is proved; a non-nil result refuses it.
	Accept(s *Session, remote netip.Addr) *wire.Refused
	// Control answers a control message; nil sends nothing. A *wire.Refused ends the session.
	Control(s *Session, m wire.Message) wire.Message
	// Ended says that an accepted session is over. It is called once; no other method is called for it
	// afterwards, but some may still be running.
	Ended(s *Session, code wire.CloseCode)
}

// PeerAcceptor decides which relays may open peer links. All methods may be called concurrently.
type PeerAcceptor interface {
	// CheckPeer is asked during the TLS handshake about the key that a dialler with server name PeerServerName shows,
	// on every connection; an error refuses it. The dialler has not proved yet that it holds the key: compare it, keep
	// nothing. (Another key than its own gets nobody any further, for the handshake fails right afterwards.) remote has
	// sent a packet from where one of ours went, so it is no forged address.
	CheckPeer(key identity.PublicKey, remote netip.AddrPort) error
	// AcceptPeer decides about a new session whose certificate and Hello have proved the same key, and returns what
	// handles it; a non-nil *wire.Refused refuses it. What is given to s to send waits until AcceptPeer has returned.
	// As with clients, the Handler gets wire.UrgentLeave when the dialler leaves, and ends s. Calls come one at a
	// time, and one for each session, however many connections it has.
	AcceptPeer(s *Session) (Handler, *wire.Refused)
	// PeerEnded says that a session that AcceptPeer took is over. It is called once; methods of its Handler may
	// still be running.
	PeerEnded(s *Session, code wire.CloseCode)
}

// Stream is one stream of media that a session receives.
type Stream struct {
	KID   wire.KID
	Room  wire.RoomHash // on peer links; zero on others
	Owner any           // the handler's own
	next  atomic.Uint64 // one above the highest CTR seen
}

// Seen notes that ctr was received, so that the low bits of later ones are understood. Handlers call it
// for frames that they trust: a relay for all of a member's own, a client after decryption.
func (st *Stream) Seen(ctr uint64) {
	for {
		next := st.next.Load()
		if ctr < next || st.next.CompareAndSwap(next, ctr+1) {
			return
		}
	}
}
