package room

import "time"

// waitSpan is how far apart recipients may have got a key and still be one batch. A batch is given up as a whole, so
// nobody is waited for longer than patience + waitSpan.
const waitSpan = 500 * time.Millisecond

// waiting are the recipients that were passed a key and have not acknowledged it, in batches by when that was: a set
// each, for the time of each of thousands would be too much. There are never many batches, for flush expires them while
// there are any.
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
	kept := (*w)[:0]
	for _, b := range *w {
		if !b.last.Before(before) && !b.slots.empty() {
			kept = append(kept, b)
		}
	}
	clear((*w)[len(kept):])
	*w = kept
}

func (w waiting) empty() bool {
	for i := range w {
		if !w[i].slots.empty() {
			return false
		}
	}
	return true
}

// all returns everybody who is waited for.
func (w waiting) all() (all slots) {
	for i := range w {
		all.addAll(w[i].slots)
	}
	return all
}
