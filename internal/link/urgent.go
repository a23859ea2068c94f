package link

import (
	"errors"
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

// urgentOut keeps the urgent messages of one direction until they are acknowledged. It is pure; its
// Session locks it. The zero value is ready.
//
//	add ──> waiting ──(due: first at once, then every 100 ms)──> sent ──ack──> gone
type urgentOut struct {
	next    uint64
	pending []urgentMessage // in order of number
	budget  float64         // bytes that may be sent now
	filled  time.Time       // when budget was last filled up
}

type urgentMessage struct {
	number uint64
	kind   wire.UrgentKind
	body   []byte
	sent   time.Time // last time; zero: never
}

// add queues a message. body is kept.
func (u *urgentOut) add(kind wire.UrgentKind, body []byte) error {
	if len(u.pending) >= wire.UrgentUnderWay {
		return ErrUrgentFull
	}
	u.pending = append(u.pending, urgentMessage{number: u.next, kind: kind, body: body})
	u.next++
	return nil
}

// due calls send for each message whose time has come, as far as the budget goes, oldest first.
func (u *urgentOut) due(now time.Time, send func(*urgentMessage)) {
	if len(u.pending) == 0 {
		return
	}
	if u.filled.IsZero() {
		u.budget = urgentBurst
	} else {
		u.budget = min(urgentBurst, u.budget+now.Sub(u.filled).Seconds()*urgentRate)
	}
	u.filled = now
	for i := range u.pending {
		m := &u.pending[i]
		if !m.sent.IsZero() && now.Sub(m.sent) < urgentRepeat {
			continue
		}
		if u.budget < 0 {
			return
		}
		u.budget -= float64(len(m.body) + packetOverhead)
		m.sent = now
		send(m)
	}
}

// ack forgets what the peer has received.
func (u *urgentOut) ack(ack wire.UrgentAck) {
	kept := u.pending[:0]
	for _, m := range u.pending {
		if !ack.Has(m.number) {
			kept = append(kept, m)
		}
	}
	clear(u.pending[len(kept):])
	u.pending = kept
}

// urgentIn remembers which urgent messages of one direction came. The zero value has received none.
type urgentIn struct {
	base uint64 // all numbers below were received
	bits [wire.UrgentWindow / 64]uint64
}

// receive records a number. fresh: it had not come before; ok: it is within the window.
func (u *urgentIn) receive(number uint64) (fresh, ok bool) {
	if number < u.base {
		return false, true
	}
	if number-u.base >= wire.UrgentWindow {
		return false, false
	}
	if u.has(number) {
		return false, true
	}
	u.bits[number/64%uint64(len(u.bits))] |= 1 << (number % 64)
	for u.has(u.base) {
		u.bits[u.base/64%uint64(len(u.bits))] &^= 1 << (u.base % 64)
		u.base++
	}
	return true, true
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
