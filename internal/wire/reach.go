package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/wzp-voice/wzp/identity"
)

// ReachSize is the length of a reach record in bytes.
const ReachSize = 2 + 3*32 + 8 + 8 + identity.SignatureSize

const (
	reachVersion = 1
	reachKind    = "reach" // of its signature
)

// How long a record is good for, by the clock of who verifies it, which may be reachSkew off.
const (
	MaxReach  = 5 * time.Minute
	reachSkew = 2 * time.Minute
	// MaxAway is for how long after its expiry a record of a device that is away is good, to leave word of a
	// call.
	MaxAway = 24 * time.Hour
)

// flagKeep is Keep in the record's flags.
const flagKeep = 1

// Reach is a reach record: what a client that takes calls signs about itself, so that callers can seal their
// offers to it, and so that nobody else can claim to reach it. Whatever [ParseReach] returned is signed by
// Identity.
type Reach struct {
	Identity  identity.PublicKey // who takes calls
	StayKey   [32]byte           // X25519 public key, made for this stay: offers are sealed to it
	HomeRelay identity.PublicKey // the relay that the client is attached to
	Sequence  uint64             // rises with every record of one stay key
	Expiry    int64              // Unix time in seconds; not negative
	Keep      bool               // while the device is away, its home keeps offers to it
}

var errReachSign = &FormatError{"reach record signature", ErrInvalid, ""}

// fields names all of r before its signature.
//
//	version (1) = 1 || flags (1): 1 is Keep || identity key, Ed25519 (32) || stay key, X25519 (32)
//	|| home relay's key, Ed25519 (32) || sequence (8) || expiry, Unix seconds (8) || signature (64)
func (r *Reach) fields(l *layout) {
	version, flags, expiry := uint8(reachVersion), uint8(0), uint64(r.Expiry)
	if r.Keep {
		flags = flagKeep
	}
	l.uint8(&version)
	l.uint8(&flags)
	l.require(version == reachVersion, ErrUnknown, "its version is not 1")
	l.require(flags&^flagKeep == 0, ErrInvalid, "unknown flags are set")
	r.Keep = flags&flagKeep != 0
	l.bytes(r.Identity[:])
	l.bytes(r.StayKey[:])
	l.bytes(r.HomeRelay[:])
	l.uint64(&r.Sequence)
	l.uint64(&expiry)
	l.require(expiry>>63 == 0, ErrLimit, "it never expires")
	r.Expiry = int64(expiry)
}

// SignReach returns the bytes of r, signed by id, whose public key stands in for r.Identity.
func SignReach(id *identity.Identity, r Reach) []byte {
	r.Identity = id.Public()
	l := layout{out: make([]byte, 0, ReachSize), writing: true}
	r.fields(&l)
	return append(l.out, id.Sign(reachKind, l.out)...)
}

// ParseReach reads a record and checks its layout and signature. It does not say that the record is fresh:
// see [Reach.Fresh].
func ParseReach(b []byte) (*Reach, error) {
	l, r := layout{what: "reach record", in: reader{b: b}}, new(Reach)
	r.fields(&l)
	signed := b[:len(b)-len(l.in.b)]
	signature := l.in.take(identity.SignatureSize)
	if err := l.end(); err != nil {
		return nil, err
	}
	if !identity.Verify(r.Identity, reachKind, signature, signed) {
		return nil, errReachSign
	}
	return r, nil
}

// Fresh reports whether r is not expired, nor good for longer than a record may be.
func (r *Reach) Fresh(now time.Time) bool {
	left := r.Expiry - now.Unix() // not time.Time, which wraps where nothing expires
	return left > -int64(reachSkew/time.Second) && left <= int64((MaxReach+reachSkew)/time.Second)
}

// Away reports whether r is of a device that offers are kept for while it is away, and was there in the last
// day.
func (r *Reach) Away(now time.Time) bool {
	left := r.Expiry - now.Unix()
	return r.Keep && left > -int64((MaxAway+reachSkew)/time.Second) &&
		left <= int64((MaxReach+reachSkew)/time.Second)
}

// Device returns which of the identity's devices the record is of.
func (r *Reach) Device() (d DeviceID) {
	h := sha256.New()
	h.Write([]byte("wzp/1 device"))
	h.Write(r.StayKey[:])
	copy(d[:], h.Sum(nil))
	return d
}

// DeviceID is the short name of one stay that takes calls: SHA-256("wzp/1 device" || stay key)[:8].
type DeviceID [8]byte

// String returns 16 lower-case hexadecimal digits.
func (d DeviceID) String() string { return hex.EncodeToString(d[:]) }

// PresenceHash is what relays that are no peers of a home are told of who is there:
// SHA-256("wzp/1 presence" || fingerprint)[:8].
type PresenceHash [8]byte

// HashPresence returns the hash of a fingerprint.
func HashPresence(f identity.Fingerprint) (p PresenceHash) {
	h := sha256.New()
	h.Write([]byte("wzp/1 presence"))
	h.Write(f[:])
	copy(p[:], h.Sum(nil))
	return p
}

// String returns 16 lower-case hexadecimal digits.
func (p PresenceHash) String() string { return hex.EncodeToString(p[:]) }
