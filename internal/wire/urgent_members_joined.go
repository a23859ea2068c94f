package wire

// AppendMembersJoined appends one more entry to a message of kind [UrgentMembersJoined]. It does
// not check [MaxUrgent]: a message takes at least two entries of any legal size.
//
//	length (varint) || entry, once for each
func AppendMembersJoined(dst, entry []byte) []byte {
	return append(appendVarint(dst, uint64(len(entry))), entry...)
}

// ParseMembersJoined returns the entries of such a message, which alias it. Nothing of them was
// checked but their length: give each to [ParseEntry].
func ParseMembersJoined(message []byte) (entries [][]byte, _ error) {
	l := layout{what: "members joined", in: reader{b: message}}
	l.require(len(message) > 0, ErrTruncated, "at least one entry")
	l.entries(&entries)
	if err := l.end(); err != nil {
		return nil, err
	}
	return entries, nil
}
