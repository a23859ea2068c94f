package link

import "time"

const (
	pingIdle    = 2 * time.Second         // a client that sent nothing for so long pings
	pingPeer    = time.Second             // how often both sides of a peer link ping
	pingRepeat  = 200 * time.Millisecond  // while there is doubt
	pingSlow    = time.Second             // after 10 s of doubt
	doubtAfter  = 1500 * time.Millisecond // and a round trip, without a sign that what we send arrives
	breakAfter  = 5 * time.Second         // likewise: no more media (RFC 8083)
	silentAfter = 4 * time.Second         // a client that heard nothing attaches anew; see also silentProbe
)

// pinger decides when to ask the remote for a sign of life. It is pure; its Session locks it.
type pinger struct {
	asked  time.Time // first of the pings that were not answered; zero: none is open
	last   time.Time
	count  uint64 // packets sent, when due was called last
	sentAt time.Time
	repeat time.Duration // between two pings while there is doubt; 0: pingRepeat
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
	return max(pingRepeat, p.repeat)
}

// sent notes that a ping is sent whose answer matters: until one comes it is repeated.
func (p *pinger) sent(now time.Time) { p.asked, p.last = now, now }

// answered notes a pong.
func (p *pinger) answered() { p.asked = time.Time{} }

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
	if s.trips != nil { // a long way is not asked again before the answer can be here
		s.pings.repeat = s.send.quality.RTT * 5 / 4
	}
	hurry, most := doubt && unsure <= breakAfter, silentAfter
	if s.probe != nil {
		s.pings.repeat, hurry, most = pingPeer, false, silentProbe
	}
	due := s.pings.due(tx.now, s.counter.Load(), s.pingIdle(), doubt, hurry)
	if !due && s.measuresLocked() && s.trips.due(tx.at, pingPeer) {
		s.pings.sent(tx.now)
		due = true
	}
	if due {
		s.pingLocked(tx)
	}
	if s.client != nil && silent > most && !s.pings.asked.IsZero() {
		s.client.reattach(causeSilence)
	}
	return stopped
}

// pingIdle returns how long this side sends nothing before it pings; 0: it leaves that to the other.
func (s *Session) pingIdle() time.Duration {
	if s.client == nil || s.trips != nil {
		return 0
	}
	return pingIdle
}

// measuresLocked reports whether this side pings to measure the path: not before a dialler has shown that it
// uses the session. The caller holds s.mu.
func (s *Session) measuresLocked() bool {
	return s.trips != nil && (s.client != nil || s.recv.received > 0)
}

// pingUntilAnswered pings until there is an answer.
func (s *Session) pingUntilAnswered(tx *Tx) {
	tx.Lock(&s.mu)
	s.pings.sent(tx.now)
	s.pingLocked(tx)
	tx.Unlock(&s.mu)
	s.wake()
}

// pingLocked asks the remote for a sign of life. The caller holds s.mu.
func (s *Session) pingLocked(tx *Tx) {
	if s.trips != nil {
		s.trips.sent(tx.at)
	}
	s.ping(tx)
}
