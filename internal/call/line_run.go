package call

import (
	"errors"
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/signalling"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	// maxLineOut is how many messages wait for the session. More are dropped: both ends repeat what matters.
	maxLineOut = 512
	outAgain   = 50 * time.Millisecond // when the session had no room for all
)

// run reads what comes and carries out what follows, until the line is over.
func (l *Line) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-l.link.Done():
			l.ended(l.link.Err())
			return
		case <-l.ctx.Done():
			l.ended(nil)
			return
		case <-l.wake:
		case <-timer.C:
		}
		next := l.work(time.Now())
		timer.Reset(max(time.Until(next), time.Millisecond))
	}
}

// work does what is due, and returns when something is next.
func (l *Line) work(now time.Time) (next time.Time) {
	messages, fresh, renew := l.inbox.take()
	isOffer := func(m lineMessage) bool { return m.kind == wire.UrgentCallOffer }
	if l.config.Refresh != nil && slices.ContainsFunc(messages, isOffer) {
		l.config.Refresh()
	}
	l.decide(func(m *signalling.Line, now time.Time) {
		if fresh {
			m.SessionFresh(l.relay, now)
		}
		for _, one := range messages {
			l.came(m, one, now)
		}
	})
	if fresh {
		l.out = nil // what was for the session before
	}
	l.mu.Lock()
	effects := l.effects
	l.effects = nil
	l.mu.Unlock()
	for _, e := range effects {
		l.carryOut(e)
	}
	if renew || !now.Before(l.renew) {
		l.renew = now.Add(renewEvery)
		if err := l.stays.used(l.relay); err != nil {
			l.events.put(LineWarning{err.Error()})
		}
		l.send(signalling.Send{Kind: wire.UrgentAvailable, Body: l.record(l.relay)})
	}
	l.mu.Lock()
	next = l.next
	l.mu.Unlock()
	if next.IsZero() || l.renew.Before(next) {
		next = l.renew
	}
	if again := now.Add(outAgain); !l.flush() && again.Before(next) {
		next = again
	}
	return next
}

// came tells the machine what the relay has sent. l.mu is held.
func (l *Line) came(m *signalling.Line, message lineMessage, now time.Time) {
	var err error
	switch body := message.body; message.kind {
	case wire.UrgentRoute:
		err = parsed(wire.Parse[wire.Route], body, func(r wire.Route) { m.RouteCame(r, now) })
	case wire.UrgentCallOffer:
		err = parsed(wire.Parse[wire.CallForward], body, func(f wire.CallForward) { m.OfferCame(f, now) })
	case wire.UrgentCallMessage:
		err = parsed(wire.Parse[wire.CallMessage], body, func(c wire.CallMessage) { m.MessageCame(c, now) })
	case wire.UrgentCallState:
		err = parsed(wire.Parse[wire.CallState], body, func(s wire.CallState) { m.StateCame(s, now) })
	case wire.UrgentCallEnd:
		err = parsed(wire.Parse[wire.CallEnd], body, func(e wire.CallEnd) { m.EndCame(e, now) })
	case wire.UrgentKeptCall:
		err = parsed(wire.Parse[wire.KeptCall], body, func(k wire.KeptCall) { m.KeptCame(k, now) })
	case wire.UrgentRecordRefused:
		refused := func(r wire.RecordRefused) { l.recordRefused(r, now) }
		err = parsed(wire.Parse[wire.RecordRefused], body, refused)
	}
	if err != nil {
		l.client.config.Log.Debug("the relay sent a bad urgent message", "kind", message.kind, "err", err)
	}
}

// recordRefused has another record sent soon, or says what keeps it from counting.
func (l *Line) recordRefused(m wire.RecordRefused, now time.Time) {
	if m.Reason == wire.RecordTooOften {
		l.renew = now.Add(renewSoon)
		return
	}
	l.events.put(LineWarning{"you cannot be called: the relay did not take what says where you are; " +
		"see that date and time are right here, the next try is in 2 minutes"})
}

// send sends a message when the session has room for it.
func (l *Line) send(m signalling.Send) {
	if len(l.out) < maxLineOut {
		l.out = append(l.out, m)
	}
}

