package presence

import (
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// BenchmarkResolverQuery is what a peer's query costs a relay in the middle of a chain: for somebody who is
// found, with the answer and its signature, and for somebody who is nowhere, whom 19 other peers are asked
// for.
func BenchmarkResolverQuery(b *testing.B) {
	for name, n := range map[string]int{"found": 2, "nobody": 20} {
		b.Run(name, func(b *testing.B) {
			net := newResolveNet(b, n+1, false)
			for i := 1; i <= n; i++ {
				net.link(0, i, time.Millisecond)
			}
			node := net.nodes[0]
			who := newResolvePerson(1)
			record := who.record(net.nodes[2], 1, 1, 5*time.Minute)
			r := NewResolver(node.id, node)
			var now time.Time
			f := identity.Fingerprint{}
			queries := 0
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				now = net.now.Add(time.Duration(i%9) * knownFor / 2)
				if i%9 == 0 || name == "found" {
					r = NewResolver(node.id, node) // nothing is known, and nothing too much
				}
				f[0], f[1], f[2] = byte(i), byte(i>>8), byte(i>>16)
				if name == "found" {
					f = who.fingerprint
				}
				r.Receive(net.nodes[1].id, wire.UrgentRouteQuery,
					wire.Append(nil, &wire.RouteQuery{Hops: 7, Path: net.ids(1), Target: f}), now)
				for _, e := range r.Drain() {
					send, ok := e.(Send)
					if !ok || send.Kind != wire.UrgentRouteQuery {
						continue
					}
					queries++
					m, err := wire.Parse[wire.RouteQuery](send.Body)
					if err != nil {
						b.Fatal(err)
					}
					l := wire.Located{}
					if name == "found" {
						l = wire.Located{Found: wire.FoundDevice, Of: 1, Chain: net.ids(2), Record: record}
					}
					r.Receive(send.To, wire.UrgentRouteResponse,
						wire.Append(nil, &wire.RouteResponse{ID: m.ID, Located: l}), now)
				}
				r.Drain()
			}
			b.ReportMetric(float64(queries)/float64(b.N), "queries/op")
		})
	}
}
