package e2ee

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"slices"
)

// Key material of a talker (docs/protocol.md, section 7.2), all steps of one generation:
//
//	W[0] --ratchet--> W[1] --ratchet--> W[2] ...      one step for each join; none leads back
//	 |                 |                 |
//	baseKey           baseKey           baseKey       with the media key, in a room with an invite secret
//	 |                 |                 |
//	NewKey            NewKey            NewKey        SFrame's own derivation, for one KID
const (
	freshSize     = 16 // bytes of W[0]
	ratchetedSize = 32 // bytes of every later step
)

// freshKey returns a new W[0].
func freshKey() []byte {
	w := make([]byte, freshSize)
	rand.Read(w) // never fails, says its documentation
	return w
}

// ratchet returns W[s+1] of key = W[s], 32 bytes (RFC 9605, section 5.1). It does not change key.
func ratchet(key []byte) []byte {
	prk := mustDerive(hkdf.Extract(sha256.New, key, nil))
	return mustDerive(hkdf.Expand(sha256.New, prk, "SFrame 1.0 Ratchet", ratchetedSize))
}

// baseKey returns what SFrame derives its keys from. Without a secret that is a copy of wrapped = W[s] itself, with one
// it takes both: who was only let into the room by the relay does not get it, nor does who only has the secret.
func baseKey(secret *Secret, room string, wrapped []byte) []byte {
	if secret == nil {
		return slices.Clone(wrapped)
	}
	return mustDerive(hkdf.Extract(sha256.New, wrapped, secret.mediaKey(room)))
}
