package signalling

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	routeWait   = 3 * time.Second // for a relay's answer
	routePause  = 1200 * time.Millisecond
	routeTries  = 3
	offerTime   = 15 * time.Second // in which a path to a device has to stand
	ringTime    = 30 * time.Second // from then on: nobody answers
	confirmTime = 15 * time.Second // called: how long our answer waits
)

// routeAsking is how far a caller is in asking where the other can be reached.
type routeAsking struct {
	tries int
	due   time.Time // when it is asked again; zero: it is not
	found bool      // a record came, of a device that is there

	reached time.Time // when a path to a device stood first; zero: none has
}

// Callee is whom to call.
type Callee struct {
	Fingerprint identity.Fingerprint
	Key         identity.PublicKey // if it is known; else zero
}

// Dial calls somebody, on all devices. Whatever else there is has to be held.
func (l *Line) Dial(who Callee, now time.Time) (ID, error) {
	known := who.Key != identity.PublicKey{}
	switch {
	case known && who.Key.Fingerprint() != who.Fingerprint:
		return 0, ErrWho
	case who.Fingerprint == l.fingerprint:
		return 0, ErrSelf
	case len(l.calls) >= maxCalls:
		return 0, ErrTalking
	}
	for _, c := range l.calls {
		switch {
		case c.state == Alerting && c.target == who.Fingerprint:
			return c.id, l.Answer(c.id, now)
		case c.state != Yielding && c.target == who.Fingerprint && c.parting.IsZero():
			return 0, ErrAlready
		case c.state != Yielding && !(c.state == Open && (c.talk.byUs || !c.parting.IsZero())):
			return 0, ErrTalking
		}
	}
	for len(l.dials) > 0 && now.Sub(l.dials[0]) >= dialsPer {
		l.dials = l.dials[1:]
	}
	if len(l.dials) >= maxDials {
		return 0, ErrRate
	}
	l.dials = append(l.dials, now)
	c := l.newCall(true, now)
	c.target, c.other, c.secret = who.Fingerprint, who.Key, e2ee.NewSecret()
	c.nonce = wire.NewCallNonce()
	c.enter(Resolving, now)
	c.askRoute(now)
	return c.id, nil
}

// askRoute asks our relay where the other can be reached.
func (c *call) askRoute(now time.Time) {
	c.asking.tries++
	c.asking.due = now.Add(routeWait)
	c.line.send(wire.UrgentRouteWanted, &wire.RouteWanted{Target: c.target})
}

// routeCame takes one device of the other's, or that there is none.
func (c *call) routeCame(m wire.Route, now time.Time) {
	if m.Found != wire.FoundDevice {
		most := routeTries
		if m.Found != wire.FoundUnsure {
			most--
		}
		switch {
		case c.asking.found || c.state != Resolving:
		case c.asking.tries >= most && m.Found == wire.FoundAway:
			c.leaveWord(m.Record, now)
		case c.asking.tries >= most:
			c.end(NotThere, nil, now)
		default:
			c.asking.due = now.Add(routePause)
		}
		return
	}
	r := c.recordOf(m.Record)
	switch {
	case r == nil:
	case !r.Fresh(now):
		c.line.refuse(ErrRecord)
	default:
		c.ring(r, false, now)
	}
}

// recordOf returns a record, if it is the other's.
func (c *call) recordOf(record []byte) *wire.Reach {
	r, err := wire.ParseReach(record)
	switch {
	case err != nil:
		c.line.refuse(err)
	case r.Identity.Fingerprint() != c.target, c.other != identity.PublicKey{} && c.other != r.Identity:
		c.line.refuse(ErrRecord)
	default:
		return r
	}
	return nil
}

// leaveWord offers the call to a device that is away, so that its user learns of it.
func (c *call) leaveWord(record []byte, now time.Time) {
	r := c.recordOf(record)
	if r != nil && !r.Away(now) {
		c.line.refuse(ErrRecord)
		r = nil
	}
	if r != nil {
		c.ring(r, true, now)
	}
	if len(c.paths) == 0 {
		c.end(NotThere, nil, now)
	}
}

// ring offers the call to one device, or leaves word with the home of one that is away.
func (c *call) ring(r *wire.Reach, away bool, now time.Time) {
	device := r.Device()
	for _, p := range c.paths {
		if p.device == device {
			return // a newer record says nothing that a forward needs
		}
	}
	if len(c.paths) >= maxOfDevice {
		return
	}
	if c.entry == nil {
		c.other = r.Identity
		c.callID = wire.CallIDOf(c.line.config.Identity.Public(), c.other, c.nonce)
		if err := c.makeEntry(); err != nil {
			c.line.refuse(err)
			return
		}
	}
	seed := wire.NewPathSeed()
	offer := &e2ee.Offer{Nonce: c.nonce, Seed: seed, Secret: c.secret, Entry: c.entry}
	sealed, channel, err := e2ee.SealOffer(r.StayKey, offer, now)
	if err != nil {
		c.line.refuse(err)
		return
	}
	c.asking.found, c.asking.due = true, time.Time{}
	if c.state == Resolving {
		c.enter(Offering, now)
	}
	p := &path{call: c, id: wire.PathIDOf(seed.Key()), seed: seed, channel: channel, device: device,
		away: away, offer: sealed}
	c.paths = append(c.paths, p)
	c.line.paths[p.id] = p
	p.forward(now)
}

