package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/wzp-voice/wzp/identity"
)

// A record by hand, from docs/protocol.md, section 9.2: room "lobby", boot 0x0102030405060708, sequence
// 0x12345, two members, whose entries are 010203 and 0405. Key, digest and signature were computed by another
// program (Python, hashlib and cryptography) from the document alone, for the seed of 32 bytes 0x63.
const (
	recordHomeHex      = "d12d385331068c9e45882abba6a8c6b34115bc4331d1067616c2d3a837acfe50"
	recordDigestHex    = "5f31a1dabfe08c2e3fccf589de4abafc347c44a03b3e9f2d3af96fe3b2e5d857"
	recordSignatureHex = "656ed3a659a2d41a1e12fccbee6f51005bbfef831b4fc0076d4f94853d6285e3" +
		"b4550b3a8cb8c448d8bd39b632bfef60a3f77f49e095411df38809476315090a"
	recordHex = recordHomeHex + "05 6c6f626279 0102030405060708 80012345 02" + recordDigestHex +
		recordSignatureHex
)

var (
	relayHome = RelayID{0x7f, 0x92, 0xa8, 0xcf, 0x08, 0x14, 0x39, 0x3c}
	relayNear = RelayID{1, 2, 3, 4, 5, 6, 7, 8}
	roomLobby = RoomHash{0x4b, 0x5d, 0xc0, 0x76, 0xe7, 0xb9, 0xc1, 0x22}
)

func goldenRecord() RoomRecord {
	r := RoomRecord{
		Home:     filled(0x63).Public(),
		Room:     "lobby",
		Boot:     0x0102030405060708,
		Sequence: 0x12345,
		Members:  2,
	}
	hex.Decode(r.Digest[:], []byte(recordDigestHex))
	r.Signature, _ = hex.DecodeString(recordSignatureHex)
	return r
}

// federationGoldens are the messages of peer links. (A function, for keys are derived to make them.)
func federationGoldens() []golden {
	const part = "7f92a8cf0814393c 4b5dc076e7b9c122"
	path := "02 0102030405060708 7f92a8cf0814393c"
	return []golden{
		{"federation room", "05" + recordHex + path + "05 616c706861 03 01 a1a2a3a4a5a6 03 010203 02 0405",
			FederationRoom{Serial: 5, Record: goldenRecord(), Path: []RelayID{relayNear, relayHome},
				Label: "alpha", Base: 3,
				Left: []MemberID{memberA}, Joined: [][]byte{{1, 2, 3}, {4, 5}}}},
		{"federation room", "4123" + recordHex + "01 7f92a8cf0814393c 00 00 00",
			FederationRoom{Serial: 0x123, Record: goldenRecord(), Path: []RelayID{relayHome}}},
		{"federation leave", "80012345" + part, FederationLeave{0x12345, relayHome, roomLobby}},
		{"federation want", "05" + part + "01", FederationWant{5, relayHome, roomLobby, true}},
		{"federation want", "ffffffffffffffff" + part + "00",
			FederationWant{maxVarint, relayHome, roomLobby, false}},
		{"federation fetch", part, FederationFetch{relayHome, roomLobby}},
		{"federation members", part + "0102030405060708 80012345 04 4100 03 010203 02 0405",
			FederationMembers{Home: relayHome, Room: roomLobby, Boot: 0x0102030405060708, Sequence: 0x12345,
				First: 4, Total: 256, Entries: [][]byte{{1, 2, 3}, {4, 5}}}},
		{"federation message", "08 4b5dc076e7b9c122 a1a2a3a4a5a6 09 b1b2b3b4b5b6",
			FederationMessage{8, roomLobby, memberA, UrgentKeysWanted, memberB[:]}},
		{"federation message", "01 4b5dc076e7b9c122 b1b2b3b4b5b6 0c a1a2a3a4a5a601020304",
			FederationMessage{1, roomLobby, memberB, UrgentKeyReceived,
				Append(nil, &KeyReceived{memberA, 0x01020304})}},
		{"key received", "a1a2a3a4a5a6 01020304", KeyReceived{memberA, 0x01020304}},
	}
}

