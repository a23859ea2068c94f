package federation

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/wire"
)

// announced is what a peer was told of a part.
type announced struct {
	version version
	way     []wire.RelayID // the path without ourselves
	label   string
	shaky   bool
	members []participant // of that version: the next one is told as the difference
}

func (a *announced) same(o *announced) bool {
	return a.version == o.version && a.label == o.label && a.shaky == o.shaky && slices.Equal(a.way, o.way)
}

// isShaky reports whether the sender's route goes over a link that is suspect. A message whose base is its own version
// says so; it tells path and version only, as a bare one. A receiver takes any other route before this one, and
// keeps the participants as long as there is none.
func isShaky(m *wire.FederationRoom) bool { return m.Base == m.Record.Sequence }

// announceAll tells q of all parts, our own ones first.
func (t *table) announceAll(q *neighbour, now time.Time) {
	all := t.partsWhere(func(partKey) bool { return true })
	for _, own := range []bool{true, false} {
		for _, pt := range all {
			if pt.own == own {
				t.announceTo(pt, q, now)
			}
		}
	}
}

// announce tells every peer what changed.
func (t *table) announce(pt *part, now time.Time) {
	for _, q := range t.order {
		t.announceTo(pt, q, now)
	}
}

// announceTo tells q of the part what it was not told yet.
func (t *table) announceTo(pt *part, q *neighbour, now time.Time) {
	a := q.parts[pt.key]
	ended := pt.content.signed() && len(pt.content.members) == 0
	if a == nil || a.out == nil {
		if !pt.present() || !t.mayReach(pt, q) {
			return
		}
		if a = q.adjacency(t, pt.key, now); a == nil {
			return // it announces and wants so much that there is no space for this
		}
	}
	switch {
	case !t.mayReach(pt, q), !pt.present() && !ended:
		t.sendLeave(q, pt.key)
		a.out = nil
	case ended:
		t.sendRoom(q, &wire.FederationRoom{Record: pt.content.record, Path: t.pathOf(pt)}, false)
		a.out = nil
	default:
		t.announceChange(pt, q, a, now)
	}
}

// announceChange tells q the route, and the participants in the shortest way, unless it knows.
func (t *table) announceChange(pt *part, q *neighbour, a *adjacency, now time.Time) {
	next := &announced{version: pt.content.version, members: pt.content.members}
	if !pt.own {
		next.way, next.label, next.shaky = pt.way.path, pt.way.label, pt.shaky
	}
	before := a.out
	if before != nil && before.same(next) {
		return
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
	if m.Size() > wire.MaxUrgent {
		m.Base, m.Left, m.Joined = 0, nil, nil // it asks for the list
	}
	if a.out = next; before == nil {
		a.outSince = now
	}
	t.sendRoom(q, m, next.shaky)
}

// mayReach reports whether q may be told of our route: split horizon, and the limit of hops.
func (t *table) mayReach(pt *part, q *neighbour) bool {
	if pt.own {
		return true
	}
	return pt.best != nil && len(pt.way.path) < t.limits.hops && !slices.Contains(pt.way.path, q.id)
}

// pathOf returns the path that we announce.
func (t *table) pathOf(pt *part) []wire.RelayID {
	path := []wire.RelayID{t.self}
	if pt.own {
		return path
	}
	return append(path, pt.way.path...)
}

// sendRoom sends m. If the route is shaky and m carries a change, that takes two messages; the one that is sent
// first has the higher serial, so that the route does not look sound in between.
func (t *table) sendRoom(q *neighbour, m *wire.FederationRoom, shaky bool) {
	carries := m.Base != 0 || len(m.Joined) > 0
	if shaky {
		bare := *m
		bare.Base, bare.Left, bare.Joined = m.Record.Sequence, nil, nil
		bare.Serial = q.serial + 1
		if carries {
			bare.Serial++
		}
		t.effects.send(q.id, wire.UrgentFederationRoom, wire.AppendFederationRoom(nil, &bare))
	}
	if !shaky || carries {
		m.Serial = q.serial + 1
		t.effects.send(q.id, wire.UrgentFederationRoom, wire.AppendFederationRoom(nil, m))
	}
	q.serial++
	if shaky && carries {
		q.serial++
	}
}

func (t *table) sendLeave(q *neighbour, key partKey) {
	q.serial++
	t.effects.send(q.id, wire.UrgentFederationLeave,
		wire.AppendFederationLeave(nil, &wire.FederationLeave{Serial: q.serial, Home: key.home, Room: key.room}))
}

// tellAll tells q everything again, as it does when a peer asks with the zero home and room, because rooms became
// global there.
func (t *table) tellAll(q *neighbour, now time.Time) {
	q.askedAll, q.told = false, now
	for _, a := range q.parts {
		a.out = nil
	}
	t.announceAll(q, now)
}
