package e2ee

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
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

// mediaKey is one W[s] of docs/protocol.md, section 7.2. Whoever has it, has all later steps of its
// generation.
type mediaKey struct {
	suite      Suite
	generation uint8
	step       uint8
	first      uint64 // no frame of the key has a lower CTR

	// w points to W[s], 16 bytes, or 32 if step > 0; erased in place. It is a pointer because fmt looks into
	// what an unexported field of what it prints points to (for a verb that does not fit), but not any
	// deeper.
	w *[]byte
}

func (k *mediaKey) epoch() uint8 { return k.generation<<4 | k.step }

func (k *mediaKey) erase() {
	if k != nil {
		clear(*k.w)
	}
}

// freshKey returns a new W[0].
func freshKey() []byte {
	w := make([]byte, freshSize)
	rand.Read(w) // never fails, says its documentation
	return w
}

// ratchet returns W[s+1] of key = W[s], 32 bytes (RFC 9605, section 5.1). It does not change key.
func ratchet(key []byte) []byte {
	return mustDerive(hkdf.Key(sha256.New, key, nil, "SFrame 1.0 Ratchet", ratchetedSize))
}

// baseKey returns what SFrame derives its keys from. Without a secret that is a copy of wrapped = W[s]
// itself, with one it takes both: who was only let into the room by the relay does not get it, nor does who
// only has the secret.
func baseKey(secret *Secret, room string, wrapped []byte) []byte {
	if secret == nil {
		return slices.Clone(wrapped)
	}
	return mustDerive(hkdf.Extract(sha256.New, wrapped, secret.mediaKey(room)))
}

// DigestMembers returns the member digest of a view of a room (docs/protocol.md, section 7.2): SHA-256 over
// the entry hashes of all members inside, sorted. The order of hashes does not matter, and stays.
func DigestMembers(hashes []wire.EntryHash) [32]byte {
	hashes = slices.Clone(hashes)
	slices.SortFunc(hashes, func(a, b wire.EntryHash) int { return bytes.Compare(a[:], b[:]) })
	return wire.MemberDigest(hashes)
}

// A wrap carries a talker's key to one recipient (docs/protocol.md, section 7.2): HPKE (RFC 9180), base mode,
// DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, one message, no additional data.
//
//	plaintext = W[s], 16 or 32 bytes
//	info      = "wzp/1 wrap" || sender's entry hash (32) || key header || recipient's entry hash (32)
//	wrap      = enc (32) || ciphertext (32 or 48)
//
// HPKE's base mode says nothing about who wrapped; the header's signature does: it covers a hash of W[s].
const (
	wrapLabel  = "wzp/1 wrap"
	headerKind = "sender key" // of the signature
)

var (
	errWrapOpen   = errors.New("e2ee: the wrap is for another member or header, or was changed")
	errJoinKey    = errors.New("e2ee: the recipient's join key is a point of low order: wrap nothing for it")
	errJoinErased = errors.New("e2ee: the join key was erased: join again")
)

// JoinKey is the X25519 key that a client makes for one join; what talkers wrap for the client is wrapped to
// it. As it goes with the stay, an identity that is stolen later opens none of them. It never prints. One
// goroutine at a time may use it.
type JoinKey struct {
	redacted
	public [32]byte
	reveal func() hpke.PrivateKey // nil once erased
}

// NewJoinKey returns a random key.
func NewJoinKey() (*JoinKey, error) {
	private, err := hpke.DHKEM(ecdh.X25519()).GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("e2ee: make join key: %w", err)
	}
	return joinKeyOf(private), nil
}

func joinKeyOf(private hpke.PrivateKey) *JoinKey {
	return &JoinKey{
		public: [32]byte(private.PublicKey().Bytes()),
		reveal: func() hpke.PrivateKey { return private },
	}
}

// Public returns the public half, which goes into the member entry.
func (k *JoinKey) Public() [32]byte { return k.public }

// Erase lets go of the private half: k opens nothing afterwards. The memory itself is the garbage
// collector's.
func (k *JoinKey) Erase() { k.reveal = nil }

// wrapKey wraps key, 16 or 32 bytes, to a join key: 64 or 80 bytes, different ones every time. It fails for
// join keys of low order (RFC 9180, section 7.1.4): the key would be open to everybody.
func wrapKey(
	to [32]byte, sender wire.EntryHash, header []byte, recipient wire.EntryHash, key []byte,
) ([]byte, error) {
	if len(key) != freshSize && len(key) != ratchetedSize {
		return nil, fmt.Errorf("e2ee: wrap a key of 16 or 32 bytes, not %d", len(key))
	}
	if lowOrder(to) {
		return nil, errJoinKey
	}
	public, err := hpke.DHKEM(ecdh.X25519()).NewPublicKey(to[:])
	if err != nil {
		return nil, fmt.Errorf("e2ee: use join key: %w", err)
	}
	info := wrapInfo(sender, header, recipient)
	wrap, err := hpke.Seal(public, hpke.HKDFSHA256(), hpke.AES128GCM(), info, key)
	if err != nil {
		return nil, fmt.Errorf("e2ee: wrap key: %w", err)
	}
	return wrap, nil
}

// unwrap returns the key in wrap, 16 or 32 bytes, if it was wrapped to k with the same header, sender and
// recipient.
func (k *JoinKey) unwrap(
	sender wire.EntryHash, header []byte, recipient wire.EntryHash, wrap []byte,
) ([]byte, error) {
	switch {
	case len(wrap) != wire.WrapFresh && len(wrap) != wire.WrapRatcheted:
		return nil, errWrapOpen
	case k.reveal == nil:
		return nil, errJoinErased
	}
	info := wrapInfo(sender, header, recipient)
	key, err := hpke.Open(k.reveal(), hpke.HKDFSHA256(), hpke.AES128GCM(), info, wrap)
	if err != nil { // also if its public key is of low order
		return nil, errWrapOpen
	}
	return key, nil
}

func wrapInfo(sender wire.EntryHash, header []byte, recipient wire.EntryHash) []byte {
	return slices.Concat([]byte(wrapLabel), sender[:], header, recipient[:])
}

// lowOrderPoints are all encodings of X25519 public keys whose order divides 8, but for the top bit, which
// X25519 ignores (RFC 7748, section 5): 0, 1, -1, the two of order 8, and 0 and 1 again as p and p+1,
// little-endian.
var lowOrderPoints = [...][32]byte{
	{},
	{0: 1},
	{0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
		0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
	{0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
		0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
	nearPrime(0xec),
	nearPrime(0xed),
	nearPrime(0xee),
}

// nearPrime returns the number next to p = 2^255 - 19 that has this lowest byte.
func nearPrime(lowest byte) (point [32]byte) {
	for i := range point {
		point[i] = 0xff
	}
	point[0], point[31] = lowest, 0x7f
	return point
}

// lowOrder reports whether a join key is one that no wrap must go to: with it the shared secret is zero,
// whatever the other key. It costs no multiplication.
func lowOrder(joinKey [32]byte) bool {
	joinKey[31] &= 0x7f
	for _, point := range &lowOrderPoints {
		if joinKey == point { // both are public
			return true
		}
	}
	return false
}

// signHeader signs a key header for the sender with this entry: 64 bytes.
func signHeader(id *identity.Identity, sender wire.EntryHash, header []byte) []byte {
	return id.Sign(headerKind, sender[:], header)
}

// verifyHeader reports whether key's owner made signature for this entry and header.
func verifyHeader(key identity.PublicKey, sender wire.EntryHash, header, signature []byte) bool {
	return identity.Verify(key, headerKind, signature, sender[:], header)
}
