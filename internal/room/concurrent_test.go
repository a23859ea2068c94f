package room

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/wire"
)

// deaf is a Receiver that counts, and does nothing that a test could mistake for Forward's own work.
type deaf struct{ frames atomic.Uint64 }

func (d *deaf) SendMedia(*link.Tx, uint16, []byte, []byte) { d.frames.Add(1) }
func (d *deaf) SetAliasKnown(uint16, bool)                 {}
func (d *deaf) SendUrgent(wire.UrgentKind, []byte) error   { return nil }
func (d *deaf) ReceivedWithin(time.Duration) bool          { return true }
func (d *deaf) SendUrgentThen(_ wire.UrgentKind, _ []byte, done func(bool)) error {
	done(true)
	return nil
}

// crowd returns a stream in a room with n listeners.
func crowd(t testing.TB, n int) *Stream {
	t.Helper()
	rooms := NewRooms(Limits{Rooms: 1, Members: n + 1, MemberRate: 32_000, RoomRate: 250_000})
	var first *Member
	for i := range n + 1 {
		m, err := rooms.Join("r", entry(i), Origin{}, new(deaf), epoch)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = m
		}
	}
	return first.Bind(wire.MakeKID(first.ID, 0, 0), epoch)
}

func TestForwardDoesNotAllocate(t *testing.T) {
	st := crowd(t, 200)
	m, short, long := media(1), scratch(), scratch()
	if n := testing.AllocsPerRun(100, func() { st.Forward(Everybody, m, nil, short, long, nil) }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func BenchmarkForward200(b *testing.B) {
	st := crowd(b, 200)
	m := &wire.Media{Ciphertext: make([]byte, 70)}
	short, long := scratch(), scratch()
	b.ReportAllocs()
	for b.Loop() {
		m.CTR++
		st.Forward(Everybody, m, nil, short, long, nil)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/200, "ns/receiver")
}

func BenchmarkJoinLeave1000(b *testing.B) {
	rooms := NewRooms(Limits{Rooms: 1, Members: 1001, MemberRate: 32_000, RoomRate: 250_000})
	for i := range 1000 {
		if _, err := rooms.Join("r", entry(i), Origin{}, new(deaf), epoch); err != nil {
			b.Fatal(err)
		}
	}
	last, to := entry(1000), new(deaf)
	b.ReportAllocs()
	for b.Loop() {
		m, err := rooms.Join("r", last, Origin{}, to, epoch)
		if err != nil {
			b.Fatal(err)
		}
		m.Leave(epoch)
	}
}

// TestForwardWaitsForNobody wants media to go on while a join, a leave or the telling of a room is stuck.
func TestForwardWaitsForNobody(t *testing.T) {
	st := crowd(t, 10)
	room := st.member.room
	for _, mu := range []sync.Locker{&st.member.rooms.mu, &room.mu} {
		mu.Lock()
		defer mu.Unlock()
	}
	done := make(chan int)
	go func() {
		n, _ := st.Forward(Everybody, media(1), nil, scratch(), scratch(), nil)
		done <- n
	}()
	select {
	case n := <-done:
		if n != 10 {
			t.Errorf("sent to %d", n)
		}
	case <-time.After(time.Minute):
		t.Fatal("Forward waits for a lock")
	}
}

// TestConcurrent has everything happen at once, for the race detector; who stays must get every frame.
func TestConcurrent(t *testing.T) {
	h := newHouse(t)
	talker, listener := h.join("r"), h.join("r")
	st := talker.bind(t, 0, 0, epoch)
	const rounds = 300
	var wg sync.WaitGroup
	var entries atomic.Int64
	entries.Store(1000)
	for range 4 {
		wg.Go(func() {
			for i := range rounds {
				now := seconds(float64(i))
				ears := new(receiver)
				m, err := h.rooms.Join("r", entry(int(entries.Add(1))), Origin{}, ears, epoch)
				if err != nil {
					t.Error(err)
					return
				}
				if own := m.Bind(wire.MakeKID(m.ID, 0, 0), now); own != nil {
					own.Forward(Everybody, media(uint64(i)), nil, scratch(), scratch(), nil)
					listener.AliasAcked(wire.AliasPair{Alias: own.alias, KID: own.kid})
				}
				m.Page(nil)
				m.Flush(now)
				m.Leave(now)
			}
		})
	}
	wg.Go(func() {
		short, long := scratch(), scratch()
		for i := range rounds * 4 {
			st.Forward(Everybody, media(uint64(i)), nil, short, long, nil)
		}
	})
	wg.Go(func() {
		for i := range rounds {
			h.rooms.Flush(seconds(float64(i)))
			h.rooms.Stats()
		}
	})
	wg.Wait()
	got := 0
	for _, f := range listener.ears.read() {
		if f.alias == st.alias {
			got++
		}
	}
	if got < rounds*4 {
		t.Errorf("the listener got %d of %d frames", got, rounds*4)
	}
	if s := h.rooms.Stats(); s != (Stats{Rooms: 1, Members: 2, Streams: 1}) {
		t.Errorf("in the end: %+v", s)
	}
}
