package federation

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/peer"
	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/internal/wire"
)

// cutFor is for how long a peer that was cut may not come back.
const cutFor = 5 * time.Minute

// linkUp begins to use a link.
func (f *Federation) linkUp(l *peer.Link) peer.Handler {
	p := &livePeer{
		federation: f, id: l.ID, label: l.Label, link: l, trunk: newTrunk(l),
		group: budget.Group{Link: true, ID: budget.ID(l.ID[:])},
	}
	p.intake = newIntake(intakeLimits{}, intakeReports{
		throttled: func(why string, dropped uint64) {
			f.later(func(time.Time) {
				f.log.Warn("a peer sends too much; the rest is dropped", "peer", p.label, "relay", p.id.String(),
					"why", why, "dropped", dropped)
			})
		},
		cut: func(reason string) { f.links.Cut(l, reason, cutFor) },
	})
	p.egress = &egress{trunk: p.trunk, events: f.packets, peer: p.id}
	f.packets.Log(eventlog.Event{Kind: eventlog.PeerUp, Peer: p.id, Name: p.label})
	f.later(func(now time.Time) {
		f.decide(func() {
			f.live[p.id] = p
			f.table.Up(p.id, p.label, now)
		})
	})
	return p
}

// Down implements peer.Handler.
func (p *livePeer) Down(why string) {
	f := p.federation
	p.down.Store(true)
	p.inbox.close()
	p.trunk.close()
	f.packets.Log(eventlog.Event{Kind: eventlog.PeerDown, Peer: p.id, Reason: why})
	f.later(func(now time.Time) {
		f.decide(func() {
			delete(f.live, p.id)
			f.stats.egress.Add(p.trunk.total().Frames)
			f.table.Down(p.id, now)
		})
	})
}

// Suspect implements peer.Handler.
func (p *livePeer) Suspect(suspect bool) {
	f := p.federation
	f.later(func(now time.Time) { f.decide(func() { f.table.Suspect(p.id, suspect, now) }) })
}

// Urgent implements peer.Handler. It only takes the message; run reads it.
func (p *livePeer) Urgent(kind wire.UrgentKind, body []byte) (taken bool) {
	if !p.intake.allowUrgent(time.Now()) || !p.inbox.put(kind, body) {
		return false
	}
	p.federation.wakeUp()
	return true
}

// AliasAcked implements peer.Handler.
func (p *livePeer) AliasAcked(pair wire.AliasPair) { p.trunk.aliasAcked(pair) }

// Bind implements peer.Handler: who talks has to be a member of the room, of a relay that this peer is the
// way to. Who was not announced yet may be soon, for media does not wait for news: what it says is kept for a
// moment.
func (p *livePeer) Bind(m *wire.Media) link.Inbound {
	f, now := p.federation, time.Now()
	in := &incoming{Stream: link.Stream{KID: m.KID, Room: m.Room}, federation: f, from: p, room: m.Room, kid: m.KID}
	if !p.intake.allowMedia(m.Room, now) {
		return nil
	}
	switch f.locate(in, now) {
	case located:
	case notYet:
		if p.early.add(in, now) {
			break
		}
		fallthrough
	default:
		f.refuse(p, "media of a talker that it is not the way to")
		return nil
	}
	return in
}

// Media implements link.Inbound: the hot path of federation.
func (in *incoming) Media(m *wire.Media, tx *link.Tx) {
	if in.from.down.Load() {
		return
	}
	if at := in.place.Load(); at != nil {
		in.take(at, m, tx)
		return
	}
	in.hold(m, tx)
}

// incoming is a stream of media that comes over a link.
//
//	frame ── the talker is known ──> may it come this way? ── inbound.take ── room.Stream.Forward
//	  '───── not yet: held ──────────^ when it is
type incoming struct {
	link.Stream
	federation *Federation
	from       *livePeer
	room       wire.RoomHash
	kid        wire.KID
	place      atomic.Pointer[place] // nil: the talker is not known yet

	passage atomic.Pointer[passage] // of the talker's part, as it was found last

	mu    sync.Mutex // guards what follows
	held  []heldFrame
	tried time.Time // when the talker was last looked for
}

// place is where the frames of a stream go.
type place struct {
	*inbound
	home wire.RelayID
}

// whereabouts is what there is to know of a talker.
type whereabouts int

const (
	nowhere whereabouts = iota // it cannot talk over this link
	notYet                     // it was not announced
	located
)

// locate looks for the talker, and sets in.place if it is there.
func (f *Federation) locate(in *incoming, now time.Time) whereabouts {
	name, bridged := f.ways.room(in.room)
	if !bridged {
		f.rooms.Drops.Add(drops.RoomNotFound, 1)
		f.packets.Log(eventlog.Event{Kind: eventlog.RoomNotFound, Peer: in.from.id, RoomHash: in.room})
		return nowhere
	}
	talker := f.rooms.Find(name, in.kid.Member())
	switch {
	case talker == nil:
		return notYet
	case talker.Home() == (wire.RelayID{}) || !f.ways.passage(talker.Home(), in.room).from(in.from.id, now):
		return nowhere
	}
	find := func() *room.Member { return f.rooms.Find(name, in.kid.Member()) }
	ib := newInbound(dedupKey{in.room, in.kid}, in.from.intake, f.dedups, find, now)
	if ib == nil {
		return nowhere
	}
	in.place.Store(&place{ib, talker.Home()})
	return located
}

// take forwards a frame, unless it came before, by a wrong way, or is too much.
func (in *incoming) take(p *place, m *wire.Media, tx *link.Tx) {
	f, now := in.federation, tx.Now()
	if !in.mayCome(p, now) {
		f.refuse(in.from, "media of a talker that it is not the way to")
		return
	}
	v, size := overBytes, room.FrameSize(m)
	if in.from.intake.allowBytes(memberKey{in.room, in.kid.Member()}, size, now, tx.At()) {
		v = p.judge(m.CTR, now)
	}
	f.logIngress(in, m, v)
	if v.limited() {
		f.rooms.Drops.AddBytes(drops.PeerRate, size)
	}
	if v != forwarded {
		return
	}
	in.Seen(m.CTR)
	out := p.stream(now)
	if out == nil {
		f.rooms.Drops.Add(drops.WrongPeer, 1)
		return
	}
	source := out.Source(in.from.group)
	tx.From(source)
	var local, trunks int
	switch why, to := out.Admit(source, m, tx.At()); why {
	case drops.None:
		local, trunks = out.Forward(to, m, tx, tx.Short, tx.Long, in.from.egress)
	case drops.RoomRateToPeers:
		local = out.ForwardHere(to, m, tx, tx.Short, tx.Long)
	default:
		in.from.intake.dropped(why, now)
		f.logRefused(in, m, why)
		return
	}
	f.stats.ingress.Add(1)
	f.stats.local.Add(uint64(local))
	f.logForward(in, m.CTR, local, trunks)
}

// mayCome reports whether the stream may come over its link: whether that is the way from its home. It takes
// no lock, and looks the way up only when the one that it knows has ended.
func (in *incoming) mayCome(p *place, now time.Time) bool {
	way := in.passage.Load()
	if way.over() {
		way = in.federation.ways.passage(p.home, in.room)
		in.passage.Store(way)
	}
	return way.from(in.from.id, now)
}
