package link

import (
	"math"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	tickEvery   = 50 * time.Millisecond
	idleTick    = 500 * time.Millisecond  // while nothing is due
	pingIdle    = 2 * time.Second         // a client that sent nothing for so long pings
	pingPeer    = time.Second             // and a relay on a peer link that it dialled
	pingRepeat  = 200 * time.Millisecond  // while there is doubt
	pingSlow    = time.Second             // after 10 s of doubt
	doubtAfter  = 1500 * time.Millisecond // and a round trip, without a sign that what we send arrives
	breakAfter  = 5 * time.Second         // likewise: no more media (RFC 8083)
	silentAfter = 4 * time.Second         // a client that heard nothing attaches anew
)

// pinger decides when to ask the remote for a sign of life. It is pure; its Session locks it.
type pinger struct {
	asked  time.Time // first of the pings that were not answered; zero: none is open
	last   time.Time
	count  uint64 // packets sent, when due was called last
	sentAt time.Time
}

// due reports whether to ping now. packets is how many packets were ever sent; doubt: it is not sure that
// they arrive; hurry: and the circuit breaker is about to open; idle: after how long without one this side
// keeps the session alive, 0: it is not the one to do it.
func (p *pinger) due(now time.Time, packets uint64, idle time.Duration, doubt, hurry bool) bool {
	if packets != p.count || p.sentAt.IsZero() {
		p.count, p.sentAt = packets, now
	}
	open := !p.asked.IsZero()
	switch {
	case open || doubt:
		if now.Sub(p.last) < p.every(now, hurry) {
			return false
		}
	case idle == 0 || now.Sub(p.sentAt) < idle:
		return false
	}
	if !open {
		p.asked = now
	}
	p.last = now
	return true
}

// every returns the time between two pings. In a hurry it is a tick: many must be lost in a row, there or
// back, for loss alone to open the breaker.
func (p *pinger) every(now time.Time, hurry bool) time.Duration {
	switch {
	case hurry:
		return tickEvery
	case !p.asked.IsZero() && now.Sub(p.asked) > 10*time.Second:
		return pingSlow
	}
	return pingRepeat
}

// sent notes that a ping is sent whose answer matters: until one comes it is repeated.
func (p *pinger) sent(now time.Time) { p.asked, p.last = now, now }

// answered notes a pong.
func (p *pinger) answered() { p.asked = time.Time{} }

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
	return min(max(next-at, tickEvery), idleTick-at%idleTick)
}

// wake has the next tick, in at most tickEvery, attend to the session.
func (s *sender) wake() {
	s.idleUntil.Store(0)
	if s.ep.resting.Load() && s.ep.resting.Swap(false) {
		wake(s.ep.woken)
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
	s.drop(gone...)
	if over {
		s.end(tx, wire.CloseLost, true)
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
	if s.peer && s.client != nil { // what others hear of a relay is lost sooner than a client is
		next = min(next, s.pings.sentAt.Sub(s.ep.start)+pingPeer)
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

// reportLocked sends a report if one has been due for slack. The caller holds s.mu.
func (s *Session) reportLocked(tx *Tx, slack time.Duration) {
	if s.elicited.Swap(false) {
		s.recv.eliciting = true
	}
	if s.recv.due(tx.now, slack) && !s.ended {
		report := s.recv.report(tx.now)
		tx.plain = wire.AppendReport(tx.plain[:0], &report, true)
		s.transmit(tx, tx.plain)
		s.reportAt.Store(int64(tx.at + max(s.recv.interval, reportOften)))
	}
}

// doubtLocked pings while it is not sure that the path works, and opens the circuit breaker (stopped: just
// now) or wakes the client when that lasts. The caller holds s.mu.
func (s *Session) doubtLocked(tx *Tx) (stopped bool) {
	unsure := time.Duration(0)
	if since := s.waiting.Load(); since != 0 {
		unsure = tx.at - time.Duration(since)
	}
	stopped = unsure > breakAfter && !s.stopped.Swap(true)
	silent := tx.now.Sub(s.recv.authenticAt)
	doubt := unsure > doubtAfter+s.send.quality.RTT
	if s.pings.due(tx.now, s.counter.Load(), s.pingIdle(), doubt, doubt && unsure <= breakAfter) {
		s.ping(tx)
	}
	if s.client != nil && silent > silentAfter && !s.pings.asked.IsZero() {
		s.client.reattach(causeSilence)
	}
	return stopped
}

// pingIdle returns how long this side sends nothing before it pings; 0: it leaves that to the other.
func (s *Session) pingIdle() time.Duration {
	switch {
	case s.client == nil:
		return 0
	case s.peer:
		return pingPeer
	}
	return pingIdle
}

// pingUntilAnswered pings until there is an answer.
func (s *Session) pingUntilAnswered(tx *Tx) {
	s.mu.Lock()
	s.pings.sent(tx.now)
	s.mu.Unlock()
	s.wake()
	s.ping(tx)
}
