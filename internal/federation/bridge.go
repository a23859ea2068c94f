package federation

import (
	"errors"
	"time"

	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/internal/routing"
	"github.com/wzp-voice/wzp/internal/wire"
)

// bridged is a room that peers share with us.
type bridged struct {
	name  string
	homes map[wire.RelayID]*home
	ours  map[wire.MemberID]ourMember

	announced time.Time // by when what was announced of ours is paid for: announceRest each

	labels  uint64                   // counts the changes of what the homes are called
	named   map[wire.MemberID]uint64 // which of these our members know
	namedAt time.Time                // when some were told last

	changed *room.Member // somebody came or went of which our members were not told
	toldAt  time.Time    // when they were told last
}

// home is another relay's part of a room.
type home struct {
	id       wire.RelayID
	room     *bridged
	label    string
	by       routing.Hop // which its members come by
	members  map[wire.MemberID]*room.Member
	unplaced map[wire.MemberID][]byte // entries of members for whom there was no place
}

// origin is where the members of a home come from.
func (h *home) origin() room.Origin { return room.FromPeer(h.id, h.by.Peer, h.by.Via) }

// bridgedRoom returns the bridged room of a name, which is made if need be.
func (f *Federation) bridgedRoom(name string) *bridged {
	hash := wire.HashRoom(name)
	b := f.bridged[hash]
	if b == nil {
		b = &bridged{name: name, homes: make(map[wire.RelayID]*home)}
		f.bridged[hash] = b
		f.ways.rooms.Store(hash, name)
		f.stats.rooms.Store(int64(len(f.bridged)))
	}
	return b
}

// forgetEmpty forgets a room in which nobody is any more.
func (f *Federation) forgetEmpty(hash wire.RoomHash) {
	if b := f.bridged[hash]; b != nil && len(b.homes) == 0 && len(b.ours) == 0 {
		delete(f.bridged, hash)
		f.ways.rooms.Delete(hash)
		f.stats.rooms.Store(int64(len(f.bridged)))
		delete(f.untold, b)
	}
}

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
		var list []room.Trunk
		for _, id := range e.To {
			if p := f.live[id]; p != nil {
				list = append(list, p.trunk)
			}
		}
		f.rooms.SetTrunks(e.Room, e.Home, list)
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
		acked = func() { f.later(func(now time.Time) { f.acked(to, *e.Receipt, now) }) }
	}
	to.link.Send(e.Kind, e.Body, acked)
}

// acked tells the table that a peer has acknowledged something, unless its link is down.
func (f *Federation) acked(p *livePeer, r routing.Receipt, now time.Time) {
	if f.live[p.id] == p {
		f.decide(func() { f.table.Acked(p.id, r, now) })
	}
}

// membersChanged changes a home's part of a room.
func (f *Federation) membersChanged(e routing.Members) {
	id := wire.RelayIDOf(e.Home)
	b := f.bridgedRoom(e.Room)
	h := b.homes[id]
	if h == nil {
		h = &home{id: id, room: b, members: make(map[wire.MemberID]*room.Member)}
		b.homes[id] = h
	}
	if h.label != e.Label {
		h.label = e.Label
		b.labels++
		f.untold[b] = time.Time{}
	}
	now := time.Now()
	for _, member := range e.Left {
		delete(h.unplaced, member)
		if m := h.members[member]; m != nil {
			delete(h.members, member)
			m.Leave(now)
			b.changed = m
			f.untold[b] = time.Time{}
		}
	}
	if h.by != e.By {
		h.by = e.By
		for _, m := range h.members {
			m.Move(h.origin())
		}
	}
	for _, entry := range e.Joined {
		f.join(h, entry, now)
	}
	if len(h.members)+len(h.unplaced) == 0 {
		delete(b.homes, id)
		delete(f.unplaced, h)
	}
	f.logMembers(h, e.Joined, e.Left)
	f.forgetEmpty(wire.HashRoom(e.Room))
	f.wakeUp()
}

// join adds a member of another relay to a room, or sets it aside if there is no place.
func (f *Federation) join(h *home, entry []byte, now time.Time) {
	b := h.room
	to := &remoteMember{federation: f, room: b, home: h.id, id: wire.EntryID(entry)}
	m, displaced, err := f.rooms.JoinRemote(b.name, entry, h.origin(), to, now)
	if errors.Is(err, room.ErrReplaced) {
		return // its home will hear of that, too
	}
	if err != nil {
		f.setAside(h, entry, now)
		if errors.Is(err, room.ErrRoomFull) {
			return // it says itself who fills it
		}
		if name, _ := f.warned.Note("unplaced", now); name {
			f.log.Warn("a member finds no place in a room; it is tried again",
				"room", b.name, "home", h.id.String(), "why", err)
		}
		return
	}
	h.members[m.ID] = m
	b.changed = m
	f.untold[b] = time.Time{}
	if displaced == nil {
		return
	}
	if other := b.homes[displaced.Home()]; other != nil {
		delete(other.members, displaced.ID)
		f.setAside(other, displaced.Entry, now)
	}
}

// unplacedEvery is between two tries to find a place for members that found none.
const unplacedEvery = 5 * time.Second

// setAside keeps a member for whom there is no place.
func (f *Federation) setAside(h *home, entry []byte, now time.Time) {
	if h.unplaced == nil {
		h.unplaced = make(map[wire.MemberID][]byte)
	}
	h.unplaced[wire.EntryID(entry)] = entry
	f.unplaced[h] = routing.Soonest(f.unplaced[h], now.Add(unplacedEvery))
}

// logMembers notes in the event log who came and went.
func (f *Federation) logMembers(h *home, joined [][]byte, left []wire.MemberID) {
	event := eventlog.Event{Kind: eventlog.MemberJoined, Room: h.room.name, Peer: h.id,
		Members: len(h.members)}
	for _, entry := range joined {
		event.Src = wire.EntryID(entry)
		f.packets.Log(event)
	}
	event.Kind = eventlog.MemberLeft
	for _, event.Src = range left {
		f.packets.Log(event)
	}
	f.log.Debug("members of another relay", "room", h.room.name, "home", h.label,
		"joined", len(joined), "left", len(left), "now", len(h.members))
}
