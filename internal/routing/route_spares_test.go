package routing

import (
	"fmt"
	"testing"
)

// TestOwnPartsHaveSpace wants a peer that passes on as many parts as it may to be able to announce its own
// ones, and no more of these than it may.
func TestOwnPartsHaveSpace(t *testing.T) {
	limits := defaultLimits()
	limits.parts = 3
	r := newTableRig(t, limits)
	far, peer := r.home(1), r.home(2).up()
	say := func(home *rigHome, room string, path ...*rigHome) {
		entries := home.entries(room, 1)
		peer.says(r.announce(home.record(room, entries), entries, path...))
	}
	for n := range limits.parts {
		say(far, fmt.Sprintf("ops-%d", n), peer, far)
	}
	r.wantProblem()
	say(far, "ops-x", peer, far)
	r.wantProblem(problemLimit)
	for n := range limits.parts {
		room := fmt.Sprintf("ops-%d", n)
		say(peer, room, peer)
		r.wantView(peer, room, 1)
	}
	r.wantProblem()
	say(peer, "ops-y", peer)
	r.wantProblem(problemLimit)
	say(far, "ops-x", peer, far)
	r.wantProblem(problemLimit)
}
