package link

import (
	"cmp"
	"time"

	"github.com/wzp-voice/wzp/internal/budget"
)

const (
	// narrowQueue and four times the jitter, of which narrowJitter is believed, is the delay above the least
	// that shows that packets wait in front of a narrow path, if more than narrowHeavy is sent. If it is
	// less, the path may have become longer, and only narrowSure shows it: it does so too where a path is
	// lossy and unsteady, for that is no reason to keep back what one or two people say.
	narrowQueue  = 150 * time.Millisecond
	narrowJitter = 100 * time.Millisecond
	narrowHeavy  = 16_000 // bytes a second
	narrowSure   = time.Second
	// narrowLooks is how many looks in a row have to show that, narrowApart how far apart they are, at least.
	narrowLooks = 3
	narrowApart = 200 * time.Millisecond
	// narrowLeast is the lowest rate, in bytes a second: 6 kbit/s.
	narrowLeast = 750
	// narrowCut is by what the rate is lowered while the delay does not fall, narrowGrow by what it is raised
	// in a second while there is none; each time by the square of that, as long as no queue shows.
	narrowCut  = 0.7
	narrowGrow = 1.05
	narrowMost = 1.2
	// narrowTries is how many lower rates may change nothing; each is narrowTry of the one before.
	narrowTries = 3
	narrowTry   = 0.5
	// narrowCalm is after how long without need the rate is given up, narrowPause how long no other is set
	// after one that changed nothing.
	narrowCalm  = 10 * time.Second
	narrowPause = 10 * time.Second
	// narrowTurn is for how long the least round trip counts at least.
	narrowTurn  = 30 * time.Second
	narrowLarge = 1200. // bytes
	// narrowPackets is how many packets a judgement takes.
	narrowPackets = 10

	// narrowBurst and narrowSmall bound what leaves at once to a narrow path: see budget.Config.
	narrowBurst = 500 * time.Millisecond
	narrowSmall = 600 // bytes
)

// narrowLook is what a session knows when a report of the remote has come.
type narrowLook struct {
	at       time.Duration // on the Endpoint's clock
	rtt      time.Duration // of the newest packet that the remote has
	atLeast  bool          // it may have been longer
	jitter   time.Duration
	sent     uint64 // packets, ever
	received uint64 // of them, by the remote
	bytes    uint32 // of media sent, modulo 2^24
	packets  uint64 // with them
	refused  uint64 // media frames that the budget kept back, ever
}

// narrow finds out when more media is sent to the remote than its path carries, and how much that is. It
// looks at growing delay: loss alone says nothing on the networks that this is for. It is pure; its Session
// locks it. The zero value takes the path for wide.
//
//	       looks in a row show a queue,         a queue still: x 0.7, unless it falls
//	       and less arrives than is sent        ┌───┐
//	wide ────────────────────────────> narrow ──┴───┘ none, and something is refused: x 1.05 a second, 1.1, 1.2 ...
//	 ^                                   |
//	 +───────────────────────────────────+ nothing is refused for 10 s; or the first rate changed nothing: it is the
//	                                       path that has become longer, or loses much
type narrow struct {
	rate  float64 // bytes a second; 0: wide
	least leastTrip
	since time.Duration // when least[0] began
	looks [narrowLooks + 1]narrowLook
	n     int // looks that there are: one without a queue, and those with one since

	// While the path is narrow:
	mark   narrowLook    // when rate was set, or the delay was seen to fall
	over   time.Duration // the delay then
	part   float64       // of what was sent, that arrived before
	heavy  bool          // more than narrowHeavy was sent
	proved bool          // a lower rate has changed something
	tries  int           // rates that did not
	grow   float64
	busy   time.Duration // when something was last refused

	paused time.Duration // until when no rate is set
}

// judge is told what is known now. It returns the rate to keep to, in bytes a second; 0: none.
func (w *narrow) judge(l narrowLook) int {
	if l.rtt <= 0 || w.n > 0 && l.at-w.looks[w.n-1].at < narrowApart {
		return int(w.rate)
	}
	over := l.rtt - w.leastOf(l)
	queue := narrowQueue + 4*min(l.jitter, narrowJitter)
	if w.rate > 0 { // what a large packet takes to be sent is no queue
		queue += min(time.Second, time.Duration(narrowLarge/w.rate*float64(time.Second)))
	}
	if w.n == len(w.looks) {
		copy(w.looks[:], w.looks[1:])
		w.n--
	}
	if over <= queue { // what went before is not in a row
		w.n = 0
	}
	w.looks[w.n] = l
	w.n++
	if w.rate > 0 {
		w.adjust(l, over, queue)
	} else if w.n == len(w.looks) && l.at >= w.paused {
		w.begin(l, over)
	}
	return int(w.rate)
}