func TestRelayAndRoomNames(t *testing.T) {
	home := filled(0x63).Public()
	id := RelayIDOf(home)
	if id != relayHome || id.String() != "7f92:a8cf:0814:393c" {
		t.Errorf("%v, want %x", id, relayHome)
	}
	if full := home.Fingerprint().String(); !strings.HasPrefix(full, id.String()+":") {
		t.Errorf("%v does not begin %s", id, full)
	}
	for room, want := range map[string]string{"lobby": "4b5dc076e7b9c122", "日本": "cf2abf0c5be326cb"} {
		if got := HashRoom(room).String(); got != want {
			t.Errorf("%s: %s, want %s", room, got, want)
		}
	}
	if relayNear.Compare(relayHome) != -1 || relayHome.Compare(relayNear) != 1 ||
		relayHome.Compare(relayHome) != 0 ||
		(RoomHash{}).Compare(roomLobby) != -1 || roomLobby.Compare(roomLobby) != 0 {
		t.Error("ids are ordered by their bytes")
	}
}

func TestMemberDigest(t *testing.T) {
	a, b := HashEntry([]byte{1, 2, 3}), HashEntry([]byte{4, 5})
	if bytes.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	if got := MemberDigest([]EntryHash{a, b}); hex.EncodeToString(got[:]) != recordDigestHex {
		t.Errorf("%x", got)
	}
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	if got := MemberDigest(nil); hex.EncodeToString(got[:]) != empty {
		t.Errorf("%x", got)
	}
}

func TestRoomRecordSignature(t *testing.T) {
	want := goldenRecord()
	r := want
	r.Home, r.Signature = identity.PublicKey{}, nil
	r.Sign(filled(0x63))
	if d := diff(want, r); d != "" {
		t.Fatal(d)
	}
	if !r.Verify() {
		t.Fatal("what home signed does not verify")
	}
	for name, change := range map[string]func(r *RoomRecord){
		"home":         func(r *RoomRecord) { r.Home = filled(0x2a).Public() },
		"no home":      func(r *RoomRecord) { r.Home = identity.PublicKey{} },
		"room":         func(r *RoomRecord) { r.Room = "lobbz" },
		"boot":         func(r *RoomRecord) { r.Boot++ },
		"sequence":     func(r *RoomRecord) { r.Sequence++ },
		"members":      func(r *RoomRecord) { r.Members++ },
		"digest":       func(r *RoomRecord) { r.Digest[31] ^= 1 },
		"signature":    func(r *RoomRecord) { r.Signature = bytes.Repeat([]byte{1}, identity.SignatureSize) },
		"short":        func(r *RoomRecord) { r.Signature = r.Signature[:63] },
		"no signature": func(r *RoomRecord) { r.Signature = nil },
	} {
		changed := goldenRecord()
		if change(&changed); changed.Verify() {
			t.Errorf("another %s verifies", name)
		}
	}
}

