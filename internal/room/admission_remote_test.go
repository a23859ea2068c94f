package room

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/wire"
)

// homes of the tests' remote members.
var (
	homeB = wire.RelayID{2}
	homeC = wire.RelayID{3}
)

// direct is the Origin of a peer's own members.
func direct(home wire.RelayID) Origin { return FromPeer(home, home, wire.RelayID{}) }

// joinRemote adds a new member of another relay to a room.
func (h *house) joinRemote(name string, home wire.RelayID) *guest {
	h.t.Helper()
	h.count++
	ears := new(receiver)
	m, _, err := h.rooms.JoinRemote(name, entry(h.count), direct(home), ears, epoch)
	if err != nil {
		h.t.Fatal(err)
	}
	return &guest{m, ears}
}

func TestRemoteMembers(t *testing.T) {
	h := newHouse(t)
	a := h.join("r")
	b, c := h.joinRemote("r", homeB), h.joinRemote("r", homeC)
	d := h.join("r")
	if a.Home() != (wire.RelayID{}) || b.Home() != homeB || c.Home() != homeC {
		t.Errorf("homes %v, %v, %v", a.Home(), b.Home(), c.Home())
	}
	if n := a.Members(); n != 4 || b.Members() != 4 {
		t.Errorf("%d members", n)
	}
	if ids := pages(t, a.Member, nil); len(ids) != 4 || !slices.Contains(ids, b.ID) {
		t.Errorf("listed are %v", ids)
	}
	local := []*Member{a.Member, d.Member}
	slices.SortFunc(local, func(m, o *Member) int { return m.ID.Compare(o.ID) })
	if got := h.rooms.Local("r"); !slices.Equal(got, local) {
		t.Errorf("local are %v", got)
	}
	for _, g := range []*guest{a, b, c, d} {
		if h.rooms.Find("r", g.ID) != g.Member || h.rooms.Find("another", g.ID) != nil {
			t.Errorf("%v is not found, or where it is not", g.ID)
		}
	}
	if h.rooms.Find("r", wire.MemberID{1}) != nil || h.rooms.Local("another") != nil {
		t.Error("nobody is found")
	}
	if s := h.rooms.Stats(); s != (Stats{Rooms: 1, Members: 2, RemoteMembers: 2}) {
		t.Errorf("%+v", s)
	}
	if !c.Leave(epoch) || c.Leave(epoch) || h.rooms.Find("r", c.ID) != nil || a.Members() != 3 {
		t.Error("a remote member has not left once")
	}
}

func TestJoinRemoteAgain(t *testing.T) {
	h := newHouse(t)
	a, b := h.join("r"), h.joinRemote("r", homeB)
	again, _, err := h.rooms.JoinRemote("r", b.Entry, direct(homeB), b.ears, epoch)
	if err != nil || again != b.Member {
		t.Errorf("joining again: %p, %v; want %p", again, err, b.Member)
	}
	for _, test := range []struct {
		what string
		home wire.RelayID
		g    *guest
		to   *receiver
		want error
	}{
		{"by another receiver", homeB, b, new(receiver), ErrIDTaken},
		{"from another home", homeC, b, b.ears, ErrIDTaken},
		{"a local one as remote", homeB, a, a.ears, ErrIDTaken},
		{"without home", wire.RelayID{}, b, b.ears, errNoHome},
	} {
		if _, _, err := h.rooms.JoinRemote("r", test.g.Entry, direct(test.home), test.to,
			epoch); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.what, err, test.want)
		}
	}
	if _, err := h.rooms.Join("r", b.Entry, Origin{}, b.ears, epoch); !errors.Is(err, ErrIDTaken) {
		t.Errorf("a remote one as local: %v", err)
	}
	if s := h.rooms.Stats(); s != (Stats{Rooms: 1, Members: 1, RemoteMembers: 1}) {
		t.Errorf("%+v", s)
	}
}

