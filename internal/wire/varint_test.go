package wire

import (
	"bytes"
	"math"
	"testing"
)

func TestVarintExamplesOfRFC9000(t *testing.T) { // appendix A.1
	for _, tc := range []struct {
		in   string
		want uint64
	}{
		{"c2197c5eff14e88c", 151288809941952652},
		{"9d7f3e7d", 494878333},
		{"7bbd", 15293},
		{"25", 37},
		{"4025", 37}, // not the shortest form
	} {
		b := unhex(t, tc.in)
		r := reader{b: b}
		if got := r.varint(); got != tc.want || r.short || len(r.b) != 0 {
			t.Errorf("%s: got %d, short %v, %d bytes left; want %d", tc.in, got, r.short, len(r.b), tc.want)
		}
		for n := range b {
			r := reader{b: b[:n:n]}
			if r.varint(); !r.short {
				t.Errorf("%s: %d bytes were enough", tc.in, n)
			}
		}
	}
}

func TestVarintIsShortest(t *testing.T) {
	for _, v := range []uint64{0, 1, 63, 64, 1<<14 - 1, 1 << 14, 1<<30 - 1, 1 << 30, maxVarint} {
		b := appendVarint(nil, v)
		if len(b) != varintLen(v) {
			t.Errorf("%d: %d bytes, varintLen says %d", v, len(b), varintLen(v))
		}
		r := reader{b: b}
		if got := r.varint(); got != v || r.short {
			t.Errorf("%d: read back as %d", v, got)
		}
	}
	if !bytes.Equal(appendVarint(nil, 63), []byte{63}) || len(appendVarint(nil, 64)) != 2 {
		t.Error("63 takes one byte, 64 two")
	}
}

func TestVarintSaturates(t *testing.T) {
	for _, v := range []uint64{maxVarint + 1, math.MaxUint64} {
		r := reader{b: appendVarint(nil, v)}
		if got := r.varint(); got != maxVarint {
			t.Errorf("%d: read back as %d", v, got)
		}
	}
}
