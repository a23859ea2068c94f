package signalling

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	alertTime   = ringTime + 5*time.Second // after which we believe that the caller has given up
	ringEvery   = 3 * time.Second
	answerEvery = time.Second
	endedWait   = 5 * time.Second // for a path of a call that rings, before it is missed
	maxEarly    = 4               // keys that came before the confirmation
	clockSkew   = 120 * time.Second
	clockEvery  = 10 * time.Minute // at most that often it is said that a clock is off
	forwardMost = 60 * time.Second // ahead
)

// OfferCame takes urgent message 19: somebody calls, or a caller's path comes by another way now.
func (l *Line) OfferCame(m wire.CallForward, now time.Time) {
	if l.config.StayKey == nil {
		return
	}
	p := l.paths[m.Path()]
	switch timely := inTime(m.Expiry, now, forwardMost); {
	case m.Target != l.fingerprint || m.Device != l.device:
		l.refuse(ErrForward)
	case !timely:
		l.refuse(ErrForward)
		if p == nil && !l.seen.has([16]byte(m.Path())) && l.seen.allow(now) && m.Verify() {
			l.clockOff(now)
		}
	case p == nil && l.seen.has([16]byte(m.Path())):
		l.refuse(ErrSeen)
	case !l.seen.allow(now): // from here on it takes a while
		l.refuse(ErrFlood)
	case !m.Verify():
		l.refuse(ErrForward)
	case p != nil:
		p.moved(&m, now)
	default:
		l.newOffer(&m, now)
	}
}

// clockOff says that an offer is not of now. Relays can bring old ones again, so it is said seldom.
func (l *Line) clockOff(now time.Time) {
	if l.clockTold.IsZero() || now.Sub(l.clockTold) >= clockEvery {
		l.clockTold = now
		l.emit(ClockOff{now})
	}
}

// inTime reports whether an expiry has not come, and is not farther ahead than most; clocks may be off.
func inTime(expiry uint64, now time.Time, most time.Duration) bool {
	left, skew := int64(expiry)-now.Unix(), int64(clockSkew/time.Second)
	return expiry>>62 == 0 && left >= -skew && left <= int64(most/time.Second)+skew
}

// moved notes that a path that we know comes by another way. What it was set up with is not opened again.
func (p *path) moved(m *wire.CallForward, now time.Time) {
	l := p.call.line
	switch {
	case p.call.caller:
		l.refuse(ErrRole)
		return
	case m.Generation <= p.generation:
		l.refuse(ErrSeen)
		return
	}
	p.generation = m.Generation
	if p.state == pathClosing || p.state == pathGone {
		p.repeatLast(now)
		return
	}
	p.state = pathReady
	l.again = l.again || l.media == p
	p.heardAt(now) // the seed is known to the caller alone, and the generation is new
	p.call.sayState(now)
	l.direct(now)
}

// newOffer opens an offer and decides what becomes of it.
func (l *Line) newOffer(m *wire.CallForward, now time.Time) {
	o, err := l.config.StayKey.OpenOffer(m.Key, l.config.Identity.Public(), m.Offer, now)
	if err != nil {
		l.refuse(err)
		if errors.Is(err, e2ee.ErrOfferTime) {
			l.clockOff(now)
		}
		return
	}
	person := o.Caller.Identity
	known := l.config.Known != nil && l.config.Known(person)
	own, via, agreed := l.dialling(person), (*call)(nil), false
	if own == nil {
		via, agreed = l.agreedTo(person, now)
	}
	expected := known || own != nil || agreed
	if l.seen.has([16]byte(o.Call)) {
		l.refuse(ErrSeen)
		return
	}
	if expected && !l.seen.allowPerson(person, now) { // it looks like no answer
		l.refuse(ErrFlood)
		return
	}
	l.seen.add(expected, [16]byte(m.Path()), [16]byte(o.Call))
	switch {
	case !expected:
		l.stranger(o, now)
	case own != nil:
		l.glare(own, l.callOf(o, m, now), now)
	case agreed && !l.talking(via):
		l.transferred(l.callOf(o, m, now), via, now)
	case !known:
	case !l.disturb:
		l.emit(Missed{person, o.Caller.Name, now})
	default:
		l.contact(o, m, now)
	}
}

// contact rings, or says that we talk.
func (l *Line) contact(o *e2ee.OpenedOffer, m *wire.CallForward, now time.Time) {
	person := o.Caller.Identity
	for _, c := range slices.Clone(l.calls) {
		// Who calls anew does not go on with what it has left.
		if c.other != person || c.caller && c.state != Open {
			continue
		}
		switch {
		case c.state == Alerting:
			c.end(WentMissed, nil, now)
		case c.state == Open && !c.silence.since.IsZero():
			c.end(Failed, nil, now)
		}
	}
	busy := l.talking(nil)
	c := l.callOf(o, m, now)
	if busy {
		c.hidden = true
		c.end(Busy, &wire.Signal{Type: wire.SignalBusy}, now)
		l.emit(Missed{person, c.name, now})
		return
	}
	c.enter(Alerting, now)
	l.emit(Incoming{c.id, person, c.name})
	c.sayState(now)
}

