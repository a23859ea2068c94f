package callpath

import (
	"container/heap"
	"math"
	"time"
)

// pending is the paths with an attempt, as a heap: first comes the one that has something to do first. So
// what one costs does not depend on how many there are.
type pending []*path

// Len, Less, Swap, Push and Pop are for package heap.
func (q pending) Len() int           { return len(q) }
func (q pending) Less(i, j int) bool { return q[i].wake < q[j].wake }
func (q pending) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].slot, q[j].slot = i+1, j+1
}

// Push appends a path.
func (q *pending) Push(x any) {
	p := x.(*path)
	*q = append(*q, p)
	p.slot = len(*q)
}

// Pop removes the last path.
func (q *pending) Pop() any {
	last := len(*q) - 1
	p := (*q)[last]
	(*q)[last], p.slot = nil, 0
	*q = (*q)[:last]
	return p
}

// never is a time of a table's clock that does not come.
const never = time.Duration(math.MaxInt64)

// add has a path be seen to, at a time that wake says.
func (q *pending) add(p *path) {
	if p.slot == 0 {
		p.wake = never
		heap.Push(q, p)
	}
}

// wake has a path be seen to at a time, or before.
func (q *pending) wake(p *path, at time.Duration) {
	if p.slot != 0 && at < p.wake {
		p.wake = at
		heap.Fix(q, p.slot-1)
	}
}

// remove has a path be seen to no longer.
func (q *pending) remove(p *path) {
	if p.slot != 0 {
		heap.Remove(q, p.slot-1)
	}
}

// due returns the path that is to be seen to first, if its time has come, without a time; nil: there is none.
func (q *pending) due(at time.Duration) *path {
	if q.first() > at {
		return nil
	}
	p := (*q)[0]
	p.wake = never
	heap.Fix(q, 0)
	return p
}

// first returns when the next path is to be seen to.
func (q pending) first() time.Duration {
	if len(q) == 0 {
		return never
	}
	return q[0].wake
}
