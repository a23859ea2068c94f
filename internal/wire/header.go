package wire

import (
	"encoding/binary"
	"fmt"
)

// Sizes of sealed packets, docs/protocol.md sections 3 and 10, in bytes.
const (
	MaxPacketSize = 1200 // a sealed packet with header and tag
	HeaderSize    = 6    // with a counter of 16 bits
	LongHeader    = 8    // with a counter of 32 bits
	TagSize       = 12
	ResetSize     = 20
	MinResetCause = 21 // a shorter packet is not answered by a reset, so that resets cannot loop
)

// MaxPlaintext is how many bytes of frames fit a sealed packet with a long header.
const MaxPlaintext = MaxPacketSize - LongHeader - TagSize

// MaxConnID is the largest connection id.
const MaxConnID ConnID = 1<<24 - 1

// ConnID is a connection id: 24 bits, chosen by the receiver of the packets, never 0.
type ConnID uint32

// String returns six hexadecimal digits.
func (id ConnID) String() string { return fmt.Sprintf("%06x", uint32(id)) }

// Bits of a sealed packet's first byte.
const (
	headerFixed = 0x10 // 00 for "not QUIC", then version 01
	headerLong  = 0x08
	headerReset = 0x04
)

// Header is what can be read of a sealed packet without its keys.
type Header struct {
	ConnID  ConnID
	Counter uint32 // the low 16 bits, the low 32 if Long; 0 in a reset
	Long    bool
	Reset   bool // no sealed packet at all: give it to ParseReset
}

// CounterBits is how many bits of the counter the header carries: 16 or 32, as [DecodeCounter] wants to know.
func (h Header) CounterBits() int {
	if h.Long {
		return 32
	}
	return 16
}

var (
	errHeaderShort   = &FormatError{"sealed packet header", ErrTruncated, ""}
	errHeaderVersion = &FormatError{"sealed packet header", ErrInvalid,
		"of another version, or with reserved bits"}
	errHeaderID   = &FormatError{"sealed packet header", ErrInvalid, "connection id 0 is never used"}
	errPacketSize = &FormatError{"sealed packet", ErrLimit, "at most 1200 bytes"}
	errReset      = &FormatError{"reset", ErrInvalid, "is 20 bytes, the first 0x14"}
)

// ParseHeader reads the header of the sealed packet p (the whole packet, as it came) and returns
// its length n: 6 or 8, and p[:n] is the additional data of the AEAD. Of a reset, only the
// connection id is read, and n is 4. It does not look at what follows the header.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|0 0|0 1|L|R|0 0|            connection id (24)                 |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   counter: 16 bits, 32 when L = 1                             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   AES-128-GCM(frames), then the tag (12 bytes)              ...
func ParseHeader(p []byte) (h Header, n int, err error) {
	if len(p) < 4 {
		return Header{}, 0, errHeaderShort
	}
	if len(p) > MaxPacketSize {
		return Header{}, 0, errPacketSize
	}
	id := ConnID(p[1])<<16 | ConnID(p[2])<<8 | ConnID(p[3])
	if id == 0 {
		return Header{}, 0, errHeaderID
	}
	switch p[0] {
	case headerFixed:
		if len(p) < HeaderSize {
			return Header{}, 0, errHeaderShort
		}
		return Header{ConnID: id, Counter: uint32(binary.BigEndian.Uint16(p[4:]))}, HeaderSize, nil
	case headerFixed | headerLong:
		if len(p) < LongHeader {
			return Header{}, 0, errHeaderShort
		}
		return Header{ConnID: id, Counter: binary.BigEndian.Uint32(p[4:]), Long: true}, LongHeader, nil
	case headerFixed | headerReset:
		return Header{ConnID: id, Reset: true}, 4, nil
	default:
		return Header{}, 0, errHeaderVersion
	}
}

// AppendHeader appends the header of a sealed packet: 6 bytes, or 8 if long, which the sender sets
// while 2^14 or more packets are unacknowledged. Of id the low 24 bits are used.
func AppendHeader(dst []byte, id ConnID, counter uint64, long bool) []byte {
	if long {
		dst = append(dst, headerFixed|headerLong, byte(id>>16), byte(id>>8), byte(id))
		return binary.BigEndian.AppendUint32(dst, uint32(counter))
	}
	dst = append(dst, headerFixed, byte(id>>16), byte(id>>8), byte(id))
	return binary.BigEndian.AppendUint16(dst, uint16(counter))
}

// AppendReset appends a reset: what a relay answers to a connection id it does not know.
//
//	0x14 || connection id (3), as received || reset token (16)
func AppendReset(dst []byte, id ConnID, token [16]byte) []byte {
	dst = append(dst, headerFixed|headerReset, byte(id>>16), byte(id>>8), byte(id))
	return append(dst, token[:]...)
}

// ParseReset reads the reset p, the whole packet. The token proves nothing until it was compared,
// in constant time, with that of the Welcome that named the connection id.
func ParseReset(p []byte) (id ConnID, token [16]byte, err error) {
	if len(p) != ResetSize || p[0] != headerFixed|headerReset {
		return 0, token, errReset
	}
	h, n, err := ParseHeader(p)
	if err != nil {
		return 0, token, err
	}
	copy(token[:], p[n:])
	return h.ConnID, token, nil
}

// DecodeCounter rebuilds a counter of which only the low bits (16 or 32) travelled: the value
// nearest to next, which is one above the highest so far, or 0 if there was none yet. Of two that are
// equally near it takes the higher (RFC 9000, appendix A.3). It never leaves 0 to 2^64-1.
func DecodeCounter(truncated uint32, bits int, next uint64) uint64 {
	win := uint64(1) << bits
	ahead := (uint64(truncated) - next) & (win - 1) // next+ahead is the candidate at or above next
	if ahead <= win/2 {
		if next+ahead < next { // it would pass 2^64
			return next + ahead - win
		}
		return next + ahead
	}
	if behind := win - ahead; behind <= next {
		return next - behind
	}
	return next + ahead
}
