package federation

import (
	"sync"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	// maxDedups bounds the streams that are remembered at once, of all links together.
	maxDedups = 1 << 14
	// maxLinkDedups bounds those that one link had made: as many as it has aliases.
	maxLinkDedups = wire.MaxAliases
	// dedupSweep is how far apart looks for streams to forget are, at least.
	dedupSweep = time.Second
)

// dedupKey says whose counters they are: the KID is member, stream and epoch. Talkers that follow each other
// with the same counters have keys of their own.
type dedupKey struct {
	room wire.RoomHash
	kid  wire.KID
}

// dedups are the streams that come from peers. While media moves from one link to another a frame may come by
// both, so a stream has one dedup whichever link it comes by. What was silent for 2 s has nothing to remember
// and is forgotten. All methods are safe for concurrent use.
type dedups struct {
	start time.Time // of the clock of all

	mu      sync.Mutex // guards what follows
	streams map[dedupKey]*streamDedup
	made    map[*intake]int // how many of them each link had made; never 0
	swept   time.Time
}

// streamDedup is the dedup of one stream. dedups.mu guards it.
type streamDedup struct {
	dedup
	by        *intake   // of the link that had it made
	at        time.Time // when a frame came last
	forgotten bool
}

func newDedups(now time.Time) *dedups {
	return &dedups{streams: make(map[dedupKey]*streamDedup), made: make(map[*intake]int),
		start: now.Add(-dedupFor)}
}

// add finds the dedup of a stream, or makes it. It reports false if there are too many, or too many that its
// link had made.
func (d *dedups) add(b *inbound, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.addLocked(b, now)
}

func (d *dedups) addLocked(b *inbound, now time.Time) bool {
	if b.seen = d.streams[b.key]; b.seen != nil {
		return true
	}
	d.sweepLocked(now)
	if len(d.streams) >= maxDedups || d.made[b.intake] >= maxLinkDedups {
		return false
	}
	b.seen = &streamDedup{by: b.intake, at: now}
	d.streams[b.key] = b.seen
	d.made[b.intake]++
	return true
}

// sweepLocked forgets what was silent for long, once a second at most.
func (d *dedups) sweepLocked(now time.Time) {
	if now.Sub(d.swept) < dedupSweep {
		return
	}
	d.swept = now
	for key, s := range d.streams {
		if now.Sub(s.at) < dedupFor {
			continue
		}
		s.forgotten = true
		delete(d.streams, key)
		if d.made[s.by]--; d.made[s.by] == 0 {
			delete(d.made, s.by)
		}
	}
}

// judge notes that a counter came, and decides about its frame.
func (d *dedups) judge(b *inbound, ctr uint64, now time.Time) verdict {
	d.mu.Lock()
	defer d.mu.Unlock()
	if (b.seen == nil || b.seen.forgotten) && !d.addLocked(b, now) {
		return crowded
	}
	b.seen.at = now
	return b.seen.judge(ctr, now.Sub(d.start))
}
