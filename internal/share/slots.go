package share

import "time"

// Slots gives out numbers, the lowest first. A number that is given back still counts as its holder's while
// it rests, and goes to nobody as long as there are others. What is in the slots is the owner's to keep, by
// number.
type Slots[K comparable] struct {
	limit int
	rest  time.Duration
	last  func(slot int) time.Time

	tree  Tree[K]
	slots []slot[K] // at most limit
	used  int
}

// slot is one number.
type slot[K comparable] struct {
	holder *Group[K] // nil: it is free, and has rested
	used   bool      // it is not free
	freed  time.Time // of one that rests
}

// NewSlots returns limit slots. last says when one that is used was used last.
func NewSlots[K comparable](limit int, rest time.Duration, last func(slot int) time.Time) *Slots[K] {
	return &Slots[K]{limit: limit, rest: rest, last: last}
}

// Used returns how many slots are used.
func (s *Slots[K]) Used() int { return s.used }

// Holder returns who has a slot that is used or rests, or nil.
func (s *Slots[K]) Holder(n int) *Group[K] { return s.slots[n].holder }

// Held returns how many slots a group has, those that rest included.
func (s *Slots[K]) Held(path []K) int { return s.tree.Held(path) }

// Free gives out the lowest slot that nobody has.
func (s *Slots[K]) Free(path []K, now time.Time) (n int, ok bool) {
	for n = range s.slots {
		if e := &s.slots[n]; e.holder != nil && !e.used && now.Sub(e.freed) >= s.rest {
			s.vacate(n)
		}
		if s.slots[n].holder == nil {
			s.give(n, path)
			return n, true
		}
	}
	if n = len(s.slots); n == s.limit {
		return 0, false
	}
	s.slots = append(s.slots, slot[K]{})
	s.give(n, path)
	return n, true
}

// Take gives out a slot of whoever gives way, when there is none free: of its slots the one that was not used
// for longest. If nobody has more than their share, that is one of the own; who has none gets one that was
// not used for as long as slots rest. The owner has to know that it is another's now: from is who had it.
func (s *Slots[K]) Take(path []K, now time.Time) (n int, from *Group[K], ok bool) {
	_, found := s.tree.Ask(path)
	n = s.oldest(!found)
	if n < 0 || !found && now.Sub(s.at(n)) < s.rest {
		return 0, nil, false
	}
	if from = s.slots[n].holder; s.slots[n].used {
		s.used--
	}
	s.vacate(n)
	s.give(n, path)
	return n, from, true
}

// oldest returns which slot of those who give way, or of all, was not used for longest; -1: there is none.
func (s *Slots[K]) oldest(all bool) int {
	oldest, when := -1, time.Time{}
	for i := range s.slots {
		if h := s.slots[i].holder; h == nil || !all && !s.tree.Yields(h) {
			continue
		}
		if at := s.at(i); oldest < 0 || at.Before(when) {
			oldest, when = i, at
		}
	}
	return oldest
}

// at returns when a slot was last used, or freed.
func (s *Slots[K]) at(n int) time.Time {
	if s.slots[n].used {
		return s.last(n)
	}
	return s.slots[n].freed
}

// give gives out a slot that nobody has.
func (s *Slots[K]) give(n int, path []K) {
	s.slots[n] = slot[K]{holder: s.tree.Add(path), used: true}
	s.used++
}

// vacate makes a slot one that nobody has.
func (s *Slots[K]) vacate(n int) {
	s.tree.Remove(s.slots[n].holder)
	s.slots[n] = slot[K]{}
}

// Release gives a slot back. rested: it was not used for so long that it need not rest.
func (s *Slots[K]) Release(n int, rested bool, now time.Time) {
	s.used--
	if s.slots[n].used, s.slots[n].freed = false, now; rested {
		s.vacate(n)
	}
}
