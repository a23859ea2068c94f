package signalling

import (
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// talk is what the ends of an open call have said of themselves.
type talk struct {
	byUs, byTheirs bool // held
	muted          bool // our microphone
	changed        bool // we have said something of it
	theirMuted     bool

	// Counters of what the other said last, and one more: relays may reorder messages.
	held, muting uint64
}

// Hold holds a call: no media goes over it until Unhold.
func (l *Line) Hold(id ID, now time.Time) error { return l.hold(id, true, now) }

// Unhold goes on with a call that we held. Whatever else there is has to be held.
func (l *Line) Unhold(id ID, now time.Time) error { return l.hold(id, false, now) }

func (l *Line) hold(id ID, on bool, now time.Time) error {
	c, err := l.with(id, Open)
	if err != nil {
		return err
	}
	if !on {
		for _, other := range l.calls {
			if other != c && other.state != Yielding && !(other.state == Open && other.talk.byUs) {
				return ErrTalking
			}
		}
	}
	if c.talk.byUs == on {
		return nil
	}
	c.talk.byUs, c.talk.changed = on, true
	c.sayHold(now)
	l.emit(Held{c.id, on, c.talk.byTheirs})
	l.direct(now)
	return nil
}

// Mute tells the other whether our microphone is closed.
func (l *Line) Mute(id ID, muted bool, now time.Time) error {
	c, err := l.with(id, Open)
	if err != nil {
		return err
	}
	if c.talk.muted != muted {
		c.talk.muted, c.talk.changed = muted, true
		c.sayMute(now)
	}
	return nil
}

// SendKey hands a sender key of ours to the other: its header with signature, and the wrap for the other.
func (l *Line) SendKey(id ID, key wire.SignedKey, wrap []byte, now time.Time) error {
	return l.sendSignal(id, &wire.Signal{Type: wire.SignalKey, Key: key, Wrap: wrap}, now)
}

// SendKeyReceived tells the other that its key with this number came.
func (l *Line) SendKeyReceived(id ID, number uint32, now time.Time) error {
	return l.sendSignal(id, &wire.Signal{Type: wire.SignalKeyReceived, Number: number}, now)
}

// SendKeysWanted asks the other for its key again.
func (l *Line) SendKeysWanted(id ID, now time.Time) error {
	return l.sendSignal(id, &wire.Signal{Type: wire.SignalKeysWanted}, now)
}

func (l *Line) sendSignal(id ID, s *wire.Signal, now time.Time) error {
	c, err := l.with(id, Open)
	if err == nil {
		c.chosen.say(s, now)
	}
	return err
}

// upSignal takes what the other says in an open call.
func (c *call) upSignal(s *wire.Signal, counter uint64, now time.Time) {
	switch s.Type {
	case wire.SignalHangUp, wire.SignalCancel, wire.SignalElsewhere:
		c.end(outcomeOf(s), nil, now)
	case wire.SignalAnswer: // it missed our confirmation
		if wire.HashEntry(s.Entry) == wire.HashEntry(c.theirs) {
			c.confirm(now)
		}
	case wire.SignalHold, wire.SignalUnhold:
		c.heldByTheirs(s.Type == wire.SignalHold, counter, now)
	case wire.SignalMute, wire.SignalUnmute:
		c.mutedByTheirs(s.Type == wire.SignalMute, counter)
	case wire.SignalKey:
		key := wire.Key{Sender: wire.EntryID(c.theirs), Key: s.Key, Wrap: s.Wrap}
		c.line.emit(KeyCame{c.id, key})
	case wire.SignalKeyReceived:
		c.line.emit(KeyReceived{c.id, s.Number})
	case wire.SignalKeysWanted:
		c.line.emit(KeysWanted{c.id})
	case wire.SignalConsentWanted, wire.SignalConsent, wire.SignalTransfer, wire.SignalTransferAck:
		c.transferSignal(s, now)
	}
}

func outcomeOf(s *wire.Signal) Outcome {
	switch {
	case s.Type == wire.SignalElsewhere:
		return Elsewhere
	case s.Reason == wire.HangUpFailed:
		return Failed
	case s.Reason == wire.HangUpTransferred:
		return Transferred
	}
	return HungUp
}

func (c *call) heldByTheirs(on bool, counter uint64, now time.Time) {
	if counter < c.talk.held {
		return // of before what it said last
	}
	c.talk.held = counter + 1
	if c.talk.byTheirs != on {
		c.talk.byTheirs = on
		c.line.emit(Held{c.id, c.talk.byUs, on})
		c.line.direct(now)
	}
}

func (c *call) mutedByTheirs(on bool, counter uint64) {
	if counter < c.talk.muting {
		return
	}
	c.talk.muting = counter + 1
	if c.talk.theirMuted != on {
		c.talk.theirMuted = on
		c.line.emit(Muted{c.id, on})
	}
}

func (c *call) sayHold(now time.Time) {
	if c.talk.byUs {
		c.chosen.sayBare(wire.SignalHold, now)
	} else {
		c.chosen.sayBare(wire.SignalUnhold, now)
	}
}

func (c *call) sayMute(now time.Time) {
	if c.talk.muted {
		c.chosen.sayBare(wire.SignalMute, now)
	} else {
		c.chosen.sayBare(wire.SignalUnmute, now)
	}
}

// sayState says how things are: when it has come to that, and again when some of it may have been lost.
func (c *call) sayState(now time.Time) {
	switch c.state {
	case Alerting:
		c.repeat = now.Add(ringEvery)
		c.chosen.sayBare(wire.SignalRinging, now)
	case Answering:
		c.repeat = now.Add(answerEvery)
		c.chosen.say(&wire.Signal{Type: wire.SignalAnswer, Entry: c.entry}, now)
	case Open:
		c.chosen.sayAlive(now)
		if c.talk.changed {
			c.sayHold(now)
			c.sayMute(now)
		}
	}
}

// direct has the frames of the one call go that may have them, to where they go now.
func (l *Line) direct(now time.Time) {
	var to *path
	for _, c := range l.calls {
		held := c.talk.byUs || c.talk.byTheirs || !c.parting.IsZero()
		if c.state == Open && !held && c.chosen.bound && l.up {
			to = c.chosen
		}
	}
	if to == l.media && !(l.again && to != nil) {
		return
	}
	if l.media != nil && l.media != to {
		l.emit(Media{l.media.call.id, l.media.id, false})
	}
	if l.media, l.again = to, false; to == nil {
		return
	}
	if to.call.caller {
		l.send(wire.UrgentCallMedia, &wire.CallMedia{Path: to.id})
	} else {
		to.wait(now) // its relay may not know the path yet
	}
	l.emit(Media{to.call.id, to.id, true})
}
