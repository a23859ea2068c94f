package callpath

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// forward takes a forward: what is cheap to check comes first.
func (t *Table) forward(from Leg, f *wire.CallForward, now time.Time, at time.Duration) {
	if f.Source != from.Peer {
		t.do(Problem{from, ProblemSource, "it is refused"})
		return
	}
	id := f.Path()
	p := t.paths[id.Room()]
	if p != nil && p.id != id { // frames could not be told apart
		t.refuse(from, id, f.Generation, wire.CallTooMany)
		return
	}
	if p != nil {
		if answered := t.repeated(p, from, f.Generation); answered {
			return
		}
	}
	if !timely(f.Expiry, now) {
		t.refuse(from, id, f.Generation, wire.CallStale)
		return
	}
	if !t.mayForward(from, p, f, at) {
		t.refuse(from, id, f.Generation, wire.CallTooMany)
		return
	}
	if !f.Verify() {
		t.do(Problem{from, ProblemSignature, "it is refused"})
		return
	}
	t.route(from, p, id, f, now, at)
}

// repeated answers a forward of a generation that is not higher than what is known of a path.
func (t *Table) repeated(p *path, from Leg, generation uint64) (answered bool) {
	known, by, code := p.open.generation, p.open.legs[0], wire.CallSetUp
	pending := false
	if a := p.next; a != nil && a.generation > known {
		known, by, code, pending = a.generation, a.from, a.code, a.pending()
	}
	switch {
	case generation > known:
		return false
	case generation < known:
		t.refuse(from, p.id, generation, wire.CallStale)
	case from != by:
		t.refuse(from, p.id, generation, wire.CallLoop)
	case !pending:
		t.state(from, p.id, generation, code)
	}
	return true
}

// timely reports whether something that is valid for a minute is.
func timely(expiry uint64, now time.Time) bool {
	if expiry > 1<<40 {
		return false
	}
	left := time.Unix(int64(expiry), 0).Sub(now)
	return -maxOff < left && left <= maxAhead+maxOff
}

// refuse answers a forward that is not kept.
func (t *Table) refuse(to Leg, id wire.PathID, generation uint64, code wire.CallCode) {
	t.state(to, id, generation, code)
	t.do(Event{What: Refused, Path: id, Generation: generation, From: to, Code: code})
}

// route finds the other leg, or candidates for it, of a forward that is valid.
func (t *Table) route(from Leg, p *path, id wire.PathID, f *wire.CallForward, now time.Time,
	at time.Duration) {
	to, offer, known := t.here(from, p, id, f)
	var candidates []wire.RelayID
	if (to == Leg{}) && f.Hops > 1 {
		candidates = t.candidates(from, p, f, now)
	}
	code := wire.CallNoRoute
	if known { // the called has a device here, but this is not its home, or not any more
		code = wire.CallNotThere
	}
	if (to == Leg{}) && len(candidates) == 0 {
		if p == nil && t.directory.Keep(from, f, now) {
			code = wire.CallKept
		}
		t.refuse(from, id, f.Generation, code)
		return
	}
	if offer && !t.makeRoom(to, from, at) {
		t.refuse(from, id, f.Generation, wire.CallTooMany)
		return
	}
	if p == nil {
		if p = t.add(id, from, f, at); p == nil {
			t.refuse(from, id, f.Generation, wire.CallTooMany)
			return
		}
	}
	t.abandon(p, wire.EndReplaced)
	if to != (Leg{}) {
		t.arrive(p, from, to, offer, f, at)
		return
	}
	onward := *f
	onward.Source, onward.Hops = t.id, f.Hops-1
	a := &attempt{generation: f.Generation, from: from, began: at, hops: f.Hops,
		body: wire.Append(nil, &onward), of: len(candidates)}
	for i, peer := range candidates {
		a.tries[i].peer = peer
	}
	p.next = a
	t.pending.add(p)
	t.join(from, p)
	t.ask(p, at)
}

