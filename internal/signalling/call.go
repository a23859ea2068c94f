package signalling

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/wire"
)

// State is that of a call; doc.go draws how they follow.
type State uint8

// The states. The caller's are up to Ringing.
const (
	Resolving State = iota + 1 // caller: we ask where the other can be reached
	Offering                   // caller: offers are out
	Ringing                    // caller: a device of the other's rings
	Alerting                   // called: it rings here
	Yielding                   // called: our own call to them stays, if it succeeds
	Answering                  // called: our answer is out
	Open                       // both
	Over
)

var states = [...]string{Resolving: "resolving", Offering: "offering", Ringing: "ringing",
	Alerting: "alerting", Yielding: "yielding", Answering: "answering", Open: "up", Over: "over"}

func (s State) String() string {
	if int(s) < len(states) && s > 0 {
		return states[s]
	}
	return "unknown"
}

// call is one call that is not over.
type call struct {
	line   *Line
	id     ID
	hidden bool // the user knows nothing of it, or goes on with another under this ID
	state  State
	caller bool      // we called
	since  time.Time // of the state

	target identity.Fingerprint // of the other
	other  identity.PublicKey   // zero until a record came
	name   string

	callID wire.CallID
	nonce  wire.CallNonce
	secret *e2ee.Secret
	joins  *e2ee.JoinKey // of entry; nil once it was given away
	entry  []byte        // ours; nil until it is made
	theirs []byte        // of an open call
	member *wire.MemberEntry

	paths  []*path // caller: one a device; called: one
	chosen *path   // caller: whose answer we took; called: the one

	asking  routeAsking // caller
	repeat  time.Time   // called: when ringing or the answer is said again
	early   []*wire.Signal
	talk    talk
	silence silence
	parting time.Time // we go on with another: when this call is hung up at the latest; zero: we do not

	question *question // that the other asked last; nil: none
}

func (l *Line) newCall(caller bool, now time.Time) *call {
	l.last++
	c := &call{line: l, id: l.last, caller: caller, since: now}
	l.calls = append(l.calls, c)
	return c
}

func (c *call) enter(s State, now time.Time) { c.state, c.since = s, now }

// makeEntry makes our entry of the call, which is for our relay of now.
func (c *call) makeEntry() error {
	key, err := e2ee.NewJoinKey()
	if err != nil {
		return err
	}
	e := wire.MemberEntry{
		Room: c.callID.Room(), Name: c.line.config.Name, Identity: c.line.config.Identity.Public(),
		HomeRelay: c.line.relay, Commitment: wire.NewStaySecret().Commitment(), JoinKey: key.Public(),
	}
	proof := c.secret.Proof(e.Room, e.Proved())
	e.Proof = &proof
	entry, err := wire.SignCallEntry(c.line.config.Identity, e)
	if err != nil {
		return err
	}
	c.joins, c.entry = key, entry
	return nil
}

// open makes the call one that is up, over the chosen path.
func (c *call) open(now time.Time) {
	c.enter(Open, now)
	c.chosen.heardAt(now)
	details := Details{CallID: c.callID, Caller: c.caller, Secret: c.secret, JoinKey: c.joins, Entry: c.entry,
		OtherEntry: c.theirs, Other: c.member, Path: c.chosen.id}
	c.joins = nil
	c.line.emit(Up{c.id, details})
	c.line.direct(now)
	for _, s := range c.early {
		c.upSignal(s, 0, now)
	}
	c.early = nil
	if rival := c.rival(); rival != nil {
		rival.end(Elsewhere, nil, now)
	}
	for _, other := range slices.Clone(c.line.calls) {
		if !other.parting.IsZero() {
			other.end(Transferred, &wire.Signal{Type: wire.SignalHangUp, Reason: wire.HangUpTransferred}, now)
		}
	}
}

// end ends the call: last is said on all its paths, nil: nothing, for the other has ended it.
func (c *call) end(o Outcome, last *wire.Signal, now time.Time) {
	if c.state == Over {
		return
	}
	if rival := c.rival(); rival != nil && o.notSetUp() {
		rival.takeOver(c)
		defer rival.answer(now)
	}
	c.enter(Over, now)
	c.line.calls = slices.DeleteFunc(c.line.calls, func(other *call) bool { return other == c })
	if c.joins != nil {
		c.joins.Erase()
	}
	for _, p := range c.paths {
		p.close(last, now)
	}
	if !c.hidden {
		c.line.emit(Ended{c.id, o})
	}
	if rival := c.rival(); rival != nil && rival.hidden {
		rival.end(WentMissed, nil, now)
	}
	if t := c.line.transfer; t != nil && (t.from == c || t.to == c) {
		c.line.endTransfer(false)
	}
	c.line.direct(now)
}

// tick does what is due.
func (c *call) tick(now time.Time) (next time.Time) {
	switch c.state {
	case Resolving, Offering, Ringing:
		return c.tickCaller(now)
	case Alerting, Yielding, Answering:
		return c.tickCalled(now)
	case Open:
		return c.tickOpen(now)
	}
	return time.Time{}
}

// signalCame takes what the other says by one of the call's paths, once.
func (c *call) signalCame(p *path, s *wire.Signal, counter uint64, now time.Time) {
	switch {
	case s.Type == wire.SignalAlive:
		if !c.caller {
			p.generation = max(p.generation, s.Generation)
		}
	case c.state == Open && p == c.chosen:
		c.upSignal(s, counter, now)
	case c.caller:
		c.callerSignal(p, s, now)
	default:
		c.calledSignal(s, now)
	}
}

// sessionFresh has the call go on over a new session.
func (c *call) sessionFresh(now time.Time) {
	if c.state == Resolving {
		c.askRoute(now)
	}
	for _, p := range c.paths {
		p.sessionFresh(now)
	}
}

// HangUp ends a call: an open one, one that rings at the other's (cancel) or one that rings here (decline).
func (l *Line) HangUp(id ID, now time.Time) error {
	c := l.call(id)
	if c == nil {
		return ErrState
	}
	l.withdraw(c)
	switch {
	case c.state == Open || c.state == Answering:
		c.end(HungUpHere, &wire.Signal{Type: wire.SignalHangUp}, now)
	case c.caller:
		c.end(Cancelled, &wire.Signal{Type: wire.SignalCancel}, now)
	default:
		c.end(Declined, &wire.Signal{Type: wire.SignalDecline}, now)
	}
	return nil
}
