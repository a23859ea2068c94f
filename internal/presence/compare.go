package presence

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// comparison is what a peer was asked and has not answered yet.
type comparison struct {
	route *route
	void  bool      // what it answers does not count any more
	heard time.Time // when a part of the answer came, or it was asked
}

// answer is a peer's question and how far its answer is.
type answer struct {
	of     *telling // nil: there is nothing to say any more
	number uint64
	salt   wire.PresenceSalt
	sums   []uint64

	notBefore time.Time
	begun     bool
	ranges    [wire.PresenceRanges]bool // in which the contents differ
	next      wire.PresenceHash         // from here on is to be told
	through   bool                      // there is nothing after next, which is to be said when no news wait
}

// ask asks a peer for what it holds of some home, if there is one of which that is needed and no question is
// open.
func (t *Table) ask(p *peer, now time.Time) {
	if p.ask != nil || p.deaf {
		return
	}
	for _, r := range p.routes {
		if r == nil || r.home == nil {
			continue
		}
		h := r.home
		if h.best != r || !h.wanting(now) {
			continue
		}
		r.askAt = now.Add(askEvery)
		if need := int(r.state.Count) - h.hashes.n; need > 0 && !t.makeRoom(h, need, now) {
			t.hide(h, now)
			continue
		}
		h.hidden = false
		p.ask = &comparison{route: r, heard: now}
		m := &wire.PresenceCompare{Serial: p.out, Number: r.number}
		t.random(m.Salt[:])
		if h.hashes.n > 0 && (!r.direct() || h.named) {
			sums := wire.SumPresence(m.Salt, h.hashes.chunks...)
			m.Sums = sums[:]
		}
		t.send(p, wire.UrgentPresenceCompare, m, false)
		return
	}
}

// contentsMessage takes a part of an answer.
func (t *Table) contentsMessage(p *peer, m *wire.PresenceContents, now time.Time) {
	q := p.ask
	if q == nil || q.route.number != m.Number {
		t.ignore(p, problemRules, "an answer to no question", now)
		return
	}
	if q.heard = now; m.Last {
		p.ask = nil
	}
	if r := q.route; !q.void {
		h := r.home
		if len(m.Whole) > 0 && !r.direct() || len(m.Hashes) > 0 && r.direct() {
			t.ignore(p, problemRules, wrongForm, now)
			return
		}
		left, whole, ok := h.differ(m)
		if !ok {
			t.ignore(p, problemRules, "an answer with what is not in its range", now)
			return
		}
		t.push(h, t.apply(h, left, m.Hashes, whole, now))
		switch {
		case h.hidden:
			q.void = true
		case m.Last:
			t.finish(h, now)
		}
	}
	t.ask(p, now)
}

// differ returns which hashes a part of an answer says are gone, and the fingerprints that it has. It is not
// ok if it has some out of its range.
func (h *home) differ(m *wire.PresenceContents) (left []wire.PresenceHash, whole []identity.Fingerprint,
	ok bool) {
	here := make(map[wire.PresenceHash]bool, len(m.Hashes)+len(m.Whole))
	for _, hash := range m.Hashes {
		here[hash] = true
	}
	for _, f := range m.Whole {
		here[wire.HashPresence(f)] = true
	}
	for hash := range here {
		if hash.Compare(m.From) < 0 || hash.Compare(m.Through) > 0 {
			return nil, nil, false
		}
	}
	held, _ := h.hashes.between(m.From, m.Through, h.hashes.n)
	for _, hash := range held {
		if !here[hash] {
			left = append(left, hash)
		}
	}
	return left, m.Whole, true
}

// finish notes that what is held of a home is what its best route has come to.
func (t *Table) finish(h *home, now time.Time) {
	r := h.best
	h.exact, h.midway, h.named = true, false, r.direct()
	rise := r.version - h.version
	if back := r.version < h.version; back {
		for _, p := range t.order {
			if tl := p.told[h]; tl != nil {
				tl.lose()
				p.enqueue(tl)
			}
		}
		if h.state != nil && h.state.Sequence > r.version {
			h.state = nil
		}
		rise = 0
	}
	h.version = r.version
	t.nowKnown(h)
	t.push(h, change{rise: rise})
	t.tell(h, false)
	t.agree(h, now)
}

