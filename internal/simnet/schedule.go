package simnet

import "time"

// schedule is a binary heap of things due at a time; equal times keep the order of push. Its
// owner bounds it. container/heap would allocate for every packet.
type schedule[T any] struct {
	heap []scheduled[T]
	seq  uint64
}

type scheduled[T any] struct {
	at    time.Time
	seq   uint64
	value T
}

func (s *schedule[T]) len() int { return len(s.heap) }

// next returns when the first thing is due; only if len is not 0.
func (s *schedule[T]) next() time.Time { return s.heap[0].at }

func (s *schedule[T]) push(at time.Time, value T) {
	s.heap = append(s.heap, scheduled[T]{at: at, seq: s.seq, value: value})
	s.seq++
	for i := len(s.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if !s.before(i, parent) {
			return
		}
		s.heap[i], s.heap[parent] = s.heap[parent], s.heap[i]
		i = parent
	}
}

// pop removes the first thing, if it is due.
func (s *schedule[T]) pop(now time.Time) (value T, ok bool) {
	if len(s.heap) == 0 || s.heap[0].at.After(now) {
		return value, false
	}
	value = s.heap[0].value
	last := len(s.heap) - 1
	s.heap[0] = s.heap[last]
	s.heap[last] = scheduled[T]{} // releases the payload
	s.heap = s.heap[:last]
	s.sink()
	return value, true
}

func (s *schedule[T]) sink() {
	for i := 0; ; {
		first := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(s.heap); child++ {
			if s.before(child, first) {
				first = child
			}
		}
		if first == i {
			return
		}
		s.heap[i], s.heap[first] = s.heap[first], s.heap[i]
		i = first
	}
}

func (s *schedule[T]) before(i, j int) bool {
	a, b := &s.heap[i], &s.heap[j]
	if a.at.Equal(b.at) {
		return a.seq < b.seq
	}
	return a.at.Before(b.at)
}
