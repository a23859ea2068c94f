package wire

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/wzp-voice/wzp/identity"
)

// PathSeed is the secret of one path of a call, drawn by the caller and sealed into the offer: who has it is
// one of the two ends. It is the seed of an Ed25519 key, RFC 8032.
type PathSeed [32]byte

// NewPathSeed draws one.
func NewPathSeed() (s PathSeed) {
	rand.Read(s[:])
	return s
}

// String says that it is a secret, not which.
func (PathSeed) String() string { return "path seed" }

// Key returns the path key: the public key of the seed, which belongs to no identity.
func (s PathSeed) Key() identity.PublicKey {
	return identity.PublicKey(ed25519.NewKeyFromSeed(s[:]).Public().(ed25519.PublicKey))
}

// sign is [identity.Identity.Sign] with the path's key.
func (s PathSeed) sign(kind string, fields [][]byte) [identity.SignatureSize]byte {
	key := ed25519.NewKeyFromSeed(s[:])
	return [identity.SignatureSize]byte(ed25519.Sign(key, identity.AppendSigned(nil, kind, fields...)))
}

// PathID names a path: SHA-256("wzp/1 path" || path key)[:16].
type PathID [16]byte

// PathIDOf returns the id of the path with that key.
func PathIDOf(key identity.PublicKey) PathID {
	h := sha256.New()
	h.Write([]byte("wzp/1 path"))
	h.Write(key[:])
	return PathID(h.Sum(nil)[:len(PathID{})])
}

// Room returns what frames of the path have on peer links in the place of a room's hash: the first 8 bytes.
func (p PathID) Room() RoomHash { return RoomHash(p[:len(RoomHash{})]) }

// String returns 32 hexadecimal digits.
func (p PathID) String() string { return hex.EncodeToString(p[:]) }

// generation is that of a path: from 1, below 2^62.
func (l *layout) generation(v *uint64) {
	l.varint(v)
	l.require(*v > 0, ErrInvalid, "the generation is 0")
}

// long returns v in 8 bytes, as signatures cover numbers.
func long(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }
