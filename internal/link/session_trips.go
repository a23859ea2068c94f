package link

import "time"

const (
	tripRing   = 64                     // pings that are remembered: the last minute's
	tripApart  = 500 * time.Millisecond // a ping that is sent sooner after one that counts does not count
	tripAnswer = 3 * time.Second        // a ping without an answer for so long is lost, or its answer is
)

// Path is what pings tell of the way to the remote and back.
type Path struct {
	RTT    time.Duration // smoothed as in RFC 6298; 0: not measured yet
	Least  time.Duration // the least of the last minute; 0: nothing was answered in it
	Jitter time.Duration // how much round trips differ, smoothed as in RFC 3550, section 6.4.1
	Loss   float64       // share of the last minute's pings that were not answered, whichever way got lost
	Pings  int           // of the last minute whose fate is known

	// What reports tell of each way, of all packets, smoothed over about the last 100.
	LossOut, LossIn float64
}

// trips measures a path by pings, of which about one a second counts, and their pongs. Which ping counts is
// decided when it is sent, so that those that are repeated because an answer is overdue do not make loss look
// larger than it is. It is pure; its Session locks it. The zero value has measured nothing.
//
//	sent ──> ring of the newest that count ──> answered ──> RTT, jitter
//	                    |
//	                    +── path: least, and the share of those older than 3 s without an answer
type trips struct {
	ring     [tripRing]trip
	n        int           // how many were put into it, ever
	last     time.Duration // when a ping was sent last, also one that does not count; 0: none was
	rtt      time.Duration
	jitter   time.Duration
	previous time.Duration // the round trip before; 0: there was none
}

// trip is one ping.
type trip struct {
	sent time.Duration // on the Endpoint's clock
	took time.Duration // 0: not answered
}

// due reports whether every is over since the last ping.
func (t *trips) due(at, every time.Duration) bool { return t.last == 0 || at-t.last >= every }

// sent notes a ping.
func (t *trips) sent(at time.Duration) {
	t.last = at
	if t.n > 0 && at-t.ring[(t.n-1)%tripRing].sent < tripApart {
		return
	}
	t.ring[t.n%tripRing] = trip{sent: at}
	t.n++
}

// answered notes the pong of the ping that was sent at some time. Pongs of pings that do not count, that come
// twice, or that nobody asked for are ignored.
func (t *trips) answered(sent, at time.Duration) {
	for i := t.n - 1; i >= 0 && i >= t.n-tripRing; i-- {
		p := &t.ring[i%tripRing]
		if p.sent < sent {
			return
		}
		if p.sent == sent {
			if took := at - sent; p.took == 0 && took > 0 {
				p.took = took
				t.sample(took)
			}
			return
		}
	}
}

func (t *trips) sample(took time.Duration) {
	if t.rtt == 0 {
		t.rtt = took
	} else {
		t.rtt += (took - t.rtt) / 8
	}
	if t.previous != 0 {
		t.jitter += ((took - t.previous).Abs() - t.jitter) / 16
	}
	t.previous = took
}

// path returns what is known now.
func (t *trips) path(at time.Duration) Path {
	p := Path{RTT: t.rtt, Jitter: t.jitter}
	lost := 0
	for i := max(0, t.n-tripRing); i < t.n; i++ {
		one := t.ring[i%tripRing]
		if at-one.sent > time.Minute {
			continue
		}
		if one.took > 0 && (p.Least == 0 || one.took < p.Least) {
			p.Least = one.took
		}
		if at-one.sent < tripAnswer { // it may be answered yet; whether it was says nothing of the others
			continue
		}
		p.Pings++
		if one.took == 0 || one.took > tripAnswer {
			lost++
		}
	}
	if p.Pings > 0 {
		p.Loss = float64(lost) / float64(p.Pings)
	}
	return p
}
