package wire

// Leave ends the session from the client's side:
//
//	"Leave"
type Leave struct{}

func (*Leave) fields(*codec) {}
