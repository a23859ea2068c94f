package wire

import (
	"errors"
	"strings"
	"testing"

	"github.com/wzp-voice/wzp/identity"
)

const keptDeviceHex = "d0d1d2d3d4d5d6d7"

// keptGoldens are what clients and relays say of kept offers, by hand from docs/protocol.md, section 13.7,
// and of records, section 11.1.
func keptGoldens() []golden {
	var device, other DeviceID
	var key identity.PublicKey
	count(device[:], 0xd0)
	count(other[:], 0x10)
	count(key[:], 0x20)
	return []golden{
		{"kept wanted", keptDeviceHex, KeptWanted{[]DeviceID{device}}},
		{"kept wanted", keptDeviceHex + "1011121314151617", KeptWanted{[]DeviceID{device, other}}},
		{"kept call", keptDeviceHex + "00", KeptCall{Device: device}},
		{"kept call", keptDeviceHex + "14 13 202122232425262728292a2b2c2d2e2f" +
			"303132333435363738393a3b3c3d3e3f aabbcc",
			KeptCall{device, 20, 19, key, []byte{0xaa, 0xbb, 0xcc}}},
		{"record refused", "02", RecordRefused{RecordTooOften}},
	}
}

func TestKeptRefused(t *testing.T) {
	key := strings.Repeat("20", 32)
	for _, tc := range []struct {
		layout, hex string
		want        error
	}{
		{"kept wanted", "", ErrTruncated},
		{"kept wanted", keptDeviceHex[2:], ErrTruncated},
		{"kept wanted", keptDeviceHex + "00", ErrInvalid},
		{"kept wanted", strings.Repeat(keptDeviceHex, 17), ErrLimit},
		{"kept call", keptDeviceHex, ErrTruncated},
		{"kept call", keptDeviceHex + "00 00", ErrInvalid}, // none, and yet one
		{"kept call", keptDeviceHex + "15 00" + key + "aa", ErrLimit},
		{"kept call", keptDeviceHex + "02 02" + key + "aa", ErrInvalid},
		{"kept call", keptDeviceHex + "02 01" + key, ErrTruncated}, // no offer
		{"kept call", keptDeviceHex + "02 01" + key[2:], ErrTruncated},
		{"kept call", keptDeviceHex + "02 01" + key + strings.Repeat("aa", 851), ErrLimit},
		{"record refused", "", ErrTruncated},
		{"record refused", "00", ErrInvalid},
		{"record refused", "0101", ErrInvalid},
	} {
		v, err := layouts[tc.layout].parse(unhex(t, tc.hex))
		if !errors.Is(err, tc.want) {
			t.Errorf("%s %.60s: %+v, %v; want %v", tc.layout, tc.hex, v, err, tc.want)
		}
	}
	full := &KeptCall{Of: MaxKept, Offer: make([]byte, MaxOffer)}
	if b := Append(nil, full); len(b) != Size(full) || len(b) > MaxUrgent {
		t.Errorf("the largest has %d bytes", len(b))
	}
}

func (r random) keptWanted() (m KeptWanted) {
	for range 1 + r.IntN(MaxKeptWanted) {
		m.Devices = append(m.Devices, DeviceID(r.eight()))
	}
	return m
}

func (r random) keptCall() KeptCall {
	m := KeptCall{Device: DeviceID(r.eight()), Of: uint8(r.IntN(MaxKept + 1))}
	if m.Of > 0 {
		m.Index = uint8(r.IntN(int(m.Of)))
		m.Key, m.Offer = [32]byte(r.bytes(32, 32)), r.bytes(1, MaxOffer)
	}
	return m
}
