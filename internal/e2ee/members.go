package e2ee

import (
	"bytes"
	"crypto/sha256"
	"slices"

	"github.com/wzp-voice/wzp/internal/wire"
)

// DigestMembers returns the member digest of a view of a room (docs/protocol.md, section 7.2): SHA-256 over the
// entry hashes of all members inside, sorted. The order of hashes does not matter, and stays.
func DigestMembers(hashes []wire.EntryHash) (digest [32]byte) {
	hashes = slices.Clone(hashes)
	slices.SortFunc(hashes, func(a, b wire.EntryHash) int { return bytes.Compare(a[:], b[:]) })
	h := sha256.New()
	for i := range hashes {
		h.Write(hashes[i][:])
	}
	h.Sum(digest[:0])
	return digest
}
