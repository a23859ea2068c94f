package presence

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/share"
	"github.com/wzp-voice/wzp/internal/wire"
)

// search looks for somebody.
//
//	begin ── asks ──> inquiries ── all done: nobody, or all that there is ──────────────────> end
//	            ^          |        2 s are over ────────────────────────────────────────────'
//	            |          |        found something, and 300 ms are over: who asks is answered, and
//	            |          |        learns at once of what comes from then on
//	            '── found nothing, or silent for 1.2 s: the next way
type search struct {
	target   identity.Fingerprint
	path     []wire.RelayID // by which the first query came: these are not asked. Empty: one of our own asks
	left     int            // how many more relays a chain may have
	deadline time.Time
	patience time.Duration

	by        Asker // who was first
	askers    []*asker
	ways      []Way      // claims
	inquiries []*inquiry // of which each peer has one
	flooded   bool       // all peers that may be asked were
	places    knowledge
	gatherTo  time.Time // zero: nothing was found
	unsure    bool      // not all have said that they know nobody
	due       time.Time // when there is something to do
	over      bool
}

// asker is who waits for a search.
type asker struct {
	by       Asker
	path     []wire.RelayID // by which a peer's query came
	left     int            // how many relays a chain may have after this one
	told     []place        // devices that it was told of
	slot     *share.Group[shareKey]
	answered bool
}

// own reports whether one of our own asks.
func (a *asker) own() bool { return a.by.Peer == (wire.RelayID{}) }

// inquiry is what a peer was asked.
type inquiry struct {
	search  *search
	peer    wire.RelayID
	id      wire.QueryID
	at      time.Time
	state   inquiryState
	came    [wire.MaxDevices]bool // devices that it told of, by index
	of      uint8                 // how many there are
	pending []place               // they count when all have come
}

type inquiryState uint8

const (
	inquiryWaits inquiryState = iota // the next way waits for it
	inquiryLate                      // it does not any more
	inquiryDone                      // it has answered
)

// root returns who looks for somebody, as far as it is told.
func (r *Resolver) root(path []wire.RelayID) wire.RelayID {
	if len(path) == 0 {
		return r.self
	}
	return path[0]
}

// wait has an asker wait for a search that is under way, or begins one.
func (r *Resolver) wait(f identity.Fingerprint, a *asker, ways []Way, now time.Time) {
	s, covered := r.holds(f, a)
	if s != nil {
		r.tell(f, a, s.places.places, s.missing(), now)
	}
	if covered || !r.admit(a, now) {
		r.tellNobody(f, a, !covered, now)
		return
	}
	if s != nil && !s.over { // admit may have ended it
		s.askers = append(s.askers, a)
		r.advance(s, now)
		return
	}
	s = &search{target: f, path: a.path, left: a.left, by: a.by, ways: ways, askers: []*asker{a}}
	relays := time.Duration(len(a.path))
	s.deadline = now.Add(resolveFor - relays*resolveLess)
	s.patience = max(patienceLast, patience-relays*patienceLess)
	for _, p := range r.remembered(f, a, now) {
		s.places.learn(p, r.nearer)
	}
	if len(s.places.places)+len(r.local(f)) > 0 {
		s.gatherTo = now.Add(gatherFor)
	}
	r.searches[f] = append(r.searches[f], s)
	r.open = append(r.open, s)
	r.advance(s, now)
}

// holds returns the search that an asker can wait for; nil: it needs one of its own. covered: it need not
// wait, for what is found goes to the same root by a shorter path.
//
// A search can stand for another one if it asks all whom that could ask: nobody is in its path who is not in
// the other's. A search waits for those of the next relays that it has begun, which have the same root and a
// path that is longer by one; and, by this rule, for those with a lower root, or the same and a path longer
// by one. So nobody waits for itself. The path ends with who has sent the query, which it cannot make up; so
// whoever begins a search keeps others from nothing but what comes by itself.
func (r *Resolver) holds(f identity.Fingerprint, a *asker) (s *search, covered bool) {
	root := r.root(a.path)
	for _, o := range r.searches[f] {
		if o.left < a.left || !within(o.path, a.path) {
			continue
		}
		switch c := r.root(o.path).Compare(root); {
		case c < 0, c == 0 && len(o.path) == len(a.path):
			return o, false
		case c == 0:
			s, covered = o, true
		}
	}
	return s, covered
}

