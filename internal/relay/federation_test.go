package relay

import (
	"testing"
	"time"
)

func TestTwoRelays(t *testing.T) {
	inMesh(t, func(m *mesh) {
		n := m.running(2, "AB")
		a := n[0].joined(globalRoom)
		b := n[1].joined(globalRoom)
		m.agree("two", time.Second, a, b)
		c := n[1].joined(globalRoom)
		m.agree("three", time.Second, a, b, c)
		talk := m.call(0, a, b, c)
		time.Sleep(10 * time.Second)
		talk.end("two relays", 0)
		c.client.Close()
		m.agree("one has left", time.Second, a, b)
		for _, n := range n {
			n.want(n.name, map[string]float64{"peer bad_announcement": 0, "peer wrong_peer": 0,
				"bridged_rooms": 1})
		}
	})
}

// TestForwardedFromPeers wants what members hear from a peer to be counted as forwarded to them, where nobody
// talks.
func TestForwardedFromPeers(t *testing.T) {
	inMesh(t, func(m *mesh) {
		n := m.running(2, "AB")
		a, b, c := n[0].joined(globalRoom), n[1].joined(globalRoom), n[1].joined(globalRoom)
		m.agree("three", time.Second, a, b, c)
		talk := m.call(0, a)
		time.Sleep(2 * time.Second)
		talk.hush()
		delivered := n[1].metric("federation_delivered_total")
		n[1].want("B", map[string]float64{"media_in_packets_total": 0, "media_out_packets_total": delivered})
		if delivered == 0 {
			t.Error("B delivered nothing")
		}
	})
}

// TestPrivateRooms wants nothing said of rooms that are not global.
func TestPrivateRooms(t *testing.T) {
	inMesh(t, func(m *mesh) {
		n := m.running(2, "AB")
		a, b := n[0].joined(privateRoom), n[1].joined(privateRoom)
		talk := m.call(0, a)
		time.Sleep(2 * time.Second)
		talk.hush()
		if len(a.list()) != 1 || len(b.list()) != 1 || b.ears.heard(a.kid(0)) > 0 {
			t.Errorf("they meet: %v, %v", a.list(), b.list())
		}
		for _, n := range n {
			n.want(n.name, map[string]float64{"bridged_rooms": 0, "remote_members": 0,
				"federation_frames_out_total": 0})
		}
	})
}

// TestTopologies wants every member to hear every other one exactly once, whatever the links are.
func TestTopologies(t *testing.T) {
	for name, pairs := range map[string]string{
		"chain": "AB BC", "chain of four": "AB BC CD", "triangle": "AB BC CA",
		"mesh of four": "AB AC AD BC BD CD",
	} {
		t.Run(name, func(t *testing.T) {
			inMesh(t, func(m *mesh) {
				count := 3
				if name[len(name)-4:] == "four" {
					count = 4
				}
				n := m.running(count, pairs)
				var people []*person
				for _, n := range n {
					people = append(people, n.joined(globalRoom))
					m.agree("one more", time.Second, people...)
				}
				people = append(people, n[0].joined(globalRoom))
				m.agree("one more", time.Second, people...)
				talk := m.call(0, people...)
				time.Sleep(5 * time.Second)
				talk.end(name, 0)
				people[1].client.Close()
				m.agree("one less", time.Second, append(people[:1:1], people[2:]...)...)
				for _, n := range n {
					n.want(n.name, map[string]float64{"peer bad_announcement": 0, "peer wrong_peer": 0})
				}
			})
		})
	}
}

// TestMediaGoesWhereItIsWanted wants no media at relays without members.
func TestMediaGoesWhereItIsWanted(t *testing.T) {
	inMesh(t, func(m *mesh) {
		n := m.running(3, "AB BC")
		a, b := n[0].joined(globalRoom), n[1].joined(globalRoom)
		m.agree("two", time.Second, a, b)
		m.eventually("C knows, too", time.Second, func() bool { return n[2].metric("remote_members") == 2 })
		talk := m.call(0, a, b)
		time.Sleep(2 * time.Second)
		talk.end("nobody at C", 0)
		if got := n[2].peerMetric("frames_in_total", "B"); got != 0 {
			t.Errorf("C got %v frames, and has nobody in the room", got)
		}
	})
}

// TestOneAfterAnother has people join, talk at once and leave, each when the one before has left a moment
// ago, and wants every one of them to be heard from the first word to the last, however long the moment is.
func TestOneAfterAnother(t *testing.T) {
	inMesh(t, func(m *mesh) {
		n := m.running(3, "AB BC")
		listener := n[2].joined(globalRoom)
		for gap := time.Duration(0); gap < 600*time.Millisecond; gap += 20 * time.Millisecond {
			talker := n[0].joined(globalRoom)
			const frames = 60
			for i := range frames {
				talker.say(talker.kid(0), 0, i, 1)
				time.Sleep(20 * time.Millisecond)
			}
			talker.client.Close()
			time.Sleep(gap)
			defer func() {
				if got := listener.ears.heard(talker.kid(0)); got != frames {
					t.Errorf("who is followed after %v is heard in %d of %d frames", gap, got, frames)
				}
			}()
		}
		time.Sleep(time.Second)
	})
}

