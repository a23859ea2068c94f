package federation

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/internal/room"
)

// renewEvery is how far apart looks for a stream's successor in its room are, at least: the talker may have
// left, and its frames come for a while.
const renewEvery = 250 * time.Millisecond

// inbound is one stream of media that comes over a peer link; it is the Owner of its link.Stream.
//
//	frame ── take: intake (peer, member, room) ── dedup (shared by all links) ── stream().Forward
//
// All methods are safe for concurrent use.
type inbound struct {
	key    dedupKey
	find   func(now time.Time) *room.Stream
	intake *intake
	dedups *dedups

	stream atomic.Pointer[room.Stream]
	dedup  atomic.Pointer[sharedDedup]

	mu      sync.Mutex // guards what follows
	renewed time.Time  // when find was called last
}

// newInbound returns the inbound of a stream that a peer announces, or nil if find returns none, or too many
// streams come from peers, or from the one whose intake that is. find looks for the stream in its room, and
// is called again when that one was dropped.
func newInbound(key dedupKey, in *intake, d *dedups, find func(now time.Time) *room.Stream, now time.Time) *inbound {
	st := find(now)
	if st == nil {
		return nil
	}
	shared := d.stream(key, in, now)
	if shared == nil {
		return nil
	}
	b := &inbound{key: key, find: find, intake: in, dedups: d}
	b.stream.Store(st)
	b.dedup.Store(shared)
	return b
}

// take decides about a frame. It is to be forwarded only if the verdict is verdictForward, and only then does
// its CTR say anything about the stream (link.Stream.Seen).
func (b *inbound) take(ctr uint64, now time.Time) mediaVerdict {
	v := verdictLimited
	if b.intake.takeFrame(memberKey{b.key.room, b.key.kid.Member()}, now) {
		v = b.fresh(ctr, now)
	}
	b.intake.took[v].Add(1)
	return v
}

// fresh asks the stream's dedup, and for another one if that was forgotten, for the stream was silent.
func (b *inbound) fresh(ctr uint64, now time.Time) mediaVerdict {
	shared := b.dedup.Load()
	for range 2 {
		if v, ok := shared.take(ctr, now); ok {
			return v
		}
		if shared = b.dedups.stream(b.key, b.intake, now); shared == nil {
			break
		}
		b.dedup.Store(shared)
	}
	b.intake.crowded.Add(1)
	return verdictLimited
}

// out returns the stream of the room, for a frame that came, or nil if its talker is not there.
func (b *inbound) out(now time.Time) *room.Stream {
	st := b.stream.Load()
	if !st.Dropped() {
		st.Heard(now)
		return st
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if st = b.stream.Load(); !st.Dropped() {
		return st // another goroutine was here first
	}
	if !b.renewed.IsZero() && now.Sub(b.renewed) < renewEvery {
		return nil
	}
	b.renewed = now
	if st = b.find(now); st != nil {
		b.stream.Store(st)
	}
	return st
}
