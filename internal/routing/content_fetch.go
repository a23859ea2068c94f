package routing

import (
	"cmp"
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// fetching is the state of getting a part's list from a peer: one at a time, for it may be long.
//
//	nothing --behind--> due --startFetch--> under way --complete, signed--> nothing
//	                     ^------- silence, wrong --------'
type fetching struct {
	due       time.Time // when it is asked for; zero: it is not to be
	notBefore time.Time

	from    *peer // under way: of whom it was asked
	begun   time.Time
	heard   time.Time // when the last new piece came
	version version   // of the pieces
	list    []member  // by index, checked as they come; zero: not here yet
	have    int
}

// behind reports whether a peer has a version of the part that we have not.
func (t *Table) behind(pt *part) bool {
	return slices.ContainsFunc(t.order, func(q *peer) bool { return pt.isAhead(q) })
}

// isAhead reports whether q has a newer version of the part, which is to be had.
func (pt *part) isAhead(q *peer) bool {
	a := q.parts[pt.key]
	return a != nil && a.route != nil && pt.content.version.max(pt.bad).less(a.route.version)
}

// planFetch decides whether the list is to be fetched, and when: at once, or when what is missing should have
// come.
func (t *Table) planFetch(pt *part, atOnce bool, now time.Time) {
	f := &pt.fetch
	switch {
	case pt.own || pt.forgotten:
		return
	case !t.behind(pt):
		t.endFetch(pt)
	case f.from == nil && (f.due.IsZero() || atOnce):
		f.due = now.Add(gapWait)
		if atOnce {
			f.due = now
		}
		if f.due.Before(f.notBefore) {
			f.due = f.notBefore
		}
		if !now.Before(f.due) {
			t.startFetch(pt, now)
		}
	}
	t.plan(pt, now)
}

// startFetch asks the peer that was asked longest ago, of those that have a newer version; of several the
// best one.
func (t *Table) startFetch(pt *part, now time.Time) {
	f := &pt.fetch
	var ready []*peer
	f.due = time.Time{}
	for _, q := range t.order {
		if !pt.isAhead(q) {
			continue
		}
		at := q.parts[pt.key].nextFetch()
		if q.fetches >= t.limits.fetches && at.Before(now.Add(gapWait)) {
			at = now.Add(gapWait)
		}
		if !now.Before(at) {
			ready = append(ready, q)
		} else {
			f.due = Soonest(f.due, at)
		}
	}
	if len(ready) == 0 {
		return
	}
	q := slices.MinFunc(ready, func(x, y *peer) int {
		if c := cmp.Compare(x.parts[pt.key].tries, y.parts[pt.key].tries); c != 0 {
			return c
		}
		a, _ := t.worth(pt.key, x)
		if b, _ := t.worth(pt.key, y); a.less(b) {
			return -1
		}
		return 1
	})
	a := q.parts[pt.key]
	a.fetched, a.tries = now, a.tries+1
	q.fetches++
	*f = fetching{from: q, begun: now, heard: now}
	t.send(q.id, wire.UrgentFederationFetch,
		wire.Append(nil, &wire.FederationFetch{Home: pt.key.Home, Room: pt.key.Room}))
}

// nextFetch returns when the peer may be asked for the list again.
func (a *adjacency) nextFetch() time.Time {
	if a.tries == 0 {
		if a.fetched.IsZero() {
			return a.fetched
		}
		return a.fetched.Add(fetchPause)
	}
	return a.fetched.Add(min(fetchPause<<min(a.tries-1, 10), fetchPauseMost))
}

// endFetch gives up what was fetched, and what was planned.
func (t *Table) endFetch(pt *part) {
	f := &pt.fetch
	if f.from != nil {
		f.from.fetches--
		t.dropList(pt)
	}
	*f = fetching{notBefore: f.notBefore}
}

// dropList forgets the pieces.
func (t *Table) dropList(pt *part) {
	f := &pt.fetch
	t.assembling -= len(f.list)
	f.from.assembling -= len(f.list)
	f.list, f.have, f.version = nil, 0, version{}
}

// retryFetch gives up what was fetched, and plans to ask again.
func (t *Table) retryFetch(pt *part, now time.Time) {
	t.endFetch(pt)
	t.planFetch(pt, true, now)
}

// checkFetch does what is due of a fetch.
func (t *Table) checkFetch(pt *part, now time.Time) {
	f := &pt.fetch
	switch {
	case f.from != nil && !now.Before(f.expires()):
		t.retryFetch(pt, now)
	case f.from == nil && !f.due.IsZero() && !now.Before(f.due):
		t.startFetch(pt, now)
	}
}

// expires returns when a fetch that is under way is given up.
func (f *fetching) expires() time.Time {
	return Soonest(f.heard.Add(fetchSilence), f.begun.Add(fetchMost))
}

// membersMessage takes a piece of a list that was asked for.
func (t *Table) membersMessage(q *peer, m *wire.FederationMembers, now time.Time) {
	key := PartKey{m.Home, m.Room}
	pt := t.parts[key]
	if pt == nil || pt.fetch.from != q {
		if a := q.parts[key]; a == nil || a.fetched.IsZero() || now.Sub(a.fetched) > deadFor {
			t.refuse(q.id, refusedUnasked)
		}
		return // it was asked for, and is not needed any more
	}
	f, v := &pt.fetch, version{m.Boot, m.Sequence}
	if !pt.content.version.less(v) || v.less(f.version) || v.boot < t.homes[key.Home].boot {
		return
	}
	if f.version.less(v) {
		if r := t.beginList(pt, v, m.Total); r != nil {
			t.refuse(q.id, r)
			f.notBefore = now.Add(fetchPause)
			t.retryFetch(pt, now)
			return
		}
	}
	if int(m.Total) != len(f.list) {
		t.refuse(q.id, refusedTotal)
		t.retryFetch(pt, now)
		return
	}
	for i, entry := range m.Entries {
		if at := int(m.First) + i; f.list[at].memberEntry == nil {
			f.list[at], f.heard = pt.check(entry), now
			f.have++
		}
	}
	t.tryList(pt, now)
	t.plan(pt, now)
}

// beginList makes space for a list of total entries.
func (t *Table) beginList(pt *part, v version, total uint32) *refusal {
	t.dropList(pt)
	f := &pt.fetch
	switch n := int64(total); {
	case n > int64(t.limits.members):
		return refusedMany
	case int64(t.assembling)+n > int64(t.limits.placesTotal),
		int64(f.from.assembling)+n > int64(t.limits.places):
		return refusedPlaces
	}
	f.version, f.list = v, make([]member, total)
	t.assembling += len(f.list)
	f.from.assembling += len(f.list)
	return nil
}

// tryList makes a list that is complete the content, if it is the one that the home signed; then the news
// that came meanwhile apply. The record may come after the list.
func (t *Table) tryList(pt *part, now time.Time) {
	f := &pt.fetch
	if f.from == nil || f.have == 0 || f.have < len(f.list) {
		return
	}
	if !pt.content.version.less(f.version) {
		t.dropList(pt) // news were faster
		return
	}
	r := pt.recordOf(f.version)
	if r == nil {
		return
	}
	record, from, list := *r, f.from, f.list
	if !signedList(&record, list) {
		t.refuse(from.id, refusedDigest)
		t.retryFetch(pt, now)
		return
	}
	admitted := t.admit(pt, from, f.version, list, list, now)
	t.endFetch(pt)
	if admitted {
		t.setContent(pt, from, &record, list, now)
		t.dropOld(pt)
		t.advance(pt, now)
	}
	t.update(pt, now)
	t.planFetch(pt, false, now)
}

// fetchMessage answers a peer that asks for the list of a part which it was told of.
func (t *Table) fetchMessage(q *peer, m *wire.FederationFetch, now time.Time) {
	key := PartKey{m.Home, m.Room}
	if key == (PartKey{}) {
		q.askedAll = true
		t.checkAskedAll(q, now)
		return
	}
	pt, a := t.parts[key], q.parts[key]
	if pt == nil || a == nil || a.out == nil || !pt.present() {
		return // it was told meanwhile that we do not reach the part
	}
	since := now.Sub(a.served)
	if since < servePause || since < serveSame && a.servedVersion == a.out.version {
		return // it is on its way
	}
	// It gets what it was told of: of what is newer it has no record yet.
	a.served, a.servedVersion = now, a.out.version
	list := &wire.FederationMembers{Home: key.Home, Room: key.Room, Boot: a.servedVersion.boot,
		Sequence: a.servedVersion.sequence, Total: uint32(len(a.out.members))}
	for i, p := range a.out.members {
		if len(list.Entries) > 0 && !list.Fits(p.entry) {
			t.send(q.id, wire.UrgentFederationMembers, wire.Append(nil, list))
			list.First, list.Entries = uint32(i), nil
		}
		list.Entries = append(list.Entries, p.entry)
	}
	t.send(q.id, wire.UrgentFederationMembers, wire.Append(nil, list))
}

// checkAskedAll tells q everything again, if it asked, since rooms became global there, and was not told just
// now.
func (t *Table) checkAskedAll(q *peer, now time.Time) {
	if !q.askedAll || now.Sub(q.told) < tellAllPause {
		return
	}
	q.askedAll, q.told = false, now
	for _, a := range q.parts {
		a.afresh = a.out != nil
	}
	t.announceAll(q, now)
}
