package presence

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// What problems are called.
const (
	problemMalformed = "its presence cannot be read"
	problemRules     = "its presence breaks the rules"
	problemState     = "a home has not signed what it says of it"
	problemDigest    = "who it says is at a home does not agree with what the home has signed"
	problemClock     = "the clock of a home is wrong, or it says old things again"
	problemLoop      = "it says that we are our own neighbour; two relays may have one identity"
)

// Kind reports whether urgent messages of a kind are for [Table.Receive].
func Kind(kind wire.UrgentKind) bool {
	return wire.UrgentPresenceHome <= kind && kind <= wire.UrgentPresenceContents
}

// Receive takes an urgent message of kind 40 to 44. Messages are read in the order in which they were sent.
func (t *Table) Receive(from wire.RelayID, kind wire.UrgentKind, body []byte, now time.Time) {
	p := t.peers[from]
	if p == nil || p.deaf {
		return
	}
	t.received += uint64(len(body))
	serial, err := wire.PresenceSerial(body)
	switch {
	case err != nil:
		t.ignore(p, problemMalformed, err.Error(), now)
		return
	case serial < p.in:
		return // it came before
	case serial-p.in >= heldMost:
		t.ignore(p, problemRules, "a message is too far ahead of the others", now)
		return
	}
	if p.held == nil {
		p.held = map[uint64]inbound{}
	}
	p.held[serial] = inbound{kind, body}
	for !p.deaf {
		m, here := p.held[p.in]
		if !here {
			return
		}
		delete(p.held, p.in)
		p.in++
		t.read(p, m, now)
	}
}

// read reads the next message of a peer.
func (t *Table) read(p *peer, m inbound, now time.Time) {
	var err error
	switch m.kind {
	case wire.UrgentPresenceHome:
		err = with(m.body, func(m *wire.PresenceHome) { t.homeMessage(p, m, now) })
	case wire.UrgentPresenceGone:
		err = with(m.body, func(m *wire.PresenceGone) { t.goneMessage(p, m, now) })
	case wire.UrgentPresenceNews:
		err = with(m.body, func(m *wire.PresenceNews) { t.newsMessage(p, m, now) })
	case wire.UrgentPresenceCompare:
		err = with(m.body, func(m *wire.PresenceCompare) { t.compareMessage(p, m, now) })
	case wire.UrgentPresenceContents:
		err = with(m.body, func(m *wire.PresenceContents) { t.contentsMessage(p, m, now) })
	}
	if err != nil {
		t.ignore(p, problemMalformed, err.Error(), now)
	}
}

// with parses body and gives what it says to f.
func with[T any, M interface {
	*T
	wire.UrgentMessage
}](body []byte, f func(M)) error {
	m, err := wire.Parse[T, M](body)
	if err == nil {
		f(&m)
	}
	return err
}

// homeMessage takes what a peer says first of a home, or anew.
func (t *Table) homeMessage(p *peer, m *wire.PresenceHome, now time.Time) {
	id := wire.RelayIDOf(m.Home)
	path := append(slices.Clone(m.Before), id)
	if wrong := wrongPath(p, m, path); wrong != "" {
		t.ignore(p, problemRules, wrong, now)
		return
	}
	r := p.route(m.Number)
	if r != nil && (r.home == nil || r.home.key != m.Home) {
		t.drop(r, now)
		r = nil
	}
	h := t.homes[m.Home]
	switch {
	case slices.Contains(path, t.self):
		t.do(Problem{p.id, problemLoop, "a path has this relay"})
		t.useless(p, m.Number, r, now)
		return
	case (h == nil || !h.hasSeen(&m.State)) && !m.State.Verify(m.Home):
		t.ignore(p, problemState, "the signature is wrong", now)
		return
	}
	if h == nil {
		h = &home{key: m.Home, id: id, boot: m.State.Boot, exact: true}
		t.homes[m.Home] = h
	}
	if r == nil {
		if slices.ContainsFunc(h.routes, func(o *route) bool { return o.peer == p }) {
			t.ignore(p, problemRules, "a home by two numbers", now)
			return
		}
		r = &route{home: h, peer: p, number: m.Number}
		p.add(r)
		h.routes = append(h.routes, r)
	}
	t.update(r, m, path, now)
}

// update has a route be what its peer says.
func (t *Table) update(r *route, m *wire.PresenceHome, path []wire.RelayID, now time.Time) {
	h := r.home
	moved := !slices.Equal(r.path, path) || r.passOn != m.PassOn
	if r.boot != m.State.Boot || r.version != m.Version || m.Afresh {
		if r.peer.ask != nil && r.peer.ask.route == r {
			r.peer.ask.void = true
		}
		if h.best == r && r.boot == m.State.Boot {
			h.exact = false // whatever the version is, some of what led there is missing
		}
	}
	if r.boot != m.State.Boot {
		r.askAt = time.Time{}
	}
	r.path, r.passOn, r.address = path, m.PassOn, m.Address
	r.boot, r.version, r.midway = m.State.Boot, m.Version, r.midway && !m.Afresh
	if credible(&m.State, now) {
		t.noteState(r, &m.State, time.Duration(m.Age)*time.Second, now)
	} else { // it is of no use until the home signs one that is of now
		t.do(Problem{r.peer.id, problemClock, "a state is not of now"})
		r.state, r.fresh = &m.State, time.Time{}
	}
	t.choose(h, moved && h.passed == r, now)
}

