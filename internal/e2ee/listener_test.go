package e2ee

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// madeKey is a key as a talker may send it: whatever the header says, it is signed.
type madeKey struct {
	header wire.KeyHeader
	w      []byte // what is wrapped
}

// goodKey returns a key that follows all rules.
func goodKey(number uint32, epoch uint8, first uint64, w []byte) madeKey {
	return madeKey{wire.KeyHeader{
		Suite: uint8(suite64), Number: number, Epoch: epoch, FirstCTR: first, Hash: sha256.Sum256(w),
	}, w}
}

// message returns the key as from sends it to to.
func (k madeKey) message(t testing.TB, from, to *party) []byte {
	t.Helper()
	signed := wire.AppendKeyHeader(nil, &k.header)
	return wire.Append(nil, &wire.Key{
		Sender: from.hash.Member(),
		Key:    wire.SignedKey{Signed: signed, Signature: signHeader(from.id, from.hash, signed)},
		Wrap:   mustWrap(t, to.join, from.hash, signed, to.hash, k.w),
	})
}

// frame returns a frame under the key.
func (k madeKey) frame(t testing.TB, from *party, stream uint8, ctr uint64) sealed {
	t.Helper()
	kid := wire.MakeKID(from.hash.Member(), stream, k.header.Epoch)
	return sealed{kid, ctr, mustKey(t, Suite(k.header.Suite), uint64(kid), k.w).Seal(nil, ctr,
		[]byte("words"))}
}

// chain returns W[0] to W[15] of a fresh key.
func chain(label string) [][]byte {
	w := [][]byte{made(label, freshSize)}
	for len(w) < generations {
		w = append(w, ratchet(w[len(w)-1]))
	}
	return w
}

// wantAccept fails unless p takes k from from.
func (p *party) wantAccept(t testing.TB, from *party, k madeKey, now time.Time) {
	t.Helper()
	if err := p.accept(t, from, k.message(t, from, p), now); err != nil {
		t.Fatalf("key %d: %v", k.header.Number, err)
	}
}

// wantRefused fails unless p refuses k from from, with this error and, if given, reason.
func (p *party) wantRefused(t testing.TB, from *party, k madeKey, want error, reason string) {
	t.Helper()
	err := p.accept(t, from, k.message(t, from, p), at(0))
	if !errors.Is(err, want) || !strings.Contains(err.Error(), reason) {
		t.Fatalf("key %d, epoch %#x: %v, want %v: %s", k.header.Number, k.header.Epoch, err, want, reason)
	}
}

