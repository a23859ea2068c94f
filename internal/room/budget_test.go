package room

import (
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/wire"
)

// TestCrowdsAreLeftOutFirst has a crowd of one address listen to everybody, and talk as much as it may, at a
// relay that cannot send all of that. Two people at other addresses, who talk, hear each other all the time.
func TestCrowdsAreLeftOutFirst(t *testing.T) {
	h := &house{t: t, rooms: NewRooms(Limits{Rooms: 100, Members: 4000, SendRate: 20_000, MemberRate: 32_000,
		RoomRate: 250_000})}
	a, b := h.joinFrom("r", address(1)), h.joinFrom("r", address(2))
	crowd := make([]*guest, 500)
	for i := range crowd {
		crowd[i] = h.joinFrom("r", address(3))
	}
	say := func(g *guest, at time.Duration, ctr int) bool {
		m := media(uint64(ctr))
		m.Ciphertext = make([]byte, 70)
		st := g.bind(t, 0, 0, epoch)
		group := budget.Group{ID: uint64(g.origin.Load().Wide.Block.Addr().As4()[3])}
		why, to := st.Admit(budget.Source{Group: group, Member: g.number}, m, at)
		if why == drops.None {
			st.Forward(to, m, nil, scratch(), scratch(), nil)
		}
		return why == drops.None
	}
	for tick := range 500 { // of 20 ms
		at := time.Duration(tick) * 20 * time.Millisecond
		for i := range 20 {
			say(crowd[i], at, 2*tick)
			say(crowd[i], at, 2*tick+1)
		}
		for _, g := range []*guest{a, b} {
			if !say(g, at, tick) {
				t.Fatalf("%v: frame %d of %v is dropped", at, tick, g.ID)
			}
		}
	}
	if n := a.ears.media.Load(); n < 500 {
		t.Errorf("one heard %d of 500 frames of the other", n)
	}
	d := h.rooms.Drops
	if d.Count(drops.Crowd) == 0 || d.Count(drops.SendRate) == 0 {
		t.Errorf("%d packets were left out, %d frames dropped", d.Count(drops.Crowd), d.Count(drops.SendRate))
	}
	sent := int64(0)
	for _, g := range slices.Concat(crowd, []*guest{a, b}) {
		sent += g.ears.media.Load()
	}
	if most := int64(20_000 * 12); sent > most {
		t.Errorf("%d packets were sent in 10 s, want %d at most", sent, most)
	}
}

// TestFew wants the first 64 of an address to be none of a crowd, and the next ones to follow when they
// leave.
func TestFew(t *testing.T) {
	h := newHouse(t)
	list := make([]*guest, fewOfGroup+2)
	for i := range list {
		list[i] = h.joinFrom("r", address(1))
	}
	room := list[0].room
	want := func(n int, crowd ...*guest) {
		t.Helper()
		if got := room.members.Load().sizes[Few]; got != n {
			t.Errorf("%d are none of a crowd, want %d", got, n)
		}
		for _, g := range crowd {
			if !g.crowd {
				t.Errorf("%v is none of the crowd", g.ID)
			}
		}
	}
	want(fewOfGroup, list[fewOfGroup], list[fewOfGroup+1])
	list[7].Leave(epoch)
	want(fewOfGroup, list[fewOfGroup+1])
	h.joinFrom("r", address(2))
	want(fewOfGroup + 1)
	list[fewOfGroup+1].Leave(epoch)
	list[0].Leave(epoch)
	want(fewOfGroup)
	if n := room.members.Load().sizes[Everybody]; n != fewOfGroup {
		t.Errorf("%d are left", n)
	}
}

// TestCrowdsAreHiddenFromPeers wants other relays to hear of all members but those of a crowd that is too
// large.
func TestCrowdsAreHiddenFromPeers(t *testing.T) {
	h := newHouse(t)
	trunk := new(rail)
	h.rooms.SetTrunks("r", wire.RelayID{}, []Trunk{trunk})
	first := h.joinFrom("r", address(1))
	var crowd []*guest
	for range 600 {
		crowd = append(crowd, h.joinFrom("r", address(2)))
	}
	last := h.joinFrom("r", address(3))
	list := h.rooms.Shown("r")
	if len(list) != maxCrowdAway || !slices.Contains(list, first.Member) ||
		!slices.Contains(list, last.Member) {
		t.Errorf("%d are shown", len(list))
	}
	for i, g := range crowd {
		if shown := slices.Contains(list, g.Member); shown != (i < maxCrowdAway-2) {
			t.Fatalf("number %d of the crowd is shown: %v", i, shown)
		}
	}
	if _, trunks := crowd[599].bind(t, 0, 0, epoch).Forward(Everybody, media(1), nil, scratch(), scratch(),
		nil); trunks != 0 {
		t.Error("one who is hidden is sent on")
	}
	if _, trunks := last.bind(t, 0, 0, epoch).Forward(Everybody, media(1), nil, scratch(), scratch(),
		nil); trunks != 1 {
		t.Error("who is no crowd is not sent on")
	}
	for _, g := range crowd[:200] {
		g.Leave(epoch)
	}
	if n := len(h.rooms.Shown("r")); n != 402 {
		t.Errorf("%d are shown", n)
	}
	if _, trunks := crowd[599].bind(t, 0, 0, epoch).Forward(Everybody, media(1), nil, scratch(), scratch(),
		nil); trunks != 1 {
		t.Error("who is shown again is not sent on")
	}
}

// BenchmarkAdmit is what the budgets cost a frame that is within them.
func BenchmarkAdmit(b *testing.B) {
	h := newHouse(b)
	talker := h.joinMany("r", 200)[0]
	st := talker.bind(b, 0, 0, epoch)
	m, at := &wire.Media{Ciphertext: make([]byte, 70)}, time.Duration(0)
	b.ReportAllocs()
	for b.Loop() {
		at += 20 * time.Millisecond
		if why, _ := st.Admit(budget.Source{Member: talker.number}, m, at); why != drops.None {
			b.Fatal(why)
		}
	}
}
