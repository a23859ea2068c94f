package wire

// Key is a sender key for the member that gets it.
//
//	sender (6) || header || signature (64) || wrap (64 or 80)
type Key struct {
	Sender MemberID
	Key    SignedKey // aliases what was parsed
	Wrap   []byte    // likewise
}

func (*Key) kind() UrgentKind { return UrgentKey }

func (m *Key) fields(l *layout) {
	l.bytes(m.Sender[:])
	m.Key.fields(l)
	l.rest(&m.Wrap)
	size := len(m.Wrap)
	l.require(size == WrapFresh || size == WrapRatcheted, ErrInvalid, "a wrap has 64 or 80 bytes")
}
