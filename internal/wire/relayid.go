package wire

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"

	"github.com/wzp-voice/wzp/identity"
)

// RelayID names a relay on peer links: the first 8 bytes of SHA-256(identity public key), which is the first
// half of its fingerprint. It is short, so it only says which of the known relays is meant: what a relay
// states is signed with its key. The zero value names none.
type RelayID [8]byte

// RelayIDOf returns the id of the relay whose identity key is pub.
func RelayIDOf(pub identity.PublicKey) RelayID {
	fingerprint := pub.Fingerprint()
	return RelayID(fingerprint[:len(RelayID{})])
}

// Compare orders relay ids by their bytes. It returns -1, 0 or 1.
func (r RelayID) Compare(o RelayID) int { return bytes.Compare(r[:], o[:]) }

// String returns four groups of four hexadecimal digits, as the first half of a fingerprint is written:
// "9983:c2ce:87f9:61b7".
func (r RelayID) String() string {
	half := 5*len(r)/2 - 1
	return identity.Fingerprint(append(r[:], r[:]...)).String()[:half]
}

// RoomHash names a room on peer links: the first 8 bytes of SHA-256(room name).
type RoomHash [8]byte

// HashRoom returns the hash of a room name.
func HashRoom(name string) RoomHash {
	sum := sha256.Sum256([]byte(name))
	return RoomHash(sum[:len(RoomHash{})])
}

// Compare orders room hashes by their bytes. It returns -1, 0 or 1.
func (h RoomHash) Compare(o RoomHash) int { return bytes.Compare(h[:], o[:]) }

// String returns sixteen hexadecimal digits.
func (h RoomHash) String() string { return hex.EncodeToString(h[:]) }