// flush gives the session what waits, and reports whether that was all.
func (l *Line) flush() (all bool) {
	session := l.link.Session()
	for len(l.out) > 0 {
		if errors.Is(session.SendUrgent(l.out[0].Kind, l.out[0].Body), link.ErrUrgentFull) {
			return false
		}
		l.out = l.out[1:] // a session that is over is followed by one to which all is said again
	}
	return true
}

// carryOut does what the machine has decided.
func (l *Line) carryOut(e signalling.Effect) {
	switch e := e.(type) {
	case signalling.Send:
		l.send(e)
	case signalling.Media:
		if c := l.callOf(e.Call); c != nil {
			c.talks.Store(e.On)
		}
	case signalling.KeyCame:
		l.aboutKeys(e.Call, func(c *Call, k *keeper) { c.keys.keyCame(e.Key, k) })
	case signalling.KeyReceived:
		l.aboutKeys(e.Call, func(_ *Call, k *keeper) { k.keyDelivered(wire.KeyDelivered{Number: e.Number}) })
	case signalling.KeysWanted:
		l.aboutKeys(e.Call, func(c *Call, k *keeper) { k.keyWanted([]wire.MemberID{c.keys.other}) })
	case signalling.Up:
		l.up(e)
	case signalling.KeptOver:
		if err := l.stays.over(e.Device); err != nil {
			l.events.put(LineWarning{err.Error()})
		}
	case signalling.Refused:
		l.client.config.Log.Debug("what came for a call is refused", "why", e.Why)
	default:
		l.announce(e)
	}
}

// aboutKeys has the room of a call told something about keys.
func (l *Line) aboutKeys(id signalling.ID, f func(c *Call, k *keeper)) {
	if c := l.callOf(id); c != nil {
		if r := c.room.Load(); r != nil {
			f(c, r.keeper)
		}
	}
}

// announce tells the user of something.
func (l *Line) announce(e signalling.Effect) {
	switch e := e.(type) {
	case signalling.Incoming:
		l.mu.Lock()
		c := l.newCallLocked(e.Call, e.Person, e.Name, true)
		l.mu.Unlock()
		l.events.put(IncomingCall{c})
	case signalling.Rings:
		l.about(e.Call, func(c *Call) LineEvent { return CallRings{c} })
	case signalling.Held:
		l.about(e.Call, func(c *Call) LineEvent { return CallHeld{c, e.ByUs, e.ByTheirs} })
	case signalling.Muted:
		l.about(e.Call, func(c *Call) LineEvent { return CallMuted{c, e.Muted} })
	case signalling.Silent:
		l.about(e.Call, func(c *Call) LineEvent { return CallSilent{c, e.Silent} })
	case signalling.ConsentAsked:
		l.about(e.Call, func(c *Call) LineEvent { return ConsentAsked{c, e.Person} })
	case signalling.TransferAsked:
		l.about(e.Call, func(c *Call) LineEvent { return TransferAsked{c, e.Person} })
	case signalling.TransferOver:
		to := l.callOf(e.To)
		l.about(e.From, func(c *Call) LineEvent { return TransferOver{c, to, e.Done} })
	case signalling.Ended:
		l.about(e.Call, func(c *Call) LineEvent {
			c.over(e.Outcome)
			return CallEnded{c, e.Outcome}
		})
	case signalling.Missed:
		l.events.put(MissedCall(e))
	case signalling.Stranger:
		l.events.put(StrangerCalled(e))
	case signalling.ClockOff:
		l.events.put(ClockOff(e))
	}
}

// about puts an event about a call.
func (l *Line) about(id signalling.ID, event func(c *Call) LineEvent) {
	if c := l.callOf(id); c != nil {
		l.events.put(event(c))
	}
}

// ended ends all that there is, for the session is over for good.
func (l *Line) ended(why error) {
	if errors.Is(why, link.ErrClosed) {
		why = nil
	}
	l.mu.Lock()
	l.over = true
	calls := l.calls
	l.calls = nil
	l.mu.Unlock()
	for _, c := range calls {
		c.over(signalling.Failed)
		l.events.put(CallEnded{c, signalling.Failed})
	}
	l.events.put(LineEnded{why})
	l.events.close()
	l.cancel()
	_ = l.stays.used(l.relay) // a day from now on; it was said before if that fails
	l.stays.erase()
	l.client.removeLine(l)
}
