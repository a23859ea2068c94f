package routing

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

func TestForgedRecords(t *testing.T) {
	r := newTableRig(t, defaultLimits())
	home, peer := r.home(1), r.home(2).up()
	entries := home.entries("ops", 2)
	good := home.record("ops", entries)
	for name, change := range map[string]func(*wire.RoomRecord){
		"signature": func(x *wire.RoomRecord) { x.Signature = bytes.Clone(x.Signature); x.Signature[5] ^= 1 },
		"members":   func(x *wire.RoomRecord) { x.Members++ },
		"digest":    func(x *wire.RoomRecord) { x.Digest[3] ^= 1 },
		"version":   func(x *wire.RoomRecord) { x.Sequence++ },
		"boot":      func(x *wire.RoomRecord) { x.Boot++ },
		"room":      func(x *wire.RoomRecord) { x.Room = "crew" },
	} {
		record := good
		change(&record)
		peer.says(r.announce(record, entries, peer, home))
		if len(r.table.parts) > 0 || len(r.views) > 0 {
			t.Errorf("%s: a forged record was taken", name)
		}
		r.wantProblem(problemForged)
	}
	peer.says(r.announce(good, entries, peer, home))
	r.wantProblem()
	r.wantView(home, "ops", 2)

	altered := good
	altered.Members = 1
	peer.says(r.announce(altered, entries[:1], peer, home))
	r.wantProblem(problemForged)
	other := good
	list, _ := sortMembers(entries[:1])
	other.Members, other.Digest = 1, digestOf(list)
	other.Sign(home.identity)
	peer.says(r.announce(other, entries[:1], peer, home))
	r.wantProblem(problemForged)
	r.wantView(home, "ops", 2)
}

func TestWrongPaths(t *testing.T) {
	r := newTableRig(t, defaultLimits())
	self := &rigHome{rig: r, identity: r.identity, id: r.id}
	home, peer, third := r.home(1), r.home(2).up(), r.home(3)
	entries := home.entries("ops", 1)
	record := home.record("ops", entries)
	for name, path := range map[string][]*rigHome{
		"not the peer first": {third, home},
		"not the home last":  {peer, third},
		"the peer alone":     {peer},
		"ourselves":          {peer, self, home},
		"twice":              {peer, third, third, home},
		"the peer twice":     {peer, third, peer, home},
	} {
		peer.says(r.announce(record, entries, path...))
		if len(r.table.parts) > 0 || r.table.verified > 0 {
			t.Errorf("%s: the path was taken, or a signature checked for it", name)
		}
		r.wantProblem(problemPath)
	}
	peer.says(r.announce(self.record("ops", entries), entries, peer, self))
	r.wantProblem(problemPath)
	peer.says(r.announce(home.record("private", nil), nil, peer, home))
	r.wantProblem()
	if !slices.Equal(r.unshared, []string{"private"}) {
		t.Errorf("the rooms that are not global are %q", r.unshared)
	}
	if r.table.verified > 0 {
		t.Error("a signature was checked for nothing")
	}
}

func TestReplays(t *testing.T) {
	r := newTableRig(t, defaultLimits())
	home, peer, other := r.home(1), r.home(2).up(), r.home(3).up()
	entries := home.entries("ops", 3)
	first := home.record("ops", entries)
	peer.says(r.announce(first, entries, peer, home))
	second := home.record("ops", entries[1:])
	peer.says(r.announce(second, entries[1:], peer, home))
	r.wantView(home, "ops", 2)
	r.wantProblem()

	// The peer takes back what it said.
	peer.says(r.announce(first, entries, peer, home))
	r.wantProblem(problemReplay)
	// Another one is late, then far too late.
	other.says(r.announce(first, entries, other, home))
	r.wantProblem()
	r.wait(lateFor + time.Second)
	other.says(r.announce(first, entries, other, home))
	r.wantProblem(problemReplay)
	r.wantView(home, "ops", 2)

	// The same when the room is gone.
	peer.says(r.leaves(home, "ops"))
	r.wait(lingerFor)
	r.wantView(home, "ops", 0)
	if len(r.table.parts) > 0 {
		t.Fatal("the part is still there")
	}
	other.says(r.announce(first, entries, other, home))
	r.wantProblem()
	r.wait(lateFor + time.Second)
	other.says(r.announce(first, entries, other, home))
	r.wantProblem(problemReplay)
	r.wantView(home, "ops", 0)

	// What is not older comes back; the end of it does not.
	other.says(r.announce(second, entries[1:], other, home))
	r.wantView(home, "ops", 2)
	other.says(r.announce(home.record("ops", nil), nil, other, home))
	r.wantView(home, "ops", 0)
	r.wait(lateFor + time.Second)
	other.says(r.announce(second, entries[1:], other, home))
	r.wantProblem(problemReplay)
	// Nor does anything of an earlier boot, of whatever room.
	old := home.record("crew", home.entries("crew", 1))
	home.boot, home.sequence = 2, 0
	other.says(r.announce(home.record("ops", entries), entries, other, home))
	r.wantView(home, "ops", 3)
	other.says(r.announce(old, nil, other, home))
	r.wantProblem(problemReplay)
}

