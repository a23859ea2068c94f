package routing

import (
	"bytes"
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// tableNet joins tables by links that delay and reorder messages, in virtual time.
type tableNet struct {
	t      testing.TB
	rng    *rand.Rand
	now    time.Time
	events tableEvents
	nodes  []*tableNode
	links  map[[2]int]*tableLink
	delay  time.Duration // a message takes up to that long
	steady bool          // and not less
	boots  uint64
	sent   int
	bytes  int
}

// tableLink is a link between two nodes, the lower one first.
type tableLink struct {
	ends    [2]*tableNode
	epoch   int // of the link: messages of another one are lost
	up      bool
	suspect bool // by both ends, sooner or later
	dead    bool // nothing gets through
}

// tableNode is one relay: a table, and what its effects told.
type tableNode struct {
	net      *tableNet
	identity *identity.Identity
	id       wire.RelayID
	table    *drivenTable
	tickAt   time.Time
	epochs   map[wire.RelayID]int // of the links that are up as this side sees it
	members  map[string][][]byte  // our own, by room
	views    map[tableView]map[wire.MemberID][]byte
	labels   map[tableView]string
	trunked  map[tableTrunk][]wire.RelayID
	ways     map[PartKey]Way
	problems []string
	unshared []string // rooms that are not global, as they were announced
	joins    int      // how often effects.members told that somebody joined or left
	leaves   int
}

type tableView struct {
	home identity.PublicKey
	room string
}

type tableTrunk struct {
	home wire.RelayID
	room string
}

type tableEvent struct {
	at time.Time
	n  int
	do func()
}

type tableEvents struct {
	list []tableEvent
	n    int
}

func (e *tableEvents) Len() int { return len(e.list) }
func (e *tableEvents) Less(i, j int) bool {
	a, b := &e.list[i], &e.list[j]
	return a.at.Before(b.at) || a.at.Equal(b.at) && a.n < b.n
}
func (e *tableEvents) Swap(i, j int) { e.list[i], e.list[j] = e.list[j], e.list[i] }
func (e *tableEvents) Push(x any)    { e.list = append(e.list, x.(tableEvent)) }
func (e *tableEvents) Pop() any {
	last := e.list[len(e.list)-1]
	e.list = e.list[:len(e.list)-1]
	return last
}

// testIdentity returns the same identity for the same number.
func testIdentity(n int) *identity.Identity {
	var seed [identity.SeedSize]byte
	seed[0], seed[1], seed[2] = byte(n), byte(n>>8), 0x77
	return identity.SeedFromBytes(seed).Identity()
}

func globalRoom(room string) bool { return room != "private" }

// newTableNet returns n relays without links.
func newTableNet(t testing.TB, n int, seed uint64) *tableNet {
	net := &tableNet{
		t: t, rng: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(1_700_000_000, 0),
		links: map[[2]int]*tableLink{}, delay: 50 * time.Millisecond,
	}
	for i := range n {
		node := &tableNode{net: net, identity: testIdentity(i), members: map[string][][]byte{}}
		node.id = wire.RelayIDOf(node.identity.Public())
		net.nodes = append(net.nodes, node)
		node.start()
	}
	return net
}

// start makes the node a new table, of a higher boot.
func (n *tableNode) start() {
	n.net.boots++
	n.table = drive(newTable(n.identity, n.net.boots, globalRoom, defaultLimits()), n)
	n.epochs = map[wire.RelayID]int{}
	n.views = map[tableView]map[wire.MemberID][]byte{}
	n.labels = map[tableView]string{}
	n.trunked = map[tableTrunk][]wire.RelayID{}
	n.ways = map[PartKey]Way{}
}

func (net *tableNet) after(d time.Duration, do func()) {
	net.events.n++
	heap.Push(&net.events, tableEvent{net.now.Add(d), net.events.n, do})
}

// run does what happens in the next d.
func (net *tableNet) run(d time.Duration) {
	until := net.now.Add(d)
	for net.events.Len() > 0 && !net.events.list[0].at.After(until) {
		e := heap.Pop(&net.events).(tableEvent)
		net.now = e.at
		e.do()
	}
	net.now = until
}

func (net *tableNet) random(most time.Duration) time.Duration {
	if net.steady {
		return most
	}
	return time.Duration(net.rng.Int64N(int64(most) + 1))
}

// ticked calls the table's tick, now and when it is due.
func (n *tableNode) ticked() {
	next := n.table.tick(n.net.now)
	if next.IsZero() || next.Equal(n.tickAt) {
		return
	}
	n.tickAt = next
	table := n.table
	n.net.after(next.Sub(n.net.now), func() {
		if n.table == table && n.tickAt.Equal(next) {
			n.tickAt = time.Time{}
			n.ticked()
		}
	})
}

func (net *tableNet) link(i, j int) *tableLink {
	if i > j {
		i, j = j, i
	}
	l := net.links[[2]int{i, j}]
	if l == nil {
		l = &tableLink{ends: [2]*tableNode{net.nodes[i], net.nodes[j]}}
		net.links[[2]int{i, j}] = l
	}
	return l
}

// connect brings a link up; each end hears of it when it does.
func (net *tableNet) connect(i, j int) {
	l := net.link(i, j)
	l.up, l.suspect = true, false
	l.epoch++
	epoch := l.epoch
	for k, n := range l.ends {
		other := l.ends[1-k]
		net.after(net.random(net.delay), func() {
			if l.epoch == epoch && l.up {
				n.epochs[other.id] = epoch
				n.table.up(other.id, fmt.Sprint("label ", other.id), net.now)
				n.ticked()
			}
		})
	}
}

// cut takes a link down; each end notices later, perhaps only with the next link.
func (net *tableNet) cut(i, j int) {
	l := net.link(i, j)
	l.up = false
	l.epoch++
	epoch := l.epoch
	for k, n := range l.ends {
		other := l.ends[1-k]
		net.after(net.random(2*net.delay), func() {
			if l.epoch == epoch {
				delete(n.epochs, other.id)
				n.table.down(other.id, net.now)
				n.ticked()
			}
		})
	}
}

// suspect lets both ends of a link suspect it, or not any more.
func (net *tableNet) suspect(i, j int, suspect bool) {
	l := net.link(i, j)
	l.suspect = suspect
	epoch := l.epoch
	for k, n := range l.ends {
		other := l.ends[1-k]
		net.after(net.random(net.delay), func() {
			if l.epoch == epoch {
				n.table.suspect(other.id, l.suspect, net.now)
				n.ticked()
			}
		})
	}
}

// restart ends a relay without a word, and starts it again without its links and members.
func (net *tableNet) restart(i int) {
	for _, l := range net.links {
		for k := range l.ends {
			if l.ends[k] == net.nodes[i] && l.up {
				net.cut(i, slices.Index(net.nodes, l.ends[1-k]))
			}
		}
	}
	net.nodes[i].members = map[string][][]byte{}
	net.nodes[i].start()
}

func (n *tableNode) send(p wire.RelayID, kind wire.UrgentKind, body []byte) {
	n.deliver(p, kind, body, func() {})
}

func (n *tableNode) sendThen(p wire.RelayID, kind wire.UrgentKind, body []byte, r Receipt) {
	table := n.table
	n.deliver(p, kind, body, func() {
		if n.table == table {
			table.acked(p, r, n.net.now)
			n.ticked()
		}
	})
}

// deliver lets p have a message, as often as it takes, and calls acked when the acknowledgement is here, if
// the link lasts.
func (n *tableNode) deliver(p wire.RelayID, kind wire.UrgentKind, body []byte, acked func()) {
	net := n.net
	net.sent++
	net.bytes += len(body)
	if len(body) > wire.MaxUrgent {
		net.t.Fatalf("a message of kind %v has %d bytes", kind, len(body))
	}
	epoch, ok := n.epochs[p]
	if !ok {
		net.t.Fatalf("a message for a peer that is not up")
	}
	to := net.nodes[net.index(p)]
	l := net.link(slices.Index(net.nodes, n), slices.Index(net.nodes, to))
	var deliver, ack func()
	ack = func() {
		switch {
		case n.epochs[p] != epoch:
		case l.dead:
			net.after(100*time.Millisecond, ack)
		default:
			acked()
		}
	}
	deliver = func() {
		if l.epoch != epoch {
			return
		}
		if l.dead || to.epochs[n.id] != epoch || !to.table.receive(n.id, kind, bytes.Clone(body), net.now) {
			net.after(100*time.Millisecond, deliver)
			return
		}
		to.ticked()
		net.after(net.random(net.delay), ack)
	}
	net.after(net.random(net.delay), deliver)
}

func (n *tableNode) shown(home identity.PublicKey, label string, by Hop, room string, joined [][]byte,
	left []wire.MemberID) {
	key := tableView{home, room}
	view := n.views[key]
	if view == nil {
		view = map[wire.MemberID][]byte{}
		n.views[key] = view
	}
	n.joins, n.leaves = n.joins+len(joined), n.leaves+len(left)
	for _, id := range left {
		if view[id] == nil {
			n.net.t.Errorf("somebody left who was not there")
		}
		delete(view, id)
	}
	for _, entry := range joined {
		id := wire.EntryID(entry)
		if view[id] != nil {
			n.net.t.Errorf("somebody joined who was there")
		}
		view[id] = entry
	}
	n.labels[key] = label
	if n.table.peers[by.Peer] == nil && len(joined) > 0 {
		n.net.t.Errorf("somebody came by %v, which is no peer", by)
	}
	if len(view) == 0 {
		delete(n.views, key)
		delete(n.labels, key)
	}
}

func (n *tableNode) reach(part PartKey, way Way) { n.ways[part] = way }

// parent reports whether media of home's members in the room may come from p.
func (n *tableNode) parent(home wire.RelayID, room wire.RoomHash, p wire.RelayID, now time.Time) bool {
	way := n.ways[PartKey{home, room}]
	return way.From(p, now)
}

// nextHop returns the peer by which home's part of the room is reached.
func (n *tableNode) nextHop(home wire.RelayID, room wire.RoomHash) (p wire.RelayID, ok bool) {
	way := n.ways[PartKey{home, room}]
	return way.Best, way.Best != wire.RelayID{}
}

func (n *tableNode) trunks(home wire.RelayID, room string, to []wire.RelayID) {
	n.trunked[tableTrunk{home, room}] = slices.Clone(to)
	if len(to) == 0 {
		delete(n.trunked, tableTrunk{home, room})
	}
}

func (n *tableNode) problem(_ wire.RelayID, what string, reason string) {
	n.problems = append(n.problems, what+": "+reason)
}

func (n *tableNode) notGlobal(_ wire.RelayID, room string) {
	n.unshared = append(n.unshared, room)
}

// testMember signs entries: who members are does not matter here.
var testMember = testIdentity(9999)

func (net *tableNet) entry(home identity.PublicKey, room string) []byte {
	e := wire.MemberEntry{Room: room, Name: "somebody", HomeRelay: home}
	for i := range e.Commitment {
		e.Commitment[i] = byte(net.rng.Uint32())
	}
	entry, err := wire.SignEntry(testMember, e)
	if err != nil {
		net.t.Fatal(err)
	}
	return entry
}

// join lets k members join node i's part of a room.
func (net *tableNet) join(i int, room string, k int) {
	n := net.nodes[i]
	for range k {
		n.members[room] = append(n.members[room], net.entry(n.identity.Public(), room))
	}
	n.table.local(room, slices.Clone(n.members[room]), net.now)
	n.ticked()
}

// leave lets up to k members, whoever they are, leave.
func (net *tableNet) leave(i int, room string, k int) {
	n := net.nodes[i]
	list := slices.Clone(n.members[room])
	net.rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	n.members[room] = list[min(k, len(list)):]
	n.table.local(room, slices.Clone(n.members[room]), net.now)
	n.ticked()
}

// settle waits until everything is over that may be on its way.
func (net *tableNet) settle() {
	net.t.Helper()
	net.run(30*time.Second + 20*net.delay)
	for i, n := range net.nodes {
		for _, q := range n.table.order {
			o := &q.outgoing
			if !net.link(i, net.index(q.id)).dead && (o.underWay != 0 || len(o.order)+len(o.waiting) != 0) {
				net.t.Errorf("relay %d: %d messages are under way to a peer, of %d peers some wait", i,
					o.underWay, len(o.waiting))
			}
		}
	}
}

func (net *tableNet) index(id wire.RelayID) int {
	return slices.IndexFunc(net.nodes, func(o *tableNode) bool { return o.id == id })
}
