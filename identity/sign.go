package identity

import (
	"crypto/ed25519"
	"encoding/binary"
	"math"
	"strings"
)

// SignatureSize is the length of a signature in bytes.
const SignatureSize = ed25519.SignatureSize

const signaturePrefix = "wzp/1 "

// AppendSigned appends to b the bytes that a signature of this kind over these fields covers:
//
//	+----------+------+------+------------------+---------+------------------+---------+--
//	| "wzp/1 " | kind | 0x00 | length 1, 4 byte | field 1 | length 2, 4 byte | field 2 | ...
//	+----------+------+------+------------------+---------+------------------+---------+--
//
// with big-endian lengths in bytes. Two different lists of kind and fields never give the same bytes,
// and nothing else that the key signs (TLS 1.3, X.509, featherChat) starts like this, so that no
// signature made for one purpose serves another.
//
// It returns nil, which is never signed, for a kind that is empty or contains a zero byte and for a
// field of 4 GiB or more.
func AppendSigned(b []byte, kind string, fields ...[]byte) []byte {
	if kind == "" || strings.IndexByte(kind, 0) >= 0 {
		return nil
	}
	b = append(b, signaturePrefix...)
	b = append(b, kind...)
	b = append(b, 0)
	for _, field := range fields {
		if uint64(len(field)) > math.MaxUint32 {
			return nil
		}
		b = binary.BigEndian.AppendUint32(b, uint32(len(field)))
		b = append(b, field...)
	}
	return b
}

// Sign returns the 64-byte Ed25519 signature (RFC 8032, deterministic) over AppendSigned(kind, fields),
// or nil, which verifies nowhere, where that is nil.
func (id *Identity) Sign(kind string, fields ...[]byte) []byte {
	message := AppendSigned(nil, kind, fields...)
	if message == nil {
		return nil
	}
	return ed25519.Sign(id.secret().ed25519, message)
}

// Verify reports whether sig is the signature of this kind over these fields that the holder of pub
// made. It is false for the zero PublicKey and the other keys that anybody can sign for.
func Verify(pub PublicKey, kind string, sig []byte, fields ...[]byte) bool {
	message := AppendSigned(nil, kind, fields...)
	return message != nil && len(sig) == SignatureSize && !pub.smallOrder() &&
		ed25519.Verify(pub[:], message, sig)
}
