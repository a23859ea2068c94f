package seal

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
)

// ResetToken tells a client that the relay does not know its connection id (any more).
type ResetToken [16]byte

// Equal compares in constant time.
func (t ResetToken) Equal(o ResetToken) bool { return hmac.Equal(t[:], o[:]) }

// ResetKey makes the reset tokens of a relay, the same after a restart.
type ResetKey struct{ key []byte }

// NewResetKey derives the key from the relay's seed.
func NewResetKey(seed []byte) ResetKey {
	key, err := hkdf.Key(sha256.New, seed, nil, "wzp/1 reset key", 32)
	if err != nil {
		panic(err) // only for absurd sizes
	}
	return ResetKey{key}
}

// String hides the key.
func (ResetKey) String() string { return "[redacted]" }

// GoString hides the key.
func (ResetKey) GoString() string { return "[redacted]" }

// Token returns the token for a connection id, 24 bits.
func (k ResetKey) Token(connID uint32) ResetToken {
	mac := hmac.New(sha256.New, k.key)
	mac.Write([]byte("wzp/1 reset"))
	mac.Write([]byte{byte(connID >> 16), byte(connID >> 8), byte(connID)})
	return ResetToken(mac.Sum(nil))
}
