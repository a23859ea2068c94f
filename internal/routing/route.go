package routing

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// route is how a peer reaches a part.
type route struct {
	path    []wire.RelayID // the peer first, the home last; immutable
	length  uint64         // pathLength of path
	label   string         // what the home's peer calls it
	version version        // which the peer has
	shaky   bool           // it goes over a link that the peer, or one behind it, suspects
}

// mostFormer bounds part.former.
const mostFormer = 8

// roomMessage takes what a peer says about its route to a part, and the part's version.
func (t *Table) roomMessage(q *peer, m *wire.FederationRoom, now time.Time) {
	if !t.isGlobal(m.Record.Room) {
		t.do(NotGlobal{q.id, m.Record.Room})
		return
	}
	key := PartKey{wire.RelayIDOf(m.Record.Home), wire.HashRoom(m.Record.Room)}
	if r := t.checkPath(q, key, m); r != nil {
		t.refuse(q.id, r)
		return
	}
	pt := t.parts[key]
	if pt != nil && (pt.home != m.Record.Home || pt.room != m.Record.Room) {
		t.refuse(q.id, refusedHome)
		return
	}
	a := q.parts[key]
	newer := a == nil || m.Serial > a.routeSerial
	if v := versionOf(&m.Record); v.less(t.least(key, pt)) {
		t.staleMessage(q, key, m, newer, now)
		return
	}
	if int64(m.Record.Members) > int64(t.limits.members) {
		t.tooMany(q, pt, &m.Record, now)
		return
	}
	if (a == nil || a.route == nil) && !t.fits(q, m.Path, false, now) {
		q.turnAway(now)
		t.refuse(q.id, refusedParts)
		return
	}
	if r := t.authentic(pt, &m.Record); r != nil { // which is dear, so it comes last
		t.refuse(q.id, r)
		return
	}
	if pt == nil && !newer {
		return // it was taken back meanwhile, and nobody else reaches the part
	}
	a = q.adjacency(t, key, now)
	if a == nil || newer && a.route == nil && !t.fits(q, m.Path, true, now) {
		q.turnAway(now)
		t.refuse(q.id, refusedParts)
		return
	}
	if pt = t.parts[key]; pt == nil {
		pt = t.newPart(key, q, m, now)
	}
	t.raiseBoot(pt, m.Record.Boot, now)
	pt.highest = pt.highest.max(versionOf(&m.Record))
	t.account(pt, q)
	if newer {
		if key.Home == q.id {
			q.unsettle(now)
		}
		t.acceptRoute(q, a, m)
	}
	t.makeSpace(pt, q, m, now)
	t.acceptContent(pt, q, m, now)
	t.update(pt, now)
}

// checkPath checks what can be checked without the signature, which is dear.
func (t *Table) checkPath(q *peer, key PartKey, m *wire.FederationRoom) *refusal {
	switch {
	case m.Path[0] != q.id:
		return refusedFirst
	case m.Path[len(m.Path)-1] != key.Home:
		return refusedLast
	case len(m.Path) > t.limits.hops:
		return refusedHops
	}
	for i, id := range m.Path {
		if id == t.self {
			return refusedLoop
		}
		if slices.Contains(m.Path[:i], id) {
			return refusedTwice
		}
	}
	return nil
}

// tooMany is for a version with more members than are taken. Nobody is shown then: whoever left would stay.
func (t *Table) tooMany(q *peer, pt *part, r *wire.RoomRecord, now time.Time) {
	t.refuse(q.id, refusedMany)
	v := versionOf(r)
	if pt == nil || !pt.content.version.less(v) || !pt.bad.less(v) || t.authentic(pt, r) != nil {
		return
	}
	t.rejectContent(pt, v, now)
	t.update(pt, now)
}

// least returns the least version of a part that is taken.
func (t *Table) least(key PartKey, pt *part) version {
	var least version
	if pt != nil {
		least = pt.floor.max(pt.content.version)
	} else {
		least, _ = t.floors.least(key)
	}
	if home := t.homes[key.Home]; home != nil {
		return least.max(version{boot: home.boot})
	}
	boot, _ := t.floors.least(bootKey(key.Home))
	return least.max(boot)
}

