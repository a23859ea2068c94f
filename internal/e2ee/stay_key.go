package e2ee

import (
	"crypto/ecdh"
	"crypto/hpke"
	"fmt"
)

// StayKey is the X25519 key of a reach record: offers of calls are sealed to it (docs/protocol.md, section
// 14.3). It is made for one stay and kept in memory only, unless its owner wants missed calls kept while it
// is away: then Reveal is stored for a day. Once it is erased, nobody opens the offers that were made to it,
// nor what was said by the keys in them. It never prints. One goroutine at a time may use it.
type StayKey struct {
	redacted
	public [32]byte
	reveal func() hpke.PrivateKey // nil once erased
}

// NewStayKey returns a random key.
func NewStayKey() (*StayKey, error) {
	private, err := hpke.DHKEM(ecdh.X25519()).GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("e2ee: make stay key: %w", err)
	}
	return stayKeyOf(private), nil
}

// StayKeyFrom returns the key whose private half Reveal returned.
func StayKeyFrom(private [32]byte) (*StayKey, error) {
	key, err := hpke.DHKEM(ecdh.X25519()).NewPrivateKey(private[:])
	if err != nil {
		return nil, fmt.Errorf("e2ee: use stay key: %w", err)
	}
	return stayKeyOf(key), nil
}

func stayKeyOf(private hpke.PrivateKey) *StayKey {
	return &StayKey{
		public: [32]byte(private.PublicKey().Bytes()),
		reveal: func() hpke.PrivateKey { return private },
	}
}

// Public returns the public half, which goes into the reach record.
func (k *StayKey) Public() [32]byte { return k.public }

// Reveal returns the private half, to be stored; ok: it was not erased.
func (k *StayKey) Reveal() (private [32]byte, ok bool) {
	if k.reveal == nil {
		return private, false
	}
	b, err := k.reveal().Bytes()
	return [32]byte(b), err == nil
}

// Erase lets go of the private half: k opens nothing afterwards. The memory itself is the garbage
// collector's.
func (k *StayKey) Erase() { k.reveal = nil }
