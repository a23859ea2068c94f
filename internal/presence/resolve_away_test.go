package presence

import (
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// awayRecord returns the record of a device that was at a relay so long ago.
func (p resolvePerson) awayRecord(home *resolveNode, stay byte, sequence uint64, ago time.Duration,
	keep bool) []byte {
	return wire.SignReach(p.Identity, wire.Reach{StayKey: [32]byte{stay}, HomeRelay: home.identity.Public(),
		Sequence: sequence, Expiry: home.net.now.Add(-ago).Unix(), Keep: keep})
}

// left has a device be away, for which a relay keeps offers.
func (n *resolveNode) left(p resolvePerson, stay byte, sequence uint64, ago time.Duration) wire.DeviceID {
	record := p.awayRecord(n, stay, sequence, ago, true)
	n.aways[p.fingerprint] = place{record: record, sequence: sequence}
	reach, err := wire.ParseReach(record)
	if err != nil {
		n.net.t.Fatal(err)
	}
	return reach.Device()
}

// TestResolveAway: who asks for somebody who was there is told of the newest device that is away, over all
// links, and forwards find the way; and of devices that are there alone as soon as there is one.
func TestResolveAway(t *testing.T) {
	net := newResolveNet(t, 5, true)
	net.chain(10 * time.Millisecond)
	who, nobody := newResolvePerson(1), newResolvePerson(2)
	net.nodes[1].left(who, 1, 7, 20*time.Hour)
	device := net.nodes[3].left(who, 2, 8, time.Hour)
	for from, want := range [][]int{{0, 1, 2, 3}, {1, 2, 3}, {2, 3}, {3}, {4, 3}} {
		n := net.nodes[from]
		route, took := n.resolve(who.fingerprint)
		if route.Kind != NotFound || !route.Away || route.Unsure || route.Chain != nil ||
			len(route.Chains) != 1 ||
			!slices.Equal(route.Chains[0], net.ids(want...)) || took > 500*time.Millisecond {
			t.Errorf("from %d: %+v after %v", from, route, took)
			continue
		}
		if reach, err := wire.ParseReach(route.Records[0]); err != nil || reach.Device() != device {
			t.Errorf("from %d: %+v, %v", from, reach, err)
		}
		var first []wire.RelayID
		if len(want) > 1 {
			first = net.ids(want[1])
		}
		if hops := n.resolver.NextHops(who.fingerprint, device, net.now); !slices.Equal(hops, first) {
			t.Errorf("from %d: forwards go to %v", from, hops)
		}
	}
	if route, _ := net.nodes[0].resolve(nobody.fingerprint); route.Away || route.Unsure {
		t.Errorf("nobody: %+v", route)
	}
	net.cut(2, 3)
	net.run(knownFor)
	if route, _ := net.nodes[0].resolve(who.fingerprint); !route.Away ||
		!slices.Equal(route.Chains[0], net.ids(0, 1)) {
		t.Errorf("the older one: %+v", route)
	}
	if hops := net.nodes[2].resolver.NextHops(who.fingerprint, device, net.now); len(hops) != 0 {
		t.Errorf("forwards go to %v, which is gone", hops)
	}
	net.link(2, 3, 10*time.Millisecond)
	net.nodes[4].available(who, 3)
	net.run(knownFor)
	for from := range 5 {
		if route, _ := net.nodes[from].resolve(who.fingerprint); route.Kind == NotFound || route.Away {
			t.Errorf("from %d: one is there: %+v", from, route)
		}
	}
	net.check()
	net.calm()
}

// TestResolveAwayWords: a peer whose word is peer is asked, and told of devices here; it is told of no
// others, and nobody else of its own. One whose word is none learns nothing.
func TestResolveAwayWords(t *testing.T) {
	net := newResolveNet(t, 4, false)
	net.chain(10 * time.Millisecond)
	who := newResolvePerson(1)
	net.nodes[2].left(who, 1, 7, time.Hour)
	both := func(a, b int, w Word) {
		net.nodes[a].words[net.nodes[b].id], net.nodes[b].words[net.nodes[a].id] = w, w
	}
	away := func(what string, want ...bool) {
		t.Helper()
		net.run(knownFor)
		for from, want := range want {
			if route, _ := net.nodes[from].resolve(who.fingerprint); route.Away != want {
				t.Errorf("%s: from %d: %+v", what, from, route)
			}
		}
	}
	away("mesh", true, true, true, true)
	both(1, 2, Peer)
	away("peer", false, true, true, true)
	both(1, 2, None)
	away("none", false, false, true, true)
	// Nor is a query that was passed on answered.
	both(1, 2, Peer)
	query := wire.Append(nil, &wire.RouteQuery{ID: wire.QueryID{7: 1}, Hops: 6, Path: net.ids(0, 1),
		Target: who.fingerprint})
	net.nodes[2].tell(func(now time.Time) {
		net.nodes[2].resolver.Receive(net.nodes[1].id, wire.UrgentRouteQuery, query, now)
	})
	if counts := net.nodes[2].resolver.counts.answered[askerPeer]; counts[NotFound] == 0 {
		t.Errorf("2 has answered %v", counts)
	}
	net.check()
}

// TestResolveAwayLiar: what a relay says of devices that are away is checked as other answers are.
func TestResolveAwayLiar(t *testing.T) {
	who, other := newResolvePerson(1), newResolvePerson(2)
	for name, tc := range map[string]struct {
		chain  []int
		record func(net *resolveNet) []byte
		reason string
	}{
		"good": {[]int{1}, func(net *resolveNet) []byte {
			return who.awayRecord(net.nodes[1], 1, 7, time.Hour, true)
		}, ""},
		"not wanted": {[]int{1}, func(net *resolveNet) []byte {
			return who.awayRecord(net.nodes[1], 1, 7, time.Hour, false)
		}, errKeep.Error()},
		"of yesterday": {[]int{1}, func(net *resolveNet) []byte {
			return who.awayRecord(net.nodes[1], 1, 7, 25*time.Hour, true)
		}, ""},
		"for ever": {[]int{1}, func(net *resolveNet) []byte {
			return who.awayRecord(net.nodes[1], 1, 7, -time.Hour, true)
		}, ""},
		"somebody else": {[]int{1}, func(net *resolveNet) []byte {
			return other.awayRecord(net.nodes[1], 1, 7, time.Hour, true)
		}, errIdentity.Error()},
		"of another home": {[]int{1}, func(net *resolveNet) []byte {
			return who.awayRecord(net.nodes[0], 1, 7, time.Hour, true)
		}, errHome.Error()},
		"by who asks": {[]int{1, 0}, func(net *resolveNet) []byte {
			return who.awayRecord(net.nodes[0], 1, 7, time.Hour, true)
		}, errChain.Error()},
		"older than one here": {[]int{1}, func(net *resolveNet) []byte {
			net.nodes[0].left(who, 2, 8, time.Hour)
			return who.awayRecord(net.nodes[1], 1, 7, time.Hour, true)
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			net := newResolveNet(t, 2, false)
			net.chain(10 * time.Millisecond)
			record := tc.record(net)
			net.nodes[1].liar(func(*wire.RouteQuery) []wire.Located {
				return []wire.Located{{Found: wire.FoundAway, Of: 1, Chain: net.ids(tc.chain...),
					Record: record}}
			})
			route, _ := net.nodes[0].resolve(who.fingerprint)
			if got, want := route.Away && len(route.Chains[0]) == 2, name == "good"; got != want {
				t.Errorf("%+v", route)
			}
			problems := net.nodes[0].problems
			switch {
			case tc.reason == "" && len(problems) > 0:
				t.Errorf("%+v", problems)
			case tc.reason != "" && (len(problems) != 1 || problems[0].Reason != tc.reason):
				t.Errorf("%+v, want %s", problems, tc.reason)
			}
		})
	}
}
