package e2ee

import "fmt"

// Suite is an SFrame cipher suite, with its value in the IANA registry "SFrame
// Cipher Suites" (RFC 9605, section 8.1). The zero value is none.
type Suite uint16

const (
	// AES128CTRHMACSHA256Tag64 is AES_128_CTR_HMAC_SHA256_64, with tags of 8
	// bytes: the suite of every stream that does not ask for another.
	AES128CTRHMACSHA256Tag64 Suite = 0x0002

	// AES128CTRHMACSHA256Tag32 is AES_128_CTR_HMAC_SHA256_32, with tags of 4
	// bytes: for profiles under 8 kbit/s, where 4 bytes a packet are heard. One
	// forged frame in 2^32 passes (RFC 9605, section 7.5).
	AES128CTRHMACSHA256Tag32 Suite = 0x0003
)

// Sizes in bytes that both suites share (RFC 9605, section 4.5, table 1).
const (
	encKeySize  = 16 // Nka, AES-128
	authKeySize = 32 // Nh, HMAC-SHA256
	keySize     = encKeySize + authKeySize
	nonceSize   = 12 // Nn
)

// MaxTagLen is the longest tag of any [Suite], in bytes.
const MaxTagLen = 8

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

// String returns the name in the registry.
func (s Suite) String() string {
	switch s {
	case AES128CTRHMACSHA256Tag64:
		return "AES_128_CTR_HMAC_SHA256_64"
	case AES128CTRHMACSHA256Tag32:
		return "AES_128_CTR_HMAC_SHA256_32"
	}
	return fmt.Sprintf("unknown SFrame suite %#04x", uint16(s))
}
