package jitter

import "time"

const (
	maxDelay      = 2 * second     // greatest target delay
	maxHeld       = 7 * second / 2 // media held, e.g. after a stall; then the oldest is dropped
	resetAfter    = 30 * second    // no packet for so long: the 16-bit timestamp says nothing any more
	backFrames    = 100            // media time further back than this many frames: the talker restarted
	preRoll       = second / 5     // a talkspurt may begin this much before the marker that it follows
	counterWindow = 4096           // a counter further away than this belongs to another count
	seenWindow    = 1024           // packets back to which duplicates are recognised
	firstSeq      = 1 << 20        // leaves room below for packets sent before the first to arrive
)

// buffer is the decision core without sound: it puts packets in order on one time line, tells loss from
// lateness, duplicates and restarts, and holds the delay estimate. Not safe for concurrent use.
type buffer struct {
	list  list
	est   estimator
	stats Stats // the counters of arrival

	started     bool
	first       int64  // least seq of the stream
	newest      int64  // greatest seq
	counter     uint64 // of the newest packet
	timestamp   uint16 // of the newest packet
	media       int64  // of the newest packet
	silence     bool   // the newest packet is a marker
	length      int64  // of the last frame
	end         int64  // end of the furthest frame: where a new time line begins
	lastArrival int64
	lastSeq     int64 // seq of the last packet that left for play-out
	seen        [seenWindow / 64]uint64

	expected, unique int64 // packets: lost = expected - unique
	transit          int64 // x of the last frame, for the jitter
	hasTransit       bool
	jitter           float64 // samples, RFC 3550 section 6.4.1
}

func newBuffer(cfg Config) buffer {
	return buffer{
		list: list{most: maxHeld/(10*ms) + 16}, // room for the shortest frames, and for markers
		est:  newEstimator(toSamples(cfg.MinDelay), toSamples(cfg.StartDelay)),
	}
}

// put takes in one packet; the payload is copied.
func (b *buffer) put(p Packet, at time.Duration) {
	if !p.valid() {
		b.stats.Invalid++
		return
	}
	b.stats.Received++
	now := toSamples(at)
	s := slot{silence: p.Silence, arrival: now}
	if !p.Silence {
		s.length = toSamples(p.Duration)
		b.length = s.length
	}
	b.place(&s, p, now)
	if !b.mark(s.seq) {
		return
	}
	if !p.Silence {
		b.measure(s, now)
	}
	if b.lastSeq != 0 && s.seq <= b.lastSeq {
		b.late(&s)
		return
	}
	b.makeRoom(&s)
	b.list.insert(s, p.Payload)
}

// place gives the packet its seq and its extended media time, and begins a new
// time line when its numbers cannot continue the old one.
//
//	no packet for 30 s, or media time ahead of the clock by more than the
//	buffer, or back by more than 100 frames (at least the greatest delay), or
//	back at all, but for a pre-roll, while the counter goes on
//	                          new time line: it begins where the old one ended
//	counter far off, or older while the media time is newer
//	                          new count: the packet counts as the next one
//
// Anything else that is older came late.
func (b *buffer) place(s *slot, p Packet, now int64) {
	step := int64(int16(p.Timestamp-b.timestamp)) * unit
	count := int64(p.Counter - b.counter)
	elapsed := max(0, now-b.lastArrival)
	restart := !b.started || elapsed > resetAfter ||
		step-b.length < -max(backFrames*b.length, maxDelay) ||
		step < -preRoll && count > 0 ||
		step > elapsed+maxHeld
	recount := count > counterWindow || count < -counterWindow ||
		count <= 0 && (restart || step >= max(b.length, 1))
	if !b.started {
		b.newest = firstSeq
	}
	if !b.started || recount {
		count = 1
	}
	s.seq = b.newest + count
	s.media = b.media + step
	s.opening = b.silence || count == 1 && step-b.length >= noGap
	if restart {
		s.media = b.end + noGap
		s.fresh, s.opening = true, true
		if b.started {
			b.est.reset()
			b.hasTransit = false
			b.stats.Resets++
		}
	}
	b.lastArrival = now
	if !b.started {
		b.started, b.first = true, s.seq
	}
	if s.seq <= b.newest {
		return
	}
	b.counter, b.timestamp, b.media, b.silence = p.Counter, p.Timestamp, s.media, s.silence
	b.end = max(b.end, s.media+s.length)
}

// mark counts the packet as expected and received. It reports false for a
// duplicate and for a packet too old to tell.
func (b *buffer) mark(seq int64) bool {
	switch {
	case seq > b.newest:
		for n := max(b.newest+1, seq-seenWindow+1); n <= seq; n++ {
			b.seen[n%seenWindow/64] &^= 1 << (n % 64)
		}
		b.expected += seq - max(b.newest, b.first-1)
		b.newest = seq
	case seq <= b.newest-seenWindow:
		b.stats.Late++
		return false
	}
	word, bit := &b.seen[seq%seenWindow/64], uint64(1)<<(seq%64)
	if *word&bit != 0 {
		b.stats.Duplicate++
		return false
	}
	*word |= bit
	if seq < b.first {
		b.expected += b.first - seq
		b.first = seq
	}
	b.unique++
	return true
}

// measure feeds the arrival of a frame to the delay estimate and to the
// interarrival jitter of RFC 3550, section 6.4.1: J += (|D| - J) / 16.
func (b *buffer) measure(s slot, now int64) {
	b.est.observe(s.media, s.length, now, s.opening)
	x := now - s.media
	if b.hasTransit {
		d := x - b.transit
		b.jitter += (float64(max(d, -d)) - b.jitter) / 16
	}
	b.transit, b.hasTransit = x, true
}

// makeRoom drops the oldest packets until s fits.
func (b *buffer) makeRoom(s *slot) {
	for b.list.full() || b.list.front() != nil && b.list.held+s.length > maxHeld {
		if !b.list.front().silence {
			b.stats.Dropped++
		}
		b.pop()
		next := b.list.front()
		if next == nil {
			next = s
		}
		next.skip = true
	}
}

func (b *buffer) front() *slot { return b.list.front() }

// pop hands the front packet over to play-out; what is older is late from now on.
func (b *buffer) pop() {
	b.lastSeq = b.list.front().seq
	b.list.pop()
}

// late counts a frame whose time has passed; markers are not missed.
func (b *buffer) late(s *slot) {
	if !s.silence {
		b.stats.Late++
	}
}

// missing returns how many packets between the last one that left and s have not come.
func (b *buffer) missing(s *slot) int64 {
	if b.lastSeq == 0 {
		return 0
	}
	return max(0, s.seq-b.lastSeq-1)
}
