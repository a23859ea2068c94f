package routing

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// A peer is told of a part one announcement at a time, and whether its media is wanted likewise. What changes
// before the peer has acknowledged that is told afterwards, all at once: the newest state as the difference
// to the one that it has. So a part that changes a thousand times a second is told as often as the peer can
// follow, whoever changes it, and what waits does not grow.
//
//	change ──> nothing of this part under way? ── no ──> dirty ── acknowledged ──+
//	             | yes                                                           v
//	             v                                    turns: one part of each origin after the other
//	           fewer than mostTold messages under way? ── no ────────────────────^ |
//	             | yes                                                             | one is acknowledged
//	             v                                                                 v
//	           tellNow, updateWants <----------------------------------------------+

// mostTold bounds the messages under way to a peer that tell of parts, before others wait for their turn. It
// is few enough for the session's window, where keys need room too, and enough for some 200 a second over 300
// ms.
const mostTold = 64

// Receipt says what a message that the peer has acknowledged was about.
type Receipt struct {
	key  PartKey
	want bool // a want; else an announcement
}

// telling is what is under way, or waits, about one part to one peer.
type telling struct {
	announcing turn
	afresh     bool                 // all of it is to be told again
	ending     *wire.FederationRoom // how the home's part ended, while that is not told
	damping    damping

	wanting turn
	unwant  bool // the peer is to be told, as soon as it may be, that its media is not wanted any more
}

// turn is what is under way, or waits, of one kind: announcements of the part, or wants.
type turn struct {
	messages int  // under way
	dirty    bool // what they say has changed since
	queued   bool // it waits for its turn
}

func (u *turn) busy() bool { return u.messages > 0 || u.queued }

// of returns the turn of what a receipt is for.
func (a *telling) of(r Receipt) *turn {
	if r.want {
		return &a.wanting
	}
	return &a.announcing
}

// outgoing is what is under way, or waits, to one peer.
type outgoing struct {
	underWay int // messages
	order    []wire.RelayID
	waiting  map[wire.RelayID][]Receipt // by origin, of which order has those whose list is not empty
	held     map[PartKey]time.Time      // parts whose bad news is held back until then
	nextHeld time.Time                  // not after the first of these
}

func (o *outgoing) full() bool { return o.underWay >= mostTold }

// push has r wait for a turn of origin's: that is who caused it, so that one peer with much to say does not
// hold up others.
func (o *outgoing) push(origin wire.RelayID, r Receipt) {
	if o.waiting == nil {
		o.waiting = make(map[wire.RelayID][]Receipt)
	}
	if len(o.waiting[origin]) == 0 {
		o.order = append(o.order, origin)
	}
	o.waiting[origin] = append(o.waiting[origin], r)
}

// pop takes what has its turn now.
func (o *outgoing) pop() (r Receipt, ok bool) {
	if len(o.order) == 0 {
		return r, false
	}
	origin := o.order[0]
	list := o.waiting[origin]
	o.order = o.order[1:]
	if r = list[0]; len(list) > 1 {
		o.waiting[origin] = list[1:]
		o.order = append(o.order, origin)
	} else {
		delete(o.waiting, origin)
	}
	return r, true
}

// hold has checkHeld look at a part at a time.
func (o *outgoing) hold(key PartKey, until time.Time) {
	if o.held == nil {
		o.held = make(map[PartKey]time.Time)
	}
	o.held[key] = until
	o.nextHeld = Soonest(o.nextHeld, until)
}

// mayTell reports whether something may be told now. If not, it is told when it has its turn, which is
// origin's.
func (o *outgoing) mayTell(u *turn, origin wire.RelayID, r Receipt) bool {
	switch {
	case u.messages > 0:
		u.dirty = true
	case u.queued:
	case o.full():
		u.queued = true
		o.push(origin, r)
	default:
		return true
	}
	return false
}

// tellSoon tells q the newest state of pt as soon as it may be.
func (t *Table) tellSoon(pt *part, q *peer, a *adjacency, now time.Time) {
	if q.outgoing.mayTell(&a.announcing, pt.origin(), Receipt{key: pt.key}) {
		t.tellNow(pt.key, pt, q, a, now)
	}
}

