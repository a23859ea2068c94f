package e2ee

import (
	"errors"
	"fmt"
	"math/bits"
)

// The SFrame header (RFC 9605, section 4.3):
//
//	 0 1 2 3 4 5 6 7
//	+-+-+-+-+-+-+-+-+------------+------------+
//	|X|  K  |Y|  C  |   KID...   |   CTR...   |
//	+-+-+-+-+-+-+-+-+------------+------------+
//
// X = 0: K is the KID (0-7) and no KID bytes follow. X = 1: K is the number of
// KID bytes less one, big-endian, as few as possible. Y and C are the same
// for the CTR.

// MaxHeaderLen is the length in bytes of the longest SFrame header.
const MaxHeaderLen = 1 + 8 + 8

// extended is the flag X or Y within its half of the config byte.
const extended = 0x8

// ErrHeader means that bytes do not begin with an SFrame header.
var ErrHeader = errors.New("e2ee: malformed SFrame header, drop the frame")

var (
	errHeaderShort   = fmt.Errorf("%w: it is cut short", ErrHeader)
	errHeaderMinimal = fmt.Errorf("%w: a field is longer than its value needs", ErrHeader)
)

// AppendHeader appends the SFrame header of kid and ctr, 1 to [MaxHeaderLen]
// bytes, and returns the extended slice.
func AppendHeader(dst []byte, kid, ctr uint64) []byte {
	dst = append(dst, halfOf(kid)<<4|halfOf(ctr))
	dst = appendExtended(dst, kid)
	return appendExtended(dst, ctr)
}

// ParseHeader reads the SFrame header at the start of b and returns its length
// n in bytes. A header that is not in its shortest form is refused, as RFC 9605
// demands: with two encodings of one KID and CTR, the header that Open rebuilds
// would not be the one that was sent. All errors are [ErrHeader].
func ParseHeader(b []byte) (kid, ctr uint64, n int, err error) {
	if len(b) == 0 {
		return 0, 0, 0, errHeaderShort
	}
	config := b[0]
	kid, rest, err := parseField(config>>4, b[1:])
	if err != nil {
		return 0, 0, 0, err
	}
	ctr, rest, err = parseField(config&0xf, rest)
	if err != nil {
		return 0, 0, 0, err
	}
	return kid, ctr, len(b) - len(rest), nil
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

// parseField returns the value that half of the config byte describes, and
// what follows it in b.
func parseField(half byte, b []byte) (v uint64, rest []byte, err error) {
	if half&extended == 0 {
		return uint64(half), b, nil
	}
	n := int(half&^extended) + 1
	if len(b) < n {
		return 0, nil, errHeaderShort
	}
	for _, octet := range b[:n] {
		v = v<<8 | uint64(octet)
	}
	if v < extended || byteLen(v) != n {
		return 0, nil, errHeaderMinimal
	}
	return v, b[n:], nil
}
