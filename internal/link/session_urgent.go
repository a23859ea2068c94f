package link

import (
	"errors"
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	urgentRepeat = 100 * time.Millisecond // without back-off: a bad path must not silence it
	// urgentQuick is when what sets a call up is repeated first. A dozen of such messages follow each other,
	// so that where much is lost each 50 ms make half a second.
	urgentQuick = 50 * time.Millisecond
)

// ErrUrgentFull is returned when a session has too many urgent messages under way.
var ErrUrgentFull = errors.New("link: too many urgent messages under way")

// ErrOver is returned when an urgent message is for a session that has ended, or a probe link, which takes
// none.
var ErrOver = errors.New("link: the session has ended")

// urgentOut keeps the urgent messages of one direction until they are acknowledged. It is pure; its
// Session locks it. The zero value is ready.
//
//	add ──> waiting ──(due: at once, after 100 ms, or 50, then every 100 ms, at the pacer's rate)──> sent
//	sent ──ack──> gone
type urgentOut struct {
	next    uint64
	waiting []urgentMessage // not sent yet, in order of number
	pending []urgentMessage // sent, the next one due first
	repeat  bool            // it is a repeat's turn
	pace    pacer

	whenEmpty []func(acked bool) // called once neither waits nor is pending
}

type urgentMessage struct {
	number uint64
	kind   wire.UrgentKind
	body   []byte
	done   func(acked bool) // called once, without locks; or nil
	first  time.Time        // when it was sent first
	sent   time.Time        // and last
	due    time.Time        // when it is repeated
}

// add queues a message. body is kept.
func (u *urgentOut) add(kind wire.UrgentKind, body []byte, done func(acked bool)) error {
	if u.size() >= wire.UrgentUnderWay {
		return ErrUrgentFull
	}
	u.waiting = append(u.waiting, urgentMessage{number: u.next, kind: kind, body: body, done: done})
	u.next++
	return nil
}

// size returns how many messages are not acknowledged.
func (u *urgentOut) size() int { return len(u.waiting) + len(u.pending) }

// due calls send for each message whose time has come, as far as the pacer allows; ping is the kind of the
// ping to put in front, 0 for none.
func (u *urgentOut) due(now time.Time, path pathView, send func(m *urgentMessage, ping int)) {
	if u.size() == 0 {
		u.pace.waits(now, false)
		return
	}
	u.pace.fill(now, path)
	for u.pace.allows() && u.any(now) {
		u.send(u.pick(now, path.rtt), now, send)
	}
	u.pace.waits(now, u.any(now))
}

// any reports whether a message is to be sent now.
func (u *urgentOut) any(now time.Time) bool {
	return len(u.waiting) > 0 || len(u.pending) > 0 && !now.Before(u.pending[0].due)
}

// pick removes the next message to send, of which there is one. First sendings and repeats whose
// acknowledgement is overdue take turns; other repeats leave when nothing else waits.
func (u *urgentOut) pick(now time.Time, rtt time.Duration) (m urgentMessage) {
	overdue := len(u.pending) > 0 && now.Sub(u.pending[0].sent) >= max(urgentRepeat, rtt*5/4)
	if len(u.waiting) == 0 || overdue && u.repeat {
		u.repeat = false
		m, u.pending = u.pending[0], u.pending[1:]
	} else {
		u.repeat = true
		m, u.waiting = u.waiting[0], u.waiting[1:]
	}
	return m
}

// send calls send with a message, which is pending from then on.
func (u *urgentOut) send(m urgentMessage, now time.Time, send func(*urgentMessage, int)) {
	m.sent, m.due = now, now.Add(urgentRepeat)
	if m.first.IsZero() {
		m.first = now
		if quick(m.kind) {
			m.due = now.Add(urgentQuick)
		}
	}
	size, kind := len(m.body)+packetOverhead, 0
	if u.pace.ping(now, u.any(now)) {
		kind = pingSize(len(m.body))
		size += pingFrame
	}
	u.pace.spend(size)
	send(&m, kind)
	i := len(u.pending)
	for i > 0 && u.pending[i-1].due.After(m.due) {
		i--
	}
	u.pending = slices.Insert(u.pending, i, m)
}

// quick reports whether messages of a kind set calls up: each waits for the one before.
func quick(kind wire.UrgentKind) bool {
	return kind >= wire.UrgentRouteWanted && kind <= wire.UrgentCallMedia
}

// ack forgets what the remote has received. The caller calls what it returns with true, without locks.
func (u *urgentOut) ack(ack wire.UrgentAck, now time.Time) (done []func(acked bool)) {
	u.pending = slices.DeleteFunc(u.pending, func(m urgentMessage) bool {
		if !ack.Has(m.number) {
			return false
		}
		u.pace.acked(now, pingSize(len(m.body)), m.first)
		done = append(done, m.done)
		return true
	})
	if u.size() == 0 {
		done, u.whenEmpty = append(done, u.whenEmpty...), nil
	}
	return done
}

