package presence

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/internal/wire"
)

// liar has a relay answer every query with what say returns, for the path of the query.
func (n *resolveNode) liar(say func(q *wire.RouteQuery) []wire.Located) {
	n.hostile = func(from *resolveNode, kind wire.UrgentKind, body []byte) {
		if q, err := wire.Parse[wire.RouteQuery](body); err == nil && kind == wire.UrgentRouteQuery {
			for _, l := range say(&q) {
				n.send(from.id, wire.UrgentRouteResponse,
					wire.Append(nil, &wire.RouteResponse{ID: q.ID, Located: l}))
			}
		}
	}
}

// claim has a relay claim somebody, to who believes it.
func (n *resolveNode) claim(f identity.Fingerprint, at, home *resolveNode) {
	path := []wire.RelayID{at.id}
	if home != at {
		path = append(path, home.id)
	}
	n.claims[f] = append(n.claims[f], Way{Home: home.id, Next: at.id, Hops: len(path), Path: path})
}

// TestResolveLiar: a relay that claims everybody and answers every query with itself swallows nothing: what
// it cannot show is passed over at once, and it is named.
func TestResolveLiar(t *testing.T) {
	who, other := newResolvePerson(1), newResolvePerson(2)
	// 0 - 1, the liar, - 4; 0 - 2 - 3 - 4, where they are.
	build := func() *resolveNet {
		net := newResolveNet(t, 5, true)
		for _, l := range [][2]int{{0, 1}, {1, 4}, {0, 2}, {2, 3}, {3, 4}} {
			net.link(l[0], l[1], 10*time.Millisecond)
		}
		net.nodes[4].available(who, 1)
		net.nodes[0].claim(who.fingerprint, net.nodes[1], net.nodes[1])
		return net
	}
	one := func(chain []wire.RelayID, record []byte) []wire.Located {
		return []wire.Located{{Found: wire.FoundDevice, Of: 1, Chain: chain, Record: record}}
	}
	for name, tc := range map[string]struct {
		say    func(net *resolveNet, q *wire.RouteQuery) []wire.Located
		reason string
	}{
		"no record": {func(net *resolveNet, q *wire.RouteQuery) []wire.Located {
			return one(net.ids(1), make([]byte, wire.ReachSize))
		}, "version"},
		"a record that it signs itself": {func(net *resolveNet, q *wire.RouteQuery) []wire.Located {
			record := wire.SignReach(net.nodes[1].identity,
				wire.Reach{HomeRelay: net.nodes[1].identity.Public(),
					Expiry: net.now.Add(time.Minute).Unix()})
			key := who.Public()
			copy(record[2:], key[:])
			return one(net.ids(1), record)
		}, "signature"},
		"somebody else's record": {func(net *resolveNet, q *wire.RouteQuery) []wire.Located {
			return one(net.ids(1), other.record(net.nodes[1], 1, 1, time.Minute))
		}, errIdentity.Error()},
		"the record of another home": {func(net *resolveNet, q *wire.RouteQuery) []wire.Located {
			return one(net.ids(1), net.nodes[4].devices[who.fingerprint][0].Record)
		}, errHome.Error()},
		"an old record": {func(net *resolveNet, q *wire.RouteQuery) []wire.Located {
			return one(net.ids(1), who.record(net.nodes[1], 1, 1, -3*time.Minute))
		}, ""},
		"a record for ever": {func(net *resolveNet, q *wire.RouteQuery) []wire.Located {
			return one(net.ids(1), who.record(net.nodes[1], 1, 1, time.Hour))
		}, ""},
		"a chain that begins elsewhere": {func(net *resolveNet, q *wire.RouteQuery) []wire.Located {
			return one(net.ids(4), net.nodes[4].devices[who.fingerprint][0].Record)
		}, errChain.Error()},
		"a chain by who asks": {func(net *resolveNet, q *wire.RouteQuery) []wire.Located {
			return one(net.ids(1, 0, 4), net.nodes[4].devices[who.fingerprint][0].Record)
		}, errChain.Error()},
		"a chain by itself": {func(net *resolveNet, q *wire.RouteQuery) []wire.Located {
			return one(net.ids(1, 3, 1, 4), net.nodes[4].devices[who.fingerprint][0].Record)
		}, errChain.Error()},
		"a chain that is too long": {func(net *resolveNet, q *wire.RouteQuery) []wire.Located {
			long := net.ids(1, 4)
			for i := range 6 {
				long = slices.Insert(long, 1, wire.RelayIDOf(relayIdentity(100+i).Public()))
			}
			return one(long, net.nodes[4].devices[who.fingerprint][0].Record)
		}, errChain.Error()},
		"eight claims": {func(net *resolveNet, q *wire.RouteQuery) (list []wire.Located) {
			for i := range uint8(wire.MaxDevices) {
				list = append(list, wire.Located{Found: wire.FoundDevice, Index: i, Of: wire.MaxDevices,
					Chain: net.ids(1), Record: make([]byte, wire.ReachSize)})
			}
			return list
		}, "version"},
		"nobody": {func(*resolveNet, *wire.RouteQuery) []wire.Located { return []wire.Located{{}} }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			net := build()
			net.nodes[1].liar(func(q *wire.RouteQuery) []wire.Located { return tc.say(net, q) })
			route, took := net.nodes[0].resolve(who.fingerprint)
			if !slices.Equal(route.Chain, net.ids(0, 2, 3, 4)) || took > 500*time.Millisecond {
				t.Errorf("%v after %v", route, took)
			}
			problems := net.nodes[0].problems
			for _, p := range problems {
				if p.Peer != net.nodes[1].id || p.What != problemRoute || !strings.Contains(p.Reason,
					tc.reason) {
					t.Errorf("%+v", p)
				}
			}
			if tc.reason == "" != (len(problems) == 0) {
				t.Errorf("%d problems", len(problems))
			}
			net.check()
		})
	}
}

