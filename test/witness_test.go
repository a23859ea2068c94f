package test

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/udp"
	"github.com/wzp-voice/wzp/internal/wire"
)

// witness is a member that is written from docs/protocol.md for this test: it joins like any other and then
// shows what no client does, the keys that the others gave it.
//
//	relay ── members joined ──> entries ──┐
//	      ── key ─────────────> waiting ──+──> keys: W of every talker
//	      ── media ───────────────────────────> opened: the proof that these are the keys in use
//	talk: its own key, made by the package that clients use ──> wraps for the others
type witness struct {
	t      *testing.T
	id     *identity.Identity
	room   string
	secret []byte // the invite secret; nil: none
	join   *ecdh.PrivateKey
	self   wire.EntryHash
	client *link.Client

	sealer *e2ee.Sealer
	header []byte                   // of its own key
	wraps  map[wire.MemberID][]byte // of it

	mu        sync.Mutex // guards what follows
	entries   map[wire.MemberID]*wire.MemberEntry
	hashes    map[wire.MemberID]wire.EntryHash
	raw       [][]byte // the entries as they came
	waiting   [][]byte // keys whose sender was not told of yet
	keys      map[wire.MemberID]map[uint8]material
	openers   map[wire.KID]*e2ee.Key
	opened    map[wire.KID]int // frames
	forged    map[wire.KID]int
	plain     [][]byte // the last frames, without timestamps
	delivered map[uint32]bool
}

// newWitness joins a room, by the relay at addr, before anybody else does.
func newWitness(t *testing.T, addr, room string, seed identity.Seed, secret []byte) *witness {
	t.Helper()
	in := &witness{
		t: t, id: seed.Identity(), room: room, secret: secret,
		join:    must(ecdh.X25519().GenerateKey(rand.Reader)),
		entries: make(map[wire.MemberID]*wire.MemberEntry), hashes: make(map[wire.MemberID]wire.EntryHash),
		keys:    make(map[wire.MemberID]map[uint8]material),
		openers: make(map[wire.KID]*e2ee.Key), opened: make(map[wire.KID]int), forged: make(map[wire.KID]int),
		delivered: make(map[uint32]bool),
	}
	to := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr))
	mux, err := udp.Listen("127.0.0.1:0", 1)
	if err != nil {
		t.Fatal(err)
	}
	ep, err := link.NewEndpoint(mux, link.Config{Identity: in.id, Version: "witness"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ep.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	in.client, err = ep.Dial(ctx, link.ClientConfig{
		Resolve:    func(context.Context) (netip.AddrPort, error) { return to.AddrPort(), nil },
		Name:       "witness",
		CheckRelay: func(identity.PublicKey) error { return nil },
		Join:       in.request,
	})
	if err != nil {
		t.Fatal(err)
	}
	in.client.Start(in)
	return in
}

// request makes the entry.
func (in *witness) request(relay identity.PublicKey) (*wire.Join, error) {
	entry := wire.MemberEntry{
		Room: in.room, Name: "witness", HomeRelay: relay, Identity: in.id.Public(),
		JoinKey: [32]byte(in.join.PublicKey().Bytes()),
	}
	rand.Read(entry.Commitment[:])
	if in.secret != nil {
		mac := hmac.New(sha256.New, memberKey(in.secret, in.room))
		mac.Write(entry.Proved())
		proof := [32]byte(mac.Sum(nil))
		entry.Proof = &proof
	}
	b, err := wire.SignEntry(in.id, entry)
	in.self = wire.HashEntry(b)
	return &wire.Join{Room: in.room, Entry: b}, err
}

// Opened implements link.ClientHandler. Whoever joins later is told of by urgent messages.
func (in *witness) Opened(*link.Session) link.Handler { return in }

// Attached implements link.ClientHandler.
func (in *witness) Attached(*wire.Joined, bool) {}

// Detached implements link.ClientHandler.
func (in *witness) Detached(string) {}

// AliasAcked implements link.Handler.
func (in *witness) AliasAcked(s *link.Session, pair wire.AliasPair) {
	s.SetAliasKnown(pair.Alias, true)
}

// Bind implements link.Handler.
func (in *witness) Bind(_ *link.Session, m *wire.Media) link.Inbound {
	return link.InboundFunc(m, in.media)
}

func (in *witness) media(st *link.Stream, m *wire.Media, _ *link.Tx) {
	in.mu.Lock()
	defer in.mu.Unlock()
	opener := in.openerLocked(m.KID)
	if opener == nil {
		return // its key has not come
	}
	plain, err := opener.Open(nil, m.CTR, m.Ciphertext)
	if err != nil {
		in.forged[m.KID]++
		return
	}
	st.Seen(m.CTR)
	in.opened[m.KID]++
	if p, err := wire.ParsePayload(plain); err == nil && len(p.Codec) >= 40 {
		in.plain = append(in.plain[max(0, len(in.plain)-200):], p.Codec)
	}
}

// openerLocked returns the key for a key id, nil if it cannot be known yet. The caller holds in.mu.
func (in *witness) openerLocked(kid wire.KID) *e2ee.Key {
	if in.openers[kid] == nil {
		m, ok := in.keys[kid.Member()][kid.Epoch()>>4]
		if !ok {
			return nil
		}
		w, ok := m.at(kid.Epoch() & 15)
		if !ok {
			return nil
		}
		in.openers[kid] = frameOpener(m.suite, kid, baseKey(in.secret, in.room, w))
	}
	return in.openers[kid]
}

// Urgent implements link.Handler.
func (in *witness) Urgent(_ *link.Session, kind wire.UrgentKind, body []byte) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	switch kind {
	case wire.UrgentMembersJoined:
		entries, err := wire.ParseMembersJoined(body)
		if err != nil {
			in.t.Error(err)
		}
		for _, b := range entries {
			in.storeEntryLocked(append([]byte(nil), b...))
		}
	case wire.UrgentKey:
		in.waiting = append(in.waiting, append([]byte(nil), body...))
	case wire.UrgentKeyDelivered:
		if number, err := wire.Parse[wire.KeyDelivered](body); err == nil {
			in.delivered[number.Number] = true
		}
	}
	waiting := in.waiting
	in.waiting = nil
	for _, message := range waiting {
		if err := in.acceptLocked(message); err != nil {
			in.t.Error(err)
		}
	}
	return true
}

