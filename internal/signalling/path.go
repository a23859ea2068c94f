package signalling

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	forwardLasts = 45 * time.Second // expiry of our forwards and proofs; relays take a minute
	stateWait    = 3 * time.Second  // for the relay's answer to a forward
	forwardTries = 3                // of a path that is not open
	forwardPause = time.Second      // between them, times how many there were
	askAgain     = 5 * time.Second  // caller: the other is not heard by a path that stands; then 10 s
	maxAskAgain  = 2
	aliveEvery   = 500 * time.Millisecond
	aliveSeldom  = 2 * time.Second // while nothing comes from the other
	lingerOpen   = 2 * time.Second // from the last word to the end of its path
	lingerSilent = 5 * time.Second // ... of one that has to be found again first
	remembered   = 30 * time.Second
	maxLate      = 5 // times that the last word is said again
)

// pathState is that of a path at its end.
//
//	asked ── set up, or the other is heard ──> ready ── refused, ended ──> broken ── next generation ──> asked
//	  (the called's is ready from the beginning)                             └── no more tries ──> dead
//	any ── the call is over: last word ──> closing ── the relay is told, or tells us ──> gone ── 30 s ──> forgotten
type pathState uint8

const (
	pathAsked pathState = iota + 1
	pathReady
	pathBroken
	pathDead
	pathClosing
	pathGone
)

// path is our end of the way to one device.
type path struct {
	call       *call
	id         wire.PathID
	seed       wire.PathSeed
	channel    *e2ee.CallChannel
	generation uint64 // the highest that we know of
	stands     uint64 // the caller's last one that was set up
	bound      bool   // our relay knows the path, or is told: media may go

	device wire.DeviceID // of the called; these two are the caller's
	away   bool          // it was not there: its home is to keep the offer
	offer  []byte        // sealed; nil once it was answered

	state pathState
	tries int       // forwards since it was ready last
	due   time.Time // what there is to do in this state
	again int       // forwards because nothing was heard by it, though it stands
	code  wire.CallCode

	said  time.Time // when something went to the other
	heard time.Time // when something of the other's came
	media time.Time // when media of the other's came

	last *wire.Signal // the last word; nil: the other had it
	late int          // how often it was said again
}

// say says something to the other.
func (p *path) say(s *wire.Signal, now time.Time) {
	body, err := p.channel.Seal(wire.AppendSignal(nil, s))
	if err != nil {
		p.call.line.refuse(err)
		return
	}
	p.said = now
	p.call.line.send(wire.UrgentCallMessage, &wire.CallMessage{Path: p.id, Body: body})
}

func (p *path) sayBare(t wire.SignalType, now time.Time) { p.say(&wire.Signal{Type: t}, now) }

// sayAlive says that we are there, and by which generation of the path, of which the called cannot know: to
// end the path it has to.
func (p *path) sayAlive(now time.Time) {
	s := &wire.Signal{Type: wire.SignalAlive}
	if p.call.caller && p.stands > 1 {
		s.Generation = p.stands
	}
	p.say(s, now)
}

// heardAt notes that the other was heard, which nobody on the way can pretend.
func (p *path) heardAt(now time.Time) {
	p.heard = now
	if p.state <= pathDead {
		p.state, p.tries, p.bound = pathReady, 0, true
	}
	if p.call.state == Open && p == p.call.chosen {
		p.call.found(now)
	}
}

// forward asks for the path with the next generation: the first time, or by another way.
func (p *path) forward(now time.Time) {
	p.tries++
	p.state, p.due = pathAsked, now.Add(stateWait)
	p.sendForward(now)
	p.call.silence.pause(now)
}

func (p *path) sendForward(now time.Time) {
	if p.generation >= 1<<62-1 {
		return
	}
	p.generation++
	m := wire.CallForward{
		Generation: p.generation, Expiry: expiry(now, forwardLasts), Target: p.call.target, Device: p.device,
		Hops: wire.MaxHops, Offer: p.offer,
	}
	m.Sign(p.seed)
	p.call.line.send(wire.UrgentCallForward, &m)
}