// TestResolveOlderRecord: of a device whose newer record is known, or which is here, an older one counts for
// nothing, wherever it comes from.
func TestResolveOlderRecord(t *testing.T) {
	net := newResolveNet(t, 3, false) // 1 - 0 - 2
	net.link(0, 1, 10*time.Millisecond)
	net.link(0, 2, 10*time.Millisecond)
	who := newResolvePerson(1)
	say := func(n *resolveNode, sequence uint64) {
		n.liar(func(*wire.RouteQuery) []wire.Located {
			return []wire.Located{{Found: wire.FoundDevice, Of: 1, Chain: []wire.RelayID{n.id},
				Record: who.record(n, 1, sequence, time.Minute)}}
		})
	}
	say(net.nodes[1], 5)
	net.nodes[2].liar(func(*wire.RouteQuery) []wire.Located { return []wire.Located{{}} })
	if route, _ := net.nodes[0].resolve(who.fingerprint); !slices.Equal(route.Chain, net.ids(0, 1)) {
		t.Fatal(route)
	}
	net.run(knownFor)
	net.nodes[1].liar(func(*wire.RouteQuery) []wire.Located { return []wire.Located{{}} })
	say(net.nodes[2], 4) // where it was before
	if route, _ := net.nodes[0].resolve(who.fingerprint); route.Kind != NotFound {
		t.Error(route)
	}
	net.run(nobodyFor)
	say(net.nodes[2], 6)
	if route, _ := net.nodes[0].resolve(who.fingerprint); !slices.Equal(route.Chain, net.ids(0, 2)) {
		t.Error(route)
	}
	net.run(knownFor)
	record := who.record(net.nodes[0], 1, 7, time.Minute)
	reach, _ := wire.ParseReach(record)
	net.nodes[0].devices[who.fingerprint] = []Device{{1, record, reach.Device()}}
	net.nodes[0].claim(who.fingerprint, net.nodes[2], net.nodes[2])
	if route, _ := net.nodes[0].resolve(who.fingerprint); route.Kind != Local || len(route.Records) != 1 {
		t.Error(route)
	}
	net.check()
	net.calm()
}

// TestResolveSwallow: a relay that asks on before others do, and keeps what it hears, keeps nobody from
// finding what can be found without it; the same with a forged path.
func TestResolveSwallow(t *testing.T) {
	for _, forged := range []bool{false, true} {
		// 0 - 1, hostile, - 2; 0 - 3 - 4 - 2; 2 - 5, slow, where they are.
		net := newResolveNet(t, 6, false)
		for _, l := range [][2]int{{0, 1}, {1, 2}, {0, 3}, {3, 4}, {4, 2}} {
			net.link(l[0], l[1], 10*time.Millisecond)
		}
		net.link(2, 5, 150*time.Millisecond)
		who := newResolvePerson(1)
		net.nodes[5].available(who, 1)
		hostile := net.nodes[1]
		hostile.hostile = func(from *resolveNode, kind wire.UrgentKind, body []byte) {
			if from != net.nodes[0] || kind != wire.UrgentRouteQuery {
				return
			}
			q, err := wire.Parse[wire.RouteQuery](body)
			if err != nil {
				t.Fatal(err)
			}
			hostile.send(from.id, wire.UrgentRouteResponse, wire.Append(nil, &wire.RouteResponse{ID: q.ID}))
			q.Path = append(q.Path, hostile.id)
			if forged {
				q.Path = append(net.ids(0, 3, 4), hostile.id)
			}
			for i := range 3 {
				q.ID[0] = byte(i)
				hostile.send(net.nodes[2].id, kind, wire.Append(nil, &q))
			}
		}
		route, took := net.nodes[0].resolve(who.fingerprint)
		if !slices.Equal(route.Chain, net.ids(0, 3, 4, 2, 5)) {
			t.Errorf("forged %v: %v after %v", forged, route, took)
		}
		net.check()
		net.calm()
	}
}