// clear forgets all messages. The caller calls what it returns with false, without locks.
func (u *urgentOut) clear() (done []func(acked bool)) {
	for _, m := range slices.Concat(u.pending, u.waiting) {
		done = append(done, m.done)
	}
	done = append(done, u.whenEmpty...)
	u.pending, u.waiting, u.whenEmpty = nil, nil, nil
	return done
}

// callAll calls those of done that are not nil.
func callAll(done []func(acked bool), acked bool) {
	for _, f := range done {
		if f != nil {
			f(acked)
		}
	}
}

// urgentIn remembers which urgent messages of one direction came and were accepted. The zero value has
// received none.
type urgentIn struct {
	base    uint64 // all numbers below were received
	bits    [wire.UrgentWindow / 64]uint64
	handing bool // a message is being handed on: one at a time
}

// begin tells of a number whether it has not been accepted yet: then its message is to be handed on, until
// end. ok: it is within the window, and none is being handed on already.
func (u *urgentIn) begin(number uint64) (fresh, ok bool) {
	switch {
	case number < u.base:
		return false, true
	case number-u.base >= wire.UrgentWindow || u.handing:
		return false, false
	case u.has(number):
		return false, true
	}
	u.handing = true
	return true, true
}

// end notes that a message has been handed on, and whether it was accepted.
func (u *urgentIn) end(number uint64, accepted bool) {
	u.handing = false
	if accepted {
		u.mark(number)
	}
}

// mark records a number that is fresh.
func (u *urgentIn) mark(number uint64) {
	u.bits[number/64%uint64(len(u.bits))] |= 1 << (number % 64)
	for u.has(u.base) {
		u.bits[u.base/64%uint64(len(u.bits))] &^= 1 << (u.base % 64)
		u.base++
	}
}

// ack returns what an acknowledgement says now.
func (u *urgentIn) ack() wire.UrgentAck {
	ack := wire.UrgentAck{Base: u.base}
	for i := range uint64(64) {
		if u.has(u.base + 1 + i) {
			ack.Bitmap |= 1 << i
		}
	}
	return ack
}

func (u *urgentIn) has(number uint64) bool {
	return u.bits[number/64%uint64(len(u.bits))]&(1<<(number%64)) != 0
}

// SendUrgent sends a message that is repeated until the remote acknowledges it. body is kept. It fails with
// ErrUrgentFull or ErrOver.
func (s *Session) SendUrgent(kind wire.UrgentKind, body []byte) error {
	return s.SendUrgentThen(kind, body, nil)
}

// SendUrgentThen is SendUrgent, and done, unless nil, is called once when the remote has acknowledged the
// message (acked), or when the session has ended or the relay has forgotten it before that: on the goroutine
// that receives the acknowledgement, or that ends the session, with no lock of this package held that matters
// to it: it may do all that Handler.Urgent may. When SendUrgentThen fails, done is not called.
func (s *Session) SendUrgentThen(kind wire.UrgentKind, body []byte, done func(acked bool)) error {
	return s.sendUrgent(kind, body, done, nil)
}

// SendLast sends an urgent message without a body, and calls done as SendUrgentThen does once neither that
// message nor any before it waits for its acknowledgement. Then the session can be ended.
func (s *Session) SendLast(kind wire.UrgentKind, done func(acked bool)) error {
	return s.sendUrgent(kind, nil, nil, done)
}

// sendUrgent sends a message as soon as its turn comes.
func (s *Session) sendUrgent(kind wire.UrgentKind, body []byte, done, atLast func(acked bool)) (err error) {
	s.ep.WithTx(func(tx *Tx) {
		tx.Lock(&s.mu)
		defer tx.Unlock(&s.mu)
		if s.ended || s.probe != nil {
			err = ErrOver
		} else if err = s.urgentOut.add(kind, body, done); err == nil {
			if atLast != nil {
				s.urgentOut.whenEmpty = append(s.urgentOut.whenEmpty, atLast)
			}
			s.wake()
			s.urgentLocked(tx)
		}
	})
	return err
}

// UrgentPending returns how many urgent messages wait for their acknowledgement.
func (s *Session) UrgentPending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.urgentOut.size()
}

// urgentLocked sends the urgent messages whose time has come. The caller holds s.mu.
func (s *Session) urgentLocked(tx *Tx) {
	if s.out.Load() == nil {
		return
	}
	s.meter.note(s.mediaSent.bytes(), tx.at)
	path := pathView{
		media: s.meter.rate(s.mediaSent.bytes(), tx.at), rtt: s.send.quality.RTT,
		jitter: s.send.quality.Jitter,
	}
	s.urgentOut.due(tx.now, path, func(m *urgentMessage, ping int) {
		tx.plain = tx.plain[:0]
		if ping != 0 {
			tx.plain = wire.AppendEcho(tx.plain, wire.FramePing, pingData(tx.at, ping), false)
			if s.trips != nil {
				s.trips.sent(tx.at)
			}
		}
		u := wire.Urgent{Number: m.number, Kind: m.kind, Message: m.body}
		tx.plain = wire.AppendUrgent(tx.plain, &u, true)
		s.expect(tx)
		s.transmit(tx, tx.plain)
	})
}
