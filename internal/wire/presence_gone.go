package wire

// PresenceGone says on a peer link that the sender does not tell of some homes any more. Their numbers may
// stand for others from then on.
//
//	serial (varint) || numbers (varint each), at least one
type PresenceGone struct {
	Serial  uint64
	Numbers []uint64
}

func (*PresenceGone) kind() UrgentKind { return UrgentPresenceGone }

func (m *PresenceGone) fields(l *layout) {
	l.varint(&m.Serial)
	if l.writing {
		for i := range m.Numbers {
			l.varint(&m.Numbers[i])
		}
		return
	}
	for l.err == nil && (len(m.Numbers) == 0 || len(l.in.b) > 0) {
		var number uint64
		if l.presenceNumber(&number); l.err == nil {
			m.Numbers = append(m.Numbers, number)
		}
	}
}