// TestResolveForgedQueries: queries that cannot be, and answers that nobody asked for, are refused, named,
// and leave nothing behind; one that was here already is answered at once.
func TestResolveForgedQueries(t *testing.T) {
	net := newResolveNet(t, 3, false)
	net.chain(10 * time.Millisecond)
	n, peer := net.nodes[1], net.nodes[0]
	who := newResolvePerson(1)
	ask := func(path ...wire.RelayID) (answers, problems int) {
		before := len(n.problems)
		sent := net.sent[wire.UrgentRouteResponse]
		n.tell(func(now time.Time) {
			n.resolver.Receive(peer.id, wire.UrgentRouteQuery, wire.Append(nil, &wire.RouteQuery{Hops: 7,
				Path:   path,
				Target: who.fingerprint}), now)
		})
		return net.sent[wire.UrgentRouteResponse] - sent, len(n.problems) - before
	}
	far := relayIdentity(77)
	x := wire.RelayIDOf(far.Public())
	for name, tc := range map[string]struct {
		path              []wire.RelayID
		answers, problems int
	}{
		"of another peer":     {net.ids(2), 0, 1},
		"a relay twice":       {[]wire.RelayID{x, x, peer.id}, 0, 1},
		"itself twice":        {net.ids(0, 0), 0, 1},
		"nobody's":            {[]wire.RelayID{{}, peer.id}, 0, 1},
		"it was here":         {append(net.ids(1), peer.id), 1, 0},
		"the only other peer": {append(net.ids(2), peer.id), 1, 0},
	} {
		if answers, problems := ask(tc.path...); answers != tc.answers || problems != tc.problems {
			t.Errorf("%s: %d answers, %d problems", name, answers, problems)
		}
	}
	if len(n.resolver.open) > 0 {
		t.Error("something is looked for")
	}
	before := len(n.problems)
	record := who.record(peer, 1, 1, time.Minute)
	for i := range byte(3) {
		n.tell(func(now time.Time) {
			l := wire.Located{Found: wire.FoundDevice, Of: 1, Chain: net.ids(0), Record: record}
			n.resolver.Receive(peer.id, wire.UrgentRouteResponse,
				wire.Append(nil, &wire.RouteResponse{ID: wire.QueryID{7: i}, Located: l}), now)
		})
	}
	for _, kind := range []wire.UrgentKind{wire.UrgentRouteQuery, wire.UrgentRouteResponse} {
		n.tell(func(now time.Time) { n.resolver.Receive(peer.id, kind, bytes.Repeat([]byte{9}, 50), now) })
	}
	if got := len(n.problems) - before; got != 5 || len(n.resolver.known.index) > 0 {
		t.Errorf("%d problems, %d are known", got, len(n.resolver.known.index))
	}
	net.check()
}

// TestResolveEndlessDevices: a peer that says that there are more devices than it tells of holds nothing up
// for longer than one that is silent.
func TestResolveEndlessDevices(t *testing.T) {
	net := newResolveNet(t, 2, false)
	net.chain(10 * time.Millisecond)
	who := newResolvePerson(1)
	net.nodes[1].liar(func(*wire.RouteQuery) []wire.Located {
		l := wire.Located{Found: wire.FoundDevice, Of: 8, Chain: net.ids(1), Record: who.record(net.nodes[1],
			1, 1, time.Minute)}
		return []wire.Located{l, l, l}
	})
	route, took := net.nodes[0].resolve(who.fingerprint)
	if route.Kind != DirectPeer || took > patience+gatherFor+10*time.Millisecond {
		t.Errorf("%v after %v", route, took)
	}
	if p := net.nodes[0].problems; len(p) != 2 {
		t.Errorf("%v", p)
	}
	net.check()
}

