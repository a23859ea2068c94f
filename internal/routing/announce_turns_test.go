package routing

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// TestBusyRelay lets the members of one relay change 400 times a second, in one room and in many, with two
// relays behind it whose acknowledgements take 100 ms: what they are sent is bounded, and what they know in
// the end is true.
func TestBusyRelay(t *testing.T) {
	const seconds = 4
	for _, rooms := range []int{1, 20} {
		t.Run(fmt.Sprint(rooms), func(t *testing.T) {
			net := newTableNet(t, 3, 1)
			net.delay, net.steady = 50*time.Millisecond, true
			net.connect(0, 1)
			net.connect(1, 2)
			for i := range rooms {
				net.join(0, fmt.Sprint("room ", i), 5)
			}
			net.settle()
			sent := net.sent
			for i := range 400 * seconds {
				room := fmt.Sprint("room ", i/2%rooms)
				if i%2 == 0 {
					net.join(0, room, 1)
				} else {
					net.leave(0, room, 1)
				}
				net.run(time.Second / 400)
			}
			sent = net.sent - sent
			t.Logf("%d changes of %d rooms: %d messages on two links", 400*seconds, rooms, sent)
			// An announcement a round trip, and a list now and then: of each room, on each of two links.
			if most := 2 * seconds * rooms * 12; sent > most {
				t.Errorf("%d messages were sent, want at most %d", sent, most)
			}
			net.run(2 * time.Second)
			net.check()
			net.settle()
			net.check()
		})
	}
}

// TestBurstNeedsNoList says that many who join at once are told of as they join, not as a list of all, on
// each link of a chain.
func TestBurstNeedsNoList(t *testing.T) {
	net := newTableNet(t, 4, 2)
	for i := range 3 {
		net.connect(i, i+1)
	}
	net.join(0, "ops", 300)
	net.settle()
	sent := net.sent
	for range 5 {
		net.join(0, "ops", 12)
		net.run(10 * time.Millisecond)
	}
	net.run(3 * time.Second)
	net.check()
	if sent = net.sent - sent; sent > 3*60 {
		t.Errorf("60 joins took %d messages on three links", sent)
	}
	for _, n := range net.nodes {
		if n.table.trails > 2*mostTrail {
			t.Errorf("%d steps are kept", n.table.trails)
		}
	}
}

// rooms returns the announcements and leaves that p was sent, as "label of the home, members, shaky", and
// forgets all messages.
func (r *tableRig) rooms(p *rigHome) (list []string) {
	for _, m := range r.outbox {
		if m.to != p.id {
			continue
		}
		switch m.kind {
		case wire.UrgentFederationRoom:
			room, err := wire.Parse[wire.FederationRoom](m.body)
			if err != nil {
				r.t.Fatal(err)
			}
			said := fmt.Sprintf("%s %d", room.Record.Room, room.Record.Members)
			if isShaky(&room) {
				said += " shaky"
			}
			list = append(list, said)
		case wire.UrgentFederationLeave:
			list = append(list, "leave")
		}
	}
	r.outbox = nil
	return list
}

func (r *tableRig) wantRooms(when string, p *rigHome, want ...string) {
	r.t.Helper()
	if got := r.rooms(p); !slices.Equal(got, want) {
		r.t.Errorf("%s: %q were sent, want %q", when, got, want)
	}
}

// TestOneAtATime says what a peer that does not acknowledge is told, and what it is told when it does.
func TestOneAtATime(t *testing.T) {
	r := newTableRig(t, defaultLimits())
	self := &rigHome{rig: r, identity: r.identity, id: r.id}
	home, near, p := r.home(1), r.home(2).up(), r.home(3).up()
	say := func(n int) *wire.FederationRoom {
		entries := home.entries("ops", n)
		return r.announce(home.record("ops", entries), entries, near, home)
	}
	r.silent = true
	ack := func() { r.silent = false; r.ack(); r.silent = true }
	near.says(say(1))
	near.says(say(2))
	near.says(say(3))
	r.wantRooms("at first", p, "ops 1")
	ack()
	r.wantRooms("then", p, "ops 3")
	near.says(say(2))
	near.says(r.leaves(home, "ops"))
	r.wait(2 * time.Second)
	near.says(say(1))
	ack()
	r.wantRooms("gone and back", p, "ops 2", "ops 1")
	near.says(say(2))
	near.says(r.leaves(home, "ops"))
	r.wait(2 * time.Second)
	ack()
	r.wantRooms("gone", p, "ops 2", "leave")

	// Our own part ends, and its end is signed.
	own := func(n int) { r.table.local("ops", self.entries("ops", n), r.net.now) }
	own(1)
	own(2)
	own(0)
	ack()
	r.wantRooms("ended", p, "ops 1", "ops 0")
	own(1)
	own(0)
	own(2)
	ack()
	r.wantRooms("ended and back", p, "ops 1", "ops 2")

	// Who asks for everything is told once more, and who comes back knows nothing.
	own(3)
	r.wait(2 * time.Second)
	p.says(&wire.FederationFetch{})
	own(4)
	ack()
	r.wantRooms("asked", p, "ops 3", "ops 4")
	own(1)
	own(2)
	r.table.down(p.id, r.net.now)
	p.up()
	r.receipts = nil
	r.wantRooms("a new link", p, "ops 1", "ops 2")
	if o := r.table.peers[p.id].outgoing; o.underWay != 1 {
		t.Errorf("%d messages are under way", o.underWay)
	}
	r.table.acked(r.home(9).id, Receipt{}, r.net.now)
}

