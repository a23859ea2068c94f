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

func (r *reader) uint8() uint8 {
	if p := r.take(1); p != nil {
		return p[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if p := r.take(2); p != nil {
		return binary.BigEndian.Uint16(p)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if p := r.take(4); p != nil {
		return binary.BigEndian.Uint32(p)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if p := r.take(8); p != nil {
		return binary.BigEndian.Uint64(p)
	}
	return 0
}

func (r *reader) varint() uint64 {
	if len(r.b) == 0 {
		r.short = true
		return 0
	}
	p := r.take(1 << (r.b[0] >> 6))
	if p == nil {
		return 0
	}
	v := uint64(p[0] & 0x3f)
	for _, b := range p[1:] {
		v = v<<8 | uint64(b)
	}
	return v
}
