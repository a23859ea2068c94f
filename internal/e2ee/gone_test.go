package e2ee

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/wzp-voice/wzp/internal/wire"
)

// crowd has so many others send a key and leave, after whoever left before.
func (p *party) crowd(from, n int) {
	p.listener.mu.Lock()
	defer p.listener.mu.Unlock()
	for i := range n {
		hash := wire.HashEntry(binary.BigEndian.AppendUint64(nil, uint64(from+i)))
		p.listener.talkers[hash.Member()] = &heldTalker{hash: hash, number: 1, left: at(2)}
		if i%maxLeft == 0 || i == n-1 {
			p.listener.boundLeftLocked()
		}
	}
}

// TestBackAfterACrowd has somebody be away for longer than a session lasts while guests come and go, who need
// no secret for that. It is heard again when it is back with the same entry, and nothing of before is.
func TestBackAfterACrowd(t *testing.T) {
	a, b := newParty(t, "a"), newParty(t, "b")
	w := chain("one")
	k := goodKey(7, 0, 3, w[0])
	b.wantAccept(t, a, k, at(0))
	for _, f := range []sealed{k.frame(t, a, 0, 5), k.frame(t, a, wire.ViewStream, 7)} {
		if err := b.takes(f); err != nil {
			t.Fatal(err)
		}
	}
	b.syncs(at(1))
	b.crowd(0, 4*maxLeft)
	if b.listener.talkers[a.hash.Member()] != nil {
		t.Fatal("there was no crowd")
	}
	b.wantRefused(t, a, k, ErrKnown, "old or known") // the relay plays the past
	early := goodKey(8, 0, 2, w[0])
	b.wantRefused(t, a, early, ErrBadKey, "went back")
	k.header.Number = 8 // it was asked for again
	b.wantAccept(t, a, k, at(70))
	b.syncs(at(70), a)
	for _, f := range []sealed{k.frame(t, a, 0, 5), k.frame(t, a, 0, 4), k.frame(t, a, wire.ViewStream, 7)} {
		wantHeard(t, f, "words", at(70), b)
		if err := b.takes(f); err == nil {
			t.Errorf("stream %d, CTR %d was taken again", f.kid.Stream(), f.ctr)
		}
	}
	for _, f := range []sealed{k.frame(t, a, 0, 6), k.frame(t, a, wire.ViewStream, 8)} {
		if err := b.takes(f); err != nil {
			t.Errorf("stream %d: a new frame: %v", f.kid.Stream(), err)
		}
	}
	for n := uint32(1); n < 8; n++ {
		old := goodKey(n, 0x10, 3, chain("old")[0])
		b.wantRefused(t, a, old, ErrKnown, "old or known")
	}
}

// TestNewcomersAfterManyCrowds wants no number of guests who came and went to mute whoever comes for the
// first time, and none of those who are not remembered to be taken for new.
func TestNewcomersAfterManyCrowds(t *testing.T) {
	a, b, c := newParty(t, "a"), newParty(t, "b"), newParty(t, "c")
	k := goodKey(1, 0, 0, chain("one")[0])
	b.wantAccept(t, a, k, at(0))
	b.syncs(at(1))
	b.crowd(0, maxLeft+maxGone+300_000)
	if n := len(b.listener.gone.talkers); n != maxGone {
		t.Errorf("%d are remembered, want %d", n, maxGone)
	}
	if n := len(b.listener.gone.order); n != maxGone {
		t.Errorf("%d are in the order", n)
	}
	k.header.Number = 99
	if err := b.accept(t, a, k.message(t, a, b), at(4)); !errors.Is(err, ErrKnown) {
		t.Errorf("a key of somebody who is not remembered: %v", err)
	}
	b.wantAccept(t, c, goodKey(1, 0, 0, chain("two")[0]), at(4))
}

// TestGoneOfManyStreams wants a talker of many streams to be remembered in as much space as others, and
// nothing of it to be taken twice.
func TestGoneOfManyStreams(t *testing.T) {
	var g goneTalkers
	var w replayWindows
	for stream := range 256 {
		if err := w.accept(uint8(stream), uint64(1000+stream)); err != nil {
			t.Fatal(err)
		}
	}
	hash := wire.HashEntry([]byte("a"))
	g.put(&heldTalker{hash: hash, number: 3, windows: w})
	back := g.back(hash)
	if n := len(back.windows.floors); n > maxGoneFloors {
		t.Errorf("%d floors", n)
	}
	for stream := range 256 {
		if err := back.windows.accept(uint8(stream), uint64(1000+stream)); err == nil {
			t.Fatalf("a frame of stream %d was taken again", stream)
		}
		if err := back.windows.accept(uint8(stream), 1256); err != nil {
			t.Fatalf("a new frame of stream %d: %v", stream, err)
		}
	}
	if g.back(hash) != nil || len(g.talkers) != 0 {
		t.Error("it is there still")
	}
}
