package call

import (
	"sync"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// maxEvents is how many events wait for a reader. The oldest give way, and are counted.
const maxEvents = 512

// Event is something that happened in a room: one of the types below.
type Event interface{ event() }

// Member is somebody in the room, as the signed entry says.
type Member struct {
	ID       wire.MemberID
	Name     string // as it calls itself; may be empty, or another's
	Identity identity.PublicKey
	// Outside: it does not have the room's invite secret, or has one and we do not. It gets no keys, and is not heard.
	Outside bool
	// Relay is what our relay calls the one that the member is attached to, or that one's id (half of its fingerprint);
	// empty if it is our own. That the member is there, its entry proves; what a relay is called, nobody does.
	Relay string
}

// MemberJoined says that somebody is in the room: at once for those who were there already.
type MemberJoined struct{ Member Member }

// MemberLeft says that somebody is not in the room any more.
type MemberLeft struct{ Member Member }

// StreamStarted says that a member was heard for the first time on a stream, or that it is remembered no more from before.
type StreamStarted struct{ Stream *Stream }

// Detached says that the connection to the relay was lost, and why. The room tries to get back by itself;
// media goes on meanwhile if packets still pass.
type Detached struct{ Cause string }

// Attached says that the connection is back. Restarted: the relay had forgotten the room's state.
type Attached struct{ Restarted bool }

// SafetyNumber says who is in the room, in 40 digits. Whoever sees the same ones sees the same people, not one less
// and not one more; that all of them are wanted there, the list of members must tell. It comes when the list is known, and when the
// people change.
type SafetyNumber struct {
	Number string
	People int // whom it covers, with ourselves
}

// MediaDropped says that the relay drops part of what we send. It comes every few seconds while that lasts, and once with
// Over when it does not any more.
type MediaDropped struct {
	Over    bool
	Code    string // why: "packet_rate", "member_rate", "room_rate", "send_rate", or what a later relay may say; empty with Over
	Text    string // the same in words
	Dropped uint64 // frames since the last time
	Sent    uint64 // of these
}

// WarningCode tells the kinds of Warning apart.
type WarningCode string

// The kinds of Warning.
const (
	WarnName          WarningCode = "name"           // a known name came with another key
	WarnNames         WarningCode = "names"          // names cannot be remembered
	WarnMembers       WarningCode = "members"        // another member sees other members than we do
	WarnKey           WarningCode = "key"            // a key of the member does not verify
	WarnNoKey         WarningCode = "no_key"         // the member is sending, but its key does not come
	WarnUnknownMember WarningCode = "unknown_member" // a key came of somebody whom the relay does not show
	WarnOutside       WarningCode = "outside"        // somebody has no invite secret, or has one and we have none
	WarnRelay         WarningCode = "relay"          // the relay shuts down
	WarnSound         WarningCode = "sound"          // the member cannot be decoded
	WarnCrowd         WarningCode = "crowd"          // more talk at once than are decoded; the member is the first who is not heard
)

// Warning is something that people should know about the room.
type Warning struct {
	Code   WarningCode
	Member Member // whom it is about; zero: the room
	Text   string
}

// Ended says that the room is over; Err is nil after Leave.
type Ended struct{ Err error }

func (MemberJoined) event()  {}
func (MemberLeft) event()    {}
func (StreamStarted) event() {}
func (Detached) event()      {}
func (Attached) event()      {}
func (SafetyNumber) event()  {}
func (Warning) event()       {}
func (MediaDropped) event()  {}
func (Ended) event()         {}

// events is a bounded queue of events between the room and its reader. Putting never blocks.
type events struct {
	out chan Event

	mu      sync.Mutex // guards what follows, and the order of events
	dropped uint64
	closed  bool
}

func newEvents() *events { return &events{out: make(chan Event, maxEvents)} }

// put adds an event; when the queue is full the oldest goes.
func (q *events) put(e Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	for kept := 0; ; {
		select {
		case q.out <- e:
			return
		default:
		}
		select {
		case oldest := <-q.out:
			if _, warning := oldest.(Warning); warning && kept < maxEvents/2 {
				kept++
				q.out <- oldest // a relay must not wash warnings away; nobody else puts, so there is room
				continue
			}
			q.dropped++
		default:
		}
	}
}

// close ends the queue after its last event.
func (q *events) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.closed = true
		close(q.out)
	}
}

// lost returns how many events gave way to later ones.
func (q *events) lost() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}
