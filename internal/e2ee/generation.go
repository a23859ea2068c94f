package e2ee

import (
	"crypto/subtle"
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// heldGeneration is a fresh key and what it was ratcheted to. It has at least one step.
type heldGeneration struct {
	suite  Suite
	index  uint8
	number uint32      // of its last header
	steps  []*heldStep // ascending, without gaps
	over   time.Time   // when its successor came; zero: it has none
}

// heldStep is one W[s].
type heldStep struct {
	index uint8
	first uint64         // frames below are dropped
	w     func() []byte  // erased in place; of a function fmt shows an address at most
	keys  map[uint8]*Key // by stream, of which a frame was authentic; nil: none yet
	over  time.Time      // when its successor came; zero: it has none
}

// newStep takes over w.
func newStep(index uint8, first uint64, w []byte) *heldStep {
	return &heldStep{index: index, first: first, w: func() []byte { return w }}
}

// follow takes a key of the same generation, which must be on its chain: behind the newest step, then steps
// are added, or not, then it is the newest again.
func (g *heldGeneration) follow(h *wire.KeyHeader, w []byte, now time.Time) error {
	index, newest := h.Epoch%generations, g.newest()
	switch {
	case Suite(h.Suite) != g.suite:
		return errKeySuite
	case index <= newest.index:
		if !g.has(index, w) {
			return errKeyFollow
		}
		g.goBack(index, h.FirstCTR, w)
	default:
		ahead := ratchetAhead(newest, index)
		last := ahead[len(ahead)-1]
		if !sameKey(last.w(), w) {
			eraseSteps(ahead)
			return errKeyFollow
		}
		clear(w)
		last.first = h.FirstCTR
		g.append(ahead, now)
	}
	g.number = h.Number
	return nil
}

// has reports whether w is the key of a step that is not above the newest: held, or such that it ratchets to
// the oldest that is held.
func (g *heldGeneration) has(index uint8, w []byte) bool {
	if held := g.step(index); held != nil {
		return sameKey(held.w(), w)
	}
	oldest := g.steps[0]
	ahead := ratchetAhead(newStep(index, 0, w), oldest.index)
	defer eraseSteps(ahead)
	return sameKey(ahead[len(ahead)-1].w(), oldest.w())
}

// goBack makes a step that g has the newest, as its header says: it takes over w, and the first CTR where the
// step is not held. Only frames told of later steps. They may have been faster than the header, or be forged,
// by a member with the help of a relay, to mute the talker when its step is over. Either way later steps
// follow from this one again when a frame says so.
func (g *heldGeneration) goBack(index uint8, first uint64, w []byte) {
	held := g.step(index)
	if held == nil {
		eraseSteps(g.steps)
		g.steps = append(g.steps[:0], newStep(index, first, w))
		return
	}
	clear(w)
	held.over = time.Time{}
	after := int(index-g.steps[0].index) + 1
	eraseSteps(g.steps[after:])
	g.steps = slices.Delete(g.steps, after, len(g.steps))
}

// sameKey compares two W[s], in constant time if they are of one length.
func sameKey(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

// ratchetAhead returns the steps after from up to index, which is above from's.
func ratchetAhead(from *heldStep, index uint8) []*heldStep {
	ahead := make([]*heldStep, 0, index-from.index)
	for from.index < index {
		from = newStep(from.index+1, from.first, ratchet(from.w()))
		ahead = append(ahead, from)
	}
	return ahead
}

// append adds the steps ahead, of which the last one is in use from now on.
func (g *heldGeneration) append(ahead []*heldStep, now time.Time) {
	g.newest().over = now
	for _, step := range ahead[:len(ahead)-1] {
		step.over = now
	}
	g.steps = append(g.steps, ahead...)
}

func (g *heldGeneration) newest() *heldStep { return g.steps[len(g.steps)-1] }

// step returns the step with an index that is not above the newest one's, nil if it is over or was never had.
func (g *heldGeneration) step(index uint8) *heldStep {
	oldest := g.steps[0].index
	if index < oldest {
		return nil
	}
	return g.steps[index-oldest]
}

// hold holds a stream's key, of as many as have a ReplayWindow: a talker of 256 streams has some derived for
// each frame.
func (s *heldStep) hold(stream uint8, key *Key) {
	if s.keys == nil {
		s.keys = map[uint8]*Key{}
	}
	if len(s.keys) >= maxWindows {
		for any := range s.keys {
			delete(s.keys, any)
			break
		}
	}
	s.keys[stream] = key
}

func eraseSteps(steps []*heldStep) {
	for _, step := range steps {
		clear(step.w())
		step.keys = nil
	}
}
