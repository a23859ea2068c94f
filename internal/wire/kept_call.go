package wire

import "github.com/wzp-voice/wzp/identity"

// MaxKept is how many offers a relay keeps for one device.
const MaxKept = 20

// KeptCall is one offer that the relay kept for a device, of several, or says that there is none
// (docs/protocol.md, section 13.7).
//
//	device (8) || of (1) || nothing, if of is 0; else index (1) || path key (32) || sealed offer, to the end
//	(1 to 850)
type KeptCall struct {
	Device DeviceID
	Of     uint8              // how many there are, at most MaxKept; 0: none
	Index  uint8              // which this is, below Of
	Key    identity.PublicKey // of the path that it was to be the offer of
	Offer  []byte             // aliases what was parsed
}

func (*KeptCall) kind() UrgentKind { return UrgentKeptCall }

func (m *KeptCall) fields(l *layout) {
	l.bytes(m.Device[:])
	l.uint8(&m.Of)
	l.require(m.Of <= MaxKept, ErrLimit, "at most 20 offers of a device")
	if m.Of == 0 {
		return
	}
	l.uint8(&m.Index)
	l.require(m.Index < m.Of, ErrInvalid, "the index is not below how many there are")
	l.bytes(m.Key[:])
	n := len(m.Offer)
	if !l.writing {
		n = len(l.in.b)
	}
	l.require(n > 0, ErrTruncated, "its offer is empty")
	l.require(n <= MaxOffer, ErrLimit, "an offer has at most 850 bytes")
	l.rest(&m.Offer)
}
