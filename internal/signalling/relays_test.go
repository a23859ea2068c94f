package signalling

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/internal/callpath"
	"github.com/wzp-voice/wzp/internal/wire"
)

// mesh is relays with the tables that relays have, between the people of a world.
type mesh struct {
	*world
	nodes    []*node
	sessions uint64
}

type node struct {
	m      *mesh
	key    identity.PublicKey
	id     wire.RelayID
	table  *callpath.Table // nil: it does not run
	boot   int
	links  map[*node]bool
	people map[uint64]*person // by their sessions
	speaks map[uint64]wire.PathID
	media  map[wire.PathID][2]callpath.Leg
	due    time.Time
}

// newMesh makes relays A, B, ... with links such as "AB BC".
func newMesh(w *world, n int, links string) *mesh {
	m := &mesh{world: w}
	for i := range n {
		key := testIdentity(fmt.Sprint("relay ", i)).Public()
		m.nodes = append(m.nodes, &node{m: m, key: key, id: wire.RelayIDOf(key), links: map[*node]bool{}})
	}
	for pair := range strings.FieldsSeq(links) {
		a, b := m.nodes[pair[0]-'A'], m.nodes[pair[1]-'A']
		a.links[b], b.links[a] = true, true
	}
	for _, n := range m.nodes {
		n.start()
	}
	return m
}

// start runs a relay that knows nothing.
func (n *node) start() {
	n.boot++
	n.people, n.speaks = map[uint64]*person{}, map[uint64]wire.PathID{}
	n.media = map[wire.PathID][2]callpath.Leg{}
	n.table = callpath.New(callpath.Options{Self: n.key, Directory: n}, n.m.now)
	for o := range n.links {
		if o.table != nil {
			n.table.Up(o.id)
			o.table.Up(n.id)
		}
	}
}

// kill ends a relay; its neighbours notice that after some time.
func (n *node) kill(noticed time.Duration) {
	n.table = nil
	n.m.at(noticed, func() {
		for o := range n.links {
			if o.table != nil && n.table == nil {
				o.table.Down(callpath.PeerLeg(n.id), n.m.now)
				o.carry()
			}
		}
	})
}

// attach gives p a session at n.
func (n *node) attach(p *person) {
	if old := p.node; old != nil && old.table != nil && old.people[p.at] == p {
		old.table.Down(callpath.SessionLeg(p.at), n.m.now)
		delete(old.people, p.at)
		old.carry()
	}
	n.m.sessions++
	p.node, p.at, p.relay = n, n.m.sessions, n.key
	n.people[p.at] = p
	n.table.Connect(p.at, p.id.Public(), budget.Group{})
	p.fresh()
}

// Device and NextHops are what presence knows.
func (n *node) Device(
	_ callpath.Leg, f identity.Fingerprint, device wire.DeviceID,
) (session uint64, found, known bool) {
	for id, p := range n.people {
		if p.id.Fingerprint() == f && p.device() == device && !p.offline {
			return id, true, true
		}
	}
	return 0, false, false
}

func (n *node) NextHops(
	_ callpath.Leg, f identity.Fingerprint, device wire.DeviceID, _ time.Time,
) (hops []wire.RelayID) {
	home := slices.IndexFunc(n.m.nodes, func(o *node) bool {
		_, found, _ := o.Device(callpath.Leg{}, f, device)
		return o.table != nil && found
	})
	if home < 0 {
		return nil
	}
	far := map[wire.RelayID]int{}
	for o := range n.links {
		if d := o.distance(n.m.nodes[home], n); d >= 0 {
			hops = append(hops, o.id)
			far[o.id] = d
		}
	}
	slices.SortFunc(hops, func(a, b wire.RelayID) int {
		return cmp.Or(cmp.Compare(far[a], far[b]), a.Compare(b))
	})
	return hops
}

