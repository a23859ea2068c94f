package wire

var (
	errJoinedShort = &FormatError{"members joined", ErrTruncated, ""}
	errJoinedEmpty = &FormatError{"members joined", ErrInvalid, "an entry has 1 to 400 bytes"}
	errLeftLength  = &FormatError{"members left", ErrInvalid, "one or more member ids of 6 bytes"}
)

// AppendMembersJoined appends one more entry to a message of kind [UrgentMembersJoined]. It does
// not check [MaxUrgent]: a message takes at least two entries of any legal size.
//
//	length (varint) || entry, once for each
func AppendMembersJoined(dst, entry []byte) []byte {
	return append(appendVarint(dst, uint64(len(entry))), entry...)
}

// ParseMembersJoined returns the entries of such a message, which alias it. Nothing of them was
// checked but their length: give each to [ParseEntry].
func ParseMembersJoined(message []byte) (entries [][]byte, err error) {
	r := reader{b: message}
	for {
		n := r.varint()
		switch {
		case r.short || n > uint64(len(r.b)):
			return nil, errJoinedShort
		case n == 0 || n > MaxEntry:
			return nil, errJoinedEmpty
		}
		entries = append(entries, r.take(int(n)))
		if len(r.b) == 0 {
			return entries, nil
		}
	}
}

// AppendMembersLeft appends member ids to a message of kind [UrgentMembersLeft]. It does not check
// [MaxUrgent]: a message takes 170 of them.
//
//	member id (6), once for each
func AppendMembersLeft(dst []byte, ids ...MemberID) []byte {
	return appendMemberIDs(dst, ids)
}

// ParseMembersLeft returns the ids of such a message.
func ParseMembersLeft(message []byte) ([]MemberID, error) {
	ids, ok := parseMemberIDs(message)
	if !ok {
		return nil, errLeftLength
	}
	return ids, nil
}

func appendMemberIDs(dst []byte, ids []MemberID) []byte {
	for _, id := range ids {
		dst = append(dst, id[:]...)
	}
	return dst
}

// parseMemberIDs reports whether message is one or more ids, and returns them.
func parseMemberIDs(message []byte) (ids []MemberID, ok bool) {
	const size = len(MemberID{})
	if len(message) == 0 || len(message)%size != 0 {
		return nil, false
	}
	ids = make([]MemberID, len(message)/size)
	for i := range ids {
		ids[i] = MemberID(message[i*size:])
	}
	return ids, true
}
