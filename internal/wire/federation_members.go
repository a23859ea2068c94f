package wire

// FederationMembers is a piece of the list of home's members in a room, in one version: Total entries,
// ordered by member id, of which these are number First (from 0) and those after it. The list counts for
// nothing until it is complete and its digest is that of a signed [RoomRecord].
//
//	home (8) || room hash (8) || boot (8) || sequence (varint) || first (varint) || total (varint)
//	|| one or more of: length (varint) || entry
type FederationMembers struct {
	Home     RelayID
	Room     RoomHash
	Boot     uint64
	Sequence uint64 // from 1, below 2^62
	First    uint32
	Total    uint32   // First and the entries are within it
	Entries  [][]byte // at least one; nothing of them was checked but their length: see ParseEntry
}

func (*FederationMembers) kind() UrgentKind { return UrgentFederationMembers }

func (m *FederationMembers) fields(l *layout) {
	l.own()
	l.part(&m.Home, &m.Room)
	l.uint64(&m.Boot)
	l.varint(&m.Sequence)
	l.require(m.Sequence > 0, ErrInvalid, "its sequence is 0")
	first := uint64(m.First)
	l.varint(&first)
	l.varint32(&m.Total)
	l.entries(&m.Entries)
	n := uint64(len(m.Entries))
	l.require(n > 0, ErrTruncated, "at least one entry")
	l.require(first < uint64(m.Total) && n <= uint64(m.Total)-first, ErrInvalid, "entries above their total")
	m.First = uint32(first)
}

// Fits reports whether the message takes one more entry. It always takes two of any legal size.
func (m *FederationMembers) Fits(entry []byte) bool {
	return Size(m)+varintLen(uint64(len(entry)))+len(entry) <= MaxUrgent
}
