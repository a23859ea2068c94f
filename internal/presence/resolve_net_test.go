package presence

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// resolveNet joins Resolvers by links with a delay, in virtual time.
type resolveNet struct {
	t      testing.TB
	rng    *rand.Rand
	now    time.Time
	events []resolveEvent // by time, then in their order
	nodes  []*resolveNode
	gossip bool // directories know who is where; else nobody claims anything
	sent   map[wire.UrgentKind]int
}

type resolveEvent struct {
	at time.Time
	do func()
}

// resolveNode is one relay. It is the Directory of its Resolver.
type resolveNode struct {
	net      *resolveNet
	n        int
	identity *identity.Identity
	id       wire.RelayID
	resolver *Resolver
	links    map[wire.RelayID]*resolveLink
	words    map[wire.RelayID]Word // default Mesh
	devices  map[identity.Fingerprint][]Device
	aways    map[identity.Fingerprint]place
	claims   map[identity.Fingerprint][]Way // beside those of gossip
	resolved []Resolved
	problems []Problem
	tickAt   time.Time
	// hostile takes what comes in the place of the resolver.
	hostile func(from *resolveNode, kind wire.UrgentKind, body []byte)
}

type resolveLink struct {
	to    *resolveNode
	delay time.Duration
	dead  bool // what is sent is lost
}

// relayIdentity returns the same identity for the same number.
func relayIdentity(n int) *identity.Identity {
	var seed [identity.SeedSize]byte
	seed[0], seed[1], seed[2] = byte(n), byte(n>>8), 0x55
	return identity.SeedFromBytes(seed).Identity()
}

func newResolveNet(t testing.TB, n int, gossip bool) *resolveNet {
	net := &resolveNet{t: t, rng: rand.New(rand.NewPCG(1, uint64(n))), now: time.Unix(1_800_000_000, 0),
		gossip: gossip, sent: map[wire.UrgentKind]int{}}
	for i := range n {
		node := &resolveNode{net: net, n: i, identity: relayIdentity(i),
			links: map[wire.RelayID]*resolveLink{},
			words: map[wire.RelayID]Word{}, devices: map[identity.Fingerprint][]Device{},
			claims: map[identity.Fingerprint][]Way{}, aways: map[identity.Fingerprint]place{}}
		node.id = wire.RelayIDOf(node.identity.Public())
		node.resolver = NewResolver(node.id, node)
		net.nodes = append(net.nodes, node)
	}
	return net
}

// link joins two relays.
func (net *resolveNet) link(a, b int, delay time.Duration) {
	x, y := net.nodes[a], net.nodes[b]
	x.links[y.id] = &resolveLink{to: y, delay: delay}
	y.links[x.id] = &resolveLink{to: x, delay: delay}
	x.resolver.RTT(y.id, 2*delay)
	y.resolver.RTT(x.id, 2*delay)
}

// chain links all relays one after the other.
func (net *resolveNet) chain(delay time.Duration) {
	for i := 1; i < len(net.nodes); i++ {
		net.link(i-1, i, delay)
	}
}

// cut ends a link.
func (net *resolveNet) cut(a, b int) {
	x, y := net.nodes[a], net.nodes[b]
	delete(x.links, y.id)
	delete(y.links, x.id)
	x.tell(func(now time.Time) { x.resolver.PeerDown(y.id, now) })
	y.tell(func(now time.Time) { y.resolver.PeerDown(x.id, now) })
}

func (net *resolveNet) after(d time.Duration, do func()) {
	e := resolveEvent{net.now.Add(d), do}
	i := len(net.events)
	for i > 0 && net.events[i-1].at.After(e.at) {
		i--
	}
	net.events = slices.Insert(net.events, i, e)
}

// run does what happens in the next d.
func (net *resolveNet) run(d time.Duration) {
	until := net.now.Add(d)
	for len(net.events) > 0 && !net.events[0].at.After(until) {
		e := net.events[0]
		net.events = net.events[1:]
		net.now = e.at
		e.do()
	}
	net.now = until
}

// ids returns the ids of some relays.
func (net *resolveNet) ids(nodes ...int) (list []wire.RelayID) {
	for _, n := range nodes {
		list = append(list, net.nodes[n].id)
	}
	return list
}

// tell tells a relay's resolver something, and carries out what follows.
func (n *resolveNode) tell(do func(now time.Time)) {
	do(n.net.now)
	for _, e := range n.resolver.Drain() {
		switch e := e.(type) {
		case Send:
			n.send(e.To, e.Kind, e.Body)
		case Problem:
			n.problems = append(n.problems, e)
		case Resolved:
			n.resolved = append(n.resolved, e)
		}
	}
	next := n.resolver.Tick(n.net.now)
	if !next.IsZero() && (n.tickAt.IsZero() || next.Before(n.tickAt) || !n.tickAt.After(n.net.now)) {
		n.tickAt = next
		n.net.after(next.Sub(n.net.now), func() { n.tell(func(now time.Time) { n.resolver.Tick(now) }) })
	}
}

