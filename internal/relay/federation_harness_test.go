package relay

import (
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wzp-voice/wzp/internal/federation"
	"github.com/wzp-voice/wzp/internal/simnet"
	"github.com/wzp-voice/wzp/internal/simnet/simtest"
	"github.com/wzp-voice/wzp/internal/wire"
)

// mesh is relays with their members on one simulated network, in virtual time.
//
//	person ──┐                                      ┌── person
//	person ──┴── node: Relay ── peer link ── node ──┴── person
//	                  |
//	                rogue: a peer that says what the test wants
type mesh struct {
	t      *testing.T
	net    *simnet.Network
	nodes  []*node
	rogues int
}

// node is a relay of a mesh. What a lab can do, it can.
type node struct {
	*lab
	mesh   *mesh
	name   string
	addr   netip.AddrPort
	peers  []FederationPeer
	global []string
	config Config
	logged *logText
}

const (
	globalRoom  = "ops-1" // bridged by all nodes that say nothing else
	privateRoom = "private"
)

// inMesh runs f in virtual time.
func inMesh(t *testing.T, f func(m *mesh)) {
	t.Helper()
	simtest.Run(t, simnet.Profile{Delay: 10 * time.Millisecond}, func(t *testing.T, n *simnet.Network) {
		f(&mesh{t: t, net: n})
	})
}

// node returns a relay that does not run yet. There may be five.
func (m *mesh) node() *node {
	i := len(m.nodes)
	n := &node{
		// Its members' addresses and keys are others than those of the other nodes' members.
		lab:    &lab{t: m.t, net: m.net, key: newIdentity(byte(200 + i)), hosts: 40 * i},
		mesh:   m,
		name:   string(rune('A' + i)),
		addr:   simtest.Relay(i + 1),
		global: []string{"ops-*"},
		logged: new(logText),
	}
	m.nodes = append(m.nodes, n)
	return n
}

// running returns n relays that run, with the given pairs linked: "AB BC".
func (m *mesh) running(n int, pairs string) []*node {
	m.t.Helper()
	for range n {
		m.node()
	}
	for _, pair := range strings.Fields(pairs) {
		m.nodes[pair[0]-'A'].knows(m.nodes[pair[1]-'A'])
	}
	for _, node := range m.nodes {
		node.up()
	}
	for _, pair := range strings.Fields(pairs) {
		m.linked(m.nodes[pair[0]-'A'], m.nodes[pair[1]-'A'])
	}
	return m.nodes
}

// knows makes two relays peers, of which the first dials.
func (n *node) knows(o *node) {
	n.peers = append(n.peers,
		FederationPeer{Address: o.addr.String(), Fingerprint: o.key.Fingerprint(), Label: o.name})
	o.peers = append(o.peers, FederationPeer{Fingerprint: n.key.Fingerprint(), Label: n.name})
}

func (n *node) federation() FederationConfig {
	return FederationConfig{Peers: n.peers, GlobalRooms: n.global}
}

// up starts the relay, or starts it again.
func (n *node) up() *node {
	n.t.Helper()
	config := n.config
	config.Federation = n.federation()
	config.Log = slog.New(slog.NewTextHandler(n.logged, nil))
	n.startAt(n.addr, config)
	stop := n.stop
	n.t.Cleanup(func() { stop() })
	return n
}

// id is the relay's short id.
func (n *node) id() wire.RelayID { return wire.RelayIDOf(n.key.Public()) }

// status returns what the relay says of a peer.
func (n *node) status(label string) federation.PeerStatus {
	n.t.Helper()
	for _, s := range n.relay.federation.Peers() {
		if s.Label == label {
			return s
		}
	}
	n.t.Fatalf("%s has no peer called %s", n.name, label)
	return federation.PeerStatus{}
}

// linked waits until two relays have a link.
func (m *mesh) linked(a, b *node) {
	m.t.Helper()
	m.eventually(a.name+" and "+b.name+" have a link", 20*time.Second, func() bool {
		return a.status(b.name).Up && b.status(a.name).Up
	})
}

// cut makes no packet pass between two relays, or lets them pass again.
func (m *mesh) cut(a, b *node, on bool) { m.net.Partition(a.addr.Addr(), b.addr.Addr(), on) }

// eventually waits until ok, for at most limit of virtual time, and returns how long it took.
func (m *mesh) eventually(what string, limit time.Duration, ok func() bool) time.Duration {
	m.t.Helper()
	return simtest.Eventually(m.t, what, limit, ok, func() {
		for _, n := range m.nodes {
			m.t.Logf("log of %s:\n%s", n.name, n.logged.String())
		}
	})
}

// peerMetric returns one of the metrics of a peer, without the prefix.
func (n *node) peerMetric(name, peer string) float64 {
	n.t.Helper()
	return n.labelledMetric("peer_"+name, "peer", peer)
}

