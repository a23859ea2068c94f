package e2ee

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// MinBaseKeyLen is the fewest bytes that [NewKey] takes: below AES-128's own
// key length the suite's strength would be an illusion.
const MinBaseKeyLen = encKeySize

var (
	// ErrAuth means that a frame was not sealed under this key, KID and CTR, or
	// was changed, or is shorter than a tag. It does not say which.
	ErrAuth = errors.New("e2ee: frame does not authenticate, drop it")

	// ErrKeyUse means that a key that seals was asked to open, or the reverse. A
	// base key serves one direction (RFC 9605, section 4.4.1).
	ErrKeyUse = errors.New("e2ee: key is used for the other direction, make another with NewKey")
)

// keyUse is what a Key was first used for.
type keyUse uint8

const (
	unused keyUse = iota
	opens
	seals // owned by a Sealer
)

// Key is the media key of one KID: what SFrame derives from a base key. It is
// opaque and prints as its KID only. One goroutine at a time may use it; it is
// not to be copied.
type Key struct {
	suite Suite
	kid   uint64
	use   keyUse

	// aead holds all that is secret. It is a pointer because fmt looks into
	// what an unexported field of the caller's points to (for a verb that does
	// not fit), without asking Format below, but not any deeper.
	aead *ctrHMAC

	header [MaxHeaderLen]byte // scratch: a local one would escape into the HMAC
}

// NewKey derives the key of kid from baseKey, at least [MinBaseKeyLen] secret
// bytes, which it does not keep (RFC 9605, section 4.4.2). The same base key gives
// independent keys for different KIDs and suites.
func NewKey(suite Suite, kid uint64, baseKey []byte) (*Key, error) {
	if suite.TagLen() == 0 {
		return nil, fmt.Errorf("e2ee: %v, use %#04x or %#04x", suite,
			uint16(AES128CTRHMACSHA256Tag64), uint16(AES128CTRHMACSHA256Tag32))
	}
	if len(baseKey) < MinBaseKeyLen {
		return nil, fmt.Errorf("e2ee: base key has %d bytes, give at least %d", len(baseKey), MinBaseKeyLen)
	}
	key, salt, err := deriveKeySalt(suite, kid, baseKey)
	if err != nil {
		return nil, err
	}
	aead, err := newCTRHMAC(key, [nonceSize]byte(salt), suite.TagLen())
	if err != nil {
		return nil, err
	}
	return &Key{suite: suite, kid: kid, aead: aead}, nil
}

// deriveKeySalt is derive_key_salt of RFC 9605, section 4.4.2: it returns
// sframe_key (keySize bytes) and sframe_salt (nonceSize bytes).
func deriveKeySalt(suite Suite, kid uint64, baseKey []byte) (key, salt []byte, err error) {
	secret, err := hkdf.Extract(sha256.New, baseKey, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("e2ee: extract SFrame secret: %w", err)
	}
	context := binary.BigEndian.AppendUint64(nil, kid)
	context = binary.BigEndian.AppendUint16(context, uint16(suite))
	key, err = hkdf.Expand(sha256.New, secret, "SFrame 1.0 Secret key "+string(context), keySize)
	if err != nil {
		return nil, nil, fmt.Errorf("e2ee: derive SFrame key: %w", err)
	}
	salt, err = hkdf.Expand(sha256.New, secret, "SFrame 1.0 Secret salt "+string(context), nonceSize)
	if err != nil {
		return nil, nil, fmt.Errorf("e2ee: derive SFrame salt: %w", err)
	}
	return key, salt, nil
}

// KID returns the key id that the key was derived for.
func (k *Key) KID() uint64 { return k.kid }

// Suite returns the cipher suite.
func (k *Key) Suite() Suite { return k.suite }

// Overhead returns how many bytes longer than its plaintext a sealed frame is.
func (k *Key) Overhead() int { return k.aead.tagLen }

// Seal encrypts plaintext as frame number ctr and appends ciphertext || tag to
// dst, without the SFrame header, which is the additional data. plaintext may
// be empty, and may overlap dst: Seal(buf[:0], ctr, buf) works in place.
//
// A (KID, CTR) pair must seal one frame ever: two under the same one give away
// the XOR of their plaintexts. [Sealer] sees to that; use it.
func (k *Key) Seal(dst []byte, ctr uint64, plaintext []byte) []byte {
	return k.aead.seal(dst, k.prepare(ctr), nil, plaintext)
}

// Open authenticates sealed (ciphertext || tag) as frame number ctr and appends its
// plaintext to dst. sealed may overlap dst as in Seal. The error is [ErrAuth],
// or [ErrKeyUse] for the key of a [Sealer]; then nothing has been written.
// Ask the stream's [ReplayWindow] next, before the plaintext is used.
func (k *Key) Open(dst []byte, ctr uint64, sealed []byte) ([]byte, error) {
	return k.open(dst, ctr, nil, sealed)
}

// SealFrame is Seal in the format of RFC 9605, section 4.2, as other SFrame
// programs read it: it appends header || ciphertext || tag. metadata, which
// may be empty, is authenticated and not sent. plaintext must not overlap dst.
func (k *Key) SealFrame(dst []byte, ctr uint64, metadata, plaintext []byte) []byte {
	header := k.prepare(ctr)
	return k.aead.seal(append(dst, header...), header, metadata, plaintext)
}

// OpenFrame reverses SealFrame: it appends the plaintext of frame to dst and
// returns the CTR. The error is [ErrHeader], [ErrKeyUse], or [ErrAuth], also for a
// frame of another KID.
func (k *Key) OpenFrame(dst, metadata, frame []byte) (plaintext []byte, ctr uint64, err error) {
	kid, ctr, n, err := ParseHeader(frame)
	if err != nil {
		return nil, 0, err
	}
	if kid != k.kid {
		return nil, 0, ErrAuth
	}
	plaintext, err = k.open(dst, ctr, metadata, frame[n:])
	if err != nil {
		return nil, 0, err
	}
	return plaintext, ctr, nil
}

func (k *Key) open(dst []byte, ctr uint64, metadata, sealed []byte) ([]byte, error) {
	if k.use == seals {
		return nil, ErrKeyUse
	}
	k.use = opens
	return k.aead.open(dst, k.prepare(ctr), metadata, sealed)
}

// prepare sets the nonce for ctr and returns the header, valid until the next
// call.
func (k *Key) prepare(ctr uint64) (header []byte) {
	k.aead.setNonce(ctr)
	return AppendHeader(k.header[:0], k.kid, ctr)
}

// The methods below keep key bytes out of logs and error messages. Their
// receiver is a value so that a Key that is printed by mistake instead of its
// pointer is redacted, too.

// String says which key it is, not what it is.
func (k Key) String() string { return fmt.Sprintf("e2ee.Key(kid %016x, redacted)", k.kid) }

// GoString is String, for %#v.
func (k Key) GoString() string { return k.String() }

// Format prints String whatever the verb; %d or %x of a struct would
// otherwise print its fields.
func (k Key) Format(f fmt.State, _ rune) { io.WriteString(f, k.String()) }

// LogValue is String, for log/slog.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }
