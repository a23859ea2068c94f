package wzp

import (
	"context"
	"iter"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/call"
)

// LineConfig says who may call. The zero value takes no calls, and makes them.
type LineConfig struct {
	// Available lets others call: the relay is given a signed record, which it shows to whoever asks for our
	// fingerprint.
	Available bool
	// Contacts are those who ring. Of a call of somebody else there is a [StrangerCalled], and to them it
	// looks as if nobody answered. nil: nobody rings.
	Contacts *identity.Contacts
	// Anybody lets strangers ring, too.
	Anybody bool
	// DoNotDisturb has nobody ring. To contacts it looks as if nobody answered; they are told of as
	// [MissedCall].
	DoNotDisturb bool
	// KeepMissed has our relay keep the calls that do not reach us while we are away, sealed, for a day: they
	// are told of as [MissedCall] and [StrangerCalled] when we are back. Who knows our fingerprint can see
	// then when we were there last. StayKeys is needed for it.
	KeepMissed bool
	// StayKeys are by which calls are read that the relay has kept since an earlier line. nil: none are.
	StayKeys *identity.StayKeys
	// EventLog, if any, notes what becomes of each packet of calls. The caller closes it.
	EventLog *EventLog
}

// ringers are those who may ring, as the file of contacts says: read when somebody calls, and not for longer
// than a line's own lock may be held.
type ringers struct {
	contacts *identity.Contacts // nil: none
	anybody  bool
	people   atomic.Pointer[map[identity.Fingerprint]identity.PublicKey] // zero keys: not known
}

// refresh reads the file. While it cannot be read, what it said before counts.
func (r *ringers) refresh() {
	if r.contacts == nil {
		return
	}
	all, err := r.contacts.All()
	if err != nil {
		return
	}
	people := make(map[identity.Fingerprint]identity.PublicKey, len(all))
	for _, c := range all {
		people[c.Fingerprint] = c.Key
	}
	r.people.Store(&people)
}

func (r *ringers) known(key identity.PublicKey) bool {
	if r.anybody {
		return true
	}
	people := r.people.Load()
	if people == nil {
		return false
	}
	known, ok := (*people)[key.Fingerprint()]
	return ok && (known == identity.PublicKey{} || known == key)
}

// Line is how a client calls and is called: a session with the relay that is in no room. All its calls go by
// it.
type Line struct {
	engine  *call.Line
	ringers *ringers
}

// OpenLine opens a line. It returns once the relay has let the client in, or with the reason why it did not,
// as [Client.Join] does. The line lives until Close, or until the relay ends it (see [LineEnded]).
func (c *Client) OpenLine(ctx context.Context, config LineConfig) (*Line, error) {
	r := &ringers{contacts: config.Contacts, anybody: config.Anybody}
	inner := call.LineConfig{Available: config.Available, Refresh: r.refresh, Known: r.known,
		DoNotDisturb: config.DoNotDisturb, KeepMissed: config.KeepMissed, StayKeys: config.StayKeys}
	if config.EventLog != nil {
		inner.EventLog = config.EventLog.writer
	}
	engine, err := c.engine.OpenLine(ctx, inner)
	if err != nil {
		return nil, public(err)
	}
	return &Line{engine, r}, nil
}

// SetAvailable says whether others may call.
func (l *Line) SetAvailable(on bool) { l.engine.SetAvailable(on) }

// SetDoNotDisturb is LineConfig.DoNotDisturb, from now on.
func (l *Line) SetDoNotDisturb(on bool) { l.engine.SetDoNotDisturb(on) }

// Call calls whoever has this fingerprint, on all devices on which they take calls, wherever the relays know
// them. What becomes of it the line's events tell.
func (l *Line) Call(who identity.Fingerprint) (*Call, error) {
	return newCall(l.engine.Call(who, identity.PublicKey{}))
}

// CallKey is Call for who knows the whole key: nobody else can answer.
func (l *Line) CallKey(who identity.PublicKey) (*Call, error) {
	return newCall(l.engine.Call(who.Fingerprint(), who))
}

// Close hangs up, leaves, and waits for that.
func (l *Line) Close() error { return l.engine.Close() }

// Done is closed when the line is over.
func (l *Line) Done() <-chan struct{} { return l.engine.Done() }

