package call

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"maps"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/wire"
)

// haul is what somebody has who ran the relay through a whole conversation, and gets hold of seeds later.
type haul struct {
	t        testing.TB
	bytes    [][]byte // all messages and frames
	entries  map[wire.MemberID][]byte
	wraps    []wrapped
	privates []*ecdh.PrivateKey // that follow from seeds
	derived  [][]byte           // what else follows
	frames   []notedFrame       // that are to be opened
}

// wrapped is a wrap and all that is public about it.
type wrapped struct {
	sender, recipient wire.EntryHash
	header, wrap      []byte
}

// TestNothingOpensLater is promise 1: who has everything that the relay saw, the relay's own seed, and all
// members' seeds afterwards, opens no frame. A key of the conversation that is planted among that is found,
// so the search works.
func TestNothingOpensLater(t *testing.T) {
	inSpied(t, func(l *lab, s *spy) {
		g, frames := converse(l, s)
		h := s.notes.haul(frames)
		for n := range byte(3) {
			h.stealSeed(1 + n)
		}
		h.stealSeed(200) // the relay's
		if key, tried := h.search(); key != nil {
			t.Errorf("a frame opens with %x", key)
		} else {
			t.Logf("%d keys were tried for %d frames", tried, len(h.frames))
		}
		h.plantTrueKeys(g)
	})
}

// converse has three people talk, of whom one comes later and one leaves, while there is a ghost, whose join
// key is what the positive controls are made with. It returns a frame of each key, or of two of them, for
// time is short.
func converse(l *lab, s *spy) (g *ghost, frames []notedFrame) {
	a, b := l.joined("anna", "r"), l.joined("bert", "r")
	g = l.ghost(newIdentity(150), "ghost", "r", nil)
	s.haunt(g, s.all()...)
	time.Sleep(time.Second)
	a.hum(annas)
	b.hum(berts)
	time.Sleep(200 * time.Millisecond)
	muted(time.Second, a, b)
	c := l.joined("carl", "r")
	s.of(c).tell(wire.UrgentMembersJoined, wire.AppendMembersJoined(nil, g.entry))
	c.hum(carls)
	muted(time.Second, a, b, c)
	c.mustHear("the conversation", annas, 200*time.Millisecond)
	last := make(map[wire.KID]notedFrame)
	for _, f := range s.notes.framesOf(nil, time.Time{}, time.Now()) {
		last[f.KID] = f
	}
	for _, p := range []*person{a, b, c} {
		p.leave()
	}
	if !measuring { // a frame of anna's and one of carl's, whose key did not ratchet
		maps.DeleteFunc(last, func(kid wire.KID, _ notedFrame) bool {
			return kid.Member() == b.room.ID() || kid.Member() == a.room.ID() && kid.Epoch() == 0
		})
	}
	return g, slices.Collect(maps.Values(last))
}

// haul takes everything from the notes.
func (n *notes) haul(frames []notedFrame) *haul {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := &haul{t: n.t, entries: make(map[wire.MemberID][]byte), frames: frames}
	h.bytes = append(h.bytes, n.controls...)
	for _, entry := range n.entries {
		h.entries[wire.EntryID(entry)] = entry
		h.bytes = append(h.bytes, entry)
	}
	headers := make(map[wire.MemberID]map[uint32][]byte)
	for _, m := range n.messages {
		h.bytes = append(h.bytes, m.body)
		switch m.kind {
		case wire.UrgentMembersJoined:
			entries, _ := wire.ParseMembersJoined(m.body)
			for _, entry := range entries {
				h.entries[wire.EntryID(entry)] = entry
			}
		case wire.UrgentSenderKey:
			key, err := wire.Parse[wire.SenderKey](m.body)
			if err != nil {
				n.t.Fatal(err)
			}
			if headers[m.member] == nil {
				headers[m.member] = make(map[uint32][]byte)
			}
			headers[m.member][key.Key.Number] = key.Key.Signed
		}
	}
	for _, m := range n.messages {
		list, err := wire.ParseKeyWraps(m.body)
		if m.kind != wire.UrgentKeyWraps || err != nil {
			continue
		}
		for i := range list.Len() {
			to, wrap := list.Wrap(i)
			h.wraps = append(h.wraps, wrapped{wire.HashEntry(h.entries[m.member]),
				wire.HashEntry(h.entries[to]), headers[m.member][list.Number], wrap})
		}
	}
	for i, f := range n.frames {
		if !measuring && i%10 > 0 {
			continue // they are all alike
		}
		h.bytes = append(h.bytes, wire.AppendMedia(nil,
			&wire.Media{Long: true, KID: f.KID, CTR: f.CTR, Ciphertext: f.Ciphertext}, true))
	}
	return h
}

// stealSeed adds what follows from the seed of newIdentity(n).
func (h *haul) stealSeed(n byte) {
	seed := bytes.Repeat([]byte{n}, identity.SeedSize)
	h.derived = append(h.derived, seed)
	for _, info := range []string{"warzone-ed25519", "warzone-x25519", "wzp/1 media", "wzp/1 mediar",
		"wzp/1 member", "wzp/1 memberr",
		"wzp/1 reset key", "wzp/1 key", "wzp/1 next", "wzp/1 wrap", "sender key", "SFrame 1.0 Ratchet"} {
		key, err := hkdf.Key(sha256.New, seed, nil, info, 32)
		if err != nil {
			h.t.Fatal(err)
		}
		h.derived = append(h.derived, key)
	}
	own := h.derived[len(h.derived)-13:]
	expanded := sha512.Sum512(own[1]) // of Ed25519: its scalar and prefix
	h.derived = append(h.derived, expanded[:32], expanded[32:])
	privates := append([][]byte{expanded[:32]}, own[:3]...)
	if measuring {
		privates = append(privates, own[3:]...)
	}
	for _, key := range privates {
		private, err := ecdh.X25519().NewPrivateKey(key)
		if err != nil {
			h.t.Fatal(err)
		}
		h.privates = append(h.privates, private)
	}
	if !slices.ContainsFunc(h.privates,
		func(k *ecdh.PrivateKey) bool { return newIdentity(n).X25519().Equal(k) }) {
		h.t.Error("the keys of a seed are derived in another way")
	}
}