// ways returns the claims that may be followed for an asker, the best first.
func (r *Resolver) ways(f identity.Fingerprint, a *asker) []Way {
	ways := slices.DeleteFunc(slices.Clone(r.directory.Ways(f)), func(w Way) bool {
		return w.Home == r.self || len(w.Path) == 0 || len(w.Path) > a.left || !r.mayUse(a, w.Next, w.Home) ||
			slices.Contains(w.Path, r.self) || !disjoint(w.Path, a.path)
	})
	slices.SortStableFunc(ways, func(a, b Way) int { return r.nearer(a.Path, b.Path) })
	return ways
}

// advance asks whom it is time to ask, and ends the search if there is nobody to wait for.
func (r *Resolver) advance(s *search, now time.Time) {
	if s.over {
		return
	}
	for _, q := range s.inquiries {
		if q.state == inquiryWaits && now.Sub(q.at) >= s.patience {
			q.state = inquiryLate
			r.found(s, q, now) // what has come counts
		}
	}
	r.askByClaims(s, now)
	if len(s.places.places) == 0 && !s.flooded && !s.busy(inquiryWaits) && len(r.local(s.target)) == 0 {
		r.askAll(s, now)
	}
	if !s.gatherTo.IsZero() && !now.Before(s.gatherTo) {
		r.answerSoFar(s, now)
	}
	idle := !s.busy(inquiryWaits) && !s.busy(inquiryLate)
	over := !now.Before(s.deadline) || len(s.askers) == 0
	if all, more := s.foundAll(); over || (all || idle && !more) && s.missing() == 0 {
		s.unsure = s.unsure || !idle
		r.conclude(s, now)
		return
	}
	s.due = s.next(now)
	r.remindAt(s.due)
}

// answerSoFar answers those who wait with what was found. Clients and peers that were told of a device wait
// for more.
func (r *Resolver) answerSoFar(s *search, now time.Time) {
	r.foundAny(s, now)
	for _, a := range slices.Clone(s.askers) {
		if !a.answered {
			r.answer(s, a, true, now)
		}
		if len(a.told) == 0 || a.by.HTTP != 0 {
			r.leave(s, a)
		}
	}
}

// answer gives an asker its answer. unsure: who might know more was not asked, or has not answered.
func (r *Resolver) answer(s *search, a *asker, unsure bool, now time.Time) {
	if a.own() {
		r.resolve(a, s.target, join(r.local(s.target), s.places.places), unsure, now)
	} else {
		r.tellNobodyHere(s.target, a, unsure || len(s.places.places) > 0, now)
	}
}

// foundAll reports whether devices were found at all homes at which somebody is said to be; more: at some, so
// that peers that have answered may find more.
func (s *search) foundAll() (all, more bool) {
	missing := slices.ContainsFunc(s.ways, func(w Way) bool { return !s.places.at(w.Home) })
	some := len(s.places.places) > 0
	return some && len(s.ways) > 0 && !missing, some && missing
}

// next returns when there is something to do.
func (s *search) next(now time.Time) time.Time {
	next := s.deadline
	if s.gatherTo.After(now) && s.gatherTo.Before(next) {
		next = s.gatherTo
	}
	for _, q := range s.inquiries {
		if at := q.at.Add(s.patience); q.state == inquiryWaits && at.Before(next) {
			next = at
		}
	}
	return next
}

// busy reports whether some inquiry is in a state.
func (s *search) busy(state inquiryState) bool {
	return slices.ContainsFunc(s.inquiries, func(q *inquiry) bool { return q.state == state })
}

// missing is how many devices have not come of answers that came in part.
func (s *search) missing() (n int) {
	for _, q := range s.inquiries {
		n += q.missing()
	}
	return n
}

// inquiry returns what a peer was asked, nil if nothing.
func (s *search) inquiry(peer wire.RelayID) *inquiry {
	i := slices.IndexFunc(s.inquiries, func(q *inquiry) bool { return q.peer == peer })
	if i < 0 {
		return nil
	}
	return s.inquiries[i]
}

// askByClaims asks, for each home at which somebody is said to be, the peer by which that is reached; the
// next one when that has found nothing there, or is silent.
func (r *Resolver) askByClaims(s *search, now time.Time) {
	var settled []wire.RelayID // homes of which nothing is to be asked now
	for _, w := range s.ways {
		if q := s.inquiry(w.Next); q != nil && q.state == inquiryWaits {
			settled = append(settled, w.Home)
		}
	}
	for _, w := range s.ways {
		if !slices.Contains(settled, w.Home) && !s.places.at(w.Home) && s.inquiry(w.Next) == nil &&
			r.inquire(s, w.Next, now) {
			settled = append(settled, w.Home)
		}
	}
}

