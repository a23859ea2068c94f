package presence

import (
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

const hop = 100 * time.Millisecond

// Six relays in a chain: a change is known over five hops within 2 s, and a path is told with it.
func TestConverges(t *testing.T) {
	n := newNetwork(t, 6, hop, 0)
	for i := range 5 {
		n.connect(i, i+1)
	}
	n.run(3 * time.Second)
	for i := range 20 { // at all times of a batch
		n.run(time.Duration(i) * 17 * time.Millisecond)
		n.join(5, i)
		took := n.within(2*time.Second, "known over five hops", func() bool { return n.knows(0, i, 5) })
		n.leave(5, i)
		gone := n.within(2*time.Second, "gone over five hops", func() bool { return !n.knows(0, i, 5) })
		if i == 0 {
			t.Log("known after", took, "gone after", gone)
		}
	}
	n.join(5, 100)
	n.run(2 * time.Second)
	ways := n.relays[0].table.Ways(personNumber(100).Fingerprint())
	if len(ways) != 1 || ways[0].Hops != 5 || ways[0].Next != n.relays[1].self ||
		len(ways[0].Path) != 5 || ways[0].Path[4] != n.relays[5].self || ways[0].Home != n.relays[5].self {
		t.Errorf("%+v", ways)
	}
	n.check()
	if len(n.problems) > 0 {
		t.Error(n.problems)
	}
}

// Relays of a mesh are killed, and some come back, with other people: 75 s later nobody is anywhere where
// they are not, and everybody who is there is known.
func TestNoGhosts(t *testing.T) {
	const relays, noticed = 10, 15 * time.Second
	n := newNetwork(t, relays, hop, 0)
	for who := range 500 {
		n.join(who%relays, who)
	}
	n.run(time.Second)
	n.mesh()
	n.run(30 * time.Second)
	for _, i := range []int{2, 3, 7} {
		n.kill(i, noticed)
	}
	n.run(4 * time.Second)
	for _, i := range []int{3, 7} { // which come back, before the others have noticed
		r := n.relays[i]
		r.begin()
		for who := 1000 + 10*i; who < 1000+10*i+5; who++ {
			n.join(i, who)
		}
		for _, other := range []int{i - 2, i - 1, i + 1, i + 2} {
			if far := other % relays; far != 2 {
				n.connect(i, far)
			}
		}
	}
	begun := n.now
	for who := range 500 {
		if home := who % relays; home == 2 || home == 3 || home == 7 {
			took := n.within(75*time.Second-n.now.Sub(begun), "nobody is where they were", func() bool {
				for i := range relays {
					if i != home && i != 2 && n.knows(i, who, home) {
						return false
					}
				}
				return true
			})
			if took > 0 {
				t.Log(took, "for person", who, "of relay", home)
			}
		}
	}
	n.run(5 * time.Second)
	for i := range relays {
		for who, home := range map[int]int{1030: 3, 1034: 3, 1070: 7, 1074: 7, 0: 0, 499: 9} {
			if i != home && i != 2 && !n.knows(i, who, home) {
				t.Errorf("relay %d does not know person %d", i, who)
			}
		}
	}
	if len(n.problems) > 0 {
		t.Error(n.problems)
	}
}

// Even if no link were ever found to be down, nobody stays where they are not.
func TestGhostsExpire(t *testing.T) {
	n := newNetwork(t, 4, hop, 0)
	for i := range 3 {
		n.connect(i, i+1)
	}
	n.join(3, 1)
	n.run(20 * time.Second)
	n.kill(3, time.Hour)
	n.within(75*time.Second, "a relay that fell silent is forgotten", func() bool {
		return !n.knows(0, 1, 3) && !n.knows(2, 1, 3)
	})
}

// By two ways the shorter one is used; without it the other one, and nothing has to be asked for again.
func TestAnotherWay(t *testing.T) {
	n := newNetwork(t, 5, hop, 0)
	for i := range 5 {
		n.connect(i, (i+1)%5) // a ring: 2 is two links from 0, or three
	}
	for who := range 300 {
		n.join(2, who)
	}
	n.run(10 * time.Second)
	ways := n.relays[0].table.Ways(personNumber(7).Fingerprint())
	if len(ways) != 2 || ways[0].Hops != 2 || ways[1].Hops != 3 {
		t.Fatalf("%+v", ways)
	}
	received := n.relays[0].table.Counts().Received
	n.cut(0, 1)
	if ways := n.relays[0].table.Ways(personNumber(7).Fingerprint()); len(ways) != 1 || ways[0].Hops != 3 {
		t.Errorf("%+v", ways)
	}
	n.run(3 * time.Second)
	if more := n.relays[0].table.Counts().Received - received; more > 1500 {
		t.Errorf("%d bytes more", more)
	}
	n.check()
}

// What operators see: who is connected here, and who is available at peers, with their addresses.
func TestLists(t *testing.T) {
	n := newNetwork(t, 3, hop, 0)
	n.connect(0, 1)
	n.connect(1, 2)
	for who := range 50 {
		n.join(who%3, who)
	}
	n.join(0, 1) // who is at two
	n.run(5 * time.Second)
	table := n.relays[0].table
	list, _, more := table.List(Cursor{}, 100)
	if len(list) != 17+1+17-1 || more {
		t.Error(len(list), more)
	}
	for _, e := range list {
		if e.Relay != (wire.RelayID{}) && (e.Relay != n.relays[1].self || e.Address != "relay-1:4433" ||
			e.Label != "relay 1" || !e.Available) {
			t.Errorf("%+v", e)
		}
	}
	if list, _, _ := table.ListOf(n.relays[1].self, Cursor{}, 100); len(list) != 17 {
		t.Error(len(list))
	}
	if e, ok := table.LookUp(personNumber(1).Fingerprint()); !ok || e.Relay != (wire.RelayID{}) {
		t.Error("who is here, too", e)
	}
	if e, ok := table.LookUp(personNumber(4).Fingerprint()); !ok || e.Label != "relay 1" {
		t.Error("who is with a peer", e, ok)
	}
	if e, ok := table.LookUp(personNumber(5).Fingerprint()); !ok || e.Relay != n.relays[2].self || e.Address != "" {
		t.Error("who is farther away", e, ok)
	}
	if _, ok := table.LookUp(personNumber(999).Fingerprint()); ok {
		t.Error("nobody")
	}
	if c := table.Counts(); c.Identities != 18 || c.Available != 18 || c.Homes != 2 ||
		c.Entries[n.relays[1].self] != 17+16 || c.Sent == 0 || c.Received == 0 || c.Mismatches > 0 {
		t.Errorf("%+v", c)
	}
}

// A relay comes back, and with it all of its people at once: they are known over three links within 20 s,
// and who comes meanwhile at another relay within 2 s, as always.
func TestCrowdReturns(t *testing.T) {
	n := newNetwork(t, 4, hop, 0)
	for i := range 3 {
		n.connect(i, i+1)
	}
	n.run(15 * time.Second)
	for who := range 20_000 {
		n.join(0, who)
	}
	n.run(time.Second)
	n.join(1, 30_000)
	n.within(2*time.Second, "somebody else is known", func() bool { return n.knows(3, 30_000, 1) })
	far := n.relays[3].table
	took := n.within(20*time.Second, "all are known", func() bool { return far.entries == 20_001 })
	t.Log("known after", took)
	n.run(20 * time.Second)
	if n.check(); len(n.problems) > 0 {
		t.Error(n.problems)
	}
}

// A call goes over at most eight relays: who is seven links away is known, and who is eight is not.
func TestHopLimit(t *testing.T) {
	n := newNetwork(t, 10, hop, 0)
	for i := range 9 {
		n.connect(i, i+1)
	}
	n.join(0, 1)
	n.run(15 * time.Second)
	if !n.knows(7, 1, 0) || n.knows(8, 1, 0) {
		t.Errorf("seven links away known: %v, eight: %v", n.knows(7, 1, 0), n.knows(8, 1, 0))
	}
	if len(n.problems) > 0 {
		t.Error(n.problems)
	}
}

// BenchmarkSweep looks at as much as there can be: 1000 homes by 20 peers, who all tell of all.
func BenchmarkSweep(b *testing.B) {
	table := New(Options{Identity: relayNumber(1), Boot: 1})
	var peers []*liar
	for i := range 20 {
		peers = append(peers, newLiar(b, table, byte(2+i), Mesh, start))
	}
	for i := range 1000 {
		id := identity.SeedFromBytes([identity.SeedSize]byte{byte(i), byte(i >> 8), 7}).Identity()
		s := stateOf(id, 1, 1, hashesOf(i*50, 50), start)
		for _, p := range peers {
			if p.claim(uint64(i), id, 1, s, start); p.asked() {
				p.answer(hashesOf(i*50, 50), start)
			}
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		table.sweep(start)
		table.Drain()
	}
	b.ReportMetric(float64(table.entries), "entries")
}
