package presence

import (
	"slices"

	"github.com/wzp-voice/wzp/internal/wire"
)

// chunkMost is how many hashes a chunk of a set has at most.
const chunkMost = 512

// hashSet is a sorted set, in chunks, so that it costs little to change however many there are and however
// they are chosen. The zero value is empty.
type hashSet struct {
	chunks [][]wire.PresenceHash // none is empty
	n      int
	digest [16]byte
	sure   bool // digest is that of what is here
}

// find returns where a hash is, or would be. Without chunks it returns 0, 0.
func (s *hashSet) find(h wire.PresenceHash) (chunk, i int, found bool) {
	first := func(c []wire.PresenceHash, h wire.PresenceHash) int { return c[0].Compare(h) }
	chunk, exact := slices.BinarySearchFunc(s.chunks, h, first)
	if exact {
		return chunk, 0, true
	}
	if chunk = max(chunk-1, 0); len(s.chunks) > 0 {
		i, found = slices.BinarySearchFunc(s.chunks[chunk], h, wire.PresenceHash.Compare)
	}
	return chunk, i, found
}

// has reports whether a hash is in the set.
func (s *hashSet) has(h wire.PresenceHash) bool {
	_, _, found := s.find(h)
	return found
}

// add adds a hash. It reports whether it was not there.
func (s *hashSet) add(h wire.PresenceHash) bool {
	c, i, found := s.find(h)
	if found {
		return false
	}
	s.n++
	s.sure = false
	if len(s.chunks) == 0 {
		s.chunks = [][]wire.PresenceHash{{h}}
		return true
	}
	chunk := slices.Insert(s.chunks[c], i, h)
	if s.chunks[c] = chunk; len(chunk) > chunkMost {
		half := len(chunk) / 2
		s.chunks[c] = slices.Clone(chunk[:half])
		s.chunks = slices.Insert(s.chunks, c+1, slices.Clone(chunk[half:]))
	}
	return true
}

// remove removes a hash. It reports whether it was there.
func (s *hashSet) remove(h wire.PresenceHash) bool {
	c, i, found := s.find(h)
	if !found {
		return false
	}
	s.n--
	s.sure = false
	if s.chunks[c] = slices.Delete(s.chunks[c], i, i+1); len(s.chunks[c]) == 0 {
		s.chunks = slices.Delete(s.chunks, c, c+1)
	}
	return true
}

// sum returns the digest of all.
func (s *hashSet) sum() [16]byte {
	if !s.sure {
		s.digest, s.sure = wire.DigestPresence(s.chunks...), true
	}
	return s.digest
}

// between returns the first hashes from one through another, both included, at most so many; more: there are
// others.
func (s *hashSet) between(from, through wire.PresenceHash, most int) (list []wire.PresenceHash, more bool) {
	c, i, _ := s.find(from)
	for ; c < len(s.chunks); c, i = c+1, 0 {
		for _, h := range s.chunks[c][i:] {
			if h.Compare(through) > 0 {
				return list, false
			}
			if len(list) == most {
				return list, true
			}
			list = append(list, h)
		}
	}
	return list, false
}
