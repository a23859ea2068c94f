package identity

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
)

// SeedSize is the length of a seed in bytes.
const SeedSize = 32

// Seed is the secret that an identity is derived from: 32 bytes, the entropy of a 24-word BIP39
// mnemonic. Whoever has it is that identity. The zero Seed holds no secret: it cannot be saved and
// has no Identity. Compare seeds with Equal; they never print.
type Seed struct {
	redacted
	reveal hidden[[SeedSize]byte] // nil in the zero Seed
}

// NewSeed returns a random seed.
func NewSeed() Seed {
	var b [SeedSize]byte
	rand.Read(b[:]) // never fails, says its documentation
	return SeedFromBytes(b)
}

// SeedFromBytes returns the seed with exactly these bytes, which must be uniformly random: a password
// or anything else that can be guessed is not a seed.
func SeedFromBytes(b [SeedSize]byte) Seed { return Seed{reveal: hide(b)} }

// Equal reports, in constant time, whether both hold the same secret.
func (s Seed) Equal(other Seed) bool {
	if s.reveal == nil || other.reveal == nil {
		return s.reveal == nil && other.reveal == nil
	}
	a, b := s.reveal(), other.reveal()
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// unusable says why s must not become anybody's identity, or returns nil.
func (s Seed) unusable() error {
	if s.reveal == nil {
		return errors.New("there is no seed to use")
	}
	if s.Equal(SeedFromBytes([SeedSize]byte{})) {
		return errors.New("the seed is all zeros, which everybody knows: make a new one")
	}
	return nil
}
