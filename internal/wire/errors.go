package wire

import "errors"

// What a [FormatError] wraps: the four ways in which bytes can be wrong. They differ in what
// the receiver does: a frame or message that is [ErrUnknown] is skipped, as docs/protocol.md
// sections 4 and 5 want it, after the others the rest of the packet or the connection is given up.
var (
	ErrTruncated = errors.New("ends too early")
	ErrLimit     = errors.New("exceeds a limit of the protocol")
	ErrInvalid   = errors.New("not valid")
	ErrUnknown   = errors.New("of an unknown kind")
)

// FormatError says what of a packet, frame or message is wrong. Use [errors.Is] with
// [ErrTruncated], [ErrLimit], [ErrInvalid] or [ErrUnknown], and [errors.As] to get at What.
//
// Values returned by the parsers of packets and frames are shared (they cost no allocation,
// however much garbage arrives): do not change them.
type FormatError struct {
	What   string // "media frame", "Hello.name"; never holds received bytes
	Err    error  // one of the four above
	Detail string // what would be right; may be empty
}

func (e *FormatError) Error() string {
	s := "wire: " + e.What + ": " + e.Err.Error()
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

func (e *FormatError) Unwrap() error { return e.Err }
