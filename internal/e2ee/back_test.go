package e2ee

import "testing"

// Whoever has a talker's key has all later steps, and with the help of a relay can say that the talker is
// there. What the talker really says is mute when the steps before are over; its next header heals that.
func TestHeaderHealsAForgedStep(t *testing.T) {
	a, b := newParty(t, "a"), newParty(t, "b")
	w := chain("one")
	real := func(ctr uint64) sealed { return goodKey(0, 0x03, 0, w[3]).frame(t, a, 0, ctr) }
	forged := func(ctr uint64) sealed { return goodKey(0, 0x0f, 0, w[15]).frame(t, a, 9, ctr) }
	b.wantAccept(t, a, goodKey(1, 0x03, 10, w[3]), at(0))

	wantHeard(t, forged(10), "words", at(1), b)
	wantHeard(t, real(20), "words", at(1), b)
	last := b.listener.talkers[a.hash.Member()].generations[0].newest()
	b.listener.Expire(at(11))
	wantUnheard(t, real(600), ErrEarly, at(11), b)
	b.wantAccept(t, a, goodKey(2, 0x03, 500, w[3]), at(13))
	if !isErased(last) {
		t.Fatal("the forged step is still there")
	}
	wantHeard(t, real(700), "words", at(13), b)
	wantUnheard(t, real(499), ErrEarly, at(13), b) // its first CTR counts
	if next := b.listener.Expire(at(100)); !next.IsZero() {
		t.Fatalf("Expire: next after %v, though no step follows", next.Sub(epoch0))
	}
	wantHeard(t, real(5000), "words", at(100), b)

	// Asking within the 10 s heals as well, and again. Steps before the header's go when they would have.
	wantHeard(t, goodKey(0, 0x04, 0, w[4]).frame(t, a, 0, 5001), "words", at(101), b)
	wantHeard(t, forged(6000), "words", at(102), b)
	b.wantAccept(t, a, goodKey(3, 0x04, 5500, w[4]), at(105))
	wantHeard(t, real(5002), "words", at(105), b)
	if next := b.listener.Expire(at(111)); !next.IsZero() {
		t.Fatalf("Expire: next after %v, though no step follows", next.Sub(epoch0))
	}
	wantUnheard(t, real(5003), ErrEarly, at(111), b)
	for _, step := range []uint8{4, 5, 15} { // it goes on from there
		wantHeard(t, goodKey(0, step, 0, w[step]).frame(t, a, 0, 7000+uint64(step)), "words", at(112), b)
	}
	b.wantAccept(t, a, goodKey(4, 0x10, 7000, chain("two")[0]), at(113))
}

// Only a header whose wrap is on the chain brings a step back, and none before it.
func TestOnlyTheWrappedStepComesBack(t *testing.T) {
	a, b := newParty(t, "a"), newParty(t, "b")
	w, other := chain("one"), chain("other")
	b.wantAccept(t, a, goodKey(1, 0x03, 10, w[3]), at(0))
	wantHeard(t, goodKey(0, 0x08, 0, w[8]).frame(t, a, 0, 10), "words", at(1), b)
	b.listener.Expire(at(11))
	for _, bad := range []madeKey{
		goodKey(1, 0x03, 20, w[3]), goodKey(2, 0x03, 9, w[3]), goodKey(2, 0x03, 20, other[3]),
		goodKey(2, 0x03, 20, w[4]),
	} {
		if err := b.accept(t, a, bad.message(t, a, b), at(11)); err == nil {
			t.Fatalf("took key %d", bad.header.Number)
		}
		wantUnheard(t, goodKey(0, 0x03, 0, w[3]).frame(t, a, 0, 20), ErrEarly, at(11), b)
		wantHeard(t, goodKey(0, 0x08, 0, w[8]).frame(t, a, 0, 11), "words", at(11), b)
	}
	b.wantAccept(t, a, goodKey(2, 0x05, 20, w[5]), at(12))
	for _, step := range []uint8{3, 4} {
		wantUnheard(t, goodKey(0, step, 0, w[step]).frame(t, a, 0, 30), ErrEarly, at(12), b)
	}
	wantHeard(t, goodKey(0, 0x05, 0, w[5]).frame(t, a, 0, 30), "words", at(12), b)
	wantHeard(t, goodKey(0, 0x08, 0, w[8]).frame(t, a, 0, 30), "words", at(12), b)
}
