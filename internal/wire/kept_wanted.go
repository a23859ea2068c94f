package wire

// MaxKeptWanted is of how many devices a client asks at once what is kept for them.
const MaxKeptWanted = 16

// KeptWanted asks the relay for the offers that it keeps for devices of the client's identity, which were
// there before or are (docs/protocol.md, section 13.7).
//
//	device (8), of one or more up to 16
type KeptWanted struct{ Devices []DeviceID }

func (*KeptWanted) kind() UrgentKind { return UrgentKeptWanted }

func (m *KeptWanted) fields(l *layout) {
	n := len(m.Devices)
	if !l.writing {
		n = len(l.in.b) / len(DeviceID{})
	}
	l.require(n > 0, ErrTruncated, "of no device")
	l.require(n <= MaxKeptWanted, ErrLimit, "at most 16 devices")
	list(l, &m.Devices, uint64(n), func(d *DeviceID) { l.bytes(d[:]) })
}