// storeEntryLocked stores the entry of a member. The caller holds in.mu.
func (in *witness) storeEntryLocked(b []byte) {
	entry, err := wire.ParseEntry(b)
	if err != nil {
		in.t.Error(err)
		return
	}
	hash := wire.HashEntry(b)
	if in.entries[hash.Member()] == nil {
		in.raw = append(in.raw, b)
	}
	in.entries[hash.Member()], in.hashes[hash.Member()] = entry, hash
}

// acceptLocked opens the key in a message of kind 8, or lets it wait for its sender's entry. The caller holds
// in.mu.
func (in *witness) acceptLocked(message []byte) error {
	k, err := wire.Parse[wire.Key](message)
	if err != nil {
		return err
	}
	sender, known := in.hashes[k.Sender]
	if !known {
		in.waiting = append(in.waiting, message)
		return nil
	}
	if !identity.Verify(in.entries[k.Sender].Identity, "sender key", k.Key.Signature, sender[:],
		k.Key.Signed) {
		return fmt.Errorf("key %d of %v: the signature is wrong", k.Key.Number, k.Sender)
	}
	w, err := openWrap(in.join, sender, k.Key.Signed, in.self, k.Wrap)
	if err != nil {
		return fmt.Errorf("key %d of %v: %w", k.Key.Number, k.Sender, err)
	}
	if sha256.Sum256(w) != k.Key.Hash {
		return fmt.Errorf("key %d of %v is not the signed one", k.Key.Number, k.Sender)
	}
	generations := in.keys[k.Sender]
	if generations == nil {
		generations = make(map[uint8]material)
		in.keys[k.Sender] = generations
	}
	generation, step := k.Key.Epoch>>4, k.Key.Epoch&15
	if had, ok := generations[generation]; !ok || step < had.step {
		generations[generation] = material{suite: uint16(k.Key.Suite), step: step, w: w}
	}
	return nil
}