// candidates are all keys that the haul makes, as they are: windows of all bytes, what follows from seeds,
// what the wraps contain, what X25519 makes of every private and every public key.
func (h *haul) candidates() [][]byte {
	seen := make(map[string]struct{})
	add := func(key []byte) { seen[string(key)] = struct{}{} }
	for _, b := range h.bytes {
		for _, size := range []int{16, 32} {
			for i := 0; i+size <= len(b); i++ {
				add(b[i : i+size])
			}
		}
	}
	for _, key := range h.derived {
		add(key)
		add(key[:16])
		add(key[16:])
	}
	for _, private := range h.privates {
		for _, w := range h.wraps {
			if key, err := unwrap(private, w.sender, w.header, w.recipient, w.wrap); err == nil {
				add(key)
			}
			h.agree(private, w.wrap[:32], add)
		}
		for _, entry := range h.entries {
			e, err := wire.ParseEntry(entry)
			if err != nil {
				h.t.Fatal(err)
			}
			h.agree(private, e.JoinKey[:], add)
			h.agree(private, e.Identity[:], add)
		}
		for _, other := range h.privates {
			h.agree(private, other.PublicKey().Bytes(), add)
		}
	}
	list := make([][]byte, 0, len(seen))
	for key := range seen {
		list = append(list, []byte(key))
	}
	return list
}

// agree adds what a private and a public key make.
func (h *haul) agree(private *ecdh.PrivateKey, public []byte, add func([]byte)) {
	key, err := ecdh.X25519().NewPublicKey(public)
	if err != nil {
		h.t.Fatal(err)
	}
	shared, err := private.ECDH(key)
	if err != nil {
		return // of low order
	}
	add(shared)
	add(shared[:16])
	sum := sha256.Sum256(shared)
	add(sum[:])
	if prk, err := hkdf.Extract(sha256.New, shared, nil); err == nil {
		add(prk)
	}
}

// search tries every candidate as the key of every frame, with as many ratchet steps as may lie between. It
// returns one that opens a frame, or nil, and how many it tried.
func (h *haul) search() (found []byte, tried int) {
	candidates := h.candidates()
	var mu sync.Mutex // guards found
	var wg sync.WaitGroup
	for chunk := range slices.Chunk(candidates, len(candidates)/runtime.GOMAXPROCS(0)+1) {
		wg.Go(func() {
			for _, key := range chunk {
				if slices.ContainsFunc(h.frames, func(f notedFrame) bool { return opensWith(key, f) }) {
					mu.Lock()
					found = key
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return found, len(candidates)
}

// opensWith tries w as the key of every ratchet step up to a frame's own.
func opensWith(w []byte, f notedFrame) bool {
	for range f.KID.Epoch()%16 + 1 {
		key, err := e2ee.NewKey(e2ee.AES128CTRHMACSHA256Tag64, uint64(f.KID), w)
		if err != nil {
			return false
		}
		if _, err := key.Open(nil, f.CTR, f.Ciphertext); err == nil {
			return true
		}
		prk, err := hkdf.Extract(sha256.New, w, nil)
		if err != nil {
			return false
		}
		if w, err = hkdf.Expand(sha256.New, prk, "SFrame 1.0 Ratchet", 32); err != nil {
			return false
		}
	}
	return false
}

// used reports whether a frame that is to be opened was sealed with a wrapped key, or one that it ratchets
// to.
func (h *haul) used(w wrapped) bool {
	epoch := w.header[5]
	return slices.ContainsFunc(h.frames, func(f notedFrame) bool {
		return f.KID.Member() == w.sender.Member() && f.KID.Epoch()>>4 == epoch>>4 && f.KID.Epoch() >= epoch
	})
}

// plantTrueKeys adds, one at a time, what does open frames, and wants each to be found.
func (h *haul) plantTrueKeys(g *ghost) {
	clean := *h
	keys := 0
	for _, w := range h.wraps {
		if w.recipient != g.hash || !h.used(w) {
			continue
		}
		key, err := unwrap(g.join, w.sender, w.header, w.recipient, w.wrap)
		if err != nil {
			h.t.Errorf("the ghost's own wrap does not open: %v", err)
			continue
		}
		keys++
		noise := make([]byte, 100)
		rand.Read(noise)
		planted := clean
		planted.bytes = [][]byte{slices.Concat(noise[:37], key, noise[37:])}
		planted.privates, planted.derived = nil, nil
		if found, _ := planted.search(); !bytes.Equal(found, key) {
			h.t.Errorf("a key of the conversation, of %d bytes, was planted and not found", len(key))
		}
	}
	if keys < 2 {
		h.t.Errorf("%d keys were planted", keys)
	}
	planted := clean
	planted.bytes, planted.derived, planted.privates = nil, nil, []*ecdh.PrivateKey{g.join}
	if found, _ := planted.search(); found == nil {
		h.t.Error("a join key was planted, and what is wrapped for it was not found")
	}
}
