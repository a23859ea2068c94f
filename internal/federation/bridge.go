package federation

import (
	"errors"
	"maps"
	"time"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/internal/routing"
	"github.com/wzp-voice/wzp/internal/wire"
)

// carryOut does what the table has decided.
func (f *Federation) carryOut(e routing.Effect) {
	switch e := e.(type) {
	case routing.Send:
		f.send(e)
	case routing.Reach:
		f.ways.set(e.Part, e.Way, f.live[e.Way.Best])
	case routing.Members:
		f.membersChanged(e)
	case routing.Trunks:
		f.setTrunks(e)
	case routing.Problem:
		f.problem(e.Peer, e.What, e.Reason)
	case routing.NotGlobal:
		f.notGlobal(e.Peer, e.Room)
	}
}

func (f *Federation) send(e routing.Send) {
	to := f.live[e.To]
	if to == nil {
		return
	}
	var acked func()
	if e.Receipt != nil {
		acked = func() {
			to.inbox.acked(*e.Receipt)
			f.wakeUp()
		}
	}
	to.link.Send(e.Kind, e.Body, acked)
}

func (f *Federation) setTrunks(e routing.Trunks) {
	var list []room.Trunk
	for _, id := range e.To {
		if p := f.live[id]; p != nil {
			list = append(list, p.trunk)
		}
	}
	f.rooms.SetTrunks(e.Room, e.Home, list)
}

// membersChanged changes a home's part of a room.
func (f *Federation) membersChanged(e routing.Members) {
	id := wire.RelayIDOf(e.Home)
	b := f.bridgedRoom(e.Room)
	h := b.homes[id]
	if h == nil {
		h = &home{members: make(map[wire.MemberID]*room.Member)}
		b.homes[id] = h
	}
	if h.label != e.Label {
		h.label = e.Label
		b.labels++
		f.untold[b] = struct{}{}
	}
	now := time.Now()
	for _, member := range e.Left {
		delete(h.untaken, member)
		if m := h.members[member]; m != nil {
			delete(h.members, member)
			m.Leave(now)
			b.changed = m
			f.untold[b] = struct{}{}
		}
	}
	if h.by != e.By {
		h.by = e.By
		for _, m := range h.members {
			m.Move(h.origin(id))
		}
	}
	for _, entry := range e.Joined {
		f.join(b, id, h, entry, now)
	}
	if len(h.members)+len(h.untaken) == 0 {
		delete(b.homes, id)
		delete(f.untaken, h)
	}
	f.logMembers(b, id, h, e.Joined, e.Left)
	f.forgetEmpty(wire.HashRoom(e.Room))
	f.wakeUp()
}

// origin is where the members of a home come from.
func (h *home) origin(id wire.RelayID) room.Origin { return room.FromPeer(id, h.by.Peer, h.by.Via) }

// join makes a participant a member of the room, or keeps it for later if there is no place.
func (f *Federation) join(b *bridged, id wire.RelayID, h *home, entry []byte, now time.Time) {
	to := &remote{federation: f, room: b, home: id, id: wire.EntryID(entry)}
	m, displaced, err := f.rooms.JoinRemote(b.name, entry, h.origin(id), to, now)
	if err != nil {
		f.keep(b, h, entry)
		if !errors.Is(err, room.ErrRoomFull) && f.once("untaken", now) { // of a full room it says who fills it
			f.log.Warn("a member finds no place in a room; it is tried again", "room", b.name, "home", id.String(), "why", err)
		}
		return
	}
	h.members[m.ID] = m
	b.changed = m
	f.untold[b] = struct{}{}
	if displaced == nil {
		return
	}
	if h := b.homes[displaced.Home()]; h != nil {
		delete(h.members, displaced.ID)
		f.keep(b, h, displaced.Entry)
	}
}

// keep keeps a participant for whom there is no place.
func (f *Federation) keep(b *bridged, h *home, entry []byte) {
	if h.untaken == nil {
		h.untaken = make(map[wire.MemberID][]byte)
	}
	h.untaken[wire.EntryID(entry)] = entry
	f.untaken[h] = b
}

// untakenEvery is between two tries to find a place for participants that found none.
const untakenEvery = 5 * time.Second

