package routing

import (
	"iter"
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// partsWhere returns the parts whose key f takes, by key. What is done to one of them may end others.
func (t *Table) partsWhere(f func(PartKey) bool) []*part {
	var list []*part
	for key, pt := range t.parts {
		if f(key) {
			list = append(list, pt)
		}
	}
	slices.SortFunc(list, func(a, b *part) int { return a.key.compare(b.key) })
	return list
}

// partsIn returns the parts of a room.
func (t *Table) partsIn(room wire.RoomHash) []*part {
	return t.partsWhere(func(k PartKey) bool { return k.Room == room })
}

// partsOf returns the parts that have a state on the link to q, and q's own: that it says nothing of one is a
// state, too.
func (t *Table) partsOf(q *peer) []*part {
	return t.partsWhere(func(k PartKey) bool { return q.parts[k] != nil || k.Home == q.id })
}

// states returns the peers on whose links a part has a state, in their order.
func (t *Table) states(key PartKey) iter.Seq2[*peer, *adjacency] {
	return func(yield func(*peer, *adjacency) bool) {
		for _, q := range t.order {
			if a := q.parts[key]; a != nil && !yield(q, a) {
				return
			}
		}
	}
}

// adjacency returns the state of a part on the link, which is made if need be; nil if the peer has too many.
func (q *peer) adjacency(t *Table, key PartKey, now time.Time) *adjacency {
	a := q.parts[key]
	if a == nil {
		// What we announce has space of its own, or a peer that floods would not be told of anything any
		// more.
		most := 3*t.limits.parts + len(t.parts)
		if key.Home == q.id {
			most += t.limits.parts // nor may what it passes on use up the space of its own parts
		}
		if len(q.parts) >= most && now.Sub(q.swept) >= sweepPause {
			q.sweepOf(lateFor, now)
		}
		if len(q.parts) >= most {
			return nil
		}
		a = &adjacency{}
		q.parts[key] = a
	}
	a.touched = now
	return a
}

// sweep forgets the serials of what was over long ago: no message about it is on its way any more.
func (q *peer) sweep(now time.Time) {
	if now.Sub(q.swept) >= deadFor/4 {
		q.sweepOf(deadFor, now)
	}
}

func (q *peer) sweepOf(age time.Duration, now time.Time) {
	q.swept = now
	for key, a := range q.parts {
		if a.dead() && now.Sub(a.touched) > age {
			delete(q.parts, key)
		}
	}
}

// Soonest returns the earlier of two times, of which zero is never.
func Soonest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// plan computes when something of the part is due.
func (t *Table) plan(pt *part, now time.Time) {
	if pt.forgotten {
		return
	}
	pt.next = pt.showNext
	due := func(at time.Time) { pt.next = Soonest(pt.next, at) }
	if pt.best == nil && pt.lingering(now) {
		due(pt.lingers)
	}
	if pt.fetch.from != nil {
		due(pt.fetch.expires())
	} else {
		due(pt.fetch.due)
	}
	for _, a := range t.states(pt.key) {
		if a.asked {
			due(a.unwantAt)
		}
		if a.offer.open(now) && !a.wants {
			due(a.offer.since.Add(assumeFor)) // what assumes says changes then
		}
	}
	home := t.peers[pt.key.Home]
	if home != nil && !home.suspect && !home.reaches(pt.key) && now.Before(home.settledAt) {
		due(home.settledAt) // detours end then
	}
	if pt.next.IsZero() {
		delete(t.due, pt.key)
	} else {
		t.due[pt.key] = pt
	}
}

// Tick does what is due and returns when the next is; the zero time says that nothing is.
func (t *Table) Tick(now time.Time) (next time.Time) {
	var list []*part
	for _, pt := range t.due {
		if !now.Before(pt.next) {
			list = append(list, pt)
		}
	}
	slices.SortFunc(list, func(a, b *part) int { return a.key.compare(b.key) })
	for _, pt := range list {
		if !pt.own {
			t.checkFetch(pt, now)
		}
		t.update(pt, now)
	}
	for _, q := range t.order {
		t.checkAskedAll(q, now)
		if q.askedAll {
			next = Soonest(next, q.told.Add(tellAllPause))
		}
		next = Soonest(next, t.checkTurnedAway(q, now))
		next = Soonest(next, t.checkHeld(q, now))
	}
	for _, pt := range t.due {
		next = Soonest(next, pt.next)
	}
	return next
}

// Configure says which rooms are global now. Those that are not any more end here, our own parts too; of
// those that are now peers are asked, and our own members are to be told by local.
func (t *Table) Configure(isGlobal func(room string) bool, now time.Time) {
	t.isGlobal = isGlobal
	for _, pt := range t.partsWhere(func(PartKey) bool { return true }) {
		switch {
		case isGlobal(pt.room):
		case pt.own:
			t.SetLocal(pt.room, nil, now)
		default:
			for _, a := range t.states(pt.key) {
				a.route = nil
			}
			pt.best = nil // nothing lingers
			pt.lingers = time.Time{}
			t.update(pt, now)
		}
	}
	for _, q := range t.order {
		t.send(q.id, wire.UrgentFederationFetch, wire.Append(nil, &wire.FederationFetch{}))
	}
}

// Counts returns how many parts are reached by p, and how many members they have.
func (t *Table) Counts(p wire.RelayID) (parts, members int) {
	for _, pt := range t.parts {
		if pt.best != nil && pt.best.id == p {
			parts++
			members += len(pt.content.members)
		}
	}
	return parts, members
}
