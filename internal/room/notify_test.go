package room

import (
	"testing"
)

func TestSmallRoomIsToldAtOnce(t *testing.T) {
	h := newHouse(t)
	a := h.join("r")
	h.rooms.Flush(epoch)
	a.wantTold(t, "own join", plus(a))
	b := h.join("r")
	b.Flush(epoch)
	a.wantTold(t, "b joined", plus(b))
	b.wantTold(t, "b joined", plus(b))
	c := h.join("r")
	b.Leave(epoch)
	a.Flush(epoch)
	a.wantTold(t, "c joined, b left", plus(c), minus(b))
	b.wantTold(t, "who has left")
	h.rooms.Flush(seconds(100))
	a.wantTold(t, "nothing new")
}

func TestLargeRoomIsToldOnceASecond(t *testing.T) {
	h := newHouse(t)
	list := h.joinMany("r", smallRoom+1)
	h.rooms.Flush(epoch)
	a := list[0]
	a.ears.quiet(t)
	b := h.join("r")
	h.rooms.Flush(seconds(0.5))
	a.wantTold(t, "within the second")
	list[5].Leave(seconds(0.6))
	c := h.join("r")
	h.rooms.Flush(seconds(0.9))
	a.wantTold(t, "within the second")
	h.rooms.Flush(seconds(1))
	a.wantTold(t, "after a second", plus(b), plus(c), minus(list[5]))
	d := h.join("r")
	d.Flush(seconds(2.5)) // nothing was told for more than a second
	a.wantTold(t, "at once", plus(d))
}

// TestJoinAndLeaveInBetween wants the join untold, and the leave told: a page of the list may have shown the
// member.
func TestJoinAndLeaveInBetween(t *testing.T) {
	h := newHouse(t)
	a := h.join("r")
	h.rooms.Flush(epoch)
	a.ears.quiet(t)
	b := h.join("r")
	if entries, _ := a.Page(nil); len(entries) != 2 {
		t.Fatalf("%d entries", len(entries))
	}
	b.Leave(epoch)
	h.rooms.Flush(epoch)
	a.wantTold(t, "came and went", minus(b))
}

func TestManyJoinsAreNotListed(t *testing.T) {
	h := newHouse(t)
	a := h.join("r")
	h.rooms.Flush(epoch)
	a.ears.quiet(t)
	list := h.joinMany("r", manyChanges)
	h.rooms.Flush(seconds(2))
	if n := len(a.ears.told(t)); n != manyChanges {
		t.Errorf("%d joins told, want %d", n, manyChanges)
	}
	h.joinMany("r", manyChanges+1)
	list[0].Leave(seconds(3))
	h.rooms.Flush(seconds(4))
	a.wantTold(t, "more joins than are told", "refetch")
}

func TestManyLeavesAreListed(t *testing.T) {
	h := newHouse(t)
	list := h.joinMany("r", 1000)
	h.rooms.Flush(epoch)
	a := list[0]
	a.ears.quiet(t)
	var want []string
	for _, g := range list[1:] {
		g.Leave(epoch)
		want = append(want, minus(g))
	}
	h.rooms.Flush(seconds(2))
	a.wantTold(t, "all left", want...)
}

// TestFullReceiver wants a member whose link took no more messages to be told to fetch the list, and only
// that, once it takes them again.
func TestFullReceiver(t *testing.T) {
	h := newHouse(t)
	a, b := h.join("r"), h.join("r")
	h.rooms.Flush(epoch)
	a.ears.quiet(t)
	b.ears.quiet(t)
	a.ears.full.Store(true)
	c := h.join("r")
	h.rooms.Flush(seconds(1))
	b.wantTold(t, "c joined", plus(c))
	d := h.join("r")
	h.rooms.Flush(seconds(2))
	b.wantTold(t, "d joined", plus(d))
	a.ears.full.Store(false)
	a.wantTold(t, "full")
	e := h.join("r")
	h.rooms.Flush(seconds(3))
	a.wantTold(t, "behind", "refetch")
	b.wantTold(t, "e joined", plus(e))
	f := h.join("r")
	h.rooms.Flush(seconds(4))
	a.wantTold(t, "in step again", plus(f))
}

// TestFullReceiverOfAQuietRoom wants the refetch without any further change.
func TestFullReceiverOfAQuietRoom(t *testing.T) {
	h := newHouse(t)
	a := h.join("r")
	a.ears.full.Store(true)
	h.join("r")
	h.rooms.Flush(epoch)
	a.ears.full.Store(false)
	h.rooms.Flush(seconds(0.1))
	a.wantTold(t, "behind", "refetch")
}
