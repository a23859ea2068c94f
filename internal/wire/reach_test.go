package wire

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Made by another program (Python, cryptography 48) from section 11 alone.
const goldenReachHex = "0100d335301856dc5f763fb71fbec9728840d3feb078855e184dce5b0769fcda04bc404142434445464748494a4b4c4d" +
	"4e4f505152535455565758595a5b5c5d5e5fd12d385331068c9e45882abba6a8c6b34115bc4331d1067616c2d3a837ac" +
	"fe50010203040506070800000000713fb300090ee438a1a8b2469540a392abea96866070f977491a664f37e8ab81a056" +
	"b17c608f320387553c638e6bef75ef67238b107b389fc831af7341a746141a7d0e03"

func goldenReach() Reach {
	r := Reach{Identity: filled(0x2a).Public(), HomeRelay: filled(0x63).Public(),
		Sequence: 0x0102030405060708, Expiry: 1900000000}
	count(r.StayKey[:], 0x40)
	return r
}

func TestReach(t *testing.T) {
	want, b := goldenReach(), unhex(t, goldenReachHex)
	if got := SignReach(filled(0x2a), want); !bytes.Equal(got, b) || len(b) != ReachSize {
		t.Errorf("written as %x", got)
	}
	got, err := ParseReach(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(&want, got); d != "" {
		t.Error(d)
	}
	if d := got.Device().String(); d != "864326c7f2a8db54" {
		t.Error("device", d)
	}
	if p := HashPresence(got.Identity.Fingerprint()).String(); p != "898516f6e3cde9aa" {
		t.Error("presence hash", p)
	}
	for n := range b {
		if _, err := ParseReach(b[:n:n]); !errors.Is(err, ErrTruncated) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	for at := range b {
		other := bytes.Clone(b)
		other[at] ^= 0x20
		if r, err := ParseReach(other); err == nil {
			t.Errorf("byte %d may be another one: %+v", at, r)
		}
	}
	if _, err := ParseReach(append(bytes.Clone(b), 0)); !errors.Is(err, ErrInvalid) {
		t.Errorf("a byte too many: %v", err)
	}
	if code := CodeOf(errReachSign); code != CodeRecord {
		t.Error(code)
	}
}

func TestReachFresh(t *testing.T) {
	r := goldenReach()
	expiry := time.Unix(r.Expiry, 0)
	for before, want := range map[time.Duration]bool{
		0: true, MaxReach: true, MaxReach + reachSkew: true, -reachSkew + time.Second: true,
		-reachSkew: false, MaxReach + reachSkew + time.Second: false, 1 << 60: false, -1 << 60: false,
	} {
		if got := r.Fresh(expiry.Add(-before)); got != want {
			t.Errorf("%v before its expiry: %v", before, got)
		}
	}
	r.Expiry = 1<<63 - 1
	if r.Fresh(expiry) {
		t.Error("a record that never expires is fresh")
	}
}

// A record may say that offers are kept for the device while it is away; nothing else is known of flags.
func TestReachAway(t *testing.T) {
	r := goldenReach()
	expiry := time.Unix(r.Expiry, 0)
	r.Keep = true
	b := SignReach(filled(0x2a), r)
	if got, err := ParseReach(b); err != nil || !got.Keep || b[1] != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if plain := unhex(t, goldenReachHex); bytes.Equal(b[len(b)-64:], plain[len(plain)-64:]) {
		t.Error("the flag is not signed")
	}
	for _, flags := range []byte{2, 3, 0x80, 0xff} {
		body := bytes.Clone(b[:len(b)-64])
		body[1] = flags
		signed := append(body, filled(0x2a).Sign(reachKind, body)...)
		if r, err := ParseReach(signed); !errors.Is(err, ErrInvalid) {
			t.Errorf("flags %x: %+v, %v", flags, r, err)
		}
	}
	for after, want := range map[time.Duration]bool{
		0: true, -MaxReach - reachSkew: true, -MaxReach - reachSkew - time.Second: false,
		23 * time.Hour:                    true,
		MaxAway + reachSkew - time.Second: true, MaxAway + reachSkew: false, 1 << 60: false, -1 << 60: false,
	} {
		r.Keep = true
		if got := r.Away(expiry.Add(after)); got != want {
			t.Errorf("%v after its expiry: %v", after, got)
		}
		if r.Keep = false; r.Away(expiry.Add(after)) {
			t.Errorf("%v after its expiry it is away without having asked for it", after)
		}
	}
}

func FuzzReach(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := ParseReach(b)
		if format := new(FormatError); err != nil && !errors.As(err, &format) {
			t.Errorf("%v is no FormatError", err)
		}
		if len(b) < ReachSize {
			return
		}
		id, body := filled(0x2a), bytes.Clone(b[:ReachSize-64])
		public := id.Public()
		copy(body[2:], public[:])
		b = append(bytes.Clone(body), id.Sign(reachKind, body)...)
		r, err := ParseReach(b)
		if err == nil && !bytes.Equal(SignReach(id, *r), b) {
			t.Errorf("%+v is written otherwise", r)
		}
	})
}
