package wire

import (
	"encoding/binary"
	"math/bits"
)

// maxVarint is the largest value that a variable-length integer can hold.
const maxVarint = 1<<62 - 1

// RFC 9000, section 16: the first two bits are the logarithm of the length.
//
//	00xxxxxx                       6 bits
//	01xxxxxx xxxxxxxx             14 bits
//	10xxxxxx xxxxxxxx (4 bytes)   30 bits
//	11xxxxxx xxxxxxxx (8 bytes)   62 bits

// appendVarint appends v in its shortest form. A larger value than maxVarint is written as
// maxVarint: one forged CTR can drive a counter there, so it must not panic.
func appendVarint(dst []byte, v uint64) []byte {
	switch varintLen(v) {
	case 1:
		return append(dst, byte(v))
	case 2:
		return binary.BigEndian.AppendUint16(dst, uint16(v)|1<<14)
	case 4:
		return binary.BigEndian.AppendUint32(dst, uint32(v)|1<<31)
	default:
		return binary.BigEndian.AppendUint64(dst, min(v, maxVarint)|3<<62)
	}
}

// varintLen is how many bytes appendVarint appends for v.
func varintLen(v uint64) int {
	switch n := bits.Len64(v); {
	case n <= 6:
		return 1
	case n <= 14:
		return 2
	case n <= 30:
		return 4
	default:
		return 8
	}
}

// reader takes fields off the front of b. The first field that is not there makes it short,
// and every later one zero, so that a parser asks once, at its end.
type reader struct {
	b     []byte
	short bool
}

// take returns the next n bytes, which alias the input, or nil.
func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.b, r.short = nil, true
		return nil
	}
	p := r.b[:n:n]
	r.b = r.b[n:]
	return p
}

// uint returns the next n bytes as a number.
func (r *reader) uint(n int) (v uint64) {
	if n > len(r.b) {
		r.b, r.short = nil, true
		return 0
	}
	for _, b := range r.b[:n] {
		v = v<<8 | uint64(b)
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) uint8() uint8   { return uint8(r.uint(1)) }
func (r *reader) uint16() uint16 { return uint16(r.uint(2)) }
func (r *reader) uint32() uint32 { return uint32(r.uint(4)) }
func (r *reader) uint64() uint64 { return r.uint(8) }

func (r *reader) varint() uint64 {
	if len(r.b) == 0 {
		r.short = true
		return 0
	}
	n := 1 << (r.b[0] >> 6)
	return r.uint(n) &^ (3 << (8*n - 2))
}

// AppendVarint appends v below 2^62 in its shortest form.
func AppendVarint(dst []byte, v uint64) []byte { return appendVarint(dst, v) }

// CutVarint reads a number off the front of b, in whichever form it is, and returns what follows it.
func CutVarint(b []byte) (v uint64, rest []byte, ok bool) {
	r := reader{b: b}
	v = r.varint()
	return v, r.b, !r.short
}
