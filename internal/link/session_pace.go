package link

import (
	"math"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// Those of clients' sessions, and what goes for all: see paceLimits.
const (
	// At first a third of the rate of media, or more if that is high, but from paceFloor to paceStart.
	paceStart  = 4 << 10 // bytes a second
	paceFloor  = 512
	paceNarrow = 4 << 10  // bytes a second of media, above which the path is not taken for narrow
	paceLeast  = 256      // and never less than this
	paceMost   = 64 << 10 // bytes a second
	paceBurst  = 1200     // bytes that leave at once: two packets do, whatever their size

	paceStep   = 200 * time.Millisecond // a rate lasts at least so long, and a round trip, before it grows
	paceSteps  = 3                      // at once, at most
	paceFast   = 1.5                    // growth while no queue was met
	paceSlow   = 1.1                    // and near a rate that built one
	paceFall   = 0.7
	paceFirst  = 0.5                    // the first time, or when the queue is long
	paceQueue  = 60 * time.Millisecond  // delay above the least that counts as a queue, and twice the jitter
	paceJitter = 20 * time.Millisecond  // of which so much is believed: a queue looks like jitter, too
	paceRecent = 300 * time.Millisecond // the least of the samples of so long counts
	pacePing   = 100 * time.Millisecond // between two samples
	paceRest   = 10 * time.Second       // after so long without messages that wait the path may be another
)

// paceLimits are what a pacer stays between.
type paceLimits struct {
	start, least, most float64 // bytes a second: to begin with, and ever
	burst              float64 // bytes that leave at once
	save               float64 // seconds: what the rate gives in so long may leave at once, too
	byMedia            bool    // begin with a share of the rate of media, with start at most
}

// clientPace is for the sessions of clients, whose path may be a phone's: the rate of media, which its codecs
// follow the path with, tells what it takes.
var clientPace = paceLimits{
	start: paceStart, least: paceLeast, most: paceMost, burst: paceBurst, save: 1. / 8, byMedia: true,
}

// peerPace is for peer links: relays have better paths, and what is on one link concerns many. The rate of
// media says how many talk and nothing about the path. One tick's worth may leave at once, which must not
// look like a queue.
var peerPace = paceLimits{start: 32 << 10, least: 2 << 10, most: 1 << 20, burst: 8 * 1200, save: 1. / 16}

// pathView is what a session knows about its path when urgent messages are to be paced.
type pathView struct {
	media  float64       // bytes a second of media sent, with all headers
	rtt    time.Duration // smoothed; 0: unknown
	jitter time.Duration
}

// pacer decides how fast the urgent messages of one direction leave, so that media keeps three quarters of a
// bottleneck whatever its rate is. Loss does not slow it down, a queue does. It is pure; its Session locks
// it. The zero value is ready, for a client's session.
//
//	 begin: a third of media's rate, or a peer link's start
//	   |
//	   v     round trip near its least, while messages wait
//	rate <──────────────────────────────────────────────────> rate x 1.5, or x 1.1 once it fell
//	   ^
//	   +─────────────────────────────────────────────────────> rate x 0.7 or 0.5, once a round trip
//	         60 ms above its least
//
// The round trip is that of pings which ride in front of urgent frames. What a large packet takes to be sent
// over a slow link is no queue, so samples are compared with those of packets of about the same size only.
type pacer struct {
	limits *paceLimits // nil: clientPace

	rate    float64   // bytes a second
	budget  float64   // bytes that may leave now; below 0 by at most one packet
	filled  time.Time // when budget was last filled up
	wait    bool      // a message has to wait
	learned bool      // rate comes from samples
	proved  time.Time // when a message last had to wait: it is not known what more the path takes
	sent    int       // bytes since proved
	sampled time.Time // when the newest sample came

	pinged time.Time
	grown  time.Time                    // when rate was last set
	fell   time.Time                    // when it last fell; zero: it never did since the beginning
	least  [pingSizes - 1]time.Duration // round trip, by size of the packet; 0: none yet
	recent [4]struct {
		at   time.Time
		over time.Duration
	}
	next   int           // in recent
	small  leastTrip     // of other packets, in the last 10 s and before
	turned time.Time     // when that began
	path   float64       // bytes a second that the path takes at least
	queue  time.Duration // delay that counts as a queue
}

// pingSizes is how many kinds of pings are told apart by the first two of their 64 bits: 0 is one that
// travels alone, the others ride in front of urgent frames, by the size of the packet.
const pingSizes = 4

// pingSize returns the kind of a ping in a packet with a message of n bytes.
func pingSize(n int) int { return 1 + min(n/pingStep, pingSizes-2) }

const pingStep = 384 // bytes of message from one kind to the next

// between returns the limits.
func (p *pacer) between() *paceLimits {
	if p.limits == nil {
		return &clientPace
	}
	return p.limits
}

// begin returns the rate to begin with if nothing was learned.
func (l *paceLimits) begin(path pathView) float64 {
	if !l.byMedia || path.media == 0 {
		return l.start
	}
	return min(max(path.media/3, 2*(path.media-paceNarrow), paceFloor), l.start)
}

// fill adds to the budget what has come up since the last time.
func (p *pacer) fill(now time.Time, path pathView) {
	if rest := now.Sub(p.proved); !p.wait && rest > paceRest {
		p.rest(now, rest, path)
	}
	limits := p.between()
	if p.filled.IsZero() {
		p.budget = limits.burst
	} else {
		p.budget = min(p.budget+now.Sub(p.filled).Seconds()*p.rate, max(limits.burst, p.rate*limits.save))
	}
	p.filled, p.path = now, max(path.media, limits.start)
}

// rest sets the rate with which to begin if a message had to wait. What was learned is not proved any more
// then, but twice what was used is, about, and for a while half of it is a better guess than none.
func (p *pacer) rest(now time.Time, rest time.Duration, path pathView) {
	start := p.between().begin(path)
	if p.learned {
		used := 2 * float64(p.sent) / rest.Seconds()
		p.rate = min(p.rate, max(p.rate/math.Exp2(float64(rest/paceRest)), used))
		p.learned = p.rate > start
		p.proved, p.sent = now, 0
	}
	if !p.learned {
		p.rate, p.grown, p.fell = start, now, time.Time{}
		p.queue = paceQueue + 2*min(path.jitter, paceJitter)
	}
	if now.Sub(p.sampled) > paceRest {
		clear(p.least[:])
	}
}

// forget notes that the path is another one.
func (p *pacer) forget() {
	p.learned, p.wait, p.proved = false, false, time.Time{}
	clear(p.least[:])
	clear(p.small[:])
	clear(p.recent[:])
}

// allows reports whether a message may leave now.
func (p *pacer) allows() bool { return p.budget > 0 }

// spend takes a packet of n bytes from the budget.
func (p *pacer) spend(n int) {
	p.budget -= float64(n)
	p.sent += n
}

// waits notes whether a message has to wait.
func (p *pacer) waits(now time.Time, yes bool) {
	p.wait = yes
	if yes {
		p.proved, p.sent = now, 0
	}
}

// ping reports whether the next packet is to carry a ping, if more messages wait behind it.
func (p *pacer) ping(now time.Time, more bool) bool {
	if !more && !p.wait || now.Sub(p.pinged) < pacePing {
		return false
	}
	p.pinged = now
	return true
}

// pong takes the round trip of a ping of a kind.
func (p *pacer) pong(now time.Time, kind int, rtt time.Duration) {
	if kind == 0 {
		p.alone(now, now.Add(-rtt), rtt)
	} else if rtt > 0 && rtt <= maxSample && p.rate > 0 { // else nothing was asked
		p.sample(now, kind, rtt)
	}
}

// alone takes the round trip of a packet that was sent at a time and may have been a small one.
func (p *pacer) alone(now, sent time.Time, rtt time.Duration) {
	if rtt <= 0 || rtt > maxSample {
		return
	}
	if least := p.small.least(); least > 0 && rtt <= least+p.queue/2 {
		p.grow(now, sent)
	}
	if !p.wait && now.Sub(p.turned) > paceRest { // what urgent messages add to it must not become the least
		p.turn(now)
	}
	p.small.add(rtt)
}

// turn begins another time for the least round trip, since that of a path may change while its address does
// not. If it was longer in the last one, what was taken for a queue since then was the path.
func (p *pacer) turn(now time.Time) {
	if p.small[1] > 0 && p.small[0] > p.small[1]+p.queue {
		p.learned, p.proved = false, time.Time{}
		clear(p.recent[:])
	}
	clear(p.least[:])
	p.turned = now
	p.small.turn()
}

// allowed returns the most that the round trip of a packet with a ping of a kind can be where there is no
// queue: the first of them may have met one.
func (p *pacer) allowed(kind int) time.Duration {
	small := p.small.least()
	if small == 0 {
		return maxSample
	}
	size := min(kind*pingStep, wire.MaxUrgent) + packetOverhead
	return small + time.Duration(float64(size)/p.path*float64(time.Second))
}

// sample takes the round trip of a ping of a kind from 1 up.
func (p *pacer) sample(now time.Time, kind int, rtt time.Duration) {
	least := &p.least[kind-1]
	if *least == 0 {
		*least = p.allowed(kind)
	}
	*least = min(*least, rtt)
	over := rtt - *least
	p.sampled = now
	p.recent[p.next].at, p.recent[p.next].over = now, over
	p.next = (p.next + 1) % len(p.recent)
	sent, delay := now.Add(-rtt), p.delay(now)
	switch {
	case delay > p.queue:
		if !sent.Before(p.fell) { // else it tells of a rate that is no more
			p.fall(now, delay)
		}
	case over <= p.queue/2:
		p.grow(now, sent)
	}
}

// acked takes the acknowledgement of a message that was sent first at a time. That says what the round trip
// was at most.
func (p *pacer) acked(now time.Time, kind int, sent time.Time) {
	least := p.least[kind-1]
	if least == 0 {
		least = p.allowed(kind)
	}
	if least < maxSample && now.Sub(sent) <= least+p.queue/2 {
		p.grow(now, sent)
	}
}

// delay returns by how much the round trip was above its least at least, recently.
func (p *pacer) delay(now time.Time) time.Duration {
	delay := maxSample
	for _, r := range p.recent {
		if now.Sub(r.at) <= paceRecent {
			delay = min(delay, r.over)
		}
	}
	return delay
}

// fall lowers the rate because of a queue that takes so long.
func (p *pacer) fall(now time.Time, delay time.Duration) {
	factor := paceFall
	if p.fell.IsZero() || delay > 2*p.queue {
		factor = paceFirst
	}
	p.rate = max(p.between().least, p.rate*factor)
	p.grown, p.fell, p.learned = now, now, true
}

// grow raises the rate because what was sent at a time met no queue: by as many steps as fit into the time
// since the rate was set, so that it does not depend on how many samples get lost.
func (p *pacer) grow(now, sent time.Time) {
	steps := int(now.Sub(p.grown) / max(paceStep, now.Sub(sent)))
	if !p.wait || sent.Before(p.grown) || steps == 0 {
		return
	}
	factor := paceFast
	if !p.fell.IsZero() {
		factor = paceSlow
	}
	p.rate = min(p.between().most, p.rate*math.Pow(factor, float64(min(steps, paceSteps))))
	p.grown, p.learned = now, true
}
