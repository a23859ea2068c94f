package link

import (
	"crypto/rand"
	"time"

	"github.com/wzp-voice/wzp/internal/udp"
)

const (
	challengeTime   = 3 * time.Second
	challengeRepeat = 100 * time.Millisecond
	amplification   = 3 // bytes sent to an unproven address for each byte received from it
)

// roaming decides when a session's peer has moved to another address (docs/protocol.md, section 3.3).
// It is pure; its Session locks it.
//
//	settled ──newest packet from elsewhere──> probing ──response from there──> settled, there
//	   ^                                         |
//	   +──newer packet from the old address, or 3 s
type roaming struct {
	current   udp.Path
	candidate udp.Path // zero: settled
	challenge [8]byte
	since     time.Time
	sentAt    time.Time
	received  int // bytes from the candidate
	sent      int // bytes to it
}

// newest notes that the packet with the highest counter, of size bytes, came from a path.
func (r *roaming) newest(from udp.Path, size int, now time.Time) {
	switch {
	case from == r.current:
		r.candidate = udp.Path{}
	case from.Remote == r.current.Remote && !r.current.Local.IsValid():
		// The handshake proved the remote's address, and now its first packet told ours.
		r.current, r.candidate = from, udp.Path{}
	case from == r.candidate:
		r.received += size
	default:
		*r = roaming{current: r.current, candidate: from, since: now, received: size}
		rand.Read(r.challenge[:])
	}
}

// probing reports whether a challenge is open.
func (r *roaming) probing() bool { return r.candidate != (udp.Path{}) }

// probe reports whether to send a challenge of size bytes to the candidate now, and counts it as sent.
func (r *roaming) probe(size int, now time.Time) bool {
	if r.candidate == (udp.Path{}) {
		return false
	}
	if now.Sub(r.since) > challengeTime {
		r.candidate = udp.Path{}
		return false
	}
	if now.Sub(r.sentAt) < challengeRepeat || r.sent+size > amplification*r.received {
		return false
	}
	r.sentAt = now
	r.sent += size
	return true
}

// response moves the remote when the answer is right and came from the candidate itself.
func (r *roaming) response(from udp.Path, answer [8]byte) bool {
	if r.candidate == (udp.Path{}) || from != r.candidate || answer != r.challenge {
		return false
	}
	r.current, r.candidate = r.candidate, udp.Path{}
	return true
}
