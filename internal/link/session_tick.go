package link

import (
	"math"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	tickEvery = 50 * time.Millisecond
	idleTick  = 500 * time.Millisecond // while nothing is due
)

// tickLoop does what is due by time alone, for all sessions. Where nothing is due soon it sleeps for
// idleTick: each time that it wakes costs an idle machine more than what it does then.
func (ep *Endpoint) tickLoop() {
	timer := time.NewTimer(tickEvery)
	defer timer.Stop()
	for {
		select {
		case <-ep.ctx.Done():
			return
		case <-ep.woken:
			timer.Reset(tickEvery)
		case <-timer.C:
			ep.resting.Store(true) // before it attends to the sessions: see wake
			timer.Reset(ep.tick())
		}
	}
}

// tick attends to the sessions that have something to do and returns the time to the next tick.
func (ep *Endpoint) tick() time.Duration {
	sessions := ep.Sessions()
	var at time.Duration
	next := time.Duration(math.MaxInt64)
	ep.WithTx(func(tx *Tx) {
		at = tx.at
		for _, s := range sessions {
			if time.Duration(s.idleUntil.Load()) <= at {
				s.tick(tx)
			}
			next = min(next, time.Duration(s.idleUntil.Load()))
		}
	})
	// All sessions that rest wake at the same times.
	if ep.repeatQUIC() {
		return tickEvery
	}
	return min(max(next-at, tickEvery), idleTick-at%idleTick)
}

// wake has the next tick, in at most tickEvery, attend to the session.
func (s *sender) wake() {
	s.idleUntil.Store(0)
	s.ep.wake()
}

// wake has a tick come in at most tickEvery.
func (ep *Endpoint) wake() {
	if ep.resting.Load() && ep.resting.Swap(false) {
		wake(ep.woken)
	}
}

// tick sends reports, repeats urgent messages and challenges, asks for signs of life, and ends what is over.
func (s *Session) tick(tx *Tx) {
	tx.Lock(&s.mu)
	// A client goes on with what it has: whether the relay still knows the session, its next Welcome tells.
	stopped := false
	over := s.client == nil && tx.now.Sub(s.recv.authenticAt) > sessionTimeout
	if !over && !s.ended {
		if r := s.route.Load(); r != nil && r.web == nil && !r.key.Covers(s.counter.Load()) {
			s.rerouteLocked()
		}
		s.meter.note(s.mediaSent.bytes(), tx.at)
		s.reportLocked(tx, reportSlack)
		s.urgentLocked(tx)
		s.probeLocked(tx)
		stopped = s.doubtLocked(tx)
	}
	gone := s.attachments.expire(tx.now)
	s.idleUntil.Store(int64(s.nextTickLocked(tx.at)))
	if s.elicited.Load() { // since it was asked above
		s.idleUntil.Store(0)
	}
	tx.Unlock(&s.mu)
	if stopped {
		s.ep.log.Debug("media stopped: nothing is reported to arrive", "remote", s.identity.Fingerprint())
	}
	s.drop(superseded, gone...)
	if over {
		s.end(tx, wire.CloseLost, true)
	} else if s.client == nil && s.probe != nil && s.probe.expired(tx.now) {
		s.end(tx, wire.CloseLeft, true)
	}
}

// nextTickLocked returns when (Endpoint.clock) the session has something to do again, so that a relay need
// not attend to each of thousands of sessions every tick. Who gives it something to do before that wakes it.
func (s *Session) nextTickLocked(at time.Duration) time.Duration {
	if s.urgentOut.size() > 0 || s.roaming.probing() || !s.pings.asked.IsZero() {
		return at + tickEvery
	}
	next := at - at%idleTick + idleTick
	if s.recv.eliciting {
		next = min(next, time.Duration(s.reportAt.Load())+reportSlack)
	}
	if since := s.waiting.Load(); since != 0 {
		next = min(next, time.Duration(since)+doubtAfter+s.send.quality.RTT)
	}
	if s.measuresLocked() {
		next = min(next, s.trips.last+pingPeer)
	}
	return max(next, at+tickEvery)
}

// elicit notes that the remote sent something that wants a report.
func (s *sender) elicit() {
	if !s.elicited.Load() {
		s.elicited.Store(true)
		s.wake()
	}
}

// reportAfterPacket sends a report that is due right after a packet was handled: both programs and their
// radios are awake then, and the reports of a room's listeners reach the relay together instead of waking it
// one by one. What no packet comes for is left to the tick.
func (s *Session) reportAfterPacket(tx *Tx) {
	if s.elicited.Load() && time.Duration(s.reportAt.Load()) <= tx.at {
		tx.Lock(&s.mu)
		defer tx.Unlock(&s.mu)
		s.reportLocked(tx, 0)
	}
}

// pongWithReport answers a ping of a peer, which comes every second, with a pong and the report that will be
// due soon, in one packet instead of two. It reports whether there was one.
func (s *Session) pongWithReport(tx *Tx, data [8]byte) bool {
	tx.Lock(&s.mu)
	defer tx.Unlock(&s.mu)
	early := max(s.recv.interval, reportOften) * 3 / 10
	return s.reportWithLocked(tx, wire.AppendEcho(tx.plain[:0], wire.FramePong, data, false), -early)
}

// reportLocked sends a report if one has been due for slack. The caller holds s.mu.
func (s *Session) reportLocked(tx *Tx, slack time.Duration) {
	s.reportWithLocked(tx, tx.plain[:0], slack)
}

// reportWithLocked is reportLocked, with frames in front of the report. The caller holds s.mu.
func (s *Session) reportWithLocked(tx *Tx, frames []byte, slack time.Duration) (sent bool) {
	if s.elicited.Swap(false) {
		s.recv.eliciting = true
	}
	if !s.recv.due(tx.now, slack) || s.ended {
		return false
	}
	report := s.recv.report(tx.now)
	tx.plain = wire.AppendReport(frames, &report, true)
	s.transmit(tx, tx.plain)
	s.reportAt.Store(int64(tx.at + max(s.recv.interval, reportOften)))
	return true
}