func TestAcceptRefuses(t *testing.T) {
	a, b := newParty(t, "a"), newParty(t, "b")
	w, other := chain("one"), chain("other")
	b.wantAccept(t, a, goodKey(7, 0x32, 100, w[2]), at(0))
	frame := goodKey(7, 0x32, 100, w[2]).frame(t, a, 0, 100)

	changed := func(change func(*madeKey)) madeKey {
		k := goodKey(8, 0x33, 100, w[3])
		change(&k)
		return k
	}
	for _, test := range []struct {
		reason string
		want   error
		key    madeKey
	}{
		{"", ErrKnown, changed(func(k *madeKey) { k.header.Number = 7 })},
		{"", ErrKnown, changed(func(k *madeKey) { k.header.Number = 6 })},
		{"", ErrKnown, changed(func(k *madeKey) { k.header.Number = 0 })},
		{"first CTR went back", ErrBadKey, changed(func(k *madeKey) { k.header.FirstCTR = 99 })},
		{"not the signed one", ErrBadKey, changed(func(k *madeKey) { k.header.Hash[0]++ })},
		{"not the signed one", ErrBadKey, changed(func(k *madeKey) { k.w = other[3] })},
		{"suite", ErrBadKey, changed(func(k *madeKey) { k.header.Suite = uint8(suite32) })},
		{"does not follow", ErrBadKey, changed(func(k *madeKey) { k.header.Epoch = 0x34 })},
		{"does not follow", ErrBadKey, changed(func(k *madeKey) { k.header.Epoch = 0x32 })},
		{"does not follow", ErrBadKey, changed(func(k *madeKey) { k.header.Epoch = 0x31 })},
		{"does not follow", ErrBadKey, goodKey(8, 0x33, 100, other[3])},
		{"does not follow", ErrBadKey, goodKey(8, 0x32, 100, other[2])},
		{"does not follow", ErrBadKey, goodKey(8, 0x31, 100, other[1])},
		{"does not follow", ErrBadKey, goodKey(8, 0x30, 100, other[0])},
		{"length", ErrBadKey, goodKey(8, 0x30, 100, w[3])},
		{"length", ErrBadKey, goodKey(8, 0x33, 100, w[0])},
		{"length", ErrBadKey, goodKey(8, 0x40, 100, w[3])},
		{"length", ErrBadKey, goodKey(8, 0x43, 100, w[0])},
	} {
		b.wantRefused(t, a, test.key, test.want, test.reason)
		wantHeard(t, frame, "words", at(0), b)
	}
	// Nothing of that used up the number, or moved the first CTR.
	b.wantAccept(t, a, goodKey(8, 0x33, 100, w[3]), at(0))
	wantHeard(t, goodKey(8, 0x33, 100, w[3]).frame(t, a, 0, 100), "words", at(0), b)
	b.wantAccept(t, a, goodKey(9, 0x40, 100, other[0]), at(0))
}

// Each bit of a message counts, but for those that make the number one that was seen.
func TestAcceptRefusesEveryChange(t *testing.T) {
	a, b := newParty(t, "a"), newParty(t, "b")
	good := goodKey(8, 0x33, 100, chain("one")[3])
	message := good.message(t, a, b)
	for i := range len(message) * 8 {
		bad := slices.Clone(message)
		bad[i/8] ^= 1 << (i % 8)
		key, err := wire.Parse[wire.Key](bad)
		if err != nil {
			continue
		}
		if _, err := b.listener.Accept(a.hash, a.id.Public(), &key, at(0)); !errors.Is(err, ErrBadKey) &&
			err != ErrKnown {
			t.Fatalf("bit %d: %v", i, err)
		}
	}
	if err := b.accept(t, a, message, at(0)); err != nil {
		t.Fatal(err)
	}
	if err := b.accept(t, a, message, at(0)); err != ErrKnown {
		t.Fatalf("again: %v, want ErrKnown", err)
	}
}

// A relay gives wraps to those for whom they are not, and puts messages together anew.
func TestAcceptRefusesWhatIsForOthers(t *testing.T) {
	a, b, c, d := newParty(t, "a"), newParty(t, "b"), newParty(t, "c"), newParty(t, "d")
	k := goodKey(1, 0, 0, chain("one")[0])
	ofA, ofC := k.message(t, a, b), k.message(t, c, b)
	parse := func(message []byte) *wire.Key {
		key, err := wire.Parse[wire.Key](message)
		if err != nil {
			t.Fatal(err)
		}
		return &key
	}
	refuse := func(what, reason string, sender *party, key *wire.Key) {
		t.Helper()
		_, err := b.listener.Accept(sender.hash, sender.id.Public(), key, at(0))
		if !errors.Is(err, ErrBadKey) || !strings.Contains(err.Error(), reason) {
			t.Fatalf("%s: %v, want %q", what, err, reason)
		}
	}
	refuse("another sender's message", "another sender", c, parse(ofA))

	key := parse(ofA)
	key.Wrap = parse(k.message(t, a, d)).Wrap
	refuse("another recipient's wrap", "wrap", a, key)

	key = parse(ofA)
	key.Wrap = parse(ofC).Wrap
	refuse("the wrap of the same key by another sender", "wrap", a, key)

	key = parse(ofA)
	key.Sender = c.hash.Member()
	refuse("as another sender's", "signature", c, key)

	key = parse(ofA)
	key.Key.Signature = parse(ofC).Key.Signature
	refuse("another sender's signature", "signature", a, key)

	key = parse(ofA)
	key.Key = parse(goodKey(2, 0, 0, chain("one")[0]).message(t, a, b)).Key
	refuse("a wrap of the same key under another header", "wrap", a, key)

	sameIdentity := &party{id: a.id, hash: wire.HashEntry([]byte("a in another room"))}
	key = parse(k.message(t, sameIdentity, b))
	key.Sender = a.hash.Member()
	refuse("a key of another stay", "signature", a, key)

	key = parse(ofA)
	key.Wrap = make([]byte, wire.WrapFresh) // enc is of low order
	refuse("a wrap that everybody can make", "wrap", a, key)

	b.wantAccept(t, a, k, at(0))
	b.wantAccept(t, c, k, at(0))
}