// tickCaller does what is due before the call is up.
func (c *call) tickCaller(now time.Time) (next time.Time) {
	if !c.asking.due.IsZero() && !now.Before(c.asking.due) {
		if c.asking.tries >= routeTries {
			c.end(Unreachable, nil, now)
			return time.Time{}
		}
		c.askRoute(now)
	}
	next = c.asking.due
	for _, p := range c.paths {
		next = e2ee.Soonest(next, p.tickOffer(now))
	}
	if c.state > Ringing {
		return time.Time{}
	}
	ends := c.ends()
	if ends.IsZero() || now.Before(ends) {
		return e2ee.Soonest(next, ends)
	}
	outcome := NoAnswer
	if !c.reached() {
		outcome = c.outOfReach()
	}
	c.end(outcome, &wire.Signal{Type: wire.SignalCancel}, now)
	return time.Time{}
}

// ends is when the caller gives up: some time after a device was reached. A caller whose offer is taken for a
// stranger's, or at a bad time, sees the same as one whom nobody answers.
func (c *call) ends() time.Time {
	switch {
	case c.state == Resolving:
		return time.Time{}
	case c.asking.reached.IsZero():
		return c.since.Add(offerTime)
	}
	return c.asking.reached.Add(ringTime)
}

// outOfReach is the outcome of a call that reached no device.
func (c *call) outOfReach() Outcome {
	if slices.ContainsFunc(c.paths, func(p *path) bool { return !p.away }) {
		return Unreachable
	}
	return NotThere
}

func (c *call) reached() bool { return !c.asking.reached.IsZero() }

// pathReady notes that a path to a device stands.
func (c *call) pathReady(p *path, now time.Time) {
	if c.asking.reached.IsZero() {
		c.asking.reached = now
	}
	switch {
	case c.state == Open && p == c.chosen:
		c.sayState(now)                                  // by the way that is there now
		c.line.again = c.line.again || c.line.media == p // our relay may not have known it before
		c.line.direct(now)
	case p.stands > 1:
		p.sayAlive(now)
	}
}

// deviceLost ends the call when no device is left that could answer.
func (c *call) deviceLost(now time.Time) {
	if c.state > Ringing {
		return
	}
	outcome, busy := c.outOfReach(), false
	for _, p := range c.paths {
		switch {
		case p.state == pathClosing || p.state == pathGone:
			busy = true
		case p.state != pathDead:
			return
		case p.away && p.code != wire.CallKept:
		case p.code == wire.CallTooMany:
			outcome = TooMany
		case p.code == wire.CallStale:
			outcome = WrongClock
		case p.code == wire.CallKept:
			outcome = Away
		}
	}
	if busy {
		outcome = Busy
	}
	c.end(outcome, nil, now)
}

// callerSignal takes what one device of the other's says before the call is up, and what the others say then.
func (c *call) callerSignal(p *path, s *wire.Signal, now time.Time) {
	if c.asking.reached.IsZero() {
		c.asking.reached = now
	}
	switch s.Type {
	case wire.SignalRinging:
		if c.state == Offering {
			c.enter(Ringing, now)
			c.line.emit(Rings{c.id})
		}
	case wire.SignalAnswer:
		c.answered(p, s.Entry, now)
	case wire.SignalDecline:
		p.close(nil, now)
		c.end(Declined, &wire.Signal{Type: wire.SignalCancel}, now)
	case wire.SignalBusy:
		p.close(nil, now)
		c.deviceLost(now)
	case wire.SignalHangUp: // answered, and thought better of it
		p.close(nil, now)
		c.end(Declined, &wire.Signal{Type: wire.SignalCancel}, now)
	}
}

// answered chooses the first answer that is one, and tells all devices.
func (c *call) answered(p *path, entry []byte, now time.Time) {
	member, err := c.checkAnswer(entry)
	if err != nil {
		c.line.refuse(err)
		return
	}
	c.theirs, c.member, c.chosen = append([]byte(nil), entry...), member, p
	p.offer = nil
	c.confirm(now)
	for _, other := range c.paths {
		if other != p {
			other.close(&wire.Signal{Type: wire.SignalElsewhere}, now)
		}
	}
	c.open(now)
}

// confirm says which answer was chosen: the called sends nothing before.
func (c *call) confirm(now time.Time) {
	c.chosen.say(&wire.Signal{Type: wire.SignalConfirm, Chosen: wire.HashEntry(c.theirs)}, now)
}

// checkAnswer returns the entry in an answer, if it is the called's, of this call.
func (c *call) checkAnswer(entry []byte) (*wire.MemberEntry, error) {
	e, err := wire.ParseCallEntry(entry)
	switch {
	case err != nil:
		return nil, err
	case e.Room != c.callID.Room() || e.Identity != c.other || e.Replaces != nil ||
		!c.secret.Check(e.Room, e.Proved(), e.Proof):
		return nil, ErrAnswer
	}
	return e, nil
}
