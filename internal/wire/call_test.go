package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/wzp-voice/wzp/identity"
)

// A path by hand, from docs/protocol.md, section 13: seed of 32 bytes 0x63, generation 0x12345, expiry
// 0x0102030405060708. Key, id and signatures were computed by another program (Python, hashlib and
// cryptography) from the document alone; the proof is for the relay of the seed of 32 bytes 0x63, and a
// session of that of 0x2a.
const (
	pathKeyHex     = "a7f6dfaf8f38b89ba8ce649b594f91e4d01fdc57f9c9493df43b5e50a9987367"
	pathIDHex      = "2e4d43ebce22f328b1b5ca33b3dee6d9"
	forwardSignHex = "b602edc37f48e9279c5776d0c1a02a5f3bd51a49bd6a6f3dc4f2950615b9751a" +
		"79bbba3ab7d44b10f6fc7806ba98bb39c296a87f8e19000fbced738f533e7e0a"
	proofSignHex = "7f491ddda92182414b3de18ce56056ea125b60a3e4072c979eb42c3dfc014c86" +
		"ce323f19db844aef2ce85bd74f73e2d7bdb75af75bdf25051f3e4b3426f2d000"
	forwardHeadHex = pathKeyHex + "80012345 0102030405060708 101112131415161718191a1b1c1d1e1f" +
		"d0d1d2d3d4d5d6d7"
)

func goldenSeed() PathSeed { return PathSeed(bytes.Repeat([]byte{0x63}, 32)) }

func goldenForward() CallForward {
	f := CallForward{Generation: 0x12345, Expiry: 0x0102030405060708, Source: relayNear, Hops: 8,
		Offer: []byte{0xaa, 0xbb, 0xcc}}
	hex.Decode(f.Key[:], []byte(pathKeyHex))
	count(f.Target[:], 0x10)
	count(f.Device[:], 0xd0)
	hex.Decode(f.Signature[:], []byte(forwardSignHex))
	return f
}

func goldenProof() *CallProof {
	p := &CallProof{Generation: 0x12345, Expiry: 0x0102030405060708}
	hex.Decode(p.Key[:], []byte(pathKeyHex))
	hex.Decode(p.Signature[:], []byte(proofSignHex))
	return p
}

// callGoldens are the messages of paths.
func callGoldens() []golden {
	id := PathID(unhexed(pathIDHex))
	bare := goldenForward()
	bare.Source, bare.Hops, bare.Generation, bare.Offer = RelayID{}, 1, 1, []byte{}
	return []golden{
		{"call forward", forwardHeadHex + "0102030405060708 08" + forwardSignHex + "aabbcc", goldenForward()},
		{"call forward", strings.Replace(forwardHeadHex, "80012345", "01", 1) + "0000000000000000 01" +
			forwardSignHex, bare},
		{"call state", pathIDHex + "80012345 00", CallState{id, 0x12345, CallSetUp}},
		{"call state", pathIDHex + "01 ff", CallState{id, 1, 255}}, // of a later version
		{"call message", pathIDHex + "0102ff", CallMessage{id, []byte{1, 2, 0xff}}},
		{"call end", pathIDHex + "80012345 03", CallEnd{id, 0x12345, EndReplaced}},
		{"call end", pathIDHex + "ffffffffffffffff 00", CallEnd{id, maxVarint, EndHungUp}},
		{"call media", pathIDHex, CallMedia{Path: id}},
		{"call media", pathIDHex + pathKeyHex + "80012345 0102030405060708" + proofSignHex,
			CallMedia{id, goldenProof()}},
	}
}

func unhexed(s string) []byte {
	b, _ := hex.DecodeString(s)
	return b
}

func TestPathNames(t *testing.T) {
	seed := goldenSeed()
	key := seed.Key()
	id := PathIDOf(key)
	if key.String() != pathKeyHex || id.String() != pathIDHex || id.Room().String() != pathIDHex[:16] {
		t.Errorf("%v, %v, %v", key, id, id.Room())
	}
	if f := goldenForward(); f.Path() != id {
		t.Errorf("a forward's path is %v", f.Path())
	}
	if another := NewPathSeed(); another == NewPathSeed() {
		t.Error("two seeds are the same")
	}
	if s := fmt.Sprintf("%v %s %d", seed, seed, 1); strings.Contains(s, "63") || strings.Contains(s, "cccc") {
		t.Errorf("a seed is printed: %s", s)
	}
	if CallStale.String() != "stale" || CallCode(8).String() != "unknown" ||
		EndTooMany.String() != "too many" || EndReason(5).String() != "unknown" {
		t.Error("codes have wrong names")
	}
}

func TestForwardSignature(t *testing.T) {
	want := goldenForward()
	f := want
	f.Key, f.Signature = identity.PublicKey{}, [64]byte{}
	f.Sign(goldenSeed())
	if d := diff(want, f); d != "" {
		t.Fatal(d)
	}
	for name, change := range map[string]func(f *CallForward){
		"":       func(*CallForward) {},
		"source": func(f *CallForward) { f.Source[0]++ }, // relays rewrite it
		"hops":   func(f *CallForward) { f.Hops-- },
	} {
		changed := goldenForward()
		if change(&changed); !changed.Verify() {
			t.Errorf("with another %q it does not verify", name)
		}
	}
	for name, change := range map[string]func(f *CallForward){
		"key":        func(f *CallForward) { f.Key = PathSeed{1}.Key() },
		"no key":     func(f *CallForward) { f.Key = identity.PublicKey{} },
		"generation": func(f *CallForward) { f.Generation++ },
		"expiry":     func(f *CallForward) { f.Expiry++ },
		"target":     func(f *CallForward) { f.Target[15]++ },
		"device":     func(f *CallForward) { f.Device[7]++ },
		"offer":      func(f *CallForward) { f.Offer = []byte{0xaa, 0xbb} },
		"signature":  func(f *CallForward) { f.Signature = goldenProof().Signature },
	} {
		changed := goldenForward()
		if change(&changed); changed.Verify() {
			t.Errorf("another %s verifies", name)
		}
	}
}

