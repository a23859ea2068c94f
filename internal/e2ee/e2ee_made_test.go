package e2ee

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// vectorRoom has a letter of two bytes: room names are UTF-8 wherever they go.
const vectorRoom = "Küche"

// makeE2EEVectors makes all of e2ee.json. In it alice talks to bob and carol.
func makeE2EEVectors(t *testing.T) e2eeVectors {
	headers := makeHeaderVectors(t)
	wraps := makeWrapVectors(t, headers)
	return e2eeVectors{
		Source: "made for wzp (docs/protocol.md, sections 4.1, 5.1 and 7.1 to 7.4), by TestE2EEVectors of " +
			"its Go package internal/e2ee, " +
			"checked with a second implementation that was written from the document",
		Format: "bytes in hexadecimal; kid, ctr, next and first_ctr are decimal strings, for they exceed " +
			"the integers of JavaScript numbers; " +
			"what is called bad must be refused",
		KID:       makeKIDVectors(t),
		CTR:       makeCTRVectors(),
		Secret:    makeSecretVectors(),
		BadSecret: makeBadSecretVectors(),
		Proof:     makeProofVectors(t),
		Ratchet:   makeRatchetVectors(t),
		Members:   makeMembersVectors(t),
		Header:    headers,
		BadHeader: makeBadHeaderVectors(t, headers[0]),
		Wrap:      wraps,
		BadWrap:   makeBadWrapVectors(t, wraps[0]),
		LowOrder:  makeLowOrderVectors(),
		Safety:    makeSafetyVectors(t),
	}
}

func vectorSecret(name string) *Secret {
	return secretFromBytes([secretSize]byte(made("secret "+name, 32)))
}

// orNone returns the bytes of a secret, none of nil.
func orNone(s *Secret) hexBytes {
	if s == nil {
		return nil
	}
	return s.reveal()[:]
}

func vectorHash(t *testing.T, name string) wire.EntryHash {
	return wire.HashEntry(testEntry(t, vectorRoom, name, nil))
}

func makeKIDVectors(t *testing.T) (vectors []kidVector) {
	for _, v := range []kidVector{{}, {Stream: 1, Generation: 1}, {Stream: 2, Generation: 9, Step: 15},
		{Stream: 255, Generation: 15, Step: 15}} {
		v.Entry = testEntry(t, vectorRoom, fmt.Sprint("member ", len(vectors)), nil)
		hash := wire.HashEntry(v.Entry)
		member := hash.Member()
		v.EntryHash, v.Member = hash[:], member[:]
		v.KID = number(wire.MakeKID(member, v.Stream, v.Generation<<4|v.Step))
		vectors = append(vectors, v)
	}
	return vectors
}

func makeCTRVectors() (vectors []ctrVector) {
	for _, v := range []ctrVector{
		{16, 0, 0, 0}, {16, 1, 0, 0}, {16, 0x7fff, 0, 0}, {16, 0x8000, 0, 0}, {16, 0x8001, 0, 0},
		{16, 0xffff, 0, 0},
		{16, 0xffff, 0xffff, 0}, {16, 0, 0xffff, 0}, {16, 0, 0x10000, 0}, {16, 0xffff, 0x10000, 0},
		{16, 0xffff, 1, 0},
		{16, 0x9234, 0x1234, 0}, {16, 0x9235, 0x1234, 0}, {16, 0x9234, 0x41234, 0}, {16, 0x9235, 0x41234, 0},
		{16, 0x9233, 0x41234, 0},
		{16, 0x1234, 1 << 53, 0}, {16, 0xfffe, 1 << 53, 0}, {16, 5, MaxCTR, 0}, {16, 0xffff, MaxCTR, 0},
		{16, 0xfff0, MaxCTR, 0},
		{16, 0, math.MaxUint64, 0}, {16, 0x7000, math.MaxUint64, 0},
		{32, 0, 0, 0}, {32, 7, 0xfffffff0, 0}, {32, 0xffffffff, 0x100000000, 0},
		{32, 0x80000000, 0x300000000, 0}, {32, 0x80000001, 0x300000000, 0},
	} {
		v.CTR = number(wire.DecodeCounter(v.Truncated, v.Bits, uint64(v.Next)))
		vectors = append(vectors, v)
	}
	return vectors
}

