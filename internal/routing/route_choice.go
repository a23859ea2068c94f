package routing

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// routeWorth orders routes, the best first: not over a suspect link, then of the fewest hops, then of the
// least length, then by the peer with the lowest id.
//
// Length decides between paths of as many hops, and has nothing to do with distance. It makes all relays
// choose alike: the shortest path between two of them is the same from both ends, as hops and lengths of
// links add up. So what a relay's members say to others' comes the way that their media comes, and who is on
// another way can be told to lie.
type routeWorth struct {
	shaky  bool
	hops   int
	length uint64
	peer   wire.RelayID
}

// pathLength returns the sum of the lengths of a path's links, that from us to its first relay included.
func pathLength(self wire.RelayID, path []wire.RelayID) (sum uint64) {
	for _, id := range path {
		sum += linkLength(self, id)
		self = id
	}
	return sum
}

// linkLength returns a number of 32 bits that is the same from both ends of a link: SHA-256(the lower id ||
// the higher one)[:4].
func linkLength(a, b wire.RelayID) uint64 {
	if a.Compare(b) > 0 {
		a, b = b, a
	}
	hash := sha256.Sum256(append(a[:], b[:]...))
	return uint64(binary.BigEndian.Uint32(hash[:]))
}

func (w routeWorth) less(o routeWorth) bool {
	switch {
	case w.shaky != o.shaky:
		return o.shaky
	case w.hops != o.hops:
		return w.hops < o.hops
	case w.length != o.length:
		return w.length < o.length
	}
	return w.peer.Compare(o.peer) < 0
}

// worth returns what q's route to a part is worth; ok is false if it has none, or one that another peer
// contradicts.
//
// A relay on the path that is a peer of ours has told us its way itself. If that is another one by now, or
// none, the path is of the past, and the peer at its begin has just not heard of it. Without this check every
// relay of a full mesh would try all paths that were ever possible, one after the other, when a home is gone.
func (t *Table) worth(key PartKey, q *peer) (w routeWorth, ok bool) {
	a := q.parts[key]
	if a == nil || a.route == nil {
		return w, false
	}
	w = routeWorth{q.suspect || a.route.shaky, len(a.route.path), a.route.length, q.id}
	for i := 1; i < len(a.route.path)-1; i++ {
		on := t.peers[a.route.path[i]]
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

// disowns reports whether q's route to a part is void because it is a detour to a home that is a peer of
// ours, and whose own link, which is sound, says nothing of that part.
//
// The home tells us itself what it has, and does so within moments. Whoever reaches a part of it that it does
// not have has not heard yet that it is over, or replays it: without this check a peer could bring back who
// left the home before we started.
func (t *Table) disowns(key PartKey, q *peer, now time.Time) bool {
	home := t.peers[key.Home]
	return home != nil && home != q && !home.suspect && !now.Before(home.settledAt) && !home.reaches(key)
}

// disowned reports whether a part has routes, but void ones. It is kept without members: when the link to its
// home ends, they count.
func (t *Table) disowned(pt *part, now time.Time) bool {
	for q := range t.states(pt.key) {
		if q.reaches(pt.key) && t.disowns(pt.key, q, now) {
			return true
		}
	}
	return false
}

// reaches reports whether q announces a route to a part.
func (q *peer) reaches(key PartKey) bool {
	a := q.parts[key]
	return a != nil && a.route != nil
}

// unsettle is for a message of q about a part of its own: while these go on after the link came up, others
// may be on their way.
func (q *peer) unsettle(now time.Time) {
	if now.Before(q.settledAt) && now.Sub(q.upSince) < settleMost {
		q.settledAt = laterOf(q.settledAt, now.Add(settleFor))
	}
}

func laterOf(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// choose finds the best route of a foreign part.
func (t *Table) choose(pt *part, now time.Time) {
	if pt.own {
		return
	}
	var best *peer
	var worth routeWorth
	for _, q := range t.order {
		if t.disowns(pt.key, q, now) {
			continue
		}
		if w, ok := t.worth(pt.key, q); ok && (best == nil || w.less(worth)) {
			best, worth = q, w
		}
	}
	if best != pt.best {
		pt.former = slices.DeleteFunc(pt.former, func(f Former) bool {
			return !now.Before(f.Until) || best != nil && f.Peer == best.id
		})
		if pt.best != nil {
			if len(pt.former) == mostFormer {
				pt.former = slices.Delete(pt.former, 0, 1)
			}
			pt.former = append(pt.former, Former{pt.best.id, now.Add(formerFor)})
		}
		pt.lingers = time.Time{}
		if best == nil && !pt.shaky {
			pt.lingers = now.Add(lingerFor)
		}
	}
	pt.best, pt.way = best, nil
	if best != nil {
		pt.way, pt.shaky = best.parts[pt.key].route, worth.shaky
	}
}
