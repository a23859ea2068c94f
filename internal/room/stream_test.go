package room

import (
	"net/netip"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/simnet/simtest"
	"github.com/wzp-voice/wzp/internal/wire"
)

// address is the Origin of local members at one of as many addresses as are wanted.
func address(n int) Origin {
	p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), 32)
	return FromAddress(p, p)
}

// joinFrom adds a new member to a room, local or remote.
func (h *house) joinFrom(name string, from Origin) *guest {
	h.t.Helper()
	h.count++
	ears := new(receiver)
	m, _, err := h.rooms.join(name, entry(h.count), from, ears, epoch)
	if err != nil {
		h.t.Fatal(err)
	}
	return &guest{m, ears}
}

// deafFrom is joinFrom for a member that notes nothing.
func (h *house) deafFrom(name string, from Origin) *Member {
	h.t.Helper()
	h.count++
	m, _, err := h.rooms.join(name, entry(h.count), from, new(deaf), epoch)
	if err != nil {
		h.t.Fatal(err)
	}
	return m
}

// crowdStreams has n new members from somewhere make maxStreams streams each, and returns those that they
// got.
func (h *house) crowdStreams(from Origin, n int, at float64) (streams []*Stream) {
	for range n {
		ghost := h.joinFrom("r", from)
		for i := range maxStreams {
			if st := ghost.Bind(wire.MakeKID(ghost.ID, uint8(i), 0), seconds(at)); st != nil {
				streams = append(streams, st)
			}
		}
	}
	return streams
}

// alive returns how many of them are forwarded.
func alive(streams []*Stream) (n int) {
	for _, st := range streams {
		if !st.Dropped() {
			n++
		}
	}
	return n
}

// TestStrangersLeaveAliases has 512 sessions of one address make eight streams each. Who was in the room
// talks on after a change of its key, and so does who comes later.
func TestStrangersLeaveAliases(t *testing.T) {
	h := newHouse(t)
	a := h.joinFrom("r", address(1))
	first := a.bind(t, 0, 0, epoch)
	strangers := h.crowdStreams(address(9), 512, 1)
	if n := alive(strangers); n != wire.MaxAliases-1 {
		t.Errorf("%d streams of strangers", n)
	}
	for change := range uint8(60) { // one a second, of media and of views
		now := seconds(float64(2 + change))
		first.Received(now)
		for i := range strangers {
			strangers[i].Received(now)
		}
		a.bind(t, 0, 1+change, now)
		a.bind(t, 255, 1+change, now)
		if last := a.streams; last[len(last)-1].Dropped() || last[len(last)-2].Dropped() {
			t.Fatal("a stream just made is dropped")
		}
	}
	b := h.joinFrom("r", address(2))
	for i := range maxStreams {
		b.bind(t, uint8(i), 0, seconds(62))
	}
	if n := alive(b.streams); n != maxStreams {
		t.Errorf("%d of %d streams are left", n, maxStreams)
	}
	if n, _ := b.streams[0].Forward(Everybody, media(1), nil, scratch(), scratch(), nil); n != 513 {
		t.Errorf("forwarded to %d", n)
	}
	want := Group{Block: address(9).Wide.Block}
	short := h.shortages()
	if len(short) != 2 || short[0].Group != want || short[0].Room != "r" || short[0].What != ShortAliases ||
		short[0].Holds < 4000 {
		t.Errorf("said in a minute: %+v, want whose address has most", short)
	}
	if d := h.rooms.Drops; d.Count(drops.AliasTaken) == 0 || d.Count(drops.NoAlias) != 0 {
		t.Errorf("counted: %s", d)
	}
}

// TestInventedHomesLeaveAliases has a peer make up three homes. Members of another peer, and local ones, have
// aliases, and each of what is behind that other one.
func TestInventedHomesLeaveAliases(t *testing.T) {
	h := newHouse(t)
	rogue, honest := wire.RelayID{66}, homeB
	for n := range 3 {
		h.crowdStreams(FromPeer(wire.RelayID{66, byte(n)}, rogue, wire.RelayID{66, byte(n)}), 180, 0)
	}
	for _, from := range []Origin{direct(honest), FromPeer(homeC, honest, homeC)} {
		for range 30 {
			g := h.joinFrom("r", from)
			for i := range maxStreams {
				g.bind(t, uint8(i), 0, seconds(1))
			}
			if n := alive(g.streams); n != maxStreams {
				t.Fatalf("%d of %d streams are left", n, maxStreams)
			}
		}
	}
	// a bad one behind the honest peer
	h.crowdStreams(FromPeer(wire.RelayID{5}, honest, wire.RelayID{4}), 500, 1)
	late := h.joinFrom("r", FromPeer(homeC, honest, homeC))
	local := h.joinFrom("r", address(1))
	for i := range maxStreams {
		late.bind(t, uint8(i), 0, seconds(1))
		local.bind(t, uint8(i), 0, seconds(1))
	}
	short := h.shortages()
	if len(short) != 1 || short[0].Group != (Group{Relay: rogue}) {
		t.Errorf("said: %+v, want the peer that has most", short)
	}
}

