package callpath

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/internal/share"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	maxOwn     = 16 // paths that an identity brought here
	maxOffers  = 16 // paths by which a session is called and on which it has not spoken
	maxSpoken  = 64 // and on which it has
	maxToOne   = 8  // of which to one that is called: a path for each device
	maxWaiting = 4  // legs of an identity that wait

	// Ten calls a minute of an identity, and as many forwards as those take.
	callSeconds   = 6
	callsBurst    = time.Minute
	forwardsBurst = 80 * time.Second // of one a second
	oneCall       = 10 * time.Second // forwards to the same one in so long are of one call

	// Messages of a path and direction, a second.
	messageRate  = 20
	messageBurst = 2 * time.Second

	// Until the called's end has spoken on a path, the caller's says one thing in 5 s, and four at once: that
	// it thought better of it, and that it is there.
	beforeSeconds = 5
	beforeBurst   = 20 * time.Second

	// Messages to a peer a second, which those share that they come from: a peer takes 2,000 of all kinds.
	outRate  = 1500
	outBurst = 2 * time.Second
	outLeast = 20

	// How many forwards may come at once, in time of their rate, and of each who brings some.
	forwardBurst = 4 * time.Second
	forwardLeast = 10
)

// Limits bound a table. What is 0 has its default.
type Limits struct {
	Paths    int // at once; 20,000
	Forwards int // a second, shared out by who brings them; 300: each takes a signature's check
	Waiting  int // legs that wait; 1,000
}

func (l Limits) withDefaults() Limits {
	set := func(v *int, standard int) {
		if *v == 0 {
			*v = standard
		}
	}
	set(&l.Paths, 20_000)
	set(&l.Forwards, 300)
	set(&l.Waiting, 1_000)
	return l
}

// holder is a step of the path of who brings paths: a peer link or an address block, then who behind it.
type holder struct {
	group budget.Group
	who   uint64
}

// client is a session of a client.
type client struct {
	caller *caller
	group  budget.Group
	paths  []*path // of which it is a leg
	waits  []wire.PathID
	early  early
}

// list returns its paths, which may change meanwhile.
func (c *client) list() []*path { return slices.Clone(c.paths) }

// source is whose share of the forwards those of a client count in.
func (c *client) source() budget.Source {
	return budget.Source{Group: c.group, Member: budget.ID(c.caller.key[:])}
}

// caller is an identity with sessions here, or that had some a moment ago.
type caller struct {
	key         identity.PublicKey
	fingerprint identity.Fingerprint
	sessions    int
	spent       share.Place[holder] // where it is remembered without a session
	paths       int                 // that it brought
	waiting     int
	callees     []*callee     // whom it calls
	failed      []wire.PathID // paths that ended otherwise than by their ends: they may come again
	calls       budget.Bucket
	forwards    budget.Bucket
}

// callee is whom an identity here calls, while it has paths there.
type callee struct {
	fingerprint identity.Fingerprint
	paths       int
	began       time.Duration
}

// callee returns whom it calls, or nil.
func (c *caller) callee(f identity.Fingerprint) *callee {
	for _, one := range c.callees {
		if one.fingerprint == f {
			return one
		}
	}
	return nil
}

// maxFailed bounds the paths of an identity that failed and are remembered, so that they may come again.
const maxFailed = 4

func (c *caller) noteFailed(id wire.PathID) {
	c.failed = append(c.failed, id)
	c.failed = c.failed[max(0, len(c.failed)-maxFailed):]
}

// mayForward reports whether who brings a forward may do so now.
func (t *Table) mayForward(from Leg, p *path, f *wire.CallForward, at time.Duration) bool {
	if from.isPeer() {
		return t.forwards.Take(peerSource(from), 1, at)
	}
	c := t.clients[from.Session]
	own := c.caller
	if !own.forwards.Take(1, 1, forwardsBurst, at) {
		return false
	}
	if p == nil {
		one := own.callee(f.Target)
		if own.paths >= maxOwn || one != nil && one.paths >= maxToOne {
			return false
		}
		same := one != nil && at-one.began < oneCall || slices.Contains(own.failed, f.Path())
		if !same && !own.calls.Take(callSeconds, 1, callsBurst, at) {
			return false
		}
	}
	return t.forwards.Take(c.source(), 1, at)
}

// source is whose share what a leg brings counts in.
func (t *Table) source(l Leg) budget.Source {
	if c := t.clients[l.Session]; c != nil {
		return c.source()
	}
	return peerSource(l)
}

func peerSource(l Leg) budget.Source {
	return budget.Source{Group: budget.Group{Link: true, ID: budget.ID(l.Peer[:])}}
}

// holding returns in whose share a path counts that a leg brings.
func (t *Table) holding(from Leg) []holder {
	source := t.source(from)
	source.Group = source.Group.Customer()
	return []holder{{group: source.Group}, {source.Group, source.Member}}
}

