package room

import (
	"slices"
	"testing"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/wire"
)

func TestKeysWanted(t *testing.T) {
	h := newHouse(t)
	list := h.acquainted(4)
	a, b, c, d := list[0], list[1], list[2], list[3]
	stranger := h.join("another")
	b.asks(0, a, b, stranger)
	c.asks(0, a, d)
	a.wantTold(t, "before Flush")
	if h.rooms.Flush(seconds(0.1)) {
		t.Error("something is left")
	}
	a.wantTold(t, "together", wantedBy(b, c))
	d.wantTold(t, "of one whom it does not know", plus(c), wantedBy(c))
	b.wantTold(t, "of itself")
	stranger.ears.quiet(t)
	d.asks(1, a)
	d.Leave(seconds(1))
	a.Flush(seconds(1))
	a.wantTold(t, "left before", minus(d))
	c.asks(2, d)
	if h.rooms.Flush(seconds(2)) {
		t.Error("something is left for a talker who left")
	}
}

func TestKeysWantedRate(t *testing.T) {
	h := newHouse(t)
	list := h.acquainted(2)
	a, b := list[0], list[1]
	told := 0
	for i := range 100 {
		at := float64(i) / 50
		b.asks(at, a)
		h.rooms.Flush(seconds(at))
		told += len(a.ears.told(t))
	}
	if want := askBurst + askRate*2; told != want && told != want-1 {
		t.Errorf("told %d times in 2 s, want %d", told, want)
	}
	if got := h.rooms.Drops.Count(drops.KeyRate); got != uint64(100-told) {
		t.Errorf("%d dropped", got)
	}
}

// TestCrowdWantsKey wants a talker not to be flooded, and everybody's turn to come.
func TestCrowdWantsKey(t *testing.T) {
	h := newHouse(t)
	crowd := h.joinMany("r", 1000)
	h.rooms.Flush(epoch) // more than are told: all are to fetch the list
	talker := crowd[0]
	talker.ears.quiet(t)
	named := make(map[wire.MemberID]int)
	introduced := make(map[wire.MemberID]int)
	for round := range 1000 {
		at := float64(round) / 10
		if round%20 == 0 {
			for _, g := range crowd[1:] {
				if named[g.ID] == 0 {
					g.asks(at, talker)
				}
			}
		}
		h.rooms.Flush(seconds(at))
		talker.ears.mu.Lock()
		if n := len(talker.ears.news); n > 2 {
			t.Fatalf("%d messages at once", n)
		}
		for _, u := range talker.ears.news {
			entries, _ := wire.ParseMembersJoined(u.body)
			ids, _ := wire.ParseKeysWanted(u.body)
			switch u.kind {
			case wire.UrgentMembersJoined:
				for _, e := range entries {
					introduced[wire.EntryID(e)]++
				}
			case wire.UrgentKeysWanted:
				for _, id := range ids {
					named[id]++
					if introduced[id] != 1 {
						t.Fatalf("%v was introduced %d times", id, introduced[id])
					}
				}
			}
		}
		talker.ears.news = nil
		talker.ears.mu.Unlock()
		if len(named) == len(crowd)-1 {
			return
		}
	}
	t.Errorf("%d of %d were named", len(named), len(crowd)-1)
}

// TestFullTalker drops what its link does not take.
func TestFullTalker(t *testing.T) {
	h := newHouse(t)
	list := h.acquainted(2)
	b, a := list[0], list[1]
	a.ears.full.Store(true)
	b.asks(0, a)
	if h.rooms.Flush(seconds(0.1)) {
		t.Error("a request waits for a full link")
	}
	a.ears.full.Store(false)
	b.asks(2, a)
	h.rooms.Flush(seconds(2))
	a.wantTold(t, "asked again", plus(b), wantedBy(b))
}

func TestSlots(t *testing.T) {
	var s slots
	if !s.empty() || s.has(0) || s.remove(1000) {
		t.Error("not empty")
	}
	for _, slot := range []int{0, 63, 64, 200, 5} {
		s.add(slot)
	}
	if got := slices.Collect(s.from(64)); !slices.Equal(got, []int{64, 200, 0, 5, 63}) {
		t.Errorf("from 64: %v", got)
	}
	if got := slices.Collect(s.from(500)); !slices.Equal(got, []int{0, 5, 63, 64, 200}) {
		t.Errorf("from 500: %v", got)
	}
	var o slots
	o.addAll(s)
	o.remove(200)
	s.removeAll(o)
	if got := slices.Collect(s.from(0)); !slices.Equal(got, []int{200}) {
		t.Errorf("%v is left", got)
	}
	if !s.remove(200) || !s.empty() || s.remove(200) {
		t.Error("200 is left")
	}
}