func makeSecretVectors() (vectors []secretVector) {
	for _, v := range []secretVector{
		{Secret: make(hexBytes, 32), Room: "x"},
		{Secret: made("secret one", 32), Room: vectorRoom},
		{Secret: made("secret one", 32), Room: "another room"},
		{Secret: bytes.Repeat([]byte{0xff}, 32),
			Room: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
	} {
		s := secretFromBytes([secretSize]byte(v.Secret))
		v.Text, v.MediaKey, v.MemberKey = s.Text(), s.mediaKey(v.Room), s.memberKey(v.Room)
		vectors = append(vectors, v)
	}
	return vectors
}

func makeBadSecretVectors() []badSecretVector {
	// it has both '-' and '_'
	good := secretFromBytes([secretSize]byte(bytes.Repeat([]byte{0xfb, 0xef, 0xbe, 0xff}, 8))).Text()
	raw := made("secret one", 32)
	return []badSecretVector{
		{"", "empty"},
		{"wzp-", "only the prefix"},
		{"correct horse battery staple", "a password"},
		{"wzp-correcthorsebatterystaplecorrecthorsebatterystap", "a password of the right length"},
		{good[4:], "no prefix"},
		{"WZP-" + good[4:], "prefix in upper case"},
		{good[:len(good)-1], "the last character is missing"},
		{good + "A", "a character too many"},
		{good + "=", "padding"},
		{good + "\n", "a line end behind it"},
		{" " + good, "a space before it"},
		{good[:20] + "\n" + good[21:], "a line end in it"},
		{"wzp-" + base64.StdEncoding.EncodeToString(append(bytes.Repeat([]byte{0xfb, 0xef, 0xbe, 0xff}, 8),
			mustSum(good)...)), "the alphabet of base64 instead of base64url"},
		{good[:5] + "A" + good[6:], "a wrong character: the checksum says so"},
		{"wzp-" + base64.RawURLEncoding.EncodeToString(append(raw[:32:32], 0, 0, 0, 0)), "a wrong checksum"},
		{"wzp-" + base64.RawURLEncoding.EncodeToString(raw), "no checksum"},
	}
}

// mustSum returns the checksum in a secret's text.
func mustSum(text string) []byte {
	raw, err := base64.RawURLEncoding.DecodeString(text[len(secretPrefix):])
	if err != nil {
		panic(err)
	}
	return raw[secretSize:]
}

func makeProofVectors(t *testing.T) (vectors []proofVector) {
	one, other := vectorSecret("one"), vectorSecret("other")
	for _, v := range []struct {
		secret, proved *Secret
		inside         bool
	}{{one, one, true}, {one, other, false}, {one, nil, false}, {nil, nil, true}, {nil, one, false}} {
		entry := testEntry(t, vectorRoom, fmt.Sprint("proof ", len(vectors)), v.proved)
		e, err := wire.ParseEntry(entry)
		if err != nil {
			t.Fatal(err)
		}
		vector := proofVector{Secret: orNone(v.secret), Entry: entry, Inside: v.inside}
		if v.secret != nil && v.proved != nil {
			proof := v.secret.Proof(vectorRoom, e.Proved())
			vector.Proved, vector.Proof = e.Proved(), proof[:]
		}
		vectors = append(vectors, vector)
	}
	return vectors
}

func makeRatchetVectors(t *testing.T) (vectors []ratchetVector) {
	member := vectorHash(t, "alice").Member()
	for _, v := range []struct {
		suite  Suite
		secret *Secret
		w      []byte // of step 0 is 16 bytes, of a later one 32
		first  uint8
		last   uint8
		epoch  uint8 // generation << 4
		ctr    uint64
	}{
		{AES128CTRHMACSHA256Tag64, nil, made("w 1", 16), 0, 15, 0x10, 0},
		{AES128CTRHMACSHA256Tag64, vectorSecret("one"), made("w 2", 16), 0, 3, 0xf0, 65530},
		{AES128CTRHMACSHA256Tag32, vectorSecret("one"), made("w 3", 32), 5, 7, 0x00, 1 << 40},
	} {
		vector := ratchetVector{Suite: v.suite, Secret: orNone(v.secret), Room: vectorRoom}
		w, ctr := v.w, v.ctr
		for step := v.first; step <= v.last; step++ {
			kid := uint64(wire.MakeKID(member, 1, v.epoch|step))
			base := baseKey(v.secret, vectorRoom, w)
			plaintext := payload(20 + int(step))
			vector.Steps = append(vector.Steps, stepVector{
				Step: step, W: w, BaseKey: base, KID: number(kid), CTR: number(ctr),
				AAD: appendHeader(nil, kid, ctr), PT: plaintext,
				CT: mustKey(t, v.suite, kid, base).Seal(nil, ctr, plaintext),
			})
			w, ctr = ratchet(w), ctr+7
		}
		vectors = append(vectors, vector)
	}
	return vectors
}

func makeMembersVectors(t *testing.T) (vectors []membersVector) {
	alice, bob, carol := vectorHash(t, "alice"), vectorHash(t, "bob"), vectorHash(t, "carol")
	for _, view := range [][]wire.EntryHash{{alice}, {alice, bob, carol}, {carol, bob, alice}, {bob, alice}} {
		digest := DigestMembers(view)
		vector := membersVector{Digest: digest[:]}
		for _, hash := range view {
			vector.Hashes = append(vector.Hashes, slices.Clone(hash[:]))
		}
		vectors = append(vectors, vector)
	}
	return vectors
}

func makeHeaderVectors(t *testing.T) (vectors []headerVector) {
	id, sender := testIdentity(t, "alice"), vectorHash(t, "alice")
	public := id.Public()
	members := DigestMembers([]wire.EntryHash{sender, vectorHash(t, "bob"), vectorHash(t, "carol")})
	for _, v := range []headerVector{
		{Suite: 2, Number: 1, Epoch: 0x10, FirstCTR: 0, W: made("w 1", 16)},
		{Suite: 2, Number: 2, Epoch: 0x11, FirstCTR: 64, W: ratchet(made("w 1", 16))},
		{Suite: 2, Number: 258, Epoch: 0xff, FirstCTR: 70000, W: made("w 3", 32)},
		{Suite: 3, Number: math.MaxUint32, Epoch: 0x00, FirstCTR: MaxCTR, W: made("w 2", 16)},
	} {
		hash := sha256.Sum256(v.W)
		v.Seed, v.Identity, v.Sender = made("identity alice", 32), public[:], sender[:]
		v.Hash, v.Members = hash[:], members[:]
		v.Header = wire.AppendKeyHeader(nil,
			&wire.KeyHeader{Suite: uint8(v.Suite), Number: v.Number, Epoch: v.Epoch,
				FirstCTR: uint64(v.FirstCTR), Hash: hash, Members: members})
		v.Signed = identity.AppendSigned(nil, "sender key", v.Sender, v.Header)
		v.Signature = signHeader(id, sender, v.Header)
		vectors = append(vectors, v)
	}
	return vectors
}

func makeBadHeaderVectors(t *testing.T, good headerVector) []badHeaderVector {
	alice, bob, other := testIdentity(t, "alice"), testIdentity(t, "bob"), vectorHash(t, "bob")
	public := bob.Public()
	changed := func(b []byte, i int) []byte {
		b = bytes.Clone(b)
		b[i] ^= 1
		return b
	}
	return []badHeaderVector{
		{good.Identity, good.Sender, changed(good.Header, 5), good.Signature, "the epoch is another"},
		{good.Identity, good.Sender, good.Header, changed(good.Signature, 0), "the signature was changed"},
		{good.Identity, other[:], good.Header, good.Signature, "of another entry"},
		{public[:], good.Sender, good.Header, good.Signature, "of another identity"},
		{good.Identity, good.Sender, good.Header, bob.Sign("sender key", good.Sender, good.Header),
			"signed by another identity"},
		{good.Identity, good.Sender, good.Header, alice.Sign("member", good.Sender, good.Header),
			"a signature of another kind"},
		{good.Identity, good.Sender, good.Header, alice.Sign("sender key", good.Header),
			"the sender's entry is not signed"},
		{append([]byte{1}, make([]byte, 31)...), good.Sender, good.Header,
			append([]byte{1}, make([]byte, 63)...), "an identity of low order: anybody can sign for it"},
	}
}

func makeWrapVectors(t *testing.T, headers []headerVector) (vectors []wrapVector) {
	for i, name := range []string{"bob", "carol", "bob", "carol"} {
		h := headers[i]
		recipient := vectorHash(t, name)
		private := made("join key "+name, 32)
		public := joinKeyFromBytes(t, private).Public()
		v := wrapVector{
			Ephemeral: made(fmt.Sprint("ephemeral ", i), 32), Private: private, JoinKey: public[:],
			Sender: h.Sender, Header: h.Header, Recipient: recipient[:], Key: h.W,
			Info: wrapInfo(wire.EntryHash(h.Sender), h.Header, recipient),
		}
		v.Wrap = sealHPKE(t, v.Ephemeral, v.JoinKey, v.Info, nil, v.Key)
		vectors = append(vectors, v)
	}
	return vectors
}

func makeBadWrapVectors(t *testing.T, good wrapVector) (vectors []badWrapVector) {
	bad := func(why string, change func(*badWrapVector)) {
		v := badWrapVector{good.Private, good.Sender, good.Header, good.Recipient, bytes.Clone(good.Wrap),
			why}
		change(&v)
		vectors = append(vectors, v)
	}
	alice, carol := vectorHash(t, "alice"), vectorHash(t, "carol")
	bad("for another join key", func(v *badWrapVector) { v.Private = made("join key carol", 32) })
	bad("by another sender", func(v *badWrapVector) { v.Sender = carol[:] })
	bad("for another recipient", func(v *badWrapVector) { v.Recipient = alice[:] })
	bad("with another header", func(v *badWrapVector) { v.Header = append([]byte{3}, v.Header[1:]...) })
	bad("enc was changed", func(v *badWrapVector) { v.Wrap[0] ^= 1 })
	bad("enc in another encoding", func(v *badWrapVector) { v.Wrap[encSize-1] ^= 0x80 })
	bad("the ciphertext was changed", func(v *badWrapVector) { v.Wrap[encSize] ^= 1 })
	bad("the tag was changed", func(v *badWrapVector) { v.Wrap[len(v.Wrap)-1] ^= 0x80 })
	bad("cut by a byte", func(v *badWrapVector) { v.Wrap = v.Wrap[:len(v.Wrap)-1] })
	bad("empty", func(v *badWrapVector) { v.Wrap = nil })
	bad("a byte too long", func(v *badWrapVector) { v.Wrap = append(v.Wrap, 0) })
	bad("enc is of low order", func(v *badWrapVector) { copy(v.Wrap, make([]byte, encSize)) })
	bad("with additional data", func(v *badWrapVector) {
		v.Wrap = sealHPKE(t, good.Ephemeral, good.JoinKey, good.Info, []byte{0}, good.Key)
	})
	bad("a key of 24 bytes", func(v *badWrapVector) {
		v.Wrap = sealHPKE(t, good.Ephemeral, good.JoinKey, good.Info, nil, made("w 3", 24))
	})
	return vectors
}

func makeLowOrderVectors() (vectors []hexBytes) {
	for _, point := range lowOrderPoints {
		vectors = append(vectors, slices.Clone(point[:]))
		point[31] |= 0x80
		vectors = append(vectors, slices.Clone(point[:]))
	}
	return vectors
}

func makeSafetyVectors(t *testing.T) (vectors []safetyVector) {
	for _, v := range []struct {
		people []string
		secret *Secret
	}{
		{[]string{"alice"}, nil},
		{[]string{"carol", "alice", "bob"}, nil},
		{[]string{"alice", "bob", "alice", "carol", "bob"}, nil}, // as the one before
		{[]string{"carol", "alice", "bob"}, vectorSecret("one")},
	} {
		vector := safetyVector{Room: vectorRoom, Secret: orNone(v.secret)}
		var people []identity.PublicKey
		for _, name := range v.people {
			public := testIdentity(t, name).Public()
			people = append(people, public)
			vector.People = append(vector.People, slices.Clone(public[:]))
		}
		vector.Number = SafetyNumber(vectorRoom, people, v.secret)
		vectors = append(vectors, vector)
	}
	return vectors
}
