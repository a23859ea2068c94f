package presence

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wzp-voice/wzp/internal/wire"
)

// homes returns where the devices of a route are, the nearest first.
func (net *resolveNet) homes(route Route) (homes []int) {
	for _, chain := range route.Chains {
		homes = append(homes, slices.IndexFunc(net.nodes,
			func(n *resolveNode) bool { return n.id == chain[len(chain)-1] }))
	}
	return homes
}

// TestResolveDevices: all devices of somebody are found, whichever relays they are at, at most eight, without
// waiting long for what is only claimed.
func TestResolveDevices(t *testing.T) {
	net := newResolveNet(t, 6, true)
	net.chain(20 * time.Millisecond)
	net.link(1, 5, 20*time.Millisecond)
	who := newResolvePerson(1)
	for n, stays := range map[int][]byte{0: {1}, 3: {2, 3}, 5: {4}} {
		for _, stay := range stays {
			net.nodes[n].available(who, stay)
		}
	}
	route, took := net.nodes[0].resolve(who.fingerprint)
	if got := net.homes(route); !slices.Equal(got, []int{0, 5, 3, 3}) || route.Kind != Local ||
		took > 200*time.Millisecond {
		t.Errorf("devices are at %v, %v, after %v", got, route, took)
	}
	if route, took = net.nodes[4].resolve(who.fingerprint); !slices.Equal(net.homes(route), []int{3, 3, 5,
		0}) {
		t.Errorf("from 4: devices are at %v, after %v", net.homes(route), took)
	}
	for stay := byte(10); stay < 17; stay++ {
		net.nodes[3].available(who, stay)
	}
	net.run(knownFor)
	if route, _ = net.nodes[2].resolve(who.fingerprint); len(route.Records) != wire.MaxDevices {
		t.Errorf("%d devices", len(route.Records))
	}
	// Somebody is here, and said to be where nobody answers.
	there := newResolvePerson(2)
	net.nodes[2].available(there, 1)
	net.nodes[2].links[net.nodes[1].id].dead = true
	net.nodes[2].claims[there.fingerprint] = []Way{{Home: net.nodes[1].id, Next: net.nodes[1].id, Hops: 1,
		Path: net.ids(1)}}
	if route, took = net.nodes[2].resolve(there.fingerprint); route.Kind != Local ||
		took > 310*time.Millisecond {
		t.Errorf("%v after %v", route, took)
	}
	net.check()
	net.calm()
}

// TestResolveWords: of a peer whose word is none nothing is asked, nor is it answered; one whose word is peer
// is answered about who is here, if it asks for itself, and asked about who is there.
func TestResolveWords(t *testing.T) {
	net := newResolveNet(t, 4, true)
	net.chain(10 * time.Millisecond)
	first, last := newResolvePerson(1), newResolvePerson(2)
	net.nodes[0].available(first, 1)
	net.nodes[3].available(last, 1)
	both := func(a, b int, w Word) {
		net.nodes[a].words[net.nodes[b].id], net.nodes[b].words[net.nodes[a].id] = w, w
	}
	both(0, 1, Peer)
	for _, tc := range []struct {
		from int
		who  resolvePerson
		want RouteKind
	}{
		{1, first, DirectPeer}, {2, first, NotFound}, {3, first, NotFound},
		{0, last, NotFound}, {1, last, Chain}, {2, last, DirectPeer},
	} {
		if route, _ := net.nodes[tc.from].resolve(tc.who.fingerprint); route.Kind != tc.want {
			t.Errorf("peer: from %d: %v, want %v", tc.from, route, tc.want)
		}
	}
	// What 1 found for itself, it tells nobody else, and neither does 0 answer a query that was passed on.
	query := wire.Append(nil, &wire.RouteQuery{ID: wire.QueryID{7: 1}, Hops: 6, Path: net.ids(2, 1),
		Target: first.fingerprint})
	net.nodes[0].tell(func(now time.Time) {
		net.nodes[0].resolver.Receive(net.nodes[1].id,
			wire.UrgentRouteQuery, query, now)
	})
	if counts := net.nodes[0].resolver.counts.answered[askerPeer]; counts[Local] != 1 ||
		counts[NotFound] != 1 {
		t.Errorf("0 has answered %v", counts)
	}
	both(0, 1, None)
	net.run(knownFor)
	if route, _ := net.nodes[1].resolve(first.fingerprint); route.Kind != NotFound {
		t.Errorf("none: %v", route)
	}
	// If one side only says none, it is asked and says nothing.
	net.nodes[1].words[net.nodes[0].id] = Mesh
	net.run(knownFor)
	if route, _ := net.nodes[1].resolve(first.fingerprint); route.Kind != NotFound {
		t.Errorf("none: %v", route)
	}
	net.check()
	net.calm()
}