// TestResolveFloods: a client has 30 queries a minute, a peer 50 a second; who waits is bounded, and whoever
// has most gives way, so that others find what they look for meanwhile, at this relay and beyond.
func TestResolveFloods(t *testing.T) {
	net := newResolveNet(t, 5, false) // 0, which floods, - 1 - 2 - 3; 4 - 1
	net.chain(10 * time.Millisecond)
	delete(net.nodes[3].links, net.nodes[4].id)
	delete(net.nodes[4].links, net.nodes[3].id)
	net.link(4, 1, 10*time.Millisecond)
	who := newResolvePerson(1)
	net.nodes[3].available(who, 1)
	client := net.nodes[1]
	for i := range 40 {
		client.ask(newResolvePerson(100 + i).fingerprint)
	}
	if unsure := client.resolver.counts.answered[askerClient][answerUnsure]; unsure < 10 {
		t.Errorf("%d of 40 queries are too many", unsure)
	}
	net.run(50 * time.Second)
	client.ask(who.fingerprint)
	if len(client.resolved) != 41 || !client.resolved[40].Route.Unsure {
		t.Error("after 50 s it may ask again")
	}
	net.run(11 * time.Second)
	if route, _ := client.resolve(who.fingerprint); route.Kind != Chain {
		t.Errorf("after a minute: %v", route)
	}

	// A peer asks for 400 a second, for people who are nowhere, of relays that do not answer.
	net.nodes[2].links[net.nodes[3].id].dead = true
	net.run(knownFor)
	hostile, n, f := net.nodes[0], 0, identity.Fingerprint{}
	var flood func()
	flood = func() {
		if n++; n > 2000 {
			return
		}
		f[0], f[1] = byte(n), byte(n>>8)
		hostile.send(client.id, wire.UrgentRouteQuery,
			wire.Append(nil, &wire.RouteQuery{ID: wire.QueryID{0: byte(n), 1: byte(n >> 8)}, Hops: 7,
				Path: net.ids(0), Target: f}))
		net.after(2500*time.Microsecond, flood)
	}
	flood()
	net.run(2 * time.Second)
	net.nodes[2].links[net.nodes[3].id].dead = false
	before := net.sent[wire.UrgentRouteQuery]
	for range 3 {
		if route, took := net.nodes[4].resolve(who.fingerprint); route.Kind != Chain ||
			took > 200*time.Millisecond {
			t.Errorf("during a flood: %v after %v", route, took)
		}
		net.run(700 * time.Millisecond)
	}
	if sent := net.sent[wire.UrgentRouteQuery] - before; sent > 3*(400+4*60) {
		t.Errorf("%d queries in 2 s", sent)
	}
	net.run(3 * time.Second)
	counts := client.resolver.counts.answered[askerPeer]
	if counts[answerUnsure] < 1500 {
		t.Errorf("answers to peers: %v", counts)
	}
	net.check()
}

// TestResolveWaiting: the places of those who wait are shared by peers and sessions.
func TestResolveWaiting(t *testing.T) {
	net := newResolveNet(t, 4, false)
	for i := 1; i < 4; i++ {
		net.link(0, i, 10*time.Millisecond)
		net.nodes[i].hostile = func(*resolveNode, wire.UrgentKind, []byte) {} // none answers
	}
	r := net.nodes[0].resolver
	n := 0
	for range 40 { // as if it had begun long ago: 50 a second are as many as may be
		for range peerQueries {
			n++
			r.limits = newLimiter()
			r.query(net.nodes[1].id, &wire.RouteQuery{ID: wire.QueryID{0: byte(n), 1: byte(n >> 8)}, Hops: 7,
				Path:   net.ids(1),
				Target: identity.Fingerprint{0: byte(n), 1: byte(n >> 8)}}, net.now)
		}
	}
	if r.waiting.Total() != maxWaiting || len(r.open) != maxWaiting {
		t.Errorf("%d wait, for %d searches", r.waiting.Total(), len(r.open))
	}
	who := newResolvePerson(1)
	r.Ask(who.fingerprint, Asker{Session: 1}, net.now)
	r.query(net.nodes[2].id, &wire.RouteQuery{Hops: 7, Path: net.ids(2), Target: who.fingerprint}, net.now)
	if held := r.waiting.Held((&Asker{Peer: net.nodes[1].id}).share()); held != maxWaiting-2 ||
		r.waiting.Total() != maxWaiting {
		t.Errorf("the peer with most has %d of %d", held, r.waiting.Total())
	}
	net.nodes[0].tell(func(time.Time) {})
	net.check()

	// Sessions of one network share what that gets, so that a crowd there keeps nobody else from asking.
	crowd := func(i int) budget.Group { return budget.Group{Address: true, ID: 7<<48 | uint64(i%9)} }
	for i := range 2 * maxWaiting {
		r.Ask(identity.Fingerprint{0: byte(i), 1: byte(i >> 8)}, Asker{Session: SessionID(10 + i),
			Address: crowd(i)}, net.now)
	}
	r.Ask(who.fingerprint, Asker{Session: 2, Address: budget.Group{Address: true, ID: 8 << 48}}, net.now)
	if held := r.waiting.Held([]shareKey{{address: 8 << 32}}); held != 1 || r.waiting.Total() != maxWaiting {
		t.Errorf("who is alone has %d of %d", held, r.waiting.Total())
	}
	net.nodes[0].tell(func(time.Time) {})
	net.check()
}
