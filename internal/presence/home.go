package presence

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/share"
	"github.com/wzp-voice/wzp/internal/wire"
)

// home is what is known of who takes calls at one relay, ours included. What is known of another one comes
// over the best route alone.
//
//	routes ── choose ──> best ── settle: is what we hold of this version? ── exact ──> told to others
//	                                   | no                                    ^
//	                                   +──> ask, contents ──> finish ──────────+
type home struct {
	key identity.PublicKey
	id  wire.RelayID
	own bool // ours: it has no route

	boot    uint64
	version uint64
	exact   bool // hashes are those of the version
	midway  bool // but for a part of the next one, the rest of which is still to come
	known   bool // they were exact since the boot, or since they were hidden: others may be told
	hidden  bool // for want of room nothing is held, until retryAt
	retryAt time.Time

	hashes hashSet
	whole  map[wire.PresenceHash]identity.Fingerprint // of all or some hashes; nil: it is not next to us
	named  bool                                       // of all

	state   *wire.PresenceState // the newest that was told to others
	stateAt time.Time           // when it was new
	seen    *wire.PresenceState // the newest that a peer has shown; it is verified
	seenAt  time.Time           // when it was new

	routes []*route
	best   *route // what is held comes by it; nil: own, or none is usable, or there is no place for the home
	passed *route // the best one of those of which others may be told; nil: there is none
	place  *share.Group[wire.RelayID]
	alone  time.Time // since when it has no routes
}

// route is what one peer says of one home.
type route struct {
	home    *home // nil: it is of no use, and only its number counts
	peer    *peer
	number  uint64
	path    []wire.RelayID // first the peer, last the home
	passOn  bool
	address string

	boot    uint64
	version uint64 // that the peer's messages have come to
	midway  bool   // they have told a part of the next one
	state   *wire.PresenceState
	fresh   time.Time // when the state was new

	mismatches int       // in a row: states that do not fit what the peer said
	ahead      int       // in a row: states below what we hold
	badUntil   time.Time // it is not used
	askAt      time.Time // when the peer may be asked again
}

// usable reports whether a route counts.
func (r *route) usable(now time.Time) bool {
	if len(r.path) > 1 && r.peer.word != Mesh || r.peer.word == None {
		return false
	}
	return r.boot == r.home.boot && now.Sub(r.fresh) < expireAfter && !now.Before(r.badUntil)
}

// maxPath is how many relays a path has at most that a peer is told: with the peer, as many as a call goes
// over.
const maxPath = wire.MaxHops - 1

// passable reports whether others may be told of a route.
func (r *route) passable(now time.Time) bool {
	return r.usable(now) && r.passOn && r.peer.word == Mesh && len(r.path) < maxPath
}

// direct reports whether the peer is the home.
func (r *route) direct() bool { return len(r.path) == 1 }

// second is the relay behind the peer, whose share what comes this way counts in; zero: there is none.
func (r *route) second() (id wire.RelayID) {
	if len(r.path) > 1 {
		id = r.path[1]
	}
	return id
}

// choose makes the shortest usable route the best one, and all true that follows; moved: the one that others
// are told of has changed its path.
func (t *Table) choose(h *home, moved bool, now time.Time) {
	var best, passed *route
	for _, r := range h.routes {
		if r.usable(now) && (best == nil || r.before(best, h.best)) {
			best = r
		}
		if r.passable(now) && (passed == nil || r.before(passed, h.passed)) {
			passed = r
		}
	}
	if best != nil && !t.placeHome(h, best) {
		best, passed = nil, nil
	}
	t.use(h, best)
	if h.passed != passed {
		h.passed, moved = passed, true
	}
	if best == nil {
		t.displace(h)
		t.clear(h)
	} else {
		t.settle(h, now)
	}
	t.tell(h, moved)
}

// use makes a route, or none, the best one.
func (t *Table) use(h *home, best *route) {
	was := h.best
	if was == best {
		return
	}
	if was != nil {
		was.peer.entries -= h.hashes.n
		if was.peer.ask != nil && was.peer.ask.route == was {
			was.peer.ask.void = true
		}
		if h.midway {
			h.exact, h.midway = false, false // the rest will not come
		}
	}
	told := Home{Home: h.id}
	if h.best = best; best != nil {
		best.peer.entries += h.hashes.n
		best.mismatches, best.ahead = 0, 0
		h.exact = h.exact && !best.midway
		told.By, told.Hops = best.peer.id, len(best.path)
	}
	t.do(told)
}

