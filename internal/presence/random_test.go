package presence

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Whatever happens to links, relays, words and people: half a minute later everybody knows what they may
// know, and no more, and nobody has broken the rules.
func TestRandom(t *testing.T) {
	seeds := 30
	if testing.Short() {
		seeds = 5
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { testRandom(t, uint64(seed)) })
	}
}

func testRandom(t *testing.T, seed uint64) {
	const relays = 7
	n := newNetwork(t, relays, 30*time.Millisecond, 80*time.Millisecond)
	n.random = rand.New(rand.NewPCG(seed, 7))
	words := map[[2]int]Word{}
	word := func(a, b int) Word {
		if n.random.IntN(4) == 0 {
			words[[2]int{a, b}] = []Word{None, Peer, Mesh}[n.random.IntN(3)]
		} else if _, said := words[[2]int{a, b}]; !said {
			words[[2]int{a, b}] = Mesh
		}
		return words[[2]int{a, b}]
	}
	pair := func() (a, b int) {
		a = n.random.IntN(relays)
		return a, (a + 1 + n.random.IntN(relays-1)) % relays
	}
	for range 250 {
		a, b := pair()
		switch n.random.IntN(12) {
		case 0, 1:
			n.connect(a, b, word(a, b), word(b, a))
		case 2:
			n.cut(a, b)
		case 3:
			if n.relays[a].links[n.relays[b].self] != nil {
				r, far := n.relays[a], n.relays[b].self
				w := word(a, b)
				r.act(func() { r.table.Word(far, w, n.now) })
			}
		case 4:
			if n.random.IntN(3) == 0 {
				n.kill(a, time.Duration(n.random.IntN(3000))*time.Millisecond)
				n.relays[a].begin()
			}
		case 5:
			for range n.random.IntN(400) { // a crowd
				n.join(a, n.random.IntN(1000))
			}
		default:
			if who := n.random.IntN(1000); n.random.IntN(3) == 0 {
				for who = range n.relays[a].here {
					break
				}
				n.leave(a, who)
			} else {
				n.join(a, who)
			}
		}
		n.run(time.Duration(n.random.IntN(500)) * time.Millisecond)
	}
	n.run(30 * time.Second)
	n.checkAll(words)
	if len(n.problems) > 0 {
		t.Error(n.problems)
	}
}

// checkAll compares what each relay knows of with all that it may know.
func (n *network) checkAll(words map[[2]int]Word) {
	n.t.Helper()
	n.check()
	for from, r := range n.relays {
		hops := map[int]int{} // of homes of which from may know
		var visit func(home, at int, path []int)
		visit = func(home, at int, path []int) {
			for next := range n.relays {
				if n.relays[at].links[n.relays[next].self] == nil || slices.Contains(path, next) ||
					len(path) >= maxPath {
					continue
				}
				told, taken := words[[2]int{at, next}], words[[2]int{next, at}]
				first := at == home
				// Both words hold; what is passed on needs mesh of all.
				if told == None || taken == None || !first && (told != Mesh || taken != Mesh ||
					words[[2]int{at, path[len(path)-2]}] != Mesh || words[[2]int{path[0], path[1]}] != Mesh) {
					continue
				}
				if next == from && (hops[home] == 0 || len(path) < hops[home]) {
					hops[home] = len(path)
				}
				visit(home, next, append(slices.Clone(path), next))
			}
		}
		for home := range n.relays {
			if home != from {
				visit(home, home, []int{home})
			}
		}
		for home, far := range n.relays {
			h := r.table.homes[far.id.Public()]
			got := 0
			if h != nil && h.best != nil {
				got = len(h.best.path)
			}
			if home != from && got != hops[home] {
				n.t.Errorf("relay %d knows relay %d over %d hops, may over %d", from, home, got, hops[home])
			}
			if got != 1 && h != nil && h.whole != nil {
				n.t.Errorf("relay %d keeps fingerprints of relay %d", from, home)
			}
		}
	}
}
