package e2ee

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// callFile holds vectors of what the ends of a call say, for the browser client, too.
const callFile = "../../testdata/vectors/call.json"

type callVectors struct {
	Source     string             `json:"source"`
	Format     string             `json:"format"`
	Call       []callVector       `json:"call"`
	Offer      []offerVector      `json:"offer"`
	BadOffer   []badOfferVector   `json:"bad_offer"`
	Message    []messageVector    `json:"call_message"`
	BadMessage []badMessageVector `json:"bad_call_message"`
	Consent    []consentVector    `json:"consent"`
}

type (
	// callVector: both identities and the nonce -> call, room.
	callVector struct {
		Caller hexBytes `json:"caller"`
		Called hexBytes `json:"called"`
		Nonce  hexBytes `json:"nonce"`
		Call   hexBytes `json:"call_id"`
		Room   string   `json:"room"`
	}
	// offerVector: seed, stay key and the ephemeral key -> offer, and the keys of both directions; and back.
	offerVector struct {
		Ephemeral hexBytes `json:"ephemeral"` // private, X25519
		Private   hexBytes `json:"stay_private"`
		StayKey   hexBytes `json:"stay_key"`
		PathSeed  hexBytes `json:"path_seed"`
		PathKey   hexBytes `json:"path_key"`
		Path      hexBytes `json:"path_id"`
		Info      hexBytes `json:"info"`
		Time      number   `json:"time"`
		Self      hexBytes `json:"self"` // the called's identity key
		Call      hexBytes `json:"call_id"`
		Nonce     hexBytes `json:"nonce"`
		Secret    hexBytes `json:"secret"`
		Entry     hexBytes `json:"entry"`
		Plaintext hexBytes `json:"plaintext"`
		Offer     hexBytes `json:"offer"`
		Caller    hexBytes `json:"caller_keys"` // key (16) || iv (12)
		Called    hexBytes `json:"called_keys"`
	}
	// badOfferVector: what the called, whose clock says now, refuses.
	badOfferVector struct {
		Private hexBytes `json:"stay_private"`
		PathKey hexBytes `json:"path_key"`
		Self    hexBytes `json:"self"`
		Now     number   `json:"now"`
		Offer   hexBytes `json:"offer"`
		Why     string   `json:"why"`

		err error
	}
	// messageVector: keys of a direction, path, counter and plaintext -> body, and back.
	messageVector struct {
		Keys      hexBytes `json:"keys"`
		Path      hexBytes `json:"path_id"`
		Counter   number   `json:"counter"`
		Plaintext hexBytes `json:"plaintext"`
		Body      hexBytes `json:"body"`
	}
	badMessageVector struct {
		Keys hexBytes `json:"keys"`
		Path hexBytes `json:"path_id"`
		Body hexBytes `json:"body"`
		Why  string   `json:"why"`
	}
	// consentVector: the third's seed, both others and the call -> signature.
	consentVector struct {
		Seed      hexBytes `json:"seed"`
		Third     hexBytes `json:"third"`
		Asker     hexBytes `json:"asker"`
		Person    hexBytes `json:"person"`
		Call      hexBytes `json:"call_id"`
		Expiry    number   `json:"expiry"`
		Signature hexBytes `json:"signature"`
	}
)

const offerTime = 1900000000 // seconds since 1970

func TestCallVectors(t *testing.T) { compareVectors(t, callFile, makeCallVectors(t)) }

func makeCallVectors(t *testing.T) callVectors {
	v := callVectors{
		Source: "made for wzp (docs/protocol.md, section 14), by TestCallVectors of its Go package internal/e2ee, " +
			"whose offers a second implementation of RFC 9180 seals",
		Format: "bytes in hexadecimal; times and counters are decimal strings; what is called bad must be refused",
	}
	alice, bob, carol := testIdentity(t, "alice"), testIdentity(t, "bob"), testIdentity(t, "carol")
	for _, nonce := range []string{"nonce 1", "nonce 2"} {
		a, b, n := alice.Public(), bob.Public(), wire.CallNonce(made(nonce, 32))
		id := wire.CallIDOf(a, b, n)
		v.Call = append(v.Call, callVector{a[:], b[:], n[:], id[:], id.Room()})
	}
	v.Offer = []offerVector{makeOffer(t, "1", nil), makeOffer(t, "2", nil)}
	v.BadOffer = makeBadOffers(t, v.Offer[0])
	v.Message, v.BadMessage = makeMessages(t, v.Offer[0])
	for _, expiry := range []uint64{offerTime, 1<<53 + 1} {
		c := wire.Consent{Expiry: expiry}
		third, asker, person := carol.Public(), alice.Public(), bob.Public()
		call := wire.CallID(v.Call[0].Call)
		c.Sign(carol, asker, person, call)
		v.Consent = append(v.Consent, consentVector{made("identity carol", 32), third[:], asker[:], person[:],
			call[:], number(expiry), slices.Clone(c.Signature[:])})
	}
	return v
}

