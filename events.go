package wzp

import (
	"iter"

	"github.com/wzp-voice/wzp/internal/call"
)

// Event is something that happened in a room: a [MemberJoined], [MemberLeft], [StreamStarted],
// [MicrophoneChanged], [HandChanged], [Detached], [Attached], [SafetyNumber], [MediaDropped], [Warning] or
// [Ended].
type Event interface{ event() }

// MemberJoined says that somebody is in the room: at once for those who were there already.
type MemberJoined struct{ Member Member }

// MemberLeft says that somebody is not in the room any more.
type MemberLeft struct{ Member Member }

// StreamStarted says that a member is heard for the first time on a stream, as far as is remembered.
type StreamStarted struct{ Stream Stream }

// MicrophoneChanged says how the microphone of somebody who has talked is now, as they say: open, muted,
// released (the button to talk is up), or none.
type MicrophoneChanged struct {
	Member Member
	State  string
}

// HandChanged says that a member raised or lowered its hand. It stays up until they lower it or leave, or
// nothing has come of them for 90 s.
type HandChanged struct {
	Member Member
	Raised bool
}

// Detached says that the connection to the relay was lost. The room tries to get back; media may still pass.
type Detached struct{ Cause string }

// Attached says that the connection is back. Restarted: the relay had forgotten the room's state.
type Attached struct{ Restarted bool }

// SafetyNumber says who is in the room, in 40 digits. Whoever sees the same ones sees the same people;
// whether all are wanted there, Members tells. It comes when the list of members is known, and when they
// change.
type SafetyNumber struct {
	Number string
	People int // whom it covers, with ourselves
}

// MediaDropped says that the relay drops part of what we send: every few seconds, and once when that is over.
type MediaDropped struct {
	Over bool
	// Code is why: packet_rate, member_rate, room_rate, send_rate, or what a later relay says; empty if over.
	Code    string
	Text    string // the same in words
	Dropped uint64 // frames since the last time
	Sent    uint64 // of these
}

// WarningCode tells the kinds of Warning apart.
type WarningCode string

// The kinds of Warning.
const (
	WarnName          WarningCode = "name"           // a known name came with another key
	WarnAlike         WarningCode = "alike"          // people who are here at the same time have one name
	WarnNames         WarningCode = "names"          // names cannot be remembered
	WarnMembers       WarningCode = "members"        // another member sees other members than we do
	WarnKey           WarningCode = "key"            // a key of the member does not verify
	WarnNoKey         WarningCode = "no_key"         // the member is sending, but its key does not come
	WarnUnknownMember WarningCode = "unknown_member" // a key came of whom the relay does not show
	WarnOutside       WarningCode = "outside"        // somebody lacks the invite secret, or we do
	WarnRelay         WarningCode = "relay"          // the relay shuts down
	WarnCrowd         WarningCode = "crowd"          // more talk at once than are decoded: this one is not
)

// Warning is something that people should know about the room.
type Warning struct {
	Code   WarningCode
	Member Member // whom it is about; zero: the room
	Text   string
}

// Ended says that the room is over. Err is nil after Leave, and otherwise as Join returns it.
type Ended struct{ Err error }

func (MemberJoined) event()      {}
func (MemberLeft) event()        {}
func (StreamStarted) event()     {}
func (MicrophoneChanged) event() {}
func (HandChanged) event()       {}
func (Detached) event()          {}
func (Attached) event()          {}
func (SafetyNumber) event()      {}
func (MediaDropped) event()      {}
func (Warning) event()           {}
func (Ended) event()             {}

// Events returns what happens in the room, in order and each once. A loop over it waits for the next event
// and ends after Ended. Whoever does not read loses the oldest of more than 512.
func (r *Room) Events() iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for e := range r.engine.Events() {
			if !yield(event(e)) {
				return
			}
		}
	}
}

// event translates what the engine says.
func event(e call.Event) Event {
	switch e := e.(type) {
	case call.MemberJoined:
		return MemberJoined{member(e.Member)}
	case call.MemberLeft:
		return MemberLeft{member(e.Member)}
	case call.StreamStarted:
		return StreamStarted{Stream{e.Stream}}
	case call.MicrophoneChanged:
		return MicrophoneChanged{member(e.Member), e.State}
	case call.HandChanged:
		return HandChanged{member(e.Member), e.Raised}
	case call.Detached:
		return Detached(e)
	case call.Attached:
		return Attached(e)
	case call.SafetyNumber:
		return SafetyNumber(e)
	case call.MediaDropped:
		return MediaDropped(e)
	case call.Warning:
		return Warning{WarningCode(e.Code), member(e.Member), e.Text}
	case call.Ended:
		return Ended{public(e.Err)}
	}
	panic("wzp: an event that the engine has and this package does not")
}
