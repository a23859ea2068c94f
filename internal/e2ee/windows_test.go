package e2ee

import (
	"errors"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/wzp-voice/wzp/internal/wire"
)

// TestReplayWindowsOfATalker wants each frame of 256 streams to be taken at most once, in whatever order, in
// bounded memory.
func TestReplayWindowsOfATalker(t *testing.T) {
	var w replayWindows
	random := rand.New(rand.NewPCG(1, 2))
	taken := make(map[[2]uint64]bool)
	next := [256]uint64{}
	for range 200_000 {
		stream := uint8(random.IntN(256))
		if random.IntN(3) > 0 {
			stream %= 20 // some talk more than others
		}
		ctr := next[stream] + uint64(random.IntN(4))
		if random.IntN(10) == 0 {
			ctr = uint64(random.Int64N(int64(ctr) + 1)) // of the past
		}
		highest := next[stream]
		err := w.accept(stream, ctr)
		at := [2]uint64{uint64(stream), ctr}
		switch {
		case err == nil && taken[at]:
			t.Fatalf("stream %d: CTR %d was taken twice", stream, ctr)
		case err != nil && ctr > highest:
			t.Fatalf("stream %d: CTR %d is new: %v", stream, ctr, err)
		case err == nil:
			taken[at] = true
			next[stream] = max(highest, ctr)
		}
	}
	if len(w.recent) != maxWindows || len(w.recent)+len(w.floors) != 256 {
		t.Errorf("%d windows, %d floors", len(w.recent), len(w.floors))
	}
	size := cap(w.recent)*int(unsafe.Sizeof(streamWindow{})) + cap(w.floors)*int(unsafe.Sizeof(streamFloor{}))
	if size > 16<<10 {
		t.Errorf("%d bytes", size)
	}
	w.shrink(len(w.recent)) // it left
	for at := range taken {
		if err := w.accept(uint8(at[0]), at[1]); err == nil {
			t.Fatalf("stream %d: CTR %d was taken again later", at[0], at[1])
		}
	}
}

func TestReplayWindowsFarAhead(t *testing.T) {
	var w replayWindows
	for i, test := range []struct {
		stream uint8
		ctr    uint64
		want   error
	}{
		{0, 1 << 40, nil}, // the first of a stream may have any
		{0, 1<<40 + maxJump + 1, ErrAhead},
		{0, 1<<40 + maxJump, nil},
		{0, 1<<40 + 1, ErrTooOld},
		{0, 1<<40 + maxJump, ErrReplayed},
	} {
		if err := w.accept(test.stream, test.ctr); !errors.Is(err, test.want) ||
			(err == nil) != (test.want == nil) {
			t.Errorf("%d: %v, want %v", i, err, test.want)
		}
	}
	w.shrink(1)
	highest := uint64(1<<40 + maxJump)
	if err := w.accept(0, highest+maxJump+1); !errors.Is(err, ErrAhead) {
		t.Errorf("ahead of a floor: %v", err)
	}
	if err := w.accept(0, highest+2); err != nil {
		t.Errorf("above a floor: %v", err)
	}
	if err := w.accept(0, highest+1); err != nil { // it came late
		t.Errorf("between a floor and the newest: %v", err)
	}
	if err := w.accept(0, highest); err == nil {
		t.Error("the floor itself was taken again")
	}
}

// TestSameKeyAfterALeave has a talker who never left send its key again after the relay had the listener
// erase it: nothing that was taken is taken again.
func TestSameKeyAfterALeave(t *testing.T) {
	a, b := newParty(t, "a"), newParty(t, "b")
	w := chain("one")
	k := goodKey(1, 0, 0, w[0])
	b.wantAccept(t, a, k, at(0))
	inside := map[wire.EntryHash]struct{}{a.hash: {}}
	for _, f := range []sealed{k.frame(t, a, 0, 5), k.frame(t, a, wire.ViewStream, 7)} {
		wantHeard(t, f, "words", at(0), b)
		if err := b.takes(f); err != nil {
			t.Fatal(err)
		}
	}
	b.listener.Sync(map[wire.EntryHash]struct{}{}, at(1))
	b.listener.Expire(at(12))
	wantUnheard(t, k.frame(t, a, 0, 5), ErrNoKey, at(12), b)
	b.listener.Sync(inside, at(13))
	k.header.Number = 2 // it was asked for again
	b.wantAccept(t, a, k, at(14))
	for _, f := range []sealed{k.frame(t, a, 0, 5), k.frame(t, a, wire.ViewStream, 7), k.frame(t, a, 0, 4)} {
		wantHeard(t, f, "words", at(14), b)
		if err := b.takes(f); err == nil {
			t.Errorf("stream %d, CTR %d was taken again", f.kid.Stream(), f.ctr)
		}
	}
	if err := b.takes(k.frame(t, a, 0, 6)); err != nil {
		t.Errorf("a new frame: %v", err)
	}
}

// takes notes that a frame came.
func (p *party) takes(f sealed) error { return p.listener.AcceptFrame(f.kid, f.ctr) }

// TestKeysOfManyStreams wants a talker of 256 streams to bind no more keys than those that it may need at
// once.
func TestKeysOfManyStreams(t *testing.T) {
	a, b := newParty(t, "a"), newParty(t, "b")
	k := goodKey(1, 0, 0, chain("one")[0])
	b.wantAccept(t, a, k, at(0))
	for round := range uint64(2) {
		for stream := range 256 {
			wantHeard(t, k.frame(t, a, uint8(stream), round), "words", at(0), b)
		}
	}
	if n := len(b.listener.talkers[a.hash.Member()].generations[0].steps[0].keys); n != maxWindows {
		t.Errorf("%d keys are held, want %d", n, maxWindows)
	}
}
