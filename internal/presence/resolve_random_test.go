package presence

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// TestResolveRandom: in random networks whoever can be reached over seven links is found within 2 s, by
// everybody who asks at about the same time, on a chain of links; with links that lose everything, or go down
// meanwhile, all get an answer within 2 s, and nothing is left.
func TestResolveRandom(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 2))
		n := 2 + rng.IntN(9)
		net := newResolveNet(t, n, rng.IntN(2) == 0)
		for i := 1; i < n; i++ {
			net.link(rng.IntN(i), i, time.Duration(1+rng.IntN(40))*time.Millisecond)
		}
		for range rng.IntN(2 * n) {
			if a, b := rng.IntN(n), rng.IntN(n); a != b {
				net.link(a, b, time.Duration(1+rng.IntN(40))*time.Millisecond)
			}
		}
		lossy := rng.IntN(2) == 0
		who, nobody := newResolvePerson(1), newResolvePerson(2)
		home := net.nodes[rng.IntN(n)]
		home.available(who, 1)
		for _, node := range net.nodes {
			net.after(time.Duration(rng.IntN(60))*time.Millisecond, func() {
				node.ask(who.fingerprint)
				node.ask(nobody.fingerprint)
			})
		}
		for range n / 2 {
			a := net.nodes[rng.IntN(n)]
			for _, id := range a.Peers(Mesh) {
				link := a.links[id]
				down := rng.IntN(2) == 0
				if lossy && rng.IntN(3) == 0 {
					net.after(time.Duration(rng.IntN(200))*time.Millisecond, func() {
						if link.dead = true; down && a.links[id] != nil {
							net.cut(a.n, link.to.n)
						}
					})
				}
			}
		}
		net.run(60*time.Millisecond + resolveFor)
		for _, node := range net.nodes {
			if len(node.resolved) != 2 {
				t.Fatalf("seed %d: relay %d has %d answers", seed, node.n, len(node.resolved))
			}
			for _, one := range node.resolved {
				net.checkRandom(seed, node, home, one, lossy, one.Target == who.fingerprint)
			}
		}
		net.check()
		net.calm()
	}
}

func (net *resolveNet) checkRandom(seed uint64, node, home *resolveNode, one Resolved, lossy, there bool) {
	net.t.Helper()
	chain := one.Route.Chain
	switch found := one.Route.Kind != NotFound; {
	case found && !there:
		net.t.Errorf("seed %d: relay %d has found nobody at %v", seed, node.n, one.Route)
	case !there && !lossy && one.Route.Unsure && len(net.nodes) <= wire.MaxHops:
		net.t.Errorf("seed %d: relay %d is not sure that nobody is there: somebody waited in vain", seed,
			node.n)
	case !found && there && !lossy && node.distance(home) < wire.MaxHops:
		net.t.Errorf("seed %d: relay %d of %d, %d links away, has found nobody, unsure %v", seed, node.n,
			len(net.nodes),
			node.distance(home), one.Route.Unsure)
	case found && (chain[0] != node.id || chain[len(chain)-1] != home.id || !simple(chain) ||
		len(chain) > wire.MaxHops):
		net.t.Errorf("seed %d: relay %d: %v", seed, node.n, one.Route)
	}
	for i := 1; i < len(chain) && !lossy; i++ {
		linked := false
		for _, at := range net.nodes {
			linked = linked || at.id == chain[i-1] && at.links[chain[i]] != nil
		}
		if !linked {
			net.t.Errorf("seed %d: relay %d: there is no link in %v", seed, node.n, one.Route)
		}
	}
}
