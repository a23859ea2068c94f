package link

import (
	"math"
	"sync"
	"time"

	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/internal/wire"
)

// webQueued is how many packets wait for one browser at most.
const webQueued = 64

// webQueue holds the packets that a browser's connection has not taken yet: QUIC datagrams and TCP wait where
// sealed packets do not, and what waits too long is of no use (docs/protocol.md, section 8). Any number of
// goroutines put packets in without waiting, one takes them out.
//
//	push ──> ring of 64 ──> pop: in turns between those whose media waits; media older than patience is dropped
//	           | full: the oldest media of who has most in it is dropped, and without any the oldest packet
//
// Turns are those of self-clocked fair queueing (Golestani, INFOCOM 1994), among groups and within one among
// members: a packet's turn is that of the one before it of the same group, or that of the packet popped last
// if none waits, and its size more; the least is next. So a loud one does not push out a quiet one, and what
// is no media keeps its place.
//
// The ring keeps the packets' memory, so that it allocates nothing once it has gone round.
type webQueue struct {
	patience time.Duration // how long media may wait
	ready    chan struct{} // cap 1: there is something to pop

	mu     sync.Mutex // guards what follows
	ring   [webQueued]webPacket
	head   int // index of the oldest
	n      int
	turn   uint64 // the group's of the media popped last
	mixed  bool   // media of several sources came since it was empty; if not, turns are not needed
	closed bool
}

// webPacket is a packet that waits.
type webPacket struct {
	at     time.Duration // since when, on the Endpoint's clock
	media  bool
	source budget.Source // of media
	turn   turn
	p      []byte
}

// turn says when media is popped: the least is next, by group, then by member.
type turn struct{ group, member uint64 }

// carriesMedia reports whether a packet of ours is media, which is then its only frame.
func carriesMedia(frames []byte) bool {
	f, _, err := wire.NextFrame(frames)
	return err == nil && f.IsMedia()
}

// push adds a packet; source is whose media it is, if it is media. dropped: one was dropped, this or another.
func (q *webQueue) push(counter uint64, frames []byte, source budget.Source,
	at time.Duration) (dropped bool) {
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
	if q.n == 0 {
		q.mixed, q.turn = false, 0
	}
	if media && !q.mixed {
		q.mix(source)
	}
	e := q.slot(q.n)
	e.at, e.media, e.source = at, media, source
	e.p = wire.AppendWebPacket(e.p[:0], counter, frames)
	if media && q.mixed {
		e.turn = q.turnOf(source, len(e.p))
	}
	q.n++
	first := q.n == 1
	q.mu.Unlock()
	if first {
		wake(q.ready)
	}
	return dropped
}

// slot returns the i-th oldest packet's place. The caller holds q.mu.
func (q *webQueue) slot(i int) *webPacket { return &q.ring[(q.head+i)%len(q.ring)] }

// mix sets whose turn it is, if all media in the queue is of one source, and new media of another one. The
// caller holds q.mu.
func (q *webQueue) mix(source budget.Source) {
	var sum uint64
	for i := range q.n {
		e := q.slot(i)
		if !e.media {
			continue
		}
		if e.source == source { // all of it is
			return
		}
		sum += uint64(len(e.p))
		e.turn = turn{sum, sum}
		q.mixed = true
	}
}

// turnOf returns the turn of media of size bytes that is not in the queue yet. A member of whom nothing waits
// begins where the others of its group are. The caller holds q.mu.
func (q *webQueue) turnOf(source budget.Source, size int) turn {
	group, mine, least := q.turn, uint64(0), uint64(math.MaxUint64)
	for i := range q.n {
		e := q.slot(i)
		if !e.media || e.source.Group != source.Group {
			continue
		}
		group, least = max(group, e.turn.group), min(least, e.turn.member)
		if e.source.Member == source.Member {
			mine = max(mine, e.turn.member)
		}
	}
	if mine == 0 && least != math.MaxUint64 {
		mine = least
	}
	return turn{group + uint64(size), mine + uint64(size)}
}

// makeRoom drops a packet of a full queue for a new one. It reports false when the new one is media and all
// others are worth more. The caller holds q.mu.
func (q *webQueue) makeRoom(media bool) bool {
	if !q.mixed {
		return q.dropOldest(media)
	}
	last := -1 // whose turn is the last: it is of who has most, or sends most
	for i := range q.n {
		e := q.slot(i)
		if e.media && (last < 0 || e.turn.group > q.slot(last).turn.group) {
			last = i
		}
	}
	if last < 0 {
		return q.dropOldest(media)
	}
	for i := range q.n {
		e, l := q.slot(i), q.slot(last)
		if e.media && e.source.Group == l.source.Group && e.turn.member > l.turn.member {
			last = i
		}
	}
	source := q.slot(last).source
	for i := range q.n {
		if e := q.slot(i); e.media && e.source == source {
			q.remove(i)
			break
		}
	}
	return true
}

// dropOldest is makeRoom where nobody has more than another.
func (q *webQueue) dropOldest(media bool) bool {
	for i := range q.n {
		if q.slot(i).media {
			q.pull(i)
			return true
		}
	}
	if !media {
		q.pull(0)
	}
	return !media
}

// remove drops the i-th oldest packet. Those of the same source that came later move up to its turn. The
// caller holds q.mu.
func (q *webQueue) remove(i int) {
	if gone := q.slot(i); gone.media && q.mixed {
		free, source := gone.turn, gone.source
		for j := i + 1; j < q.n; j++ {
			if e := q.slot(j); e.media && e.source == source {
				e.turn, free = free, e.turn
			}
		}
	}
	q.pull(i)
}

// pull removes the i-th oldest packet: its memory moves to the front, where it is free. The caller holds
// q.mu.
func (q *webQueue) pull(i int) {
	for ; i > 0; i-- {
		a, b := q.slot(i), q.slot(i-1)
		*a, *b = *b, *a
	}
	q.head = (q.head + 1) % len(q.ring)
	q.n--
}

// next returns which packet is popped next: the media whose turn it is, unless something older is no media.
// The caller holds q.mu; there is a packet.
func (q *webQueue) next() int {
	if !q.mixed {
		return 0
	}
	first := -1 // of the group
	for i := range q.n {
		if e := q.slot(i); e.media && (first < 0 || e.turn.group < q.slot(first).turn.group) {
			first = i
		}
	}
	if first < 0 {
		return 0
	}
	best, f := first, q.slot(first)
	for i := range q.n {
		e := q.slot(i)
		if e.media && e.source.Group == f.source.Group && e.turn.member < q.slot(best).turn.member {
			best = i
		}
	}
	for i := range best {
		if !q.slot(i).media {
			return i
		}
	}
	b := q.slot(best) // the group's turn is taken, by whichever member
	b.turn.group, f.turn.group = f.turn.group, b.turn.group
	return best
}

// pop appends the next packet to buf. stale is how much media it dropped that had waited too long at now.
// Without a packet it returns nil; over: there will not be another.
func (q *webQueue) pop(buf []byte, now time.Duration) (p []byte, stale uint64, over bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.n > 0 {
		i := q.next()
		e := q.slot(i)
		if e.media && now-e.at > q.patience {
			q.remove(i)
			stale++
			continue
		}
		if e.media && q.mixed {
			q.turn = e.turn.group
		}
		buf = append(buf, e.p...)
		q.pull(i)
		return buf, stale, false
	}
	return nil, stale, q.closed
}

// close takes no more packets; those that wait can still be popped.
func (q *webQueue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	wake(q.ready)
}