// here returns the session here that is the other leg, and whether it has to be offered the path. known: the
// called has devices here, but not that one.
func (t *Table) here(from Leg, p *path, id wire.PathID, f *wire.CallForward) (to Leg, offer, known bool) {
	if w := t.waiting[id]; w != nil && w.leg != from && f.Generation > w.generation && t.isOf(w.leg, f) {
		return w.leg, false, true
	}
	if p != nil && p.open.generation != 0 {
		for _, leg := range p.open.legs {
			if leg != from && t.isOf(leg, f) {
				return leg, false, true
			}
		}
	}
	session, found, known := t.directory.Device(from, f.Target, f.Device)
	to = SessionLeg(session)
	if !found || to == from || t.clients[session] == nil || p != nil && p.open.generation != 0 {
		return Leg{}, false, known
	}
	return to, true, true
}

// isOf reports whether a leg is a session of who is called.
func (t *Table) isOf(l Leg, f *wire.CallForward) bool {
	c := t.clients[l.Session]
	return c != nil && c.caller.fingerprint == f.Target
}

// candidates returns peers that may be the next hop, the best first; who is not heard of comes last. After
// them come those that have set the path up and let nothing of the called's through: they may say what is not
// so.
func (t *Table) candidates(from Leg, p *path, f *wire.CallForward, now time.Time) (list []wire.RelayID) {
	for _, suspect := range []bool{false, true} {
		for _, peer := range t.directory.NextHops(from, f.Target, f.Device, now) {
			n := t.peers[peer]
			if n != nil && n.suspect == suspect && peer != from.Peer && !slices.Contains(list, peer) {
				list = append(list, peer)
			}
		}
	}
	if p != nil && p.noteSilent() {
		for _, peer := range *p.silent {
			if i := slices.Index(list, peer); i >= 0 {
				list = append(slices.Delete(list, i, i+1), peer)
			}
		}
	}
	return list[:min(len(list), maxTries)]
}

// arrive connects a path whose other leg is a session here.
func (t *Table) arrive(p *path, from, to Leg, offer bool, f *wire.CallForward, at time.Duration) {
	waited := t.waiting[p.id] != nil && t.waiting[p.id].leg == to
	t.unwait(p.id)
	if offer {
		p.spoken = false
	}
	t.connect(p, way{f.Generation, [2]Leg{from, to}}, at)
	switch {
	case offer:
		o := *f
		o.Source, o.Hops = wire.RelayID{}, 1
		t.queue(p, to, wire.UrgentCallOffer, wire.Append(nil, &o))
	case waited: // its proof is its word
		t.heard(p, 1, at)
	}
	t.state(from, p.id, f.Generation, wire.CallSetUp)
	t.do(Event{What: SetUp, Path: p.id, Generation: f.Generation, From: from, To: to,
		Hops: wire.MaxHops - int(f.Hops) + 1})
}

// ask sends the forward to the next candidate. The caller has seen that there is one.
func (t *Table) ask(p *path, at time.Duration) {
	a := p.next
	one := &a.tries[a.asked]
	a.asked++
	one.at = at
	to := PeerLeg(one.peer)
	if t.peers[one.peer] == nil { // its link has ended meanwhile
		t.refused(p, one, wire.CallFailed, at)
		return
	}
	t.do(Send{To: to, Kind: wire.UrgentSessionForward, Body: a.body, Receipt: &Receipt{p.id, a.generation}})
	t.do(Event{What: Forwarded, Path: p.id, Generation: a.generation, From: a.from, To: to})
	t.pending.wake(p, at+ackFor)
}

// Acked says that a peer has acknowledged a forward.
func (t *Table) Acked(peer wire.RelayID, r Receipt) {
	if p := t.find(r.Path); p != nil && p.next != nil && p.next.generation == r.Generation {
		if one := p.next.find(PeerLeg(peer)); one != nil {
			one.acked = true
		}
	}
}

