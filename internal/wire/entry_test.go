package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wzp-voice/wzp/identity"
)

// filled is an identity whose seed is one byte 32 times, as in the vectors of docs/.
func filled(b byte) *identity.Identity {
	return identity.SeedFromBytes([32]byte(bytes.Repeat([]byte{b}, 32))).Identity()
}

// count fills b with start, start+1, ...
func count(b []byte, start byte) {
	for i := range b {
		b[i] = start + byte(i)
	}
}

// Made by another program (Python, cryptography 48) from section 5.1 alone.
var goldenEntries = []struct{ hex, hash string }{
	{"010005636166c3a903416e6ed335301856dc5f763fb71fbec9728840d3feb078855e184dce5b0769fcda04bcd12d3853" +
		"31068c9e45882abba6a8c6b34115bc4331d1067616c2d3a837acfe50baecf96553874381fb31a6bf5497754da3ea4906" +
		"7a6e2299f36a355983a0f18f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5fdd48fc52" +
		"58d778d6d1e97d9ddbc12573f8fcb0f8efedaa2016543bca9746c85e29e2632627b264ba6da816349cb7b3ebd8756b4c" +
		"53c15d3d058e101cf4c8e80a",
		"668375b311257b3fb3e71aa21f0465b84ffa33104104df25037b5c10635cab19"},
	{"010105636166c3a903416e6ed335301856dc5f763fb71fbec9728840d3feb078855e184dce5b0769fcda04bcd12d3853" +
		"31068c9e45882abba6a8c6b34115bc4331d1067616c2d3a837acfe50baecf96553874381fb31a6bf5497754da3ea4906" +
		"7a6e2299f36a355983a0f18f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60616263" +
		"6465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f89764d8224f225109337960063ebbb267e4e39e2" +
		"15a9f22d4ccaf2c0350af121d9b48198dd24b1b2dd56c502cb4038260b7ffd9946155a39cf41f188dbafe701",
		"4e9e9f2ffdbc53f6c13b825d723fde1dffabf7a2ca3e2f161ce135c9e8bce386"},
	{"010205636166c3a903416e6ed335301856dc5f763fb71fbec9728840d3feb078855e184dce5b0769fcda04bcd12d3853" +
		"31068c9e45882abba6a8c6b34115bc4331d1067616c2d3a837acfe507a7866cf14fdac6c7cb59f70754d08ae6fededea" +
		"9092995f7ad7c456c1f007d0404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f668375b3" +
		"11257b3fb3e71aa21f0465b84ffa33104104df25037b5c10635cab19000102030405060708090a0b0c0d0e0f10111213" +
		"1415161718191a1b1c1d1e1f41ffc47b28ba4f85ffba501832203f899e49035ca6fbcd27b124f780d962e83f0cf8d845" +
		"838a29c06878b655dd9992add42b1f0bffdaedf4b935f7ea19a43e0e",
		"8837416ca5626951388bd1157700f9332ea993151044a01d30ed712c91bbf4ec"},
	{"010305636166c3a903416e6ed335301856dc5f763fb71fbec9728840d3feb078855e184dce5b0769fcda04bcd12d3853" +
		"31068c9e45882abba6a8c6b34115bc4331d1067616c2d3a837acfe507a7866cf14fdac6c7cb59f70754d08ae6fededea" +
		"9092995f7ad7c456c1f007d0404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f4e9e9f2f" +
		"fdbc53f6c13b825d723fde1dffabf7a2ca3e2f161ce135c9e8bce386000102030405060708090a0b0c0d0e0f10111213" +
		"1415161718191a1b1c1d1e1f606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f362c47bc" +
		"d3410a54a8e849178f0a2891bef1402ac1cb8d89b69cbda43776aec8819492ee1e9e57fd2cc9c28361490edf28f9b7c7" +
		"7744988b70e8ffa4e00c080a",
		"c99809695c164c57b0fd5a10f8712802f89de6018164a03a05e5dbe2dd0695d5"},
}

// goldenEntry is what the golden entries say: 1 and 3 have a proof, 2 and 3 replace 0 and 1.
func goldenEntry(i int) MemberEntry {
	e := MemberEntry{Room: "café", Name: "Ann", Identity: filled(0x2a).Public(),
		HomeRelay: filled(0x63).Public()}
	var secret StaySecret
	count(secret[:], 0)
	e.Commitment = secret.Commitment()
	if i >= 2 {
		e.Replaces = &StayProof{Secret: secret}
		hex.Decode(e.Replaces.Entry[:], []byte(goldenEntries[i-2].hash))
		count(secret[:], 0x80)
		e.Commitment = secret.Commitment()
	}
	count(e.JoinKey[:], 0x40)
	if i%2 == 1 {
		e.Proof = new([32]byte)
		count(e.Proof[:], 0x60)
	}
	return e
}

