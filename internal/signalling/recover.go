package signalling

import (
	"time"

	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	talkedIn   = 2 * time.Second // media of the other's came in this time before it was heard last
	quietMedia = 1500 * time.Millisecond
	quietElse  = 2500 * time.Millisecond
	tryPause   = 1500 * time.Millisecond // after the first try, then twice as long
	tryTime    = 60 * time.Second
	waitTime   = tryTime + 5*time.Second // called: it cannot try
)

// silence is when nothing comes from the other of an open call.
//
//	heard ── nothing for 1.5 s in speech, else 2.5 s; or the relay ends the path ──> silent ── heard ──> heard
//	                                                                                  └── 60 s ──> the call has failed
type silence struct {
	since time.Time // zero: it is heard
	tries int       // caller
	due   time.Time // of the next try
}

// pause puts off the next try, for there was one just now.
func (s *silence) pause(now time.Time) {
	s.due = now.Add(tryPause << min(s.tries, 1))
	s.tries++
}

// lose notes that the other is not heard, or cannot be. The caller tries other ways, while the one that there
// was goes on; the called waits for it.
func (c *call) lose(now time.Time) {
	if !c.silence.since.IsZero() {
		return
	}
	c.silence = silence{since: now, due: now} // the caller tries at once
	c.line.emit(Silent{c.id, true})
	if !c.caller {
		c.chosen.wait(now)
	}
}

// found notes that the other is heard.
func (c *call) found(now time.Time) {
	if c.silence.since.IsZero() {
		return
	}
	c.silence = silence{}
	c.line.emit(Silent{c.id, false})
	c.sayState(now)
}

// quiet is how long the other may be silent.
func (c *call) quiet() time.Duration {
	if p := c.chosen; !p.media.IsZero() && p.heard.Sub(p.media) < talkedIn {
		return quietMedia
	}
	return quietElse
}

// tickOpen does what is due in an open call.
func (c *call) tickOpen(now time.Time) (next time.Time) {
	if !c.parting.IsZero() {
		if !now.Before(c.parting) {
			c.end(Transferred, &wire.Signal{Type: wire.SignalHangUp, Reason: wire.HangUpTransferred}, now)
			return time.Time{}
		}
		next = c.parting
	}
	if quiet := c.quiet(); now.Sub(c.chosen.heard) >= quiet {
		c.lose(now)
	} else if c.silence.since.IsZero() {
		next = e2ee.Soonest(next, c.chosen.heard.Add(quiet))
	}
	if !c.silence.since.IsZero() {
		over, due := c.tickSilence(now)
		if over {
			return time.Time{}
		}
		next = e2ee.Soonest(next, due)
	}
	return e2ee.Soonest(next, c.chosen.tickAlive(now))
}

// tickSilence looks for another way. over: for too long.
func (c *call) tickSilence(now time.Time) (over bool, next time.Time) {
	most := tryTime
	if !c.caller {
		most = waitTime
	}
	s := &c.silence
	ends := s.since.Add(most)
	if !now.Before(ends) {
		c.end(Failed, &wire.Signal{Type: wire.SignalHangUp, Reason: wire.HangUpFailed}, now)
		return true, time.Time{}
	}
	if !c.caller || !c.line.up { // with a session it is tried at once
		return false, ends
	}
	if !now.Before(s.due) {
		if s.tries > 0 { // perhaps the other is at another relay now
			c.line.send(wire.UrgentRouteWanted, &wire.RouteWanted{Target: c.target})
		}
		c.chosen.forward(now)
	}
	return false, e2ee.Soonest(ends, s.due)
}