func TestWrongEntries(t *testing.T) {
	r := newTableRig(t, defaultLimits())
	home, peer := r.home(1), r.home(2).up()
	entries := home.entries("ops", 3)
	record := home.record("ops", entries)
	// Somebody on the way swaps an entry for another one.
	swapped := append(home.entries("ops", 1), entries[1:]...)
	peer.says(r.announce(record, swapped, peer, home))
	r.wantProblem(problemContent)
	r.wantView(home, "ops", 0)
	if r.took(peer.id, wire.UrgentFederationFetch) != 1 {
		t.Error("the list was not asked for")
	}
	for _, piece := range peer.pieces(record, swapped, 2) {
		peer.says(piece)
	}
	r.wantProblem(problemContent)
	r.wait(time.Second)
	if r.took(peer.id, wire.UrgentFederationFetch) != 1 {
		t.Error("the list was not asked for again")
	}
	for _, piece := range peer.pieces(record, entries, 2) {
		peer.says(piece)
	}
	r.wantProblem()
	r.wantView(home, "ops", 3)

	// The home itself signs what is not its own, and what is nobody's.
	stranger := r.home(7)
	forged := bytes.Clone(entries[0])
	forged[100] ^= 1
	for _, bad := range [][]byte{stranger.entries("ops", 1)[0], home.entries("crew", 1)[0], forged} {
		list := [][]byte{bad}
		peer.says(r.announce(home.record("ops", list), list, peer, home))
		r.wantProblem(problemContent)
		r.wait(time.Minute)
		if r.took(peer.id, wire.UrgentFederationFetch) != 0 {
			t.Error("a list that cannot be taken was asked for")
		}
		r.wantView(home, "ops", 0)
		peer.says(r.announce(record, entries, peer, home)) // nor does what was before come back
		r.wantProblem(problemReplay)
		r.wantView(home, "ops", 0)
		peer.says(r.announce(home.record("ops", entries[:2]), entries[:2], peer, home))
		r.wantView(home, "ops", 2)
	}
}

func TestUnaskedParticipants(t *testing.T) {
	r := newTableRig(t, defaultLimits())
	home, peer, other := r.home(1), r.home(2).up(), r.home(3).up()
	entries := home.entries("ops", 3)
	record := home.record("ops", entries)
	pieces := peer.pieces(record, entries, 2)
	peer.says(pieces[0])
	r.wantProblem(problemUnasked)
	peer.says(r.announce(record, nil, peer, home))
	other.says(pieces[0])
	r.wantProblem(problemUnasked)
	if r.table.assembling > 0 {
		t.Error("the piece is kept")
	}
	peer.says(pieces[1])
	peer.says(pieces[0])
	r.wantProblem()
	r.wantView(home, "ops", 3)
	peer.says(pieces[0]) // too late, but asked for
	r.wantProblem()
}

// TestMillionRooms says that a peer that announces rooms without end, or wants them, costs neither memory nor
// signatures.
func TestMillionRooms(t *testing.T) {
	limits := defaultLimits()
	limits.parts = 20
	r := newTableRig(t, limits)
	flood, peer, home := r.home(2).up(), r.home(3).up(), r.home(1)
	for i := range 2000 {
		room := fmt.Sprint("room ", i)
		record := wire.RoomRecord{Home: home.identity.Public(), Room: room, Boot: 1,
			Sequence: uint64(i + 1), Members: 1}
		if i < limits.parts {
			record.Sign(home.identity)
		}
		flood.says(r.announce(record, nil, flood, home))
		flood.says(r.leaves(home, fmt.Sprint("gone ", i)))
		flood.says(r.wanting(home.id, fmt.Sprint("wanted ", i), true))
	}
	if len(r.table.parts) > limits.parts || r.table.verified > uint64(limits.parts) {
		t.Errorf("%d parts, %d signatures checked", len(r.table.parts), r.table.verified)
	}
	if n := len(r.table.peers[flood.id].parts); n > 4*limits.parts {
		t.Errorf("%d states of the link are kept", n)
	}
	r.problems = nil
	entries := home.entries("ops", 1)
	peer.says(r.announce(home.record("ops", entries), entries, peer, home))
	r.wantView(home, "ops", 1)
	r.wantProblem()

	// The same, one after the other: what is over is remembered within a limit.
	for i := range 500 {
		room := fmt.Sprint("short ", i)
		entries := home.entries(room, 1)
		peer.says(r.announce(home.record(room, entries), entries, peer, home))
		peer.says(r.announce(home.record(room, nil), nil, peer, home))
		r.wait(time.Second)
	}
	if n := len(r.table.floors.kept); n > 3*limits.parts {
		t.Errorf("%d parts that are over are remembered", n)
	}
	if n := len(r.table.floors.queues[floorOwner{peer: peer.id}]); n > 3*limits.parts {
		t.Errorf("%d parts that are over are queued", n)
	}
	if n := len(r.table.peers[peer.id].parts); n > 4*limits.parts {
		t.Errorf("%d states of the link are kept", n)
	}
	r.wantView(home, "ops", 1)
}