// TestTransitRooms wants a room to be there while it has members of any kind, and limits to hold for each
// kind.
func TestTransitRooms(t *testing.T) {
	rooms := NewRooms(Limits{Rooms: 1, RemoteRooms: 2, Members: 2, MemberRate: 32_000, RoomRate: 250_000})
	var members []*Member
	for n, test := range []struct {
		room string
		home wire.RelayID
		want error
	}{
		{"x", homeB, nil}, {"y", homeB, nil}, {"z", homeB, ErrTooManyRooms}, {"x", homeC, nil},
		{"x", wire.RelayID{}, nil}, {"y", wire.RelayID{}, ErrTooManyRooms},
		{"z", wire.RelayID{}, ErrTooManyRooms},
		{"x", homeC, ErrRoomFull}, {"x", wire.RelayID{}, nil}, {"x", wire.RelayID{}, ErrRoomFull},
	} {
		var m *Member
		var err error
		if test.home == (wire.RelayID{}) {
			m, err = rooms.Join(test.room, entry(n), Origin{}, new(receiver), epoch)
		} else {
			m, _, err = rooms.JoinRemote(test.room, entry(n), direct(test.home), new(receiver), epoch)
		}
		if !errors.Is(err, test.want) {
			t.Errorf("member %d of %v into %s: %v, want %v", n, test.home, test.room, err, test.want)
		}
		if m != nil {
			members = append(members, m)
		}
	}
	want := func(what string, want Stats) {
		t.Helper()
		if s := rooms.Stats(); s != want {
			t.Errorf("%s: %+v, want %+v", what, s, want)
		}
	}
	want("full", Stats{Rooms: 1, Members: 2, TransitRooms: 1, RemoteMembers: 3})
	for _, local := range members[3:] {
		local.Leave(epoch)
	}
	want("local ones left", Stats{TransitRooms: 2, RemoteMembers: 3})
	if rooms.Find("x", members[0].ID) != members[0] {
		t.Error("the room went with its last local member")
	}
	for _, m := range members[:3] {
		m.Leave(epoch)
	}
	want("all left", Stats{})
	if rooms.with != [2]int{} || len(rooms.rooms) != 0 {
		t.Errorf("counted are %d of %d rooms", rooms.with, len(rooms.rooms))
	}
}

func TestRemoteRoomsByDefault(t *testing.T) {
	rooms := NewRooms(Limits{Rooms: 1, Members: 3, MemberRate: 32_000, RoomRate: 250_000})
	if _, _, err := rooms.JoinRemote("x", entry(1), direct(homeB), new(receiver), epoch); err != nil {
		t.Error(err)
	}
	if _, _, err := rooms.JoinRemote("y", entry(2), direct(homeB), new(receiver), epoch); !errors.Is(err,
		ErrTooManyRooms) {
		t.Errorf("a second room: %v", err)
	}
	if _, err := rooms.Join("y", entry(2), Origin{}, new(receiver), epoch); err != nil {
		t.Errorf("a local member's: %v", err)
	}
}

// TestOnlyLocalMembersAreTold wants local members to be told of remote ones as of others, and remote ones
// nothing.
func TestOnlyLocalMembersAreTold(t *testing.T) {
	h := newHouse(t)
	b := h.joinRemote("r", homeB)
	if h.rooms.Flush(epoch) {
		t.Error("in a room without local members something is left to be told")
	}
	a := h.join("r")
	h.rooms.Flush(epoch)
	a.ears.quiet(t)
	c := h.joinRemote("r", homeB)
	h.rooms.Flush(epoch)
	a.wantTold(t, "a remote join", plus(c))
	c.Leave(epoch)
	h.rooms.Flush(epoch)
	a.wantTold(t, "a remote leave", minus(c))
	h.rooms.Flush(seconds(1))
	crowd := make([]*guest, manyChanges+1)
	for i := range crowd {
		crowd[i] = h.joinRemote("r", homeC)
	}
	h.rooms.Flush(seconds(2))
	a.wantTold(t, "many remote joins", "refetch")
	a.MembersWanted(seconds(2))
	if words := a.ears.told(t); len(words) != maxIntroduced {
		t.Errorf("told of %d when it asked", len(words))
	}
	b.MembersWanted(seconds(2))
	b.wantTold(t, "remote")
	a.Leave(seconds(2))
	for _, g := range slices.Concat(crowd, []*guest{b}) {
		h.rooms.Flush(seconds(3))
		g.wantTold(t, "remote")
		g.Leave(seconds(3))
	}
}

