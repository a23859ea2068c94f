package routing

import (
	"fmt"
	"testing"
	"time"
)

// topologies are the shapes that relays are joined in, as links.
func topologies() map[string][][2]int {
	list := map[string][][2]int{
		"pair":     {{0, 1}},
		"chain":    {{0, 1}, {1, 2}, {2, 3}, {3, 4}},
		"star":     {{0, 1}, {0, 2}, {0, 3}, {0, 4}},
		"triangle": {{0, 1}, {1, 2}, {2, 0}},
		"ring":     {{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5}, {5, 0}},
		"square":   {{0, 1}, {1, 2}, {2, 3}, {3, 0}},
		"two":      {{0, 1}, {1, 2}, {2, 0}, {2, 3}, {3, 4}, {4, 5}, {5, 3}},
		"longest":  {{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5}, {5, 6}, {6, 7}},
	}
	for i := range 8 {
		for j := range i {
			list["mesh"] = append(list["mesh"], [2]int{i, j})
		}
	}
	return list
}

func sizeOf(links [][2]int) (n int) {
	for _, l := range links {
		n = max(n, l[0]+1, l[1]+1)
	}
	return n
}

func TestTopologies(t *testing.T) {
	for name, links := range topologies() {
		t.Run(name, func(t *testing.T) {
			n := sizeOf(links)
			net := newTableNet(t, n, 1)
			for _, l := range links {
				net.connect(l[0], l[1])
			}
			net.join(0, "early", 2)
			net.settle()
			net.check()
			for i := range n {
				net.join(i, "ops", 1+i%3)
				net.join(i, fmt.Sprint("room ", i%2), 1)
			}
			net.join(1, "private", 3)
			net.settle()
			net.check()
			for i := range n {
				net.leave(i, "ops", 1+i%2)
			}
			net.settle()
			net.check()
			for i := range n {
				net.leave(i, "ops", 9)
				net.leave(i, "early", 9)
				net.leave(i, "room 0", 9)
				net.leave(i, "room 1", 9)
			}
			net.settle()
			net.check()
			for i, node := range net.nodes {
				if len(node.views) > 0 || len(node.trunked) > 0 || len(node.table.parts) > 0 {
					t.Errorf("relay %d: something is left of empty rooms", i)
				}
			}
		})
	}
}

// TestOneChangeIsCheap says what a join costs in a full mesh: one message from each relay to each other at
// most.
func TestOneChangeIsCheap(t *testing.T) {
	net := newTableNet(t, 8, 1)
	for _, l := range topologies()["mesh"] {
		net.connect(l[0], l[1])
	}
	for i := range net.nodes {
		net.join(i, "ops", 3)
	}
	net.settle()
	net.check()
	sent, bytes := net.sent, net.bytes
	net.join(0, "ops", 1)
	net.run(time.Second)
	sent, bytes = net.sent-sent, net.bytes-bytes
	t.Logf("a join: %d messages, %d bytes", sent, bytes)
	if sent > 7+7*6 {
		t.Errorf("a join took %d messages", sent)
	}
	net.settle()
	net.check()
}

// TestHomeDies says that the ways that are tried when a relay is lost in a full mesh are not too many.
func TestHomeDies(t *testing.T) {
	net := newTableNet(t, 8, 1)
	for _, l := range topologies()["mesh"] {
		net.connect(l[0], l[1])
	}
	for i := range net.nodes {
		net.join(i, "ops", 3)
	}
	net.settle()
	sent := net.sent
	for i := 1; i < 8; i++ {
		net.suspect(0, i, true)
	}
	net.run(12 * time.Second)
	suspected := net.sent - sent
	for i := 1; i < 8; i++ {
		net.cut(0, i)
	}
	net.settle()
	net.check()
	t.Logf("suspected: %d messages, lost: %d", suspected, net.sent-sent-suspected)
	if net.sent-sent > 8000 {
		t.Errorf("the end of one relay took %d messages", net.sent-sent)
	}
}
