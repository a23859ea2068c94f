package e2ee

import (
	"encoding/binary"
	"slices"

	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	// maxGone is how many talkers are remembered in short, some 150 bytes each.
	maxGone = 1 << 15

	// maxGoneFloors is how many streams of one are told apart then. A member has one or two, and that of
	// views.
	maxGoneFloors = 4

	// refusedBits and refusedHashes are the size of the filter for those before them, 4 MiB, and how many
	// bits each has in it: with 1 million in it 1 newcomer of 100,000 is taken for one of them, with 2
	// million 1 of 2,000.
	refusedBits   = 1 << 25
	refusedHashes = 8
)

// goneTalkers are talkers that left before the newest 1024 who did. Whoever comes and goes can make others be
// among them, and needs no secret for it, so nobody who is back, or new, may be muted by being many:
//
//	newest 32768   what is needed to hear them again, with the same entry, and nothing of theirs twice
//	others         a bit pattern in a filter: with the same entry they are refused for good, for a relay
//	               could make their old keys new, and play what was said under them. Who joins anew has
//	               another entry.
//
// It is pure; its Listener locks it. The zero value is empty.
type goneTalkers struct {
	talkers map[uint64]goneTalker
	order   []uint64 // the same, those that were put first first
	refused []uint64 // the filter; nil: empty
}

// goneTalker is what is remembered of one.
type goneTalker struct {
	number uint32
	first  uint64
	above  uint64 // of its windows
	floors []streamFloor
}

// shortOf is by what an entry is found.
func shortOf(hash wire.EntryHash) uint64 { return binary.BigEndian.Uint64(hash[:]) }

// put remembers a talker.
func (g *goneTalkers) put(t *heldTalker) {
	if g.talkers == nil {
		g.talkers = make(map[uint64]goneTalker)
	}
	id := shortOf(t.hash)
	t.windows.rest(maxGoneFloors)
	g.talkers[id] = goneTalker{t.number, t.first, t.windows.above, t.windows.floors}
	g.order = append(g.order, id)
	if len(g.order) > maxGone {
		oldest := g.order[0]
		g.order = g.order[1:]
		delete(g.talkers, oldest)
		g.refuse(oldest)
	}
}

// check compares a header with the last one of who has an entry, if that is among the gone.
func (g *goneTalkers) check(hash wire.EntryHash, h *wire.KeyHeader) error {
	t, ok := g.talkers[shortOf(hash)]
	switch {
	case !ok && g.refuses(hash), h.Number <= t.number:
		return ErrKnown
	case h.FirstCTR < t.first:
		return errKeyFirst
	}
	return nil
}

// back returns who has an entry as it was, and forgets it here; nil: it is not remembered.
func (g *goneTalkers) back(hash wire.EntryHash) *heldTalker {
	id := shortOf(hash)
	t, ok := g.talkers[id]
	if !ok {
		return nil
	}
	delete(g.talkers, id)
	i := slices.Index(g.order, id) // takes less than the signature that comes with who is back
	g.order = slices.Delete(g.order, i, i+1)
	return &heldTalker{
		hash: hash, number: t.number, first: t.first,
		accepted: ^acceptedNumbers(0), // whatever is below its number
		windows:  replayWindows{floors: t.floors, above: t.above},
	}
}

// refuse adds somebody to the filter.
func (g *goneTalkers) refuse(id uint64) {
	if g.refused == nil {
		g.refused = make([]uint64, refusedBits/64)
	}
	for i := range uint64(refusedHashes) {
		bit := refusedBit(id, i)
		g.refused[bit/64] |= 1 << (bit % 64)
	}
}

// refuses reports whether who has an entry is in the filter, or seems to be.
func (g *goneTalkers) refuses(hash wire.EntryHash) bool {
	if g.refused == nil {
		return false
	}
	for i := range uint64(refusedHashes) {
		if bit := refusedBit(shortOf(hash), i); g.refused[bit/64]>>(bit%64)&1 == 0 {
			return false
		}
	}
	return true
}

// refusedBit returns the i-th bit of who is in the filter. Ids are of hashes already: two halves make as many
// as are needed (Kirsch and Mitzenmacher, Less hashing, same performance).
func refusedBit(id, i uint64) uint64 { return (id>>32 + i*(id|1)) % refusedBits }
