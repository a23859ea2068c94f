package wire

// Leave ends the session from the client's side:
//
//	"Leave"
type Leave struct{}

func (*Leave) MessageName() string { return "Leave" }
func (*Leave) fields(*codec)       {}
