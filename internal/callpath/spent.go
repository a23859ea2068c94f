package callpath

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/share"
)

const (
	maxSpent   = 4096             // callers without a session that are remembered
	spentEvery = 10 * time.Second // looks for those that may be forgotten
)

// spent is callers without a session that have used up some of what they may do: who comes back is nobody
// new. If there are too many, the oldest of the address block that has most is forgotten. The zero value is
// empty.
type spent struct {
	shares share.Tree[holder]
	held   map[*share.Group[holder]][]*caller // the oldest first
	due    time.Duration                      // when some may be forgotten
}

// goes remembers a caller without a session, if there is a reason to.
func (t *Table) goes(c *caller, block holder, at time.Duration) {
	s := &t.spent
	path := []holder{block}
	keep := c.fullAt() > at
	if keep && s.shares.Total() >= maxSpent {
		if _, keep = s.shares.Ask(path); keep {
			t.forgetOldest()
		}
	}
	if !keep {
		delete(t.callers, c.key)
		return
	}
	if s.shares.Total() == 0 {
		s.held, s.due = make(map[*share.Group[holder]][]*caller), at+spentEvery
		t.wakeAt(s.due)
	}
	c.spent = s.shares.Add(path)
	s.held[c.spent] = append(s.held[c.spent], c)
}

// forgetOldest forgets the caller that gives way to the one for whom a place was asked.
func (t *Table) forgetOldest() {
	for leaf, list := range t.spent.held {
		if t.spent.shares.Yields(leaf) {
			delete(t.callers, list[0].key)
			t.spent.remove(list[0])
			return
		}
	}
}

// remove notes that a caller has a session again, or is forgotten.
func (s *spent) remove(c *caller) {
	list := slices.DeleteFunc(s.held[c.spent], func(o *caller) bool { return o == c })
	if s.held[c.spent] = list; len(list) == 0 {
		delete(s.held, c.spent)
	}
	s.shares.Remove(c.spent)
	c.spent = nil
}

// forgetSpent forgets those that may do again what one that is new may.
func (t *Table) forgetSpent(at time.Duration) {
	s := &t.spent
	if at >= s.due {
		s.due = at + spentEvery
		for _, list := range s.held {
			for _, c := range slices.Clone(list) {
				if c.fullAt() <= at {
					delete(t.callers, c.key)
					s.remove(c)
				}
			}
		}
	}
	if s.shares.Total() > 0 {
		t.wakeAt(s.due)
	}
}

// fullAt is when the caller may do again what one that is new may.
func (c *caller) fullAt() time.Duration { return max(c.calls.FullAt(), c.forwards.FullAt()) }
