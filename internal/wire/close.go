package wire

import "strconv"

// CloseCode says why a session is over.
type CloseCode uint8

const (
	CloseLeft          CloseCode = 0
	CloseShuttingDown  CloseCode = 1
	CloseRefused       CloseCode = 2
	CloseReplaced      CloseCode = 3 // the same identity took the session's place
	CloseProtocolError CloseCode = 4
	CloseLost          CloseCode = 5 // nothing was heard of it any more
)

var closeNames = [...]string{"left", "shutting down", "refused", "replaced", "protocol error", "lost"}

// String returns the name that docs/protocol.md gives the code, or its number.
func (c CloseCode) String() string {
	if int(c) < len(closeNames) {
		return closeNames[c]
	}
	return "code " + strconv.Itoa(int(c))
}

var errClose = &FormatError{"close frame", ErrInvalid, "has 1 byte"}

// AppendClose appends a close frame; it is sent three times.
//
//	code (1)
func AppendClose(dst []byte, code CloseCode, last bool) []byte {
	return AppendFrame(dst, FrameClose, []byte{byte(code)}, last)
}

// ParseClose reads the body of a close frame. Every code, known or not, ends the session.
func ParseClose(body []byte) (CloseCode, error) {
	if len(body) != 1 {
		return 0, errClose
	}
	return CloseCode(body[0]), nil
}