// origin is the peer that a part comes by; the home of our own.
func (pt *part) origin() wire.RelayID {
	switch {
	case pt.own:
		return pt.key.Home
	case pt.best != nil:
		return pt.best.id
	}
	return pt.opener
}

// originOf is who caused what a receipt is for.
func (t *Table) originOf(r Receipt) wire.RelayID {
	if r.want {
		return t.wantedBy(r.key)
	}
	if pt := t.parts[r.key]; pt != nil {
		return pt.origin()
	}
	return r.key.Home
}

// wantedBy is who has us want a part.
func (t *Table) wantedBy(key PartKey) wire.RelayID {
	if t.parts[PartKey{t.self, key.Room}] == nil {
		for q, a := range t.states(key) {
			if a.wants {
				return q.id
			}
		}
	}
	return t.self
}

// tell sends a message about a part.
func (t *Table) tell(q *peer, a *adjacency, kind wire.UrgentKind, body []byte, r Receipt) {
	q.outgoing.underWay++
	a.of(r).messages++
	t.do(Send{q.id, kind, body, &r})
}

// Acked says that p has acknowledged the message of a Send with r. The time of the next Tick may be another
// one then.
func (t *Table) Acked(p wire.RelayID, r Receipt, now time.Time) {
	q := t.peers[p]
	if q == nil {
		return
	}
	o := &q.outgoing
	o.underWay--
	if a := q.parts[r.key]; a != nil { // there is one for what is busy
		if u := a.of(r); u.messages > 0 {
			if u.messages--; u.messages == 0 && u.dirty {
				u.dirty, u.queued = false, true
				o.push(t.originOf(r), r)
			}
		}
	}
	for !o.full() {
		turn, ok := o.pop()
		if !ok {
			break
		}
		t.takeTurn(q, turn, now)
	}
}

// takeTurn says what waited.
func (t *Table) takeTurn(q *peer, r Receipt, now time.Time) {
	a, pt := q.parts[r.key], t.parts[r.key]
	switch {
	case a == nil:
		return
	case !r.want:
		a.announcing.queued = false
		t.tellNow(r.key, pt, q, a, now)
	default:
		if a.wanting.queued = false; pt == nil && a.asked {
			t.want(q, r.key, a, false)
		}
	}
	if pt == nil {
		return
	}
	t.updateWants(pt, now)
	t.updateTrunks(pt, now)
	t.plan(pt, now)
}

// checkHeld tells q what was held back until now, and returns when there is more to tell; zero: never.
func (t *Table) checkHeld(q *peer, now time.Time) (next time.Time) {
	o := &q.outgoing
	if o.nextHeld.IsZero() || now.Before(o.nextHeld) {
		return o.nextHeld
	}
	var due []PartKey
	o.nextHeld = time.Time{}
	for key, until := range o.held {
		if !now.Before(until) {
			due = append(due, key)
			delete(o.held, key)
		} else {
			o.nextHeld = Soonest(o.nextHeld, until)
		}
	}
	slices.SortFunc(due, PartKey.compare)
	for _, key := range due {
		a, pt := q.parts[key], t.parts[key]
		if a == nil {
			continue
		}
		if pt == nil {
			pt = &part{key: key, opener: key.Home, forgotten: true} // whoever it came by
		}
		t.tellSoon(pt, q, a, now)
	}
	return o.nextHeld
}

// A route that comes and goes all the time costs every relay behind us messages each time, and its loss is
// worth less than that of one that was good for long.
const (
	dampBurst = 5               // bad news of a part that a peer is told as they come
	dampPause = 2 * time.Second // and then one in
)

// damping bounds how often a peer is told that a route became worse. The zero value has told nothing.
type damping struct {
	told float64   // how often, less one each dampPause; as of at
	at   time.Time // when it was told last
}

// now returns told as it is by now.
func (d *damping) now(now time.Time) float64 {
	return max(0, d.told-float64(now.Sub(d.at))/float64(dampPause))
}

// until returns until when bad news are held back; zero: they are not.
func (d *damping) until(now time.Time) time.Time {
	if due := d.at.Add(dampPause); d.now(now) > dampBurst-1 && now.Before(due) {
		return due
	}
	return time.Time{}
}

// note counts that the peer was told.
func (d *damping) note(now time.Time) { d.told, d.at = d.now(now)+1, now }
