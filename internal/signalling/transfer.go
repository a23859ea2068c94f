package signalling

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/wire"
)

// A transfer has three people: who transfers, whom, and to whom. The third agrees first, signed, to who
// transfers; the transferred sees that signature, and has to agree, too. Then it calls the third, who takes
// that call without a ring, and the first hangs up both.
//
//	transferring                  third                     transferred
//	     ├── consent wanted ────────>│ its user: yes              |
//	     |<─────────────── consent ──┤                            |
//	     ├── transfer, with the consent ─────────────────────────>│ its user: yes
//	     |<──────────────────────────────────────── transfer ack ─┤
//	     ├── hang up ───────────────>│<────────── offer ──────────┤
//	     ├── hang up ────────────────────────────────────────────>|
const (
	transferTime  = wire.MaxConsent * time.Second
	transferEvery = 3 * time.Second // something is said again
	partTime      = 5 * time.Second // transferred: how long the first may take to hang up
	maxConsents   = 8

	// How long a question of the other's waits for our user, which is longer than the other asks it; and how
	// soon it may have another one.
	questionTime  = transferTime + 10*time.Second
	questionEvery = 10 * time.Second
)

// consent is one that we gave.
type consent struct {
	person identity.PublicKey
	until  time.Time
	via    *call // with who asked
}

// question is what the other asked us last: whether somebody may call us (SignalConsentWanted), or whether we
// go on with them (SignalTransfer). There is one at a time, so that an answer is to what the user sees.
type question struct {
	kind   wire.SignalType
	person identity.PublicKey
	call   wire.CallID // of SignalConsentWanted
	at     time.Time
	answer *wire.Signal // nil: there is none yet
}

// asks notes a question of the other's, and reports whether our user is to be asked. Asked again of the same,
// the answer holds.
func (c *call) asks(kind wire.SignalType, person identity.PublicKey, of wire.CallID, now time.Time) bool {
	if q := c.question; q != nil && now.Sub(q.at) < questionTime {
		switch {
		case q.kind == kind && q.person == person && q.call == of:
			if q.answer != nil {
				c.chosen.say(q.answer, now)
			}
			return false
		case q.answer == nil || now.Sub(q.at) < questionEvery:
			c.line.refuse(ErrAsked)
			return false
		}
	}
	c.question = &question{kind: kind, person: person, call: of, at: now}
	return true
}

// asked returns the call whose other end has asked that of somebody, and waits for the answer.
func (l *Line) asked(id ID, kind wire.SignalType, person identity.PublicKey, now time.Time) (*call, error) {
	c, err := l.with(id, Open)
	if err != nil {
		return nil, err
	}
	q := c.question
	open := q != nil && q.answer == nil && now.Sub(q.at) < questionTime
	if !open || q.kind != kind || q.person != person {
		return nil, ErrState
	}
	return c, nil
}

// transfer is one that we want.
type transfer struct {
	from, to *call
	until    time.Time
	repeat   time.Time
	consent  *wire.Consent // of the other of to; nil: it has not agreed
}

// Transfer asks the other of call to whether it goes on with the other of call from, and then that one.
// TransferOver says what became of it.
func (l *Line) Transfer(from, to ID, now time.Time) error {
	a, err := l.with(from, Open)
	if err != nil {
		return err
	}
	b, err := l.with(to, Open)
	if err != nil || a == b || l.transfer != nil {
		return ErrState
	}
	l.transfer = &transfer{from: a, to: b, until: now.Add(transferTime)}
	l.sayTransfer(now)
	return nil
}

// sayTransfer says whatever the transfer waits for an answer to.
func (l *Line) sayTransfer(now time.Time) {
	t := l.transfer
	t.repeat = now.Add(transferEvery)
	if t.consent == nil {
		s := &wire.Signal{Type: wire.SignalConsentWanted, Person: t.from.other, Call: t.from.callID}
		t.to.chosen.say(s, now)
		return
	}
	t.from.chosen.say(&wire.Signal{Type: wire.SignalTransfer, Person: t.to.other, Consent: *t.consent}, now)
}

func (l *Line) tickTransfer(now time.Time) (next time.Time) {
	t := l.transfer
	switch {
	case t == nil:
		return time.Time{}
	case !now.Before(t.until):
		l.endTransfer(false)
		return time.Time{}
	case !now.Before(t.repeat):
		l.sayTransfer(now)
	}
	return e2ee.Soonest(t.until, t.repeat)
}

func (l *Line) endTransfer(done bool) {
	t := l.transfer
	l.transfer = nil
	l.emit(TransferOver{t.from.id, t.to.id, done})
}

// transferSignal takes what the other says of a transfer.
func (c *call) transferSignal(s *wire.Signal, now time.Time) {
	t := c.line.transfer
	switch s.Type {
	case wire.SignalConsentWanted:
		c.consentWanted(s, now)
	case wire.SignalTransfer:
		c.transferWanted(s, now)
	case wire.SignalConsent:
		if t != nil && t.to == c && t.consent == nil {
			c.line.consented(s, now)
		}
	case wire.SignalTransferAck:
		if t != nil && t.from == c && t.consent != nil {
			c.line.transferAcked(s.Accepted, now)
		}
	}
}

