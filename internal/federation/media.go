package federation

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/internal/wire"
)

// events is the Federation as its links see it.
type events Federation

var _ linkEvents = (*events)(nil)

// cutFor is for how long a peer that was cut may not come back.
const cutFor = 5 * time.Minute

// linkUp implements linkEvents.
func (e *events) linkUp(l *peerLink) {
	f := (*Federation)(e)
	n := &livePeer{link: l, trunk: newTrunk(l), group: budget.Group{Link: true, ID: budget.ID(l.id[:])}}
	n.intake = newIntake(intakeLimits{}, intakeReports{
		throttled: func(t throttled) {
			n.inbox.note(t)
			f.wakeUp()
		},
		cut: func(reason string) { f.links.cut(l, reason, cutFor) },
	})
	n.egress = &egress{trunk: n.trunk, events: f.packets, peer: l.id}
	l.owner = n
	f.packets.Log(eventlog.Event{Kind: eventlog.PeerUp, Peer: l.id, Name: l.label})
	f.later(func(now time.Time) {
		f.decide(func() {
			f.live[l.id] = n
			f.table.Up(l.id, l.label, now)
		})
	})
}

// linkDown implements linkEvents.
func (e *events) linkDown(l *peerLink, why string) {
	f := (*Federation)(e)
	n := l.owner.(*livePeer)
	n.inbox.close()
	n.trunk.close()
	f.packets.Log(eventlog.Event{Kind: eventlog.PeerDown, Peer: l.id, Reason: why})
	f.later(func(now time.Time) {
		f.decide(func() {
			delete(f.live, l.id)
			f.stats.egress.Add(n.trunk.total().Frames)
			f.table.Down(l.id, now)
		})
	})
}

// linkSuspect implements linkEvents.
func (e *events) linkSuspect(l *peerLink, suspect bool) {
	f := (*Federation)(e)
	f.later(func(now time.Time) { f.decide(func() { f.table.Suspect(l.id, suspect, now) }) })
}

// urgent implements linkEvents. It only takes the message; run reads it.
func (e *events) urgent(l *peerLink, kind wire.UrgentKind, body []byte) (taken bool) {
	f := (*Federation)(e)
	n, now := l.owner.(*livePeer), time.Now()
	if !n.intake.takeUrgent(now) || !n.inbox.put(kind, body) {
		return false
	}
	f.wakeUp()
	return true
}

// aliasAcked implements linkEvents.
func (e *events) aliasAcked(l *peerLink, pair wire.AliasPair) {
	l.owner.(*livePeer).trunk.aliasAcked(pair)
}

// bind implements linkEvents: who talks has to be a member of the room, of a relay that this peer is the way
// to. Who was not announced yet may be soon, for media does not wait for news: what it says is kept for a
// moment.
func (e *events) bind(l *peerLink, m *wire.Media) *link.Stream {
	f, n, now := (*Federation)(e), l.owner.(*livePeer), time.Now()
	in := &incoming{federation: f, from: n, room: m.Room, kid: m.KID}
	in.stream = &link.Stream{KID: m.KID, Room: m.Room, Owner: in}
	if !n.intake.takeMedia(m.Room, now) {
		return nil
	}
	switch f.locate(in, now) {
	case located:
	case notYet:
		if n.early.add(in, now) {
			break
		}
		fallthrough
	default:
		f.refuse(n, "media of a talker that it is not the way to")
		return nil
	}
	return in.stream
}

// media implements linkEvents: the hot path of federation.
func (e *events) media(_ *peerLink, st *link.Stream, m *wire.Media, tx *link.Tx) {
	in := st.Owner.(*incoming)
	if p := in.place.Load(); p != nil {
		in.take(p, m, tx)
		return
	}
	in.hold(m, tx)
}

// incoming is a stream of media that comes over a link: the Owner of its link.Stream.
//
//	frame ── the talker is known ──> may it come this way? ── inbound.take ── room.Stream.Forward
//	  '───── not yet: held ──────────^ when it is
type incoming struct {
	federation *Federation
	from       *livePeer
	room       wire.RoomHash
	kid        wire.KID
	stream     *link.Stream
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
		f.packets.Log(eventlog.Event{Kind: eventlog.RoomNotFound, Peer: in.from.link.id, RoomHash: in.room})
		return nowhere
	}
	talker := f.rooms.Find(name, in.kid.Member())
	switch {
	case talker == nil:
		return notYet
	case talker.Home() == (wire.RelayID{}) || !f.ways.passage(talker.Home(), in.room).from(in.from.link.id, now):
		return nowhere
	}
	ib := newInbound(dedupKey{in.room, in.kid}, in.from.intake, f.dedups, func(now time.Time) *room.Stream {
		if talker := f.rooms.Find(name, in.kid.Member()); talker != nil {
			return talker.Bind(in.kid, now)
		}
		return nil
	}, now)
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
	v, size := verdictLimited, room.FrameSize(m)
	if in.from.intake.takeBytes(memberKey{in.room, in.kid.Member()}, size, now, tx.At()) {
		v = p.take(m.CTR, now)
	} else {
		in.from.intake.took[v].Add(1)
	}
	f.logIngress(in, m, v)
	if v == verdictLimited {
		f.rooms.Drops.AddBytes(drops.PeerRate, size)
	}
	if v != verdictForward {
		return
	}
	in.stream.Seen(m.CTR)
	out := p.out(now)
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
		in.from.intake.dropped(why, in.room, now)
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
	return way.from(in.from.link.id, now)
}
