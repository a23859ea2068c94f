package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/wzp-voice/wzp/identity"
)

// A state by hand, from docs/protocol.md, section 11.2. Digest and signature were computed by another program
// from the document alone, for the seed of 32 bytes 0x63 and the hashes presenceA and presenceB.
const (
	presenceDigestHex    = "a613dc33769586c3e2579ad29627fa5d"
	presenceSignatureHex = "3607d44fe65c11787a36c8bc3c35b2da653033b05e273cbfb70c138d9de364aa" +
		"f8fa8014a80ab5822436d54c35b3f0dd50d61a9b495b3b3183efa31a628c8c00"
	presenceStateHex = "0102030405060708 80012345 02 0000019a00000000" + presenceDigestHex + presenceSignatureHex
)

var (
	presenceA    = PresenceHash{1, 2, 3, 4, 5, 6, 7, 8}
	presenceB    = PresenceHash{0xff, 2, 3, 4, 5, 6, 7, 8}
	presenceSalt = PresenceSalt{0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18}
)

func goldenPresence() (s PresenceState) {
	s = PresenceState{Boot: 0x0102030405060708, Sequence: 0x12345, Count: 2, Time: 0x19a00000000}
	hex.Decode(s.Digest[:], []byte(presenceDigestHex))
	hex.Decode(s.Signature[:], []byte(presenceSignatureHex))
	return s
}

// presenceGoldens are the messages that tell peers of presence.
func presenceGoldens() []golden {
	state, home := goldenPresence(), filled(0x63).Public()
	const whole = "101112131415161718191a1b1c1d1e1f"
	var f identity.Fingerprint
	count(f[:], 0x10)
	sums := make([]uint64, PresenceRanges)
	sums[0], sums[63] = 0xbd82efe9507af95e, 1
	return []golden{
		{"presence home", "05 07 03" + recordHomeHex + "02 0102030405060708 1112131415161718 00 80012346 0a" +
			presenceStateHex, PresenceHome{Serial: 5, Number: 7, PassOn: true, Afresh: true, Home: home,
			Before:  []RelayID{relayNear, {0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18}},
			Version: 0x12346, Age: 10, State: state}},
		{"presence home", "00 43e7 00" + recordHomeHex + "00 06 613a34343333 80012345 00" + presenceStateHex,
			PresenceHome{Number: 999, Home: home, Address: "a:4433", Version: 0x12345, State: state}},
		{"presence gone", "01 00", PresenceGone{1, []uint64{0}}},
		{"presence gone", "01 05 43e7", PresenceGone{1, []uint64{5, 999}}},
		{"presence news", "02 07 00" + presenceStateHex + "07 01 02 01 01 0102030405060708 ff02030405060708" +
			"05 02 00 00 01" + whole + "05 01 01 00 00",
			PresenceNews{2, []PresenceItem{
				{Number: 7, State: &state},
				{Number: 7, Rise: 2, Left: []PresenceHash{presenceA}, Came: []PresenceHash{presenceB}},
				{Number: 5, Whole: []identity.Fingerprint{f}},
				{Number: 5, Rise: 1},
			}}},
		{"presence compare", "03 05 1112131415161718", PresenceCompare{Serial: 3, Number: 5, Salt: presenceSalt}},
		{"presence compare", "03 05 1112131415161718 bd82efe9507af95e" + strings.Repeat("00", 62*8) +
			"0000000000000001", PresenceCompare{3, 5, presenceSalt, sums}},
		{"presence contents", "04 05 00 0102030405060708 ff02030405060708 0102030405060708 ff02030405060708",
			PresenceContents{Serial: 4, Number: 5, From: presenceA, Through: presenceB,
				Hashes: []PresenceHash{presenceA, presenceB}}},
		{"presence contents", "04 05 03 0102030405060708 ff02030405060708" + whole,
			PresenceContents{Serial: 4, Number: 5, Last: true, From: presenceA, Through: presenceB,
				Whole: []identity.Fingerprint{f}}},
		{"presence contents", "04 05 01 ff02030405060708 0102030405060708",
			PresenceContents{Serial: 4, Number: 5, Last: true, From: presenceB, Through: presenceA}},
	}
}

