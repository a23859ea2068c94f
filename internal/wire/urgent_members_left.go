package wire

var errLeft = &FormatError{"members left", ErrInvalid, "one or more member ids of 6 bytes"}

// AppendMembersLeft appends ids to a message of kind [UrgentMembersLeft]. It does not check [MaxUrgent]: a
// message takes 170 of them.
//
//	member id (6), once for each
func AppendMembersLeft(dst []byte, ids ...MemberID) []byte {
	for _, id := range ids {
		dst = append(dst, id[:]...)
	}
	return dst
}

// ParseMembersLeft returns the ids of such a message.
func ParseMembersLeft(message []byte) ([]MemberID, error) {
	const size = len(MemberID{})
	if len(message) == 0 || len(message)%size != 0 {
		return nil, errLeft
	}
	ids := make([]MemberID, len(message)/size)
	for i := range ids {
		ids[i] = MemberID(message[i*size:])
	}
	return ids, nil
}
