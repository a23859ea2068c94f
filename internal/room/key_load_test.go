package room

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// TestNothingStaysOfKeys wants nothing to be kept of members who came, exchanged keys and left.
func TestNothingStaysOfKeys(t *testing.T) {
	h := newHouse(t)
	stays := h.acquainted(2)
	var before runtime.MemStats
	for i := range 1100 {
		if i == 100 {
			runtime.GC()
			runtime.ReadMemStats(&before)
		}
		at := float64(i)
		g := h.join("r")
		h.rooms.Flush(seconds(at))
		for _, talker := range []*guest{g, stays[0]} {
			for _, n := range []uint32{1, 2} {
				talker.announce(uint32(2*i)+n, 3, at)
				talker.wrapFor(uint32(2*i)+n, at, append(stays, g)...)
			}
		}
		g.asks(at, stays...)
		stays[1].asks(at, g)
		switch i % 3 {
		case 0:
			g.ears.ack(true)
		case 1:
			g.Leave(seconds(at))
			g.ears.ack(false)
		}
		if g.Leave(seconds(at)) != (i%3 != 1) {
			t.Fatal("left twice, or not")
		}
		for _, s := range stays {
			s.ears.ack(true)
			s.ears.quiet(t)
		}
	}
	h.rooms.Flush(seconds(2000))
	x := &stays[0].room.keys
	if len(x.members) != 2 || len(x.watched) != 0 || len(x.asked) != 0 {
		t.Errorf("%d slots, %d keys and %d requests are left", len(x.members), len(x.watched), len(x.asked))
	}
	for _, s := range stays {
		if k := &s.keys; len(k.newest) > maxKeys || len(k.told) > 1 || !k.wantedBy.empty() {
			t.Errorf("%v: %d keys, told %b, wanted by %b", s.ID, len(k.newest), k.told, k.wantedBy)
		}
		for _, k := range s.keys.newest {
			if len(k.passed) > 1 || len(k.left) > 3 {
				t.Errorf("key %d: passed to %b, left %v", k.number, k.passed, k.left)
			}
		}
	}
	var after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 1<<20 {
		t.Errorf("%d bytes more after 1,000 members", grown)
	}
	for _, s := range stays {
		s.Leave(seconds(2000))
	}
	if s := h.rooms.Stats(); s.Rooms != 0 || len(x.members) != 0 {
		t.Errorf("in the end: %+v, %d slots", s, len(x.members))
	}
}

// TestKeysConcurrently has talkers change keys while listeners come, acknowledge from other goroutines, ask
// and go, for the race detector; who stays must get every key once.
func TestKeysConcurrently(t *testing.T) {
	h := newHouse(t)
	talkers := h.acquainted(3)
	listener := h.join("r")
	const rounds = 200
	var entries atomic.Int64
	entries.Store(1000)
	var wg sync.WaitGroup
	var talking atomic.Int64
	for _, talker := range talkers {
		talking.Add(1)
		wg.Go(func() {
			defer talking.Add(-1)
			for i := range rounds {
				at, n := float64(i), uint32(i+1)
				others := []*guest{listener, talkers[0], talkers[1], talkers[2]}
				if !talker.announce(n, uint32(len(others)), at) || !talker.wrapFor(n, at, others...) {
					t.Error("not taken")
				}
				msg := wire.AppendKeyWraps(nil, n, wire.WrapFresh)
				for _, m := range talker.room.members.Load().all {
					if len(msg) < wire.MaxUrgent-70 {
						msg = wire.AppendWrap(msg, m.ID, make([]byte, wire.WrapFresh))
					}
				}
				talker.KeyWraps(msg, seconds(at))
			}
		})
	}
	for range 3 {
		wg.Go(func() {
			for i := 0; talking.Load() > 0; i++ {
				ears := new(receiver)
				m, err := h.rooms.Join("r", entry(int(entries.Add(1))), Origin{}, ears, epoch)
				if err != nil {
					t.Error(err)
					return
				}
				g := &guest{m, ears}
				g.Flush(seconds(float64(i)))
				g.asks(float64(i), talkers...)
				ears.ack(i%2 == 0)
				g.Leave(seconds(float64(i)))
				ears.ack(false)
			}
		})
	}
	wg.Go(func() {
		for i := 0; talking.Load() > 0; i++ {
			h.rooms.Flush(seconds(float64(i)))
			for _, g := range append(talkers, listener) {
				g.ears.ack(true)
			}
			h.rooms.Stats()
		}
	})
	wg.Wait()
	keys := make(map[string]int)
	for _, word := range listener.ears.told(t) {
		keys[word]++
	}
	for _, talker := range talkers {
		for n := range uint32(rounds) {
			if got := keys[keyOf(talker, n+1)]; got != 1 {
				t.Fatalf("key %d of %v came %d times", n+1, talker.ID, got)
			}
		}
		talker.Leave(epoch)
	}
	listener.Leave(epoch)
	if s := h.rooms.Stats(); s.Rooms != 0 || s.Members != 0 {
		t.Errorf("in the end: %+v", s)
	}
}

