package simnet

import (
	"container/heap"
	"time"
)

// schedule is a heap of things due at a time; equal times keep the order of push. Its owner bounds it.
type schedule[T any] struct {
	heap []*scheduled[T]
	seq  uint64
}

type scheduled[T any] struct {
	at    time.Time
	seq   uint64
	value T
}

// next returns when the first thing is due; only if Len is not 0.
func (s *schedule[T]) next() time.Time { return s.heap[0].at }

func (s *schedule[T]) push(at time.Time, value T) {
	heap.Push(s, &scheduled[T]{at, s.seq, value})
	s.seq++
}

// pop removes the first thing, if it is due.
func (s *schedule[T]) pop(now time.Time) (value T, ok bool) {
	if len(s.heap) == 0 || s.heap[0].at.After(now) {
		return value, false
	}
	return heap.Pop(s).(*scheduled[T]).value, true
}

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (s *schedule[T]) Len() int { return len(s.heap) }

func (s *schedule[T]) Less(i, j int) bool {
	a, b := s.heap[i], s.heap[j]
	return a.at.Before(b.at) || a.at.Equal(b.at) && a.seq < b.seq
}

func (s *schedule[T]) Swap(i, j int) { s.heap[i], s.heap[j] = s.heap[j], s.heap[i] }
func (s *schedule[T]) Push(x any)    { s.heap = append(s.heap, x.(*scheduled[T])) }

func (s *schedule[T]) Pop() any {
	last := len(s.heap) - 1
	x := s.heap[last]
	s.heap[last] = nil // releases the payload
	s.heap = s.heap[:last]
	return x
}