// useless notes a number that stands for nothing of use.
func (t *Table) useless(p *peer, number uint64, r *route, now time.Time) {
	if r != nil {
		t.drop(r, now)
	}
	p.add(&route{peer: p, number: number})
}

// wrongPath says what is wrong with a path; empty: nothing.
func wrongPath(p *peer, m *wire.PresenceHome, path []wire.RelayID) string {
	sorted := slices.Clone(path)
	slices.SortFunc(sorted, wire.RelayID.Compare)
	switch {
	case len(m.Before) == 0 && m.Home != p.key || path[0] != p.id:
		return "a path does not begin with its sender"
	case len(slices.Compact(sorted)) != len(path):
		return "a path has a relay twice"
	case len(m.Before) > 0 && m.Address != "":
		return "an address of another relay"
	}
	return ""
}

// wrongForm is why who is at a home is not taken.
const wrongForm = "of those at another relay than itself hashes count, of its own fingerprints"

// hasSeen reports whether a state is one that was verified.
func (h *home) hasSeen(s *wire.PresenceState) bool { return h.seen != nil && *h.seen == *s }

// goneMessage takes back homes.
func (t *Table) goneMessage(p *peer, m *wire.PresenceGone, now time.Time) {
	for _, number := range m.Numbers {
		r := p.route(number)
		if r == nil {
			t.ignore(p, problemRules, "it takes back a home that it has not told of", now)
			return
		}
		t.drop(r, now)
	}
}

// newsMessage takes what changed at homes.
func (t *Table) newsMessage(p *peer, m *wire.PresenceNews, now time.Time) {
	for i := range m.Items {
		item := &m.Items[i]
		r := p.route(item.Number)
		switch {
		case p.deaf:
			return
		case r == nil:
			t.ignore(p, problemRules, "news of a home that it has not told of", now)
		case r.home == nil:
		case item.State != nil:
			t.stateItem(r, item.State, now)
		case len(item.Whole) > 0 && !r.direct() || len(item.Came) > 0 && r.direct():
			t.ignore(p, problemRules, wrongForm, now)
		default:
			t.changeItem(r, item, now)
		}
	}
}

// stateItem takes a state that a home has signed.
func (t *Table) stateItem(r *route, s *wire.PresenceState, now time.Time) {
	h := r.home
	switch {
	case credible(r.state, now) && s.Time < r.state.Time+uint64(stateLeast/time.Millisecond):
		return // said before, or more often than a home does
	case s.Boot != r.boot || s.Sequence > r.version:
		t.ignore(r.peer, problemRules, "a state of another version than it has told of", now)
		return
	case !credible(s, now):
		t.do(Problem{r.peer.id, problemClock, "a state is not of now"})
		return
	case !h.hasSeen(s) && !s.Verify(h.key):
		t.ignore(r.peer, problemState, "the signature is wrong", now)
		return
	}
	t.noteState(r, s, 0, now)
	if h.best != r {
		t.choose(h, false, now) // it may have expired before
		return
	}
	switch {
	case s.Sequence == h.version:
		t.agree(h, now)
	case !h.exact:
	case s.Sequence < r.version:
		t.mismatch(r, now)
	default: // we know of more than the home: from a peer that lied, or this one is late
		if r.ahead++; r.ahead >= aheadMost {
			h.exact = false
			t.ask(r.peer, now)
		}
	}
}

// changeItem takes a change of who is at a home.
func (t *Table) changeItem(r *route, item *wire.PresenceItem, now time.Time) {
	h, from := r.home, r.version
	r.version, r.midway = min(r.version+item.Rise, versionMost), item.Rise == 0
	if h.best != r || h.hidden || h.exact && h.version > from && h.version >= r.version {
		return
	}
	if h.exact && h.version > from {
		h.exact = false // part of it is known, and nobody knows which
		t.ask(r.peer, now)
	}
	c := t.apply(h, item.Left, item.Came, item.Whole, now)
	switch {
	case h.hidden: // there was no room
	case h.exact:
		c.rise = r.version - h.version
		h.version, h.midway = r.version, item.Rise == 0
		t.push(h, c)
	default:
		t.push(h, c)
	}
}

// apply changes who is at a home, and returns what that has changed.
func (t *Table) apply(h *home, left, came []wire.PresenceHash, whole []identity.Fingerprint,
	now time.Time) (c change) {
	if n := len(came) + len(whole); n > 0 && !t.makeRoom(h, n, now) {
		t.hide(h, now)
		return c
	}
	before := h.hashes.n
	for _, hash := range left {
		if h.hashes.remove(hash) {
			c.left = append(c.left, hash)
		}
		delete(h.whole, hash)
	}
	for _, f := range whole {
		hash := wire.HashPresence(f)
		if h.whole != nil {
			h.whole[hash] = f
		}
		if h.hashes.add(hash) {
			c.came = append(c.came, hash)
		}
	}
	for _, hash := range came {
		if h.hashes.add(hash) {
			c.came = append(c.came, hash)
		}
	}
	t.count(h, h.hashes.n-before)
	return c
}