// later is a Receiver that keeps the callbacks for later, as links do.
type later struct {
	deaf
	done []func(bool)
}

func (l *later) SendUrgentThen(_ wire.UrgentKind, _ []byte, done func(bool)) error {
	l.done = append(l.done, done)
	return nil
}

// BenchmarkKeyTo1000 is what a room does to pass a fresh key on to 1,000 members, and to hear from each that
// it came. First means that the talker has to be introduced to each.
func BenchmarkKeyTo1000(b *testing.B) {
	for _, first := range []bool{false, true} {
		name := map[bool]string{false: "known", true: "first"}[first]
		b.Run(name, func(b *testing.B) { benchmarkKey(b, 1000, first) })
	}
}

func benchmarkKey(b *testing.B, n int, first bool) {
	rooms := NewRooms(Limits{Rooms: 1, Members: n + 1, MemberRate: 32_000, RoomRate: 250_000})
	talker, err := rooms.Join("r", entry(n), Origin{}, new(deaf), epoch)
	if err != nil {
		b.Fatal(err)
	}
	const perMessage = (wire.MaxUrgent - 5) / (6 + wire.WrapFresh)
	ears := make([]*later, n)
	var messages [][]byte
	for i := range ears {
		ears[i] = new(later)
		m, err := rooms.Join("r", entry(i), Origin{}, ears[i], epoch)
		if err != nil {
			b.Fatal(err)
		}
		if i%perMessage == 0 {
			messages = append(messages, wire.AppendKeyWraps(nil, 0, wire.WrapFresh))
		}
		last := len(messages) - 1
		messages[last] = wire.AppendWrap(messages[last], m.ID, make([]byte, wire.WrapFresh))
	}
	number := uint32(0)
	pass := func() {
		number++
		now := epoch.Add(time.Duration(number) * time.Second)
		announced := wire.SenderKey{Recipients: uint32(n), Key: signedKey(number)}
		if !talker.SenderKey(wire.Append(nil, &announced), now) {
			b.Fatal("not taken")
		}
		for _, msg := range messages {
			copy(msg, wire.Append(nil, &wire.KeyDelivered{Number: number}))
			if !talker.KeyWraps(msg, now) {
				b.Fatal("not taken")
			}
		}
		for _, e := range ears {
			for _, done := range e.done {
				done(true)
			}
			e.done = e.done[:0]
		}
	}
	pass()
	b.ReportAllocs()
	for b.Loop() {
		if first {
			for _, m := range talker.room.members.Load().all {
				m.keys.told = nil
			}
		}
		pass()
	}
	if delivered, passed := rooms.Keys.Delivered.Load(),
		rooms.Keys.Passed.Load(); delivered != uint64(number) || passed != uint64(n)*uint64(number) {
		b.Errorf("%d delivered, %d passed of %d keys", delivered, passed, number)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/recipient")
}
