package room

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/wire"
)

// tryFrom has a new member join, if there is a place.
func (h *house) tryFrom(name string, from Origin) (m, displaced *Member, err error) {
	h.count++
	return h.rooms.join(name, entry(h.count), from, new(deaf), epoch)
}

// shortages returns those that were told.
func (h *house) shortages() (list []Shortage) {
	for {
		select {
		case s := <-h.rooms.Shortages:
			list = append(list, s)
		default:
			return list
		}
	}
}

// fill has members from somewhere join until there is no place for them, and returns how many have.
func (h *house) fill(from Origin, want error) (n int) {
	h.t.Helper()
	for {
		if _, _, err := h.tryFrom("r", from); err != nil {
			if !errors.Is(err, want) {
				h.t.Errorf("after %d members: %v, want %v", n, err, want)
			}
			return n
		}
		n++
	}
}

// TestNoAddressFillsARoom wants one address to have half of the places when nobody else is there, more of
// them to leave enough for others, and those to have all that are left.
func TestNoAddressFillsARoom(t *testing.T) {
	h := newHouse(t)
	h.rooms.limits.Members = 2000
	if n := h.fill(address(1), ErrCrowded); n != 1000 {
		t.Errorf("one address has %d of 2000 places", n)
	}
	short := h.shortages()
	if len(short) != 1 || short[0].What != ShortPlaces || short[0].Group != address(1).Wide ||
		short[0].Holds != 1000 {
		t.Errorf("said: %+v", short)
	}
	for n := range 19 {
		h.fill(address(2+n), ErrCrowded)
	}
	left := 2000 - len(h.rooms.rooms["r"].members.Load().local)
	if left < 2000/2/20 {
		t.Errorf("20 addresses leave %d places", left)
	}
	for n := range left {
		if _, _, err := h.tryFrom("r", address(1000+n)); err != nil {
			t.Fatalf("of %d places the %dth is refused: %v", left, n, err)
		}
	}
	if _, _, err := h.tryFrom("r", address(5000)); !errors.Is(err, ErrRoomFull) {
		t.Errorf("beyond the last place: %v", err)
	}
}

// TestOneCustomersAddresses takes an IPv6 /48 for one customer, and an address in it for one person.
func TestOneCustomersAddresses(t *testing.T) {
	h := newHouse(t)
	h.rooms.limits.Members = 100
	customer := func(net, block byte) Origin {
		addr := netip.AddrFrom16([16]byte{0: 0x20, 1: 1, 5: net, 7: block})
		wide, _ := addr.Prefix(48)
		narrow, _ := addr.Prefix(64)
		return FromAddress(wide, narrow)
	}
	n := 0
	for block := range byte(100) {
		if _, _, err := h.tryFrom("r", customer(1, block)); err == nil {
			n++
		}
	}
	if n != 50 {
		t.Errorf("one customer has %d of 100 places", n)
	}
	if _, _, err := h.tryFrom("r", customer(2, 0)); err != nil {
		t.Errorf("another: %v", err)
	}
}

// TestPlacesOfAnAddress wants the operator's number to be what counts, and a place that is left to be had
// again.
func TestPlacesOfAnAddress(t *testing.T) {
	h := newHouse(t)
	h.rooms.limits = Limits{Rooms: 10, Members: 10, PerAddress: 10}
	if n := h.fill(address(1), ErrRoomFull); n != 10 {
		t.Errorf("%d members", n)
	}
	h = newHouse(t)
	h.rooms.limits = Limits{Rooms: 10, Members: 10, PerAddress: 2}
	first, _, _ := h.tryFrom("r", address(1))
	h.fill(address(1), ErrCrowded)
	if _, _, err := h.tryFrom("s", address(1)); err != nil {
		t.Errorf("into another room: %v", err)
	}
	first.Leave(epoch)
	if _, _, err := h.tryFrom("r", address(1)); err != nil {
		t.Errorf("in the place of one who left: %v", err)
	}
	if n := h.rooms.Drops.Count(drops.AddressPlaces); n != 1 {
		t.Errorf("%d refused", n)
	}
}