// labelledMetric returns a metric whose first label has a value, without the prefix.
func (n *node) labelledMetric(name, label, value string) float64 {
	n.t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(&collector{relay: n.relay})
	families, err := registry.Gather()
	if err != nil {
		n.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			first := m.GetLabel()
			if f.GetName() == "wzp_relay_"+name && first[0].GetName() == label && first[0].GetValue() == value {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	n.t.Fatalf("no metric of %s is called %s", value, name)
	return 0
}

// list returns whom the relay answers with when the person asks for the members of its room, by id.
func (p *person) list() (list []wire.MemberID) {
	p.lab.t.Helper()
	entry, err := wire.ParseEntry(p.entry)
	if err != nil {
		p.lab.t.Fatal(err)
	}
	member := p.lab.relay.rooms.Find(entry.Room, p.member)
	if member == nil {
		return nil
	}
	for after := (*wire.MemberID)(nil); ; {
		entries, next := member.Page(after)
		for _, entry := range entries {
			list = append(list, wire.EntryID(entry))
		}
		if after = next; next == nil {
			return list
		}
	}
}

// told reports whether the client heard of a member's join, and of no leave after it.
func (p *person) told(id wire.MemberID) bool {
	p.ears.mu.Lock()
	defer p.ears.mu.Unlock()
	count := func(list []wire.MemberID) (n int) {
		for _, other := range list {
			if other == id {
				n++
			}
		}
		return n
	}
	return count(p.ears.joined) > count(p.ears.left)
}

// agree waits until the lists of all of these people have them all, and nobody else, and each was told of
// those who come after it in people.
func (m *mesh) agree(what string, limit time.Duration, people ...*person) {
	m.t.Helper()
	want := ids(people)
	slices.SortFunc(want, wire.MemberID.Compare)
	m.eventually(what+": the lists agree", limit, func() bool {
		for i, p := range people {
			if !slices.Equal(p.list(), want) ||
				slices.ContainsFunc(people[i+1:], func(q *person) bool { return !p.told(q.member) }) {
				return false
			}
		}
		return true
	})
}

// call is people who all talk, all the time.
type call struct {
	mesh   *mesh
	people []*person
	stop   func()
	wg     sync.WaitGroup
	sent   map[*person]int // frames; to be read when the call is over
}

// callFrame is how far apart the frames of a talker are.
const callFrame = 100 * time.Millisecond

// call has people talk to each other until end or stop, each in a stream of the given number.
func (m *mesh) call(stream uint8, people ...*person) *call {
	over := make(chan struct{})
	c := &call{mesh: m, people: people, stop: sync.OnceFunc(func() { close(over) }),
		sent: make(map[*person]int)}
	m.t.Cleanup(func() {
		c.stop()
		c.wg.Wait()
	})
	var mu sync.Mutex // guards c.sent
	for _, p := range people {
		c.wg.Go(func() {
			tick := time.NewTicker(callFrame)
			defer tick.Stop()
			for n := 0; ; n++ {
				select {
				case <-over:
					return
				case <-tick.C:
				}
				p.say(p.kid(stream), uint16(stream), n, 1)
				mu.Lock()
				c.sent[p] = n + 1
				mu.Unlock()
			}
		})
	}
	return c
}

// end ends the call, and wants everybody to have heard everybody else, each frame once.
func (c *call) end(what string, stream uint8) {
	c.mesh.t.Helper()
	c.hush()
	for _, p := range c.people {
		for _, q := range c.people {
			if got := p.ears.heard(q.kid(stream)); p != q && (got != c.sent[q] || got == 0) {
				c.mesh.t.Errorf("%s: %v heard %d of %d frames of %v", what, p.member, got, c.sent[q],
					q.member)
			}
		}
	}
}

// hush ends the call, and wants nothing.
func (c *call) hush() {
	c.stop()
	c.wg.Wait()
	time.Sleep(500 * time.Millisecond)
}

// hears waits until a person hears another one who talks.
func (m *mesh) hears(what string, limit time.Duration, p *person, kid wire.KID) time.Duration {
	m.t.Helper()
	before := p.ears.heard(kid)
	return m.eventually(what, limit, func() bool { return p.ears.heard(kid) > before })
}

// logText keeps what a relay logs.
type logText struct{ simtest.Log }

// lines returns how many lines have all of these in them.
func (w *logText) lines(parts ...string) int { return len(w.Lines(parts...)) }

// says wants one line of the log to have all of these in it.
func (n *node) says(what string, parts ...string) {
	n.t.Helper()
	if n.logged.lines(parts...) == 0 {
		n.t.Errorf("%s: no line of %s's log has %q:\n%s", what, n.name, parts, n.logged.String())
	}
}

// quiet wants no complaint about a peer in the log.
func (n *node) quiet(what, peer string) {
	n.t.Helper()
	for _, field := range []string{"peer=", "label="} {
		if n.logged.lines("level=WARN", field+peer) > 0 {
			n.t.Errorf("%s: %s complains about %s:\n%s", what, n.name, peer, n.logged.String())
		}
	}
}