// TestLostLink wants the members behind a link to be gone within 15 s, the room to go on, and the partition
// to heal.
func TestLostLink(t *testing.T) {
	inMesh(t, func(m *mesh) {
		n := m.running(2, "AB")
		a, b := n[0].joined(globalRoom), n[0].joined(globalRoom)
		c := n[1].joined(globalRoom)
		m.agree("three", time.Second, a, b, c)
		local := m.call(0, a, b)
		m.cut(n[0], n[1], true)
		m.agree("the other part is gone", 15*time.Second, a, b)
		m.agree("so it is on the other side", 2*time.Second, c)
		for i, peer := range []string{"B", "A"} {
			n[i].says("a lost link", "a peer link is down", "label="+peer, "nothing was heard from the peer")
		}
		m.cut(n[0], n[1], false)
		m.agree("it has healed", 30*time.Second, a, b, c)
		local.end("a lost link", 0)
		all := m.call(1, a, b, c)
		time.Sleep(2 * time.Second)
		all.end("after that", 1)
	})
}

// TestAnotherPath blocks one side of a triangle: media takes the other way within 5 s, and nobody seems to
// leave.
func TestAnotherPath(t *testing.T) {
	inMesh(t, func(m *mesh) {
		n := m.running(3, "AB BC CA")
		a, b, c := n[0].joined(globalRoom), n[1].joined(globalRoom), n[2].joined(globalRoom)
		m.agree("three", time.Second, a, b, c)
		talk := m.call(0, a, b, c)
		time.Sleep(2 * time.Second)
		m.cut(n[0], n[1], true)
		time.Sleep(50 * time.Millisecond) // what is under way arrives
		took := m.hears("B hears A by C", 5*time.Second, b, a.kid(0))
		took = max(took, m.hears("A hears B by C", 5*time.Second-took, a, b.kid(0)))
		t.Logf("another path after %v", took)
		time.Sleep(30 * time.Second)
		m.agree("all are still there", time.Second, a, b, c)
		for _, p := range []*person{a, b, c} {
			p.ears.mu.Lock()
			if len(p.ears.left) > 0 {
				t.Errorf("somebody seemed to leave: %v", p.ears.left)
			}
			p.ears.mu.Unlock()
		}
		m.cut(n[0], n[1], false)
		m.eventually("the link is back", time.Minute, func() bool { return n[0].status("B").Up })
		time.Sleep(10 * time.Second)
		before := b.ears.heard(a.kid(0))
		sent := int(time.Second / callFrame)
		time.Sleep(time.Second)
		if got := b.ears.heard(a.kid(0)) - before; got < sent-1 || got > sent+1 {
			t.Errorf("a second has %d frames, want %d", got, sent)
		}
		talk.hush()
		for p, heard := range map[*person]int{c: c.ears.heard(a.kid(0)), a: a.ears.heard(c.kid(0))} {
			other := a
			if p == a {
				other = c
			}
			if heard != talk.sent[other] {
				t.Errorf("over the link that was always there %d of %d frames came", heard, talk.sent[other])
			}
		}
	})
}

// TestRestartedRelay wants a relay's new start to take the place of its old one, everywhere.
func TestRestartedRelay(t *testing.T) {
	inMesh(t, func(m *mesh) {
		n := m.running(3, "AB BC")
		a, b, c := n[0].joined(globalRoom), n[1].joined(globalRoom), n[2].joined(globalRoom)
		m.agree("three", time.Second, a, b, c)
		c.client.Close()
		n[2].stop()
		m.agree("C has stopped", 2*time.Second, a, b)
		n[2].up()
		d := n[2].joined(globalRoom)
		m.agree("C is back", 30*time.Second, a, b, d)
		talk := m.call(0, a, b, d)
		time.Sleep(2 * time.Second)
		talk.end("after the restart", 0)
	})
}

// TestKeysCrossRelays has a talker's key reach listeners on two other relays, and the talker learn it.
func TestKeysCrossRelays(t *testing.T) {
	inMesh(t, func(m *mesh) {
		n := m.running(3, "AB BC")
		talker := n[0].joined(globalRoom)
		listeners := []*person{n[0].joined(globalRoom), n[1].joined(globalRoom), n[2].joined(globalRoom),
			n[2].joined(globalRoom)}
		m.agree("five", time.Second, append([]*person{talker}, listeners...)...)
		talker.announce(1, len(listeners))
		talker.wraps(1, ids(listeners)...)
		took := m.eventually("the key is delivered", 3*time.Second,
			func() bool { return talker.delivered(1) })
		t.Logf("delivered after %v", took)
		wantKeys(t, "across relays", talker, listeners, 1)

		late := n[2].joined(globalRoom)
		m.agree("six", time.Second, append(append([]*person{talker}, listeners...), late)...)
		late.wants(talker.member)
		m.eventually("the talker is asked", 3*time.Second, func() bool {
			talker.ears.mu.Lock()
			defer talker.ears.mu.Unlock()
			for _, id := range talker.ears.wanted {
				if id == late.member {
					return true
				}
			}
			return false
		})
		talker.announce(2, len(listeners)+1)
		talker.wraps(2, ids(append(listeners, late))...)
		m.eventually("the second key is delivered", 3*time.Second, func() bool { return talker.delivered(2) })
		wantKeys(t, "the late one", talker, []*person{late}, 2)
		for _, n := range n {
			n.want(n.name, map[string]float64{"peer wrong_peer": 0, "key no_way": 0})
		}
	})
}

