package e2ee

import (
	"testing"
	"time"
)

// A key that a later one overtook opens the frames that wait for it, once, and no longer than if it had come
// in time.
func TestKeyOvertaken(t *testing.T) {
	a, b := newParty(t, "a"), newParty(t, "b")
	first, second := goodKey(1, 0x10, 0, chain("one")[0]), goodKey(2, 0x20, 50, chain("two")[0])
	frame := first.frame(t, a, 0, 7)
	b.wantAccept(t, a, second, at(0))
	wantUnheard(t, frame, ErrNoKey, at(0), b)
	b.wantAccept(t, a, first, at(3))
	wantHeard(t, frame, "words", at(3), b)
	wantHeard(t, second.frame(t, a, 0, 51), "words", at(3), b)
	b.wantRefused(t, a, first, ErrKnown, "")
	if next := b.listener.Expire(at(3)); !next.Equal(at(10)) {
		t.Errorf("next is %v, want 10 s after the second", next)
	}
	b.listener.Expire(at(10))
	wantUnheard(t, frame, ErrNoKey, at(10), b)
	b.wantRefused(t, a, first, ErrKnown, "")
	wantHeard(t, second.frame(t, a, 0, 52), "words", at(10), b)
}

// What was accepted and is over does not come back as overtaken, nor does what is too old, or breaks the
// order of CTRs.
func TestNotOvertaken(t *testing.T) {
	a, b := newParty(t, "a"), newParty(t, "b")
	key := func(number uint32, generation uint8, first uint64) madeKey {
		return goodKey(number, generation<<4, first, chain("key")[0])
	}
	b.wantAccept(t, a, key(11, 1, 100), at(0))
	b.wantAccept(t, a, key(12, 2, 200), at(1))
	b.listener.Expire(at(11))
	b.wantAccept(t, a, key(20, 4, 400), at(11)) // and one that is not accepted here
	refused := func(k madeKey, now time.Time, what string) {
		t.Helper()
		if err := b.accept(t, a, k.message(t, a, b), now); err != ErrKnown {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused(key(11, 1, 100), at(11), "too far below")
	refused(key(12, 1, 200), at(11), "accepted before")
	refused(key(13, 4, 300), at(11), "its generation is held")
	refused(key(13, 3, 401), at(11), "its first CTR is above")
	refused(key(13, 3, 300), at(21), "too late")
	b.wantAccept(t, a, key(13, 3, 300), at(20.9))
}

// TestAcceptedNumbers compares the bits with a set.
func TestAcceptedNumbers(t *testing.T) {
	var a acceptedNumbers
	last := uint32(0)
	taken := map[uint32]bool{}
	for _, number := range []uint32{1, 2, 5, 6, 13, 14, 80, 1 << 31, 1<<31 + 1, 1<<32 - 1} {
		a = a.with(number, last)
		last = number
		taken[number] = true
		for below := uint32(0); below <= maxOvertaken && below < number; below++ {
			if is := a>>below&1 == 1; is != taken[number-below] {
				t.Errorf("at %d: %d is %v", number, number-below, is)
			}
		}
	}
}

// A talker's generations stay in order, and bounded, whatever comes late.
func TestOvertakenIsBounded(t *testing.T) {
	a, b := newParty(t, "a"), newParty(t, "b")
	for i := range uint8(14) {
		b.wantAccept(t, a, goodKey(2*uint32(i)+2, i<<4, uint64(i), chain("key")[0]), at(0))
	}
	b.wantAccept(t, a, goodKey(25, 14<<4, 11, chain("key")[0]), at(0))
	b.wantAccept(t, a, goodKey(27, 15<<4, 12, chain("key")[0]), at(0))
	held := b.listener.talkers[a.hash.Member()].generations
	if len(held) != maxGenerations || held[len(held)-1].number != 28 || !held[len(held)-1].over.IsZero() {
		t.Errorf("%d generations, the last of number %d", len(held), held[len(held)-1].number)
	}
	for _, g := range held[:len(held)-1] {
		if g.over.IsZero() {
			t.Errorf("the generation of number %d goes on", g.number)
		}
	}
}