func TestEntryGolden(t *testing.T) {
	for i, g := range goldenEntries {
		e, b := goldenEntry(i), unhex(t, g.hex)
		got, err := SignEntry(filled(0x2a), e)
		if err != nil || !bytes.Equal(got, b) {
			t.Errorf("SignEntry: %x, %v; want %x", got, err, b)
		}
		p, err := ParseEntry(b)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(e, *p); d != "" {
			t.Errorf("ParseEntry (-want +got):\n%s", d)
		}
		if hash := HashEntry(b); !bytes.Equal(hash[:], unhex(t, g.hash)) {
			t.Errorf("HashEntry = %x, want %s", hash, g.hash)
		}
		if id := EntryID(b); id.String() != g.hash[:12] || HashEntry(b).Member() != id {
			t.Errorf("EntryID = %v, want the beginning of %s", id, g.hash)
		}
		for n := range b {
			if _, err := ParseEntry(b[:n:n]); !errors.Is(err, ErrTruncated) {
				t.Errorf("%d bytes: %v, want ErrTruncated", n, err)
			}
		}
	}
}

// The room proof covers all bytes before it, and whether it is there.
func TestProved(t *testing.T) {
	for i, g := range goldenEntries {
		b := unhex(t, g.hex)
		e, err := ParseEntry(b)
		if err != nil {
			t.Fatal(err)
		}
		end := len(b) - identity.SignatureSize
		if i%2 == 1 {
			end -= len(e.Proof)
		}
		want := bytes.Clone(b[:end])
		want[1] |= entryFlagProof
		if got := e.Proved(); !bytes.Equal(got, want) {
			t.Errorf("%x, want %x", got, want)
		}
	}
}

// No byte of an entry can change without its being refused.
func TestEntryIsSigned(t *testing.T) {
	for _, g := range goldenEntries {
		b := unhex(t, g.hex)
		for i := range b {
			b[i] ^= 1 << (i % 8)
			if e, err := ParseEntry(b); err == nil {
				t.Errorf("byte %d changed: %+v", i, e)
			}
			b[i] ^= 1 << (i % 8)
		}
		if _, err := ParseEntry(append(b, 0)); !errors.Is(err, ErrInvalid) {
			t.Errorf("a byte too many: %v", err)
		}
	}
}

// resign makes the entry b one of the identity 2a, if its lengths leave room for the key.
func resign(b []byte) []byte {
	const tail = identity.SignatureSize
	id := filled(0x2a)
	if len(b) < 4+tail || 3+int(b[2]) >= len(b) {
		return nil
	}
	key := 4 + int(b[2]) + int(b[3+int(b[2])])
	signed := bytes.Clone(b[:len(b)-tail])
	if key+32 > len(signed) {
		return nil
	}
	pub := id.Public()
	copy(signed[key:], pub[:])
	return append(signed, id.Sign(entryKind, signed)...)
}

func TestEntryRefuses(t *testing.T) {
	good := unhex(t, goldenEntries[0].hex)
	if _, err := ParseEntry(resign(good)); err != nil {
		t.Fatal(err)
	}
	change := func(f func(b []byte) []byte) []byte { return resign(f(bytes.Clone(good))) }
	for name, tc := range map[string]struct {
		b    []byte
		want error
	}{
		"version 2": {change(func(b []byte) []byte { b[0] = 2; return b }), ErrUnknown},
		"flag 4":    {change(func(b []byte) []byte { b[1] = 4; return b }), ErrInvalid},
		"no proof":  {change(func(b []byte) []byte { b[1] = 1; return b }), ErrTruncated},
		"no stay":   {change(func(b []byte) []byte { b[1] = 2; return b }), ErrTruncated},
		"no room": {change(func(b []byte) []byte { b[2] = 0; return append(b[:3:3], b[8:]...) }),
			ErrInvalid},
		"_room":        {change(func(b []byte) []byte { b[3] = '_'; return b }), ErrInvalid},
		"room control": {change(func(b []byte) []byte { b[3] = 7; return b }), ErrInvalid},
		"room UTF-8":   {change(func(b []byte) []byte { b[3] = 0xff; return b }), ErrInvalid},
		"name control": {change(func(b []byte) []byte { b[9] = 7; return b }), ErrInvalid},
		"421 bytes":    {append(bytes.Clone(good), make([]byte, MaxEntry)...), ErrLimit},
	} {
		if e, err := ParseEntry(tc.b); !errors.Is(err, tc.want) {
			t.Errorf("%s: %+v, %v; want %v", name, e, err, tc.want)
		}
	}
}