func TestKeysMayBeRepeatedUnderNewNumbers(t *testing.T) {
	a, b := newParty(t, "a"), newParty(t, "b")
	w := chain("one")
	b.wantAccept(t, a, goodKey(1, 0x02, 10, w[2]), at(0))
	early := goodKey(1, 0x02, 10, w[2]).frame(t, a, 0, 15)
	b.wantAccept(t, a, goodKey(2, 0x02, 20, w[2]), at(1)) // the first header still holds
	wantHeard(t, early, "words", at(1), b)

	// A frame of a later step was faster than the key.
	wantHeard(t, goodKey(0, 0x05, 0, w[5]).frame(t, a, 0, 30), "words", at(2), b)
	b.wantAccept(t, a, goodKey(3, 0x03, 20, w[3]), at(3))
	b.wantAccept(t, a, goodKey(4, 0x05, 20, w[5]), at(4))
	b.listener.Expire(at(30)) // steps 2 to 4
	b.wantAccept(t, a, goodKey(5, 0x03, 20, w[3]), at(30))
	b.wantRefused(t, a, goodKey(6, 0x03, 20, chain("other")[3]), ErrBadKey, "does not follow")
	wantHeard(t, goodKey(0, 0x05, 0, w[5]).frame(t, a, 0, 40), "words", at(30), b)
}

// The keys of a header count from its first CTR, also for steps that frames reached.
func TestFirstCTROfListeners(t *testing.T) {
	a, b := newParty(t, "a"), newParty(t, "b")
	w := chain("one")
	b.wantAccept(t, a, goodKey(1, 0x02, 10, w[2]), at(0))
	for _, step := range []uint8{2, 4} {
		k := goodKey(0, step, 0, w[step])
		wantUnheard(t, k.frame(t, a, 0, 9), ErrEarly, at(0), b)
		wantHeard(t, k.frame(t, a, 0, 10), "words", at(0), b)
		wantUnheard(t, k.frame(t, a, 0, 9), ErrEarly, at(0), b)
	}
	b.wantAccept(t, a, goodKey(2, 0x05, 50, w[5]), at(0))
	wantUnheard(t, goodKey(0, 5, 0, w[5]).frame(t, a, 0, 49), ErrEarly, at(0), b)
	wantUnheard(t, goodKey(0, 6, 0, w[6]).frame(t, a, 0, 49), ErrEarly, at(0), b)
	wantHeard(t, goodKey(0, 4, 0, w[4]).frame(t, a, 0, 49), "words", at(0), b)
	wantUnheard(t, goodKey(0, 1, 0, w[1]).frame(t, a, 0, 60), ErrEarly, at(0), b)
}

