package identity

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// PublicKey is an Ed25519 public key (RFC 8032), 32 bytes: the full name of an identity. It is
// comparable and works as a map key. Its text form is 64 lower-case hexadecimal digits.
type PublicKey [ed25519.PublicKeySize]byte

// Fingerprint is the first 16 bytes of SHA-256 of a PublicKey: what people read out and compare, and what a
// call is addressed to. Its text form is eight groups of four lower-case hexadecimal digits joined by colons.
type Fingerprint [16]byte

// errSmallOrder: see smallOrder.
var errSmallOrder = errors.New("the key is one of the few that anybody can sign for: refuse whoever sent it")

// Fingerprint returns the short form of k.
func (k PublicKey) Fingerprint() Fingerprint {
	sum := sha256.Sum256(k[:])
	return Fingerprint(sum[:len(Fingerprint{})])
}

// String returns 64 lower-case hexadecimal digits, which ParsePublicKey reads.
func (k PublicKey) String() string { return hex.EncodeToString(k[:]) }

// MarshalText returns what String does.
func (k PublicKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what ParsePublicKey does.
func (k *PublicKey) UnmarshalText(text []byte) error {
	parsed, err := ParsePublicKey(string(text))
	if err == nil {
		*k = parsed
	}
	return err
}

// ParsePublicKey reads the 64 lower-case hexadecimal digits of a public key; nothing else is accepted,
// so that equal keys have equal texts. Keys that anybody can sign for are refused.
func ParsePublicKey(s string) (PublicKey, error) {
	var k PublicKey
	want := "want lower-case hexadecimal digits"
	if err := parseDigits(k[:], "public key", s, strings.Repeat("x", 2*len(k)), want); err != nil {
		return PublicKey{}, err
	}
	if k.smallOrder() {
		return PublicKey{}, errSmallOrder
	}
	return k, nil
}

// parseDigits fills dst from the lower-case hexadecimal digits of s, which has an x for each in form, and a
// colon for each colon.
func parseDigits(dst []byte, what, s, form, want string) error {
	if len(s) != len(form) {
		return fmt.Errorf("a %s has %d characters, not %d: %s", what, len(form), len(s), want)
	}
	for i, c := range []byte(s) {
		switch {
		case form[i] == ':' && c != ':':
			return fmt.Errorf("character %d of the %s is %q, not a colon: %s", i+1, what, c, want)
		case form[i] == 'x' && strings.IndexByte("0123456789abcdef", c) < 0:
			return fmt.Errorf("character %d of the %s is %q: %s", i+1, what, c, want)
		}
	}
	_, err := hex.Decode(dst, []byte(strings.ReplaceAll(s, ":", "")))
	return err
}

// String returns the fingerprint as people see it, such as 9983:c2ce:87f9:61b7:7931:d7c1:fd7f:864c.
func (f Fingerprint) String() string {
	var text []byte
	for pair := range slices.Chunk(f[:], 2) {
		text = append(hex.AppendEncode(text, pair), ':')
	}
	return string(text[:len(text)-1])
}

// ParseFingerprint is the inverse of String and accepts nothing else: no upper case, no white space, no
// other grouping.
func ParseFingerprint(s string) (Fingerprint, error) {
	var f Fingerprint
	want := "want eight groups of four lower-case hexadecimal digits joined by colons"
	if err := parseDigits(f[:], "fingerprint", s, "xxxx"+strings.Repeat(":xxxx", 7), want); err != nil {
		return Fingerprint{}, err
	}
	return f, nil
}

// MarshalText returns what String does.
func (f Fingerprint) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads what ParseFingerprint does.
func (f *Fingerprint) UnmarshalText(text []byte) error {
	parsed, err := ParseFingerprint(string(text))
	if err == nil {
		*f = parsed
	}
	return err
}

// smallOrder reports whether k is one of the points of order 1, 2, 4 or 8, in any encoding that
// crypto/ed25519 accepts. For these, signatures that verify can be made without any private key; the
// all-zero PublicKey{} is one, so a forgotten key would accept what anybody sent.
func (k PublicKey) smallOrder() bool {
	k[31] &= 0x7f // the sign of x does not change the order
	return slices.Contains(smallOrderY, k)
}

// smallOrderY lists the y coordinates of those points, and their aliases y + p, little-endian
// (p = 2^255 - 19).
var smallOrderY = []PublicKey{
	{},  // y = 0, order 4
	{1}, // y = 1, order 1
	// order 8
	{0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
	{0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
	nearP(0xec), // y = p - 1, order 2
	nearP(0xed), // y = p, alias of 0
	nearP(0xee), // y = p + 1, alias of 1
}

// nearP returns the little-endian number whose lowest byte is low and whose other bits are those of p.
func nearP(low byte) PublicKey {
	var k PublicKey
	for i := range k {
		k[i] = 0xff
	}
	k[0], k[31] = low, 0x7f
	return k
}