// Events returns what happens on the line, in order and each once. A loop over it waits for the next event
// and ends after [LineEnded]. Whoever does not read loses the oldest of more than 512.
func (l *Line) Events() iter.Seq[LineEvent] {
	return func(yield func(LineEvent) bool) {
		for e := range l.engine.Events() {
			if up, ok := e.(call.CallUp); ok && l.ringers.contacts != nil {
				key, _ := up.Call.Person()
				_, _ = l.ringers.contacts.Meet(key) // a file that cannot be written ends no call
			}
			if !yield(lineEvent(e)) {
				return
			}
		}
	}
}

// Call is one direct call, from its first ring to its end. Calls are equal if they are the same.
type Call struct{ engine *call.Call }

func newCall(engine *call.Call, err error) (*Call, error) {
	if err != nil {
		return nil, public(err)
	}
	return &Call{engine}, nil
}

// Incoming reports whether they called.
func (c Call) Incoming() bool { return c.engine.Incoming() }

// Person returns whom the call is with, and what they call themselves: of an outgoing call the name is known
// from when it is up, and so is the key if it was made to a fingerprint.
func (c Call) Person() (key identity.PublicKey, name string) { return c.engine.Person() }

// Room returns the room of a call that is up: in it are the two, and what is said and heard there goes from
// one to the other. Nobody else can join it, and no relay knows of it. nil before [CallUp].
func (c Call) Room() *Room {
	engine := c.engine.Room()
	if engine == nil {
		return nil
	}
	return &Room{engine}
}

// Answer answers an incoming call.
func (c Call) Answer() error { return public(c.engine.Answer()) }

// HangUp ends the call: it declines one that rings here, and cancels one that rings at the other's.
func (c Call) HangUp() error { return public(c.engine.HangUp()) }

// Hold holds the call, or goes on with it. One call at a time is not held.
func (c Call) Hold(on bool) error { return public(c.engine.Hold(on)) }

// Mute tells the other whether our microphone is closed. To close it is [Publication.SetTalking].
func (c Call) Mute(on bool) error { return public(c.engine.Mute(on)) }

// Transfer has the other end of this call and that of another one go on with each other, if both want to: see
// [TransferOver]. Both calls are up, and one is held.
func (c Call) Transfer(to *Call) error { return public(c.engine.Transfer(to.engine)) }

// Outcome says how a call ended.
type Outcome string

// How calls end.
const (
	HungUp      Outcome = "hung_up"      // by the other
	HungUpHere  Outcome = "hung_up_here" // by us
	Cancelled   Outcome = "cancelled"    // our call, by us, before it was answered
	NoAnswer    Outcome = "no_answer"    // our call
	Declined    Outcome = "declined"     // by either
	Busy        Outcome = "busy"         // our call: they talk with somebody
	NotThere    Outcome = "not_there"    // our call: nobody with that fingerprint takes calls
	Away        Outcome = "away"         // our call: nobody is there, but their relay tells them
	Unreachable Outcome = "unreachable"  // our call: there is no way to any device of theirs
	TooMany     Outcome = "too_many"     // our call: a relay on the way has a limit
	WrongClock  Outcome = "wrong_clock"  // our call: relays refuse our times
	Missed      Outcome = "missed"       // their call: it was not answered
	Elsewhere   Outcome = "elsewhere"    // their call: another device of ours answered
	Failed      Outcome = "failed"       // nothing came from the other for too long
	Transferred Outcome = "transferred"  // it goes on between others, or with another
)

// LineEvent is something that happened on a line: an [IncomingCall], [CallRings], [CallUp], [CallHeld],
// [CallMuted], [CallSilent], [ConsentAsked], [TransferAsked], [TransferOver], [CallEnded], [MissedCall],
// [StrangerCalled], [ClockOff], [LineDetached], [LineAttached], [LineWarning] or [LineEnded].
type LineEvent interface{ lineEvent() }

// IncomingCall says that somebody calls who may ring. Answer it, or HangUp.
type IncomingCall struct{ Call Call }

// CallRings says that a call of ours rings at the other's.
type CallRings struct{ Call Call }

// CallUp says that a call was answered. Publish and Play in its room.
type CallUp struct {
	Call Call
	Room *Room
}

// CallHeld says by whom a call is held: no sound goes either way.
type CallHeld struct {
	Call           Call
	ByUs, ByTheirs bool
}

// CallMuted says whether the other's microphone is closed.
type CallMuted struct {
	Call  Call
	Muted bool
}

// CallSilent says that nothing comes from the other end, and another way is looked for; or that it is back.
type CallSilent struct {
	Call   Call
	Silent bool
}

// ConsentAsked says that the other end wants to have somebody call us, whom it talks with. It waits for an
// answer for a minute, and asks nothing else meanwhile.
type ConsentAsked struct {
	Call   Call
	Person identity.PublicKey
}

