package wire

// Line is the relay's answer to Available: the session is a line now.
//
//	"Line"
type Line struct{}

func (*Line) fields(*codec) {}
