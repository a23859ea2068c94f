package wire

import "github.com/wzp-voice/wzp/identity"

// MaxPresenceHomes is how many homes one side of a peer link tells the other of at once.
const MaxPresenceHomes = 1000

// maxPresenceAddress is how long the address of a home may be, in bytes.
const maxPresenceAddress = 100

// CheckPresenceAddress reports what is wrong with what peers would be told of where a home is.
func CheckPresenceAddress(s string) error {
	return checkText("presence home address", s, maxPresenceAddress)
}

// PresenceHome says on a peer link: I hold who takes calls at this home, in this version, by this path, and
// call it by this number from now on. It takes the place of what the sender said by the number before.
//
//	serial (varint) || number (varint) || flags (1) || home's identity key (32) || relays before the home (1)
//	|| relay ids (8 each) || address length (1) || address || version (varint) || age, seconds (1) || state
type PresenceHome struct {
	Serial  uint64 // one counter for each direction of a link, of kinds 40 to 44, from 0
	Number  uint64 // below MaxPresenceHomes
	PassOn  bool   // flag 1: it may be passed on, as hashes
	Afresh  bool   // flag 2: what the sender said of it before does not lead to what it holds
	Home    identity.PublicKey
	Before  []RelayID // the path but for the home, first the sender; empty if the sender is the home
	Address string    // where the home says that it is, HOST:PORT, to its peers only
	Version uint64    // of what the sender holds, in the state's boot
	Age     uint8     // how many seconds ago the state was new to the sender
	State   PresenceState
}

// PresenceSerial returns with which serial a message of kind 40 to 44 begins.
func PresenceSerial(message []byte) (uint64, error) {
	r := reader{b: message}
	serial := r.varint()
	if r.short {
		return 0, &FormatError{"presence serial", ErrTruncated, ""}
	}
	return serial, nil
}

func (*PresenceHome) kind() UrgentKind { return UrgentPresenceHome }

func (m *PresenceHome) fields(l *layout) {
	l.varint(&m.Serial)
	l.presenceNumber(&m.Number)
	flags, n := uint8(0), uint8(len(m.Before))
	if m.PassOn {
		flags |= 1
	}
	if m.Afresh {
		flags |= 2
	}
	l.uint8(&flags)
	l.require(flags <= 3, ErrInvalid, "unknown flags are set")
	m.PassOn, m.Afresh = flags&1 != 0, flags&2 != 0
	l.bytes(m.Home[:])
	l.uint8(&n)
	l.require(n < MaxHops, ErrLimit, "a path has at most 8 relays")
	list(l, &m.Before, uint64(n), func(id *RelayID) { l.bytes(id[:]) })
	l.text("presence home address", &m.Address, func(_, s string) error { return CheckPresenceAddress(s) })
	l.varint(&m.Version)
	l.uint8(&m.Age)
	m.State.fields(l)
	l.require(m.Version >= m.State.Sequence, ErrInvalid, "its version is below its state's")
}

// presenceNumber is by what number one side of a link calls a home.
func (l *layout) presenceNumber(v *uint64) {
	l.varint(v)
	l.require(*v < MaxPresenceHomes, ErrLimit, "numbers of homes are below 1000")
}
