package routing

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

var randomRooms = []string{"ops", "ops-1", "crew", "private"}

// randomLinks returns a random graph of n relays, with a path between all of them.
func (net *tableNet) randomLinks(n int) (links [][2]int) {
	for i := 1; i < n; i++ {
		links = append(links, [2]int{net.rng.IntN(i), i})
	}
	for range net.rng.IntN(n * 2) {
		i, j := net.rng.IntN(n), net.rng.IntN(n)
		if i != j {
			links = append(links, [2]int{min(i, j), max(i, j)})
		}
	}
	slices.SortFunc(links, func(a, b [2]int) int { return (a[0]-b[0])*100 + a[1] - b[1] })
	return slices.Compact(links)
}

// randomStep does one thing to the network.
func (net *tableNet) randomStep(links [][2]int, suspects map[[2]int]bool) {
	l := links[net.rng.IntN(len(links))]
	i := net.rng.IntN(len(net.nodes))
	room := randomRooms[net.rng.IntN(len(randomRooms))]
	switch k := net.rng.IntN(20); {
	case k < 8:
		net.join(i, room, 1+net.rng.IntN(3))
	case k < 9:
		net.join(i, room, 1+net.rng.IntN(40))
	case k < 14:
		net.leave(i, room, 1+net.rng.IntN(4))
	case k < 15:
		net.leave(i, room, 100)
	case k < 17:
		if net.link(l[0], l[1]).up {
			net.cut(l[0], l[1])
			delete(suspects, l)
		} else {
			net.connect(l[0], l[1])
		}
	case k < 19:
		if net.link(l[0], l[1]).up {
			suspects[l] = !suspects[l]
			net.suspect(l[0], l[1], suspects[l])
		}
	default:
		net.restart(i)
		for l := range suspects {
			if l[0] == i || l[1] == i {
				delete(suspects, l)
			}
		}
	}
}

// TestRandomNets does random things to random networks and looks, whenever all is quiet, whether every table
// agrees with the truth.
func TestRandomNets(t *testing.T) {
	seeds := 24
	if testing.Short() {
		seeds = 10
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { runRandomNet(t, uint64(seed)) })
	}
}

func runRandomNet(t *testing.T, seed uint64) {
	net := newTableNet(t, 2, seed)
	n := 2 + net.rng.IntN(7)
	net = newTableNet(t, n, seed)
	net.delay = []time.Duration{time.Millisecond, 50 * time.Millisecond, 400 * time.Millisecond}[seed%3]
	links, suspects := net.randomLinks(n), map[[2]int]bool{}
	for _, l := range links {
		net.connect(l[0], l[1])
	}
	for range 3 {
		for range 15 {
			net.randomStep(links, suspects)
			if net.rng.IntN(3) > 0 {
				net.run(net.random(6 * net.delay))
			}
		}
		for l := range suspects {
			if suspects[l] {
				net.suspect(l[0], l[1], false)
			}
		}
		clear(suspects)
		net.settle()
		net.check()
		if t.Failed() {
			t.Fatalf("links %v", links)
		}
	}
}
