package wire

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/wzp-voice/wzp/identity"
)

const (
	routeTargetHex = "101112131415161718191a1b1c1d1e1f"
	routeQueryHex  = "0102030405060708"
	routeChainHex  = "02 0102030405060708 7f92a8cf0814393c"
)

// routeGoldens are the messages that ask where somebody is, by hand from docs/protocol.md, section 12.
func routeGoldens() []golden {
	var target identity.Fingerprint
	count(target[:], 0x10)
	id := QueryID{1, 2, 3, 4, 5, 6, 7, 8}
	device := Located{FoundDevice, 1, 3, []RelayID{relayNear, relayHome}, unhexed(goldenReachHex)}
	away := Located{FoundAway, 0, 1, device.Chain, device.Record}
	last := Located{FoundDevice, 7, 8, []RelayID{relayHome}, unhexed(goldenReachHex)}
	return []golden{
		{"route wanted", routeTargetHex, RouteWanted{target}},
		{"route", routeTargetHex + "01 01 03" + routeChainHex + goldenReachHex, Route{target, device}},
		{"route", routeTargetHex + "00 00 00 00", Route{Target: target}},
		{"route", routeTargetHex + "02 00 00 00", Route{target, Located{Found: FoundUnsure}}},
		{"route", routeTargetHex + "03 00 01" + routeChainHex + goldenReachHex, Route{target, away}},
		{"route query", routeQueryHex + "07 02 0102030405060708 7f92a8cf0814393c" + routeTargetHex,
			RouteQuery{id, 7, []RelayID{relayNear, relayHome}, target}},
		{"route query", routeQueryHex + "01 01 7f92a8cf0814393c" + routeTargetHex,
			RouteQuery{id, 1, []RelayID{relayHome}, target}},
		{"route response", routeQueryHex + "01 01 03" + routeChainHex + goldenReachHex, RouteResponse{id,
			device}},
		{"route response", routeQueryHex + "01 07 08 01 7f92a8cf0814393c" + goldenReachHex,
			RouteResponse{id, last}},
		{"route response", routeQueryHex + "00 00 00 00", RouteResponse{ID: id}},
		{"route response", routeQueryHex + "02 00 00 00", RouteResponse{id, Located{Found: FoundUnsure}}},
	}
}

func TestRouteRefused(t *testing.T) {
	const hop = "7f92a8cf0814393c"
	many := strings.Repeat
	query, response := routeQueryHex, routeQueryHex
	for _, tc := range []struct {
		layout, hex string
		want        error
	}{
		{"route wanted", routeTargetHex + "00", ErrInvalid},
		{"route query", query + "00 01" + hop + routeTargetHex, ErrInvalid}, // no hops left
		{"route query", query + "09 01" + hop + routeTargetHex, ErrLimit},
		{"route query", query + "01 00" + routeTargetHex, ErrInvalid}, // nobody asks
		{"route query", query + "01 09" + many(hop, 9) + routeTargetHex, ErrLimit},
		{"route query", query + "01 ff" + hop + routeTargetHex, ErrLimit}, // more than there are
		{"route query", query + "01 02" + hop + routeTargetHex[:8], ErrTruncated},
		{"route query", query + "01 01" + hop + routeTargetHex + "00", ErrInvalid},
		{"route response", response + "04 00 00 00", ErrUnknown},
		{"route response", response + "03 00 00 00", ErrInvalid},                        // away, of none
		{"route response", response + "03 00 02 01" + hop + goldenReachHex, ErrInvalid}, // away, of two
		{"route response", response + "03 00 01 00" + goldenReachHex, ErrInvalid},
		{"route response", response + "03 00 01 01" + hop, ErrTruncated},
		{"route response", response + "00 00 00 00 00", ErrInvalid},
		{"route response", response + "00 00 00 01" + hop, ErrInvalid}, // nobody, by a chain
		{"route response", response + "02 00 01 00", ErrInvalid},       // nobody, of one
		{"route response", response + "00 00 00 00" + goldenReachHex, ErrInvalid},
		{"route response", response + "01 00 00 01" + hop + goldenReachHex, ErrInvalid}, // of none
		{"route response", response + "01 02 02 01" + hop + goldenReachHex, ErrInvalid}, // above the last
		{"route response", response + "01 08 09 01" + hop + goldenReachHex, ErrLimit},   // nine devices
		{"route response", response + "01 00 ff 01" + hop + goldenReachHex, ErrLimit},
		{"route response", response + "01 00 01 00" + goldenReachHex, ErrInvalid}, // no chain
		{"route response", response + "01 00 01 09" + many(hop, 9) + goldenReachHex, ErrLimit},
		{"route response", response + "01 00 01 01" + hop + goldenReachHex[2:], ErrTruncated},
		{"route response", response + "01 00 01 01" + hop + goldenReachHex + "00", ErrInvalid},
		{"route", routeTargetHex + "01 00 01 01" + hop, ErrTruncated}, // no record
	} {
		v, err := layouts[tc.layout].parse(unhex(t, tc.hex))
		if !errors.Is(err, tc.want) {
			t.Errorf("%s %.60s: %+v, %v; want %v", tc.layout, tc.hex, v, err, tc.want)
		}
	}
}

// What is kept of an answer does not change with the packet that it came in; and the largest fits.
func TestRouteDoesNotAlias(t *testing.T) {
	for _, g := range routeGoldens() {
		b := unhex(t, g.hex)
		got, err := layouts[g.layout].parse(b)
		if err != nil {
			t.Fatal(err)
		}
		for i := range b {
			b[i] ^= 0xff
		}
		if d := diff(g.want, got); d != "" {
			t.Errorf("%s changed with what it was read from %s", g.layout, d)
		}
	}
	full := &Route{Located: Located{FoundDevice, 7, 8, make([]RelayID, MaxHops), make([]byte, ReachSize)}}
	if b := Append(nil, full); len(b) != Size(full) || len(b) > MaxUrgent {
		t.Errorf("the largest route has %d bytes", len(b))
	}
	if record := full.Record; !bytes.Equal(record, make([]byte, ReachSize)) {
		t.Error("writing changes the record")
	}
}

// location is what an answer may say.
func (r random) location() Located {
	if r.IntN(3) == 0 {
		return Located{Found: []Found{FoundNobody, FoundUnsure}[r.IntN(2)]}
	}
	if r.IntN(3) == 0 {
		return Located{FoundAway, 0, 1, r.relays(), r.bytes(ReachSize, ReachSize)}
	}
	of := 1 + r.IntN(MaxDevices)
	return Located{FoundDevice, uint8(r.IntN(of)), uint8(of), r.relays(), r.bytes(ReachSize, ReachSize)}
}

// relays are 1 to MaxHops of them.
func (r random) relays() (list []RelayID) {
	for range 1 + r.IntN(MaxHops) {
		list = append(list, RelayID(r.eight()))
	}
	return list
}