// add makes a path, if it has a place, or gets that of whoever holds most; nil: it has none.
func (t *Table) add(id wire.PathID, from Leg, f *wire.CallForward, at time.Duration) *path {
	if len(t.paths) >= t.limits.Paths && !t.displace(from, at) {
		return nil
	}
	p := &path{id: id, used: at}
	t.paths[id.Room()] = p
	t.hold(p, from)
	if c := t.clients[from.Session]; c != nil {
		own := c.caller
		if p.callee = own.callee(f.Target); p.callee == nil {
			p.callee = &callee{fingerprint: f.Target, began: at}
			own.callees = append(own.callees, p.callee)
		}
		p.by = own
		own.paths++
		p.callee.paths++
	}
	return p
}

// displace ends a path of whoever holds most, the newest one about, for who holds less.
func (t *Table) displace(from Leg, at time.Duration) bool {
	if own, ok := t.shares.Ask(t.holding(from)); own || !ok {
		return false
	}
	for leaf, list := range t.held {
		if t.shares.Yields(leaf) {
			t.evict(list[len(list)-1], at)
			return true
		}
	}
	return false
}

// evict ends a path for want of space.
func (t *Table) evict(p *path, at time.Duration) {
	if a := p.next; a != nil {
		if a.pending() {
			t.endTries(p, Leg{}, wire.EndTooMany)
			t.state(a.from, p.id, a.generation, wire.CallTooMany)
		}
		t.dropAttempt(p)
	}
	if p.open.generation != 0 {
		t.close(p, Leg{}, wire.EndTooMany, at)
	} else {
		t.remove(p)
	}
}

// hold counts a path in the share of who brings it, instead of who did before.
func (t *Table) hold(p *path, from Leg) {
	leaf := t.shares.Add(t.holding(from))
	t.unhold(p)
	p.holder, p.place = leaf, len(t.held[leaf])
	t.held[leaf] = append(t.held[leaf], p)
}

func (t *Table) unhold(p *path) {
	if p.holder == nil {
		return
	}
	list := t.held[p.holder]
	last := list[len(list)-1]
	list[p.place], last.place = last, p.place
	list[len(list)-1] = nil
	if list = list[:len(list)-1]; len(list) == 0 {
		delete(t.held, p.holder)
	} else {
		t.held[p.holder] = list
	}
	t.shares.Remove(p.holder)
	p.holder = nil
}

// remove forgets a path.
func (t *Table) remove(p *path) {
	delete(t.paths, p.id.Room())
	t.pending.remove(p)
	t.unhold(p)
	if own := p.by; own != nil {
		own.paths--
		if p.callee.paths--; p.callee.paths == 0 {
			own.callees = slices.DeleteFunc(own.callees, func(o *callee) bool { return o == p.callee })
		}
		p.by = nil
	}
}

// join notes that a session is a leg of a path.
func (t *Table) join(l Leg, p *path) {
	if c := t.clients[l.Session]; c != nil && !slices.Contains(c.paths, p) {
		c.paths = append(c.paths, p)
	}
}

// leave notes that a session is a leg no longer, unless it still is.
func (t *Table) leave(l Leg, p *path) {
	c := t.clients[l.Session]
	if c == nil || p.open.side(l) >= 0 || p.next != nil && p.next.from == l {
		return
	}
	c.paths = slices.DeleteFunc(c.paths, func(o *path) bool { return o == p })
}

// makeRoom sees to it that a session that is called has a place for an offer. Of the paths on which it has
// not spoken, which alone count, the oldest of whoever brings most makes way, be it who brings this one: so
// anybody gets a place, whatever others do, and nobody learns from places whether the session is in a call.
func (t *Table) makeRoom(to, from Leg, at time.Duration) bool {
	groups, members := make(map[holder]int), make(map[holder]int)
	count := func(group, member holder) {
		groups[group]++
		members[member]++
	}
	var unspoken []*path // the oldest first
	spoken := 0
	for _, p := range t.clients[to.Session].paths {
		switch {
		case p.open.generation == 0 || p.open.legs[1] != to:
		case p.spoken:
			spoken++
		default:
			unspoken = append(unspoken, p)
			count(p.group(), p.holder.Key())
		}
	}
	if spoken >= maxSpoken {
		return false
	}
	if len(unspoken) < maxOffers {
		return true
	}
	mine := t.holding(from)
	count(mine[0], mine[1])
	gives := unspoken[0]
	for _, p := range unspoken {
		group, most := groups[p.group()], groups[gives.group()]
		if group > most || group == most && members[p.holder.Key()] > members[gives.holder.Key()] {
			gives = p
		}
	}
	t.evict(gives, at)
	return true
}

// unwait has a leg wait no longer.
func (t *Table) unwait(id wire.PathID) {
	w := t.waiting[id]
	if w == nil {
		return
	}
	delete(t.waiting, id)
	t.waits.Remove(w.holder)
	if c := t.clients[w.leg.Session]; c != nil {
		c.caller.waiting--
		c.waits = slices.DeleteFunc(c.waits, func(o wire.PathID) bool { return o == id })
	}
}