// advance asks the next candidate, or gives an attempt up, when its time has come.
func (t *Table) advance(p *path, at time.Duration) {
	a := p.next
	if !a.pending() {
		if at >= a.until {
			t.forgetAttempt(p)
		} else {
			t.pending.wake(p, a.until)
		}
		return
	}
	answerFor := answerLast + time.Duration(a.hops)*answerHop
	waits := false
	for i := range a.tries[:a.asked] {
		one := &a.tries[i]
		if one.over {
			continue
		}
		limit := one.at + answerFor
		if !one.acked && !one.slow {
			limit = one.at + ackFor
		}
		switch {
		case at < limit && at-a.began < setUpFor:
			waits = true
			t.pending.wake(p, limit)
		case !one.slow && a.asked < a.of:
			one.slow, waits = true, true
			t.ask(p, at) // which this loop does not see: it has its time
		case !one.acked && !one.slow && at < one.at+answerFor: // there is nobody else to ask
			one.slow, waits = true, true
			t.pending.wake(p, one.at+answerFor)
		}
	}
	if !waits {
		t.fail(p, wire.CallFailed, at)
	}
}

// fail ends an attempt. The code is what its last candidate said, if any said something.
func (t *Table) fail(p *path, code wire.CallCode, at time.Duration) {
	a := p.next
	if a.code == wire.CallSetUp {
		a.code = code
	}
	t.endTries(p, Leg{}, wire.EndFailed)
	a.body = nil
	a.until = at + refusedFor
	t.pending.wake(p, a.until)
	t.refuse(a.from, p.id, a.generation, a.code)
	if p.open.generation != 0 {
		t.forgetAttempt(p) // the way that stands is remembered, and goes on
	}
}

// endTries tells all candidates that were asked and have not refused, but one, that nothing comes of it.
func (t *Table) endTries(p *path, but Leg, reason wire.EndReason) {
	a := p.next
	for i := range a.tries[:a.asked] {
		if one := &a.tries[i]; !one.over && one.peer != but.Peer {
			t.end(PeerLeg(one.peer), p.id, a.generation, reason)
		}
	}
}

// abandon gives up an attempt that another takes the place of.
func (t *Table) abandon(p *path, reason wire.EndReason) {
	if p.next == nil {
		return
	}
	if p.next.pending() {
		t.endTries(p, Leg{}, reason)
	}
	t.dropAttempt(p)
}

// dropAttempt has a path be without its attempt.
func (t *Table) dropAttempt(p *path) {
	from := p.next.from
	p.next = nil
	t.pending.remove(p)
	t.leave(from, p)
}

// forgetAttempt removes an attempt, and the path with it if that is all there is.
func (t *Table) forgetAttempt(p *path) {
	t.dropAttempt(p)
	if p.open.generation == 0 {
		t.remove(p)
	}
}

// answer takes what a candidate says.
func (t *Table) answer(from Leg, m *wire.CallState, at time.Duration) {
	p := t.find(m.Path)
	if p == nil || p.next == nil || p.next.generation != m.Generation {
		return // late, or nobody's
	}
	one := p.next.find(from)
	if one == nil {
		t.stray(from)
		return
	}
	if m.Code != wire.CallSetUp {
		t.refused(p, one, m.Code, at)
		return
	}
	a := p.next
	t.endTries(p, from, wire.EndFailed)
	p.next = nil
	t.pending.remove(p)
	t.connect(p, way{a.generation, [2]Leg{a.from, from}}, at)
	t.state(a.from, p.id, a.generation, wire.CallSetUp)
	t.do(Event{What: SetUp, Path: p.id, Generation: a.generation, From: a.from, To: from, Took: at - a.began})
}

// refused notes that a candidate does not lead there, and asks the next one.
func (t *Table) refused(p *path, one *try, code wire.CallCode, at time.Duration) {
	a := p.next
	one.over = true
	if code == wire.CallKept {
		a.code = code
		t.fail(p, code, at)
		return
	}
	if a.code == wire.CallSetUp || code != wire.CallLoop { // that another one came there first says least
		a.code = code
	}
	if a.asked < a.of {
		t.ask(p, at)
		return
	}
	for i := range a.tries[:a.asked] {
		if !a.tries[i].over {
			return // advance sees to those
		}
	}
	t.fail(p, code, at)
}