// compareMessage takes a peer's question.
func (t *Table) compareMessage(p *peer, m *wire.PresenceCompare, now time.Time) {
	if p.answer != nil {
		t.ignore(p, problemRules, "a second question before the first is answered", now)
		return
	}
	a := &answer{number: m.Number, salt: m.Salt, sums: m.Sums, notBefore: now}
	for _, tl := range p.told {
		if uint64(tl.number) == m.Number && tl.told {
			a.of = tl
		}
	}
	if a.of != nil {
		if due := a.of.answered.Add(answerEvery); due.After(now) {
			a.notBefore = due
		}
		p.answers = min(p.answers+now.Sub(p.counted).Seconds(), answersMost) - 1
		if p.counted = now; p.answers < 0 {
			due := now.Add(time.Duration(-p.answers * float64(time.Second)))
			a.notBefore = laterOf(a.notBefore, due)
		}
	}
	p.answer = a
	t.answerMore(p, now)
}

// answerMore sends as much of an answer as may be under way.
func (t *Table) answerMore(p *peer, now time.Time) {
	for p.answer != nil && p.contents < contentsMost && p.inFlight < windowMost &&
		!now.Before(p.answer.notBefore) && !now.Before(p.partAt) {
		a := p.answer
		m := &wire.PresenceContents{Serial: p.out, Number: a.number}
		if a.of == nil {
			if len(p.gone) > 0 {
				return // the home may be among them, and an answer before that is said would look complete
			}
		} else if a.of.lost {
			return // likewise
		}
		switch {
		case a.of == nil:
			m.From, m.Last = wire.PresenceHash{1}, true // nothing: it is above Through
		case a.through && len(a.of.pending) > 0:
			return // what was answered is ahead of the version that the peer knows of
		default:
			a.begin(now)
			a.fill(m)
		}
		if m.Last {
			p.answer = nil
		}
		p.partAt = laterOf(p.partAt, now.Add(-partBurst*partEvery)).Add(partEvery)
		t.send(p, wire.UrgentPresenceContents, m, true)
	}
}

// begin compares sums, once: with what is held now, and not when the question came.
func (a *answer) begin(now time.Time) {
	if a.begun {
		return
	}
	a.begun, a.of.answered = true, now
	sums := [wire.PresenceRanges]uint64{}
	if len(a.sums) > 0 {
		sums = wire.SumPresence(a.salt, a.of.home.hashes.chunks...)
	}
	for i := range a.ranges {
		a.ranges[i] = len(a.sums) == 0 || sums[i] != a.sums[i]
	}
}

// fill puts what comes next into a message: of what is held now, for it is told after all changes so far.
func (a *answer) fill(m *wire.PresenceContents) {
	h, first := a.of.home, a.next.Range()
	for first < len(a.ranges) && !a.ranges[first] {
		first++
	}
	if a.through || first == len(a.ranges) {
		m.From, m.Last, a.through = wire.PresenceHash{1}, len(a.of.pending) == 0, true
		return
	}
	if first > a.next.Range() {
		a.next = wire.PresenceHash{byte(first << 2)}
	}
	last := first
	for last+1 < len(a.ranges) && a.ranges[last+1] {
		last++
	}
	m.From, m.Through = a.next, endOfRange(last)
	most := wire.PresenceContentsMost
	if h.own {
		most /= 2
	}
	hashes, more := h.hashes.between(m.From, m.Through, most)
	if more {
		m.Through = hashes[len(hashes)-1]
	}
	if h.own {
		for _, hash := range hashes {
			m.Whole = append(m.Whole, h.whole[hash])
		}
	} else {
		m.Hashes = hashes
	}
	next, over := after(m.Through)
	a.next = next
	a.through = over || !more && !slices.Contains(a.ranges[last+1:], true)
	m.Last = a.through && len(a.of.pending) == 0
}

// endOfRange returns the last hash of a range.
func endOfRange(i int) (h wire.PresenceHash) {
	for n := range h {
		h[n] = 0xff
	}
	h[0] = byte(i<<2) | 3
	return h
}

// after returns the next hash; over: there is none.
func after(h wire.PresenceHash) (next wire.PresenceHash, over bool) {
	for i := len(h) - 1; i >= 0; i-- {
		if h[i]++; h[i] != 0 {
			return h, false
		}
	}
	return h, true
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
