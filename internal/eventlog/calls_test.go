package eventlog

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestCalls puts together which way a call went: first north, south, west; then north, west, for south had no
// space.
func TestCalls(t *testing.T) {
	m := newMadeUp()
	path := [8]byte{0xab, 1}
	log := func(who string, at int64, kind Kind, generation uint64, e Event) {
		e.Time, e.Kind, e.RoomHash, e.Count = at*second, kind, path, generation
		m.log(who, e)
	}
	log("north", 10, CallForward, 1, Event{Peer: south})
	log("south", 11, CallForward, 1, Event{Peer: west})
	log("west", 12, CallSetUp, 1, Event{Hops: 3})
	log("south", 13, CallSetUp, 1, Event{Peer: west})
	log("north", 14, CallSetUp, 1, Event{Peer: south})
	log("north", 20, CallForward, 2, Event{Peer: south})
	log("south", 21, CallRefused, 2, Event{Peer: north, Reason: "too many"})
	log("north", 22, CallForward, 2, Event{Peer: west})
	log("west", 23, CallSetUp, 2, Event{Hops: 2})
	log("north", 24, CallSetUp, 2, Event{Peer: west})
	log("south", 25, CallEnd, 1, Event{Reason: "replaced"})
	log("west", 30, CallEnd, 2, Event{Reason: "hung up"})
	log("north", 40, CallRefused, 7, Event{Reason: "no route"})
	r := m.analyze(t, time.Second)
	party := func(id PeerID, name string) Party { return Party{string(appendPeer(nil, id)), name} }
	n, s, w := party(north, "north"), party(south, "south"), party(west, "west")
	want := []Call{
		{Path: "ab01000000000000", Generation: 1, Relays: []Party{n, s, w}, Hops: 3,
			Asked: 10 * Micros(second), SetUpMS: 4000, Ended: 25 * Micros(second), Reason: "replaced"},
		{Path: "ab01000000000000", Generation: 2, Relays: []Party{n, w}, Hops: 2, Asked: 20 * Micros(second),
			SetUpMS: 4000, Ended: 30 * Micros(second), Reason: "hung up",
			Refusals: []Place{{From: s, To: n, Reason: "too many", Count: 1}}},
		{Path: "ab01000000000000", Generation: 7, Relays: []Party{}, Asked: 40 * Micros(second),
			Refusals: []Place{{From: n, Reason: "no route", Count: 1}}},
	}
	if d := cmp.Diff(want, r.Calls); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}

	// A log in between is missing, and one names itself as its next.
	m.logs["south"] = slices.Clone(m.logs["south"][:1])
	log("Ana", 50, CallSetUp, 1, Event{})
	log("west", 51, CallSetUp, 9, Event{Peer: west})
	r = m.analyze(t, time.Second)
	if got := r.Calls[0].Relays; len(got) != 2 || got[0] != n || got[1] != s {
		t.Errorf("%v", got)
	}
}
