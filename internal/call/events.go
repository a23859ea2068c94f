package call

import (
	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// Event is something that happened in a room. The package at the root describes the types.
type Event interface{ event() }

type (
	// MemberJoined says that somebody is in the room.
	MemberJoined struct{ Member Member }
	// MemberLeft says that somebody is not there any more.
	MemberLeft struct{ Member Member }
	// StreamStarted says that a stream is heard for the first time.
	StreamStarted struct{ Stream *Stream }
	// MicrophoneChanged says how a member's microphone is: open, muted, released or none.
	MicrophoneChanged struct {
		Member Member
		State  string
	}
	// HandChanged says that a member raised or lowered its hand.
	HandChanged struct {
		Member Member
		Raised bool
	}
	// Detached says that the connection was lost.
	Detached struct{ Cause string }
	// Attached says that it is back.
	Attached struct{ Restarted bool }
	// SafetyNumber says who is inside.
	SafetyNumber struct {
		Number string
		People int
	}
	// MediaDropped says that the relay drops part of what we send.
	MediaDropped struct {
		Over          bool
		Code, Text    string
		Dropped, Sent uint64
	}
	// Warning is about a member; zero: about the room.
	Warning struct {
		Code   WarningCode
		Member Member
		Text   string
	}
	// Ended says that the room is over.
	Ended struct{ Err error }
)

// Member is somebody in the room, as the signed entry says.
type Member struct {
	ID       wire.MemberID
	Name     string
	Identity identity.PublicKey
	Outside  bool
	Relay    string
}

// WarningCode tells the kinds of Warning apart.
type WarningCode string

// The kinds of Warning.
const (
	WarnName          WarningCode = "name"
	WarnAlike         WarningCode = "alike"
	WarnNames         WarningCode = "names"
	WarnMembers       WarningCode = "members"
	WarnKey           WarningCode = "key"
	WarnNoKey         WarningCode = "no_key"
	WarnUnknownMember WarningCode = "unknown_member"
	WarnOutside       WarningCode = "outside"
	WarnRelay         WarningCode = "relay"
	WarnCrowd         WarningCode = "crowd"
)

func (MemberJoined) event()      {}
func (MemberLeft) event()        {}
func (StreamStarted) event()     {}
func (MicrophoneChanged) event() {}
func (HandChanged) event()       {}
func (Detached) event()          {}
func (Attached) event()          {}
func (SafetyNumber) event()      {}
func (Warning) event()           {}
func (MediaDropped) event()      {}
func (Ended) event()             {}

// events are a room's. Warnings give way last: a relay must not wash them away.
type events struct{ *eventQueue[Event] }

func newEvents() *events {
	return &events{newEventQueue(func(e Event) bool { _, warning := e.(Warning); return warning })}
}

// warn puts a warning of a member; what is wrong follows its name.
func (q *events) warn(code WarningCode, m Member, what string) {
	q.put(Warning{Code: code, Member: m, Text: called(m) + what})
}
