package room

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wzp-voice/wzp/internal/wire"
)

// TestConcurrentRemote has links come and go, with their members, trunks and keys, while a local talker and a
// remote one talk: for the race detector. Who stays must get every frame and every key once.
func TestConcurrentRemote(t *testing.T) {
	h := newHouse(t)
	local, listener := h.join("r"), h.join("r")
	far := h.joinRemote("r", homeC)
	stays := new(deafRail)
	h.rooms.SetTrunks("r", wire.RelayID{}, []Trunk{stays})
	const rounds = 200
	var wg sync.WaitGroup
	var entries, frames, keys, talking atomic.Int64
	entries.Store(1000)
	for _, talker := range []*guest{local, far} {
		talking.Add(1)
		st := talker.bind(t, 0, 0, epoch)
		wg.Go(func() {
			defer talking.Add(-1)
			for i := range rounds * 4 {
				n, _ := st.Forward(Everybody, media(uint64(i)), nil, scratch(), scratch(), nil)
				frames.Add(int64(n))
			}
		})
	}
	talking.Add(1)
	wg.Go(func() {
		defer talking.Add(-1)
		for i := range uint32(rounds) {
			done := func() { keys.Add(1) }
			for range 2 {
				if !far.PassKey(keyMessage(far, i+1, listener), listener.ID, done, seconds(float64(i))) {
					t.Error("not taken")
				}
			}
			local.announce(i+1, 1, float64(i))
			local.wrapFor(i+1, float64(i), far)
		}
	})
	for range 3 {
		wg.Go(func() { // a link and who is behind it
			trunk := new(rail)
			for i := 0; talking.Load() > 0; i++ {
				now := seconds(float64(i))
				ears := new(receiver)
				m, _, err := h.rooms.JoinRemote("r", entry(int(entries.Add(1))), direct(homeB), ears, epoch)
				if err != nil {
					t.Error(err)
					return
				}
				h.rooms.SetTrunks("r", wire.RelayID{}, []Trunk{trunk, stays})
				h.rooms.SetTrunks("r", homeB, []Trunk{trunk, stays})
				// Time must not pass fast here: far's stream would be taken for one that was silent for long.
				if own := m.Bind(wire.MakeKID(m.ID, 0, 0), seconds(float64(i)/10_000)); own != nil {
					own.Forward(Everybody, media(uint64(i)), nil, scratch(), scratch(), trunk)
				}
				g := &guest{m, ears}
				g.pass(uint32(i), listener, float64(i))
				local.KeyWantedBy(wire.AppendKeysWanted(nil, m.ID, far.ID), now)
				local.KeyReceived(uint32(i), m.ID)
				h.rooms.Find("r", m.ID)
				h.rooms.Local("r")
				m.Flush(now)
				h.rooms.SetTrunks("r", homeB, nil)
				m.Leave(now)
			}
		})
	}
	wg.Go(func() {
		for i := 0; talking.Load() > 0; i++ {
			listener.asks(float64(i), far, local)
			h.rooms.Flush(seconds(float64(i)))
			listener.ears.ack(true)
			local.KeyReceived(uint32(i), far.ID)
			h.rooms.Stats()
		}
	})
	wg.Wait()
	listener.ears.ack(true)
	if got, want := stays.frames.Load(), uint64(rounds*4); got < want {
		t.Errorf("the trunk that stays got %d of %d frames", got, want)
	}
	if got := frames.Load(); got != rounds*4*3 {
		t.Errorf("local members got %d frames", got)
	}
	if got := keys.Load(); got < rounds || got > 2*rounds { // a repeat says so if it comes after that
		t.Errorf("%d keys were acknowledged, want %d", got, rounds)
	}
	came := make(map[string]int)
	for _, word := range listener.ears.told(t) {
		came[word]++
	}
	for n := range uint32(rounds) {
		if got := came[keyOf(far, n+1)]; got != 1 {
			t.Fatalf("key %d came %d times", n+1, got)
		}
	}
	far.Leave(epoch)
	if s := h.rooms.Stats(); s.Rooms != 1 || s.Members != 2 || s.RemoteMembers != 0 {
		t.Errorf("in the end: %+v", s)
	}
	if len(local.room.trunks) != 1 {
		t.Errorf("%d homes have trunks in the end", len(local.room.trunks))
	}
}

// BenchmarkLink1000 is what comes of a link with 1,000 members behind it that goes and comes back, in a room
// of 1,000 others.
func BenchmarkLink1000(b *testing.B) {
	rooms := NewRooms(Limits{Rooms: 1, Members: 2000, MemberRate: 32_000, RoomRate: 250_000})
	for i := range 1000 {
		if _, err := rooms.Join("r", entry(i), Origin{}, new(deaf), epoch); err != nil {
			b.Fatal(err)
		}
	}
	behind := make([]*Member, 1000)
	for b.Loop() {
		for i := range behind {
			m, _, err := rooms.JoinRemote("r", entry(1000+i), direct(homeB), new(deaf), epoch)
			if err != nil {
				b.Fatal(err)
			}
			behind[i] = m
		}
		for _, m := range behind {
			m.Leave(epoch)
		}
		rooms.Flush(epoch)
	}
}
