// Package identity is who somebody is: a person's or a relay's 32-byte seed, the keys derived
// from it, their fingerprint, and the files that keep them.
//
//	24 words <-> Seed <-> seed file
//	               |  HKDF-SHA256
//	               v
//	            Identity --- Sign ----------> signature --- Verify(PublicKey, ...)
//	               |-------- TLSCertificate -> certificate - PublicKeyFromCertificate
//	               |-------- X25519
//	               '-------- Public --------> PublicKey ---> Fingerprint
//	                                              |--------> KnownRelays, KnownNames (trust on first use)
//	                                              '--------> Contacts, ContactLink (whom the user chose)
//
// Derivation and fingerprint are those of featherChat, so that one mnemonic is one identity in both.
//
// Here live long-term keys and what is done with them directly, and who was met under which key. Keys that
// live shorter (sender keys, join keys, hop keys), the form of names and everything that goes over the
// network belong elsewhere: this package opens no connection and knows no message. Secrets never print: every
// secret type renders as "[redacted]" in fmt, log/slog and encoding/json.
//
// Locks, in the order in which they are taken:
//
//	KnownNames.mu
package identity

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
)

// The HKDF info strings of featherChat.
const (
	infoEd25519 = "warzone-ed25519"
	infoX25519  = "warzone-x25519"
)

// Identity holds the keys of one seed. It is immutable and safe for concurrent use; Seed.Identity
// makes it. It never prints its secrets.
type Identity struct {
	redacted
	public PublicKey
	secret hidden[*secretKeys]
}

type secretKeys struct {
	ed25519 ed25519.PrivateKey
	x25519  *ecdh.PrivateKey
}

// Identity derives the keys of s: HKDF-SHA256 (RFC 5869) with empty salt and the info strings
// "warzone-ed25519", for the 32-byte Ed25519 seed of RFC 8032, and "warzone-x25519", for the 32-byte
// X25519 private key of RFC 7748. It panics for the zero Seed, which is nobody.
func (s Seed) Identity() *Identity {
	sign := ed25519.NewKeyFromSeed(s.derive(infoEd25519))
	agree, err := ecdh.X25519().NewPrivateKey(s.derive(infoX25519))
	if err != nil {
		panic("identity: " + err.Error()) // any 32 bytes are an X25519 private key
	}
	return &Identity{
		public: PublicKey(sign.Public().(ed25519.PublicKey)),
		secret: hide(&secretKeys{ed25519: sign, x25519: agree}),
	}
}

// derive returns the 32 bytes that HKDF-SHA256 makes of the seed for info.
func (s Seed) derive(info string) []byte {
	seed := s.reveal()
	key, err := hkdf.Key(sha256.New, seed[:], nil, info, 32)
	if err != nil {
		panic("identity: " + err.Error()) // only for outputs above 255 hashes
	}
	return key
}

// Public returns the Ed25519 public key: what others know the identity by.
func (id *Identity) Public() PublicKey { return id.public }

// Fingerprint returns the short form of Public that people compare.
func (id *Identity) Fingerprint() Fingerprint { return id.public.Fingerprint() }

// X25519 returns the private key for key agreement; its PublicKey method gives the public half. The
// standard library's type does not redact itself: do not print it.
func (id *Identity) X25519() *ecdh.PrivateKey { return id.secret().x25519 }
