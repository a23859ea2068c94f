package wire

// ViewStream is the number of the stream on which a member says, encrypted as its media is, what it sees. It
// is not heard.
const ViewStream = 255

const viewMembers = 1

var (
	errViewShort   = &FormatError{"view", ErrTruncated, ""}
	errViewUnknown = &FormatError{"view", ErrUnknown, ""}
)

// View is what a frame of the view stream says.
type View struct {
	Members [32]byte // the member digest
	Hand    Hand     // for who talks without a silence to say it in
}

// AppendView appends the plaintext of a frame of the view stream.
//
//	1 || member digest (32), and, if something is said of it: || hand (1): 1 down, 2 up
func AppendView(dst []byte, v View) []byte {
	dst = append(append(dst, viewMembers), v.Members[:]...)
	if v.Hand == HandUnknown {
		return dst
	}
	return append(dst, byte(v.Hand))
}

// ParseView reads it. An unknown kind is [ErrUnknown]: ignore it. What follows is of later versions.
func ParseView(p []byte) (v View, err error) {
	switch {
	case len(p) == 0:
		return v, errViewShort
	case p[0] != viewMembers:
		return v, errViewUnknown
	case len(p) < 1+len(v.Members):
		return v, errViewShort
	}
	rest := p[1+copy(v.Members[:], p[1:]):]
	if len(rest) > 0 && Hand(rest[0]) <= HandUp {
		v.Hand = Hand(rest[0])
	}
	return v, nil
}
