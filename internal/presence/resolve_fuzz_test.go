package presence

import (
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// FuzzResolver feeds a Resolver what two peers say, as it is and put together from valid parts, with asks,
// links that go down, and time between, and looks whether anything is left when all is over. The input is a
// list of: what (1), length (1), that many bytes.
func FuzzResolver(f *testing.F) {
	f.Add([]byte("\x00\x04abcd\x01\x02zz" +
		"\x02\x01\x01\x03\x02\x00\x01\x04\x03\x00\x01\x01\x05\x01\x09\x06\x01\x00"))
	f.Add([]byte("\x02\x01\x01\x04\x03\x00\x01\x01\x04\x03\x01\x01\x01\x05\x01\xff\x02\x01\x01"))
	f.Add([]byte("\x03\x02\x01\x00\x13\x02\x01\x02\x14\x03\x00\x01\x02\x05\x01\x40\x06\x01\x01\x05\x01\xff"))
	f.Fuzz(func(t *testing.T, input []byte) {
		net := newResolveNet(t, 4, true)
		net.chain(10 * time.Millisecond)
		net.link(0, 2, 10*time.Millisecond)
		net.nodes[1].hostile = func(*resolveNode, wire.UrgentKind, []byte) {}
		net.nodes[2].hostile = func(*resolveNode, wire.UrgentKind, []byte) {}
		who := newResolvePerson(1)
		net.nodes[3].available(who, 1)
		for len(input) >= 2 && len(input) < 400 {
			what, n := input[0], min(int(input[1]), len(input)-2)
			net.fuzz(what, append(input[2:2+n:2+n], make([]byte, 4)...), who)
			input = input[2+n:]
			if r := net.nodes[0].resolver; r.waiting.Total() < len(r.open) {
				t.Fatalf("%d wait for %d searches", r.waiting.Total(), len(r.open))
			}
		}
		net.check()
	})
}

// fuzz does one thing: the low three bits of what say which, the fifth which peer.
func (net *resolveNet) fuzz(what byte, arg []byte, who resolvePerson) {
	n, peer := net.nodes[0], net.nodes[1+what>>4&1]
	target := who.fingerprint
	if arg[0] == 0 {
		target = identity.Fingerprint{}
	}
	receive := func(kind wire.UrgentKind, body []byte) {
		n.tell(func(now time.Time) { n.resolver.Receive(peer.id, kind, body, now) })
	}
	switch what & 7 {
	case 0:
		receive(wire.UrgentRouteQuery, arg)
	case 1:
		receive(wire.UrgentRouteResponse, arg)
	case 2:
		n.tell(func(now time.Time) { n.resolver.Ask(target, Asker{Session: SessionID(arg[1])}, now) })
	case 3:
		path := []wire.RelayID{peer.id}
		for _, b := range arg[1 : 2+arg[1]&1] {
			path = append([]wire.RelayID{net.nodes[b&3].id}, path...)
		}
		receive(wire.UrgentRouteQuery, wire.Append(nil, &wire.RouteQuery{ID: wire.QueryID{arg[2]},
			Hops: 1 + arg[3]&7, Path: path,
			Target: target}))
	case 4:
		l := wire.Located{Found: wire.Found(arg[0] % 3)}
		if l.Found = wire.FoundDevice; arg[2]&4 == 0 {
			l.Of = 1 + arg[0]&7
			l.Index = arg[0] >> 4 % l.Of
			l.Chain = []wire.RelayID{peer.id, net.nodes[arg[2]&3].id}
			l.Record = who.record(net.nodes[3], arg[0]&1, uint64(arg[3]), time.Minute)
		} else {
			l.Found = wire.FoundUnsure
		}
		receive(wire.UrgentRouteResponse, wire.Append(nil,
			&wire.RouteResponse{ID: wire.QueryID{7: arg[1] & 3}, Located: l}))
	case 5:
		net.run(time.Duration(arg[0]) * 8 * time.Millisecond)
	case 6:
		n.tell(func(now time.Time) { n.resolver.PeerDown(peer.id, now) })
	case 7:
		n.words[peer.id] = Word(arg[0] % 3)
	}
}
