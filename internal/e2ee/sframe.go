package e2ee

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"math/bits"
	"slices"
)

// Suite is an SFrame cipher suite, with its value in the IANA registry "SFrame
// Cipher Suites" (RFC 9605, section 8.1). The zero value is none.
type Suite uint16

const (
	// AES128CTRHMACSHA256Tag64 is AES_128_CTR_HMAC_SHA256_64, with tags of 8
	// bytes: the suite of every stream that does not ask for another.
	AES128CTRHMACSHA256Tag64 Suite = 0x0002

	// AES128CTRHMACSHA256Tag32 is AES_128_CTR_HMAC_SHA256_32, with tags of 4 bytes: for profiles under 8
	// kbit/s, where 4 bytes a packet are heard. One forged frame in 2^32 passes (RFC 9605, section 7.5).
	AES128CTRHMACSHA256Tag32 Suite = 0x0003
)

// Sizes in bytes that both suites share (RFC 9605, section 4.5, table 1).
const (
	encKeySize  = 16 // Nka, AES-128
	authKeySize = 32 // Nh, HMAC-SHA256
	keySize     = encKeySize + authKeySize
	nonceSize   = 12 // Nn
)

// TagLen returns the bytes that sealing adds to a plaintext (Nt), or 0 for a
// suite that this package does not have.
func (s Suite) TagLen() int {
	switch s {
	case AES128CTRHMACSHA256Tag64:
		return 8
	case AES128CTRHMACSHA256Tag32:
		return 4
	}
	return 0
}

// The SFrame header (RFC 9605, section 4.3). It does not travel; both ends build it, in its shortest form:
//
//	 0 1 2 3 4 5 6 7
//	+-+-+-+-+-+-+-+-+------------+------------+
//	|X|  K  |Y|  C  |   KID...   |   CTR...   |
//	+-+-+-+-+-+-+-+-+------------+------------+
//
// X = 0: K is the KID (0-7) and no KID bytes follow. X = 1: K is the number of KID bytes less one,
// big-endian, as few as possible. Y and C are the same for the CTR.

// maxHeaderLen is the length in bytes of the longest SFrame header.
const maxHeaderLen = 1 + 8 + 8

// extended is the flag X or Y within its half of the config byte.
const extended = 0x8

// appendHeader appends the SFrame header of kid and ctr, 1 to maxHeaderLen bytes.
func appendHeader(dst []byte, kid, ctr uint64) []byte {
	dst = append(dst, halfOf(kid)<<4|halfOf(ctr))
	dst = appendExtended(dst, kid)
	return appendExtended(dst, ctr)
}

// halfOf returns the four bits of the config byte that describe v.
func halfOf(v uint64) byte {
	if v < extended {
		return byte(v)
	}
	return extended | byte(byteLen(v)-1)
}

// byteLen returns the fewest bytes that hold v, which is not 0.
func byteLen(v uint64) int { return (bits.Len64(v) + 7) / 8 }

func appendExtended(dst []byte, v uint64) []byte {
	if v < extended {
		return dst
	}
	for shift := 8 * (byteLen(v) - 1); shift >= 0; shift -= 8 {
		dst = append(dst, byte(v>>shift))
	}
	return dst
}

// ErrAuth means that a frame was not sealed under this key, KID and CTR, or was changed, or is shorter than a
// tag. It does not say which.
var ErrAuth = errors.New("e2ee: frame does not authenticate, drop it")

// Key is the media key of one KID: what SFrame derives from a base key. It is
// opaque and never prints. One goroutine at a time may use it; it is not to be copied.
type Key struct {
	redacted
	suite Suite
	kid   uint64

	// aead holds all that is secret. It is a pointer because fmt looks into
	// what an unexported field of the caller's points to (for a verb that does
	// not fit), without asking the methods of redacted, but not any deeper.
	aead *ctrHMAC

	header [maxHeaderLen]byte // scratch: a local one would escape into the HMAC
}

// NewKey derives the key of kid from baseKey, at least 16 secret bytes (with fewer, the strength of AES-128
// would be an illusion), which it does not keep (RFC 9605, section 4.4.2). The same base key gives
// independent keys for different KIDs and suites.
func NewKey(suite Suite, kid uint64, baseKey []byte) (*Key, error) {
	if suite.TagLen() == 0 {
		return nil, fmt.Errorf("e2ee: unknown SFrame suite %d, use 2 or 3", suite)
	}
	if len(baseKey) < encKeySize {
		return nil, fmt.Errorf("e2ee: base key has %d bytes, give at least %d", len(baseKey), encKeySize)
	}
	key, salt := deriveKeySalt(suite, kid, baseKey)
	return &Key{suite: suite, kid: kid, aead: newCTRHMAC(key, salt, suite.TagLen())}, nil
}

// deriveKeySalt is derive_key_salt of RFC 9605, section 4.4.2: it returns
// sframe_key (keySize bytes) and sframe_salt (nonceSize bytes).
func deriveKeySalt(suite Suite, kid uint64, baseKey []byte) (key, salt []byte) {
	secret := mustDerive(hkdf.Extract(sha256.New, baseKey, nil))
	context := binary.BigEndian.AppendUint64(nil, kid)
	context = binary.BigEndian.AppendUint16(context, uint16(suite))
	key = mustDerive(hkdf.Expand(sha256.New, secret, "SFrame 1.0 Secret key "+string(context), keySize))
	salt = mustDerive(hkdf.Expand(sha256.New, secret, "SFrame 1.0 Secret salt "+string(context), nonceSize))
	return key, salt
}