// distance is how many links there are between two relays, not by way of but; -1: there is no way. Who is
// dead is still on the map: presence learns of it later.
func (n *node) distance(to, but *node) int {
	seen := map[*node]bool{but: true, n: true}
	for d, row := 0, []*node{n}; len(row) > 0; d++ {
		var next []*node
		for _, o := range row {
			if o == to {
				return d
			}
			for q := range o.links {
				if !seen[q] {
					seen[q] = true
					next = append(next, q)
				}
			}
		}
		row = next
	}
	return -1
}

// receive takes an urgent message.
func (n *node) receive(from callpath.Leg, kind wire.UrgentKind, body []byte) {
	if n.table != nil {
		n.table.Receive(from, kind, body, n.m.now)
		n.carry()
	}
}

func (n *node) carry() {
	next := n.table.Tick(n.m.now)
	for _, e := range n.table.Drain() {
		switch e := e.(type) {
		case callpath.Send:
			n.send(e)
		case callpath.Media:
			if n.media[e.Path] = e.Legs; e.Legs == [2]callpath.Leg{} {
				delete(n.media, e.Path)
			}
		case callpath.Speaks:
			n.speaks[e.Session] = e.Path
		case callpath.Problem:
			if e.What != callpath.ProblemStray {
				n.m.t.Errorf("a relay says: %s, %s", e.What, e.Reason)
			}
		}
	}
	if next.IsZero() || !n.due.IsZero() && !next.Before(n.due) {
		return
	}
	n.due = next
	n.m.at(max(next.Sub(n.m.now), time.Millisecond), func() {
		if n.due.Equal(next) {
			if n.due = (time.Time{}); n.table != nil {
				n.carry()
			}
		}
	})
}

func (n *node) send(e callpath.Send) {
	if p := n.people[e.To.Session]; p != nil {
		p.tell(func() { p.came(e.Kind, e.Body) })
		if boot := n.boot; e.Turn {
			n.m.at(n.m.latency(), func() {
				if n.table != nil && n.boot == boot {
					n.table.Taken(e.To.Session)
					n.carry()
				}
			})
		}
		return
	}
	boot := n.boot
	for o := range n.links {
		if o.id != e.To.Peer {
			continue
		}
		there := o.boot
		n.m.at(n.m.latency()/2, func() {
			if o.table == nil || o.boot != there {
				return
			}
			if e.Receipt != nil && n.table != nil && n.boot == boot {
				n.table.Acked(o.id, *e.Receipt)
			}
			o.receive(callpath.PeerLeg(n.id), e.Kind, e.Body)
		})
	}
}

// frame passes on a media frame that came by a leg.
func (n *node) frame(from callpath.Leg, path wire.PathID) {
	legs, there := n.media[path]
	if n.table == nil || !there || legs[0] != from && legs[1] != from {
		return
	}
	n.table.Used(path, from, n.m.now)
	to := legs[0]
	if to == from {
		to = legs[1]
	}
	if p := n.people[to.Session]; p != nil {
		p.tell(func() {
			p.heard++
			p.line.MediaHeard(path, p.w.now)
		})
		return
	}
	for o := range n.links {
		if o.id == to.Peer {
			n.m.at(n.m.latency()/2, func() { o.frame(callpath.PeerLeg(n.id), path) })
		}
	}
}

// came takes an urgent message of p's relay.
func (p *person) came(kind wire.UrgentKind, body []byte) {
	switch kind {
	case wire.UrgentCallOffer:
		p.line.OfferCame(must(wire.Parse[wire.CallForward](body)), p.w.now)
	case wire.UrgentCallMessage:
		p.line.MessageCame(must(wire.Parse[wire.CallMessage](body)), p.w.now)
	case wire.UrgentCallState:
		p.line.StateCame(must(wire.Parse[wire.CallState](body)), p.w.now)
	case wire.UrgentCallEnd:
		p.line.EndCame(must(wire.Parse[wire.CallEnd](body)), p.w.now)
	default:
		p.w.t.Errorf("a relay sends %v", kind)
	}
}