// TestBackBetweenFlushes wants of who left and came back only the coming to be told: in no order both would
// have every client fetch the list.
func TestBackBetweenFlushes(t *testing.T) {
	h := newHouse(t)
	a, b := h.join("r"), h.joinRemote("r", homeB)
	h.rooms.Flush(epoch)
	a.ears.quiet(t)
	for range 3 {
		b.Leave(epoch)
		var err error
		if b.Member, _, err = h.rooms.JoinRemote("r", b.Entry, direct(homeB), b.ears, epoch); err != nil {
			t.Fatal(err)
		}
	}
	h.rooms.Flush(seconds(1))
	a.wantTold(t, "back", plus(b))
	b.Leave(seconds(1))
	h.rooms.Flush(seconds(2))
	a.wantTold(t, "gone", minus(b))
}

// TestKeyToRemote wants a local talker's key at a remote recipient without introduction, and KeyReceived to
// count.
func TestKeyToRemote(t *testing.T) {
	h := newHouse(t)
	b, a := h.joinRemote("r", homeB), h.join("r")
	h.rooms.Flush(epoch)
	a.ears.quiet(t)
	if !a.announce(1, 1, 0) || !a.wrapFor(1, 0, b) {
		t.Fatal("not taken")
	}
	b.ears.mu.Lock()
	if k, err := wire.Parse[wire.Key](b.ears.news[0].body); err != nil ||
		!bytes.Equal(k.Wrap, wrap(1, b.ID)) {
		t.Errorf("b got the wrap %x, %v", k.Wrap, err)
	}
	b.ears.mu.Unlock()
	b.wantTold(t, "its home introduces", keyOf(a, 1))
	b.ears.ack(true)
	h.rooms.Flush(seconds(1))
	a.wantTold(t, "the next relay has it")
	a.KeyReceived(2, b.ID)
	a.KeyReceived(1, a.ID)
	a.KeyReceived(1, wire.MemberID{1})
	a.wantTold(t, "other things are said")
	a.KeyReceived(1, b.ID)
	a.wantTold(t, "b has it", "delivered 1")
	a.KeyReceived(1, b.ID)
	a.wantTold(t, "said twice")
	h.wantKeys("in the end", keyStats{Keys: 1, Passed: 1, Delivered: 1, Dropped: 2})
}

// TestKeyReceivedForLocal wants no relay to acknowledge for who is not its member.
func TestKeyReceivedForLocal(t *testing.T) {
	h := newHouse(t)
	list := h.acquainted(2)
	b, a := list[0], list[1]
	a.announce(1, 1, 0)
	a.wrapFor(1, 0, b)
	a.KeyReceived(1, b.ID)
	a.wantTold(t, "b has not acknowledged")
	b.ears.ack(true)
	a.wantTold(t, "b has", "delivered 1")
}

