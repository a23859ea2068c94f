package link

import (
	"math"
	"slices"
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
//	push ──> at most 64 ──> pop: in turns between those whose media waits; media older than patience is dropped
//	           | full: the oldest media of who has most in it is dropped, and without any the oldest packet
//
// Turns are those of self-clocked fair queueing (Golestani, INFOCOM 1994), among groups and within one among
// members: a packet's turn is that of the one before it of the same group, or that of the packet popped last
// if none waits, and its size more; the least is next. So a loud one does not push out a quiet one, and what
// is no media keeps its place.
type webQueue struct {
	patience time.Duration // how long media may wait
	ready    chan struct{} // cap 1: there is something to pop

	mu      sync.Mutex // guards what follows
	packets [webQueued]webPacket
	order   [webQueued]uint8 // indices of packets: n that wait, oldest first, and the others, which are free
	n       int
	turn    uint64        // the group's of the media popped last
	newest  uint64        // and of the media pushed last
	source  budget.Source // of that
	mixed   bool          // media of several sources came since it was empty; if not, it needs no turns
	closed  bool
}

// init readies an empty queue.
func (q *webQueue) init(patience time.Duration) {
	q.patience, q.ready = patience, make(chan struct{}, 1)
	for i := range q.order {
		q.order[i] = uint8(i)
	}
}

// at returns the i-th oldest packet that waits. The caller holds q.mu.
func (q *webQueue) at(i int) *webPacket { return &q.packets[q.order[i]] }

// webPacket is a packet that waits.
type webPacket struct {
	at            time.Duration // since when, on the Endpoint's clock
	media         bool
	source        budget.Source // of media
	group, member uint64        // its turn: the least group's is next, and of that the least member's
	p             []byte
}

// carriesMedia reports whether a packet of ours is media, which is then its only frame.
func carriesMedia(frames []byte) bool {
	f, _, err := wire.NextFrame(frames)
	return err == nil && f.IsMedia()
}

// push adds a packet; of is whose media it is, if it is media. dropped: one was dropped, this or another.
func (q *webQueue) push(counter uint64, frames []byte, of budget.Source, at time.Duration) (dropped bool) {
	media := carriesMedia(frames)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	if q.n == webQueued {
		if dropped = true; !q.makeRoom(media) {
			return true
		}
	}
	e := q.at(q.n) // the first that is free
	e.at, e.media, e.source = at, media, of
	e.p = wire.AppendWebPacket(e.p[:0], counter, frames)
	if media {
		e.group, e.member = q.turnOf(of, uint64(len(e.p)))
		q.newest, q.source = e.group, of
	}
	if q.n++; q.n == 1 {
		wake(q.ready)
	}
	return dropped
}

// turnOf returns the turn of media of a size that is not in the queue yet. A member of whom nothing waits
// begins where the others of its group are. The caller holds q.mu.
func (q *webQueue) turnOf(source budget.Source, size uint64) (group, member uint64) {
	if q.n == 0 {
		q.turn, q.newest, q.mixed = 0, 0, false
	}
	if q.mixed = q.mixed || q.newest > 0 && q.source != source; !q.mixed {
		return q.newest + size, q.newest + size
	}
	group, least := q.turn, uint64(math.MaxUint64)
	for i := range q.n {
		e := q.at(i)
		if !e.media || e.source.Group != source.Group {
			continue
		}
		group, least = max(group, e.group), min(least, e.member)
		if e.source.Member == source.Member {
			member = max(member, e.member)
		}
	}
	if member == 0 && least != math.MaxUint64 {
		member = least
	}
	return group + size, member + size
}

// index returns the oldest packet of which f is true; -1: there is none. The caller holds q.mu.
func (q *webQueue) index(f func(e *webPacket) bool) int {
	return slices.IndexFunc(q.order[:q.n], func(slot uint8) bool { return f(&q.packets[slot]) })
}

// extreme returns the media whose turn comes first, and last for a negative sign: of its group, and within
// that of its member; nil if no media waits. The caller holds q.mu.
func (q *webQueue) extreme(sign int) (group, member *webPacket) {
	before := func(a, b uint64) bool { return sign < 0 && a > b || sign > 0 && a < b }
	for i := range q.n {
		e := q.at(i)
		if e.media && (group == nil || before(e.group, group.group)) {
			group = e
		}
	}
	member = group
	for i := range q.n {
		e := q.at(i)
		if e.media && e.source.Group == group.source.Group && before(e.member, member.member) {
			member = e
		}
	}
	return group, member
}

// makeRoom drops a packet of a full queue for a new one. It reports false when the new one is media and all
// others are worth more. The caller holds q.mu.
func (q *webQueue) makeRoom(media bool) bool {
	source := q.source
	if q.mixed {
		if _, last := q.extreme(-1); last != nil { // it is of who has most, or sends most
			source = last.source
		}
	}
	i := q.index(func(e *webPacket) bool { return e.media && e.source == source })
	switch {
	case i >= 0:
		q.drop(i)
	case media:
		return false
	default:
		q.pull(0)
	}
	return true
}

// drop drops the i-th oldest packet, which is media. Those of the same source that came later move up to its
// turn. The caller holds q.mu.
func (q *webQueue) drop(i int) {
	gone := q.at(i)
	group, member := gone.group, gone.member
	if !q.mixed { // others begin behind it
		q.turn = group
		q.pull(i)
		return
	}
	for j := i + 1; j < q.n; j++ {
		if e := q.at(j); e.media && e.source == gone.source {
			e.group, e.member, group, member = group, member, e.group, e.member
		}
	}
	q.pull(i)
}

// pull removes the i-th oldest packet. The caller holds q.mu.
func (q *webQueue) pull(i int) {
	free := q.order[i]
	q.n--
	copy(q.order[i:q.n], q.order[i+1:])
	q.order[q.n] = free
}

// next returns which packet is popped next: the media whose turn it is, unless something older is no media.
// The caller holds q.mu; there is a packet.
func (q *webQueue) next() int {
	if !q.mixed {
		return 0
	}
	group, member := q.extreme(1)
	i := q.index(func(e *webPacket) bool { return !e.media || e == member })
	if e := q.at(i); e.media { // the group's turn is taken, by whichever member
		e.group, group.group = group.group, e.group
	}
	return i
}

// pop appends the next packet to buf. stale is how much media it dropped that had waited too long at now.
// Without a packet it returns nil; over: there will not be another.
func (q *webQueue) pop(buf []byte, now time.Duration) (p []byte, stale uint64, over bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.n > 0 {
		i := q.next()
		e := q.at(i)
		if e.media && now-e.at > q.patience {
			q.drop(i)
			stale++
			continue
		}
		if e.media {
			q.turn = e.group
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
