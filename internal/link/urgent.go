package link

import (
	"errors"
	"slices"
	"time"

	"github.com/wzp-voice/wzp/wire"
)

const (
	urgentRepeat = 100 * time.Millisecond // without back-off: a bad path must not silence it
	urgentRate   = 8 << 10                // bytes a second of one session, first sendings and repeats
	urgentBurst  = 4 << 10                // bytes
)

// ErrUrgentFull is returned when a session has too many urgent messages under way.
var ErrUrgentFull = errors.New("link: too many urgent messages under way")

// ErrOver is returned when an urgent message is for a session that has ended.
var ErrOver = errors.New("link: the session has ended")

// urgentOut keeps the urgent messages of one direction until they are acknowledged. It is pure; its
// Session locks it. The zero value is ready.
//
//	add ──> waiting ──(due: first at once, then every 100 ms, taking turns)──> sent ──ack──> gone
type urgentOut struct {
	next    uint64
	waiting []urgentMessage // not sent yet, in order of number
	pending []urgentMessage // sent, the longest ago first
	budget  float64         // bytes that may be sent now
	filled  time.Time       // when budget was last filled up
}

type urgentMessage struct {
	number uint64
	kind   wire.UrgentKind
	body   []byte
	done   func(acked bool) // called once, without locks; or nil
	sent   time.Time        // last time
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

// due calls send for each message whose time has come, as far as the budget goes: those that were never sent
// before those that were, so that a burst of messages does not wait for the acknowledgement of its first.
func (u *urgentOut) due(now time.Time, send func(*urgentMessage)) {
	if u.size() == 0 {
		return
	}
	u.fill(now)
	repeats := len(u.pending)
	sent := 0
	for ; sent < len(u.waiting) && u.budget >= 0; sent++ {
		u.pending = append(u.pending, u.send(u.waiting[sent], now, send))
	}
	u.waiting = slices.Delete(u.waiting, 0, sent)
	sent = 0
	for ; sent < repeats && u.budget >= 0 && now.Sub(u.pending[sent].sent) >= urgentRepeat; sent++ {
		u.pending = append(u.pending, u.send(u.pending[sent], now, send))
	}
	u.pending = slices.Delete(u.pending, 0, sent)
}

// fill adds to the budget what has come up since the last time.
func (u *urgentOut) fill(now time.Time) {
	if u.filled.IsZero() {
		u.budget = urgentBurst
	} else {
		u.budget = min(urgentBurst, u.budget+now.Sub(u.filled).Seconds()*urgentRate)
	}
	u.filled = now
}

// send calls send and returns the message as it is from then on.
func (u *urgentOut) send(m urgentMessage, now time.Time, send func(*urgentMessage)) urgentMessage {
	u.budget -= float64(len(m.body) + packetOverhead)
	m.sent = now
	send(&m)
	return m
}

// ack forgets what the peer has received. The caller calls what it returns with true, without locks.
func (u *urgentOut) ack(ack wire.UrgentAck) (done []func(acked bool)) {
	u.pending = slices.DeleteFunc(u.pending, func(m urgentMessage) bool {
		if !ack.Has(m.number) {
			return false
		}
		done = appendDone(done, m)
		return true
	})
	return done
}

// clear forgets all messages. The caller calls what it returns with false, without locks.
func (u *urgentOut) clear() (done []func(acked bool)) {
	for _, m := range u.pending {
		done = appendDone(done, m)
	}
	for _, m := range u.waiting {
		done = appendDone(done, m)
	}
	u.pending, u.waiting = nil, nil
	return done
}

func appendDone(list []func(bool), m urgentMessage) []func(bool) {
	if m.done == nil {
		return list
	}
	return append(list, m.done)
}

// callAll calls each of done.
func callAll(done []func(acked bool), acked bool) {
	for _, f := range done {
		f(acked)
	}
}

// urgentIn remembers which urgent messages of one direction came and were taken. The zero value has received none.
type urgentIn struct {
	base uint64 // all numbers below were received
	bits [wire.UrgentWindow / 64]uint64
}

// fresh tells of a number whether it has not been taken yet; ok: it is within the window.
func (u *urgentIn) fresh(number uint64) (fresh, ok bool) {
	if number < u.base {
		return false, true
	}
	if number-u.base >= wire.UrgentWindow {
		return false, false
	}
	return !u.has(number), true
}

// take records a number that is fresh.
func (u *urgentIn) take(number uint64) {
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
