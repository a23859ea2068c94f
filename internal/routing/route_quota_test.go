package routing

import (
	"fmt"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// askedAll returns how often p was asked to announce everything again.
func (r *tableRig) askedAll(p *rigHome) (n int) {
	for _, m := range r.outbox {
		if m.to == p.id && m.kind == wire.UrgentFederationFetch {
			if f, err := wire.Parse[wire.FederationFetch](m.body); err == nil &&
				f == (wire.FederationFetch{}) {
				n++
			}
		}
	}
	return n
}

// madeUp lets a hostile relay behind a peer announce n homes.
func (r *tableRig) madeUp(peer, hostile *rigHome, n int) (list []*rigHome) {
	for i := range n {
		made := r.home(1000 + i)
		list = append(list, made)
		entries := made.entries("ops", 1)
		peer.says(r.announce(made.record("ops", entries), entries, peer, hostile, made))
	}
	return list
}

// TestMadeUpHomesKeepNobodyOut says that a relay which makes homes up, behind an honest peer, takes space
// from nobody else: not from the peer's own parts, nor from those behind it that come by another way.
func TestMadeUpHomesKeepNobodyOut(t *testing.T) {
	limits := defaultLimits()
	limits.parts = 40
	r := newTableRig(t, limits)
	peer, hostile, honest := r.home(1).up(), r.home(2), r.home(3)
	made := r.madeUp(peer, hostile, 100)
	q := r.table.peers[peer.id]
	if all, passed, _ := q.routesOf(); all != limits.passedShare() || passed != all {
		t.Errorf("the peer has %d routes, of which it passes on %d", all, passed)
	}
	say := func(home *rigHome, room string, path ...*rigHome) {
		t.Helper()
		entries := home.entries(room, 2)
		peer.says(r.announce(home.record(room, entries), entries, path...))
		r.wantView(home, room, 2)
	}
	for i := range 40 {
		say(peer, fmt.Sprint("room ", i), peer)
	}
	if all, passed, _ := q.routesOf(); all != limits.parts || passed != 0 {
		t.Errorf("the peer has %d routes, of which it passes on %d", all, passed)
	}
	r.problems = nil
	for i := 10; i < 40; i++ {
		peer.says(r.announce(peer.record(fmt.Sprint("room ", i), nil), nil, peer))
	}
	r.wantProblem()
	made = append(made, r.madeUp(peer, hostile, 100)...)
	// By another way, however long, there is a share, which grows to the half.
	far := r.home(5)
	for i := range 20 {
		room := fmt.Sprint("far ", i)
		entries := far.entries(room, 1)
		peer.says(r.announce(far.record(room, entries), entries, peer, honest, r.home(4), far))
		if i < limits.passedShare()/2 {
			r.wantView(far, room, 1)
		} else if len(r.views[tableView{far.identity.Public(), room}]) > 0 {
			t.Error("the other way has more than its share")
		}
	}
	// Who is nearer by the same way comes first.
	say(hostile, "ops", peer, hostile)
	_, passed, by := q.routesOf()
	if n := by[hostile.id] + by[honest.id]; n != passed || passed != limits.passedShare() {
		t.Errorf("by the two ways there are %d and %d of %d", by[hostile.id], by[honest.id], passed)
	}

	// When there is space again, the peer is asked for what was refused; once, and not while all is full.
	r.wait(time.Minute)
	if n := r.askedAll(peer); n != 0 {
		t.Errorf("the peer was asked %d times though there is no space", n)
	}
	for _, home := range made {
		peer.says(r.leaves(home, "ops"))
	}
	r.outbox = nil
	r.wait(time.Hour)
	if n := r.askedAll(peer); n != 1 {
		t.Errorf("the peer was asked %d times for everything", n)
	}
	for i := range 20 {
		room := fmt.Sprint("far again ", i)
		entries := far.entries(room, 1)
		peer.says(r.announce(far.record(room, entries), entries, peer, honest, r.home(4), far))
		if i < 10 {
			r.wantView(far, room, 1)
		}
	}
}

// TestRefusedAgain says that a peer which always announces too much is asked for everything less and less
// often.
func TestRefusedAgain(t *testing.T) {
	limits := defaultLimits()
	limits.parts = 4
	r := newTableRig(t, limits)
	peer, hostile := r.home(1).up(), r.home(2)
	for range 360 {
		for _, home := range r.madeUp(peer, hostile, 4)[:2] {
			peer.says(r.leaves(home, "ops"))
		}
		r.wait(10 * time.Second)
	}
	if n := r.askedAll(peer); n < 5 || n > 25 {
		t.Errorf("in an hour it was asked %d times", n)
	}
}

// TestLeavesDoNotFill says that what a peer took back, of which only serials are remembered, keeps nothing
// else out for long.
func TestLeavesDoNotFill(t *testing.T) {
	limits := defaultLimits()
	limits.parts = 20
	r := newTableRig(t, limits)
	peer, hostile, home := r.home(1).up(), r.home(2), r.home(3)
	for i := range 300 {
		peer.says(r.leaves(r.home(1000+i), "ops"))
	}
	r.problems = nil
	entries := peer.entries("ops", 1)
	peer.says(r.announce(peer.record("ops", entries), entries, peer))
	r.wantView(peer, "ops", 1)
	r.wait(lateFor + time.Second)
	entries = home.entries("ops", 1)
	peer.says(r.announce(home.record("ops", entries), entries, peer, hostile, home))
	r.wantView(home, "ops", 1)
	r.wantProblem()
}

// TestGhostsKeepNobodyOut is TestMadeUpHomesKeepNobodyOut for members: of one peer, and of all.
func TestGhostsKeepNobodyOut(t *testing.T) {
	limits := defaultLimits()
	limits.fromPeer, limits.total = 20, 40
	r := newTableRig(t, limits)
	peer, hostile, honest := r.home(1).up(), r.home(2), r.home(3)
	r.madeUp(peer, hostile, 30)
	if q := r.table.peers[peer.id]; q.members != 20 {
		t.Errorf("%d members count for the peer", q.members)
	}
	say := func(home *rigHome, room string, n int, path ...*rigHome) {
		entries := home.entries(room, n)
		path[0].says(r.announce(home.record(room, entries), entries, path...))
	}
	say(honest, "a", 2, peer, honest)
	say(honest, "b", 2, peer, honest)
	r.wantView(honest, "a", 2)
	r.wantView(honest, "b", 2)
	for i := range 8 {
		room := fmt.Sprint("own ", i)
		say(peer, room, 2, peer)
		r.wantView(peer, room, 2)
	}
	say(peer, "own 8", 2, peer)
	say(peer, "own 9", 2, peer)
	r.wantView(peer, "own 9", 2)
	r.wantView(honest, "a", 0) // the peer's own are first

	// A part that grows, for which there is no space, shows nobody: who was there may have left.
	say(peer, "own 9", 2, peer)
	say(peer, "own 8", 3, peer)
	r.wantView(peer, "own 8", 0)
	r.wantView(peer, "own 9", 2)
	say(peer, "own 7", 1, peer)
	say(peer, "own 6", 1, peer)
	say(peer, "own 5", 1, peer)
	r.outbox = nil
	r.wait(2 * spacePause)
	if r.took(peer.id, wire.UrgentFederationFetch) == 0 {
		t.Error("the list that there was no space for is not asked for again")
	}

	// Three peers share what is left for all.
	bad := r.home(7).up()
	for i := range 20 {
		say(bad, fmt.Sprint("bad ", i), 1, bad)
	}
	late := r.home(8).up()
	for i := range 10 {
		room := fmt.Sprint("late ", i)
		say(late, room, 1, late)
		r.wantView(late, room, 1)
	}
	sum := 0
	for _, q := range r.table.order {
		sum += q.members
	}
	if sum != r.table.members || sum > limits.total {
		t.Errorf("%d members count for peers, %d in all", sum, r.table.members)
	}
}

// TestOurLabelsAreOurs says that a relay far away cannot be called what we call a peer.
func TestOurLabelsAreOurs(t *testing.T) {
	r := newTableRig(t, defaultLimits())
	peer, far := r.home(1).up(), r.home(3)
	r.table.up(r.home(2).id, "Big Relay", r.net.now)
	called := func(home *rigHome, label string, path ...*rigHome) string {
		entries := home.entries("ops", 1)
		m := r.announce(home.record("ops", entries), entries, path...)
		m.Label = label
		path[0].says(m)
		return r.labels[tableView{home.identity.Public(), "ops"}]
	}
	for label, want := range map[string]string{
		"big relay": "", "BIG  RELAY": "", "Big\u200b Relay": "", "Bigger Relay": "Bigger Relay",
		"LABEL": "", "third": "third", "": "",
	} {
		if got := called(far, label, peer, far); got != want {
			t.Errorf("a far relay that is called %q is shown as %q, want %q", label, got, want)
		}
	}
	// The relay that we call so may be called so when it is reached by a detour, and by its own link always
	// is.
	if got := called(r.home(2), "big relay", peer, r.home(2)); got != "big relay" {
		t.Errorf("a peer of ours is called %q by others", got)
	}
	if got := called(peer, "whatever", peer); got != "label" {
		t.Errorf("a peer of ours is called %q", got)
	}
	// A name that we give later is taken from who had it.
	called(far, "New one", peer, far)
	r.table.up(r.home(4).id, "new ONE", r.net.now)
	if got := r.labels[tableView{far.identity.Public(), "ops"}]; got != "" {
		t.Errorf("a far relay is still called %q", got)
	}
}
