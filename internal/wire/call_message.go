package wire

// MaxCallMessage is the length limit of a call message's body in bytes.
const MaxCallMessage = 900

// CallMessage is what one end of a path says to the other, encrypted end to end: [UrgentSessionMessage]
// between relays, [UrgentCallMessage] with clients.
//
//	path id (16) || body, to the end (1 to 900)
type CallMessage struct {
	Path PathID
	Body []byte // aliases what was parsed
}

func (*CallMessage) kind() UrgentKind { return UrgentSessionMessage }

func (m *CallMessage) fields(l *layout) {
	l.bytes(m.Path[:])
	l.require(len(l.in.b) > 0, ErrInvalid, "the body is empty")
	l.require(len(l.in.b) <= MaxCallMessage, ErrLimit, "a body has at most 900 bytes")
	l.rest(&m.Body)
}