// others returns the peers that may be asked and are not in a path: for a peer's query those whose word is
// Mesh, for our own also those whose word is Peer.
func (r *Resolver) others(path []wire.RelayID) []wire.RelayID {
	words := []Word{Mesh}
	if len(path) == 0 {
		words = append(words, Peer)
	}
	return slices.DeleteFunc(r.directory.Peers(words...), func(id wire.RelayID) bool {
		return slices.Contains(path, id) || id == r.self
	})
}

// askAll asks all peers that may be asked.
func (r *Resolver) askAll(s *search, now time.Time) {
	s.flooded = true
	peers := slices.DeleteFunc(r.others(s.path), func(id wire.RelayID) bool { return s.inquiry(id) != nil })
	slices.SortStableFunc(peers, r.closer)
	if len(peers) > maxAsked {
		peers, s.unsure = peers[:maxAsked], true
	}
	for _, id := range peers {
		r.inquire(s, id, now)
	}
}

// inquire asks a peer. It reports whether there is an answer to wait for.
func (r *Resolver) inquire(s *search, peer wire.RelayID, now time.Time) bool {
	q := &inquiry{search: s, peer: peer, at: now}
	s.inquiries = append(s.inquiries, q)
	if !r.limits.allowTo(peer, s.by, now) {
		q.state, s.unsure = inquiryDone, true
		return false
	}
	r.issued[peer]++
	binary.BigEndian.PutUint64(q.id[:], r.issued[peer])
	r.asked[question{peer, q.id}] = q
	r.do(Send{To: peer, Kind: wire.UrgentRouteQuery, Body: wire.Append(nil, &wire.RouteQuery{ID: q.id,
		Hops: uint8(s.left), Path: append(slices.Clone(s.path), r.self), Target: s.target})})
	return true
}

// finish says that nothing more is to be waited for of an inquiry.
func (r *Resolver) finish(s *search, q *inquiry, now time.Time) {
	q.state = inquiryDone
	r.found(s, q, now)
}

// foundAny takes what has come of answers that are not whole.
func (r *Resolver) foundAny(s *search, now time.Time) {
	for _, q := range s.inquiries {
		r.found(s, q, now)
	}
}

// found takes what an inquiry has found, and tells of it.
func (r *Resolver) found(s *search, q *inquiry, now time.Time) {
	var news []place
	for _, p := range q.pending {
		p.claimed = slices.ContainsFunc(s.ways, func(w Way) bool { return w.Home == p.home })
		r.learn(s.target, p)
		if s.places.learn(p, r.nearer) {
			news = append(news, p)
		}
	}
	q.pending = nil
	if len(news) == 0 {
		return
	}
	if s.gatherTo.IsZero() {
		s.gatherTo = now.Add(gatherFor)
	}
	more := s.missing()
	for _, a := range s.askers {
		r.tell(s.target, a, news, more, now)
	}
}

// conclude answers all who still wait, and ends the search.
func (r *Resolver) conclude(s *search, now time.Time) {
	r.foundAny(s, now)
	if places := s.places.places; len(places) == 0 && !s.unsure && len(r.local(s.target)) == 0 {
		r.nobody.put(s.target, looked{now, s.path, s.left})
	}
	if k, ok := r.known.get(s.target); ok {
		k.sought = looked{now, s.path, s.left}
	}
	for _, a := range s.askers {
		if !a.answered {
			r.answer(s, a, s.unsure, now)
		}
	}
	r.end(s)
}

// end forgets a search.
func (r *Resolver) end(s *search) {
	s.over = true
	for _, a := range slices.Clone(s.askers) {
		r.leave(s, a)
	}
	for _, q := range s.inquiries {
		delete(r.asked, question{q.peer, q.id})
	}
	is := func(o *search) bool { return o == s }
	r.open = slices.DeleteFunc(r.open, is)
	if r.searches[s.target] = slices.DeleteFunc(r.searches[s.target], is); len(r.searches[s.target]) == 0 {
		delete(r.searches, s.target)
	}
}

// leave has an asker wait no longer.
func (r *Resolver) leave(s *search, a *asker) {
	s.askers = slices.DeleteFunc(s.askers, func(o *asker) bool { return o == a })
	r.waiting.Remove(a.slot)
}

// askersOf returns those of a peer.
func (s *search) askersOf(peer wire.RelayID) (list []*asker) {
	for _, a := range s.askers {
		if a.by.Peer == peer {
			list = append(list, a)
		}
	}
	return list
}
