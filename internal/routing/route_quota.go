package routing

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// A peer announces its own parts and those that it passes on, which others may have made up without end. So
// what it passes on has a share of its quota only, its own parts have precedence, and who is behind it shares
// fairly: what is counted is by which of its peers a part comes to the peer, which an honest peer knows for
// sure, whatever is said to be behind that peer. Among parts that come by the same peer those with the
// shortest paths stay.

// passedShare returns how many parts a peer may pass on.
func (l *limits) passedShare() int { return l.parts - l.parts/4 }

// through is by which peer a part comes to the peer that announces it with the path, and is not that peer's
// own.
func through(path []wire.RelayID) wire.RelayID { return path[1] }

// routesOf counts the routes of a peer, those that it passes on, and of these how many come by which of its
// peers.
func (q *peer) routesOf() (all, passed int, passedBy map[wire.RelayID]int) {
	passedBy = map[wire.RelayID]int{}
	for _, a := range q.parts {
		if a.route == nil {
			continue
		}
		all++
		if len(a.route.path) > 1 {
			passed++
			passedBy[through(a.route.path)]++
		}
	}
	return all, passed, passedBy
}

// fits reports whether there is space for another route of q, or may be made. With evict it is made.
func (t *Table) fits(q *peer, path []wire.RelayID, evict bool, now time.Time) bool {
	if len(q.parts) < t.limits.passedShare() {
		return true // no need to count
	}
	own := len(path) == 1
	all, passed, passedBy := q.routesOf()
	if all < t.limits.parts && (own || passed < t.limits.passedShare()) {
		return true
	}
	key, ok := q.lastRoute(path, passedBy)
	if !ok || !evict {
		return ok
	}
	q.parts[key].route = nil
	q.turnAway(now)
	if pt := t.parts[key]; pt != nil {
		t.update(pt, now)
	}
	return true
}

// lastRoute returns the first of the routes that make way for one with the given path. passedBy is how many
// routes come by which peer of q.
func (q *peer) lastRoute(path []wire.RelayID, passedBy map[wire.RelayID]int) (last PartKey, ok bool) {
	var worst passenger
	for key, a := range q.parts {
		if a.route == nil || len(a.route.path) == 1 {
			continue
		}
		by := through(a.route.path)
		p := passenger{key: key, by: by, hops: len(a.route.path), load: passedBy[by]}
		yields := len(path) == 1 || p.yields(through(path), len(path), passedBy[through(path)]+1)
		if yields && (!ok || p.before(&worst)) {
			worst, ok = p, true
		}
	}
	return worst.key, ok
}

// passenger is a part that a peer passes on.
type passenger struct {
	key  PartKey
	by   wire.RelayID
	hops int
	load int // what comes by the same peer of the peer in all
	size int // members
}

// yields reports whether a part makes way for another one that the peer passes on: if by is given less that
// way, or the path is shorter.
func (p *passenger) yields(by wire.RelayID, hops, load int) bool {
	return p.load > load || p.by == by && p.hops > hops
}

// before orders parts that have to make way.
func (p *passenger) before(o *passenger) bool {
	switch {
	case p.load != o.load:
		return p.load > o.load
	case p.hops != o.hops:
		return p.hops > o.hops
	}
	return p.key.compare(o.key) > 0
}

// makeSpace makes space for a version with more members that a peer announces, by hiding parts that make way.
// If there is none, the part is hidden in whole, for who was in it may have left; its list is not taken, and
// asked for again later.
func (t *Table) makeSpace(pt *part, from *peer, m *wire.FederationRoom, now time.Time) {
	v, more := versionOf(&m.Record), int(m.Record.Members)-len(pt.content.members)
	if more <= 0 || !pt.content.version.less(v) || !pt.bad.less(v) {
		return
	}
	excess := from.members + more - t.limits.fromPeer
	if excess <= 0 || t.hideSome(from, pt, from, excess, more, now) {
		big := from
		for _, q := range t.order {
			if q.members > big.members {
				big = q
			}
		}
		excess = t.members + more - t.limits.total
		if excess <= 0 || t.hideSome(big, pt, from, excess, more, now) {
			return
		}
	}
	if m.Base != 0 || len(m.Joined) == 0 { // else it is refused when the list is looked at
		t.refuse(from.id, refusedSpace)
	}
	t.hide(pt, v, now)
}

