package wire

// ViewStream is the number of the stream on which a member says, encrypted as its media is, what it sees. It
// is not heard.
const ViewStream = 255

const viewMembers = 1

var (
	errViewShort   = &FormatError{"view", ErrTruncated, ""}
	errViewUnknown = &FormatError{"view", ErrUnknown, ""}
)

// AppendView appends the plaintext of a frame of the view stream.
//
//	1 || member digest (32)
func AppendView(dst []byte, members [32]byte) []byte {
	return append(append(dst, viewMembers), members[:]...)
}

// ParseView reads it. An unknown kind is [ErrUnknown]: ignore it. What follows the digest is of later
// versions.
func ParseView(p []byte) (members [32]byte, err error) {
	switch {
	case len(p) == 0:
		return members, errViewShort
	case p[0] != viewMembers:
		return members, errViewUnknown
	case len(p) < 1+len(members):
		return members, errViewShort
	}
	return [32]byte(p[1:]), nil
}