// Accept answers yes or no. If yes, a call of that person within a minute is answered without a ring, unless
// this call is hung up or nobody is to be disturbed.
func (e ConsentAsked) Accept(yes bool) error { return public(e.Call.engine.Consent(e.Person, yes)) }

// TransferAsked says that the other end wants us to go on with somebody who agreed to it. It waits as with
// [ConsentAsked].
type TransferAsked struct {
	Call   Call
	Person identity.PublicKey
}

// Accept answers yes or no. If yes, next is the call that we go on with.
func (e TransferAsked) Accept(yes bool) (next *Call, err error) {
	engine, err := e.Call.engine.AcceptTransfer(e.Person, yes)
	if err != nil || engine == nil {
		return nil, public(err)
	}
	return &Call{engine}, nil
}

// TransferOver says what became of a [Call.Transfer]. If Done, both calls end.
type TransferOver struct {
	From Call
	Done bool
}

// CallEnded says that a call is over, and how it ended.
type CallEnded struct {
	Call    Call
	Outcome Outcome
}

// MissedCall says that a contact called while nobody was to be disturbed, or was talked with.
type MissedCall struct {
	Person identity.PublicKey
	Name   string
	At     time.Time
}

// StrangerCalled says that somebody called who may not ring, and More others did since it was said last.
// Nothing shows it to them.
type StrangerCalled struct {
	Person identity.PublicKey
	Name   string
	At     time.Time
	More   int
}

// ClockOff says that somebody called whose time is more than 2 minutes off ours: one of the two clocks is
// wrong. It did not ring, and nobody knows who it was. It is said at most every 10 minutes.
type ClockOff struct{ At time.Time }

// LineDetached says that the connection to the relay was lost. The line tries to get back; calls may go on.
type LineDetached struct{ Cause string }

// LineAttached says that the connection is back. Restarted: the relay had forgotten the line, and calls are
// connected anew.
type LineAttached struct{ Restarted bool }

// LineWarning is something that people should know about the relay.
type LineWarning struct{ Text string }

// LineEnded says that the line is over. Err is nil after Close.
type LineEnded struct{ Err error }

func (IncomingCall) lineEvent()   {}
func (CallRings) lineEvent()      {}
func (CallUp) lineEvent()         {}
func (CallHeld) lineEvent()       {}
func (CallMuted) lineEvent()      {}
func (CallSilent) lineEvent()     {}
func (ConsentAsked) lineEvent()   {}
func (TransferAsked) lineEvent()  {}
func (TransferOver) lineEvent()   {}
func (CallEnded) lineEvent()      {}
func (MissedCall) lineEvent()     {}
func (StrangerCalled) lineEvent() {}
func (ClockOff) lineEvent()       {}
func (LineDetached) lineEvent()   {}
func (LineAttached) lineEvent()   {}
func (LineWarning) lineEvent()    {}
func (LineEnded) lineEvent()      {}

// lineEvent translates what the engine says.
func lineEvent(e call.LineEvent) LineEvent {
	switch e := e.(type) {
	case call.IncomingCall:
		return IncomingCall{Call{e.Call}}
	case call.CallRings:
		return CallRings{Call{e.Call}}
	case call.CallUp:
		return CallUp{Call{e.Call}, &Room{e.Room}}
	case call.CallHeld:
		return CallHeld{Call{e.Call}, e.ByUs, e.ByTheirs}
	case call.CallMuted:
		return CallMuted{Call{e.Call}, e.Muted}
	case call.CallSilent:
		return CallSilent{Call{e.Call}, e.Silent}
	case call.ConsentAsked:
		return ConsentAsked{Call{e.Call}, e.Person}
	case call.TransferAsked:
		return TransferAsked{Call{e.Call}, e.Person}
	case call.TransferOver:
		return TransferOver{Call{e.From}, e.Done}
	case call.CallEnded:
		return CallEnded{Call{e.Call}, Outcome(strings.ReplaceAll(e.Outcome.String(), " ", "_"))}
	case call.MissedCall:
		return MissedCall(e)
	case call.StrangerCalled:
		return StrangerCalled(e)
	case call.ClockOff:
		return ClockOff(e)
	case call.LineDetached:
		return LineDetached(e)
	case call.LineAttached:
		return LineAttached(e)
	case call.LineWarning:
		return LineWarning(e)
	case call.LineEnded:
		return LineEnded{public(e.Err)}
	}
	panic("wzp: an event that the engine has and this package does not")
}
