package callpath

import (
	"time"

	"github.com/wzp-voice/wzp/internal/share"
)

const (
	maxSpent   = 4096             // callers without a session that are remembered
	spentEvery = 10 * time.Second // looks for those that may be forgotten
)

// spent is callers without a session that have used up some of what they may do: who comes back is nobody
// new. If there are too many, the oldest of the address block that has most is forgotten.
type spent struct {
	places share.Places[holder, *caller]
	due    time.Duration // when some may be forgotten
}

// goes remembers a caller without a session, if there is a reason to.
func (t *Table) goes(c *caller, block holder, at time.Duration) {
	s := &t.spent
	path := []holder{block}
	if c.fullAt() <= at {
		delete(t.callers, c.key)
		return
	}
	if gives, _, full := s.places.Full(path); full {
		if gives == nil {
			delete(t.callers, c.key)
			return
		}
		t.forget(gives)
	}
	if s.places.Total() == 0 {
		s.due = at + spentEvery
		t.wakeAt(s.due)
	}
	s.places.Add(path, &c.spent, c)
}

// forget forgets a caller that has no session.
func (t *Table) forget(c *caller) {
	delete(t.callers, c.key)
	t.spent.places.Remove(&c.spent, c)
}

// forgetSpent forgets those that may do again what one that is new may.
func (t *Table) forgetSpent(at time.Duration) {
	s := &t.spent
	if at >= s.due {
		s.due = at + spentEvery
		for c := range s.places.All() {
			if c.fullAt() <= at {
				t.forget(c)
			}
		}
	}
	if s.places.Total() > 0 {
		t.wakeAt(s.due)
	}
}

// fullAt is when the caller may do again what one that is new may.
func (c *caller) fullAt() time.Duration { return max(c.calls.FullAt(), c.forwards.FullAt()) }
