package wire

// KeyReceived says that the recipient has a talker's sender key. It travels inside a [FederationMessage] to
// the talker, whose relay cannot see for itself what another relay's member acknowledged.
//
//	recipient (6) || key number (4)
type KeyReceived struct {
	From   MemberID // the recipient, who has the key
	Number uint32   // of the key
}

func (*KeyReceived) kind() UrgentKind { return UrgentKeyReceived }

func (m *KeyReceived) fields(l *layout) {
	l.bytes(m.From[:])
	l.uint32(&m.Number)
}
