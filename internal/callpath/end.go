package callpath

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/share"
	"github.com/wzp-voice/wzp/internal/wire"
)

// connect opens a way, in the place of the one before. Who is a leg no longer is told.
func (t *Table) connect(p *path, w way, at time.Duration) {
	old := p.open
	if old.generation == 0 {
		t.open++
		p.began = at
	}
	p.open, p.used, p.unheard = w, at, true
	told := p.told()
	if w.legs[1].isPeer() {
		p.early = nil
	}
	for _, leg := range w.legs {
		t.join(leg, p)
	}
	for side, leg := range old.legs {
		if old.generation != 0 && w.side(leg) < 0 {
			if side == 0 || told {
				t.end(leg, p.id, old.generation, wire.EndReplaced)
			}
			t.leave(leg, p)
		}
	}
	t.hold(p, w.legs[0])
	t.do(Media{Path: p.id, Legs: w.legs})
	t.sweep(at)
}

// close ends the open way: both legs are told but the one that says so, and one that is trying another way.
// The path is forgotten unless there is such an attempt.
func (t *Table) close(p *path, by Leg, reason wire.EndReason, at time.Duration) {
	t.untold(p)
	old := p.open
	p.open = way{}
	t.open--
	told := p.told() // of the called's session: of a path that was not offered yet it is told nothing
	p.spoken, p.early = false, nil
	for side, leg := range old.legs {
		if leg != by && (p.next == nil || p.next.from != leg) && (side == 0 || told) {
			t.end(leg, p.id, old.generation, reason)
		}
		t.leave(leg, p)
	}
	t.do(Media{Path: p.id})
	t.do(Event{What: Ended, Path: p.id, Generation: old.generation, Reason: reason, Took: at - p.began})
	if own := p.by; own != nil && reason != wire.EndHungUp {
		own.noteFailed(p.id)
	}
	if p.next == nil {
		t.remove(p)
	}
}

// message takes what one end says to the other.
func (t *Table) message(from Leg, m *wire.CallMessage, body []byte, at time.Duration) {
	p := t.find(m.Path)
	if p == nil {
		return
	}
	var to Leg
	side := p.open.side(from)
	switch a := p.next; {
	case side >= 0:
		to = p.open.legs[1-side]
	case a.pending() && from == a.from && a.asked > 0:
		side, to = 0, PeerLeg(a.tries[a.asked-1].peer)
	case a.find(from) != nil: // it has overtaken the answer
		side, to = 1, a.from
	default:
		t.stray(from)
		return
	}
	t.heard(p, side, at)
	out := t.peers[to.Peer]
	if !p.maySay(side, at) || out != nil && !out.out.Take(t.source(from), 1, at) {
		t.do(Drop{from})
		return
	}
	body = slices.Clone(body)
	if !p.spoken && !to.isPeer() {
		t.queue(p, to, wire.UrgentCallMessage, body)
		return
	}
	t.sendBody(to, wire.UrgentSessionMessage, wire.UrgentCallMessage, body)
}

// maySay reports whether one side of a path may say something now.
func (p *path) maySay(side int, at time.Duration) bool {
	if !p.spoken && !p.before.Take(beforeSeconds, 1, beforeBurst, at) {
		return false
	}
	return p.messages[side].Take(1, messageRate, messageBurst, at)
}

// ended takes an end. It counts from a leg, with the generation that it knows.
func (t *Table) ended(from Leg, m *wire.CallEnd, at time.Duration) {
	p := t.find(m.Path)
	if p == nil {
		return
	}
	// An end that was not told of a new generation, for it was a relay that connected its leg to that, means
	// the call all the same.
	known := p.open.generation == m.Generation || !from.isPeer() && m.Generation < p.open.generation
	if known && p.open.side(from) >= 0 {
		t.close(p, from, m.Reason, at)
		return
	}
	if a := p.next; a.pending() && a.generation == m.Generation {
		if from == a.from {
			t.endTries(p, Leg{}, m.Reason)
			t.forgetAttempt(p)
			return
		}
		if one := a.find(from); one != nil {
			t.refused(p, one, wire.CallFailed, at)
			return
		}
	}
	if p.open.side(from) < 0 {
		t.stray(from)
	}
}

// stray notes that somebody speaks of a path of which it is no leg. While ways change that is usual.
func (t *Table) stray(from Leg) { t.do(Problem{from, ProblemStray, "it is ignored"}) }

// lost ends what a leg had that is down.
func (t *Table) lost(p *path, leg Leg, at time.Duration) {
	if a := p.next; a != nil && a.from == leg {
		if a.pending() {
			t.endTries(p, Leg{}, wire.EndFailed)
		}
		if t.forgetAttempt(p); p.open.generation == 0 {
			return
		}
	} else if one := a.find(leg); one != nil {
		t.refused(p, one, wire.CallFailed, at)
	}
	if p.open.side(leg) >= 0 {
		t.close(p, leg, wire.EndFailed, at)
	}
}

// waiting is a leg that waits for a forward.
type waiting struct {
	leg        Leg
	generation uint64
	until      time.Duration
	holder     *share.Group[holder]
}

// media takes the word of a session that its media is of a path, and what it shows to be a leg of it.
func (t *Table) media(from Leg, m *wire.CallMedia, now time.Time, at time.Duration) {
	c := t.clients[from.Session]
	if c == nil {
		return
	}
	// It counts once the session is a leg, of whatever comes later: the word may overtake a forward.
	t.do(Speaks{from.Session, m.Path})
	p := t.find(m.Path)
	if p != nil && p.open.side(from) >= 0 {
		return
	}
	if m.Proof == nil || !timely(m.Proof.Expiry, now) || !t.forwards.Take(c.source(), 1, at) {
		return
	}
	if !m.Verify(t.self, c.caller.key) {
		t.do(Problem{from, ProblemSignature, "it is refused"})
		return
	}
	if p != nil && p.open.generation != 0 {
		for side, leg := range p.open.legs {
			if other := t.clients[leg.Session]; other != nil && other.caller == c.caller {
				w := p.open
				w.legs[side] = from
				t.connect(p, w, at)
				t.heard(p, side, at) // the proof is its word
				return
			}
		}
	}
	t.wait(from, c, m, at)
}

// wait has a leg wait, if there is space for it.
func (t *Table) wait(from Leg, c *client, m *wire.CallMedia, at time.Duration) {
	if old := t.waiting[m.Path]; old != nil {
		if old.generation > m.Proof.Generation {
			return
		}
		t.unwait(m.Path)
	}
	if c.caller.waiting >= maxWaiting || len(t.waiting) >= t.limits.Waiting && !t.displaceWaiting(from) {
		t.do(Drop{from})
		return
	}
	c.caller.waiting++
	t.waiting[m.Path] = &waiting{leg: from, generation: m.Proof.Generation, until: at + waitFor,
		holder: t.waits.Add(t.holding(from))}
	c.waits = append(c.waits, m.Path)
	t.wakeAt(at + waitFor)
}

// displaceWaiting has the leg that waits longest of whoever has most of them wait no longer, for who has
// less.
func (t *Table) displaceWaiting(from Leg) bool {
	if own, ok := t.waits.Ask(t.holding(from)); own || !ok {
		return false
	}
	var oldest *waiting
	var id wire.PathID
	for path, w := range t.waiting {
		if t.waits.Yields(w.holder) && (oldest == nil || w.until < oldest.until) {
			oldest, id = w, path
		}
	}
	t.unwait(id)
	return oldest != nil
}
