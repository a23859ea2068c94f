package room

import (
	"errors"
	"slices"
	"testing"

	"github.com/wzp-voice/wzp/internal/wire"
)

func TestJoinAgain(t *testing.T) {
	h := newHouse(t)
	a := h.join("r")
	again, err := h.rooms.Join("r", a.Entry, Origin{}, a.ears, epoch)
	if err != nil || again != a.Member {
		t.Fatalf("joining again: %p, %v; want %p", again, err, a.Member)
	}
	if n := a.Members(); n != 1 {
		t.Errorf("%d members after joining twice", n)
	}
	if _, err := h.rooms.Join("r", a.Entry, Origin{}, new(receiver), epoch); !errors.Is(err, ErrIDTaken) {
		t.Errorf("another session with the same entry: %v, want ErrIDTaken", err)
	}
	if a.Room() != "r" || a.ID != wire.EntryID(a.Entry) {
		t.Errorf("member %v of room %q", a.ID, a.Room())
	}
}

func TestLimits(t *testing.T) {
	rooms := NewRooms(Limits{Rooms: 2, Members: 2, MemberRate: 32_000, RoomRate: 250_000})
	join := func(name string, n int) error {
		_, err := rooms.Join(name, entry(n), Origin{}, new(receiver), epoch)
		return err
	}
	for _, test := range []struct {
		room string
		n    int
		want error
	}{
		{"a", 1, nil}, {"a", 2, nil}, {"a", 3, ErrRoomFull},
		{"b", 4, nil}, {"c", 5, ErrTooManyRooms}, {"b", 6, nil},
	} {
		if err := join(test.room, test.n); !errors.Is(err, test.want) {
			t.Errorf("member %d into %s: %v, want %v", test.n, test.room, err, test.want)
		}
	}
	if s := rooms.Stats(); s != (Stats{Rooms: 2, Members: 4}) {
		t.Errorf("%+v", s)
	}
}

func TestRoomGoesWithItsLastMember(t *testing.T) {
	h := newHouse(t)
	a, b := h.join("r"), h.join("r")
	a.bind(t, 0, 0, epoch)
	b.bind(t, 0, 0, epoch)
	if s := h.rooms.Stats(); s != (Stats{Rooms: 1, Members: 2, Streams: 2}) {
		t.Errorf("%+v", s)
	}
	if !a.Leave(epoch) || a.Leave(epoch) {
		t.Error("leaving once is told, leaving twice is not")
	}
	if s := h.rooms.Stats(); s != (Stats{Rooms: 1, Members: 1, Streams: 1}) {
		t.Errorf("one left: %+v", s)
	}
	b.Leave(epoch)
	if s := h.rooms.Stats(); s != (Stats{}) {
		t.Errorf("both left: %+v", s)
	}
	c := h.join("r")
	a.Leave(epoch) // of the room that is gone
	if c.Members() != 1 || h.rooms.Stats().Rooms != 1 {
		t.Error("a member of the old room emptied the new one")
	}
	if a.Bind(wire.MakeKID(a.ID, 1, 0), epoch) != nil {
		t.Error("who has left makes a stream")
	}
}

// pages fetches the whole list; between is called after each page.
func pages(t *testing.T, m *Member, between func()) (ids []wire.MemberID) {
	t.Helper()
	var after *wire.MemberID
	for {
		entries, next := m.Page(after)
		if len(entries) > wire.MaxPage {
			t.Fatalf("a page of %d", len(entries))
		}
		for _, e := range entries {
			ids = append(ids, wire.EntryID(e))
		}
		if next == nil {
			return ids
		}
		if len(entries) == 0 || *next != ids[len(ids)-1] {
			t.Fatalf("next is %v after %d entries", next, len(entries))
		}
		after = next
		if between != nil {
			between()
		}
	}
}

func TestPages(t *testing.T) {
	for _, n := range []int{1, 127, 128, 129, 256, 257, 1000} {
		h := newHouse(t)
		list := h.joinMany("r", n)
		ids := pages(t, list[0].Member, nil)
		if len(ids) != n || !slices.IsSortedFunc(ids, wire.MemberID.Compare) {
			t.Errorf("%d members, %d listed", n, len(ids))
		}
	}
	h := newHouse(t)
	list := h.joinMany("r", 3)
	last := wire.MemberID{255, 255, 255, 255, 255, 255}
	if entries, next := list[0].Page(&last); len(entries) != 0 || next != nil {
		t.Errorf("after the last: %d entries, next %v", len(entries), next)
	}
	list[0].Leave(epoch)
	list[1].Leave(epoch)
	list[2].Leave(epoch)
	if entries, next := list[0].Page(nil); len(entries) != 0 || next != nil {
		t.Errorf("empty room: %d entries, next %v", len(entries), next)
	}
}

// TestPagesWhileMembersChange wants whoever stays to be on exactly one page.
func TestPagesWhileMembersChange(t *testing.T) {
	h := newHouse(t)
	list := h.joinMany("r", 600)
	leave := 1
	ids := pages(t, list[0].Member, func() {
		for range 50 {
			list[leave].Leave(epoch)
			leave++
			h.join("r")
		}
	})
	seen := make(map[wire.MemberID]int)
	for _, id := range ids {
		seen[id]++
	}
	for i, g := range list {
		if stays := i == 0 || i >= leave; stays && seen[g.ID] != 1 {
			t.Errorf("member %d, who stays, is listed %d times", i, seen[g.ID])
		}
	}
	for id, n := range seen {
		if n > 1 {
			t.Errorf("%v is listed %d times", id, n)
		}
	}
}
