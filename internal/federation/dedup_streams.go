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
	mu      sync.Mutex // guards what follows; taken before a sharedDedup's mu
	streams map[dedupKey]*sharedDedup
	made    map[*intake]int // how many of them each link had made; never 0
	swept   time.Time

	start time.Time // of the clock of all
}

// sharedDedup is the dedup of a stream that may come by several links.
type sharedDedup struct {
	start time.Time // of the clock of seen
	by    *intake   // of the link that had it made

	mu      sync.Mutex // guards what follows
	seen    dedup
	at      time.Time // when a frame came last
	retired bool      // forgotten: a frame that comes has to ask for another
}

func newDedups(now time.Time) *dedups {
	return &dedups{
		streams: make(map[dedupKey]*sharedDedup), made: make(map[*intake]int), start: now.Add(-dedupFor),
	}
}

// stream returns the dedup of a stream, or nil if there are too many, or too many that a link had made, which
// its intake stands for.
func (d *dedups) stream(key dedupKey, by *intake, now time.Time) *sharedDedup {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.streams[key]
	if s != nil {
		return s
	}
	d.sweepLocked(now)
	if len(d.streams) >= maxDedups || d.made[by] >= maxLinkDedups {
		return nil
	}
	s = &sharedDedup{start: d.start, by: by, at: now}
	d.streams[key] = s
	d.made[by]++
	return s
}

// sweep forgets what was silent for long. Making new ones does it, too.
func (d *dedups) sweep(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sweepLocked(now)
}

// sweepLocked is sweep, once a second at most. The caller holds d.mu.
func (d *dedups) sweepLocked(now time.Time) {
	if now.Sub(d.swept) < dedupSweep {
		return
	}
	d.swept = now
	for key, s := range d.streams {
		if s.retire(now) {
			delete(d.streams, key)
			if d.made[s.by]--; d.made[s.by] == 0 {
				delete(d.made, s.by)
			}
		}
	}
}

// size returns how many streams are remembered.
func (d *dedups) size() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.streams)
}

// retire reports whether the stream has nothing to remember. If so, it takes no more frames.
func (s *sharedDedup) retire(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retired = s.retired || now.Sub(s.at) >= dedupFor
	return s.retired
}

// take is dedup.take; ok is false if the stream was forgotten.
func (s *sharedDedup) take(ctr uint64, now time.Time) (v mediaVerdict, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.retired {
		return verdictLate, false
	}
	s.at = now
	return s.seen.take(ctr, now.Sub(s.start)), true
}