func TestPresenceState(t *testing.T) {
	want := goldenPresence()
	if got := DigestPresence([]PresenceHash{presenceA}, []PresenceHash{presenceB}); got != want.Digest {
		t.Errorf("digest %x", got)
	}
	got := want
	got.Signature = [64]byte{}
	if got.Sign(filled(0x63)); got != want {
		t.Errorf("signature %x", got.Signature)
	}
	home := filled(0x63).Public()
	if !want.Verify(home) || want.Verify(filled(0x64).Public()) {
		t.Error("who signed it")
	}
	for name, change := range map[string]func(s *PresenceState){
		"boot":      func(s *PresenceState) { s.Boot++ },
		"sequence":  func(s *PresenceState) { s.Sequence++ },
		"count":     func(s *PresenceState) { s.Count++ },
		"time":      func(s *PresenceState) { s.Time++ },
		"digest":    func(s *PresenceState) { s.Digest[15] ^= 1 },
		"signature": func(s *PresenceState) { s.Signature[3] ^= 1 },
	} {
		changed := want
		if change(&changed); changed.Verify(home) {
			t.Errorf("another %s verifies", name)
		}
	}
}

// By hand: SHA-256 over salt and hash, of the two hashes in the first range and the last.
func TestPresenceSums(t *testing.T) {
	sums := SumPresence(presenceSalt, []PresenceHash{presenceA}, []PresenceHash{presenceB, presenceB})
	b := uint64(0x96d76e474220d074)
	for i, sum := range sums {
		if want := map[int]uint64{0: 0xbd82efe9507af95e, 63: 2 * b}[i]; sum != want {
			t.Errorf("range %d: %x", i, sum)
		}
	}
	if presenceA.Compare(presenceB) != -1 || presenceB.Compare(presenceA) != 1 || presenceB.Range() != 63 {
		t.Error("order")
	}
}

func TestPresenceRefused(t *testing.T) {
	many := strings.Repeat
	home := func(number, flags, before, address, version, state string) string {
		return "05" + number + flags + recordHomeHex + before + address + version + "00" + state
	}
	const hop, hash = "0102030405060708", "ff02030405060708"
	for _, tc := range []struct {
		layout, hex string
		want        error
	}{
		{"presence home", home("43e8", "01", "00", "00", "80012345", presenceStateHex), ErrLimit}, // number 1000
		{"presence home", home("00", "04", "00", "00", "80012345", presenceStateHex), ErrInvalid}, // flags
		{"presence home", home("00", "00", "08"+many(hop, 8), "00", "80012345", presenceStateHex), ErrLimit},
		{"presence home", home("00", "00", "07"+many(hop, 6), "", "", ""), ErrTruncated},
		{"presence home", home("00", "00", "00", "65"+many("61", 101), "80012345", presenceStateHex), ErrLimit},
		{"presence home", home("00", "00", "00", "01 0a", "80012345", presenceStateHex), ErrInvalid},
		{"presence home", home("00", "00", "00", "00", "80012344", presenceStateHex), ErrInvalid}, // below the state
		{"presence home", home("00", "00", "00", "00", "80012345", presenceStateHex+"00"), ErrInvalid},
		{"presence home", home("00", "00", "00", "00", "80012345",
			strings.Replace(presenceStateHex, "0000019a", "8000019a", 1)), ErrLimit}, // time
		{"presence home", home("00", "00", "00", "00", "80012345",
			strings.Replace(presenceStateHex, " 02 ", "c000000100000000", 1)), ErrLimit}, // count
		{"presence gone", "01", ErrTruncated},
		{"presence gone", "01 43e8", ErrLimit},
		{"presence gone", "01 05 43", ErrTruncated},
		{"presence news", "01", ErrTruncated},
		{"presence news", "01 05", ErrTruncated},
		{"presence news", "01 05 03", ErrUnknown},
		{"presence news", "01 43e8 01 01 00 00", ErrLimit},
		{"presence news", "01 05 01 01 02 00" + hash, ErrTruncated},
		{"presence news", "01 05 01 01 00 02" + hash, ErrTruncated},
		{"presence news", "01 05 01 01 ffffffffffffffff ffffffffffffffff" + hash, ErrTruncated},
		{"presence news", "01 05 02 01 00 00", ErrInvalid},
		{"presence news", "01 05 02 01 00 02" + many(hash, 3), ErrTruncated},
		{"presence news", "01 05 01 01 00 00 06", ErrTruncated},
		{"presence compare", "01 05 0102", ErrTruncated},
		{"presence compare", "01 05 0102030405060708" + many(hash, 63), ErrTruncated},
		{"presence compare", "01 05 0102030405060708" + many(hash, 65), ErrInvalid},
		{"presence contents", "01 05 00" + hop + hash + hash[:14], ErrTruncated},
		{"presence contents", "01 05 02" + hop + hash, ErrInvalid},
		{"presence contents", "01 05 02" + hop + hash + hash, ErrTruncated},
		{"presence contents", "01 05 04" + hop + hash, ErrInvalid},
	} {
		v, err := layouts[tc.layout].parse(unhex(t, tc.hex))
		var format *FormatError
		if !errors.Is(err, tc.want) || !errors.As(err, &format) {
			t.Errorf("%s %.80s: %+v, %v; want %v", tc.layout, tc.hex, v, err, tc.want)
		}
	}
	if _, err := PresenceSerial(nil); !errors.Is(err, ErrTruncated) {
		t.Error(err)
	}
	if n, err := PresenceSerial([]byte{0x41, 0x23, 0xff}); n != 0x123 || err != nil {
		t.Error(n, err)
	}
}