// forgotten fails unless no relay knows of a path, some time later.
func (m *mesh) forgotten(within time.Duration) {
	m.t.Helper()
	m.run(within)
	for i, n := range m.nodes {
		if n.table == nil {
			continue
		}
		if c := n.table.Counts(); c.Open+c.SettingUp > 0 || len(n.media) > 0 {
			m.t.Errorf("relay %c still knows %+v", 'A'+i, c)
		}
	}
}

// The ends get on with the relays that there are: five in a ring, with what may happen to them in a call.
func TestRelays(t *testing.T) {
	const back = 3 * time.Second // a relay is away for so long
	for name, tc := range map[string]struct {
		links  string
		breaks func(m *mesh, ann, bob *person)
		within time.Duration
	}{
		"nothing happens": {"AB BC CD DE", func(*mesh, *person, *person) {}, time.Second},
		"a relay on the way dies, and is noticed late": {"AB BC CD AE ED", func(m *mesh, _, _ *person) {
			m.onTheWay().kill(15 * time.Second)
		}, 5 * time.Second},
		"a relay on the way dies, and is noticed": {"AB BC CD AE ED", func(m *mesh, _, _ *person) {
			m.onTheWay().kill(100 * time.Millisecond)
		}, 5 * time.Second},
		"the called's relay dies and returns": {"AB BC CD DE", func(m *mesh, _, bob *person) {
			bob.node.kill(time.Second)
			m.returns(back, bob)
		}, back + 5*time.Second},
		"the caller's relay dies and returns": {"AB BC CD DE", func(m *mesh, ann, _ *person) {
			ann.node.kill(time.Second)
			m.returns(back, ann)
		}, back + 5*time.Second},
		"both ends' relays do": {"AB BC CD DE", func(m *mesh, ann, bob *person) {
			ann.node.kill(time.Second)
			bob.node.kill(time.Second)
			m.returns(back, ann)
			m.returns(back+time.Second, bob)
		}, back + 6*time.Second},
		"all relays do": {"AB BC CD DE", func(m *mesh, ann, bob *person) {
			for _, n := range m.nodes {
				n.kill(time.Second)
			}
			for _, n := range m.nodes {
				m.at(back/2, n.start)
			}
			m.returns(back, ann)
			m.returns(back, bob)
		}, back + 5*time.Second},
		"the called goes to another relay": {"AB BC CD DE", func(m *mesh, _, bob *person) {
			m.nodes[2].attach(bob)
		}, 5 * time.Second},
		"the caller goes to another relay": {"AB BC CD DE", func(m *mesh, ann, _ *person) {
			m.nodes[2].attach(ann)
		}, 5 * time.Second},
		"both are at one relay then": {"AB BC CD DE", func(m *mesh, ann, bob *person) {
			m.nodes[2].attach(ann)
			m.nodes[2].attach(bob)
		}, 5 * time.Second},
		"both begin a session anew": {"AB BC CD DE", func(m *mesh, ann, bob *person) {
			ann.node.attach(ann)
			bob.node.attach(bob)
		}, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(4) {
				w := newWorld(t, seed, "ann", "bob")
				w.jitter = 200 * time.Millisecond
				m := newMesh(w, 5, tc.links)
				ann, bob := w.person("ann"), w.person("bob")
				ann.talks, bob.talks = true, seed < 2
				m.nodes[0].attach(ann)
				m.nodes[3].attach(bob)
				at, to := w.talk(ann, bob)
				w.run(3 * time.Second)
				if ann.heard == 0 && bob.talks || bob.heard == 0 {
					t.Fatalf("nothing is heard%s", w.log())
				}
				tc.breaks(m, ann, bob)
				w.run(500 * time.Millisecond)
				a, b := ann.heard, bob.heard
				w.run(tc.within - 500*time.Millisecond)
				if bob.heard == b || bob.talks && ann.heard == a {
					t.Fatalf("seed %d: nothing is heard after %v%s", seed, tc.within, w.log())
				}
				w.run(15 * time.Second)
				a, b = ann.heard, bob.heard
				w.run(5 * time.Second)
				if bob.heard < b+45 || bob.talks && ann.heard < a+45 || len(all[Incoming](bob)) != 1 {
					t.Errorf("seed %d: it does not go on: %d, %d%s", seed, ann.heard-a, bob.heard-b, w.log())
				}
				if seed%2 == 0 {
					ann.act(func(now time.Time) error { return ann.line.HangUp(at, now) })
				} else {
					bob.act(func(now time.Time) error { return bob.line.HangUp(to, now) })
				}
				w.until("both know", func() bool { return ann.ended(at) != 0 && bob.ended(to) != 0 })
				m.forgotten(time.Second)
				w.quiet()
			}
		})
	}
}

