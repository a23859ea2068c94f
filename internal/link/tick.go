package link

import (
	"time"

	"github.com/wzp-voice/wzp/wire"
)

const (
	tickEvery   = 50 * time.Millisecond
	idleTick    = 500 * time.Millisecond  // for a relay's session of which nothing is due
	pingIdle    = 2 * time.Second         // a client that sent nothing for so long pings
	pingRepeat  = 200 * time.Millisecond  // while there is doubt
	pingSlow    = time.Second             // after 10 s of doubt
	doubtAfter  = 1500 * time.Millisecond // and a round trip, without a sign that what we send arrives
	breakAfter  = 5 * time.Second         // likewise: no more media (RFC 8083)
	silentAfter = 4 * time.Second         // a client that heard nothing attaches anew
)

// pinger decides when to ask the peer for a sign of life. It is pure; its Session locks it.
type pinger struct {
	asked  time.Time // first of the pings that were not answered; zero: none is open
	last   time.Time
	count  uint64 // packets sent, at the last look
	sentAt time.Time
}

// due reports whether to ping now. sent is how many packets were ever sent; doubt: it is not sure that they
// arrive; hurry: and the circuit breaker is about to open; client: this side keeps the session alive.
func (p *pinger) due(now time.Time, sent uint64, client, doubt, hurry bool) bool {
	if sent != p.count || p.sentAt.IsZero() {
		p.count, p.sentAt = sent, now
	}
	open := !p.asked.IsZero()
	switch {
	case open || doubt:
		if now.Sub(p.last) < p.every(now, hurry) {
			return false
		}
	case !client || now.Sub(p.sentAt) < pingIdle:
		return false
	}
	if !open {
		p.asked = now
	}
	p.last = now
	return true
}

// every returns the time between two pings. In a hurry it is a tick: many must be lost in a row, there or back,
// for loss alone to open the breaker.
func (p *pinger) every(now time.Time, hurry bool) time.Duration {
	switch {
	case hurry:
		return tickEvery
	case !p.asked.IsZero() && now.Sub(p.asked) > 10*time.Second:
		return pingSlow
	}
	return pingRepeat
}

// answered notes a pong.
func (p *pinger) answered() { p.asked = time.Time{} }

// tickLoop does what is due by time alone, for all sessions.
func (ep *Endpoint) tickLoop() {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ep.ctx.Done():
			return
		case <-ticker.C:
		}
		sessions := ep.Sessions()
		ep.withTx(func(tx *Tx) {
			for _, s := range sessions {
				if time.Duration(s.idleUntil.Load()) <= tx.at {
					s.tick(tx)
				}
			}
		})
	}
}

// tick sends reports, repeats urgent messages and challenges, asks for signs of life, and ends what is over.
func (s *Session) tick(tx *Tx) {
	s.mu.Lock()
	// A client goes on with what it has: whether the relay still knows the session, its next Welcome tells.
	over := s.client == nil && tx.now.Sub(s.recv.authenticAt) > sessionTimeout
	if !over && !s.ended {
		s.reportLocked(tx)
		s.urgentLocked(tx)
		s.probeLocked(tx)
		s.doubtLocked(tx)
	}
	gone := s.expireLocked(tx.now)
	if s.idleLocked() {
		s.idleUntil.Store(int64(tx.at + idleTick))
		if s.elicited.Load() { // since it was asked above
			s.idleUntil.Store(0)
		}
	}
	s.mu.Unlock()
	s.drop(gone...)
	if over {
		s.end(tx, wire.CloseLeft, true)
	}
}

// idleLocked reports whether nothing is due soon, so that a relay need not look at each of thousands of
// sessions every tick. Whoever gives it something to do resets idleUntil. A client has the time.
func (s *Session) idleLocked() bool {
	return s.client == nil && !s.elicited.Load() && !s.recv.eliciting && s.urgentOut.size() == 0 &&
		!s.roaming.probing() && s.pings.asked.IsZero()
}

// elicit notes that the peer sent something that wants a report.
func (s *Session) elicit() {
	if !s.elicited.Load() {
		s.elicited.Store(true)
		s.idleUntil.Store(0)
	}
}

func (s *Session) reportLocked(tx *Tx) {
	if s.elicited.Swap(false) {
		s.recv.eliciting = true
	}
	if s.recv.due(tx.now) {
		report := s.recv.report(tx.now)
		tx.plain = wire.AppendReport(tx.plain[:0], &report, true)
		s.transmit(tx, tx.plain)
	}
}

// doubtLocked pings while it is not sure that the path works, and opens the circuit breaker or wakes the
// client when that lasts.
func (s *Session) doubtLocked(tx *Tx) {
	unsure := time.Duration(0)
	if since := s.waiting.Load(); since != 0 {
		unsure = tx.at - time.Duration(since)
	}
	if unsure > breakAfter && !s.stopped.Swap(true) {
		s.ep.log.Debug("media stopped: the peer does not report that any arrives", "peer", s.identity.Fingerprint())
	}
	silent := tx.now.Sub(s.recv.authenticAt)
	doubt := unsure > doubtAfter+s.send.quality.RTT
	if s.pings.due(tx.now, s.counter.Load(), s.client != nil, doubt, doubt && unsure <= breakAfter) {
		s.ping(tx)
	}
	if s.client != nil && silent > silentAfter && !s.pings.asked.IsZero() {
		s.client.wake(causeSilence)
	}
}

// expireLocked drops the attachments that were superseded long ago.
func (s *Session) expireLocked(now time.Time) (gone []*attachment) {
	kept := s.attachments[:0]
	for _, a := range s.attachments {
		if !a.retired.IsZero() && now.Sub(a.retired) > retireAfter {
			gone = append(gone, a)
		} else {
			kept = append(kept, a)
		}
	}
	clear(s.attachments[len(kept):])
	s.attachments = kept
	return gone
}