// hideSome hides parts that came from q, until it has given up excess members, for a part that comes from
// another peer or q itself. If it cannot give up that many, it gives up none.
func (t *Table) hideSome(q *peer, pt *part, from *peer, excess, more int, now time.Time) bool {
	if q != from && q.members-excess < from.members+more {
		return false // that would be unfair to q
	}
	list, loads := t.passengers(q, pt)
	var hidden []passenger
	for excess > 0 {
		worst := -1
		for i := range list {
			p := &list[i]
			p.load = loads[p.by]
			if t.gives(q, pt, from, p, loads, more) && (worst < 0 || p.before(&list[worst])) {
				worst = i
			}
		}
		if worst < 0 {
			return false
		}
		p := list[worst]
		list = slices.Delete(list, worst, worst+1)
		loads[p.by] -= p.size
		excess -= p.size
		hidden = append(hidden, p)
	}
	for _, p := range hidden {
		if other := t.parts[p.key]; other != nil {
			t.hide(other, other.content.version, now)
			t.update(other, now)
			t.planFetch(other, false, now)
		}
	}
	return true
}

// gives reports whether p, which came from q, makes way for pt, which comes from a peer.
func (t *Table) gives(q *peer, pt *part, from *peer, p *passenger, loads map[wire.RelayID]int,
	more int) bool {
	if q != from {
		return true // own parts of q have no load, and are the last
	}
	a := from.parts[pt.key]
	switch {
	case p.hops == 1 || a == nil || a.route == nil:
		return false
	case len(a.route.path) == 1:
		return true
	}
	by := through(a.route.path)
	return p.yields(by, len(a.route.path), loads[by]+more)
}

// passengers returns the parts but pt whose members came from q, and how many came by each of q's peers.
func (t *Table) passengers(q *peer, pt *part) (list []passenger, loads map[wire.RelayID]int) {
	loads = map[wire.RelayID]int{}
	for key, a := range q.parts {
		other := t.parts[key]
		if a.route == nil || other == nil || other.content.source != q || len(other.content.members) == 0 {
			continue
		}
		p := passenger{key: key, hops: len(a.route.path), size: len(other.content.members)}
		if p.hops > 1 {
			p.by = through(a.route.path)
			loads[p.by] += p.size
		}
		if other != pt {
			list = append(list, p)
		}
	}
	return list, loads
}

// hide shows nobody of a part for whose version v there is no space. An older one does not come back.
func (t *Table) hide(pt *part, v version, now time.Time) {
	pt.floor = pt.floor.max(v)
	pt.fetch.notBefore = now.Add(spacePause << min(pt.hidden, 5))
	pt.hidden++
	t.holdContent(pt, content{since: now})
}

// turnAway notes that something of q was refused, or ended, for want of space.
func (q *peer) turnAway(now time.Time) {
	if q.turnedAway {
		return
	}
	q.turnedAway = true
	if q.askPause = min(2*q.askPause, askPauseMost); q.askPause == 0 || now.Sub(q.askAt) > q.askPause {
		q.askPause = askPause
	}
	q.askAt = now.Add(q.askPause)
}

// checkTurnedAway asks q to announce everything again when there is space for what was turned away, and
// returns when it will; zero: not before something ends.
func (t *Table) checkTurnedAway(q *peer, now time.Time) (at time.Time) {
	if !q.turnedAway {
		return at
	}
	if all, passed, _ := q.routesOf(); all >= t.limits.parts || passed >= t.limits.passedShare() {
		return at
	}
	if now.Before(q.askAt) {
		return q.askAt
	}
	q.turnedAway = false
	t.send(q.id, wire.UrgentFederationFetch, wire.Append(nil, &wire.FederationFetch{}))
	return at
}
