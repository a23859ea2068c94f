package e2ee

import (
	"bytes"
	"errors"
	"testing"
)

func TestParseHeaderRefusesLongForms(t *testing.T) {
	for _, b := range [][]byte{
		{0x08, 0x00},                   // CTR 0 as a byte
		{0x08, 0x07},                   // CTR 7 as a byte
		{0x80, 0x07},                   // KID 7 as a byte
		{0x09, 0x00, 0xff},             // CTR 255 in two bytes
		{0x90, 0x00, 0xff},             // KID 255 in two bytes
		{0x0f, 0, 0, 0, 0, 0, 0, 0, 1}, // CTR 1 in eight
		{0x98, 0x01, 0x00, 0x00},       // KID 256, CTR 0 as a byte
	} {
		if _, _, _, err := ParseHeader(b); !errors.Is(err, ErrHeader) {
			t.Errorf("ParseHeader(%x): %v, want ErrHeader", b, err)
		}
	}
}

func FuzzParseHeader(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0x00})
	f.Add([]byte{0x99, 0x01, 0x23, 0x45, 0x67, 1, 2, 3})
	f.Add([]byte{0x0f, 0, 0, 0, 0, 0, 0, 0, 1})
	f.Add(bytes.Repeat([]byte{0xff}, MaxHeaderLen))
	f.Fuzz(func(t *testing.T, b []byte) {
		kid, ctr, n, err := ParseHeader(b)
		if err != nil {
			if !errors.Is(err, ErrHeader) {
				t.Fatalf("ParseHeader(%x): %v, want ErrHeader", b, err)
			}
			return
		}
		if again := AppendHeader(nil, kid, ctr); !bytes.Equal(again, b[:n]) {
			t.Fatalf("ParseHeader(%x) = %d, %d, whose header is %x", b[:n], kid, ctr, again)
		}
	})
}
