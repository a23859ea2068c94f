package presence

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// TestResolveChain: in chains of 2 to 8 relays somebody at one end is found from the other, with and without
// claims, by a chain of all relays; of nine not. Each relay on the way knows the next one from then on.
func TestResolveChain(t *testing.T) {
	for n := 1; n <= 9; n++ {
		for _, gossip := range []bool{false, true} {
			net := newResolveNet(t, n, gossip)
			net.chain(20 * time.Millisecond)
			who := newResolvePerson(1)
			record := net.nodes[n-1].available(who, 1)
			route, took := net.nodes[0].resolve(who.fingerprint)
			var all []int
			for i := range n {
				all = append(all, i)
			}
			kind := RouteKind(min(n, int(Chain)))
			switch {
			case n == 9:
				if route.Kind != NotFound || !route.Unsure {
					t.Errorf("%d relays: %v", n, route)
				}
			case route.Kind != kind || !slices.Equal(route.Chain, net.ids(all...)):
				t.Errorf("%d relays: %v %v", n, route, route.Unsure)
			case len(route.Records) != 1 || !bytes.Equal(route.Records[0], record):
				t.Errorf("%d relays: records %x", n, route.Records)
			case took > time.Duration(n-1)*46*time.Millisecond:
				t.Errorf("%d relays: it took %v", n, took)
			}
			if sent := net.sent[wire.UrgentRouteQuery]; n < 9 && sent != n-1 {
				t.Errorf("%d relays: %d queries", n, sent)
			}
			reach, _ := wire.ParseReach(record)
			for i := 0; i < n-1 && n < 9; i++ {
				hops := net.nodes[i].resolver.NextHops(who.fingerprint, reach.Device(),
					net.now.Add(time.Minute))
				if !slices.Equal(hops, net.ids(i+1)) {
					t.Errorf("%d relays: the next of %d are %v", n, i, hops)
				}
			}
			net.check()
			net.calm()
		}
	}
}

// TestResolveShapes: in rings and meshes everybody finds everybody, by the fewest relays where presence names
// them, all at once and with nobody claiming anything; who is nowhere is not found, soon.
func TestResolveShapes(t *testing.T) {
	shapes := map[string]func(net *resolveNet){
		"ring of 3": func(net *resolveNet) { net.ring(3) },
		"ring of 5": func(net *resolveNet) { net.ring(5) },
		"ring of 8": func(net *resolveNet) { net.ring(8) },
		"mesh of 4": func(net *resolveNet) { net.full(4) },
		"mesh of 8": func(net *resolveNet) { net.full(8) },
		"two rings": func(net *resolveNet) {
			net.ring(4)
			for i := 4; i < 7; i++ {
				net.link(i-1, i, 15*time.Millisecond)
			}
			net.link(6, 3, 15*time.Millisecond)
		},
	}
	for name, shape := range shapes {
		for _, gossip := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, gossip %v", name, gossip), func(t *testing.T) {
				net := newResolveNet(t, 8, gossip)
				shape(net)
				var there []*resolveNode
				for _, n := range net.nodes {
					if len(n.links) > 0 {
						there = append(there, n)
					}
				}
				who := newResolvePerson(1)
				home := there[len(there)-1]
				home.available(who, 1)
				for _, n := range there {
					n.ask(who.fingerprint)
				}
				net.run(2 * time.Second)
				for _, n := range there {
					if len(n.resolved) != 1 || n.resolved[0].Route.Kind == NotFound {
						t.Fatalf("relay %d: %v", n.n, n.resolved)
					}
					chain := n.resolved[0].Route.Chain
					if chain[0] != n.id || chain[len(chain)-1] != home.id || !simple(chain) ||
						gossip && len(chain) != 1+n.distance(home) {
						t.Errorf("relay %d: %v", n.n, chain)
					}
				}
				found := net.sent[wire.UrgentRouteQuery]
				nobody := newResolvePerson(2)
				route, took := there[0].resolve(nobody.fingerprint)
				if route.Kind != NotFound || route.Unsure || took > 800*time.Millisecond {
					t.Errorf("nobody: %v unsure %v after %v", route, route.Unsure, took)
				}
				t.Logf("%d relays: %d queries when all asked, %d for nobody, in %v", len(there), found,
					net.sent[wire.UrgentRouteQuery]-found, took)
				net.check()
				net.calm()
			})
		}
	}
}

// distance is over how many links a relay is reached.
func (n *resolveNode) distance(home *resolveNode) int {
	if n == home {
		return 0
	}
	shortest := len(n.net.nodes)
	for _, w := range n.waysTo(home) {
		shortest = min(shortest, w.Hops)
	}
	return shortest
}

func (net *resolveNet) ring(n int) {
	for i := range n {
		net.link(i, (i+1)%n, 15*time.Millisecond)
	}
}

func (net *resolveNet) full(n int) {
	for i := range n {
		for j := range i {
			net.link(j, i, 15*time.Millisecond)
		}
	}
}