// TestRestingAliasesCount wants nobody to have more aliases by changing streams fast.
func TestRestingAliasesCount(t *testing.T) {
	h := newHouse(t)
	var ghosts []*guest
	for range 512 {
		ghosts = append(ghosts, h.joinFrom("r", direct(homeB)))
	}
	for epoch := range uint8(bindBurst) {
		for _, g := range ghosts {
			g.Bind(wire.MakeKID(g.ID, 0, epoch), seconds(0))
		}
	}
	for range 100 {
		a := h.joinFrom("r", address(1))
		for i := range maxStreams {
			a.bind(t, uint8(i), 0, epoch)
		}
		if n := alive(a.streams); n != maxStreams {
			t.Fatalf("%d of %d streams are left", n, maxStreams)
		}
	}
}

// TestIdleStreamsGiveWay wants streams that are silent, local ones too, to leave their aliases to others
// before anybody who talks does, and to come back.
func TestIdleStreamsGiveWay(t *testing.T) {
	h := newHouse(t)
	streams := h.crowdStreams(address(7), wire.MaxAliases/2/maxStreams, 0)
	streams = append(streams, h.crowdStreams(direct(homeB), wire.MaxAliases/2/maxStreams, 0)...)
	streams[0].Received(seconds(10))
	other := h.joinFrom("r", address(8))
	other.bind(t, 0, 0, seconds(30))
	if streams[0].Dropped() || alive(streams) != 1 {
		t.Errorf("%d are left, want the one that was heard", alive(streams))
	}
	if n := len(streams[1].member.streams); n != 1 {
		t.Errorf("the member holds %d streams", n)
	}
	back := streams[9]
	if st := back.member.Bind(back.kid, seconds(30)); st == nil || st == back || st.Dropped() {
		t.Error("who was silent cannot talk again")
	}
}

// TestIdleStreamsStay wants streams to keep their aliases while there are others. Low ones travel shortest,
// so remote ones leave theirs to others like them.
func TestIdleStreamsStay(t *testing.T) {
	h := newHouse(t)
	st, far := h.join("r").bind(t, 0, 0, epoch), h.joinFrom("r", direct(homeB)).bind(t, 0, 0, epoch)
	h.join("r").bind(t, 0, 0, seconds(999))
	if st.Dropped() || far.Dropped() {
		t.Error("a silent stream was dropped")
	}
	h.joinFrom("r", direct(homeB)).bind(t, 0, 0, seconds(1000))
	if st.Dropped() || !far.Dropped() {
		t.Error("not the remote stream was dropped")
	}
}

// TestStreamsWhenTheClockIsSet has the wall clock set while streams are silent: that makes them neither idle
// nor busy.
func TestStreamsWhenTheClockIsSet(t *testing.T) {
	for _, test := range []struct {
		silent, set time.Duration
		dropped     bool
	}{
		{5 * time.Second, 24 * time.Hour, false},
		{40 * time.Second, -24 * time.Hour, true},
	} {
		h, start := newHouse(t), time.Now()
		st := h.joinFrom("r", direct(homeB)).bind(t, 0, 0, start)
		h.joinFrom("r", direct(homeB)).bind(t, 0, 0, simtest.WrongClock(t, start.Add(test.silent), test.set))
		if st.Dropped() != test.dropped {
			t.Errorf("silent for %v, the clock set by %v: dropped %v", test.silent, test.set, st.Dropped())
		}
	}
}

// TestMoreTalkersThanAliases has as many talkers as the table is long, all at their own addresses. Another
// one takes what is silent; when nothing is it is refused, and takes nothing from anybody.
func TestMoreTalkersThanAliases(t *testing.T) {
	h := newHouse(t)
	h.rooms.limits.Members = 2 * wire.MaxAliases
	var streams []*Stream
	for n := range wire.MaxAliases {
		m := h.deafFrom("r", address(n))
		streams = append(streams, m.Bind(wire.MakeKID(m.ID, 0, 0), epoch))
	}
	one := h.joinFrom("r", address(70_000))
	if one.Bind(wire.MakeKID(one.ID, 0, 0), seconds(4)) != nil || alive(streams) != wire.MaxAliases {
		t.Error("one who talks has to be silent for another")
	}
	if n := h.rooms.Drops.Count(drops.NoAlias); n != 1 {
		t.Errorf("%d refused", n)
	}
	for i, st := range streams {
		if i != 77 {
			st.Received(seconds(4))
		}
	}
	if st := one.bind(t, 0, 0, seconds(5)); !streams[77].Dropped() || st.alias != 77 ||
		alive(streams) != wire.MaxAliases-1 {
		t.Errorf("alias %d, want that of who was silent", st.alias)
	}
	busy := streams[5].member
	if st := busy.Bind(wire.MakeKID(busy.ID, 0, 1), seconds(5)); st == nil || !streams[5].Dropped() ||
		st.alias != streams[5].alias {
		t.Error("who changes its key gets its own alias again")
	}
}
