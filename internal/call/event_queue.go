package call

import "sync"

// maxEvents is how many events wait for a reader. The oldest give way, and are counted.
const maxEvents = 512

// eventQueue is a bounded queue of events on their way to whoever reads them. Putting never blocks.
type eventQueue[E any] struct {
	out  chan E
	keep func(E) bool // events that give way last, half of the queue at most; nil: none does

	mu      sync.Mutex // guards what follows, and the order of events
	dropped uint64
	closed  bool
}

func newEventQueue[E any](keep func(E) bool) *eventQueue[E] {
	return &eventQueue[E]{out: make(chan E, maxEvents), keep: keep}
}

// put adds an event; when the queue is full the oldest goes.
func (q *eventQueue[E]) put(e E) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	for kept := 0; ; {
		select {
		case q.out <- e:
			return
		default:
		}
		select {
		case oldest := <-q.out:
			if q.keep != nil && q.keep(oldest) && kept < maxEvents/2 {
				kept++
				q.out <- oldest // nobody else puts, so there is room
				continue
			}
			q.dropped++
		default:
		}
	}
}

// close ends the queue after its last event.
func (q *eventQueue[E]) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.closed = true
		close(q.out)
	}
}

// lost returns how many events gave way to later ones.
func (q *eventQueue[E]) lost() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}
