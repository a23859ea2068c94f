package jitter

import "slices"

// minWindow is the least of the values of the last buckets x width samples of
// time. It forgets one bucket at a time.
type minWindow struct {
	width  int64 // samples of time a bucket covers
	epoch  int64 // number of the newest bucket: time / width
	bucket [8]int64
	filled [8]bool
}

func (w *minWindow) reset() { w.filled = [8]bool{} }

// add takes in v at time now and returns the least value in the window. A clock
// that goes back makes it forget.
func (w *minWindow) add(v, now int64) int64 {
	n := int64(len(w.bucket))
	epoch := now / w.width
	if epoch > w.epoch+n || epoch < w.epoch {
		w.reset()
		w.epoch = epoch
	}
	for w.epoch < epoch {
		w.epoch++
		w.filled[mod(w.epoch, n)] = false
	}
	i := mod(w.epoch, n)
	if !w.filled[i] || v < w.bucket[i] {
		w.bucket[i], w.filled[i] = v, true
	}
	least := v
	for i, ok := range w.filled {
		if ok {
			least = min(least, w.bucket[i])
		}
	}
	return least
}

func mod(a, n int64) int64 { return ((a % n) + n) % n }

// quantileWindow keeps the last values, also sorted, so that a quantile is one
// look-up and an insertion a short memmove.
type quantileWindow struct {
	ring   []int64
	next   int
	sorted []int64
}

func newQuantileWindow(n int) quantileWindow {
	return quantileWindow{ring: make([]int64, n), sorted: make([]int64, 0, n)}
}

func (w *quantileWindow) reset() { w.next, w.sorted = 0, w.sorted[:0] }

func (w *quantileWindow) add(v int64) {
	if len(w.sorted) == len(w.ring) {
		w.remove(w.ring[w.next])
	}
	i, _ := slices.BinarySearch(w.sorted, v)
	w.sorted = append(w.sorted, 0)
	copy(w.sorted[i+1:], w.sorted[i:])
	w.sorted[i] = v
	w.ring[w.next] = v
	w.next = (w.next + 1) % len(w.ring)
}

// undo takes the newest value back. The one that it pushed out stays forgotten.
func (w *quantileWindow) undo() {
	if len(w.sorted) == 0 {
		return
	}
	w.next = (w.next + len(w.ring) - 1) % len(w.ring)
	w.remove(w.ring[w.next])
}

// remove takes out v, which must be there.
func (w *quantileWindow) remove(v int64) {
	i, _ := slices.BinarySearch(w.sorted, v)
	w.sorted = slices.Delete(w.sorted, i, i+1)
}

// high returns the value that no more than one in perOne of the values exceeds. With fewer than atLeast
// values, the missing ones count as floor, so that an odd one at the start does not decide.
func (w *quantileWindow) high(perOne, atLeast int, floor int64) int64 {
	n := len(w.sorted)
	above := max(n, atLeast) / perOne
	if above >= n {
		return floor
	}
	return max(floor, w.sorted[n-1-above])
}

// median is 0 without values.
func (w *quantileWindow) median() int64 {
	if len(w.sorted) == 0 {
		return 0
	}
	return w.sorted[len(w.sorted)/2]
}