// TestWantsOneAtATime says that what a peer changes its mind about, another one is asked for once for each
// acknowledgement.
func TestWantsOneAtATime(t *testing.T) {
	r := newTableRig(t, defaultLimits())
	home, near, p := r.home(1), r.home(2).up(), r.home(3).up()
	entries := home.entries("ops", 1)
	near.says(r.announce(home.record("ops", entries), entries, near, home))
	r.silent, r.outbox = true, nil
	for range 100 {
		p.says(r.wanting(home.id, "ops", true))
		p.says(r.wanting(home.id, "ops", false))
	}
	r.wantAsked(near, true, 1)
	r.silent = false
	r.wantAsked(near, false, 2)
	r.silent = true
	p.says(r.wanting(home.id, "ops", true))
	near.says(r.leaves(home, "ops"))
	r.silent = false
	r.wantAsked(near, false, 4)
}

// TestTurns says that a peer with very much to say, which another one does not take, neither fills what is
// under way nor holds up others.
func TestTurns(t *testing.T) {
	r := newTableRig(t, defaultLimits())
	self := &rigHome{rig: r, identity: r.identity, id: r.id}
	busy, p := r.home(2).up(), r.home(3).up()
	r.silent = true
	for i := range 300 {
		home := r.home(10 + i)
		entries := home.entries("ops", 1)
		busy.says(r.announce(home.record("ops", entries), entries, busy, home))
	}
	if n := len(r.rooms(p)); n != mostTold {
		t.Errorf("%d messages are under way", n)
	}
	r.table.local("mine", self.entries("mine", 1), r.net.now)
	r.wantRooms("at first", p)
	r.table.acked(p.id, r.receipts[0].of, r.net.now)
	r.table.acked(p.id, r.receipts[1].of, r.net.now)
	r.wantRooms("the next two", p, "ops 1", "mine 1")
	r.receipts = r.receipts[2:]
	r.silent = false
	if n := len(r.rooms(p)) + r.took(p.id, wire.UrgentFederationRoom); n != 300-mostTold-1 {
		t.Errorf("%d more were told", n)
	}
}

// TestDamping says that a route that is gone and back all the time is not told of as often.
func TestDamping(t *testing.T) {
	r := newTableRig(t, defaultLimits())
	home, p := r.home(1).up(), r.home(3).up()
	entries := home.entries("ops", 1)
	record := home.record("ops", entries)
	home.says(r.announce(record, entries, home))
	r.outbox = nil
	const seconds = 30
	for range seconds * 4 {
		r.table.suspect(home.id, true, r.net.now)
		r.wait(125 * time.Millisecond)
		r.table.suspect(home.id, false, r.net.now)
		r.wait(125 * time.Millisecond)
	}
	shaky := 0
	for _, said := range r.rooms(p) {
		if said == "ops 1 shaky" {
			shaky++
		}
	}
	if shaky < dampBurst || shaky > dampBurst+seconds/2 {
		t.Errorf("in %d s it was told of a shaky route %d times", seconds, shaky)
	}

	// Who is gone while that is held back is told in the end, and who joins is told at once.
	more := slices.Concat(entries, home.entries("ops", 1))
	r.table.suspect(home.id, true, r.net.now)
	r.outbox = nil
	home.says(r.announce(home.record("ops", more), more, home))
	if got := r.rooms(p); len(got) == 0 || !slices.Contains(got, "ops 2") {
		t.Errorf("of a member who joins while bad news are held back it was told %q", got)
	}
	r.table.down(home.id, r.net.now)
	r.wait(time.Minute)
	if got := r.rooms(p); len(got) == 0 || got[len(got)-1] != "leave" {
		t.Errorf("of the end it was told %q", got)
	}
	r.wait(2 * time.Minute)
	if q := r.table.peers[p.id]; len(q.outgoing.held) > 0 || !q.outgoing.nextHeld.IsZero() {
		t.Error("something is held back for ever")
	}
}