// retryUntaken does so. It returns when to do it next.
func (f *Federation) retryUntaken(now time.Time) (next time.Time) {
	if len(f.untaken) == 0 {
		return time.Time{}
	}
	if now.Before(f.retryAt) {
		return f.retryAt
	}
	f.retryAt = now.Add(untakenEvery)
	for h, b := range maps.Clone(f.untaken) {
		delete(f.untaken, h)
		list := h.untaken
		h.untaken = nil
		for id, other := range b.homes {
			if other != h {
				continue
			}
			for _, entry := range list {
				f.join(b, id, h, entry, now)
			}
		}
	}
	return f.retryAt
}

// logMembers notes in the event log who came and went.
func (f *Federation) logMembers(b *bridged, id wire.RelayID, h *home, joined [][]byte, left []wire.MemberID) {
	for _, entry := range joined {
		f.packets.Log(eventlog.Event{Kind: eventlog.MemberJoined, Room: b.name, Src: wire.EntryID(entry), Peer: id, Participants: len(h.members)})
	}
	for _, member := range left {
		f.packets.Log(eventlog.Event{Kind: eventlog.MemberLeft, Room: b.name, Src: member, Peer: id, Participants: len(h.members)})
	}
	f.log.Debug("participants", "room", b.name, "home", h.label, "joined", len(joined), "left", len(left), "now", len(h.members))
}

// problemEvery is how often the same complaint about the same peer is logged.
const problemEvery = time.Minute

// maxProblems bounds what is remembered of complaints.
const maxProblems = 256

// problem notes that something of a peer's was refused, or contained.
func (f *Federation) problem(p wire.RelayID, what, reason string) {
	label := f.label(p)
	f.rooms.Drops.Add(drops.BadAnnouncement, 1)
	f.packets.Log(eventlog.Event{Kind: eventlog.FederationIngressMalformed, Peer: p, Action: what, Reason: reason})
	if !f.once(label+what, time.Now()) {
		return
	}
	f.log.Warn("a peer misbehaves", "what", what, "peer", label, "relay", p.String(), "why", reason)
}

// once reports whether something is to be logged now: the same not more than once a minute.
func (f *Federation) once(what string, now time.Time) bool {
	if last, known := f.warned[what]; known && now.Sub(last) < problemEvery {
		return false
	}
	if len(f.warned) >= maxProblems {
		for known, at := range f.warned {
			if now.Sub(at) >= problemEvery {
				delete(f.warned, known)
			}
		}
	}
	if len(f.warned) >= maxProblems {
		return false
	}
	f.warned[what] = now
	return true
}

// refusedOften is from how much on that came a wrong way within a minute a peer is named in the log: while
// ways change a little does.
const refusedOften = 100

// refuse counts something that a peer sent and that is not its to send, and names the peer if that goes on.
func (f *Federation) refuse(n *livePeer, what string) {
	f.rooms.Drops.Add(drops.WrongPeer, 1)
	now := time.Now()
	if last := n.warned.Load(); last != nil && now.Sub(*last) < problemEvery {
		if n.refused.Add(1) != refusedOften {
			return
		}
		f.log.Warn("a peer sends what it is not the way for; it is dropped", "peer", n.label, "relay", n.id.String(), "last", what)
		return
	}
	warned := now // so that what is refused allocates nothing else
	n.warned.Store(&warned)
	n.refused.Store(1)
}

// remote is a member of another relay as a room.Receiver: what is sent to it goes towards its home.
type remote struct {
	federation *Federation
	room       *bridged
	home       wire.RelayID
	id         wire.MemberID
}

var _ room.Receiver = (*remote)(nil)

// SendMedia implements room.Receiver: media goes by trunks, once for all members behind them.
func (r *remote) SendMedia(room.Tx, uint16, []byte, []byte) {}

// SetAliasKnown implements room.Receiver: aliases of a room are for its local members.
func (r *remote) SetAliasKnown(uint16, bool) {}

// HeardWithin implements room.Receiver. Whether a member far away is there, its home says by the list.
func (r *remote) HeardWithin(time.Duration) bool { return true }

// SendUrgent implements room.Receiver.
func (r *remote) SendUrgent(kind wire.UrgentKind, body []byte) error {
	return r.federation.route(&wire.FederationMessage{
		Hops: wire.MaxHops, Room: wire.HashRoom(r.room.name), To: r.id, Kind: kind, Body: body,
	}, r.home, nil)
}

// SendUrgentThen implements room.Receiver; done is not called, for that the next relay has it says nothing.
func (r *remote) SendUrgentThen(kind wire.UrgentKind, body []byte, _ func(bool)) error {
	return r.SendUrgent(kind, body)
}
