package routing

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// announced is what a peer was told of a part.
type announced struct {
	version version
	way     []wire.RelayID // the path without ourselves
	label   string
	shaky   bool
	members []member // of that version: the next one is told as the difference
}

func (a *announced) same(o *announced) bool {
	return a.version == o.version && a.label == o.label && a.shaky == o.shaky && slices.Equal(a.way, o.way)
}

// isShaky reports whether the sender's route goes over a link that is suspect. A message whose base is its
// own version says so; it tells path and version only, as a bare one. A receiver takes any other route before
// this one, and keeps the members as long as there is none.
func isShaky(m *wire.FederationRoom) bool { return m.Base == m.Record.Sequence }

// announceAll tells q of all parts, our own ones first.
func (t *Table) announceAll(q *peer, now time.Time) {
	all := t.partsWhere(func(PartKey) bool { return true })
	for _, own := range []bool{true, false} {
		for _, pt := range all {
			if pt.own == own {
				t.announceTo(pt, q, now)
			}
		}
	}
}

// announce tells every peer what changed.
func (t *Table) announce(pt *part, now time.Time) {
	t.track(pt)
	for _, q := range t.order {
		t.announceTo(pt, q, now)
	}
}

// announceTo has q told of the part what it was not told yet: now, or when it has acknowledged what is under
// way.
func (t *Table) announceTo(pt *part, q *peer, now time.Time) {
	a, next := q.parts[pt.key], t.nextFor(pt, q)
	if a == nil {
		if next == nil {
			return
		}
		if a = q.adjacency(t, pt.key, now); a == nil {
			return // it announces and wants so much that there is no space for this
		}
	}
	a.offer.renew(next != nil, a.wants, now)
	switch ended := pt.content.signed() && len(pt.content.members) == 0; {
	case ended && a.out != nil && t.mayReach(pt, q):
		a.ending = &wire.FederationRoom{Record: pt.content.record, Path: t.pathOf(pt)}
	case !pt.forgotten:
		a.ending = nil
	}
	if !a.knows(next) {
		t.tellSoon(pt, q, a, now)
	}
}

// nextFor returns what q is to be told of the part; nil: nothing, or that we do not reach it.
func (t *Table) nextFor(pt *part, q *peer) *announced {
	if pt == nil || pt.forgotten || !pt.present() || !t.mayReach(pt, q) {
		return nil
	}
	next := &announced{version: pt.content.version, members: pt.content.members}
	if !pt.own {
		next.way, next.label, next.shaky = pt.way.path, pt.way.label, pt.shaky
	}
	return next
}

// knows reports whether the peer was told that already.
func (a *adjacency) knows(next *announced) bool {
	if next == nil {
		return a.out == nil
	}
	return a.out != nil && !a.afresh && a.out.same(next)
}

// tellNow tells q the newest state of a part; pt is nil or forgotten if it is gone.
func (t *Table) tellNow(key PartKey, pt *part, q *peer, a *adjacency, now time.Time) {
	next := t.nextFor(pt, q)
	if a.worsens(next) {
		if until := a.damping.until(now); !until.IsZero() {
			if q.outgoing.hold(key, until); next == nil {
				return
			}
			next.shaky = false // for the moment; what else has changed is told
		} else {
			defer a.damping.note(now)
		}
	}
	switch {
	case a.knows(next):
		return
	case next != nil:
		t.announceChange(pt, q, a, next)
	case a.ending != nil:
		t.sendRooms(q, key, a, []*wire.FederationRoom{a.ending}, false)
		a.out = nil
	default:
		q.serial++
		t.tell(q, a, wire.UrgentFederationLeave,
			wire.Append(nil, &wire.FederationLeave{Serial: q.serial, Home: key.Home, Room: key.Room}),
			Receipt{key: key})
		a.out = nil
	}
	a.afresh, a.ending = false, nil
}

// worsens reports whether the peer is told of a sound route, or of a shaky one, and it is to be told of a
// worse one, or none. That the home has ended its part is another thing.
func (a *adjacency) worsens(next *announced) bool {
	if a.out == nil || next == nil && a.ending != nil {
		return false
	}
	return next == nil || next.shaky && !a.out.shaky
}

// announceChange tells q the route, and the members in the shortest way.
func (t *Table) announceChange(pt *part, q *peer, a *adjacency, next *announced) {
	before := a.out
	if a.afresh {
		before = nil
	}
	m := &wire.FederationRoom{Record: pt.content.record, Path: t.pathOf(pt), Label: next.label}
	switch {
	case a.route != nil && !a.route.version.less(next.version): // it said itself that it has this version
	case before == nil || before.version.boot != next.version.boot:
		m.Joined = entriesOf(next.members)
	case before.version != next.version:
		left, joined := difference(before.members, next.members)
		m.Base, m.Left, m.Joined = before.version.sequence, idsOf(left), entriesOf(joined)
	}
	list := []*wire.FederationRoom{m}
	if wire.Size(m) > wire.MaxUrgent {
		if list = pt.steps(before, m); list == nil {
			m.Base, m.Left, m.Joined = 0, nil, nil // it asks for the list
			list = []*wire.FederationRoom{m}
		}
	}
	a.out = next
	t.sendRooms(q, pt.key, a, list, next.shaky)
}

// mayReach reports whether q may be told of our route: split horizon, and the limit of hops.
func (t *Table) mayReach(pt *part, q *peer) bool {
	if pt.own {
		return true
	}
	return pt.best != nil && len(pt.way.path) < t.limits.hops && !slices.Contains(pt.way.path, q.id)
}

// pathOf returns the path that we announce.
func (t *Table) pathOf(pt *part) []wire.RelayID {
	path := []wire.RelayID{t.self}
	if pt.own {
		return path
	}
	return append(path, pt.way.path...)
}

// sendRooms sends the messages of one announcement, which differ in their versions only, the newest last. If
// the route is shaky, and they carry changes, that is said by another one; it is sent first and has the
// highest serial, so that the route does not look sound in between.
func (t *Table) sendRooms(q *peer, key PartKey, a *adjacency, list []*wire.FederationRoom, shaky bool) {
	last := list[len(list)-1]
	carries := len(list) > 1 || last.Base != 0 || len(last.Joined) > 0
	if shaky {
		bare := *last
		bare.Base, bare.Left, bare.Joined = last.Record.Sequence, nil, nil
		if !carries {
			list = nil
		}
		bare.Serial = q.serial + uint64(len(list)) + 1
		t.tell(q, a, wire.UrgentFederationRoom, wire.Append(nil, &bare), Receipt{key: key})
	}
	for _, m := range list {
		q.serial++
		m.Serial = q.serial
		t.tell(q, a, wire.UrgentFederationRoom, wire.Append(nil, m), Receipt{key: key})
	}
	if shaky {
		q.serial++
	}
}
