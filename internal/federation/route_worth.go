package federation

import (
	"slices"

	"github.com/wzp-voice/wzp/wire"
)

// routeWorth orders routes, the best first: not over a suspect link, then of the fewest hops, then by the peer with the
// lowest id.
type routeWorth struct {
	shaky bool
	hops  int
	peer  wire.RelayID
}

func (w routeWorth) less(o routeWorth) bool {
	switch {
	case w.shaky != o.shaky:
		return o.shaky
	case w.hops != o.hops:
		return w.hops < o.hops
	}
	return w.peer.Compare(o.peer) < 0
}

// worth returns what q's route to a part is worth; ok is false if it has none, or one that another peer contradicts.
//
// A relay on the path that is a peer of ours has told us its way itself. If that is another one by now, or none,
// the path is of the past, and the peer at its begin has just not heard of it. Without this check every relay of
// a full mesh would try all paths that were ever possible, one after the other, when a home is gone.
func (t *table) worth(key partKey, q *neighbour) (w routeWorth, ok bool) {
	a := q.parts[key]
	if a == nil || a.route == nil {
		return w, false
	}
	w = routeWorth{q.suspect || a.route.shaky, len(a.route.path), q.id}
	for i := 1; i < len(a.route.path)-1; i++ {
		on := t.neighbours[a.route.path[i]]
		if on == nil || on.suspect {
			continue // we do not hear from it what its way is
		}
		switch b := on.parts[key]; {
		case b == nil:
		case b.route == nil && b.away, b.route != nil && !slices.Equal(b.route.path, a.route.path[i:]):
			return w, false
		case b.route != nil && b.route.shaky:
			w.shaky = true
		}
	}
	return w, true
}
