package room

import "testing"

// A newcomer asks who is there: it is told of those of whom it was not told before, not too often, and of no
// more than it can take.
func TestMembersWanted(t *testing.T) {
	h := newHouse(t)
	a, b := h.join("r"), h.join("r")
	h.rooms.Flush(seconds(0))
	c := h.join("r")
	h.join("another")
	h.rooms.Flush(seconds(1))
	a.ears.quiet(t)
	b.ears.quiet(t)
	c.ears.quiet(t)
	c.MembersWanted(seconds(2))
	c.wantTold(t, "asked", plus(a), plus(b))
	c.MembersWanted(seconds(3))
	c.wantTold(t, "asked again")
	b.MembersWanted(seconds(3))
	b.wantTold(t, "who was told of all as they came")
	d := h.join("r")
	for range 10 {
		d.MembersWanted(seconds(4))
	}
	if n := len(d.ears.told(t)); n != 3 {
		t.Errorf("told of %d, want 3, each once", n)
	}
	crowd := h.joinMany("r", 100)
	last := crowd[99]
	last.ears.quiet(t)
	for s := range 10 {
		last.MembersWanted(seconds(float64(10 + s)))
	}
	if n := len(last.ears.told(t)); n != maxIntroduced*(introduceBurst+1) {
		t.Errorf("told of %d in 10 s, want %d", n, maxIntroduced*(introduceBurst+1))
	}
	last.Leave(seconds(30))
	e := h.join("another")
	e.ears.full.Store(true)
	e.MembersWanted(seconds(31))
	e.ears.full.Store(false)
	e.MembersWanted(seconds(32))
	if n := len(e.ears.told(t)); n != 1 {
		t.Errorf("told of %d, want 1: its link did not take it before", n)
	}
	last.MembersWanted(seconds(40))
	last.wantTold(t, "left")
}
