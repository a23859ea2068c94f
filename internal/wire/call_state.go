package wire

// CallCode says what became of a forward.
type CallCode uint8

// What becomes of a forward. Relays pass on codes that they do not know.
const (
	CallSetUp    CallCode = 0 // the path is set up
	CallNoRoute  CallCode = 1 // nobody knows the way
	CallNotThere CallCode = 2 // the device is not available at its home, and no leg waits there
	CallTooMany  CallCode = 3 // a limit
	CallLoop     CallCode = 4 // the forward came to a relay twice
	CallStale    CallCode = 5 // expired, or the generation is not higher
	CallFailed   CallCode = 6 // a link on the way ended, or the next hop is silent
	CallKept     CallCode = 7 // the device is away, and its home keeps the offer
)

var callCodes = [...]string{"set up", "no route", "not there", "too many", "loop", "stale", "failed", "kept"}

func (c CallCode) String() string {
	if int(c) < len(callCodes) {
		return callCodes[c]
	}
	return "unknown"
}

// CallState answers a forward: [UrgentSessionAnswer] between relays, [UrgentCallState] to the caller's
// client.
//
//	path id (16) || generation (varint) || code (1)
type CallState struct {
	Path       PathID
	Generation uint64 // of the forward
	Code       CallCode
}

func (*CallState) kind() UrgentKind { return UrgentSessionAnswer }

func (m *CallState) fields(l *layout) {
	l.bytes(m.Path[:])
	l.generation(&m.Generation)
	l.uint8((*uint8)(&m.Code))
}