func (n *resolveNode) send(to wire.RelayID, kind wire.UrgentKind, body []byte) {
	link := n.links[to]
	if len(body) > wire.MaxUrgent {
		n.net.t.Errorf("a message of %d bytes", len(body))
	}
	if link == nil {
		return
	}
	n.net.sent[kind]++
	if link.dead {
		return
	}
	delay := link.delay + time.Duration(n.net.rng.Int64N(int64(link.delay)/10+1))
	n.net.after(delay, func() {
		switch {
		case link.to.links[n.id] == nil:
		case link.to.hostile != nil:
			link.to.hostile(n, kind, body)
		default:
			link.to.tell(func(now time.Time) { link.to.resolver.Receive(n.id, kind, body, now) })
		}
	})
}

// ask asks for somebody, as one of the relay's clients.
func (n *resolveNode) ask(f identity.Fingerprint) {
	n.tell(func(now time.Time) { n.resolver.Ask(f, Asker{Session: 7}, now) })
}

// resolve asks, and returns the answer, and how long it took.
func (n *resolveNode) resolve(f identity.Fingerprint) (Route, time.Duration) {
	n.net.t.Helper()
	before, begun := len(n.resolved), n.net.now
	n.ask(f)
	for range 3000 {
		if len(n.resolved) > before {
			return n.resolved[before].Route, n.net.now.Sub(begun)
		}
		n.net.run(time.Millisecond)
	}
	n.net.t.Fatalf("relay %d has no answer in 3 s", n.n)
	return Route{}, 0
}

// person is somebody who takes calls.
type resolvePerson struct {
	*identity.Identity
	fingerprint identity.Fingerprint
}

func newResolvePerson(n int) resolvePerson {
	id := relayIdentity(1000 + n)
	return resolvePerson{id, id.Public().Fingerprint()}
}

// record returns a reach record of one of somebody's devices.
func (p resolvePerson) record(home *resolveNode, stay byte, sequence uint64, good time.Duration) []byte {
	return wire.SignReach(p.Identity, wire.Reach{StayKey: [32]byte{stay}, HomeRelay: home.identity.Public(),
		Sequence: sequence, Expiry: home.net.now.Add(good).Unix()})
}

// available makes a device available at a relay.
func (n *resolveNode) available(p resolvePerson, stay byte) []byte {
	record := p.record(n, stay, 1, 5*time.Minute)
	reach, err := wire.ParseReach(record)
	if err != nil {
		n.net.t.Fatal(err)
	}
	n.devices[p.fingerprint] = append(n.devices[p.fingerprint], Device{1, record, reach.Device()})
	return record
}

// Local implements Directory.
func (n *resolveNode) Local(f identity.Fingerprint) []Device { return n.devices[f] }

// WordOf implements Directory.
func (n *resolveNode) WordOf(peer wire.RelayID) Word {
	if n.links[peer] == nil {
		return None
	}
	if w, ok := n.words[peer]; ok {
		return w
	}
	return Mesh
}

// Away implements Directory.
func (n *resolveNode) Away(f identity.Fingerprint, _ time.Time) (record []byte, sequence uint64) {
	d := n.aways[f]
	return d.record, d.sequence
}

// Peers implements Directory.
func (n *resolveNode) Peers(words ...Word) (list []wire.RelayID) {
	for id := range n.links {
		if slices.Contains(words, n.WordOf(id)) {
			list = append(list, id)
		}
	}
	slices.SortFunc(list, wire.RelayID.Compare)
	return list
}

// Ways implements Directory: the shortest way by each peer, as true gossip tells it, and made-up claims.
func (n *resolveNode) Ways(f identity.Fingerprint) []Way {
	ways := slices.Clone(n.claims[f])
	if n.net.gossip {
		for _, home := range n.net.nodes {
			if len(home.devices[f]) > 0 && home != n {
				ways = append(ways, n.waysTo(home)...)
			}
		}
	}
	slices.SortStableFunc(ways, func(a, b Way) int { return a.Hops - b.Hops })
	return ways
}

func (n *resolveNode) waysTo(home *resolveNode) (ways []Way) {
	for _, first := range n.net.nodes {
		if n.links[first.id] == nil {
			continue
		}
		from := map[*resolveNode]*resolveNode{first: nil, n: nil}
		for queue := []*resolveNode{first}; len(queue) > 0; queue = queue[1:] {
			for _, next := range n.net.nodes {
				if _, seen := from[next]; !seen && queue[0].links[next.id] != nil {
					from[next] = queue[0]
					queue = append(queue, next)
				}
			}
		}
		if _, reached := from[home]; reached {
			var path []wire.RelayID
			for at := home; at != nil; at = from[at] {
				path = slices.Insert(path, 0, at.id)
			}
			ways = append(ways, Way{Home: home.id, Next: first.id, Hops: len(path), Path: path})
		}
	}
	return ways
}

// check fails if something is left that nobody waits for any more.
func (net *resolveNet) check() {
	net.t.Helper()
	net.run(3 * time.Second)
	for _, n := range net.nodes {
		r := n.resolver
		if len(r.open)+len(r.searches)+len(r.asked)+r.waiting.Total() > 0 {
			net.t.Errorf("relay %d: %d searches, %d questions, %d who wait are left", n.n, len(r.open),
				len(r.asked),
				r.waiting.Total())
		}
	}
}

// calm fails if anybody was found to misbehave.
func (net *resolveNet) calm() {
	net.t.Helper()
	for _, n := range net.nodes {
		for _, p := range n.problems {
			net.t.Errorf("relay %d: %+v", n.n, p)
		}
	}
}

func (r Route) String() string { return fmt.Sprintf("%v %v", r.Kind, r.Chain) }
