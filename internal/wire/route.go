package wire

import "github.com/wzp-voice/wzp/identity"

// Found says whether somebody was found who can be called.
type Found uint8

const (
	FoundNobody Found = 0 // everybody who might know was asked
	FoundDevice Found = 1
	FoundUnsure Found = 2 // nobody, but not everybody who might know was asked, or has answered
	FoundAway   Found = 3 // nobody, but there is a device whose home keeps offers for it while it is away
)

var foundNames = [...]string{"not_found", "found", "unsure", "away"}

func (f Found) String() string {
	if int(f) < len(foundNames) {
		return foundNames[f]
	}
	return "unknown"
}

// MaxDevices is how many devices of one identity can be called.
const MaxDevices = 8

// Located is what both messages that answer for somebody say: one device of several, or that there is none.
//
//	found (1) || index (1) || of (1) || n (1) || n relay ids (8 each) || reach record (178) if found is 1
//	or 3
type Located struct {
	Found Found
	Index uint8     // which device this is, below Of; 0 if there is none
	Of    uint8     // how many there are: 1 to MaxDevices, 0 if there is none
	Chain []RelayID // from the sender to the device's home: 1 to MaxHops relays; nil if there is none
	// Record is a reach record: only its length was checked, see ParseReach; nil if there is none.
	Record []byte
}

// device reports whether it says where a device is.
func (d *Located) device() bool { return d.Found == FoundDevice || d.Found == FoundAway }

func (d *Located) fields(l *layout) {
	l.own() // it is kept, the message is not
	l.uint8((*uint8)(&d.Found))
	l.uint8(&d.Index)
	l.uint8(&d.Of)
	n := uint8(len(d.Chain))
	l.uint8(&n)
	l.require(d.Found <= FoundAway, ErrUnknown, "found is 0, 1, 2 or 3")
	l.require(d.Of <= MaxDevices, ErrLimit, "at most 8 devices")
	l.require(n <= MaxHops, ErrLimit, "a chain has at most 8 relays")
	if d.device() {
		l.require(d.Index < d.Of, ErrInvalid, "the index is not below how many there are")
		l.require(n > 0, ErrInvalid, "its chain is empty")
		l.require(d.Of == 1 || d.Found == FoundDevice, ErrInvalid, "of devices that are away one is told")
	} else {
		l.require(d.Index == 0 && d.Of == 0 && n == 0, ErrInvalid,
			"nobody is found, and yet there is a device")
	}
	list(l, &d.Chain, uint64(n), func(id *RelayID) { l.bytes(id[:]) })
	if d.device() {
		l.slice(&d.Record, ReachSize)
	}
}

// Route answers [RouteWanted]: where a device of the target is, one message for each, or that there is none.
//
//	fingerprint (16) || found (1) || index (1) || of (1) || n (1) || n relay ids (8 each)
//	|| reach record (178) if found is 1 or 3
type Route struct {
	Target identity.Fingerprint
	Located
}

func (*Route) kind() UrgentKind { return UrgentRoute }

func (m *Route) fields(l *layout) {
	l.bytes(m.Target[:])
	m.Located.fields(l)
}
