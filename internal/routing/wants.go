package routing

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// wantMessage takes whether a peer wants a part's media from us. It holds until the peer takes it back, also
// while there is no such part: the peer does not say it again when the part returns.
func (t *Table) wantMessage(q *peer, m *wire.FederationWant, now time.Time) {
	key := PartKey{m.Home, m.Room}
	a := q.adjacency(t, key, now)
	if a == nil {
		t.refuse(q.id, refusedParts)
		return
	}
	if m.Serial <= a.wantSerial {
		return
	}
	a.wantSerial, a.wants = m.Serial, m.Want
	a.offer.answered(m.Want)
	if pt := t.parts[key]; pt != nil {
		t.update(pt, now)
	}
}

// updateWants asks the best peer for the part's media if somebody here or behind another peer wants it, and
// nobody else. The former best one is told late, so that nothing is missing while the new one begins.
func (t *Table) updateWants(pt *part, now time.Time) {
	if pt.own {
		return
	}
	need := pt.present() && t.needed(pt, now)
	for q, a := range t.states(pt.key) {
		switch {
		case need && q == pt.best:
			a.unwantAt, a.unwant = time.Time{}, false
			if !a.asked {
				t.want(q, pt.key, a, true)
			}
		case !a.asked:
		case !need, q.suspect, a.route == nil, a.unwant, !a.unwantAt.IsZero() && !now.Before(a.unwantAt):
			t.want(q, pt.key, a, false)
		case a.unwantAt.IsZero():
			a.unwantAt = now.Add(unwantLate)
		}
	}
}

// needed reports whether anybody wants the part's media from us: members of ours in the room, or a peer that
// is not the one we have it from.
func (t *Table) needed(pt *part, now time.Time) bool {
	if t.parts[PartKey{t.self, pt.key.Room}] != nil {
		return true
	}
	for q, a := range t.states(pt.key) {
		if t.goesTo(pt, q, a, now) {
			return true
		}
	}
	return false
}

// want tells q whether its media is wanted, as soon as it may be told.
func (t *Table) want(q *peer, key PartKey, a *adjacency, want bool) {
	r := Receipt{key, true}
	if !q.outgoing.mayTell(&a.wanting, t.wantedBy(key), r) {
		a.unwant, a.unwantAt = !want, time.Time{} // it does not wait for another second
		return
	}
	q.serial++
	a.asked, a.unwant, a.unwantAt = want, false, time.Time{}
	t.tell(q, a, wire.UrgentFederationWant, wire.Append(nil,
		&wire.FederationWant{Serial: q.serial, Home: key.Home, Room: key.Room, Want: want}), r)
}

// assumeFor is for how long a peer to which we just became a way to a part is taken to want its media, until
// it says so.
const assumeFor = time.Second

// offering is since when we are a way to a part for a peer, and what the peer makes of it.
type offering struct {
	stands   bool
	since    time.Time
	wanted   bool // it wanted the part already: a no, if it comes first, is about the one that just ended
	declined bool // it does not want this one
}

// renew notes whether we are a way to the part, whose media the peer wants or not so far.
func (o *offering) renew(stands, wants bool, now time.Time) {
	switch {
	case !stands:
		o.stands = false
	case !o.stands:
		*o = offering{stands: true, since: now, wanted: wants}
	}
}

// answered notes what the peer says.
func (o *offering) answered(wants bool) {
	o.declined = !wants && !o.wanted
	o.wanted = false
}

// open reports whether the peer may not have answered yet.
func (o *offering) open(now time.Time) bool {
	return o.stands && !o.declined && now.Before(o.since.Add(assumeFor))
}

// assumes reports whether q is taken to want a part that it is about to be told of, or was a moment ago:
// whoever is the first to talk must be heard from the first word, and not from a round trip later. It is so
// only if there are members of the room behind q, and as long as q has not shown that it has another way to
// the part.
func (t *Table) assumes(pt *part, q *peer, a *adjacency, now time.Time) bool {
	if a.route != nil || !a.offer.open(now) {
		return false
	}
	return slices.ContainsFunc(t.partsIn(pt.key.Room), func(other *part) bool {
		return other != pt && other.best == q && other.present()
	})
}

// goesTo reports whether the part's media goes to a peer, if we have it.
func (t *Table) goesTo(pt *part, q *peer, a *adjacency, now time.Time) bool {
	return q != pt.best && (a.wants || t.assumes(pt, q, a, now))
}

// updateTrunks says where the part's media goes.
func (t *Table) updateTrunks(pt *part, now time.Time) {
	var to []wire.RelayID
	if pt.present() {
		for q, a := range t.states(pt.key) {
			if t.goesTo(pt, q, a, now) {
				to = append(to, q.id)
			}
		}
	}
	if slices.Equal(to, pt.trunks) {
		return
	}
	pt.trunks = to
	home := pt.key.Home
	if pt.own {
		home = wire.RelayID{}
	}
	t.do(Trunks{home, pt.room, to})
}