func TestSignEntryRefuses(t *testing.T) {
	e := goldenEntry(0)
	e.Room = "_x"
	if b, err := SignEntry(filled(0x2a), e); b != nil || CodeOf(err) != CodeRoomName {
		t.Errorf("%x, %v", b, err)
	}
	e = goldenEntry(0)
	e.Name = strings.Repeat("x", 65)
	if b, err := SignEntry(filled(0x2a), e); b != nil || !errors.Is(err, ErrLimit) ||
		CodeOf(err) != CodeEntry {
		t.Errorf("%x, %v", b, err)
	}
}

func TestLargestEntry(t *testing.T) {
	e := goldenEntry(3)
	e.Room, e.Name = strings.Repeat("r", 64), strings.Repeat("n", 64)
	b, err := SignEntry(filled(0x2a), e)
	if err != nil || len(b) != MaxEntry {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	page := &MemberPage{Next: &memberA}
	for range MaxPage {
		page.Entries = append(page.Entries, b)
	}
	if _, err := AppendMessage(nil, page); err != nil {
		t.Errorf("a full page of the largest entries: %v", err)
	}
	if n := len(AppendMembersJoined(AppendMembersJoined(nil, b), b)); n > MaxUrgent {
		t.Errorf("two entries take %d bytes of an urgent message", n)
	}
}

func TestRoomNames(t *testing.T) {
	for name, want := range map[string]error{
		"a": nil, "café": nil, strings.Repeat("x", 64): nil, "a_b": nil, "with space": nil, "日本": nil,
		"": ErrInvalid, "_a": ErrInvalid, strings.Repeat("x", 65): ErrLimit,
		"cafe\u0301": ErrInvalid, // not NFC
		"a\x00":      ErrInvalid, "a\n": ErrInvalid, "a\x7f": ErrInvalid, "a\u0085": ErrInvalid,
		"a\xff": ErrInvalid,
	} {
		if err := checkRoom("room name", name); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", name, err, want)
		}
	}
	for name, want := range map[string]error{
		"": nil, "_a": nil, "cafe\u0301": nil, strings.Repeat("é", 32): nil,
		strings.Repeat("é", 33): ErrLimit, "\x1b[2J": ErrInvalid, "\xc3": ErrInvalid,
	} {
		if err := CheckName(name); !errors.Is(err, want) {
			t.Errorf("name %q: %v, want %v", name, err, want)
		}
	}
}

// TestReplaces: an entry replaces the one whose hash, identity and secret it has, and no other.
func TestReplaces(t *testing.T) {
	stays := func(b []byte) (own, replaced Stay) { return StaysOf(b, HashEntry(b)) }
	var own, replaced []Stay
	for _, g := range goldenEntries {
		o, r := stays(unhex(t, g.hex))
		own, replaced = append(own, o), append(replaced, r)
	}
	for i := range own {
		for j := range replaced {
			if got, want := replaced[j] == own[i], j == i+2; got != want {
				t.Errorf("%d replaces %d: %v", j, i, got)
			}
		}
	}
	sign := func(seed byte, change func(e *MemberEntry)) []byte {
		e := goldenEntry(2)
		change(&e)
		b, err := SignEntry(filled(seed), e)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, b := range map[string][]byte{
		"another identity": sign(0x55, func(*MemberEntry) {}),
		"another secret":   sign(0x2a, func(e *MemberEntry) { e.Replaces.Secret[31]++ }),
		"another entry":    sign(0x2a, func(e *MemberEntry) { e.Replaces.Entry[31]++ }),
		"no secret":        sign(0x2a, func(e *MemberEntry) { e.Replaces = nil }),
		"no entry":         unhex(t, goldenEntries[2].hex)[:200],
		"nothing":          nil,
	} {
		if _, replaced := stays(b); replaced == own[0] {
			t.Errorf("with %s it replaces an entry", name)
		}
	}
}