// TestRemotePlacesMakeWay has a peer fill a room with members of homes that it made up. Those of another peer
// find places, as many as are its share, and who made way is who came last of the peer that has most.
func TestRemotePlacesMakeWay(t *testing.T) {
	h := newHouse(t)
	h.rooms.limits.Members = 2000
	a := h.joinFrom("r", address(1))
	rogue := wire.RelayID{66}
	invented := func(n byte) Origin { return FromPeer(wire.RelayID{66, n}, rogue, wire.RelayID{66, n}) }
	for range 1000 {
		h.tryFrom("r", invented(1))
	}
	if n := h.fill(invented(2), ErrRoomFull); n != 1000 {
		t.Errorf("%d members of the second home", n)
	}
	h.rooms.Flush(epoch)
	a.ears.quiet(t)
	m, displaced, err := h.tryFrom("r", direct(homeB))
	if err != nil || displaced == nil || displaced.origin.Load().Wide.Relay != rogue ||
		displaced.turn != 2001 {
		t.Fatalf("%v made way, %v", displaced, err)
	}
	h.rooms.Flush(seconds(1))
	a.wantTold(t, "who came and who went", plus(&guest{Member: m}), minus(&guest{Member: displaced}))
	if h.rooms.Find("r", displaced.ID) != nil || displaced.Bind(wire.MakeKID(displaced.ID, 0, 0),
		epoch) != nil || displaced.Leave(epoch) {
		t.Error("who made way is there")
	}
	for n := range 999 {
		if _, displaced, err := h.tryFrom("r", direct(homeB)); err != nil || displaced == nil ||
			displaced.home[0] != 66 {
			t.Fatalf("member %d: %v, %v made way", n, err, displaced)
		}
	}
	if _, displaced, err := h.tryFrom("r", direct(homeB)); !errors.Is(err, ErrRoomFull) || displaced != nil {
		t.Errorf("beyond the share: %v, %v made way", err, displaced)
	}
	if _, displaced, err := h.tryFrom("r", invented(3)); err != nil || displaced == nil ||
		displaced.home[0] != 66 {
		t.Errorf("a new home of the first peer: %v, %v made way", err, displaced)
	}
	d := h.rooms.Drops
	if s := h.rooms.Stats(); s.RemoteMembers != 2000 || d.Count(drops.PeerPlaceTaken) != 1001 ||
		d.Count(drops.PeerPlaces) != 2 {
		t.Errorf("%+v, %s", s, d)
	}
	short := h.shortages()
	if len(short) != 1 || short[0].What != ShortRemotePlaces || short[0].Group != (Group{Relay: rogue}) {
		t.Errorf("said: %+v", short)
	}
}

// TestRemoteMembersMove wants members to count for the link that they come by now.
func TestRemoteMembersMove(t *testing.T) {
	h := newHouse(t)
	h.rooms.limits.Members = 4
	var moved []*Member
	for range 4 {
		m, _, err := h.tryFrom("r", FromPeer(homeC, homeB, homeC))
		if err != nil {
			t.Fatal(err)
		}
		moved = append(moved, m)
	}
	for _, m := range moved {
		m.Move(direct(homeC))
		m.Move(direct(homeB)) // of another home: nobody moves to another relay
	}
	for range 2 {
		if _, displaced, err := h.tryFrom("r", direct(homeB)); err != nil || displaced == nil {
			t.Errorf("%v, %v", displaced, err)
		}
	}
	if n := h.rooms.rooms["r"].places[1].Held([]Group{{Relay: homeC}}); n != 2 {
		t.Errorf("%d places are counted", n)
	}
	for _, m := range moved {
		m.Leave(epoch)
		m.Move(FromPeer(homeC, homeB, homeC))
	}
	if n := h.rooms.rooms["r"].places[1].Total(); n != 2 {
		t.Errorf("%d places are counted in the end", n)
	}
}