// onTheWay returns the relay in the middle of the one path.
func (m *mesh) onTheWay() *node {
	for _, n := range m.nodes {
		for _, legs := range n.media {
			if legs[0].Session == 0 && legs[1].Session == 0 {
				return n
			}
		}
	}
	m.t.Fatal("no relay is on the way")
	return nil
}

// returns has p's relay run again, and p be back at it.
func (m *mesh) returns(after time.Duration, p *person) {
	p.offline = true
	p.do(func() { p.line.SessionLost(m.now) })
	m.at(after, func() {
		if p.node.table == nil {
			p.node.start()
		}
		p.node.attach(p)
	})
}

// Whatever becomes of relays and sessions: once all is well for half a minute, all calls that are left are up
// at both ends and heard there, and when they end no relay knows of them.
func TestRandomRelays(t *testing.T) {
	for seed := range uint64(12) {
		w := newWorld(t, 5000+seed, "ann", "bob", "cem", "dan")
		w.jitter = time.Duration(seed%4) * 60 * time.Millisecond
		m := newMesh(w, 5, "AB BC CD DE AE")
		for i, p := range w.people {
			p.talks = true
			m.nodes[i].attach(p)
		}
		w.talk(w.people[0], w.people[1])
		w.talk(w.people[2], w.people[3])
		for range 25 {
			m.something()
			w.run(time.Duration(w.rng.IntN(4000)) * time.Millisecond)
		}
		w.run(30 * time.Second)
		heard := map[*person]int{}
		for _, p := range w.people {
			heard[p] = p.heard
		}
		w.run(5 * time.Second)
		w.checkPairs()
		for _, p := range w.people {
			for _, c := range slices.Clone(p.line.calls) {
				if c.state != Open || p.heard < heard[p]+40 || last[Silent](p).Silent {
					t.Errorf("seed %d: %s hears %d frames in 5 s", seed, p.name, p.heard-heard[p])
				}
				if c.caller == (seed%2 == 0) {
					p.do(func() { p.line.HangUp(c.id, w.now) })
				}
			}
		}
		w.run(2 * time.Second)
		m.forgotten(time.Second)
		w.quiet()
		if t.Failed() {
			t.Fatalf("seed %d%s", seed, w.log())
		}
	}
}

// something happens to a relay, or to somebody's session.
func (m *mesh) something() {
	p, n := m.people[m.rng.IntN(len(m.people))], m.nodes[m.rng.IntN(len(m.nodes))]
	switch m.rng.IntN(4) {
	case 0:
		if n.table == nil {
			return
		}
		n.kill(time.Duration(m.rng.IntN(15000)) * time.Millisecond)
		back := time.Duration(500+m.rng.IntN(9000)) * time.Millisecond
		for _, q := range m.people {
			if q.node == n && !q.offline {
				m.returns(back, q)
			}
		}
		m.at(back, func() {
			if n.table == nil {
				n.start()
			}
		})
	case 1:
		if !p.offline && p.node.table != nil {
			p.node.attach(p)
		}
	case 2:
		if !p.offline && n.table != nil {
			n.attach(p)
		}
	case 3:
		if !p.offline {
			m.returns(time.Duration(m.rng.IntN(5000))*time.Millisecond, p)
		}
	}
}

// Keep implements callpath.Directory: nobody is away.
func (n *node) Keep(callpath.Leg, *wire.CallForward, time.Time) bool { return false }
