package wire

// KeyDelivered says that all recipients of a key that are there have it.
//
//	key number (4)
type KeyDelivered struct{ Number uint32 }

func (*KeyDelivered) kind() UrgentKind { return UrgentKeyDelivered }

func (m *KeyDelivered) fields(l *layout) { l.uint32(&m.Number) }
