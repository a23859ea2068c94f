package federation

import "time"

const (
	// dedupFor is how long a counter that came is remembered.
	dedupFor = 2 * time.Second
	// dedupWindow is how many counters, the highest included, are told apart.
	dedupWindow = 1024
	// dedupFirst is how many a new stream has room for: 2 s of a frame each 20 ms. It grows to dedupWindow.
	dedupFirst = 128
)

// dedup lets each counter of a stream through once within 2 s, by whichever link it comes.
//
//	highest-1023                      highest of the last 2 s
//	     |    came, or is welcome    |    |
//	 ----+--------------------------------+---->  CTR
//	 late                                   new, however far
//
// Nothing of a frame between relays is authentic, so a counter says nothing for longer than 2 s: a made-up
// high one makes others late for so long, then is forgotten. It is pure; its owner locks it. Its zero value
// has seen none.
type dedup struct {
	slots   []dedupSlot // by CTR modulo their number, a power of two; nil: none came
	highest dedupSlot   // of those that came within dedupFor, as long as it did itself
}

// dedupSlot is a counter that came. The zero value is none.
type dedupSlot struct {
	ctr uint64
	at  time.Duration // on a clock that began with dedupFor, so 0 is always long ago
}

// recent reports whether the slot holds a counter that came within the last dedupFor.
func (s *dedupSlot) recent(now time.Duration) bool { return now-s.at < dedupFor }

// judge notes that a counter came at now, unless it is a duplicate or late. now is dedupFor or more.
func (d *dedup) judge(ctr uint64, now time.Duration) verdict {
	if !d.highest.recent(now) {
		d.findHighest(now)
	}
	bounded := d.highest.recent(now)
	if bounded && ctr < d.highest.ctr && d.highest.ctr-ctr >= dedupWindow {
		return late
	}
	slot := d.slot(ctr, now)
	if slot.ctr == ctr && slot.recent(now) {
		return duplicate
	}
	*slot = dedupSlot{ctr, now}
	if !bounded || ctr > d.highest.ctr {
		d.highest = *slot
	}
	return forwarded
}

// slot returns the place of a counter. It makes room when another that still counts is there, unless that one
// is more than the window away: then it would be late, and need not be remembered.
func (d *dedup) slot(ctr uint64, now time.Duration) *dedupSlot {
	if d.slots == nil {
		d.slots = make([]dedupSlot, dedupFirst)
	}
	for {
		slot := &d.slots[ctr%uint64(len(d.slots))]
		if slot.ctr == ctr || !slot.recent(now) || len(d.slots) >= dedupWindow {
			return slot
		}
		d.grow(now)
	}
}

// grow doubles the slots. Two counters that had places of their own do so again.
func (d *dedup) grow(now time.Duration) {
	old := d.slots
	d.slots = make([]dedupSlot, 2*len(old))
	for _, s := range old {
		if s.recent(now) {
			d.slots[s.ctr%uint64(len(d.slots))] = s
		}
	}
}

// findHighest looks for the highest counter that still counts, after the one that was is forgotten.
func (d *dedup) findHighest(now time.Duration) {
	d.highest = dedupSlot{}
	for _, s := range d.slots {
		if s.recent(now) && (!d.highest.recent(now) || s.ctr > d.highest.ctr) {
			d.highest = s
		}
	}
}
