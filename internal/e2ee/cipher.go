package e2ee

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"hash"
	"slices"
)

// prefixSize is what the tag covers before the additional data: the lengths of
// additional data, ciphertext and tag, 8 bytes each, and the nonce.
const prefixSize = 3*8 + nonceSize

// ctrHMAC is the AEAD of RFC 9605, section 4.5.1: AES-CTR, then HMAC-SHA256
// over the ciphertext, cut to tagLen bytes.
//
// It keeps its HMAC and all buffers between calls: cipher.NewCTR would
// allocate a stream per frame, and buffers handed to the interfaces hash.Hash
// and cipher.Block escape to the heap, so they cannot be local variables.
// Therefore it serves one call at a time.
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
func newCTRHMAC(key []byte, salt [nonceSize]byte, tagLen int) (*ctrHMAC, error) {
	if len(key) != keySize {
		return nil, fmt.Errorf("e2ee: AEAD key has %d bytes, give %d", len(key), keySize)
	}
	block, err := aes.NewCipher(key[:encKeySize])
	if err != nil {
		return nil, fmt.Errorf("e2ee: make AES cipher: %w", err)
	}
	return &ctrHMAC{
		tagLen: tagLen,
		block:  block,
		mac:    hmac.New(sha256.New, key[encKeySize:]),
		salt:   salt,
	}, nil
}

// setNonce sets the nonce of the next call, salt XOR CTR (RFC 9605, section
// 4.4.3).
func (c *ctrHMAC) setNonce(ctr uint64) {
	c.nonce = c.salt
	low := c.nonce[nonceSize-8:]
	binary.BigEndian.PutUint64(low, binary.BigEndian.Uint64(low)^ctr)
}

// seal encrypts under c.nonce and appends ciphertext || tag to dst. The
// additional data is header || metadata. plaintext may overlap dst's spare room.
func (c *ctrHMAC) seal(dst, header, metadata, plaintext []byte) []byte {
	start := len(dst)
	dst = slices.Grow(dst, len(plaintext)+c.tagLen)
	dst = append(dst, plaintext...)
	ciphertext := dst[start:]
	c.xorKeyStream(ciphertext)
	return append(dst, c.tag(header, metadata, ciphertext)...)
}

// open reverses seal: it appends the plaintext to dst, or returns ErrAuth and
// writes nothing.
func (c *ctrHMAC) open(dst, header, metadata, sealed []byte) ([]byte, error) {
	n := len(sealed) - c.tagLen
	if n < 0 {
		return nil, ErrAuth
	}
	ciphertext, tag := sealed[:n], sealed[n:]
	if subtle.ConstantTimeCompare(tag, c.tag(header, metadata, ciphertext)) != 1 {
		return nil, ErrAuth
	}
	start := len(dst)
	dst = append(dst, ciphertext...)
	c.xorKeyStream(dst[start:])
	return dst, nil
}

// tag returns the tag for c.nonce, in memory that the next call overwrites.
// The lengths in front keep bytes from moving between additional data and
// ciphertext, and a short tag from being the start of a long one.
func (c *ctrHMAC) tag(header, metadata, ciphertext []byte) []byte {
	binary.BigEndian.PutUint64(c.prefix[0:], uint64(len(header)+len(metadata)))
	binary.BigEndian.PutUint64(c.prefix[8:], uint64(len(ciphertext)))
	binary.BigEndian.PutUint64(c.prefix[16:], uint64(c.tagLen))
	copy(c.prefix[24:], c.nonce[:])

	c.mac.Reset()
	c.mac.Write(c.prefix[:])
	c.mac.Write(header)
	c.mac.Write(metadata)
	c.mac.Write(ciphertext)
	return c.mac.Sum(c.sum[:0])[:c.tagLen]
}

// xorKeyStream encrypts or decrypts buf in place with AES-CTR from the initial
// counter block c.nonce || 0 (RFC 9605, section 4.5.1). It is cipher.NewCTR
// without the allocation. The 32-bit block number limits buf to 64 GiB, far
// above any frame.
func (c *ctrHMAC) xorKeyStream(buf []byte) {
	copy(c.counter[:], c.nonce[:])
	for number := uint32(0); len(buf) > 0; number++ {
		binary.BigEndian.PutUint32(c.counter[nonceSize:], number)
		c.block.Encrypt(c.stream[:], c.counter[:])
		buf = buf[subtle.XORBytes(buf, buf, c.stream[:]):]
	}
}