func TestTooManyParticipants(t *testing.T) {
	limits := defaultLimits()
	limits.members, limits.fromPeer, limits.total = 5, 8, 12
	r := newTableRig(t, limits)
	home := r.home(1)
	peers := []*rigHome{r.home(2).up(), r.home(3).up()}
	say := func(peer *rigHome, room string, n int) {
		var joined [][]byte
		entries := home.entries(room, n)
		if n < 3 {
			joined = entries
		}
		record := home.record(room, entries)
		peer.says(r.announce(record, joined, peer, home))
		if r.took(peer.id, wire.UrgentFederationFetch) > 0 {
			for _, piece := range peer.pieces(record, entries, 2) {
				peer.says(piece)
			}
		}
	}
	say(peers[0], "a", 6)
	r.wantProblem(problemLimit)
	say(peers[0], "b", 2)
	say(peers[0], "b", 6)
	r.wantView(home, "b", 0) // those who were there may have left
	r.wantProblem(problemLimit)
	say(peers[0], "b", 5)
	r.wantProblem()
	say(peers[0], "c", 4)
	r.wantProblem(problemLimit)
	say(peers[1], "d", 5)
	r.wantProblem()
	say(peers[1], "e", 3)
	r.wantProblem(problemLimit)
	for room, n := range map[string]int{"a": 0, "b": 5, "c": 0, "d": 5, "e": 0} {
		r.wantView(home, room, n)
	}
	if r.table.members != 10 {
		t.Errorf("%d members are counted", r.table.members)
	}
	// What there was no space for is asked for when there may be some.
	peers[0].says(r.announce(home.record("b", nil), nil, peers[0], home))
	r.outbox = nil
	r.wait(spacePause + time.Second)
	if !slices.ContainsFunc(r.outbox,
		func(m rigMessage) bool { return m.kind == wire.UrgentFederationFetch }) {
		t.Error("what was refused is not asked for again")
	}
}

// TestListsAreBounded says that lists that are begun and never ended take bounded memory.
func TestListsAreBounded(t *testing.T) {
	limits := defaultLimits()
	limits.places, limits.placesTotal = 3000, 5000
	r := newTableRig(t, limits)
	peers := []*rigHome{r.home(2).up(), r.home(3).up(), r.home(4).up()}
	home := r.home(1)
	entry := home.entries("ops", 1)[0]
	for i := range 30 {
		peer, room := peers[i%3], fmt.Sprint("room ", i)
		record := wire.RoomRecord{Room: room, Boot: 1, Sequence: uint64(i + 1), Members: 1800}
		record.Sign(home.identity)
		peer.says(r.announce(record, nil, peer, home))
		peer.says(&wire.FederationMembers{Home: home.id, Room: wire.HashRoom(room), Boot: 1,
			Sequence: uint64(i + 1),
			Total:    1800, Entries: [][]byte{entry}})
		if r.table.assembling > limits.placesTotal {
			t.Fatalf("%d places are held", r.table.assembling)
		}
		for _, p := range peers {
			if q := r.table.peers[p.id]; q.fetches > limits.fetches || q.assembling > limits.places {
				t.Fatalf("%d fetches, %d places of one peer", q.fetches, q.assembling)
			}
		}
	}
	r.problems = nil
	for _, p := range peers {
		r.table.down(p.id, r.net.now)
	}
	r.wait(time.Minute)
	if r.table.assembling != 0 || r.table.pending != 0 || len(r.table.parts) != 0 || len(r.table.due) != 0 {
		t.Errorf("%d places, %d news, %d parts are left", r.table.assembling, r.table.pending,
			len(r.table.parts))
	}
}

func TestMalformed(t *testing.T) {
	r := newTableRig(t, defaultLimits())
	peer := r.home(2).up()
	for kind := wire.UrgentFederationRoom; kind <= wire.UrgentFederationMembers; kind++ {
		if !r.table.receive(peer.id, kind, []byte("what?"), r.net.now) {
			t.Error("what cannot be parsed is to be sent again")
		}
		r.wantProblem(problemMalformed)
	}
	if r.table.receive(r.home(5).id, wire.UrgentFederationFetch, make([]byte, 16), r.net.now) {
		t.Error("a message of a peer that is not up was taken")
	}
}