// before reports whether r is better than o: it goes by fewer relays, or as many and is the one in use.
func (r *route) before(o, used *route) bool {
	switch {
	case len(r.path) != len(o.path):
		return len(r.path) < len(o.path)
	case o == used || r == used:
		return r == used
	}
	return r.peer.id.Compare(o.peer.id) < 0
}

// clear forgets who is at a home. What it was in boot and state stays.
func (t *Table) clear(h *home) {
	t.count(h, -h.hashes.n)
	h.hashes, h.whole, h.named = hashSet{}, nil, false
	h.version, h.exact, h.midway, h.known, h.state = 0, true, false, false, nil
}

// settle sees whether what is held of a home is what its best route says, and has the peer asked if it is
// not.
func (t *Table) settle(h *home, now time.Time) {
	r := h.best
	switch {
	case !r.direct():
		h.whole, h.named = nil, false
	case h.whole == nil:
		h.whole = map[wire.PresenceHash]identity.Fingerprint{}
		h.named = h.exact && h.hashes.n == 0 && h.version >= r.version
	}
	if h.version < r.version || r.direct() && !h.named {
		h.exact = false
	}
	if h.exact && !h.hidden {
		t.nowKnown(h)
	}
	if h.wanting(now) {
		t.ask(r.peer, now)
	}
}

// wanting reports whether the peer of the best route is to be asked who is there.
func (h *home) wanting(now time.Time) bool {
	return !h.exact && !now.Before(h.best.askAt) && (!h.hidden || !now.Before(h.retryAt))
}

// nowKnown notes that what is held of a home is exact.
func (t *Table) nowKnown(h *home) {
	if h.known = true; h.state == nil {
		h.state, h.stateAt = h.best.state, h.best.fresh
	}
}

// restart begins a new boot of a home: whoever was there in an earlier one is not any more.
func (t *Table) restart(h *home, boot uint64) {
	t.clear(h)
	h.boot, h.hidden = boot, false
	for _, p := range t.order {
		if tl := p.told[h]; tl != nil {
			tl.lose()
		}
		if p.ask != nil && p.ask.route.home == h {
			p.ask.void = true
		}
	}
}

// drop removes a route.
func (t *Table) drop(r *route, now time.Time) {
	if r.peer.routes[r.number] = nil; r.peer.ask != nil && r.peer.ask.route == r {
		r.peer.ask.void = true
	}
	h := r.home
	if h == nil {
		return
	}
	if h.routes = slices.DeleteFunc(h.routes, func(o *route) bool { return o == r }); len(h.routes) == 0 {
		h.alone = now
	}
	t.choose(h, false, now)
}

// bad has a route not used for a while, as its peer tells what the home has not signed.
func (t *Table) bad(r *route, now time.Time) {
	r.badUntil, r.mismatches = now.Add(badFor), 0
	t.do(Problem{r.peer.id, problemDigest, "it is not what the home has signed"})
	t.choose(r.home, false, now)
}

// noteState notes a new state that a peer has shown, and when it was new: the first time that any peer has
// shown it, as whoever shows an old one again does not make it younger.
func (t *Table) noteState(r *route, s *wire.PresenceState, age time.Duration, now time.Time) {
	h := r.home
	if h.boot < s.Boot {
		t.restart(h, s.Boot)
	}
	if h.seen == nil || s.Time > h.seen.Time {
		h.seen, h.seenAt = s, now.Add(-age)
	}
	r.state, r.fresh = s, now.Add(-age)
	older := time.Duration(h.seen.Time-s.Time) * time.Millisecond // both were credible when they came
	if at := h.seenAt.Add(-older); at.Before(r.fresh) {
		r.fresh = at
	}
}

// credible reports whether a state may be of now, by our clock.
func credible(s *wire.PresenceState, now time.Time) bool {
	off := now.Sub(time.UnixMilli(int64(s.Time)))
	return off.Abs() <= clocksOff
}

// agree compares a state that came over the best route with what is held.
func (t *Table) agree(h *home, now time.Time) {
	r := h.best
	s := r.state
	if !h.exact || h.hidden || s.Sequence != h.version {
		return
	}
	if int(s.Count) != h.hashes.n || s.Digest != h.hashes.sum() {
		t.mismatch(r, now)
		return
	}
	r.mismatches, r.ahead = 0, 0
	if h.state != s {
		h.state, h.stateAt = s, r.fresh
		t.push(h, change{state: s})
	}
}

// mismatch notes that what a peer said does not fit a state that the home has signed.
func (t *Table) mismatch(r *route, now time.Time) {
	t.mismatches++
	if r.mismatches++; r.mismatches >= mismatchMost {
		t.bad(r, now)
		return
	}
	r.home.exact = false
	t.ask(r.peer, now)
}