// TestKeyIsNotDelivered wants the talker not to be told so while a listener far away has not acknowledged it.
func TestKeyIsNotDelivered(t *testing.T) {
	inMesh(t, func(m *mesh) {
		n := m.running(3, "AB BC")
		talker, deaf := n[0].joined(globalRoom), n[2].joined(globalRoom)
		m.agree("two", time.Second, talker, deaf)
		deaf.ears.mu.Lock()
		deaf.ears.deaf = true
		deaf.ears.mu.Unlock()
		talker.announce(1, 1)
		talker.wraps(1, deaf.member)
		time.Sleep(3 * time.Second)
		if talker.delivered(1) {
			t.Error("delivered to nobody")
		}
		deaf.ears.mu.Lock()
		deaf.ears.deaf = false
		deaf.ears.mu.Unlock()
		m.eventually("delivered", 3*time.Second, func() bool { return talker.delivered(1) })
	})
}

// TestReload adds and removes a peer and a global room, while people talk.
func TestReload(t *testing.T) {
	inMesh(t, func(m *mesh) {
		a, b, c := m.node(), m.node(), m.node()
		a.knows(b)
		for _, n := range m.nodes {
			n.global = []string{"ops-1"}
			n.up()
		}
		m.linked(a, b)
		people := []*person{a.joined("ops-1"), a.joined("ops-1"), b.joined("ops-1")}
		m.agree("A and B", time.Second, people...)
		other := []*person{a.joined("ops-2"), b.joined("ops-2")}
		talk := m.call(0, people...)
		local := m.call(2, other[0], a.joined("ops-2"))
		other = append(other, local.people[1])

		a.knows(c) // a new peer
		for _, n := range []*node{a, c} {
			n.relay.Reload(n.federation())
		}
		m.linked(a, c)
		far := c.joined("ops-1")
		m.agree("A, B and C", time.Second, append(people, far)...)
		for _, n := range []*node{a, b} { // a new global room
			n.global = []string{"ops-1", "ops-2"}
			n.relay.Reload(n.federation())
		}
		m.agree("ops-2 is bridged", 3*time.Second, other...)

		a.peers, c.peers = a.peers[:1], nil // without the peer
		a.relay.Reload(a.federation())
		m.agree("without C", 3*time.Second, people...)
		m.agree("C on its own", 3*time.Second, far)
		for _, n := range []*node{a, b} { // without the room
			n.global = []string{"ops-1"}
			n.relay.Reload(n.federation())
		}
		m.agree("ops-2 is not bridged", 3*time.Second, other[0], other[2])
		m.agree("ops-2 is not bridged", 3*time.Second, other[1])
		time.Sleep(time.Second)
		talk.end("reloads", 0)
		local.end("reloads of its room", 2)
		m.eventually("nothing is left of ops-2", 2*time.Second,
			func() bool { return b.metric("remote_members") == 2 && b.metric("bridged_rooms") == 1 })
	})
}

// TestShutdownOfPeers stops relays with members and talk under way; goleak and the end of virtual time want
// nothing left.
func TestShutdownOfPeers(t *testing.T) {
	inMesh(t, func(m *mesh) {
		n := m.running(3, "AB BC CA")
		a, b, c := n[0].joined(globalRoom), n[1].joined(globalRoom), n[2].joined(globalRoom)
		m.agree("three", time.Second, a, b, c)
		talk := m.call(0, a, b, c)
		time.Sleep(time.Second)
		start := time.Now()
		n[0].stop()
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("it took %v", took)
		}
		m.agree("A is gone at once", 2*time.Second, b, c)
		n[1].says("a relay that stops", "a peer link is down", "label=A", "shutting down")
		n[0].want("in the end", map[string]float64{"sessions": 0, "members": 0, "peers_up": 0})
		talk.hush()
		if heard := c.ears.heard(b.kid(0)); heard != talk.sent[b] {
			t.Errorf("those who are left heard %d of %d", heard, talk.sent[b])
		}
	})
}

// TestCalm wants nothing to happen to a link while nothing happens.
func TestCalm(t *testing.T) {
	inMesh(t, func(m *mesh) {
		n := m.running(2, "AB")
		a, b := n[0].joined(globalRoom), n[1].joined(globalRoom)
		m.agree("two", time.Second, a, b)
		time.Sleep(10 * time.Minute)
		m.agree("still", time.Second, a, b)
		for _, n := range n {
			if got := n.logged.lines("peer link"); got != 1 {
				t.Errorf("%s says %d things about links:\n%s", n.name, got, n.logged.String())
			}
		}
	})
}