// talking reports whether there is a call, but for one.
func (l *Line) talking(but *call) bool {
	return slices.ContainsFunc(l.calls, func(c *call) bool { return c != but && c.state != Yielding })
}

// dialling returns our own call to somebody that is not up.
func (l *Line) dialling(person identity.PublicKey) *call {
	for _, c := range l.calls {
		if c.caller && c.state <= Ringing && c.target == person.Fingerprint() {
			return c
		}
	}
	return nil
}

// callOf returns the call of an offer.
func (l *Line) callOf(o *e2ee.OpenedOffer, m *wire.CallForward, now time.Time) *call {
	c := l.newCall(false, now)
	c.other, c.target, c.name = o.Caller.Identity, o.Caller.Identity.Fingerprint(), o.Caller.Name
	c.callID, c.secret, c.theirs, c.member = o.Call, o.Secret, o.Entry, o.Caller
	p := &path{call: c, id: m.Path(), seed: o.Seed, channel: o.Channel, generation: m.Generation,
		state: pathReady, bound: true, heard: now}
	c.paths, c.chosen = []*path{p}, p
	l.paths[p.id] = p
	return c
}

// glare decides which of two calls stays whose ends call each other: that of the lower identity key. The
// other end answers it without a ring, and cancels its own.
func (l *Line) glare(own, theirs *call, now time.Time) {
	ours := l.config.Identity.Public()
	if bytes.Compare(ours[:], theirs.other[:]) < 0 {
		for _, c := range slices.Clone(l.calls) {
			if c.state == Yielding && c.other == theirs.other {
				c.end(WentMissed, nil, now) // the newest is enough
			}
		}
		theirs.hidden = true
		theirs.enter(Yielding, now)
		return
	}
	theirs.takeOver(own)
	own.end(Cancelled, &wire.Signal{Type: wire.SignalCancel}, now)
	theirs.answer(now)
}

// takeOver makes c what the user knows as own.
func (c *call) takeOver(own *call) {
	c.id, c.hidden, own.hidden = own.id, false, true
}

// rival returns the call that yields to c, which is ours.
func (c *call) rival() *call {
	for _, other := range c.line.calls {
		if c.caller && other.state == Yielding && other.target == c.target {
			return other
		}
	}
	return nil
}

// Answer answers a call that rings here.
func (l *Line) Answer(id ID, now time.Time) error {
	c, err := l.with(id, Alerting)
	if err != nil {
		return err
	}
	c.answer(now)
	return nil
}

func (c *call) answer(now time.Time) {
	if err := c.makeEntry(); err != nil {
		c.line.refuse(err)
		c.end(Failed, &wire.Signal{Type: wire.SignalDecline}, now)
		return
	}
	c.enter(Answering, now)
	c.sayState(now)
}

// tickCalled does what is due before the call is up.
func (c *call) tickCalled(now time.Time) (next time.Time) {
	ends, outcome, last := c.since.Add(alertTime), WentMissed, (*wire.Signal)(nil)
	if c.state == Answering {
		ends, outcome = c.since.Add(confirmTime), Failed
		last = &wire.Signal{Type: wire.SignalHangUp, Reason: wire.HangUpFailed}
	}
	if c.chosen.state == pathBroken {
		ends = c.chosen.due
	}
	if !now.Before(ends) {
		c.end(outcome, last, now)
		return time.Time{}
	}
	if c.state == Yielding {
		return ends
	}
	if !now.Before(c.repeat) {
		c.sayState(now)
	}
	return e2ee.Soonest(ends, c.repeat)
}

// pathEnded notes that relays part us from the caller, who may come back by another way.
func (c *call) pathEnded(now time.Time) { c.chosen.due = now.Add(endedWait) }

// calledSignal takes what the caller says before the call is up.
func (c *call) calledSignal(s *wire.Signal, now time.Time) {
	switch s.Type {
	case wire.SignalCancel, wire.SignalHangUp:
		c.end(WentMissed, nil, now)
	case wire.SignalElsewhere:
		c.end(Elsewhere, nil, now)
	case wire.SignalConfirm:
		if c.state != Answering || s.Chosen != wire.HashEntry(c.entry) {
			c.line.refuse(ErrChosen)
			return
		}
		c.open(now)
	case wire.SignalKey:
		if c.state == Answering && len(c.early) < maxEarly { // it overtook the confirmation
			c.early = append(c.early, s)
		}
	}
}

// strangers bounds how often the user is told of calls of strangers.
type strangers struct {
	told time.Time
	more int
}

const strangerEvery = 10 * time.Second

// stranger notes a call of somebody who may not ring. Nothing at all goes out.
func (l *Line) stranger(o *e2ee.OpenedOffer, now time.Time) {
	s := &l.strangers
	if !s.told.IsZero() && now.Sub(s.told) < strangerEvery {
		s.more++
		return
	}
	l.emit(Stranger{o.Caller.Identity, o.Caller.Name, now, s.more})
	s.told, s.more = now, 0
}
