package wire

import (
	"bytes"
	"encoding/hex"
	"fmt"
)

// MemberID names one member of a room: the first 48 bits of SHA-256("wzp/1 member" || entry), see
// [EntryID]. The zero value names nobody.
type MemberID [6]byte

// String returns twelve hexadecimal digits.
func (m MemberID) String() string { return hex.EncodeToString(m[:]) }

// Compare orders member ids as a member list is ordered: by their bytes. It returns -1, 0 or 1.
func (m MemberID) Compare(o MemberID) int { return bytes.Compare(m[:], o[:]) }

// MarshalText is String, for logs and JSON.
func (m MemberID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, m[:]), nil }

// decodeHex fills dst from exactly as many lower-case hexadecimal digits as it holds. Only one form of
// each value is taken, so that equal bytes are equal strings.
func decodeHex(dst []byte, s string) bool {
	if len(s) != 2*len(dst) {
		return false
	}
	for _, c := range []byte(s) {
		if 'A' <= c && c <= 'F' {
			return false
		}
	}
	_, err := hex.Decode(dst, []byte(s))
	return err == nil
}

// KID is the SFrame key id of RFC 9605, laid out as docs/protocol.md, section 7.1:
//
//	member id (48) || stream (8) || epoch (8)
type KID uint64

// MakeKID puts a key id together.
func MakeKID(member MemberID, stream, epoch uint8) KID {
	var v uint64
	for _, b := range member {
		v = v<<8 | uint64(b)
	}
	return KID(v<<16 | uint64(stream)<<8 | uint64(epoch))
}

// Member returns whose key it is.
func (k KID) Member() (m MemberID) {
	for i := range m {
		m[i] = byte(k >> (56 - 8*i))
	}
	return m
}

// Stream returns which of the member's streams it is for.
func (k KID) Stream() uint8 { return uint8(k >> 8) }

// Epoch returns which of the member's keys it is.
func (k KID) Epoch() uint8 { return uint8(k) }

// String returns member, stream and epoch: "0123456789ab/1/0".
func (k KID) String() string { return fmt.Sprintf("%v/%d/%d", k.Member(), k.Stream(), k.Epoch()) }