// staleMessage is for a version below that which is known. An honest peer may be late with it, as another one
// was faster; its path counts then, if its route was known. But who had a newer one, or is far too late,
// replays.
func (t *Table) staleMessage(q *peer, key PartKey, m *wire.FederationRoom, newer bool, now time.Time) {
	if !newer || m.Record.Members == 0 && t.parts[key] == nil {
		return
	}
	a := q.parts[key]
	v := versionOf(&m.Record)
	if a != nil && a.route != nil {
		if v.less(a.route.version) {
			t.refuse(q.id, refusedReplay)
			return
		}
		t.acceptRoute(q, a, m)
		if pt := t.parts[key]; pt != nil {
			t.update(pt, now)
		}
		return
	}
	_, since := t.floors.least(key)
	if pt := t.parts[key]; pt != nil {
		since = pt.content.since
	}
	if now.Sub(since) > lateFor {
		t.refuse(q.id, refusedReplay)
		return
	}
	if a = q.adjacency(t, key, now); a != nil {
		a.routeSerial = m.Serial
	}
}

// newPart makes a part, which a verified record names.
func (t *Table) newPart(key PartKey, q *peer, m *wire.FederationRoom, now time.Time) *part {
	pt := &part{key: key, home: m.Record.Home, room: m.Record.Room, opener: q.id}
	pt.floor, pt.owners = t.floors.remove(key)
	pt.content.since = now
	t.parts[key] = pt
	home := t.homes[key.Home]
	if home == nil {
		least, owners := t.floors.remove(bootKey(key.Home))
		home = &homeState{boot: least.boot, owners: owners}
		t.homes[key.Home] = home
	}
	home.parts++
	return pt
}

// raiseBoot ends everything of a home's earlier boots: it has restarted. The content of pt, of which the new
// boot was heard, stays until acceptContent has seen whether the new one came along.
func (t *Table) raiseBoot(pt *part, boot uint64, now time.Time) {
	home := t.homes[pt.key.Home]
	if boot <= home.boot {
		return
	}
	home.boot = boot
	for _, other := range t.partsWhere(func(k PartKey) bool { return k.Home == pt.key.Home }) {
		for _, a := range t.states(other.key) {
			if a.route != nil && a.route.version.boot < boot {
				a.route = nil
			}
		}
		t.dropPending(other)
		t.endFetch(other)
		if other != pt {
			other.lingers, other.best = time.Time{}, nil
			t.update(other, now)
		}
	}
}

// leaveMessage takes that a peer does not reach a part any more.
func (t *Table) leaveMessage(q *peer, m *wire.FederationLeave, now time.Time) {
	key := PartKey{m.Home, m.Room}
	a := q.adjacency(t, key, now)
	if a == nil {
		t.refuse(q.id, refusedParts)
		return
	}
	if m.Serial <= a.routeSerial {
		return
	}
	a.routeSerial, a.away, a.route = m.Serial, true, nil
	if pt := t.parts[key]; pt != nil && !pt.own {
		t.update(pt, now)
	}
}

// acceptRoute stores the route of a message that is newer than what was known.
func (t *Table) acceptRoute(q *peer, a *adjacency, m *wire.FederationRoom) {
	a.routeSerial, a.away = m.Serial, false
	label := q.label // of its own parts we use our label
	if len(m.Path) > 1 {
		label = t.notOurs(m.Path[len(m.Path)-1], m.Label)
	}
	a.route = &route{path: m.Path, length: pathLength(t.self, m.Path), label: label,
		version: versionOf(&m.Record), shaky: isShaky(m)}
}

// forget ends a part that nobody reaches any more. Its version is remembered.
func (t *Table) forget(pt *part, now time.Time) {
	if pt.forgotten {
		return
	}
	pt.forgotten = true
	delete(t.parts, pt.key)
	delete(t.due, pt.key)
	if pt.own {
		return
	}
	least := pt.floor.max(pt.highest)
	if pt.content.signed() && pt.content.version == pt.highest && len(pt.content.members) == 0 {
		least.sequence++ // it ended: the end itself is old now, too
	}
	t.floors.store(pt.key, least, pt.owners, now)
	t.dropPending(pt)
	t.endFetch(pt)
	t.holdContent(pt, content{})
	home := t.homes[pt.key.Home]
	if home.parts--; home.parts == 0 {
		delete(t.homes, pt.key.Home)
		t.floors.store(bootKey(pt.key.Home), version{boot: home.boot}, home.owners, now)
	}
}
