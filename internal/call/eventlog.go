package call

import (
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/wire"
)

// EventLog is a file in which a room notes each packet that it sends and hears, one JSON object a line, for "wzp analyze":
//
//	Close() error // after the room is over: writes what is waiting
//
// It never holds media up: what comes faster than it can be written is left out and counted. docs/event-log.md describes
// the format.
type EventLog = eventlog.Writer

// OpenEventLog opens an event log at path, which is made if it does not exist and continued if it does. It rotates: PATH.1 to
// PATH.3 are the parts before, of 128 MiB each.
func OpenEventLog(path string) (*EventLog, error) { return eventlog.Open(path, eventlog.Options{}) }

// logStart notes who we are.
func (r *Room) logStart(relay identity.PublicKey) {
	fingerprint := relay.Fingerprint()
	r.log.Log(eventlog.Event{
		Kind: eventlog.Start, Room: r.name, Src: r.id, Name: r.client.config.Name, Relay: eventlog.PeerID(fingerprint[:8]),
	})
}

// logJoined notes that the relay has let us in.
func (r *Room) logJoined(members int) {
	r.log.Log(eventlog.Event{Kind: eventlog.Joined, Room: r.name, Src: r.id, Participants: members})
}

// logMember notes that somebody else came or went.
func (r *Room) logMember(kind eventlog.Kind, m Member) {
	if r.log == nil {
		return
	}
	e := eventlog.Event{Kind: kind, Room: r.name, Src: m.ID, Name: m.Name, Participants: r.roster.size() + 1}
	if m.Outside && kind == eventlog.MemberJoined {
		e.Reason = eventlog.ReasonOutside
	}
	r.log.Log(e)
}

// logSent notes a packet that is about to be sent.
func (r *Room) logSent(kid wire.KID, ctr uint64, size int) {
	if r.log != nil {
		r.logPacket(eventlog.MediaOut, kid, ctr, size, time.Time{}, "")
	}
}

// logHeard notes a packet that came at a time and decrypts.
func (r *Room) logHeard(kid wire.KID, ctr uint64, size int, at time.Time, reason string) {
	if r.log != nil {
		r.logPacket(eventlog.MediaIn, kid, ctr, size, at, reason)
	}
}

func (r *Room) logPacket(kind eventlog.Kind, kid wire.KID, ctr uint64, size int, at time.Time, reason string) {
	e := eventlog.Event{
		Kind: kind, Room: r.name, Src: kid.Member(), Stream: kid.Stream(), Epoch: kid.Epoch(), Seq: ctr, Len: size, Reason: reason,
	}
	if !at.IsZero() {
		e.Time = at.UnixMicro()
	}
	r.log.Log(e)
}

// logStop notes that we leave, or are made to.
func (r *Room) logStop() {
	r.stopLog.Do(func() { r.log.Log(eventlog.Event{Kind: eventlog.Stop, Room: r.name}) })
}
