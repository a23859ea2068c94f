package wire

import (
	"crypto/sha256"

	"github.com/wzp-voice/wzp/identity"
)

// MaxOffer is the length limit of a sealed offer in bytes.
const MaxOffer = 850

const pathKind = "call path" // of its signature

// CallForward asks for a path to one device of somebody, hop by hop, or moves one, with a higher generation.
// The same layout is from client to relay ([UrgentCallForward]), between relays ([UrgentSessionForward]) and
// to the device that is called ([UrgentCallOffer]). Relays rewrite Source and Hops, which the signature does
// not cover.
//
//	path key, Ed25519 (32) || generation (varint) || expiry (8) || target (16) || device (8)
//	|| source relay (8) || hops left (1) || signature (64) || sealed offer, to the end (0 to 850)
type CallForward struct {
	Key        identity.PublicKey           // the path's, which belongs to no identity
	Generation uint64                       // of the path: from 1, below 2^62
	Expiry     uint64                       // seconds since 1970: nobody takes it later
	Target     identity.Fingerprint         // who is called
	Device     DeviceID                     // on which device
	Source     RelayID                      // the relay that sends this; zero between client and relay
	Hops       uint8                        // over how many more links it may go, this one included
	Signature  [identity.SignatureSize]byte // of Key
	Offer      []byte                       // for the device alone; aliases what was parsed
}

func (*CallForward) kind() UrgentKind { return UrgentSessionForward }

func (m *CallForward) fields(l *layout) {
	l.bytes(m.Key[:])
	l.generation(&m.Generation)
	l.uint64(&m.Expiry)
	l.bytes(m.Target[:])
	l.bytes(m.Device[:])
	l.bytes(m.Source[:])
	l.uint8(&m.Hops)
	l.require(m.Hops > 0, ErrInvalid, "no hops are left")
	l.require(m.Hops <= MaxHops, ErrLimit, "at most 8 hops")
	l.bytes(m.Signature[:])
	l.require(len(l.in.b) <= MaxOffer, ErrLimit, "an offer has at most 850 bytes")
	l.rest(&m.Offer)
}

// Path returns the id of the path.
func (m *CallForward) Path() PathID { return PathIDOf(m.Key) }

// Sign sets Key and Signature, by which every relay sees that an end of the path wants this.
func (m *CallForward) Sign(seed PathSeed) {
	m.Key = seed.Key()
	m.Signature = seed.sign(pathKind, m.signed())
}

// Verify reports whether whoever has the path's seed signed m.
func (m *CallForward) Verify() bool {
	return identity.Verify(m.Key, pathKind, m.Signature[:], m.signed()...)
}

// signed returns the fields that the signature covers.
func (m *CallForward) signed() [][]byte {
	offer := sha256.Sum256(m.Offer)
	return [][]byte{long(m.Generation), long(m.Expiry), m.Target[:], m.Device[:], offer[:]}
}