// TestRemoteIsGivenUp goes through the ways in which a remote recipient is not waited for any more.
func TestRemoteIsGivenUp(t *testing.T) {
	for _, test := range []struct {
		name string
		f    func(a, b *guest)
		at   float64
		want bool
	}{
		{"waited for", func(_, b *guest) { b.ears.ack(true) }, 3.9, false},
		{"patience", func(_, b *guest) { b.ears.ack(true) }, 4.1, true},
		{"the link was lost, and another may do", func(_, b *guest) { b.ears.ack(false) }, 1, false},
		{"the link was lost, for long", func(_, b *guest) { b.ears.ack(false) }, 4.1, true},
		{"silent", func(_, b *guest) { b.ears.gone.Store(true) }, 1, true},
		{"left", func(_, b *guest) { b.Leave(epoch) }, 1, true},
		{"has it, though newer keys came", func(a, b *guest) {
			for n := range uint32(maxKeys) {
				a.announce(n+2, 100, 0)
			}
			a.KeyReceived(1, b.ID)
		}, 1, true},
	} {
		h := newHouse(t)
		b, a := h.joinRemote("r", homeB), h.join("r")
		a.announce(1, 1, 0)
		a.wrapFor(1, 0, b)
		test.f(a, b)
		h.rooms.Flush(seconds(test.at))
		if told := slices.Contains(a.ears.told(t), "delivered 1"); told != test.want {
			t.Errorf("%s: delivered %v", test.name, told)
		}
		if h.rooms.Flush(seconds(100)) {
			t.Errorf("%s: something is left for ever", test.name)
		}
	}
}

// TestRemoteTalkersAnnounceNothing wants what only a member's own home takes from it not to be taken
// elsewhere.
func TestRemoteTalkersAnnounceNothing(t *testing.T) {
	h := newHouse(t)
	a, b := h.join("r"), h.joinRemote("r", homeB)
	h.rooms.Flush(epoch)
	a.ears.quiet(t)
	if !b.announce(1, 0, 0) {
		t.Error("it comes again")
	}
	b.wrapFor(1, 0, a)
	a.wantTold(t, "no key")
	b.wantTold(t, "no answer")
	st := a.bind(t, 0, 0, epoch)
	b.AliasAcked(wire.AliasPair{Alias: st.alias, KID: st.kid})
	if b.ears.known != nil {
		t.Error("a remote member's aliases are its trunk's")
	}
}

func TestKeysWantedOfRemoteTalker(t *testing.T) {
	h := newHouse(t)
	b, a, c := h.joinRemote("r", homeB), h.join("r"), h.join("r")
	h.rooms.Flush(epoch)
	a.asks(0, b)
	c.asks(0, b)
	h.rooms.Flush(seconds(0.1))
	b.wantTold(t, "its home introduces those who want", wantedBy(a, c))
}

func TestKeysWantedByRemote(t *testing.T) {
	h := newHouse(t)
	a, local := h.join("r"), h.join("r")
	h.rooms.Flush(epoch)
	b, c, d := h.joinRemote("r", homeB), h.joinRemote("r", homeB), h.joinRemote("r", homeC)
	h.rooms.Soon = func() { t.Log("soon") }
	a.ears.quiet(t)
	ask := func(talker *guest, list ...*guest) {
		var ids []wire.MemberID
		for _, g := range list {
			ids = append(ids, g.ID)
		}
		talker.KeyWantedBy(wire.AppendKeysWanted(nil, ids...), epoch)
	}
	ask(a, b, c, local, a)
	h.rooms.Flush(seconds(0.1))
	a.wantTold(t, "and who those are", plus(b), plus(c), plus(d), wantedBy(b, c))
	ask(d, b)
	b.asks(0, d)
	a.KeyWantedBy([]byte{1}, epoch)
	h.rooms.Flush(seconds(0.2))
	d.wantTold(t, "a remote talker's home is asked by others")
	for range 100 {
		ask(a, b)
	}
	if got := h.rooms.Drops.Count(drops.KeyRate); got < 90 {
		t.Errorf("only %d of 100 requests were too many", got)
	}
}

// TestRemoteIsIntroducedToTalker wants a talker to know who wants its key, though it was not told of the
// joining.
func TestRemoteIsIntroducedToTalker(t *testing.T) {
	h := newHouse(t)
	b := h.joinRemote("r", homeB)
	h.rooms.Flush(epoch)
	a := h.join("r")
	h.rooms.Flush(epoch)
	a.ears.quiet(t)
	a.KeyWantedBy(wire.AppendKeysWanted(nil, b.ID), epoch)
	h.rooms.Flush(seconds(0.1))
	a.wantTold(t, "who was there before", plus(b), wantedBy(b))
}
