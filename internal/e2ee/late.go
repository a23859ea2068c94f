package e2ee

import (
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// maxOvertaken is how far below the last header's number one may be that comes after it.
const maxOvertaken = 8

// acceptedNumbers has a bit for each of the numbers that end with a talker's last one, the lowest bit, which
// is 1. The zero value is that before the first.
type acceptedNumbers uint64

// with returns the numbers up to number, where the last one was last.
func (a acceptedNumbers) with(number, last uint32) acceptedNumbers {
	return a<<(number-last) | 1 // 64 and above shift all out
}

// overtaken reports whether a key is one that another of its talker, of a later generation, was faster than:
// its frames may have come, and wait for it. A relay cannot bring back an old key so: each number is taken
// once.
func (t *heldTalker) overtaken(h *wire.KeyHeader, now time.Time) bool {
	below := t.number - h.Number
	return h.Number < t.number && below <= maxOvertaken && t.accepted>>below&1 == 0 &&
		now.Before(t.renewed.Add(keepOld)) && len(t.generations) > 0 &&
		h.FirstCTR <= t.first && t.generation(h.Epoch/generations) == nil
}
