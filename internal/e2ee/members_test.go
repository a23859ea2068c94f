package e2ee

import (
	"slices"
	"testing"

	"github.com/wzp-voice/wzp/internal/wire"
)

func TestDigestMembers(t *testing.T) {
	hashes := []wire.EntryHash{wire.HashEntry([]byte("a")), wire.HashEntry([]byte("b")),
		wire.HashEntry([]byte("c"))}
	want := DigestMembers(hashes)
	for _, order := range [][]int{{0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		view := []wire.EntryHash{hashes[order[0]], hashes[order[1]], hashes[order[2]]}
		before := slices.Clone(view)
		if DigestMembers(view) != want {
			t.Errorf("in the order %v the digest is another", order)
		}
		if !slices.Equal(view, before) {
			t.Errorf("the order %v was changed", order)
		}
	}
	if DigestMembers(hashes[:2]) == want || DigestMembers(nil) == want {
		t.Error("fewer members have the same digest")
	}
}
