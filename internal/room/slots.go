package room

import (
	"iter"
	"math/bits"
	"slices"
)

// slots is a set of members of one room, by their slots, a bit each: what a room keeps for each pair of members has to
// be small. The zero value is empty.
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
		if s.between(start, len(s)*slotBits, yield) {
			s.between(0, start, yield)
		}
	}
}

// between yields the members from low to below high. It reports false when yield did.
func (s slots) between(low, high int, yield func(int) bool) bool {
	for i := low / slotBits; i < len(s) && i*slotBits < high; i++ {
		for word := s[i]; word != 0; word &= word - 1 {
			slot := i*slotBits + bits.TrailingZeros64(word)
			if slot >= low && slot < high && !yield(slot) {
				return false
			}
		}
	}
	return true
}
