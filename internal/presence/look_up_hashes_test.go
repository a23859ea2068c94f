package presence

import (
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

func hashedAt(r *relay, who int) Hashed {
	return Hashed{wire.HashPresence(personNumber(who).Fingerprint()), r.self}
}

// TestListHashes has a relay list those of whom it knows hashes only, on pages of all sizes: they are found
// by their fingerprints, too.
func TestListHashes(t *testing.T) {
	n := newNetwork(t, 4, hop, 0)
	for i := range 3 {
		n.connect(i, i+1)
	}
	var want []Hashed
	for who := range 30 {
		home := 1 + who%3 // at the peer, and at two relays beyond
		n.join(home, who)
		if home > 1 {
			want = append(want, hashedAt(n.relays[home], who))
		}
	}
	n.join(2, 3) // who is at two of them
	want = append(want, hashedAt(n.relays[2], 3))
	n.join(3, 3)
	want = append(want, hashedAt(n.relays[3], 3))
	slices.SortFunc(want, Hashed.compare)
	n.run(5 * time.Second)
	table := n.relays[0].table
	for limit := 1; limit <= len(want)+1; limit++ {
		var got []Hashed
		for more := true; more; {
			after := Hashed{}
			if len(got) > 0 {
				after = got[len(got)-1]
			}
			var page []Hashed
			page, more = table.ListHashes(after, limit)
			if len(page) > limit || len(page) == 0 || len(got) > 100 {
				t.Fatalf("a page of %d", len(page))
			}
			got = append(got, page...)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("by %d: %v, want %v", limit, got, want)
		}
	}
	if list, _, more := table.List(Cursor{}, 100); len(list) != 10 || more {
		t.Errorf("%d are known by their fingerprints", len(list))
	}
	for who := range 30 {
		e, ok := table.LookUp(personNumber(who).Fingerprint())
		if home := n.relays[1+who%3]; !ok || e.Relay != home.self && who != 3 || !e.Available {
			t.Errorf("%d is looked up as %+v, %v", who, e, ok)
		}
	}
	n.cut(0, 1)
	if list, more := table.ListHashes(Hashed{}, 100); len(list) != 0 || more {
		t.Errorf("without a link %d are listed", len(list))
	}
}