func TestLegProof(t *testing.T) {
	relay, session := filled(0x63).Public(), filled(0x2a).Public()
	m := CallMedia{PathIDOf(goldenSeed().Key()), &CallProof{Generation: 0x12345, Expiry: 0x0102030405060708}}
	m.Proof.Sign(goldenSeed(), relay, session)
	if d := diff(goldenProof(), m.Proof); d != "" || !m.Verify(relay, session) {
		t.Fatal(d)
	}
	if m.Verify(session, session) || m.Verify(relay, relay) {
		t.Error("it serves at another relay, or for another session")
	}
	for name, change := range map[string]func(m *CallMedia){
		"path":       func(m *CallMedia) { m.Path[0]++ },
		"key":        func(m *CallMedia) { m.Proof.Key = PathSeed{1}.Key() },
		"generation": func(m *CallMedia) { m.Proof.Generation++ },
		"expiry":     func(m *CallMedia) { m.Proof.Expiry++ },
		"signature":  func(m *CallMedia) { m.Proof.Signature = goldenForward().Signature },
		"no proof":   func(m *CallMedia) { m.Proof = nil },
	} {
		changed := CallMedia{m.Path, goldenProof()}
		if change(&changed); changed.Verify(relay, session) {
			t.Errorf("another %s verifies", name)
		}
	}
	// Another path's key with its own id and signature is simply another path.
	other := CallMedia{PathIDOf(PathSeed{1}.Key()), &CallProof{Generation: 1, Expiry: 1}}
	if other.Proof.Sign(PathSeed{1}, relay, session); !other.Verify(relay, session) {
		t.Error("a path of another seed has no proof")
	}
}

func TestCallRefused(t *testing.T) {
	many := strings.Repeat
	forward := func(generation, hops, offer string) string {
		return strings.Replace(forwardHeadHex, "80012345", generation, 1) + "0102030405060708" + hops +
			forwardSignHex + offer
	}
	proof := "0102030405060708" + proofSignHex
	for _, tc := range []struct {
		layout, hex string
		want        error
	}{
		{"call forward", "", ErrTruncated},
		{"call forward", forward("00", "08", "aa"), ErrInvalid}, // generation 0
		{"call forward", forward("01", "00", "aa"), ErrInvalid}, // no hops
		{"call forward", forward("01", "09", "aa"), ErrLimit},
		{"call forward", forward("01", "08", many("aa", MaxOffer+1)), ErrLimit},
		{"call forward", forwardHeadHex + "0102030405060708 08" + forwardSignHex[2:], ErrTruncated},
		{"call state", pathIDHex + "00 00", ErrInvalid},
		{"call state", pathIDHex + "01", ErrTruncated},
		{"call state", pathIDHex + "01 00 00", ErrInvalid},
		{"call message", pathIDHex, ErrInvalid},
		{"call message", pathIDHex[2:], ErrTruncated},
		{"call message", pathIDHex + many("aa", MaxCallMessage+1), ErrLimit},
		{"call end", pathIDHex + "00 00", ErrInvalid},
		{"call end", pathIDHex + "01 00 00", ErrInvalid},
		{"call end", pathIDHex, ErrTruncated},
		{"call media", pathIDHex + "00", ErrTruncated},
		{"call media", pathIDHex + pathKeyHex + "00" + proof, ErrInvalid},
		{"call media", pathIDHex + pathKeyHex + "01" + proof + "00", ErrInvalid},
	} {
		v, err := layouts[tc.layout].parse(unhex(t, tc.hex))
		var format *FormatError
		if !errors.Is(err, tc.want) || !errors.As(err, &format) {
			t.Errorf("%s %.90s: %+v, %v; want %v", tc.layout, tc.hex, v, err, tc.want)
		}
	}
}

// The largest of each fits a frame.
func TestCallFitsUrgent(t *testing.T) {
	f := CallForward{Generation: maxVarint, Hops: MaxHops, Offer: make([]byte, MaxOffer)}
	m := CallMessage{Body: make([]byte, MaxCallMessage)}
	if Size(&f) > MaxUrgent || Size(&m) > MaxUrgent {
		t.Errorf("a forward has %d bytes, a message %d", Size(&f), Size(&m))
	}
	if _, err := Parse[CallForward](Append(nil, &f)); err != nil {
		t.Error(err)
	}
	if _, err := Parse[CallMessage](Append(nil, &m)); err != nil {
		t.Error(err)
	}
}

func (r random) callForward() CallForward {
	f := CallForward{Generation: 1 | r.varint(), Expiry: r.Uint64(), Device: r.eight(), Source: r.eight(),
		Hops: uint8(1 + r.IntN(MaxHops)), Offer: r.bytes(0, MaxOffer)}
	r.fill(f.Key[:])
	r.fill(f.Target[:])
	r.fill(f.Signature[:])
	return f
}

func (r random) pathID() (p PathID) { r.fill(p[:]); return p }

func (r random) callMedia() CallMedia {
	m := CallMedia{Path: r.pathID()}
	if r.IntN(2) == 0 {
		m.Proof = &CallProof{Generation: 1 | r.varint(), Expiry: r.Uint64()}
		r.fill(m.Proof.Key[:])
		r.fill(m.Proof.Signature[:])
	}
	return m
}
