package jitter

const (
	startTarget  = 13 * ms / 2 // target until there is evidence: covers +-3 ms around an early first packet
	evidence     = 50          // observations after which the start target no longer counts
	shortWindow  = 100         // observations, 2 s of 20 ms frames: grows quickly
	longWindow   = 500         // observations, 10 s: shrinks slowly
	exceedOneIn  = 50          // one frame in 50 may come later than the target: 98 %
	baseBucket   = 2 * second  // base is the least transit time of 8 such buckets
	staleAfter   = 20 * second // transit times older than this have drifted: keep their spread only
	stallMemory  = 30 * second // two stalls within this time count
	stallPackets = 4           // packets released together that make a stall ...
	stallMedia   = 80 * ms     // ... and the media between the first and the last
)

// estimator learns from arrival times how long to wait for packets. x is the
// transit time of a packet, arrival - media time, on an unknown but constant
// offset; see the package comment for the schedule made of it.
//
// Observations are taken per release, not per packet: packets that arrive in order within half a frame of
// each other were held up together, and count once, with the transit time of the first (the longest). So one
// stall of the network, or one talkspurt held until its key came, is one observation, and stays outside the
// 98 %: it is caught up with, not waited for. Stalls that repeat are waited for: the second-longest of the
// last 30 s is a floor. A release that opens a talkspurt counts not at all: it is sound from before the key
// was pressed (the pre-roll), which is late by intention and every time.
type estimator struct {
	lower, upper int64 // bounds of the target
	start        int64 // target until there is evidence

	anchor      int64 // all x below are kept relative to it
	base        int64 // least x of the last 16 s
	target      int64 // slewed
	bases       minWindow
	short, long quantileWindow
	stalls      stalls

	started     bool
	seen        int // observations since the reset
	lastArrival int64
	lastMedia   int64
	run         release
}

// release is a run of packets that arrived together.
type release struct {
	packets int
	x       int64 // of the first packet
	media   int64 // of the first packet
	opening bool  // it opens a talkspurt
}

func newEstimator(lower, start int64) estimator {
	return estimator{
		lower: lower, upper: maxDelay, start: max(startTarget, start),
		bases: minWindow{width: baseBucket},
		short: newQuantileWindow(shortWindow), long: newQuantileWindow(longWindow),
	}
}

func (e *estimator) reset() {
	e.started, e.seen, e.target, e.run = false, 0, 0, release{}
	e.start = startTarget
	e.bases.reset()
	e.short.reset()
	e.long.reset()
	e.stalls = stalls{}
}

// due is A: a frame of media time m that is played no earlier than m + due has nearly always arrived.
func (e *estimator) due() int64 { return e.anchor + e.base + e.target }

// observe takes in the arrival of a frame, late ones too, duplicates not.
// opening tells that the frame is the first after a silence.
func (e *estimator) observe(media, length, now int64, opening bool) {
	switch {
	case !e.started:
		e.started, e.anchor = true, now-media
		e.base = 0
	case now-e.lastArrival > staleAfter:
		// The clocks have drifted apart and the route may have changed, but
		// the spread is still the best guess: hang it up at this packet.
		e.anchor = now - media - e.long.median()
		e.bases.reset()
		e.bases.add(e.base, now)
		e.run = release{}
	}
	x := now - media - e.anchor
	if joined := e.join(x, media, length, now, opening); !joined {
		e.short.add(x)
		e.long.add(x)
		e.seen++
	}
	base := e.bases.add(x, now)
	if base > e.base {
		e.target -= base - e.base // the schedule does not move because an old minimum expired
	}
	e.base = base
	elapsed := max(0, now-e.lastArrival)
	if e.seen <= 1 {
		elapsed = 0
	}
	e.target = slewTarget(e.target, e.wanted(now), elapsed)
	e.lastArrival, e.lastMedia = now, media
}

// join reports whether the packet was released together with the one before.
func (e *estimator) join(x, media, length, now int64, opening bool) bool {
	// What opens a talkspurt left at one moment, so jitter brings it out of order.
	inOrder := media > e.lastMedia || e.run.opening
	together := e.run.packets > 0 && now-e.lastArrival < length/2 && inOrder
	if !together {
		e.run = release{packets: 1, x: x, media: media, opening: opening}
		return false
	}
	e.run.packets++
	if e.run.opening {
		if e.run.packets == 2 {
			e.short.undo()
			e.long.undo()
			e.seen--
		}
		return true
	}
	if e.run.packets >= stallPackets && media-e.run.media >= stallMedia && e.run.x != noStall {
		e.stalls.add(e.run.x+e.anchor, now)
		e.run.x = noStall // recorded
	}
	return true
}

// wanted is the target that the windows ask for now.
func (e *estimator) wanted(now int64) int64 {
	high := max(e.short.high(exceedOneIn, evidence, e.base), e.long.high(exceedOneIn, evidence, e.base))
	want := high - e.base + guard(high-e.long.median())
	if e.seen < evidence {
		want = max(want, e.start)
	}
	if x, ok := e.stalls.second(now); ok {
		want = max(want, x-e.anchor-e.base)
	}
	return max(e.lower, min(want, e.upper))
}

// guard is what is added to the 98 % for the tail beyond it: half a millisecond and a sixth of the distance
// from the median to the 98 %, which for normally distributed jitter makes it 99.2 %.
func guard(spread int64) int64 { return ms/2 + max(0, spread)/6 }

// slewTarget moves the target to what is wanted: up at once, down by 25 ms and
// a quarter of the distance per second.
func slewTarget(target, wanted, elapsed int64) int64 {
	if wanted >= target {
		return wanted
	}
	elapsed = min(elapsed, second)
	fall := elapsed/40 + (target-wanted)*elapsed/(4*second)
	return max(wanted, target-fall)
}

const noStall = int64(-1) << 62

// stalls remembers the transit times of the last stalls, not relative to an anchor.
type stalls struct {
	next int
	x    [8]int64
	at   [8]int64
	used [8]bool
}

func (s *stalls) add(x, now int64) {
	s.x[s.next], s.at[s.next], s.used[s.next] = x, now, true
	s.next = (s.next + 1) % len(s.x)
}

// second returns the second-longest transit time of the remembered stalls.
func (s *stalls) second(now int64) (int64, bool) {
	first, next, n := noStall, noStall, 0
	for i, x := range s.x {
		if !s.used[i] || now-s.at[i] > stallMemory {
			continue
		}
		n++
		next = max(next, min(first, x))
		first = max(first, x)
	}
	return next, n >= 2
}
