package callpath

import "github.com/wzp-voice/wzp/internal/wire"

const (
	maxEarly  = 5  // messages of a path that wait: an offer, and four
	maxServed = 64 // groups of which a session remembers when it was their turn
)

// early is how what is said to a session on paths on which it has not spoken reaches it: one after the other,
// each when it has acknowledged the one before, and those who bring something take turns. So strangers have
// one place of those that the session has for urgent messages, and what is said in its calls passes them.
//
//	path: offer, messages ──┐
//	path: offer, messages ──┼─ turns ──> session ── Taken ──> the next
//	path: offer, messages ──┘
//	path that it has spoken on ────────> session
type early struct {
	busy   bool // one is under way
	turn   uint32
	served map[holder]uint32 // when it was the turn of a group last
}

// earlyMessage is one thing that waits.
type earlyMessage struct {
	kind wire.UrgentKind
	body []byte
}

// untold says that a path is over whose offer the called's session has not got.
func (t *Table) untold(p *path) {
	if !p.told() {
		t.do(Untold{Offer: p.early[0].body, By: p.open.legs[0]})
	}
}

// told reports whether the called's session knows of a path.
func (p *path) told() bool { return len(p.early) == 0 || p.early[0].kind != wire.UrgentCallOffer }

// queue has something go to the called's session when it is its turn.
func (t *Table) queue(p *path, to Leg, kind wire.UrgentKind, body []byte) {
	if len(p.early) >= maxEarly {
		t.do(Drop{p.open.legs[0]})
		return
	}
	p.early = append(p.early, earlyMessage{kind, body})
	t.serve(to.Session)
}

// Taken says that a session has acknowledged a message that had its turn, or that it could not be sent.
func (t *Table) Taken(session uint64) {
	if c := t.clients[session]; c != nil {
		c.early.busy = false
		t.serve(session)
	}
}

// serve sends what is next, unless something is under way.
func (t *Table) serve(session uint64) {
	c := t.clients[session]
	if c == nil || c.early.busy {
		return
	}
	e := &c.early
	var next *path
	for _, p := range c.paths {
		if len(p.early) > 0 && p.open.legs[1].Session == session && (next == nil || e.before(p, next)) {
			next = p
		}
	}
	if next == nil {
		e.served = nil
		return
	}
	if e.served == nil || len(e.served) >= maxServed {
		e.served = make(map[holder]uint32)
	}
	e.turn++
	next.served, e.served[next.group()] = e.turn, e.turn
	e.busy = true
	t.sendEarly(next, true)
}

// before reports whether it is the turn of one path before that of another one.
func (e *early) before(p, o *path) bool {
	mine, theirs := e.served[p.group()], e.served[o.group()]
	return mine < theirs || mine == theirs && p.served < o.served
}

// group returns in whose share a path counts: a peer link or an address block.
func (p *path) group() holder { return p.holder.Parent().Key() }

// sendEarly sends the oldest thing that waits.
func (t *Table) sendEarly(p *path, turn bool) {
	m := p.early[0]
	p.early[0] = earlyMessage{}
	if p.early = p.early[1:]; len(p.early) == 0 {
		p.early = nil
	}
	t.do(Send{To: p.open.legs[1], Kind: m.kind, Body: m.body, Turn: turn, By: p.open.legs[0]})
}

// flush sends all that waits, as the called's session has spoken.
func (t *Table) flush(p *path) {
	for len(p.early) > 0 {
		t.sendEarly(p, false)
	}
}