// wait makes our session a leg of the path, which waits for a forward of the caller's.
func (p *path) wait(now time.Time) {
	proof := &wire.CallProof{Generation: max(p.generation, 1), Expiry: expiry(now, forwardLasts)}
	proof.Sign(p.seed, p.call.line.relay, p.call.line.config.Identity.Public())
	p.call.line.send(wire.UrgentCallMedia, &wire.CallMedia{Path: p.id, Proof: proof})
}

func expiry(now time.Time, d time.Duration) uint64 { return uint64(max(now.Add(d).Unix(), 0)) }

// sessionFresh has the path go on over a new session.
func (p *path) sessionFresh(now time.Time) {
	switch {
	case p.state == pathDead || p.state >= pathClosing:
	case p.call.caller:
		p.tries, p.bound, p.call.silence.tries = 0, false, 0
		p.forward(now)
	default:
		p.wait(now)
		p.state = pathReady
		p.call.sayState(now)
	}
}

// stateCame takes what a relay says of our forward.
func (p *path) stateCame(m wire.CallState, now time.Time) {
	switch {
	case !p.call.caller || m.Generation != p.generation || p.state == pathDead || p.state == pathGone:
	case p.state == pathClosing:
		if m.Code == wire.CallSetUp {
			p.sayLast(now)
			p.due = now.Add(lingerOpen)
		}
	case m.Code == wire.CallSetUp:
		p.state, p.tries, p.stands, p.bound = pathReady, 0, m.Generation, true
		p.due = now.Add(askAgain << p.again)
		p.call.pathReady(p, now)
	case p.call.state == Open: // the way that there was goes on; the next try is due by itself
	case p.state == pathReady && m.Generation > p.stands: // likewise
	default:
		p.code = m.Code
		p.broke(now)
	}
}

// endCame takes the end of the path from our relay.
func (p *path) endCame(m wire.CallEnd, now time.Time) {
	switch {
	case m.Reason == wire.EndReplaced, m.Generation < p.least(),
		p.call.caller && m.Generation > p.generation:
		return // it is of a way that is not used any more
	case p.state == pathClosing:
		if p.last == nil || m.Reason == wire.EndHungUp {
			p.gone(now)
		}
		return
	case p.state == pathGone || p.state == pathDead:
		return
	}
	p.generation = max(p.generation, m.Generation)
	p.code = wire.CallFailed
	p.broke(now)
}

// least is the lowest generation whose end matters: the one that stands, while the next is under way.
func (p *path) least() uint64 {
	if p.call.caller {
		return p.stands
	}
	return p.generation
}

// broke notes that the path does not stand, or could not be set up.
func (p *path) broke(now time.Time) {
	p.state = pathBroken
	c := p.call
	switch {
	case c.state == Open && p == c.chosen:
		if !c.caller && !c.silence.since.IsZero() {
			p.wait(now)
		}
		c.lose(now)
	case !c.caller:
		p.wait(now)
		c.pathEnded(now)
	case p.code == wire.CallTooMany || p.code == wire.CallKept || p.away || p.tries >= forwardTries:
		p.state = pathDead
		c.deviceLost(now)
	default:
		p.due = now.Add(time.Duration(max(p.tries, 1)) * forwardPause)
	}
}

// tickOffer does what is due of a path to a device that has not answered.
func (p *path) tickOffer(now time.Time) (next time.Time) {
	if p.state == pathReady && p.heard.IsZero() && p.again < maxAskAgain {
		return p.tickUnheard(now)
	}
	if p.state != pathAsked && p.state != pathBroken {
		return time.Time{}
	}
	if now.Before(p.due) {
		return p.due
	}
	if p.state == pathAsked && p.tries >= forwardTries {
		p.state = pathDead
		p.call.deviceLost(now)
		return time.Time{}
	}
	p.forward(now)
	return p.due
}

