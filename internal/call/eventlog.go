package call

import (
	"time"

	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/wire"
)

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