// TestResolveKnown: what was found is known for 10 s, that nobody was found for 1 s, and nothing that came by
// a link which is over, or whose record has expired.
func TestResolveKnown(t *testing.T) {
	net := newResolveNet(t, 3, true)
	net.chain(10 * time.Millisecond)
	who, late := newResolvePerson(1), newResolvePerson(2)
	net.nodes[2].available(who, 1)
	queries := func() int { return net.sent[wire.UrgentRouteQuery] }
	ask := func(f resolvePerson, kind RouteKind, more int) {
		t.Helper()
		before := queries()
		if route, _ := net.nodes[0].resolve(f.fingerprint); route.Kind != kind || queries()-before != more {
			t.Errorf("%v after %d queries, want %v after %d", route, queries()-before, kind, more)
		}
	}
	ask(who, Chain, 2)
	net.run(knownFor - time.Second)
	ask(who, Chain, 0)
	net.run(time.Second)
	ask(who, Chain, 2)
	net.run(100 * time.Millisecond)
	ask(who, Chain, 0)
	net.cut(0, 1)
	ask(who, NotFound, 0)
	net.link(0, 1, 10*time.Millisecond)
	net.run(nobodyFor)
	ask(who, Chain, 1)
	clear(net.nodes[2].devices) // presence has told that, too
	ask(who, NotFound, 2)
	ask(late, NotFound, 2)
	net.nodes[2].available(late, 1)
	ask(late, NotFound, 0)
	net.run(nobodyFor)
	ask(late, Chain, 2)

	short := newResolvePerson(3)
	record := short.record(net.nodes[2], 1, 1, 2*time.Second-2*time.Minute) // by a clock that is late
	reach, _ := wire.ParseReach(record)
	net.nodes[2].devices[short.fingerprint] = []Device{{1, record, reach.Device()}}
	ask(short, Chain, 2)
	if hops := net.nodes[0].resolver.NextHops(short.fingerprint, reach.Device(), net.now); len(hops) != 1 {
		t.Errorf("the next hops are %v", hops)
	}
	net.run(3 * time.Second)
	ask(short, NotFound, 2)
	net.check()
	net.calm()
}

// TestResolveHops: a query goes over as many links as it says, and its answer no farther.
func TestResolveHops(t *testing.T) {
	for hops, want := range map[uint8]wire.Found{1: wire.FoundUnsure, 2: wire.FoundUnsure,
		3: wire.FoundDevice} {
		net := newResolveNet(t, 4, false)
		net.chain(10 * time.Millisecond)
		who := newResolvePerson(1)
		net.nodes[3].available(who, 1)
		var got []wire.RouteResponse
		first := net.nodes[0]
		first.hostile = func(_ *resolveNode, _ wire.UrgentKind, body []byte) {
			m, err := wire.Parse[wire.RouteResponse](body)
			if err != nil {
				t.Error(err)
			}
			got = append(got, m)
		}
		first.send(net.nodes[1].id, wire.UrgentRouteQuery, wire.Append(nil, &wire.RouteQuery{Hops: hops,
			Path:   net.ids(0),
			Target: who.fingerprint}))
		net.run(time.Second)
		if len(got) != 1 || got[0].Found != want || net.sent[wire.UrgentRouteQuery] != int(hops) {
			t.Errorf("%d links: %v after %v", hops, got, net.sent)
		}
		net.check()
		net.calm()
	}
}

// TestResolveShared: who asks for somebody who is looked for already waits for the same answer.
func TestResolveShared(t *testing.T) {
	net := newResolveNet(t, 5, true)
	net.chain(50 * time.Millisecond)
	who := newResolvePerson(1)
	net.nodes[4].available(who, 1)
	first := net.nodes[0]
	for session := range SessionID(20) {
		first.tell(func(now time.Time) { first.resolver.Ask(who.fingerprint, Asker{Session: session}, now) })
	}
	first.tell(func(now time.Time) { first.resolver.Ask(who.fingerprint, Asker{HTTP: 9}, now) })
	net.run(time.Second)
	if len(first.resolved) != 21 || net.sent[wire.UrgentRouteQuery] != 4 ||
		net.sent[wire.UrgentRouteResponse] != 4 {
		t.Errorf("%d answers after %v", len(first.resolved), net.sent)
	}
	for _, one := range first.resolved {
		if one.Route.Kind != Chain {
			t.Errorf("%v", one)
		}
	}
	if last := first.resolved[20].By; last != (Asker{HTTP: 9}) {
		t.Errorf("asked by %v", last)
	}
	answers := map[string]uint64{}
	counts := first.resolver.Counts()
	counts.Each(func(by, answer string, n uint64) {
		if n > 0 {
			answers[by+" "+answer] = n
		}
	})
	if d := cmp.Diff(map[string]uint64{"client chain": 20, "http chain": 1}, answers); d != "" {
		t.Error(d)
	}
	net.check()
	net.calm()
}

