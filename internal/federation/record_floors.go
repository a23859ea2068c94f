package federation

import (
	"time"

	"github.com/wzp-voice/wzp/wire"
)

// floors remembers of parts that are gone which version they had, so that nobody brings an earlier one back. Each is
// kept on account of the peer that brought it, with a limit for each peer: who makes parts up makes its own forgotten.
type floors struct {
	limit  int // for each peer
	kept   map[partKey]floorEntry
	queues map[wire.RelayID][]floorRef // oldest first; those that kept does not agree with are void
	next   uint64
}

type floorEntry struct {
	least version // the least version that is taken
	since time.Time
	owner wire.RelayID
	n     uint64
}

type floorRef struct {
	key partKey
	n   uint64
}

func newFloors(limit int) floors {
	return floors{limit: max(limit, 1), kept: map[partKey]floorEntry{}, queues: map[wire.RelayID][]floorRef{}}
}

// bootKey is where the boot of a home is kept.
func bootKey(home wire.RelayID) partKey { return partKey{home: home} }

// keep remembers the least version of a part, which owner brought.
func (f *floors) keep(key partKey, least version, owner wire.RelayID, now time.Time) {
	f.next++
	f.kept[key] = floorEntry{least: least, since: now, owner: owner, n: f.next}
	queue := append(f.queues[owner], floorRef{key, f.next})
	valid := 0
	if len(queue) > 2*f.limit {
		for _, ref := range queue {
			if f.valid(ref) {
				queue[valid] = ref
				valid++
			}
		}
		queue = queue[:valid]
		for len(queue) > f.limit {
			delete(f.kept, queue[0].key)
			queue = queue[1:]
		}
		queue = append([]floorRef(nil), queue...)
	}
	f.queues[owner] = queue
}

func (f *floors) valid(ref floorRef) bool {
	entry, ok := f.kept[ref.key]
	return ok && entry.n == ref.n
}

// take forgets a part, which lives again, and returns what was kept.
func (f *floors) take(key partKey) version {
	entry := f.kept[key]
	delete(f.kept, key)
	return entry.least
}
