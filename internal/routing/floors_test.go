package routing

import (
	"testing"
	"time"
)

// TestNobodyForgetsForOthers says that a peer which makes up more homes than are remembered does not have
// those forgotten that another peer, or the home itself, told us of; so nobody who left there comes back.
func TestNobodyForgetsForOthers(t *testing.T) {
	limits := defaultLimits()
	limits.parts = 20
	for name, test := range map[string]struct{ direct, later bool }{
		"the home is a peer":         {direct: true},
		"the home was a peer":        {direct: true, later: true},
		"another peer had it, too":   {},
		"another peer had it before": {later: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newTableRig(t, limits)
			home, bad, good := r.home(1), r.home(2).up(), r.home(3).up()
			entries := home.entries("ops", 1)
			first := home.record("ops", entries)
			bad.says(r.announce(first, entries, bad, home))
			if test.direct {
				home.up()
				home.says(r.announce(first, entries, home))
				home.says(r.announce(home.record("ops", nil), nil, home))
			} else {
				good.says(r.announce(first, entries, good, home))
				good.says(r.announce(home.record("ops", nil), nil, good, home))
			}
			r.wantView(home, "ops", 0)
			r.wait(20 * time.Second)
			if test.later && test.direct {
				r.table.down(home.id, r.net.now)
			}
			if test.later && !test.direct {
				// It lives again for a moment, by the bad peer alone.
				entries := home.entries("ops", 2)
				bad.says(r.announce(home.record("ops", entries), entries, bad, home))
				bad.says(r.leaves(home, "ops"))
				r.wait(20 * time.Second)
			}
			for i := range 200 {
				made := r.home(100 + i)
				bad.says(r.announce(made.record("ops", made.entries("ops", 1)), nil, bad, made))
				bad.says(r.leaves(made, "ops"))
			}
			r.problems = nil
			bad.says(r.announce(first, entries, bad, home))
			r.wantView(home, "ops", 0)
			r.wantProblem(problemReplay)
			if n := len(r.table.floors.kept); n > 10*limits.parts {
				t.Errorf("%d versions are remembered", n)
			}
		})
	}
}

// TestHomeKnowsItsParts says that a relay which has just started, and so remembers nothing, does not believe
// a detour to a home whose own link says nothing of the part.
func TestHomeKnowsItsParts(t *testing.T) {
	r := newTableRig(t, defaultLimits())
	home, bad := r.home(1), r.home(2).up()
	entries := home.entries("ops", 1)
	old := home.record("ops", entries)
	bad.says(r.announce(old, entries, bad, home))
	r.wantView(home, "ops", 1) // the home is not linked: it may well be so
	home.up()
	r.wait(settleFor - time.Second)
	r.wantView(home, "ops", 1) // it may still be about to tell
	r.wait(time.Second + lingerFor)
	r.wantView(home, "ops", 0)
	r.wantProblem()

	// The same in the other order, and for another room.
	more := home.entries("crew", 1)
	bad.says(r.announce(home.record("crew", more), more, bad, home))
	r.wantView(home, "crew", 0)
	// When the home cannot be asked any more, the detour is all there is.
	r.table.suspect(home.id, true, r.net.now)
	r.wantView(home, "ops", 1)
	r.wantView(home, "crew", 1)
	r.table.suspect(home.id, false, r.net.now)
	r.wait(settleFor + lingerFor)
	r.wantView(home, "ops", 0)
	r.table.down(home.id, r.net.now)
	r.wantView(home, "ops", 1)

	// While the home goes on telling, nothing is void; but not for ever.
	home.up()
	for i := range 80 {
		r.wait(time.Second)
		room := string(rune('a'+i/26)) + string(rune('a'+i%26))
		mine := home.entries(room, 1)
		home.says(r.announce(home.record(room, mine), mine, home))
		want := 1
		if at := time.Duration(i+1) * time.Second; at > settleMost+settleFor+lingerFor {
			want = 0
		} else if at > settleMost {
			continue
		}
		r.wantView(home, "ops", want)
	}

	// What the home does announce is reached by a detour, too, as soon as its link is bad.
	home.says(r.announce(old, entries, home))
	r.wantView(home, "ops", 1)
	r.table.suspect(home.id, true, r.net.now)
	r.wantView(home, "ops", 1)
	bad.says(r.leaves(home, "ops"))
	bad.says(r.leaves(home, "crew"))
	r.table.down(bad.id, r.net.now)
	r.table.down(home.id, r.net.now)
	r.wait(lingerFor)
	if len(r.table.parts) > 0 || len(r.views) > 0 {
		t.Errorf("%d parts are left", len(r.table.parts))
	}
}
