package wire

import (
	"bytes"
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
		"31068c9e45882abba6a8c6b34115bc4331d1067616c2d3a837acfe50000102030405060708090a0b0c0d0e0f40414243" +
		"4445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f29c24e632af6e733acef23f01907a7e73277001e" +
		"a754c85020e6ff60413e0daef9f843be9be3ca01dc50796fa70b400faba906084b774243f216b7e695d80204",
		"3e0068cb598f2e864d435052b809bfe5d8a55abc0a2d44f0cc101e09fd9307f9"},
	{"010105636166c3a903416e6ed335301856dc5f763fb71fbec9728840d3feb078855e184dce5b0769fcda04bcd12d3853" +
		"31068c9e45882abba6a8c6b34115bc4331d1067616c2d3a837acfe50000102030405060708090a0b0c0d0e0f40414243" +
		"4445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f70717273" +
		"7475767778797a7b7c7d7e7f0b92038b29d5528dd86cec5404d8ab69a415147e470281cdaeb867fa148883550740c074" +
		"3e61a6b5b033e65b2116c5bb383d4da3e40c3b9c5d9b2a685326390b",
		"7a9402c3507c58583203f8a080a47d44ac0f2f76fb01d49f3a78d638046b0119"},
}

func goldenEntry(proof bool) MemberEntry {
	e := MemberEntry{Room: "café", Name: "Ann", Identity: filled(0x2a).Public(),
		HomeRelay: filled(0x63).Public()}
	count(e.Nonce[:], 0)
	count(e.JoinKey[:], 0x40)
	if proof {
		e.Proof = new([32]byte)
		count(e.Proof[:], 0x60)
	}
	return e
}

func TestEntryGolden(t *testing.T) {
	for i, g := range goldenEntries {
		e, b := goldenEntry(i == 1), unhex(t, g.hex)
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
		if i == 1 {
			end -= len(e.Proof)
		}
		want := bytes.Clone(b[:end])
		want[1] = entryFlagProof
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
		"flag 2":    {change(func(b []byte) []byte { b[1] = 2; return b }), ErrInvalid},
		"no proof":  {change(func(b []byte) []byte { b[1] = 1; return b }), ErrTruncated},
		"no room": {change(func(b []byte) []byte { b[2] = 0; return append(b[:3:3], b[8:]...) }),
			ErrInvalid},
		"_room":        {change(func(b []byte) []byte { b[3] = '_'; return b }), ErrInvalid},
		"room control": {change(func(b []byte) []byte { b[3] = 7; return b }), ErrInvalid},
		"room UTF-8":   {change(func(b []byte) []byte { b[3] = 0xff; return b }), ErrInvalid},
		"name control": {change(func(b []byte) []byte { b[9] = 7; return b }), ErrInvalid},
		"401 bytes":    {append(bytes.Clone(good), make([]byte, MaxEntry)...), ErrLimit},
	} {
		if e, err := ParseEntry(tc.b); !errors.Is(err, tc.want) {
			t.Errorf("%s: %+v, %v; want %v", name, e, err, tc.want)
		}
	}
}

func TestSignEntryRefuses(t *testing.T) {
	e := goldenEntry(false)
	e.Room = "_x"
	if b, err := SignEntry(filled(0x2a), e); b != nil || CodeOf(err) != CodeRoomName {
		t.Errorf("%x, %v", b, err)
	}
	e = goldenEntry(false)
	e.Name = strings.Repeat("x", 65)
	if b, err := SignEntry(filled(0x2a), e); b != nil || !errors.Is(err, ErrLimit) ||
		CodeOf(err) != CodeEntry {
		t.Errorf("%x, %v", b, err)
	}
}

func TestLargestEntry(t *testing.T) {
	e := goldenEntry(true)
	e.Room, e.Name = strings.Repeat("r", 64), strings.Repeat("n", 64)
	b, err := SignEntry(filled(0x2a), e)
	if err != nil || len(b) != 340 {
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
