package federation

import (
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/wire"
)

// events is the Federation as its links see it.
type events Federation

var _ linkEvents = (*events)(nil)

// cutFor is for how long a peer that was cut may not come back.
const cutFor = 5 * time.Minute

// linkUp implements linkEvents.
func (e *events) linkUp(l *peerLink) {
	f := (*Federation)(e)
	n := &partner{link: l, trunk: newTrunk(l), waiting: make(map[waitingKey]time.Time)}
	n.intake = newIntake(intakeLimits{}, intakeReports{
		throttled: func(t throttled) {
			f.log.Warn("a peer sends too much; the rest is dropped", "peer", l.label, "relay", l.id.String(), "why", t.Reason, "dropped", t.Dropped)
		},
		cut: func(reason string) { f.links.cut(l, reason, cutFor) },
	})
	n.egress = &egress{trunk: n.trunk, events: f.packets, peer: l.id}
	l.owner = n
	f.mu.Lock()
	defer f.mu.Unlock()
	f.partners[l.id] = n
	f.table.up(l.id, l.label, time.Now())
	f.routes.Add(1)
	f.packets.Log(eventlog.Event{Kind: eventlog.PeerUp, Peer: l.id, Name: l.label})
	f.stir()
}

// linkDown implements linkEvents.
func (e *events) linkDown(l *peerLink, why string) {
	f := (*Federation)(e)
	n := l.owner.(*partner)
	f.mu.Lock()
	if f.partners[l.id] == n {
		delete(f.partners, l.id)
		f.table.down(l.id, time.Now())
		f.routes.Add(1)
		f.packets.Log(eventlog.Event{Kind: eventlog.PeerDown, Peer: l.id, Reason: why})
	}
	f.mu.Unlock()
	n.trunk.close()
	f.stats.egress.Add(n.trunk.total().Frames)
	f.stir()
}

// linkSuspect implements linkEvents.
func (e *events) linkSuspect(l *peerLink, suspect bool) {
	f := (*Federation)(e)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.table.suspect(l.id, suspect, time.Now())
	f.routes.Add(1)
	f.stir()
}

// urgent implements linkEvents.
func (e *events) urgent(l *peerLink, kind wire.UrgentKind, body []byte) (taken bool) {
	f := (*Federation)(e)
	n, now := l.owner.(*partner), time.Now()
	if !n.intake.takeUrgent(now) {
		return false
	}
	if kind == wire.UrgentFederationMessage {
		return e.message(n, body, now)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	taken = f.table.urgent(l.id, kind, body, now)
	f.routes.Add(1)
	f.stir()
	return taken
}

// aliasAcked implements linkEvents.
func (e *events) aliasAcked(l *peerLink, pair wire.AliasPair) {
	l.owner.(*partner).trunk.aliasAcked(pair)
}

// incoming is a stream of media that comes over a link: the Owner of its link.Stream.
type incoming struct {
	*inbound
	home wire.RelayID
	room wire.RoomHash
	name string // of the room

	// checked is what parent was last asked: the count of Federation.routes, then the time (Unix, ns) until which the
	// answer holds. An answer of no is not kept.
	checked atomic.Pointer[checked]
}

type checked struct {
	routes uint64
	until  time.Time
}

// checkedFor is for how long an answer about a path is kept: that of a path that is not used any more holds for 2 s.
const checkedFor = 500 * time.Millisecond

// bind implements linkEvents: who talks has to be a member of the room, of a relay that this peer is the way to.
func (e *events) bind(l *peerLink, m *wire.Media) *link.Stream {
	f := (*Federation)(e)
	now := time.Now()
	f.mu.Lock()
	b := f.bridged[m.Room]
	if b == nil {
		f.mu.Unlock()
		f.stats.roomNotFound.Add(1)
		f.packets.Log(eventlog.Event{Kind: eventlog.RoomNotFound, Peer: l.id, RoomHash: m.Room})
		return nil
	}
	name := b.name
	talker := f.rooms.Find(name, m.KID.Member())
	ok := talker != nil && talker.Home() != (wire.RelayID{}) && f.table.parent(talker.Home(), m.Room, l.id, now)
	f.mu.Unlock()
	if !ok {
		f.stats.refused.Add(1)
		return nil
	}
	kid := m.KID
	find := func(now time.Time) *room.Stream {
		if talker := f.rooms.Find(name, kid.Member()); talker != nil {
			return talker.Bind(kid, now)
		}
		return nil
	}
	in := newInbound(dedupKey{m.Room, kid}, l.owner.(*partner).intake, f.dedups, find, now)
	if in == nil {
		f.stats.refused.Add(1)
		return nil
	}
	return &link.Stream{KID: kid, Room: m.Room, Owner: &incoming{inbound: in, home: talker.Home(), room: m.Room, name: name}}
}

// media implements linkEvents: the hot path of federation.
func (e *events) media(l *peerLink, st *link.Stream, m *wire.Media, tx *link.Tx) {
	f := (*Federation)(e)
	in, n, now := st.Owner.(*incoming), l.owner.(*partner), tx.Now()
	if !f.mayCome(in, l.id, now) {
		f.stats.refused.Add(1)
		return
	}
	v := in.take(m.CTR, now)
	f.logIngress(l, st, m, v)
	if v != verdictForward {
		return
	}
	st.Seen(m.CTR)
	out := in.out(now)
	if out == nil {
		f.stats.refused.Add(1)
		return
	}
	f.stats.ingress.Add(1)
	local, trunks := out.Forward(m, tx, tx.Short, tx.Long, n.egress)
	f.stats.local.Add(uint64(local))
	f.logForward(st, m.CTR, local, trunks)
}

// mayCome reports whether a stream may come over a link: whether that is the way from its home. It takes no lock while
// no route changes.
func (f *Federation) mayCome(in *incoming, from wire.RelayID, now time.Time) bool {
	routes := f.routes.Load()
	if c := in.checked.Load(); c != nil && c.routes == routes && now.Before(c.until) {
		return true
	}
	f.mu.Lock()
	ok := f.table.parent(in.home, in.room, from, now)
	f.mu.Unlock()
	if ok {
		in.checked.Store(&checked{routes, now.Add(checkedFor)})
	}
	return ok
}