// offerParts is what an offer from alice to bob is made of. Tests change some of it.
type offerParts struct {
	version, flags byte
	time           uint64
	nonce          wire.CallNonce
	seed           wire.PathSeed
	secret         [32]byte
	caller         *identity.Identity
	entry          wire.MemberEntry
	proof          bool
	signed         []byte // in the place of entry
	length         int    // added to the entry's
	more           []byte // after it
	size           int    // added to the plaintext's
	path           identity.PublicKey
	self           identity.PublicKey
}

func makeOffer(t *testing.T, name string, change func(p *offerParts)) offerVector {
	alice, bob := testIdentity(t, "alice"), testIdentity(t, "bob")
	p := offerParts{
		version: 1, time: offerTime, nonce: wire.CallNonce(made("nonce "+name, 32)),
		seed: wire.PathSeed(made("path "+name, 32)), secret: [32]byte(made("secret "+name, 32)),
		caller: alice, proof: true, self: bob.Public(),
	}
	p.path = p.seed.Key()
	p.entry = wire.MemberEntry{
		Room: wire.CallIDOf(alice.Public(), p.self, p.nonce).Room(), Name: "alice", Identity: alice.Public(),
		HomeRelay:  testIdentity(t, "relay").Public(),
		JoinKey:    joinKeyFromBytes(t, made("join key alice", 32)).Public(),
		Commitment: wire.StaySecret(made("stay alice", 32)).Commitment(),
	}
	if change != nil {
		change(&p)
	}
	if p.proof && p.entry.Proof == nil {
		proof := secretFromBytes(p.secret).Proof(p.entry.Room, p.entry.Proved())
		p.entry.Proof = &proof
	}
	entry := p.signed
	if entry == nil {
		var err error
		if entry, err = wire.SignCallEntry(p.caller, p.entry); err != nil {
			t.Fatal(err)
		}
	}
	plaintext := binary.BigEndian.AppendUint64([]byte{p.version, p.flags}, p.time)
	plaintext = slices.Concat(plaintext, p.nonce[:], p.seed[:], p.secret[:])
	plaintext = slices.Concat(wire.AppendVarint(plaintext, uint64(len(entry)+p.length)), entry, p.more)
	plaintext = append(plaintext, make([]byte, offerSize+p.size-len(plaintext))...)

	ephemeral, private := made("ephemeral "+name, 32), made("stay key bob", 32)
	stay := joinKeyFromBytes(t, private).Public()
	info := offerInfo(p.path)
	context := setUpHPKE(t, ephemeral, stay[:], info)
	id, call := wire.PathIDOf(p.path), wire.CallIDOf(p.caller.Public(), p.self, p.nonce)
	return offerVector{
		Ephemeral: ephemeral, Private: private, StayKey: stay[:], PathSeed: p.seed[:], PathKey: p.path[:],
		Path: id[:], Info: info, Time: number(p.time), Self: p.self[:], Call: call[:], Nonce: p.nonce[:],
		Secret: p.secret[:], Entry: entry, Plaintext: plaintext, Offer: context.seal(nil, plaintext),
		Caller: context.export("wzp/1 call caller", 28), Called: context.export("wzp/1 call called", 28),
	}
}

