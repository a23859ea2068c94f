package room

import (
	"iter"
	"slices"
	"time"
)

// slots is a set of members of one room, by their slots, a bit each: what a room keeps for each pair of
// members has to be small. The zero value is empty.
type slots []uint64

const slotBits = 64

func (s slots) has(slot int) bool {
	return slot/slotBits < len(s) && s[slot/slotBits]&(1<<(slot%slotBits)) != 0
}

func (s *slots) add(slot int) {
	if n := slot/slotBits + 1; n > len(*s) {
		*s = append(*s, make(slots, n-len(*s))...)
	}
	(*s)[slot/slotBits] |= 1 << (slot % slotBits)
}

// remove reports whether slot was in the set.
func (s slots) remove(slot int) bool {
	if !s.has(slot) {
		return false
	}
	s[slot/slotBits] &^= 1 << (slot % slotBits)
	return true
}

func (s *slots) addAll(o slots) {
	if len(o) > len(*s) {
		*s = append(*s, make(slots, len(o)-len(*s))...)
	}
	for i, word := range o {
		(*s)[i] |= word
	}
}

func (s slots) removeAll(o slots) {
	for i := range min(len(s), len(o)) {
		s[i] &^= o[i]
	}
}

func (s slots) empty() bool {
	return !slices.ContainsFunc(s, func(word uint64) bool { return word != 0 })
}

// from yields the members of the set from a slot on, then those below it. The set may lose members meanwhile.
func (s slots) from(start int) iter.Seq[int] {
	return func(yield func(int) bool) {
		n := len(s) * slotBits
		for i := range n {
			if slot := (start + i) % n; s.has(slot) && !yield(slot) {
				return
			}
		}
	}
}

// waitSpan is how far apart recipients may have got a key and still be one batch. A batch is given up as a
// whole, so nobody is waited for longer than patience + waitSpan.
const waitSpan = 500 * time.Millisecond

// waiting are the recipients that were passed a key and have not acknowledged it, in batches by when that
// was: a set each, for the time of each of thousands would be too much. There are never many batches, for
// flush expires them while there are any.
type waiting []batch

// batch is who got a key at about the same time.
type batch struct {
	first, last time.Time
	slots       slots
}

func (w *waiting) add(slot int, now time.Time) {
	n := len(*w)
	if n == 0 || now.Sub((*w)[n-1].first) >= waitSpan {
		*w = append(*w, batch{first: now})
		n++
	}
	b := &(*w)[n-1]
	b.last = now
	b.slots.add(slot)
}

// remove reports whether slot was waited for.
func (w waiting) remove(slot int) bool {
	for i := range w {
		if w[i].slots.remove(slot) {
			return true
		}
	}
	return false
}

func (w waiting) removeAll(o slots) {
	for i := range w {
		w[i].slots.removeAll(o)
	}
}

// expire gives up whoever got the key at a time before.
func (w *waiting) expire(before time.Time) {
	*w = slices.DeleteFunc(*w, func(b batch) bool { return b.last.Before(before) || b.slots.empty() })
}

func (w waiting) empty() bool {
	return !slices.ContainsFunc(w, func(b batch) bool { return !b.slots.empty() })
}

// all returns everybody who is waited for.
func (w waiting) all() (all slots) {
	for i := range w {
		all.addAll(w[i].slots)
	}
	return all
}
