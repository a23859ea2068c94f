package wire

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

func TestHeaderGolden(t *testing.T) {
	for _, tc := range []struct {
		hex     string
		want    Header
		counter uint64
	}{
		{"100a0b0c1234", Header{ConnID: 0x0a0b0c, Counter: 0x1234}, 0x99991234},
		{"180a0b0c89abcdef", Header{ConnID: 0x0a0b0c, Counter: 0x89abcdef, Long: true}, 0x0123456789abcdef},
		{"10ffffff0000", Header{ConnID: MaxConnID}, 1 << 16},
	} {
		b := unhex(t, tc.hex)
		if got := AppendHeader(nil, tc.want.ConnID, tc.counter, tc.want.Long); !bytes.Equal(got, b) {
			t.Errorf("AppendHeader: %x, want %x", got, b)
		}
		h, n, err := ParseHeader(append(b[:len(b):len(b)], "ciphertext"...))
		if h != tc.want || n != len(b) || err != nil {
			t.Errorf("ParseHeader(%x...) = %+v, %d, %v", b, h, n, err)
		}
		if got := DecodeCounter(h.Counter, h.CounterBits(), tc.counter); got != tc.counter {
			t.Errorf("DecodeCounter = %x, want %x", got, tc.counter)
		}
		for i := range b {
			if _, _, err := ParseHeader(b[:i:i]); !errors.Is(err, ErrTruncated) {
				t.Errorf("ParseHeader(%x) = %v, want ErrTruncated", b[:i], err)
			}
		}
	}
}

func TestHeaderRefuses(t *testing.T) {
	long := make([]byte, MaxPacketSize+1)
	copy(long, unhex(t, "100000010000"))
	if _, _, err := ParseHeader(long[:MaxPacketSize]); err != nil {
		t.Errorf("a packet of 1200 bytes: %v", err)
	}
	if _, _, err := ParseHeader(long); !errors.Is(err, ErrLimit) {
		t.Errorf("a packet of 1201 bytes: %v, want ErrLimit", err)
	}
	p := unhex(t, "100000010000000000000000")
	for first := range 256 { // only 0x10, 0x18 and 0x14 are version 1
		p[0] = byte(first)
		h, _, err := ParseHeader(p)
		if ok := first == 0x10 || first == 0x18 || first == 0x14; ok != (err == nil) {
			t.Errorf("first byte %#x: %+v, %v", first, h, err)
		}
	}
	if _, _, err := ParseHeader(unhex(t, "100000000000")); !errors.Is(err, ErrInvalid) {
		t.Errorf("connection id 0: %v, want ErrInvalid", err)
	}
}

func TestResetGolden(t *testing.T) {
	b := unhex(t, "140a0b0c000102030405060708090a0b0c0d0e0f")
	token := [16]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	if got := AppendReset(nil, 0x0a0b0c, token); !bytes.Equal(got, b) {
		t.Errorf("AppendReset: %x, want %x", got, b)
	}
	if h, n, err := ParseHeader(b); h != (Header{ConnID: 0x0a0b0c, Reset: true}) || n != 4 || err != nil {
		t.Errorf("ParseHeader = %+v, %d, %v", h, n, err)
	}
	if id, tok, err := ParseReset(b); id != 0x0a0b0c || tok != token || err != nil {
		t.Errorf("ParseReset = %v, %x, %v", id, tok, err)
	}
	for i := range b {
		if _, _, err := ParseReset(b[:i:i]); err == nil {
			t.Errorf("ParseReset took %d bytes", i)
		}
	}
	if _, _, err := ParseReset(append(b, 0)); err == nil {
		t.Error("ParseReset took a byte too many")
	}
	if _, _, err := ParseReset(unhex(t, "14000000000102030405060708090a0b0c0d0e0f")); err == nil {
		t.Error("ParseReset took connection id 0")
	}
	if len(b) >= MinResetCause {
		t.Error("a reset is long enough to be answered by a reset")
	}
}

func TestDecodeCounter(t *testing.T) {
	for _, tc := range []struct {
		truncated uint32
		bits      int
		next      uint64
		want      uint64
	}{
		{0x9b32, 16, 0xa82f30eb, 0xa82f9b32}, // RFC 9000, appendix A.3
		{0, 16, 0, 0},
		{0xffff, 16, 0, 0xffff}, // nothing below 0, however near
		{0xffff, 16, 1, 0xffff},
		{0xffff, 16, 0x8000, 0xffff},
		{0xffff, 16, 0x10000, 0xffff},
		{0, 16, 0x8000, 0x10000}, // equally near: the higher
		{0, 16, 0x7fff, 0},
		{0, 16, 0xffff, 0x10000},
		{1, 16, 0x1ffff, 0x20001},
		{0xffffffff, 32, 0, 0xffffffff},
		{0xffffffff, 32, 1 << 32, 0xffffffff},
		{0, 32, math.MaxUint32, 1 << 32},
		{0, 16, math.MaxUint64, math.MaxUint64 - 0xffff}, // nothing above 2^64-1
		{0xffff, 16, math.MaxUint64, math.MaxUint64},
		{0, 32, math.MaxUint64, math.MaxUint64 - math.MaxUint32},
	} {
		if got := DecodeCounter(tc.truncated, tc.bits, tc.next); got != tc.want {
			t.Errorf("DecodeCounter(%#x, %d, %#x) = %#x, want %#x", tc.truncated, tc.bits, tc.next, got,
				tc.want)
		}
	}
}

// Whatever is within half a window of next is rebuilt, at both ends of the range too.
func TestDecodeCounterIsNearest(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		bits := 16 + 16*rnd.IntN(2)
		half := uint64(1) << (bits - 1)
		next := rnd.Uint64()
		switch rnd.IntN(3) {
		case 0:
			next %= 4 * half
		case 1:
			next = math.MaxUint64 - next%(4*half)
		}
		above := min(half, math.MaxUint64-next)
		below := min(half-1, next)
		full := next - below + rnd.Uint64N(above+below+1)
		if got := DecodeCounter(uint32(full&(2*half-1)), bits, next); got != full {
			t.Fatalf("bits %d, next %#x: got %#x, want %#x", bits, next, got, full)
		}
	}
}