func makeBadOffers(t *testing.T, good offerVector) (vectors []badOfferVector) {
	bad := func(why string, err error, change func(v *badOfferVector)) {
		v := badOfferVector{good.Private, good.PathKey, good.Self, offerTime, bytes.Clone(good.Offer), why,
			err}
		change(&v)
		vectors = append(vectors, v)
	}
	bad("empty", ErrOfferSealed, func(v *badOfferVector) { v.Offer = nil })
	bad("no ciphertext", ErrOfferSealed, func(v *badOfferVector) { v.Offer = v.Offer[:32] })
	bad("cut by a byte", ErrOfferSealed, func(v *badOfferVector) { v.Offer = v.Offer[:len(v.Offer)-1] })
	bad("changed", ErrOfferSealed, func(v *badOfferVector) { v.Offer[40] ^= 1 })
	bad("enc is of low order", ErrOfferSealed, func(v *badOfferVector) { copy(v.Offer, make([]byte, 32)) })
	bad("for another device", ErrOfferSealed, func(v *badOfferVector) { v.Private = made("stay key carol", 32) })
	bad("over another path", ErrOfferSealed, func(v *badOfferVector) {
		key := wire.PathSeed(made("path 2", 32)).Key()
		v.PathKey = key[:]
	})
	bad("121 s old", ErrOfferTime, func(v *badOfferVector) { v.Now += 121 })
	bad("made in 121 s", ErrOfferTime, func(v *badOfferVector) { v.Now -= 121 })
	bad("for another identity with that stay key", ErrOfferRoom, func(v *badOfferVector) {
		carol := testIdentity(t, "carol").Public()
		v.Self = carol[:]
	})
	for _, b := range badOfferParts(t) {
		bad(b.why, b.err, func(v *badOfferVector) {
			o := makeOffer(t, "1", b.change)
			v.Offer, v.PathKey, v.Self = o.Offer, o.PathKey, o.Self
		})
	}
	return vectors
}

type badOfferPart struct {
	why    string
	err    error
	change func(p *offerParts)
}

func badOfferParts(t *testing.T) []badOfferPart {
	other := wire.PathSeed(made("path 2", 32))
	mallory := testIdentity(t, "mallory")
	return []badOfferPart{
		{"of version 2", ErrOfferVersion, func(p *offerParts) { p.version = 2 }},
		{"a flag is set", ErrOfferVersion, func(p *offerParts) { p.flags = 1 }},
		{"the time is 0", ErrOfferTime, func(p *offerParts) { p.time = 0 }},
		{"the time is the highest", ErrOfferTime, func(p *offerParts) { p.time = 1<<64 - 1 }},
		{"its seed is not of its path", ErrOfferPath, func(p *offerParts) { p.path = other.Key() }},
		{"the entry's length is one more", ErrOfferEntry, func(p *offerParts) { p.length = 1 }},
		{"the entry's length is one less", ErrOfferLayout, func(p *offerParts) { p.length = -1 }},
		{"the entry's length is beyond the end", ErrOfferLayout, func(p *offerParts) { p.length = 200 }},
		{"not only zeros follow the entry", ErrOfferLayout, func(p *offerParts) { p.more = []byte{0, 1} }},
		{"a byte less than all offers have", ErrOfferLayout, func(p *offerParts) { p.size = -1 }},
		{"a byte more than all offers have", ErrOfferLayout, func(p *offerParts) { p.size = 1 }},
		{"no entry", ErrOfferEntry, func(p *offerParts) { p.signed = []byte{} }},
		{"the entry is of a room", ErrOfferEntry, func(p *offerParts) {
			p.signed = testEntry(t, "room", "alice", nil)
		}},
		{"the entry is signed by another", ErrOfferEntry, func(p *offerParts) {
			id := *mallory
			entry, err := wire.SignCallEntry(&id, p.entry)
			if err != nil {
				t.Fatal(err)
			}
			public := p.caller.Public()
			mine := mallory.Public()
			p.signed = bytes.Replace(entry, mine[:], public[:], 1)
		}},
		{"the entry replaces another", ErrOfferEntry, func(p *offerParts) {
			p.entry.Name, p.entry.Replaces = "", &wire.StayProof{}
		}},
		{"the entry is of another call", ErrOfferRoom, func(p *offerParts) {
			p.entry.Room = wire.CallID(made("call", 16)).Room()
		}},
		{"somebody else's entry", ErrOfferRoom, func(p *offerParts) { // mallory passes on what alice said to it
			p.entry.Room = wire.CallIDOf(p.caller.Public(), mallory.Public(), p.nonce).Room()
		}},
		{"the caller is the called", ErrOfferSelf, func(p *offerParts) { p.self = p.caller.Public() }},
		{"no proof", ErrOfferProof, func(p *offerParts) { p.proof = false }},
		{"a proof by another secret", ErrOfferProof, func(p *offerParts) {
			proof := vectorSecret("two").Proof(p.entry.Room, p.entry.Proved())
			p.entry.Proof = &proof
		}},
	}
}