// Whoever missed sixteen generations holds one that has the number of the newest.
func TestGenerationsWrap(t *testing.T) {
	a, b := newParty(t, "a"), newParty(t, "b")
	b.wantAccept(t, a, goodKey(1, 0x30, 0, chain("one")[0]), at(0))
	again := goodKey(16, 0x30, 0, chain("other")[0])
	b.wantRefused(t, a, again, ErrBadKey, "does not follow")
	again.header.Number = 17
	b.wantAccept(t, a, again, at(60))
	wantHeard(t, again.frame(t, a, 0, 1), "words", at(60), b)

	// Many headers may as well be of one generation.
	b.wantAccept(t, a, goodKey(40, 0x32, 0, chain("other")[2]), at(61))
	wantHeard(t, again.frame(t, a, 0, 2), "words", at(61), b)
}

func TestGenerationsAreBounded(t *testing.T) {
	a, b := newParty(t, "a"), newParty(t, "b")
	var keys []madeKey
	for i := range uint8(16) {
		keys = append(keys, goodKey(uint32(i)+1, i<<4, 0, chain(string(rune('a' + i)))[0]))
		b.wantAccept(t, a, keys[i], at(0))
	}
	oldest := b.listener.talkers[a.hash.Member()].generations[0]
	for i, k := range keys {
		if f := k.frame(t, a, 0, 0); i < len(keys)-maxGenerations {
			wantUnheard(t, f, ErrNoKey, at(0), b)
		} else {
			wantHeard(t, f, "words", at(0), b)
		}
	}
	b.wantAccept(t, a, goodKey(17, 0, 0, chain("q")[0]), at(0))
	if !isErased(oldest.steps[0]) {
		t.Fatal("the oldest generation is not erased")
	}
}

// isErased reports whether nothing is left of a step.
func isErased(s *heldStep) bool {
	return bytes.Equal(s.w(), make([]byte, len(s.w()))) && len(s.keys) == 0
}

func TestExpire(t *testing.T) {
	a, b := newParty(t, "a"), newParty(t, "b")
	expire := func(now float64, next time.Time) {
		t.Helper()
		if got := b.listener.Expire(at(now)); !got.Equal(next) {
			t.Fatalf("Expire after %v s: next after %v, want %v", now, got.Sub(epoch0), next.Sub(epoch0))
		}
	}
	expire(0, never)
	one, two := chain("one"), chain("two")
	b.wantAccept(t, a, goodKey(1, 0x00, 0, one[0]), at(0))
	expire(0, never)
	var frames []sealed
	for _, step := range []uint8{0, 1, 2} {
		frames = append(frames, goodKey(0, step, 0, one[step]).frame(t, a, 0, uint64(step)))
	}
	first := b.listener.talkers[a.hash.Member()].generations[0]
	wantHeard(t, frames[2], "words", at(1), b) // steps 0 and 1 are over
	wantHeard(t, frames[0], "words", at(1), b)
	steps := slices.Clone(first.steps)
	b.wantAccept(t, a, goodKey(2, 0x10, 0, two[0]), at(3)) // step 2 is over
	expire(10.9, at(11))
	wantHeard(t, frames[1], "words", at(10.9), b)
	expire(11, at(13))
	wantUnheard(t, frames[1], ErrEarly, at(11), b)
	wantHeard(t, frames[2], "words", at(11), b)
	if !isErased(steps[0]) || !isErased(steps[1]) || isErased(steps[2]) {
		t.Fatal("steps 0 and 1 are not what was erased")
	}
	expire(13, never)
	wantUnheard(t, frames[2], ErrNoKey, at(13), b)
	if !isErased(steps[2]) {
		t.Fatal("the generation is not erased")
	}
	wantHeard(t, goodKey(0, 0x10, 0, two[0]).frame(t, a, 0, 9), "words", at(100), b)
}

// syncs tells p that these parties are inside, beside itself.
func (p *party) syncs(now time.Time, inside ...*party) {
	set := map[wire.EntryHash]struct{}{p.hash: {}}
	for _, o := range inside {
		set[o.hash] = struct{}{}
	}
	p.listener.Sync(set, now)
}