// leastOf returns the least round trip of late, that of l included if it is known. It is not forgotten while
// there may be a queue.
func (w *narrow) leastOf(l narrowLook) time.Duration {
	known := cmp.Or(w.least.least(), l.rtt)
	if l.atLeast { // a queue may show in it, the lack of one does not
		return known
	}
	least := min(known, l.rtt)
	if l.at-w.since > narrowTurn && w.rate == 0 && l.rtt-least <= narrowQueue {
		w.since = l.at
		w.least.turn()
	}
	w.least.add(l.rtt)
	return least
}

// begin sets a rate if less arrives than is sent, while the delay has been high.
func (w *narrow) begin(l narrowLook, over time.Duration) {
	first := w.looks[0]
	sent, got := l.sent-first.sent, l.received-first.received
	media, packets := float64((l.bytes-first.bytes)&countBytes), l.packets-first.packets
	past := (l.at - first.at).Seconds()
	w.heavy = media > narrowHeavy*past
	few := packets < narrowPackets || sent < narrowPackets
	if few || float64(got) > 0.83*float64(sent) || !w.heavy && over < narrowSure {
		return
	}
	// Small packets may be those that arrive, so this may be too much; then it is lowered.
	w.rate = max(narrowLeast, min(0.8*float64(got)*media/float64(packets), 0.7*media)/past)
	w.set(l, over, float64(got)/float64(sent))
	w.proved, w.tries, w.busy, w.grow = false, 0, l.at, narrowGrow
}

func (w *narrow) set(l narrowLook, over time.Duration, part float64) {
	w.mark, w.over, w.part = l, over, part
}

// adjust changes the rate, once it can be seen what it led to.
func (w *narrow) adjust(l narrowLook, over, queue time.Duration) {
	if l.refused != w.mark.refused {
		w.busy = l.at
	}
	sent, got := l.sent-w.mark.sent, l.received-w.mark.received
	past := l.at - w.mark.at
	early := sent < narrowPackets || past < time.Second+min(w.mark.rtt, 5*time.Second)
	if past < time.Second || over > queue && early {
		return
	}
	part := float64(got) / float64(max(1, sent))
	switch falls := over < w.over-100*time.Millisecond; {
	case over <= queue && l.at-w.busy > narrowCalm:
		w.rate = 0
	case over <= queue:
		if w.proved = true; w.busy > w.mark.at && over <= queue/2 {
			w.rate *= 1 + (w.grow-1)*min(past.Seconds(), 2)
			w.grow = min(w.grow*w.grow, narrowMost)
		}
		w.set(l, over, part)
	case falls:
		w.proved = true
		w.set(l, over, part)
	case w.proved:
		w.rate = max(narrowLeast, w.rate*narrowCut/w.grow) // it was the last growth, or more
		w.grow = narrowGrow
		w.set(l, over, part)
	case w.heavy && w.tries < narrowTries || part > 1.3*w.part:
		w.rate = max(narrowLeast, w.rate*narrowTry)
		w.tries++
		w.set(l, over, part)
	default: // it was no queue of ours
		*w = narrow{least: leastTrip{l.rtt}, since: l.at, paused: l.at + narrowPause}
	}
}

// widenLocked notes that the path is another one, of which nothing is known. The caller holds s.mu.
func (s *Session) widenLocked() {
	s.narrow = narrow{}
	s.share.Store(nil)
}

// watchLocked looks at the path to a client after a report, and has what is sent kept to what that carries.
// The caller holds s.mu.
func (s *Session) watchLocked(tx *Tx) {
	if s.client != nil || s.peer || s.out.Load().ofBrowser() { // those have a queue of their own
		return
	}
	rate := s.narrow.judge(narrowLook{
		at: tx.at, rtt: s.send.trip, atLeast: s.send.atLeast, jitter: s.send.quality.Jitter,
		sent: s.counter.Load(), received: s.send.received,
		bytes: s.mediaSent.bytes(), packets: s.mediaSent.packets(), refused: s.mediaRefused.Load(),
	})
	switch pool := s.share.Load(); {
	case rate == 0:
		if pool != nil {
			s.share.Store(nil)
		}
	case pool == nil:
		config := budget.Config{Rate: rate, Burst: narrowBurst, Least: narrowSmall, QuietFirst: true}
		s.share.Store(budget.NewPool(config))
	default:
		pool.SetRate(rate, tx.at)
	}
}
