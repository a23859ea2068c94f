package signalling

import (
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/wire"
)

// Effect is something that follows from what a Line was told: one of the types below.
type Effect interface{ effect() }

type (
	// Send has an urgent message sent to our relay.
	Send struct {
		Kind wire.UrgentKind
		Body []byte
	}

	// Media says whether media frames of the call may go to the relay from now on. At most one call has them.
	Media struct {
		Call ID
		Path wire.PathID
		On   bool
	}

	// KeyCame has a sender key of the other's.
	KeyCame struct {
		Call ID
		Key  wire.Key
	}

	// KeyReceived says that the other has our key with this number.
	KeyReceived struct {
		Call   ID
		Number uint32
	}

	// KeysWanted says that the other lacks our key.
	KeysWanted struct{ Call ID }

	// Incoming rings: a contact calls.
	Incoming struct {
		Call   ID
		Person identity.PublicKey
		Name   string // what it calls itself
	}

	// Rings says that a call of ours rings at the other's.
	Rings struct{ Call ID }

	// Up says that a call is up, and has all that its media takes.
	Up struct {
		Call ID
		Details
	}

	// Ended says that a call is over, and why. It comes once for every call that had an ID.
	Ended struct {
		Call    ID
		Outcome Outcome
	}

	// Missed says that a contact called while we did not want to be disturbed, talked or were away.
	Missed struct {
		Person identity.PublicKey
		Name   string
		At     time.Time
	}

	// Stranger says that somebody called who may not ring. Nothing was said to it, and nothing shows it that
	// we know.
	Stranger struct {
		Person identity.PublicKey
		Name   string
		At     time.Time
		More   int // other such calls since the last Stranger, which are not told of one by one
	}

	// ClockOff says that somebody called whose time is not ours: one of the two clocks is off, and nothing
	// rings.
	ClockOff struct{ At time.Time }

	// KeptOver says that all calls have come that the relay had kept for an earlier stay: its key is needed
	// no longer.
	KeptOver struct{ Device wire.DeviceID }

	// Held says whether the call is held, by whom.
	Held struct {
		Call           ID
		ByUs, ByTheirs bool
	}

	// Muted says whether the other's microphone is closed.
	Muted struct {
		Call  ID
		Muted bool
	}

	// Silent says that nothing comes from the other, and that another way is looked for; or that it is back.
	Silent struct {
		Call   ID
		Silent bool
	}

	// ConsentAsked says that the other wants to have somebody whom it talks with call us: say Consent.
	ConsentAsked struct {
		Call   ID
		Person identity.PublicKey
	}

	// TransferAsked says that the other wants us to go on with somebody who agreed: say AcceptTransfer.
	TransferAsked struct {
		Call   ID
		Person identity.PublicKey
	}

	// TransferOver says what became of a Transfer. If Done, both its calls end.
	TransferOver struct {
		From, To ID
		Done     bool
	}

	// Refused says that something that came was not what an honest end sends, or came before. Nothing
	// follows.
	Refused struct{ Why error }
)

func (Send) effect()          {}
func (Media) effect()         {}
func (KeyCame) effect()       {}
func (KeyReceived) effect()   {}
func (KeysWanted) effect()    {}
func (Incoming) effect()      {}
func (Rings) effect()         {}
func (Up) effect()            {}
func (Ended) effect()         {}
func (Missed) effect()        {}
func (Stranger) effect()      {}
func (ClockOff) effect()      {}
func (KeptOver) effect()      {}
func (Held) effect()          {}
func (Muted) effect()         {}
func (Silent) effect()        {}
func (ConsentAsked) effect()  {}
func (TransferAsked) effect() {}
func (TransferOver) effect()  {}
func (Refused) effect()       {}

// Details are what the two ends of an open call know. The engine makes its room of them.
type Details struct {
	CallID     wire.CallID
	Caller     bool // we called
	Secret     *e2ee.Secret
	JoinKey    *e2ee.JoinKey // of Entry; whoever gets it erases it
	Entry      []byte        // ours
	OtherEntry []byte
	Other      *wire.MemberEntry // checked: of this call, and inside
	Path       wire.PathID
}

// Outcome says how a call ended.
type Outcome uint8

// The outcomes.
const (
	HungUp      Outcome = iota + 1 // by the other
	HungUpHere                     // by us
	Cancelled                      // our call, by us, before it was answered
	NoAnswer                       // our call
	Declined                       // by either
	Busy                           // our call: they talk with somebody
	NotThere                       // our call: nobody of that fingerprint takes calls
	Unreachable                    // our call: no way to any device of theirs
	TooMany                        // our call: a relay on the way has a limit
	WrongClock                     // our call: relays refuse our times
	WentMissed                     // their call: not answered, or cancelled
	Elsewhere                      // their call: answered on another device of ours
	Failed                         // nothing came from the other for too long
	Transferred                    // it goes on between others, or with another
	Away                           // our call: nobody is there, but their relay has kept it for them
)

// notSetUp reports whether a call of ours ended because it could not be set up.
func (o Outcome) notSetUp() bool {
	return o == Unreachable || o == NotThere || o == Away || o == TooMany || o == WrongClock
}

var outcomes = [...]string{HungUp: "hung up", HungUpHere: "hung up here", Cancelled: "cancelled",
	NoAnswer: "no answer", Declined: "declined", Busy: "busy", NotThere: "not there",
	Unreachable: "unreachable", TooMany: "too many", WrongClock: "wrong clock", WentMissed: "missed",
	Elsewhere: "elsewhere", Failed: "failed", Transferred: "transferred", Away: "away"}

func (o Outcome) String() string {
	if int(o) < len(outcomes) && o > 0 {
		return outcomes[o]
	}
	return "unknown"
}
