package call

import (
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/signalling"
)

// LineEvent is something that happened on a line. The package at the root describes the types.
type LineEvent interface{ lineEvent() }

type (
	// IncomingCall rings.
	IncomingCall struct{ Call *Call }
	// CallRings says that it rings at the other's.
	CallRings struct{ Call *Call }
	// CallUp says that a call has a room.
	CallUp struct {
		Call *Call
		Room *Room
	}
	// CallHeld says by whom a call is held.
	CallHeld struct {
		Call           *Call
		ByUs, ByTheirs bool
	}
	// CallMuted says whether the other's microphone is closed.
	CallMuted struct {
		Call  *Call
		Muted bool
	}
	// CallSilent says whether nothing comes from the other.
	CallSilent struct {
		Call   *Call
		Silent bool
	}
	// ConsentAsked says that the other wants to have somebody call us.
	ConsentAsked struct {
		Call   *Call
		Person identity.PublicKey
	}
	// TransferAsked says that the other wants us to go on with somebody.
	TransferAsked struct {
		Call   *Call
		Person identity.PublicKey
	}
	// TransferOver says what became of a transfer of ours.
	TransferOver struct {
		From, To *Call
		Done     bool
	}
	// CallEnded says that a call is over.
	CallEnded struct {
		Call    *Call
		Outcome signalling.Outcome
	}
	// MissedCall is a contact's.
	MissedCall struct {
		Person identity.PublicKey
		Name   string
		At     time.Time
	}
	// StrangerCalled says that somebody called who may not ring.
	StrangerCalled struct {
		Person identity.PublicKey
		Name   string
		At     time.Time
		More   int
	}
	// ClockOff says that somebody called whose time is not ours.
	ClockOff struct{ At time.Time }
	// LineDetached says that the connection was lost.
	LineDetached struct{ Cause string }
	// LineAttached says that it is back.
	LineAttached struct{ Restarted bool }
	// LineWarning is about the relay.
	LineWarning struct{ Text string }
	// LineEnded says that the line is over.
	LineEnded struct{ Err error }
)

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
