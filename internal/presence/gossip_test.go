package presence

import (
	"testing"
	"time"
)

const hop = 100 * time.Millisecond

// Six relays in a chain: a change is known over five hops within 2 s, and a path is told with it.
func TestConverges(t *testing.T) {
	n := newNetwork(t, 6, hop, 0)
	for i := range 5 {
		n.connect(i, i+1)
	}
	n.run(3 * time.Second)
	for i := range 20 { // at all times of a batch
		n.run(time.Duration(i) * 17 * time.Millisecond)
		n.join(5, i)
		took := n.within(2*time.Second, "known over five hops", func() bool { return n.knows(0, i, 5) })
		n.leave(5, i)
		gone := n.within(2*time.Second, "gone over five hops", func() bool { return !n.knows(0, i, 5) })
		if i == 0 {
			t.Log("known after", took, "gone after", gone)
		}
	}
	n.join(5, 100)
	n.run(2 * time.Second)
	ways := n.relays[0].table.Ways(personNumber(100).Fingerprint())
	if len(ways) != 1 || ways[0].Hops != 5 || ways[0].Next != n.relays[1].self ||
		len(ways[0].Path) != 5 || ways[0].Path[4] != n.relays[5].self || ways[0].Home != n.relays[5].self {
		t.Errorf("%+v", ways)
	}
	n.check()
	if len(n.problems) > 0 {
		t.Error(n.problems)
	}
}