// consentWanted notes that the other asks us to take a call of somebody.
func (c *call) consentWanted(s *wire.Signal, now time.Time) {
	self := c.line.config.Identity.Public()
	switch {
	case s.Person == self || s.Person == c.other:
		c.line.refuse(ErrConsent)
	case c.asks(s.Type, s.Person, s.Call, now):
		c.line.emit(ConsentAsked{c.id, s.Person})
	}
}

// Consent answers ConsentAsked, of that person. If it is a yes, a call of theirs within a minute is answered
// without a ring.
func (l *Line) Consent(id ID, person identity.PublicKey, yes bool, now time.Time) error {
	c, err := l.asked(id, wire.SignalConsentWanted, person, now)
	if err != nil {
		return err
	}
	q := c.question
	q.answer = &wire.Signal{Type: wire.SignalConsent, Accepted: yes}
	if yes {
		q.answer.Consent.Expiry = expiry(now, transferTime)
		q.answer.Consent.Sign(l.config.Identity, c.other, q.person, q.call)
		l.consents = append(l.consents, consent{q.person, now.Add(transferTime), c})
		if len(l.consents) > maxConsents {
			l.consents = slices.Delete(l.consents, 0, 1)
		}
	}
	c.chosen.say(q.answer, now)
	return nil
}

// agreedTo returns whether we consented to a call of somebody, which is good for one call, and by which call.
func (l *Line) agreedTo(person identity.PublicKey, now time.Time) (via *call, agreed bool) {
	l.consents = slices.DeleteFunc(l.consents, func(c consent) bool { return !now.Before(c.until) })
	i := slices.IndexFunc(l.consents, func(c consent) bool { return c.person == person })
	if i < 0 {
		return nil, false
	}
	return l.consents[i].via, true
}

// withdraw has consents that we gave to who asked by this call be good no longer.
func (l *Line) withdraw(via *call) {
	l.consents = slices.DeleteFunc(l.consents, func(c consent) bool { return c.via == via })
}

// transferred answers the call of somebody who was transferred to us.
func (l *Line) transferred(c, via *call, now time.Time) {
	l.consents = slices.DeleteFunc(l.consents, func(a consent) bool { return a.person == c.other })
	if via != nil {
		via.end(Transferred, &wire.Signal{Type: wire.SignalHangUp, Reason: wire.HangUpTransferred}, now)
	}
	c.enter(Alerting, now)
	l.emit(Incoming{c.id, c.other, c.name})
	c.answer(now)
}

// consented takes the third's answer.
func (l *Line) consented(s *wire.Signal, now time.Time) {
	t := l.transfer
	self := l.config.Identity.Public()
	switch {
	case !s.Accepted:
		l.endTransfer(false)
	case !inTime(s.Consent.Expiry, now, transferTime) ||
		!s.Consent.Verify(t.to.other, self, t.from.other, t.from.callID):
		l.refuse(ErrConsent)
		l.endTransfer(false)
	default:
		t.consent = &s.Consent
		l.sayTransfer(now)
	}
}

// transferWanted notes that the other wants us to call somebody, if that one has agreed to it.
func (c *call) transferWanted(s *wire.Signal, now time.Time) {
	self := c.line.config.Identity.Public()
	switch {
	case s.Person == self || s.Person == c.other || !inTime(s.Consent.Expiry, now, transferTime) ||
		!s.Consent.Verify(s.Person, c.other, self, c.callID):
		c.line.refuse(ErrConsent)
		c.chosen.sayBare(wire.SignalTransferAck, now)
	case c.asks(s.Type, s.Person, wire.CallID{}, now):
		c.line.emit(TransferAsked{c.id, s.Person})
	}
}

// AcceptTransfer answers TransferAsked, of that person. If it is a yes, it returns our call to them.
func (l *Line) AcceptTransfer(id ID, person identity.PublicKey, yes bool, now time.Time) (ID, error) {
	c, err := l.asked(id, wire.SignalTransfer, person, now)
	if err != nil {
		return 0, err
	}
	var to ID
	if yes {
		c.parting = now.Add(partTime)
		if to, err = l.Dial(Callee{person.Fingerprint(), person}, now); err != nil {
			c.parting, yes = time.Time{}, false
		}
	}
	c.question.answer = &wire.Signal{Type: wire.SignalTransferAck, Accepted: yes}
	c.chosen.say(c.question.answer, now)
	l.direct(now)
	return to, err
}

// transferAcked takes the answer of who is transferred.
func (l *Line) transferAcked(yes bool, now time.Time) {
	t := l.transfer
	l.endTransfer(yes)
	if yes {
		last := &wire.Signal{Type: wire.SignalHangUp, Reason: wire.HangUpTransferred}
		t.from.end(Transferred, last, now)
		t.to.end(Transferred, last, now)
	}
}
