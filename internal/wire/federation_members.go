package wire

import "encoding/binary"

// FederationMembers is a piece of the list of home's members in a room, in one version: Total entries,
// ordered by member id, of which these are number First (from 0) and those after it. The list counts for nothing until it
// is complete and its digest is that of a signed [RoomRecord].
type FederationMembers struct {
	Home     RelayID
	Room     RoomHash
	Boot     uint64
	Sequence uint64 // from 1, below 2^62
	First    uint32
	Total    uint32
	Entries  [][]byte // at least one; nothing of them was checked but their length: see ParseEntry
}

var (
	errPartsShort    = &FormatError{"federation members", ErrTruncated, ""}
	errPartsLimit    = &FormatError{"federation members", ErrLimit, "a message has at most 1024 bytes"}
	errPartsSequence = &FormatError{"federation members", ErrInvalid, "its sequence is 0"}
	errPartsNone     = &FormatError{"federation members", ErrTruncated, "at least one entry"}
	errPartsEntries  = &FormatError{"federation members", ErrInvalid, "an entry has 1 to 400 bytes"}
	errPartsTotal    = &FormatError{"federation members", ErrLimit, "the total must fit 32 bits"}
	errPartsRange    = &FormatError{"federation members", ErrInvalid, "entries above their total"}
)

// AppendFederationMembers appends the message. It checks no limits: ask [FederationMembers.Fits] before
// another entry is added.
//
//	home (8) || room hash (8) || boot (8) || sequence (varint) || first (varint) || total (varint)
//	|| one or more of: length (varint) || entry
func AppendFederationMembers(dst []byte, m *FederationMembers) []byte {
	dst = appendPart(dst, m.Home, m.Room)
	dst = binary.BigEndian.AppendUint64(dst, m.Boot)
	dst = appendVarint(dst, m.Sequence)
	dst = appendVarint(dst, uint64(m.First))
	dst = appendVarint(dst, uint64(m.Total))
	return appendEntries(dst, m.Entries)
}

// Size is how many bytes [AppendFederationMembers] appends; a message takes [MaxUrgent].
func (m *FederationMembers) Size() int {
	return partSize + 8 + varintLen(m.Sequence) + varintLen(uint64(m.First)) + varintLen(uint64(m.Total)) +
		entriesSize(m.Entries)
}

// Fits reports whether the message takes one more entry. It always takes two of any legal size.
func (m *FederationMembers) Fits(entry []byte) bool {
	return m.Size()+entrySize(entry) <= MaxUrgent
}

// ParseFederationMembers reads the message. The result does not alias it. First and the entries are within
// Total.
func ParseFederationMembers(message []byte) (*FederationMembers, error) {
	if len(message) > MaxUrgent {
		return nil, errPartsLimit
	}
	r := reader{b: append([]byte(nil), message...)}
	m := &FederationMembers{}
	m.Home, m.Room = r.part()
	m.Boot, m.Sequence = r.uint64(), r.varint()
	first, total := r.varint(), r.varint()
	switch {
	case r.short:
		return nil, errPartsShort
	case m.Sequence == 0:
		return nil, errPartsSequence
	case total>>32 != 0:
		return nil, errPartsTotal
	}
	var err error
	if m.Entries, err = r.entries(errPartsShort, errPartsEntries); err != nil {
		return nil, err
	}
	switch n := uint64(len(m.Entries)); {
	case n == 0:
		return nil, errPartsNone
	case first >= total || n > total-first:
		return nil, errPartsRange
	}
	m.First, m.Total = uint32(first), uint32(total)
	return m, nil
}
