package federation

import (
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/internal/callpath"
	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/peer"
	"github.com/wzp-voice/wzp/internal/wire"
)

// livePeer is a peer whose link is up. It is who uses the link.
type livePeer struct {
	federation *Federation
	id         wire.RelayID
	label      string
	link       peerLink
	trunk      *trunk
	intake     *intake
	group      budget.Group // whose share in a room what comes over the link counts in
	early      early
	inbox      inbox
	down       atomic.Bool // what still comes is dropped

	// Owned by run:
	parked []parked // messages that wait, the oldest first

	refused atomic.Int64              // what came by a way that is not its own, since warned
	warned  atomic.Pointer[time.Time] // when that was logged last; not the wall clock's, which may be set
}

// attrs says in the log which peer is meant.
func (p *livePeer) attrs(more ...any) []any {
	return append([]any{"peer", p.label, "relay", p.id.String()}, more...)
}

// cutFor is for how long a peer that was cut may not come back.
const cutFor = 5 * time.Minute

// linkUp begins to use a link.
func (f *Federation) linkUp(l *peer.Link) peer.Handler {
	p := &livePeer{federation: f, id: l.ID, label: l.Label, link: l, trunk: newTrunk(l),
		group: budget.Group{Link: true, ID: budget.ID(l.ID[:])}}
	p.trunk.peer, p.trunk.events = p.id, f.packets
	p.intake = newIntake(intakeLimits{}, intakeReports{
		throttled: func(why string, dropped uint64) {
			f.later(func(time.Time) {
				f.log.Warn("a peer sends too much; the rest is dropped",
					p.attrs("why", why, "dropped", dropped)...)
			})
		},
		cut: func(reason string) { f.links.Cut(l, reason, cutFor) },
	})
	f.packets.Log(eventlog.Event{Kind: eventlog.PeerUp, Peer: p.id, Name: p.label})
	f.later(func(now time.Time) {
		f.decide(func() {
			f.live[p.id] = p
			f.table.Up(p.id, p.label, now)
		})
		f.decideCalls(func(t *callpath.Table) { t.Up(p.id) })
		f.decidePresence(func() { f.who.Up(p.id, l.Key(), p.label, f.word(p.id), now) })
	})
	return p
}

// Down implements peer.Handler.
func (p *livePeer) Down(why string) {
	f := p.federation
	p.down.Store(true)
	p.trunk.close()
	f.packets.Log(eventlog.Event{Kind: eventlog.PeerDown, Peer: p.id, Reason: why})
	f.later(func(now time.Time) {
		f.decide(func() {
			delete(f.live, p.id)
			delete(f.parked, p)
			f.stats.egress.Add(p.trunk.total().Frames)
			f.table.Down(p.id, now)
		})
		f.decideCalls(func(t *callpath.Table) { t.Down(callpath.PeerLeg(p.id), now) })
		f.decidePresence(func() { f.who.Down(p.id, now) })
		f.decideRoutes(func() { f.resolver.PeerDown(p.id, now) })
	})
}

// Suspect implements peer.Handler.
func (p *livePeer) Suspect(suspect bool) {
	f := p.federation
	f.later(func(now time.Time) {
		f.decide(func() { f.table.Suspect(p.id, suspect, now) })
		f.decideCalls(func(t *callpath.Table) { t.Suspect(p.id, suspect) })
		f.decideRoutes(func() { f.resolver.Suspect(p.id, suspect) })
	})
}

// Urgent implements peer.Handler. It only takes the message; run reads it.
func (p *livePeer) Urgent(kind wire.UrgentKind, body []byte) (taken bool) {
	allow := p.intake.allowUrgent
	if callpath.Kind(kind) {
		allow = p.intake.allowCall
	}
	if p.down.Load() || !allow(time.Now()) || !p.inbox.put(kind, body) {
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
	if !p.intake.allowMedia(m.Room, now) {
		return nil
	}
	if path := f.calls.media.find(m.Room); path != nil {
		in := path.bind(f, callLeg{peer: p}, m)
		if in == nil {
			f.refuse(p, "media of a call, of whose path it is no leg")
		}
		return in
	}
	in := &incoming{Stream: link.Stream{KID: m.KID, Room: m.Room}, federation: f, from: p}
	switch in.locate(now) {
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
