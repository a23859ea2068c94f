package wire

// MaxWanted is how many member ids a "keys wanted" message has at most.
const MaxWanted = 32

var errWanted = &FormatError{"keys wanted", ErrInvalid, "1 to 32 member ids"}

// AppendKeysWanted appends ids to a message of kind [UrgentKeysWanted]: from a client those of talkers whose
// key it lacks, from a relay those of members who lack the client's.
//
//	member id (6), once for each
func AppendKeysWanted(dst []byte, ids ...MemberID) []byte { return AppendMembersLeft(dst, ids...) }

// ParseKeysWanted returns the ids of such a message.
func ParseKeysWanted(message []byte) ([]MemberID, error) {
	ids, err := ParseMembersLeft(message)
	if err != nil || len(ids) > MaxWanted {
		return nil, errWanted
	}
	return ids, nil
}