// Seal encrypts plaintext as frame number ctr and appends ciphertext || tag to
// dst, without the SFrame header, which is the additional data. plaintext may
// be empty, and may overlap dst: Seal(buf[:0], ctr, buf) works in place.
//
// A (KID, CTR) pair must seal one frame ever: two under the same one give away
// the XOR of their plaintexts. [Sealer] sees to that; use it.
func (k *Key) Seal(dst []byte, ctr uint64, plaintext []byte) []byte {
	return k.aead.seal(dst, k.prepare(ctr), plaintext)
}

// Open authenticates sealed (ciphertext || tag) as frame number ctr and appends its
// plaintext to dst. sealed may overlap dst as in Seal. The error is [ErrAuth]; then nothing
// has been written. Ask the stream's [ReplayWindow] next, before the plaintext is used.
func (k *Key) Open(dst []byte, ctr uint64, sealed []byte) ([]byte, error) {
	return k.aead.open(dst, k.prepare(ctr), sealed)
}

// prepare sets the nonce for ctr and returns the header, valid until the next call.
func (k *Key) prepare(ctr uint64) (header []byte) {
	k.aead.setNonce(ctr)
	return appendHeader(k.header[:0], k.kid, ctr)
}

// prefixSize is what the tag covers before the additional data: the lengths of
// additional data, ciphertext and tag, 8 bytes each, and the nonce.
const prefixSize = 3*8 + nonceSize

// ctrHMAC is the AEAD of RFC 9605, section 4.5.1: AES-CTR, then HMAC-SHA256
// over the ciphertext, cut to tagLen bytes.
//
// It keeps its HMAC and all buffers between calls: cipher.NewCTR would allocate a stream per frame, and
// buffers handed to the interfaces hash.Hash and cipher.Block escape to the heap, so they cannot be local
// variables. Therefore it serves one call at a time.
type ctrHMAC struct {
	tagLen int
	block  cipher.Block // keyed with the encryption subkey
	mac    hash.Hash    // keyed with the authentication subkey
	salt   [nonceSize]byte

	// Scratch, meaningless between calls.
	nonce   [nonceSize]byte
	prefix  [prefixSize]byte
	counter [aes.BlockSize]byte // nonce || number of the block (4 bytes, from 0)
	stream  [aes.BlockSize]byte
	sum     [sha256.Size]byte
}

// newCTRHMAC takes a key of keySize bytes, encryption subkey and then
// authentication subkey, and the salt of the nonces.
func newCTRHMAC(key, salt []byte, tagLen int) *ctrHMAC {
	block, err := aes.NewCipher(key[:encKeySize])
	if err != nil {
		panic(fmt.Sprintf("e2ee: make AES cipher: %v", err)) // of a key of another length
	}
	return &ctrHMAC{
		tagLen: tagLen,
		block:  block,
		mac:    hmac.New(sha256.New, key[encKeySize:]),
		salt:   [nonceSize]byte(salt),
	}
}

// setNonce sets the nonce of the next call, salt XOR CTR (RFC 9605, section 4.4.3).
func (c *ctrHMAC) setNonce(ctr uint64) {
	c.nonce = c.salt
	low := c.nonce[nonceSize-8:]
	binary.BigEndian.PutUint64(low, binary.BigEndian.Uint64(low)^ctr)
}

// seal encrypts under c.nonce and appends ciphertext || tag to dst. plaintext may overlap dst's spare room.
func (c *ctrHMAC) seal(dst, aad, plaintext []byte) []byte {
	start := len(dst)
	dst = slices.Grow(dst, len(plaintext)+c.tagLen)
	dst = append(dst, plaintext...)
	ciphertext := dst[start:]
	c.xorKeyStream(ciphertext)
	return append(dst, c.tag(aad, ciphertext)...)
}

// open reverses seal: it appends the plaintext to dst, or returns ErrAuth and writes nothing.
func (c *ctrHMAC) open(dst, aad, sealed []byte) ([]byte, error) {
	n := len(sealed) - c.tagLen
	if n < 0 {
		return nil, ErrAuth
	}
	ciphertext, tag := sealed[:n], sealed[n:]
	if subtle.ConstantTimeCompare(tag, c.tag(aad, ciphertext)) != 1 {
		return nil, ErrAuth
	}
	start := len(dst)
	dst = append(dst, ciphertext...)
	c.xorKeyStream(dst[start:])
	return dst, nil
}

// tag returns the tag for c.nonce, in memory that the next call overwrites. The lengths in front keep bytes
// from moving between additional data and ciphertext, and a short tag from being the start of a long one.
func (c *ctrHMAC) tag(aad, ciphertext []byte) []byte {
	binary.BigEndian.PutUint64(c.prefix[0:], uint64(len(aad)))
	binary.BigEndian.PutUint64(c.prefix[8:], uint64(len(ciphertext)))
	binary.BigEndian.PutUint64(c.prefix[16:], uint64(c.tagLen))
	copy(c.prefix[24:], c.nonce[:])

	c.mac.Reset()
	c.mac.Write(c.prefix[:])
	c.mac.Write(aad)
	c.mac.Write(ciphertext)
	return c.mac.Sum(c.sum[:0])[:c.tagLen]
}

// xorKeyStream encrypts or decrypts buf in place with AES-CTR from the initial counter block c.nonce || 0
// (RFC 9605, section 4.5.1). It is cipher.NewCTR without the allocation. The 32-bit block number limits buf
// to 64 GiB, far above any frame.
func (c *ctrHMAC) xorKeyStream(buf []byte) {
	copy(c.counter[:], c.nonce[:])
	for number := uint32(0); len(buf) > 0; number++ {
		binary.BigEndian.PutUint32(c.counter[nonceSize:], number)
		c.block.Encrypt(c.stream[:], c.counter[:])
		buf = buf[subtle.XORBytes(buf, buf, c.stream[:]):]
	}
}
