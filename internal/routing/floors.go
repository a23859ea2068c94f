package routing

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// floors remembers of parts that are gone which version they had, so that nobody brings an earlier one back.
//
// Each is kept on account of every peer that had a route to it, and of its home if that was ever a peer, with
// a limit for each account; it is forgotten when all of these have forgotten it. So who makes parts up makes
// those forgotten that nobody but itself ever brought.
type floors struct {
	limit  int // for each owner
	kept   map[PartKey]*floorEntry
	queues map[floorOwner][]floorRef // oldest first; those that kept does not agree with are void
	next   uint64
}

// floorOwner is an account: a peer's for what it passes on, or a home's for its own parts, whoever brings
// them.
type floorOwner struct {
	peer wire.RelayID
	home bool
}

type floorEntry struct {
	least  version // the least version that is taken
	since  time.Time
	owners []floorOwner
	holds  int // owners that have not forgotten it
	n      uint64
}

type floorRef struct {
	key PartKey
	n   uint64
}

func newFloors(limit int) floors {
	return floors{limit: max(limit, 1), kept: map[PartKey]*floorEntry{}, queues: map[floorOwner][]floorRef{}}
}

// bootKey is where the boot of a home is kept.
func bootKey(home wire.RelayID) PartKey { return PartKey{Home: home} }

// account notes that q brings a part: its version is remembered on q's account, and on that of its home if we
// know that.
//
// A home that is a peer needs no other account than its own, but that q has it too does no harm. An account
// of the home cannot be filled by others, as only the home signs its parts.
func (t *Table) account(pt *part, q *peer) {
	owners := []floorOwner{{peer: q.id, home: q.id == pt.key.Home}}
	if _, known := t.named[pt.key.Home]; known {
		owners = append(owners, floorOwner{peer: pt.key.Home, home: true})
	}
	for _, owner := range owners {
		if !slices.Contains(pt.owners, owner) {
			pt.owners = append(pt.owners, owner)
		}
		if home := t.homes[pt.key.Home]; home != nil && !slices.Contains(home.owners, owner) {
			home.owners = append(home.owners, owner)
		}
	}
}

// least returns the least version of a part that is taken, and since when that is known.
func (f *floors) least(key PartKey) (version, time.Time) {
	if entry := f.kept[key]; entry != nil {
		return entry.least, entry.since
	}
	return version{}, time.Time{}
}

// store remembers the least version of a part.
func (f *floors) store(key PartKey, least version, owners []floorOwner, now time.Time) {
	f.next++
	f.kept[key] = &floorEntry{least: least, since: now, owners: owners, holds: len(owners), n: f.next}
	for _, owner := range owners {
		f.queues[owner] = f.trimmed(append(f.queues[owner], floorRef{key, f.next}))
	}
}

// trimmed takes void references out of a queue that is long, and those above the limit.
func (f *floors) trimmed(queue []floorRef) []floorRef {
	if len(queue) <= 2*f.limit {
		return queue
	}
	queue = slices.DeleteFunc(queue, func(ref floorRef) bool { return !f.valid(ref) })
	for len(queue) > f.limit {
		entry := f.kept[queue[0].key]
		if entry.holds--; entry.holds == 0 {
			delete(f.kept, queue[0].key)
		}
		queue = queue[1:]
	}
	return slices.Clone(queue)
}

func (f *floors) valid(ref floorRef) bool {
	entry := f.kept[ref.key]
	return entry != nil && entry.n == ref.n
}

// remove forgets a part, which lives again, and returns what was kept. The accounts go on: whoever had it
// forgotten otherwise would only have to bring it back for a moment.
func (f *floors) remove(key PartKey) (least version, owners []floorOwner) {
	entry := f.kept[key]
	if entry == nil {
		return version{}, nil
	}
	delete(f.kept, key)
	return entry.least, entry.owners
}