func makeMessages(t *testing.T, o offerVector) (good []messageVector, bad []badMessageVector) {
	for i, counter := range []uint64{0, 1, 63, 64, 1 << 40} {
		keys := o.Caller
		if i%2 == 1 {
			keys = o.Called
		}
		v := messageVector{Keys: keys, Path: o.Path, Counter: number(counter), Plaintext: []byte{1}}
		if i == 4 {
			v.Plaintext = append([]byte{2}, o.Entry...)
		}
		v.Body = sealCall(t, keys, o.Path, counter, v.Plaintext)
		good = append(good, v)
	}
	add := func(why string, change func(v *badMessageVector)) {
		v := badMessageVector{o.Caller, o.Path, bytes.Clone(good[0].Body), why}
		change(&v)
		bad = append(bad, v)
	}
	add("empty", func(v *badMessageVector) { v.Body = nil })
	add("only a counter", func(v *badMessageVector) { v.Body = v.Body[:1] })
	add("cut by a byte", func(v *badMessageVector) { v.Body = v.Body[:len(v.Body)-1] })
	add("under another counter", func(v *badMessageVector) { v.Body[0] = 1 })
	add("changed", func(v *badMessageVector) { v.Body[1] ^= 1 })
	add("of the other direction", func(v *badMessageVector) { v.Keys = o.Called })
	add("of another path", func(v *badMessageVector) { v.Path = bytes.Repeat([]byte{1}, 16) })
	return good, bad
}

// sealCall is written from the document.
func sealCall(t *testing.T, keys, path []byte, counter uint64, plaintext []byte) []byte {
	nonce := bytes.Clone(keys[16:])
	for i := range 8 {
		nonce[4+i] ^= byte(counter >> (56 - 8*i))
	}
	c := hpkeContext{suite: labels{t: t}, enc: wire.AppendVarint(nil, counter), key: keys[:16], nonce: nonce}
	return c.seal(path, plaintext)
}

// What a called makes of the stored offers and messages.
func TestOfferVectors(t *testing.T) {
	var v callVectors
	loadVectorFile(t, callFile, &v)
	for _, o := range v.Offer {
		stay := stayKeyFromBytes(t, o.Private)
		public := stay.Public()
		wantBytes(t, "stay key", public[:], o.StayKey)
		path, self := identity.PublicKey(o.PathKey), identity.PublicKey(o.Self)
		opened, err := stay.OpenOffer(path, self, o.Offer, at0(0))
		if err != nil {
			t.Fatal(err)
		}
		wantBytes(t, "call", opened.Call[:], o.Call)
		wantBytes(t, "seed", opened.Seed[:], o.PathSeed)
		wantBytes(t, "entry", opened.Entry, o.Entry)
		wantBytes(t, "secret", opened.Secret.reveal()[:], o.Secret)
		wantBytes(t, "path", opened.Channel.path[:], o.Path)
		for _, m := range v.Message {
			if !bytes.Equal(m.Keys, o.Caller) {
				continue
			}
			got, counter, err := opened.Channel.Open(m.Body)
			if err != nil || counter != uint64(m.Counter) {
				t.Fatal(counter, err)
			}
			wantBytes(t, "what the caller says", got, m.Plaintext)
		}
	}
	for _, o := range v.BadOffer {
		_, err := stayKeyFromBytes(t, o.Private).OpenOffer(identity.PublicKey(o.PathKey),
			identity.PublicKey(o.Self), o.Offer, time.Unix(int64(o.Now), 0))
		if err == nil {
			t.Errorf("an offer that is bad is good: %s", o.Why)
		}
	}
	for _, m := range v.BadMessage {
		c := newCallChannel(wire.PathID(m.Path), nil, keyFromBytes(t, m.Keys))
		if _, _, err := c.Open(m.Body); err != ErrCallMessage {
			t.Errorf("%s: %v", m.Why, err)
		}
	}
}