// tickUnheard asks for a path anew that stands, as relays say, and by which the other was never heard: one of
// them may have dropped the offer. It does so with everybody, for strangers are not answered either.
func (p *path) tickUnheard(now time.Time) (next time.Time) {
	if now.Before(p.due) {
		return p.due
	}
	p.again++
	p.due = now.Add(askAgain << p.again)
	p.sendForward(now)
	return p.due
}

// tickAlive says that we are there, when nothing else does.
func (p *path) tickAlive(now time.Time) (next time.Time) {
	every := aliveEvery
	if now.Sub(p.heard) > 10*time.Second {
		every = aliveSeldom
	}
	if now.Sub(p.said) >= every {
		p.sayAlive(now)
	}
	return p.said.Add(every)
}

// close ends the path of a call that is over. A path is ended for relays when the other has had time to hear
// the last word by it; if the other has said it, at once.
func (p *path) close(last *wire.Signal, now time.Time) {
	l := p.call.line
	if p.state == pathClosing || p.state == pathGone {
		return
	}
	dead := p.state == pathDead
	lost := p.state != pathReady || !p.call.silence.since.IsZero()
	p.last, p.offer, p.state = last, nil, pathClosing
	l.closing = append(l.closing, p)
	switch {
	case last == nil || dead:
		p.last = nil
		p.tellEnd()
		p.gone(now)
	case lost && p.call.caller && p == p.call.chosen:
		p.forward(now) // it may be there again
		p.state = pathClosing
		p.sayLast(now)
		p.due = now.Add(lingerSilent)
	default:
		p.sayLast(now)
		p.due = now.Add(lingerOpen)
	}
	if len(l.closing) > maxClosing {
		l.closing[0].forget()
	}
}

func (p *path) sayLast(now time.Time) {
	if p.last != nil {
		p.say(p.last, now)
	}
}

// sayLastAgain is sessionFresh for a path that is closing.
func (p *path) sayLastAgain(now time.Time) {
	switch {
	case p.state != pathClosing:
	case p.call.caller:
		p.forward(now)
		p.state, p.due = pathClosing, now.Add(lingerSilent)
	default:
		p.wait(now)
		p.sayLast(now)
		p.due = now.Add(lingerSilent)
	}
}

// heardLate takes what an end says to which the call is not over yet: it missed the last word.
func (p *path) heardLate(s *wire.Signal, now time.Time) {
	switch s.Type {
	case wire.SignalHangUp, wire.SignalDecline, wire.SignalBusy, wire.SignalCancel, wire.SignalElsewhere:
		if p.state == pathClosing { // both said it
			p.tellEnd()
			p.gone(now)
		}
		return
	}
	p.repeatLast(now)
}

// repeatLast says the last word again, some times.
func (p *path) repeatLast(now time.Time) {
	if p.last == nil || p.late >= maxLate || now.Sub(p.said) < aliveEvery {
		return
	}
	p.late++
	p.sayLast(now)
	p.state, p.due = pathClosing, now.Add(lingerOpen)
}

// tellEnd has relays forget the path.
func (p *path) tellEnd() {
	end := &wire.CallEnd{Path: p.id, Generation: max(p.generation, 1), Reason: wire.EndHungUp}
	p.call.line.send(wire.UrgentCallEnd, end)
}

// gone notes that relays have no such path any more. It is remembered for an end that is back late.
func (p *path) gone(now time.Time) { p.state, p.due = pathGone, now.Add(remembered) }

func (p *path) tickClosing(now time.Time) (next time.Time) {
	switch {
	case now.Before(p.due):
		return p.due
	case p.state == pathClosing:
		p.tellEnd()
		p.gone(now)
		return p.due
	}
	p.forget()
	return time.Time{}
}

// forget forgets the path of a call that is over.
func (p *path) forget() {
	l := p.call.line
	if p.state == pathClosing {
		p.tellEnd()
	}
	delete(l.paths, p.id)
	l.closing = slices.DeleteFunc(l.closing, func(other *path) bool { return other == p })
}
