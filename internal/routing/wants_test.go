package routing

import (
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// asked returns the last want that p was sent about a part, and how many there were.
func (r *tableRig) asked(p *rigHome) (want bool, n int) {
	r.ack()
	for _, m := range r.outbox {
		if m.to == p.id && m.kind == wire.UrgentFederationWant {
			w, err := wire.Parse[wire.FederationWant](m.body)
			if err != nil {
				r.t.Fatal(err)
			}
			want, n = w.Want, n+1
		}
	}
	return want, n
}

func (r *tableRig) wantAsked(p *rigHome, want bool, n int) {
	r.t.Helper()
	if got, times := r.asked(p); got != want || times != n {
		r.t.Errorf("it was sent %d wants, the last of them %v; want %d, %v", times, got, n, want)
	}
}

// TestWantsFollowTheRoute says who is asked for media, and when the former best peer is told.
func TestWantsFollowTheRoute(t *testing.T) {
	r := newTableRig(t, defaultLimits())
	self := &rigHome{rig: r, identity: r.identity, id: r.id}
	home, near, far := r.home(1), r.home(2).up(), r.home(3).up()
	entries, room := home.entries("ops", 1), wire.HashRoom("ops")
	record := home.record("ops", entries)
	far.says(r.announce(record, entries, far, r.home(4), home))
	r.wantAsked(far, false, 0)
	r.table.local("ops", self.entries("ops", 1), r.net.now)
	r.wantAsked(far, true, 1)
	r.outbox = nil

	near.says(r.announce(record, entries, near, home))
	r.wantAsked(near, true, 1)
	r.wantAsked(far, false, 0)
	for _, p := range []*rigHome{near, far} {
		if !r.parent(home.id, room, p.id, r.net.now) {
			t.Error("media of one of the two is not taken")
		}
	}
	r.wait(unwantLate)
	r.wantAsked(far, false, 1)
	r.wait(formerFor - unwantLate)
	if r.parent(home.id, room, far.id, r.net.now) {
		t.Error("media of the former best peer is taken for too long")
	}
	r.outbox = nil

	// A suspect link is told at once, and so is one that lost its route. A link that is back before it was
	// told is not.
	r.table.suspect(near.id, true, r.net.now)
	r.wantAsked(far, true, 1)
	r.wantAsked(near, false, 1)
	r.table.suspect(near.id, false, r.net.now)
	r.wantAsked(near, true, 2)
	r.table.suspect(near.id, true, r.net.now)
	r.wait(time.Minute)
	r.wantAsked(far, true, 1)
	r.table.suspect(near.id, false, r.net.now)
	r.wait(time.Minute)
	r.outbox = nil
	near.says(r.leaves(home, "ops"))
	r.wantAsked(near, false, 1)
	r.wantAsked(far, true, 1)
	r.outbox = nil
	r.table.local("ops", nil, r.net.now)
	r.wantAsked(far, false, 1)
}

// TestWantsGoUpTheTree says that what a peer wants is wanted from the best one, and where the media goes.
func TestWantsGoUpTheTree(t *testing.T) {
	r := newTableRig(t, defaultLimits())
	home, best, below := r.home(1), r.home(2).up(), r.home(3).up()
	entries := home.entries("ops", 1)
	below.says(r.wanting(home.id, "ops", true)) // before there is anything: it counts
	best.says(r.announce(home.record("ops", entries), entries, best, home))
	r.wantAsked(best, true, 1)
	key := tableTrunk{home.id, "ops"}
	if got := r.trunked[key]; !slices.Equal(got, []wire.RelayID{below.id}) {
		t.Errorf("the media goes to %v", got)
	}
	best.says(r.wanting(home.id, "ops", true)) // nonsense, which makes no circle
	if got := r.trunked[key]; !slices.Equal(got, []wire.RelayID{below.id}) {
		t.Errorf("the media goes to %v", got)
	}
	old := r.wanting(home.id, "ops", true)
	below.says(r.wanting(home.id, "ops", false))
	r.wantAsked(best, false, 2)
	below.says(old) // it was overtaken
	r.wantAsked(best, false, 2)
	if len(r.trunked) > 0 {
		t.Errorf("the media still goes somewhere: %v", r.trunked)
	}

	// Our own members' media.
	below.says(r.wanting(r.id, "ops", true))
	self := &rigHome{rig: r, identity: r.identity, id: r.id}
	r.table.local("ops", self.entries("ops", 1), r.net.now)
	r.wait(assumeFor)
	if got := r.trunked[tableTrunk{wire.RelayID{}, "ops"}]; !slices.Equal(got, []wire.RelayID{below.id}) {
		t.Errorf("our media goes to %v", got)
	}
	if r.parent(r.id, wire.HashRoom("ops"), best.id, r.net.now) {
		t.Error("media of our own members is taken from a peer")
	}
	r.table.down(below.id, r.net.now)
	if len(r.trunked) > 0 {
		t.Errorf("our media still goes to a peer that is gone: %v", r.trunked)
	}
}

// TestFirstWord says that who is told of a part, and is the way to others in the room, is taken to want it
// for a moment: the first to talk is heard from the first word.
func TestFirstWord(t *testing.T) {
	r := newTableRig(t, defaultLimits())
	other, near, far := r.home(1), r.home(2).up(), r.home(3).up()
	entries := other.entries("ops", 1)
	near.says(r.announce(other.record("ops", entries), entries, near, other))
	self := &rigHome{rig: r, identity: r.identity, id: r.id}
	ours := tableTrunk{wire.RelayID{}, "ops"}
	speak := func() { r.table.local("ops", self.entries("ops", 1), r.net.now) }
	goesTo := func(when string, want ...wire.RelayID) {
		t.Helper()
		if got := r.trunked[ours]; !slices.Equal(got, want) {
			t.Errorf("%s our media goes to %v, want %v", when, got, want)
		}
	}
	speak()
	goesTo("at first", near.id) // and not to far, behind whom nobody is
	r.wait(assumeFor)
	goesTo("later")
	near.says(r.wanting(r.id, "ops", true))
	goesTo("when it says so", near.id)

	// Everybody leaves, and somebody comes back.
	r.table.local("ops", nil, r.net.now)
	near.says(r.wanting(r.id, "ops", false))
	r.wait(time.Second)
	speak()
	goesTo("again", near.id)
	near.says(r.wanting(r.id, "ops", false))
	goesTo("when it does not want it")

	// They leave and come back so soon that near's answer to the leave is late.
	near.says(r.wanting(r.id, "ops", true))
	r.table.local("ops", nil, r.net.now)
	goesTo("when nobody is here")
	speak()
	goesTo("at once again", near.id)
	near.says(r.wanting(r.id, "ops", false))
	goesTo("after the late answer", near.id)
	near.says(r.wanting(r.id, "ops", false))
	goesTo("after another one")

	// A part that comes by far goes on to near, until near shows another way to it.
	third := r.home(4)
	list := third.entries("ops", 1)
	record := third.record("ops", list)
	theirs := tableTrunk{third.id, "ops"}
	far.says(r.announce(record, list, far, third))
	if got := r.trunked[theirs]; !slices.Equal(got, []wire.RelayID{near.id}) {
		t.Errorf("what comes by far goes to %v", got)
	}
	near.says(r.announce(record, list, near, third))
	if got := r.trunked[theirs]; len(got) > 0 {
		t.Errorf("what comes by far goes to %v, who has it by another way", got)
	}
}

// TestReconfigure says that rooms that are not global any more end, and that peers are asked for those that
// are now.
func TestReconfigure(t *testing.T) {
	net := newTableNet(t, 3, 1)
	net.connect(0, 1)
	net.connect(1, 2)
	nothing := func(string) bool { return false }
	net.nodes[1].table.configure(nothing, net.now)
	net.join(0, "ops", 20)
	net.join(2, "ops", 2)
	net.settle()
	if n := net.nodes[1]; len(n.views) > 0 || len(n.problems) > 0 || len(n.unshared) == 0 {
		t.Errorf("a room that is not global was taken, or held against the peer: %v", n.problems)
	}
	net.nodes[1].problems = nil
	net.nodes[1].table.configure(globalRoom, net.now)
	net.join(1, "ops", 1)
	net.settle()
	net.check()

	net.nodes[1].table.configure(nothing, net.now)
	net.nodes[1].ticked()
	net.settle()
	for i, n := range net.nodes {
		if len(n.views) > 0 || len(n.trunked) > 0 {
			t.Errorf("relay %d: something is left of a room that is not global in the middle", i)
		}
	}
}
