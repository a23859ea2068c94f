package link

import (
	"sync"
	"time"

	"github.com/wzp-voice/wzp/wire"
)

// webQueued is how many packets wait for one browser at most.
const webQueued = 64

// webQueue holds the packets that a browser's connection has not taken yet: QUIC datagrams and TCP wait where sealed
// packets do not, and what waits too long is of no use (docs/protocol.md, section 8). Any number of goroutines put
// packets in without waiting, one takes them out.
//
//	push ──> ring of 64 ──> pop: media older than patience is dropped
//	           | full: the oldest media is dropped, and without any the oldest packet
//
// The ring keeps the packets' memory, so that it allocates nothing once it has gone round.
type webQueue struct {
	patience time.Duration // how long media may wait
	ready    chan struct{} // cap 1: there is something to pop

	mu     sync.Mutex // guards what follows
	ring   [webQueued]webPacket
	head   int // index of the oldest
	n      int
	closed bool
}

// webPacket is a packet that waits.
type webPacket struct {
	at    time.Duration // since when, on the Endpoint's clock
	media bool
	p     []byte
}

// carriesMedia reports whether a packet of ours is media, which is then its only frame.
func carriesMedia(frames []byte) bool {
	f, _, err := wire.NextFrame(frames)
	return err == nil && f.IsMedia()
}

// push adds a packet. dropped: one was dropped, this or another.
func (q *webQueue) push(counter uint64, frames []byte, at time.Duration) (dropped bool) {
	media := carriesMedia(frames)
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return false
	}
	if q.n == len(q.ring) {
		if dropped = true; !q.makeRoom(media) {
			q.mu.Unlock()
			return true
		}
	}
	e := q.slot(q.n)
	e.at, e.media = at, media
	e.p = wire.AppendWebPacket(e.p[:0], counter, frames)
	q.n++
	first := q.n == 1
	q.mu.Unlock()
	if first {
		q.wake()
	}
	return dropped
}

// slot returns the i-th oldest packet's place. The caller holds q.mu.
func (q *webQueue) slot(i int) *webPacket { return &q.ring[(q.head+i)%len(q.ring)] }

// makeRoom drops a packet of a full queue for a new one. It reports false when the new one is media and all others
// are worth more. The caller holds q.mu.
func (q *webQueue) makeRoom(media bool) bool {
	victim := 0
	for victim < q.n && !q.slot(victim).media {
		victim++
	}
	if victim == q.n {
		if media {
			return false
		}
		victim = 0
	}
	for ; victim > 0; victim-- { // its memory moves to the front, where it is free
		a, b := q.slot(victim), q.slot(victim-1)
		*a, *b = *b, *a
	}
	q.head = (q.head + 1) % len(q.ring)
	q.n--
	return true
}

// pop appends the next packet to buf. stale is how much media it dropped that had waited too long at now. Without a
// packet it returns nil; over: there will not be another.
func (q *webQueue) pop(buf []byte, now time.Duration) (p []byte, stale uint64, over bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.n > 0 {
		e := q.slot(0)
		q.head = (q.head + 1) % len(q.ring)
		q.n--
		if !e.media || now-e.at <= q.patience {
			return append(buf, e.p...), stale, false
		}
		stale++
	}
	return nil, stale, q.closed
}

// close takes no more packets; those that wait can still be popped.
func (q *webQueue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.wake()
}

func (q *webQueue) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}
