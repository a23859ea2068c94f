package call

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/signalling"
	"github.com/wzp-voice/wzp/internal/wire"
)

// Call is one direct call, from its first ring to its end.
type Call struct {
	line  *Line
	id    signalling.ID
	keys  callKeys             // from when it is up
	room  atomic.Pointer[Room] // likewise
	talks atomic.Bool          // media may go

	incoming bool

	// Guarded by Line.mu:
	person      identity.PublicKey
	name        string
	path        wire.PathID
	heard, sent time.Duration // of the newest frames, as the machine knows it, on the room's clock

	ended   sync.Once
	done    chan struct{}      // closed when it is over
	outcome signalling.Outcome // valid then
}

// newCallLocked notes a call. The caller holds l.mu.
func (l *Line) newCallLocked(id signalling.ID, who identity.PublicKey, name string, incoming bool) *Call {
	if c := l.calls[id]; c != nil {
		return c
	}
	c := &Call{incoming: incoming, name: name, person: who, line: l, id: id, done: make(chan struct{})}
	if l.calls != nil {
		l.calls[id] = c
	}
	return c
}

// callOf returns the call with an ID, nil if it is over.
func (l *Line) callOf(id signalling.ID) *Call {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls[id]
}

// over notes that the call has ended: its room ends with it.
func (c *Call) over(o signalling.Outcome) {
	c.ended.Do(func() {
		c.line.mu.Lock()
		delete(c.line.calls, c.id)
		c.line.mu.Unlock()
		c.outcome = o
		close(c.done)
	})
}

// Incoming reports whether they called.
func (c *Call) Incoming() bool { return c.incoming }

// Person returns whom the call is with, and what they call themselves: of an outgoing call the name is known
// from when it is up, and so is the key if it was made to a fingerprint.
func (c *Call) Person() (key identity.PublicKey, name string) {
	c.line.mu.Lock()
	defer c.line.mu.Unlock()
	return c.person, c.name
}

// Done is closed when the call is over; Outcome then says how it ended.
func (c *Call) Done() <-chan struct{} { return c.done }

// Outcome says how the call ended.
func (c *Call) Outcome() signalling.Outcome {
	<-c.done
	return c.outcome
}

// Room returns the room of a call that is up, in which there are the two; nil before.
func (c *Call) Room() *Room { return c.room.Load() }

// do has the machine do something with the call.
func (c *Call) do(f func(m *signalling.Line, now time.Time) error) (err error) {
	c.line.tell(func(m *signalling.Line, now time.Time) { err = f(m, now) })
	return err
}

// Answer answers an incoming call.
func (c *Call) Answer() error {
	return c.do(func(m *signalling.Line, now time.Time) error { return m.Answer(c.id, now) })
}

// HangUp ends the call: it declines one that rings here, and cancels one that rings at the other's.
func (c *Call) HangUp() error {
	return c.do(func(m *signalling.Line, now time.Time) error { return m.HangUp(c.id, now) })
}

// Hold holds the call, or goes on with it.
func (c *Call) Hold(on bool) error {
	return c.do(func(m *signalling.Line, now time.Time) error {
		if on {
			return m.Hold(c.id, now)
		}
		return m.Unhold(c.id, now)
	})
}

// Mute tells the other whether our microphone is closed.
func (c *Call) Mute(on bool) error {
	return c.do(func(m *signalling.Line, now time.Time) error { return m.Mute(c.id, on, now) })
}

// Transfer asks the other end of to, and then that of this call, to go on with each other.
func (c *Call) Transfer(to *Call) error {
	return c.do(func(m *signalling.Line, now time.Time) error { return m.Transfer(c.id, to.id, now) })
}

// Consent answers ConsentAsked of somebody.
func (c *Call) Consent(who identity.PublicKey, yes bool) error {
	return c.do(func(m *signalling.Line, now time.Time) error { return m.Consent(c.id, who, yes, now) })
}

// AcceptTransfer answers TransferAsked of somebody. If we go on with them, that is another call.
func (c *Call) AcceptTransfer(who identity.PublicKey, yes bool) (next *Call, err error) {
	c.line.tell(func(m *signalling.Line, now time.Time) {
		var id signalling.ID
		if id, err = m.AcceptTransfer(c.id, who, yes, now); err == nil && yes {
			next = c.line.newCallLocked(id, who, "", false)
		}
	})
	return next, err
}
