package federation

import (
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/wire"
)

// actions is the Federation as its table sees it: what the table decides is done here. The caller of the table
// holds f.mu.
type actions Federation

var _ effects = (*actions)(nil)

// send implements effects.
func (a *actions) send(p wire.RelayID, kind wire.UrgentKind, body []byte) {
	if to := a.partners[p]; to != nil {
		to.link.send(kind, body)
	}
}

// participants implements effects.
func (a *actions) participants(key identity.PublicKey, label, name string, joined [][]byte, left []wire.MemberID) {
	f := (*Federation)(a)
	id := wire.RelayIDOf(key)
	b := f.bridgedRoom(name)
	h := b.homes[id]
	if h == nil {
		h = &home{members: make(map[wire.MemberID]*room.Member)}
		b.homes[id] = h
	}
	if h.label != label {
		h.label = label
		f.nameHome(b, id, h)
	}
	now := time.Now()
	var changed *room.Member
	for _, member := range left {
		if m := h.members[member]; m != nil {
			delete(h.members, member)
			m.Leave(now)
			changed = m
		}
	}
	for _, entry := range joined {
		m, err := f.rooms.JoinRemote(name, entry, id, &remote{federation: f, room: b, home: id, id: wire.EntryID(entry)})
		if err != nil {
			a.problem(id, "a participant was not taken", err.Error())
			continue
		}
		h.members[m.ID] = m
		changed = m
	}
	if len(h.members) == 0 {
		delete(b.homes, id) // also where nobody could be taken
		f.forgetEmpty(wire.HashRoom(name))
	}
	if changed != nil {
		f.tell(changed)
	}
	f.routes.Add(1)
	f.presence(b, id, h, joined, left)
}

// presence notes in the event log who takes part.
func (f *Federation) presence(b *bridged, id wire.RelayID, h *home, joined [][]byte, left []wire.MemberID) {
	for _, entry := range joined {
		f.packets.Log(eventlog.Event{Kind: eventlog.MemberJoined, Room: b.name, Src: wire.EntryID(entry), Peer: id, Participants: len(h.members)})
	}
	for _, member := range left {
		f.packets.Log(eventlog.Event{Kind: eventlog.MemberLeft, Room: b.name, Src: member, Peer: id, Participants: len(h.members)})
	}
	f.log.Debug("participants", "room", b.name, "home", h.label, "joined", len(joined), "left", len(left), "now", len(h.members))
}

// trunks implements effects.
func (a *actions) trunks(home wire.RelayID, name string, to []wire.RelayID) {
	var list []room.Trunk
	for _, id := range to {
		if p := a.partners[id]; p != nil {
			list = append(list, p.egress)
		}
	}
	a.rooms.SetTrunks(name, home, list)
	a.routes.Add(1)
}

// problemEvery is how often the same complaint about the same peer is logged.
const problemEvery = time.Minute

// maxProblems bounds what is remembered of complaints.
const maxProblems = 256

// problem implements effects.
func (a *actions) problem(p wire.RelayID, what, reason string) {
	a.stats.problems.Add(1)
	label := p.String()
	if from := a.partners[p]; from != nil {
		label = from.link.label
	}
	a.packets.Log(eventlog.Event{Kind: eventlog.FederationIngressMalformed, Peer: p, Action: what, Reason: reason})
	now := time.Now()
	if last, known := a.warned[label+what]; known && now.Sub(last) < problemEvery {
		return
	}
	if len(a.warned) >= maxProblems {
		clear(a.warned)
	}
	a.warned[label+what] = now
	a.log.Warn("a peer misbehaves: "+what, "peer", label, "relay", p.String(), "why", reason)
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
	}, r.home)
}

// SendUrgentThen implements room.Receiver; done is not called, for that the next relay has it says nothing.
func (r *remote) SendUrgentThen(kind wire.UrgentKind, body []byte, _ func(bool)) error {
	return r.SendUrgent(kind, body)
}
