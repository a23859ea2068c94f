package e2ee

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// maxGenerations is how many a talker may have at once: in the 10 s that an old one stays there may be a
// fresh key a second, while the talker uses the first of them up to 8 s.
const maxGenerations = 12

// heldTalker is what is known of one talker.
type heldTalker struct {
	hash        wire.EntryHash
	number      uint32            // of the last header
	accepted    acceptedNumbers   // those up to it
	first       uint64            // its first CTR
	renewed     time.Time         // when the newest generation came
	generations []*heldGeneration // the newest last
	left        time.Time         // zero: it is inside
	windows     replayWindows
}

// add makes a generation that was not held the newest.
func (t *heldTalker) add(h *wire.KeyHeader, w []byte, now time.Time) {
	if n := len(t.generations); n > 0 && t.generations[n-1].over.IsZero() {
		t.generations[n-1].over = now
	}
	t.renewed = now
	t.insert(len(t.generations), h, w)
}

// insert puts a new generation before the i-th of those that are held, in place of the oldest if they are too
// many.
func (t *heldTalker) insert(i int, h *wire.KeyHeader, w []byte) *heldGeneration {
	if len(t.generations) == maxGenerations {
		t.drop(t.generations[0])
		i--
	}
	g := &heldGeneration{
		suite: Suite(h.Suite), index: h.Epoch / generations, number: h.Number,
		steps: []*heldStep{newStep(h.Epoch%generations, h.FirstCTR, w)},
	}
	t.generations = slices.Insert(t.generations, i, g)
	return g
}

func (t *heldTalker) generation(index uint8) *heldGeneration {
	for _, g := range t.generations {
		if g.index == index {
			return g
		}
	}
	return nil
}

// drop erases one generation.
func (t *heldTalker) drop(g *heldGeneration) {
	eraseSteps(g.steps)
	t.generations = slices.DeleteFunc(t.generations, func(o *heldGeneration) bool { return o == g })
}

// erase erases all generations of t, if there is a t.
func (t *heldTalker) erase() {
	if t == nil {
		return
	}
	for _, g := range t.generations {
		eraseSteps(g.steps)
	}
	t.generations = nil
}

// expire erases what is over of a talker, and returns when the rest is, as far as that is known.
func (t *heldTalker) expire(now time.Time) (next time.Time) {
	isOver := func(over time.Time) bool {
		end := over.Add(keepOld)
		switch {
		case over.IsZero():
			return false
		case !now.Before(end):
			return true
		}
		next = Soonest(next, end)
		return false
	}
	if len(t.generations) == 0 {
		return time.Time{}
	}
	if isOver(t.left) {
		t.erase()
		t.windows.shrink(len(t.windows.recent)) // nothing late can be opened any more
		return time.Time{}
	}
	for _, g := range slices.Clone(t.generations) {
		if isOver(g.over) {
			t.drop(g)
			continue
		}
		for isOver(g.steps[0].over) {
			eraseSteps(g.steps[:1])
			g.steps = slices.Delete(g.steps, 0, 1)
		}
	}
	return next
}