// A record without a signature is written all the same, and verifies nowhere.
func TestUnsignedRecord(t *testing.T) {
	r := goldenRecord()
	r.Signature = nil
	m, err := Parse[FederationRoom](Append(nil, &FederationRoom{Record: r, Path: []RelayID{relayHome}}))
	if err != nil || m.Record.Verify() {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestFederationRefused(t *testing.T) {
	many := strings.Repeat
	const part = "7f92a8cf0814393c 4b5dc076e7b9c122"
	const tail = recordDigestHex + recordSignatureHex
	const hop = "7f92a8cf0814393c"
	record := func(room, sequence, members string) string {
		return "05" + recordHomeHex + room + "0102030405060708" + sequence + members + tail + "01" + hop +
			"00 00 00"
	}
	head := "05" + recordHex
	parts := part + "0102030405060708"
	for _, tc := range []struct {
		layout, hex string
		want        error
	}{
		{"federation room", "", ErrTruncated},
		// sequence 0
		{"federation room", record("05 6c6f626279", "00", "02"), ErrInvalid},
		// members
		{"federation room", record("05 6c6f626279", "01", "c000000100000000"), ErrLimit},
		// no room
		{"federation room", record("00", "01", "02"), ErrInvalid},
		// the relays' own
		{"federation room", record("02 5f61", "01", "02"), ErrInvalid},
		// a control character
		{"federation room", record("02 610a", "01", "02"), ErrInvalid},
		// not NFC
		{"federation room", record("03 65cc81", "01", "02"), ErrInvalid},
		// not UTF-8
		{"federation room", record("01 ff", "01", "02"), ErrInvalid},
		// too long
		{"federation room", record("41"+many("61", 65), "01", "02"), ErrLimit},
		// no hops
		{"federation room", head + "00 00 00 00", ErrInvalid},
		// nine hops
		{"federation room", head + "09" + many(hop, 9) + "00 00 00", ErrLimit},
		// more than there are
		{"federation room", head + "ff" + many(hop, 8), ErrLimit},
		// fewer than it says
		{"federation room", head + "02" + hop + "00 00 00", ErrTruncated},
		// label
		{"federation room", head + "01" + hop + "41" + many("61", 65) + "00 00", ErrLimit},
		// label
		{"federation room", head + "01" + hop + "01 07 00 00", ErrInvalid},
		// left
		{"federation room", head + "01" + hop + "00 00 02 a1a2a3a4a5a6", ErrTruncated},
		// left
		{"federation room", head + "01" + hop + "00 00 ffffffffffffffff", ErrTruncated},
		// left, times 6 wraps to 2
		{"federation room", head + "01" + hop + "00 00 eaaaaaaaaaaaaaab", ErrTruncated},
		// an empty entry
		{"federation room", head + "01" + hop + "00 00 00 00", ErrInvalid},
		// entry
		{"federation room", head + "01" + hop + "00 00 00 02 aa", ErrTruncated},
		// entry
		{"federation room", head + "01" + hop + "00 00 00 ffffffffffffffff aa", ErrTruncated},
		// entry of 421
		{"federation room", head + "01" + hop + "00 00 00 41a5" + many("00", MaxEntry+1), ErrInvalid},
		// more than 1024
		{"federation room", head + "01" + hop + "00 00 00" + many("4164"+many("00", 356), 3), ErrLimit},
		{"federation leave", "05" + part + "00", ErrInvalid},
		{"federation leave", "05" + part[2:], ErrTruncated},
		{"federation want", "05" + part, ErrTruncated},
		{"federation want", "05" + part + "02", ErrInvalid},
		{"federation want", "05" + part + "01 00", ErrInvalid},
		{"federation fetch", part + "00", ErrInvalid},
		{"federation fetch", part[2:], ErrTruncated},
		{"federation members", parts + "00 00 01 01 aa", ErrInvalid}, // sequence 0
		{"federation members", parts + "01 00 01", ErrTruncated},     // no entry
		{"federation members", parts + "01 00 00 01 aa", ErrInvalid}, // of none
		{"federation members", parts + "01 01 01 01 aa", ErrInvalid}, // first above the last
		// the second above the last
		{"federation members", parts + "01 01 02 01 aa 01 bb", ErrInvalid},
		{"federation members", parts + "01 00 c000000100000000 01 aa", ErrLimit},             // total
		{"federation members", parts + "01 ffffffffffffffff 02 01 aa", ErrInvalid},           // first
		{"federation members", parts + "01 00 01 00", ErrInvalid},                            // an empty entry
		{"federation members", parts + "01 00 01 41a5" + many("00", MaxEntry+1), ErrInvalid}, // entry of 421
		{"federation members", parts + "01 00 01 02 aa", ErrTruncated},
		{"federation members", parts + "01 00 04" + many("4164"+many("00", 356), 4), ErrLimit},
		{"federation message", "00 4b5dc076e7b9c122 a1a2a3a4a5a6 08", ErrInvalid},
		{"federation message", "09 4b5dc076e7b9c122 a1a2a3a4a5a6 08", ErrLimit},
		{"federation message", "08 4b5dc076e7b9c122 a1a2a3a4a5a6", ErrTruncated},
		{"federation message", "08 4b5dc076e7b9c122 a1a2a3a4a5a6 05", ErrUnknown}, // leave
		{"federation message", "08 4b5dc076e7b9c122 a1a2a3a4a5a6 25", ErrUnknown}, // itself
		{"federation message", "08 4b5dc076e7b9c122 a1a2a3a4a5a6 08" + many("00", 1009), ErrLimit},
		{"key received", "a1a2a3a4a5a6 0102030405", ErrInvalid},
		{"key received", "a1a2a3a4a5a6 010203", ErrTruncated},
	} {
		v, err := layouts[tc.layout].parse(unhex(t, tc.hex))
		var format *FormatError
		if !errors.Is(err, tc.want) || !errors.As(err, &format) {
			t.Errorf("%s %s: %+v, %v; want %v", tc.layout, tc.hex, v, err, tc.want)
		}
	}
}

// Receivers keep what they are told long after the packet's memory is used again.
func TestFederationDoesNotAlias(t *testing.T) {
	for _, g := range federationGoldens() {
		if g.layout == "federation message" {
			continue
		}
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
}

// What has a size says the right one, and whether one more fits.
func TestFederationSizes(t *testing.T) {
	r := newRandom(9)
	for range 500 {
		m := r.federationRoom()
		if size := len(Append(nil, m)); Size(m) != size {
			t.Fatalf("%+v: %d bytes, has %d", m, Size(m), size)
		}
		entry := r.bytes(1, MaxEntry)
		p := r.federationMembers()
		size := len(Append(nil, p))
		if Size(p) != size || p.Fits(entry) != (size+len(AppendMembersJoined(nil, entry)) <= MaxUrgent) {
			t.Fatalf("%+v: %d bytes, has %d", p, Size(p), size)
		}
	}
}

// maxFederationBody is how many bytes the body of a FederationMessage has at most.
const maxFederationBody = MaxUrgent - 1 - len(RoomHash{}) - len(MemberID{}) - 1

// However long the texts and however large the numbers are, a bare room fits, with the longest path, and
// space for an entry; members go two by two at least, and every key can be passed on.
func TestFederationFitsUrgent(t *testing.T) {
	record := goldenRecord()
	record.Room, record.Sequence, record.Members = strings.Repeat("r", MaxRoomName), maxVarint, 1<<32-1
	m := &FederationRoom{Serial: maxVarint, Record: record, Path: make([]RelayID, MaxHops),
		Label: strings.Repeat("l", MaxName), Base: maxVarint}
	entry := make([]byte, MaxEntry)
	m.Joined = [][]byte{entry}
	if Size(m) > MaxUrgent {
		t.Errorf("the largest room with an entry has %d bytes", Size(m))
	}
	m.Joined, m.Left = nil, make([]MemberID, 100)
	if _, err := Parse[FederationRoom](Append(nil, m)); err != nil {
		t.Errorf("100 members left: %v", err)
	}
	p := &FederationMembers{Boot: 1<<64 - 1, Sequence: maxVarint, First: 1<<32 - 3, Total: 1<<32 - 1,
		Entries: [][]byte{entry}}
	if !p.Fits(entry) {
		t.Errorf("an entry has %d bytes", Size(p))
	}
	p.Entries = append(p.Entries, entry)
	if _, err := Parse[FederationMembers](Append(nil, p)); err != nil {
		t.Error(err)
	}
	k := goldenKey()
	k.FirstCTR = maxVarint
	k.Signed = AppendKeyHeader(nil, &k.KeyHeader)
	if n := len(Append(nil, &Key{memberA, k, make([]byte, WrapRatcheted)})); n > maxFederationBody {
		t.Errorf("a key has %d bytes", n)
	}
	full := FederationMessage{Hops: 1, Kind: UrgentKey, Body: make([]byte, maxFederationBody)}
	if b := Append(nil, &full); len(b) != MaxUrgent {
		t.Errorf("the largest message has %d bytes", len(b))
	}
}
