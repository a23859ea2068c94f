package presence

import (
	"cmp"
	"slices"

	"github.com/wzp-voice/wzp/internal/wire"
)

// Hashed is an identity that takes calls at a relay that is no peer: only its hash is known.
type Hashed struct {
	Hash wire.PresenceHash
	Home wire.RelayID
}

func (h Hashed) compare(o Hashed) int {
	return cmp.Or(h.Hash.Compare(o.Hash), h.Home.Compare(o.Home))
}

// ListHashes returns at most limit of those that List does not, after one of them, by hash; more: there are
// others. The zero value is the beginning.
func (t *Table) ListHashes(after Hashed, limit int) (list []Hashed, more bool) {
	last := wire.PresenceHash{}
	for i := range last {
		last[i] = 0xff
	}
	for _, h := range t.homes {
		if h.best == nil || h.best.direct() {
			continue
		}
		hashes, _ := h.hashes.between(after.Hash, last, limit+2) // one is after, one says that there is more
		for _, hash := range hashes {
			if one := (Hashed{hash, h.id}); one.compare(after) > 0 {
				list = append(list, one)
			}
		}
		if len(list) > 4*limit+64 {
			list = first(list, limit+1)
		}
	}
	list = first(list, limit+1)
	if len(list) > limit {
		return list[:limit], true
	}
	return list, false
}

// first returns the first n, in order.
func first(list []Hashed, n int) []Hashed {
	slices.SortFunc(list, Hashed.compare)
	return list[:min(n, len(list))]
}