// TestResolveLate: a client is answered 300 ms after the first device was found, and told of devices that are
// found later as soon as they are, once each, also when the answer that has them came in part; so is a peer.
// Who asks by HTTP is answered once. What was not found within 2 s is not waited for.
func TestResolveLate(t *testing.T) {
	for _, far := range []time.Duration{200 * time.Millisecond, 1500 * time.Millisecond} {
		net := newResolveNet(t, 4, true) // 0 - 1 - 2 -- far -- 3
		net.link(0, 1, 10*time.Millisecond)
		net.link(1, 2, 10*time.Millisecond)
		net.link(2, 3, far)
		who := newResolvePerson(1)
		net.nodes[1].available(who, 1)
		for stay := range byte(3) {
			net.nodes[3].available(who, 2+stay)
		}
		first := net.nodes[0]
		first.tell(func(now time.Time) { first.resolver.Ask(who.fingerprint, Asker{HTTP: 9}, now) })
		route, took := first.resolve(who.fingerprint)
		if len(route.Records) != 1 || took < gatherFor || took > gatherFor+30*time.Millisecond {
			t.Errorf("at %v: %v of %d after %v", far, route, len(route.Records), took)
		}
		net.run(resolveFor - took)
		told, http := 0, 0
		for _, one := range first.resolved {
			if one.By.HTTP != 0 {
				http++
				continue
			}
			if one.Before != told {
				t.Errorf("at %v: told of %d before, is said to be %d", far, told, one.Before)
			}
			told += len(one.Route.Records)
		}
		want := 4
		if far > time.Second {
			want = 1
		}
		if told != want || http != 1 {
			t.Errorf("at %v: told of %d devices and by HTTP %d times, want %d and 1", far, told, http, want)
		}
		again, _ := first.resolve(who.fingerprint)
		if len(again.Records) != want {
			t.Errorf("at %v: %d are known afterwards, want %d", far, len(again.Records), want)
		}
		net.check()
		net.calm()
	}
}

// TestResolveSilence: a relay that does not answer costs 1.2 s, if there is another way, and 2 s if not; one
// whose link goes down costs nothing.
func TestResolveSilence(t *testing.T) {
	build := func() (*resolveNet, resolvePerson) {
		net := newResolveNet(t, 5, true) // 0 - 1 - 4, 0 - 2 - 3 - 4
		for _, l := range [][2]int{{0, 1}, {1, 4}, {0, 2}, {2, 3}, {3, 4}} {
			net.link(l[0], l[1], 10*time.Millisecond)
		}
		who := newResolvePerson(1)
		net.nodes[4].available(who, 1)
		return net, who
	}
	net, who := build()
	net.nodes[1].links[net.nodes[4].id].dead = true
	route, took := net.nodes[0].resolve(who.fingerprint)
	if !slices.Equal(route.Chain, net.ids(0, 2, 3, 4)) || took < patience ||
		took > patience+100*time.Millisecond {
		t.Errorf("a silent relay: %v after %v", route, took)
	}
	net.check()

	net, who = build()
	net.nodes[1].links[net.nodes[4].id].dead = true
	net.nodes[0].ask(who.fingerprint)
	net.run(100 * time.Millisecond)
	net.cut(1, 4)
	net.run(200 * time.Millisecond)
	if r := net.nodes[0].resolved; len(r) != 1 || !slices.Equal(r[0].Route.Chain, net.ids(0, 2, 3, 4)) {
		t.Errorf("a link that went down: %v", r)
	}
	net.check()

	net, who = build()
	if route, _ = net.nodes[0].resolve(who.fingerprint); !slices.Equal(route.Chain, net.ids(0, 1, 4)) {
		t.Fatal(route)
	}
	net.run(knownFor)
	net.nodes[0].links[net.nodes[1].id].dead = true
	net.nodes[0].resolver.Suspect(net.nodes[1].id, true)
	reach, _ := wire.ParseReach(route.Records[0])
	hops := net.nodes[0].resolver.NextHops(who.fingerprint, reach.Device(), net.now)
	route, took = net.nodes[0].resolve(who.fingerprint)
	if !slices.Equal(route.Chain, net.ids(0, 2, 3, 4)) || took > 100*time.Millisecond {
		t.Errorf("a link that is suspect: %v after %v", route, took)
	}
	if !slices.Equal(hops, net.ids(2, 1)) {
		t.Errorf("the next hops are %v", hops)
	}
	net.nodes[0].resolver.Suspect(net.nodes[1].id, false)
	if route, _ = net.nodes[0].resolve(who.fingerprint); !slices.Equal(route.Chain, net.ids(0, 1, 4)) {
		t.Errorf("a link that is not suspect any more: %v", route)
	}
	net.check()

	net, who = build()
	net.nodes[1].links[net.nodes[4].id].dead = true
	net.nodes[3].links[net.nodes[4].id].dead = true
	route, took = net.nodes[0].resolve(who.fingerprint)
	if route.Kind != NotFound || !route.Unsure || took > resolveFor {
		t.Errorf("no way: %v after %v", route, took)
	}
	net.check()
	net.calm()
}