func TestSync(t *testing.T) {
	a, b, c := newParty(t, "a"), newParty(t, "b"), newParty(t, "c")
	k, other := goodKey(5, 0, 0, chain("one")[0]), goodKey(1, 0, 0, chain("c")[0])
	b.wantAccept(t, a, k, at(0))
	b.wantAccept(t, c, other, at(0))
	f := k.frame(t, a, 0, 0)
	b.syncs(at(1), c)
	b.syncs(at(5), c) // left once
	if next := b.listener.Expire(at(2)); !next.Equal(at(11)) {
		t.Fatalf("next %v", next.Sub(epoch0))
	}
	b.syncs(at(6), a, c)
	b.listener.Expire(at(20))
	wantHeard(t, f, "words", at(20), b)

	b.syncs(at(21), c)
	b.wantAccept(t, a, goodKey(6, 0, 0, k.w), at(22)) // it is back
	b.listener.Expire(at(40))
	wantHeard(t, f, "words", at(40), b)

	b.syncs(at(41), c)
	step := b.listener.talkers[a.hash.Member()].generations[0].steps[0]
	if next := b.listener.Expire(at(51)); !next.IsZero() || !isErased(step) {
		t.Fatalf("next %v, erased: %v", next, isErased(step))
	}
	wantUnheard(t, f, ErrNoKey, at(51), b)
	wantHeard(t, other.frame(t, c, 0, 0), "words", at(51), b)
	// Leaving and coming back does not make old keys new.
	b.wantRefused(t, a, goodKey(6, 0, 0, k.w), ErrKnown, "")
	b.syncs(at(52), a, c)
	b.wantRefused(t, a, goodKey(6, 0, 0, k.w), ErrKnown, "")
	b.wantAccept(t, a, goodKey(7, 0x10, 0, chain("two")[0]), at(60))
}

// Somebody inside who has the id of who left is somebody else.
func TestSyncComparesWholeHashes(t *testing.T) {
	a, b, c := newParty(t, "a"), newParty(t, "b"), newParty(t, "c")
	copy(c.hash[:6], a.hash[:6])
	k := goodKey(1, 0, 0, chain("one")[0])
	b.wantAccept(t, a, k, at(0))
	b.syncs(at(1), c)
	b.listener.Expire(at(11))
	wantUnheard(t, k.frame(t, a, 0, 0), ErrNoKey, at(11), b)
	b.wantAccept(t, c, goodKey(1, 0, 0, chain("two")[0]), at(12))
}

func TestTalkersThatLeftAreBounded(t *testing.T) {
	a, b, c := newParty(t, "a"), newParty(t, "b"), newParty(t, "c")
	b.wantAccept(t, a, goodKey(1, 0, 0, chain("one")[0]), at(0))
	b.wantAccept(t, c, goodKey(1, 0, 0, chain("c")[0]), at(0))
	step := b.listener.talkers[a.hash.Member()].generations[0].steps[0]
	b.syncs(at(0), c)
	for i := range 2 * maxLeft {
		hash := wire.EntryHash{byte(i), byte(i >> 8), 1}
		b.listener.talkers[hash.Member()] = &heldTalker{hash: hash} // as if it had sent a key
	}
	b.syncs(at(1), c)
	if n := len(b.listener.talkers); n != maxLeft+1 {
		t.Fatalf("%d talkers are remembered", n)
	}
	if b.listener.talkers[a.hash.Member()] != nil || !isErased(step) {
		t.Fatal("it is not who left first that was forgotten")
	}
	if b.listener.talkers[c.hash.Member()] == nil {
		t.Fatal("who is inside was forgotten")
	}
}

// Two entries may have one id, for it is short enough to search for.
func TestAnIdBelongsToOneEntryAtATime(t *testing.T) {
	a, b, c := newParty(t, "a"), newParty(t, "b"), newParty(t, "c")
	copy(c.hash[:6], a.hash[:6])
	one, two := goodKey(5, 0, 50, chain("one")[0]), goodKey(1, 0, 0, chain("two")[0])
	b.wantAccept(t, a, one, at(0))
	b.wantRefused(t, c, two, ErrBadKey, "another member has the sender's id")
	b.syncs(at(0), c)
	b.wantAccept(t, c, two, at(1))
	wantHeard(t, two.frame(t, c, 0, 0), "words", at(1), b)
	wantUnheard(t, one.frame(t, a, 0, 50), ErrAuth, at(1), b)
}

