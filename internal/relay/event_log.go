package relay

import (
	"sync"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/internal/wire"
)

// What members here and their packets do, in the event log. Without one this is a comparison with nil.

// memberLog counts the local members of each room, for the event log. The zero value has none.
type memberLog struct {
	mu    sync.Mutex // guards what follows; held while it is logged, for the order: that waits for no file
	rooms map[string]int
}

// logJoin notes that a member of ours came. It must not be called after logLeave of the same member.
func (r *Relay) logJoin(m *room.Member) {
	if r.events == nil {
		return
	}
	l := &r.members
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rooms == nil {
		l.rooms = make(map[string]int)
	}
	if l.rooms[m.Room()]++; l.rooms[m.Room()] == 1 {
		r.events.Log(eventlog.Event{Kind: eventlog.RoomActive, Room: m.Room(), Members: m.Members()})
	}
	r.events.Log(eventlog.Event{Kind: eventlog.MemberJoined, Room: m.Room(), Src: m.ID, Members: m.Members()})
}

// logLeave notes that a member of ours went.
func (r *Relay) logLeave(m *room.Member) {
	if r.events == nil {
		return
	}
	l := &r.members
	l.mu.Lock()
	defer l.mu.Unlock()
	r.events.Log(eventlog.Event{Kind: eventlog.MemberLeft, Room: m.Room(), Src: m.ID, Members: m.Members()})
	if l.rooms[m.Room()]--; l.rooms[m.Room()] == 0 {
		delete(l.rooms, m.Room())
		r.events.Log(eventlog.Event{Kind: eventlog.RoomInactive, Room: m.Room(), Members: m.Members()})
	}
}

// logMedia notes that a packet of a member of ours came, and where it went.
func (r *Relay) logMedia(t *speech, m *wire.Media, local, trunks int) {
	event := mediaEvent(eventlog.MediaIn, t, m)
	r.events.Log(event)
	event.Kind, event.ToCount = eventlog.Forward, local+trunks
	r.events.Log(event)
	if local > 0 {
		event.Kind, event.ToCount = eventlog.LocalDeliver, local
		r.events.Log(event)
	}
}

// dropped notes that a packet of a member of ours came and is dropped, and why.
func (r *Relay) dropped(t *speech, m *wire.Media, why drops.Reason) {
	r.notify(t.session, why)
	if r.events == nil {
		return
	}
	event := mediaEvent(eventlog.MediaIn, t, m)
	r.events.Log(event)
	event.Kind, event.Reason = eventlog.RateLimitDrop, why.String()
	r.events.Log(event)
}

func mediaEvent(kind eventlog.Kind, t *speech, m *wire.Media) eventlog.Event {
	return eventlog.Event{Kind: kind, RoomHash: t.out.Stream().Room(), Src: t.KID.Member(),
		Stream: t.KID.Stream(), Epoch: t.KID.Epoch(), Seq: m.CTR, Len: len(m.Ciphertext)}
}

// loggedGroup is a group with an event log, in which it notes packets that a member does not get.
type loggedGroup struct {
	relay    *Relay
	sessions []*session
}

func (r *Relay) newLoggedGroup(list []room.Receiver) room.FanOut {
	g := &loggedGroup{relay: r}
	for _, to := range list {
		g.sessions = append(g.sessions, to.(*link.Session).Handler().(*session))
	}
	return g
}

// SendMedia implements room.FanOut.
func (g *loggedGroup) SendMedia(tx *link.Tx, but room.Receiver, alias uint16, short, long []byte) (sent int) {
	for _, s := range g.sessions {
		if room.Receiver(s.Session) == but {
			continue
		}
		if why := s.TrySendMedia(tx, alias, short, long); why == link.Sent {
			sent++
		} else {
			g.relay.logUnsent(s, why, long)
		}
	}
	return sent
}

// logUnsent notes that a media frame, of which long is the long form, is not sent to a member.
func (r *Relay) logUnsent(to *session, why link.Unsent, long []byte) {
	listener := to.member.Load()
	frame, _, err := wire.NextFrame(long)
	if listener == nil || err != nil {
		return
	}
	m, err := wire.ParseMedia(frame)
	if err != nil {
		return
	}
	reason := " does not report that anything arrives, so no media is sent"
	if why == link.UnsentShare {
		reason = " has a path that carries less than there is, and this is above the talker's share of it"
	}
	r.events.Log(eventlog.Event{
		Kind: eventlog.LocalDeliverError, Room: listener.Room(),
		Src: m.KID.Member(), Stream: m.KID.Stream(), Epoch: m.KID.Epoch(), Seq: m.CTR,
		Len: len(m.Ciphertext), Reason: "member " + listener.ID.String() + reason,
	})
}
