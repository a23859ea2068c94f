package call

import (
	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/wire"
)

// packetLog notes in an event log what becomes of a room's packets.
type packetLog struct {
	writer *eventlog.Writer // nil: nothing is noted
	room   string
}

func (l packetLog) note(e eventlog.Event) {
	e.Room = l.room
	l.writer.Log(e)
}

// noteMember notes that somebody else came or went; members are in the room now, with ourselves.
func (l packetLog) noteMember(kind eventlog.Kind, m Member, members int) {
	e := eventlog.Event{Kind: kind, Src: m.ID, Name: m.Name, Members: members}
	if m.Outside && kind == eventlog.MemberJoined {
		e.Reason = eventlog.ReasonOutside
	}
	l.note(e)
}

// noteSent notes a packet that is about to be sent.
func (l packetLog) noteSent(kid wire.KID, ctr uint64, size int) {
	if l.writer != nil {
		l.notePacket(kid, eventlog.Event{Kind: eventlog.MediaOut, Seq: ctr, Len: size})
	}
}

// noteReceived notes a frame that decrypts, and why it was dropped, "": it was not.
func (l packetLog) noteReceived(f frame, dropped string) {
	if l.writer != nil {
		l.notePacket(f.of.KID, eventlog.Event{
			Kind: eventlog.MediaIn, Time: f.at.UnixMicro(), Seq: f.ctr, Len: len(f.ciphertext),
			Reason: dropped,
		})
	}
}

func (l packetLog) notePacket(kid wire.KID, e eventlog.Event) {
	e.Src, e.Stream, e.Epoch = kid.Member(), kid.Stream(), kid.Epoch()
	l.note(e)
}
