package routing

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// hears returns the relays that a packet of home's members reaches now, over links that are not dead.
func (net *tableNet) hears(home *tableNode, room string) map[*tableNode]bool {
	got := map[*tableNode]bool{home: true}
	for queue := []*tableNode{home}; len(queue) > 0; queue = queue[1:] {
		n := queue[0]
		key := tableTrunk{home.id, room}
		if n == home {
			key.home = wire.RelayID{}
		}
		for _, p := range n.trunked[key] {
			i := slices.IndexFunc(net.nodes, func(o *tableNode) bool { return o.id == p })
			to := net.nodes[i]
			if got[to] || net.link(slices.Index(net.nodes, n), i).dead ||
				!to.parent(home.id, wire.HashRoom(room), n.id, net.now) {
				continue
			}
			got[to] = true
			queue = append(queue, to)
		}
	}
	return got
}

// TestLinkDies lets each link of each topology die without a word. Where there is another way, the media
// takes it as soon as the link is suspect, and nobody seems to leave; where there is none, members stay until
// the link is given up, and are gone then.
func TestLinkDies(t *testing.T) {
	for name, links := range topologies() {
		for _, l := range links[:min(len(links), 8)] {
			t.Run(fmt.Sprint(name, l), func(t *testing.T) { linkDies(t, links, l) })
		}
	}
}

func linkDies(t *testing.T, links [][2]int, dying [2]int) {
	net := newTableNet(t, sizeOf(links), 3)
	for _, l := range links {
		net.connect(l[0], l[1])
	}
	for i := range net.nodes {
		net.join(i, "ops", 2)
	}
	net.settle()
	net.check()
	for _, n := range net.nodes {
		n.joins, n.leaves = 0, 0
	}
	dead := net.link(dying[0], dying[1])
	dead.dead = true
	net.run(3 * time.Second)
	net.suspect(dying[0], dying[1], true)
	net.run(2 * time.Second)
	dead.up = false // for distances
	for i, home := range net.nodes {
		heard := net.hears(home, "ops")
		for n := range net.distances(home) {
			if !heard[n] {
				t.Errorf("relay %d does not hear %d, 2 s after the link was suspect",
					slices.Index(net.nodes, n), i)
			}
		}
	}
	net.run(9 * time.Second)
	for i, n := range net.nodes {
		if n.joins+n.leaves > 0 {
			t.Errorf("relay %d: %d members seemed to join, %d to leave", i, n.joins, n.leaves)
		}
	}
	net.cut(dying[0], dying[1])
	net.run(time.Second)
	net.check()
	for i, n := range net.nodes {
		if n.joins > 0 || n.leaves > 0 && len(net.distances(n)) == len(net.nodes) {
			t.Errorf("relay %d: %d members seemed to join, %d to leave", i, n.joins, n.leaves)
		}
	}
	dead.dead = false
	net.connect(dying[0], dying[1])
	net.settle()
	net.check()
}

// TestLinkIsCut says that nobody seems to leave when a link is closed and there is another way, or the link
// is back within a moment.
func TestLinkIsCut(t *testing.T) {
	for name, links := range topologies() {
		t.Run(name, func(t *testing.T) {
			net := newTableNet(t, sizeOf(links), 4)
			for _, l := range links {
				net.connect(l[0], l[1])
			}
			for i := range net.nodes {
				net.join(i, "ops", 2)
			}
			net.settle()
			for _, l := range links {
				net.cut(l[0], l[1])
				if len(net.distances(net.nodes[0])) < len(net.nodes) {
					net.run(300 * time.Millisecond)
					net.connect(l[0], l[1])
				}
				net.settle()
				net.check()
				if !net.link(l[0], l[1]).up {
					net.connect(l[0], l[1])
				}
				net.settle()
			}
			for i, n := range net.nodes {
				if n.leaves > 0 {
					t.Errorf("relay %d: %d members seemed to leave", i, n.leaves)
				}
			}
		})
	}
}

// TestHomeRestarts says that what a relay had before it restarted is replaced by what it has then, at once,
// and that those who were there before and after never seem to leave.
func TestHomeRestarts(t *testing.T) {
	net := newTableNet(t, 3, 5)
	net.connect(0, 1)
	net.connect(1, 2)
	net.join(0, "ops", 2)
	net.join(0, "crew", 2)
	net.settle()
	kept := net.nodes[0].members["ops"][:1]
	net.restart(0)
	net.nodes[0].members["ops"] = kept
	net.join(0, "ops", 0)
	net.run(100 * time.Millisecond)
	net.connect(0, 1)
	net.run(400 * time.Millisecond)
	net.check()
	for _, n := range net.nodes[1:] {
		if n.joins != 4 || n.leaves != 3 {
			t.Errorf("%d joined and %d left, want 4 and 3", n.joins, n.leaves)
		}
	}
	net.settle()
	net.check()
}

// TestNextHop says by which peer a part is reached.
func TestNextHop(t *testing.T) {
	net := newTableNet(t, 3, 6)
	net.connect(0, 1)
	net.connect(1, 2)
	net.join(0, "ops", 1)
	net.settle()
	room := wire.HashRoom("ops")
	if p, ok := net.nodes[2].nextHop(net.nodes[0].id, room); !ok || p != net.nodes[1].id {
		t.Errorf("from 2 to 0 it is %v", p)
	}
	if _, ok := net.nodes[0].nextHop(net.nodes[0].id, room); ok {
		t.Error("there is a hop to ourselves")
	}
	if _, ok := net.nodes[2].nextHop(net.nodes[1].id, room); ok {
		t.Error("there is a hop to a relay without members")
	}
	if parts, members := net.nodes[2].table.Counts(net.nodes[1].id); parts != 1 || members != 1 {
		t.Errorf("by 1 there are %d parts and %d members", parts, members)
	}
	if label := net.nodes[2].labels[tableView{net.nodes[0].identity.Public(),
		"ops"}]; label != fmt.Sprint("label ", net.nodes[0].id) {
		t.Errorf("relay 0 is called %q", label)
	}
}

// TestPathsAreShort says that nothing is announced beyond the limit of hops.
func TestPathsAreShort(t *testing.T) {
	net := newTableNet(t, 10, 7)
	for i := range 9 {
		net.connect(i, i+1)
	}
	net.join(0, "ops", 1)
	net.join(9, "ops", 1)
	net.settle()
	for i, n := range net.nodes[1:9] {
		if n.views[tableView{net.nodes[0].identity.Public(), "ops"}] == nil {
			t.Errorf("relay %d does not see the member of 0", i+1)
		}
	}
	if len(net.nodes[9].views) != 0 {
		t.Error("relay 9 sees a member 9 links away")
	}
	for i, n := range net.nodes {
		if len(n.problems) > 0 {
			t.Errorf("relay %d: %v", i, n.problems)
		}
	}
}
