package wire

// PresenceCompare asks on a peer link for what the receiver holds of a home: all of it, or, with sums, what
// is in those ranges in which the sums differ. [PresenceContents] answer. A side has one such question open.
//
//	serial (varint) || number (varint) || salt (8) || nothing, or 64 sums (8 each)
type PresenceCompare struct {
	Serial uint64
	Number uint64 // of the home, as the receiver's PresenceHome.Number
	Salt   PresenceSalt
	Sums   []uint64 // SumPresence of what the sender holds; empty: it holds nothing
}

func (*PresenceCompare) kind() UrgentKind { return UrgentPresenceCompare }

func (m *PresenceCompare) fields(l *layout) {
	l.varint(&m.Serial)
	l.presenceNumber(&m.Number)
	l.bytes(m.Salt[:])
	n := uint64(len(m.Sums))
	if !l.writing && len(l.in.b) > 0 {
		n = PresenceRanges
		l.require(len(l.in.b) >= 8*PresenceRanges, ErrTruncated, "")
	}
	list(l, &m.Sums, n, l.uint64)
}