// await waits until ok, which is called with in.mu held.
func (in *witness) await(what string, ok func() bool) {
	in.t.Helper()
	for deadline := time.Now().Add(soon); ; time.Sleep(20 * time.Millisecond) {
		in.mu.Lock()
		done := ok()
		in.mu.Unlock()
		if done {
			return
		}
		if time.Now().After(deadline) {
			in.mu.Lock()
			defer in.mu.Unlock()
			in.t.Fatalf("the witness waits for %s in vain; opened %v, not opened %v, %d keys of unknown "+
				"senders",
				what, in.opened, in.forged, len(in.waiting))
		}
	}
}

// member waits for a member by name and returns its id.
func (in *witness) member(name string) (id wire.MemberID) {
	in.t.Helper()
	in.await("the entry of "+name, func() bool {
		for other, entry := range in.entries {
			if entry.Name == name {
				id = other
				return true
			}
		}
		return false
	})
	return id
}

// hears waits until frames of a member were opened under an epoch that is as wanted.
func (in *witness) hears(name string, epoch func(generation, step uint8) bool) {
	in.t.Helper()
	id := in.member(name)
	in.await("sound of "+name, func() bool {
		for kid, frames := range in.opened {
			if kid.Member() == id && epoch(kid.Epoch()>>4, kid.Epoch()&15) && frames >= 10 {
				return true
			}
		}
		return false
	})
}

// talk makes a key, hands it out to whoever is there, waits until they have it, and sends some frames.
func (in *witness) talk() {
	in.t.Helper()
	talker := e2ee.NewTalker(in.id, in.self, in.room, e2eeSecret(in.t, in.secret))
	in.mu.Lock()
	var others []e2ee.Recipient
	for id, entry := range in.entries {
		others = append(others, e2ee.Recipient{Hash: in.hashes[id], JoinKey: entry.JoinKey})
	}
	in.mu.Unlock()
	talker.SetMembers(others)
	talker.Arm(e2ee.AES128CTRHMACSHA256Tag64)
	var err error
	if in.sealer, err = talker.Stream(0); err != nil {
		in.t.Fatal(err)
	}
	d, _ := talker.Step(time.Now())
	if d == nil {
		in.t.Fatal("nobody is to get the key")
	}
	in.handOut(d)
	in.await("the delivery of its key", func() bool { return in.delivered[d.Number()] })
	in.say(50)
}

// e2eeSecret is the invite secret with these bytes, made from its text.
func e2eeSecret(t *testing.T, secret []byte) *e2ee.Secret {
	t.Helper()
	if secret == nil {
		return nil
	}
	sum := sha256.Sum256(append([]byte("wzp/1 secret"), secret...))
	s, err := e2ee.ParseSecret("wzp-" +
		base64.RawURLEncoding.EncodeToString(append(bytes.Clone(secret), sum[:4]...)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// handOut sends a key and keeps its wraps.
func (in *witness) handOut(d *e2ee.Distribution) {
	in.t.Helper()
	announced, err := wire.Parse[wire.SenderKey](d.Announce())
	if err != nil {
		in.t.Fatal(err)
	}
	in.header, in.wraps = announced.Key.Signed, make(map[wire.MemberID][]byte)
	session := in.client.Session()
	if err := session.SendUrgent(wire.UrgentSenderKey, d.Announce()); err != nil {
		in.t.Fatal(err)
	}
	for message := range d.Wraps() {
		wraps, err := wire.ParseKeyWraps(message)
		if err != nil {
			in.t.Fatal(err)
		}
		for i := range wraps.Len() {
			to, wrap := wraps.Wrap(i)
			in.wraps[to] = wrap
		}
		if err := session.SendUrgent(wire.UrgentKeyWraps, message); err != nil {
			in.t.Fatal(err)
		}
	}
}

// say sends frames that tell of silence: nothing is said, but whoever decrypts them has the key.
func (in *witness) say(frames int) {
	in.t.Helper()
	for i := range frames {
		silence := wire.AppendSilence(nil, uint16(8*i), 60, wire.MicOpen, false)
		kid, ctr, ciphertext, err := in.sealer.Seal(nil, silence)
		if err != nil {
			in.t.Fatal(err)
		}
		in.client.Session().SendMediaNow(0, &wire.Media{KID: kid, CTR: ctr, Ciphertext: ciphertext})
		time.Sleep(20 * time.Millisecond)
	}
}