func TestClosedListener(t *testing.T) {
	a, b := newParty(t, "a"), newParty(t, "b")
	k := goodKey(5, 0, 0, chain("one")[0])
	b.wantAccept(t, a, k, at(0))
	step := b.listener.talkers[a.hash.Member()].generations[0].steps[0]
	f := k.frame(t, a, 0, 0)
	wantHeard(t, f, "words", at(0), b)
	b.listener.Close()
	b.listener.Close()
	if !isErased(step) {
		t.Fatal("the key is still there")
	}
	wantUnheard(t, f, ErrNoKey, at(0), b)
	b.wantRefused(t, a, goodKey(6, 0, 0, k.w), ErrKnown, "")
	b.syncs(at(1))
	b.listener.Expire(at(1))
}

// FuzzAccept gives a listener what a talker that means ill may sign, around a good key and among others:
// whatever it takes must be by the rules, and what it refuses must change nothing.
func FuzzAccept(f *testing.F) {
	a, b := newParty(f, "a"), newParty(f, "b")
	w := chain("one")
	good := goodKey(1, 0x02, 10, w[2])
	next := goodKey(2, 0x03, 10, w[3])
	f.Add(next.message(f, a, b)[6:], false)
	f.Add(wire.AppendKeyHeader(nil, &next.header), true)
	f.Add([]byte{2, 0, 0, 0, 2, 0x10, 10}, true)
	round := goodKey(17, 0x04, 10, w[3])
	f.Add(wire.AppendKeyHeader(nil, &round.header), true)
	f.Fuzz(func(t *testing.T, body []byte, sign bool) {
		l := NewListener(b.hash, b.join, testRoom, nil)
		held := &party{hash: b.hash, join: b.join, listener: l}
		held.wantAccept(t, a, good, at(0))
		message := append(a.hash[:6:6], body...)
		if sign { // the body is a header
			message = append(message, signHeader(a.id, a.hash, body)...)
			message = append(message, mustWrap(t, b.join, a.hash, body, b.hash, w[3])...)
		}
		key, err := wire.Parse[wire.Key](message)
		if err != nil {
			return
		}
		_, err = l.Accept(a.hash, a.id.Public(), &key, at(0))
		h := key.Key.KeyHeader
		talker := l.talkers[a.hash.Member()]
		switch {
		case err == nil:
			if h.Number <= 1 || h.FirstCTR < 10 || talker.number != h.Number ||
				h.Hash != sha256.Sum256(w[3]) {
				t.Fatalf("took %+v", h)
			}
		case !errors.Is(err, ErrBadKey) && err != ErrKnown:
			t.Fatalf("error %v", err)
		case talker.number != 1 || talker.first != 10 || len(talker.generations) != 1 ||
			len(talker.generations[0].steps) != 1:
			t.Fatalf("refused %+v and changed", h)
		}
		if err == nil && h.Epoch < generations && h.Epoch != next.header.Epoch { // it is not on the chain
			if h.Number-good.header.Number < generations {
				t.Fatalf("took %+v for the key of another round of generations", h)
			}
			return
		}
		wantHeard(t, good.frame(t, a, 0, 10), "words", at(0), held)
	})
}

func BenchmarkAccept(b *testing.B) {
	from, to := newParty(b, "a"), newParty(b, "b")
	key, err := wire.Parse[wire.Key](goodKey(1, 0, 0, chain("one")[0]).message(b, from, to))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := to.listener.Accept(from.hash, from.id.Public(), &key, at(0)); err != nil {
			b.Fatal(err)
		}
		delete(to.listener.talkers, from.hash.Member())
	}
}