// What a message is said to hold, it holds, however large the numbers are.
func TestPresenceFits(t *testing.T) {
	state := goldenPresence()
	state.Sequence, state.Count, state.Boot = maxVarint, 1<<32-1, 1<<64-1
	home := &PresenceHome{Serial: maxVarint, Number: 999, Before: make([]RelayID, MaxHops-1),
		Version: maxVarint,
		Address: strings.Repeat("a", maxPresenceAddress), State: state}
	if n := Size(home); n > MaxUrgent {
		t.Errorf("a home has %d bytes", n)
	}
	contents := &PresenceContents{Serial: maxVarint, Number: 999,
		Hashes: make([]PresenceHash, PresenceContentsMost)}
	if n := Size(contents); n > MaxUrgent {
		t.Errorf("contents have %d bytes", n)
	}
	contents.Hashes, contents.Whole = nil, make([]identity.Fingerprint, PresenceContentsMost/2)
	if n := Size(contents); n > MaxUrgent {
		t.Errorf("contents have %d bytes", n)
	}
	if n := Size(&PresenceCompare{Serial: maxVarint, Number: 999, Sums: make([]uint64, 64)}); n > MaxUrgent {
		t.Errorf("a comparison has %d bytes", n)
	}
	item := PresenceItem{Number: 999, Rise: maxVarint, Left: make([]PresenceHash, 3)}
	if got := Size(&PresenceNews{Items: []PresenceItem{item}}); got != 1+item.Size() {
		t.Errorf("an item of %d bytes takes %d", item.Size(), got-1)
	}
}

// presence makes messages up.
func (r random) presence(name string) any {
	hashes := func(low, high int) (list []PresenceHash) {
		for range low + r.IntN(high+1-low) {
			list = append(list, PresenceHash(r.eight()))
		}
		return list
	}
	whole := func(n int) (list []identity.Fingerprint) {
		for range n {
			list = append(list, [16]byte(r.bytes(16, 16)))
		}
		return list
	}
	state := PresenceState{Boot: r.Uint64(), Sequence: r.varint(), Count: r.Uint32(), Time: r.Uint64() >> 1,
		Digest: [16]byte(r.bytes(16, 16)), Signature: [64]byte(r.bytes(64, 64))}
	number := r.Uint64N(MaxPresenceHomes)
	switch name {
	case "presence home":
		m := PresenceHome{Serial: r.varint(), Number: number, PassOn: r.IntN(2) == 0, Afresh: r.IntN(2) == 0,
			Version: maxVarint, Home: [32]byte(r.bytes(32, 32)), Age: uint8(r.IntN(256)), State: state,
			Address: r.text(0, 20)}
		if r.IntN(2) == 0 {
			m.Before = slices.Repeat([]RelayID{r.eight()}, 1+r.IntN(MaxHops-1))
		}
		return m
	case "presence gone":
		return PresenceGone{r.varint(), []uint64{number, r.Uint64N(MaxPresenceHomes)}}
	case "presence news":
		return PresenceNews{r.varint(), []PresenceItem{{Number: number, State: &state},
			{Number: 1, Rise: r.varint(), Left: hashes(0, 20), Came: hashes(0, 20)},
			{Number: number, Rise: 1, Left: hashes(0, 3), Whole: whole(1 + r.IntN(20))}}}
	case "presence compare":
		m := PresenceCompare{Serial: r.varint(), Number: number, Salt: r.eight()}
		for range PresenceRanges * r.IntN(2) {
			m.Sums = append(m.Sums, binary.BigEndian.Uint64(r.bytes(8, 8)))
		}
		return m
	}
	m := PresenceContents{Serial: r.varint(), Number: number, Last: r.IntN(2) == 0, From: r.eight(),
		Through: r.eight()}
	if r.IntN(2) == 0 {
		m.Whole = whole(1 + r.IntN(20))
	} else {
		m.Hashes = hashes(0, 50)
	}
	return m
}

// Receivers keep what they are told long after the packet's memory is used again.
func TestPresenceDoesNotAlias(t *testing.T) {
	for _, g := range presenceGoldens() {
		b := unhex(t, g.hex)
		got, err := layouts[g.layout].parse(b)
		if err != nil {
			t.Fatal(err)
		}
		copy(b, bytes.Repeat([]byte{0xff}, len(b)))
		if d := diff(g.want, got); d != "" {
			t.Errorf("%s changed with what it was read from %s", g.layout, d)
		}
	}
}
