package share

import (
	"iter"
	"time"
)

// Slots gives out numbers, the lowest first, and keeps what each stands for. A number that is given back
// still counts as its holder's while it rests, and goes to nobody as long as there are others.
type Slots[K comparable, V any] struct {
	limit int
	rest  time.Duration
	last  func(V) time.Time

	tree  Tree[K]
	slots []slot[K, V] // at most limit
	used  int
}

// slot is one number.
type slot[K comparable, V any] struct {
	holder *Group[K] // nil: it is free, and has rested
	used   bool      // it is not free
	value  V         // of one that is used
	freed  time.Time // of one that rests
}

// NewSlots returns limit slots. last says when what one stands for was used last.
func NewSlots[K comparable, V any](limit int, rest time.Duration, last func(V) time.Time) *Slots[K, V] {
	return &Slots[K, V]{limit: limit, rest: rest, last: last}
}

// Used returns how many slots are used.
func (s *Slots[K, V]) Used() int { return s.used }

// Get returns what a slot stands for; the zero V: nothing.
func (s *Slots[K, V]) Get(n int) (value V) {
	if n < len(s.slots) {
		value = s.slots[n].value
	}
	return value
}

// All yields the slots that are used. They may be released meanwhile.
func (s *Slots[K, V]) All() iter.Seq2[int, V] {
	return func(yield func(int, V) bool) {
		for n := range s.slots {
			if e := &s.slots[n]; e.used && !yield(n, e.value) {
				return
			}
		}
	}
}

// Held returns how many slots a group has, those that rest included.
func (s *Slots[K, V]) Held(path []K) int { return s.tree.Held(path) }

// Free gives out the lowest slot that nobody has.
func (s *Slots[K, V]) Free(path []K, value V, now time.Time) (n int, ok bool) {
	for n = range s.slots {
		if e := &s.slots[n]; e.holder != nil && !e.used && now.Sub(e.freed) >= s.rest {
			s.vacate(n)
		}
		if s.slots[n].holder == nil {
			s.give(n, path, value)
			return n, true
		}
	}
	if n = len(s.slots); n == s.limit {
		return 0, false
	}
	s.slots = append(s.slots, slot[K, V]{})
	s.give(n, path, value)
	return n, true
}

// Take gives out a slot when none is free: the least recently used of whoever gives way, or of the own if
// nobody has more than their share; who has none gets one not used for as long as slots rest. old is what it
// stood for, the zero V if it rested, and from is who had it.
func (s *Slots[K, V]) Take(path []K, value V, now time.Time) (n int, old V, from *Group[K], ok bool) {
	_, found := s.tree.Ask(path)
	n = s.oldest(!found)
	if n < 0 || !found && now.Sub(s.at(n)) < s.rest {
		return 0, old, nil, false
	}
	e := &s.slots[n]
	if old, from = e.value, e.holder; e.used {
		s.used--
	}
	s.vacate(n)
	s.give(n, path, value)
	return n, old, from, true
}

// oldest returns which slot of those who give way, or of all, was not used for longest; -1: there is none.
func (s *Slots[K, V]) oldest(all bool) int {
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
func (s *Slots[K, V]) at(n int) time.Time {
	if e := &s.slots[n]; e.used {
		return s.last(e.value)
	}
	return s.slots[n].freed
}

// give gives out a slot that nobody has.
func (s *Slots[K, V]) give(n int, path []K, value V) {
	s.slots[n] = slot[K, V]{holder: s.tree.Add(path), used: true, value: value}
	s.used++
}

// vacate makes a slot one that nobody has.
func (s *Slots[K, V]) vacate(n int) {
	s.tree.Remove(s.slots[n].holder)
	s.slots[n] = slot[K, V]{}
}

// Release gives a slot back. rested: it was not used for so long that it need not rest.
func (s *Slots[K, V]) Release(n int, rested bool, now time.Time) {
	s.used--
	if e := &s.slots[n]; rested {
		s.vacate(n)
	} else {
		*e = slot[K, V]{holder: e.holder, freed: now}
	}
}
