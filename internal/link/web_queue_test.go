package link

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/udp"
	"github.com/wzp-voice/wzp/internal/wire"
)

var (
	queuedMedia = wire.AppendMedia(nil, &wire.Media{Alias: 1, Ciphertext: make([]byte, 80)}, true)
	queuedPing  = wire.AppendEcho(nil, wire.FramePing, [8]byte{}, true)
)

func newTestQueue() *webQueue {
	q := new(webQueue)
	q.init(200 * time.Millisecond)
	return q
}

// drain pops everything at a time and returns the counters, and how much was stale.
func (q *webQueue) drain(now time.Duration) (counters []uint32, stale uint64) {
	for {
		p, n, _ := q.pop(nil, now)
		stale += n
		if p == nil {
			return counters, stale
		}
		counter, _, _ := wire.ParseWebPacket(p)
		counters = append(counters, counter)
	}
}

func counted(from, to uint32) (list []uint32) {
	for i := from; i < to; i++ {
		list = append(list, i)
	}
	return list
}

func TestWebQueueDropsOldestMedia(t *testing.T) {
	q := newTestQueue()
	q.push(0, queuedPing, budget.Source{}, 0)
	q.push(1, queuedPing, budget.Source{}, 0)
	for c := uint64(2); c < 100; c++ {
		if dropped := q.push(c, queuedMedia, budget.Source{}, 0); dropped != (c >= webQueued) {
			t.Errorf("%d: dropped %v", c, dropped)
		}
	}
	want := append(counted(0, 2), counted(100-webQueued+2, 100)...)
	if got, _ := q.drain(0); !slices.Equal(got, want) {
		t.Errorf("left are %v", got)
	}
}

func TestWebQueueKeepsWhatIsNoMedia(t *testing.T) {
	q := newTestQueue()
	for c := range uint64(webQueued) {
		q.push(c, queuedPing, budget.Source{}, 0)
	}
	if !q.push(100, queuedMedia, budget.Source{}, 0) {
		t.Error("media pushed out what is worth more")
	}
	if !q.push(101, queuedPing, budget.Source{}, 0) {
		t.Error("nothing was dropped of a full queue")
	}
	if got, _ := q.drain(time.Hour); !slices.Equal(got, append(counted(1, webQueued), 101)) {
		t.Errorf("left are %v", got)
	}
}

func TestWebQueueDropsStaleMedia(t *testing.T) {
	q := newTestQueue()
	q.push(0, queuedMedia, budget.Source{}, 0)
	q.push(1, queuedPing, budget.Source{}, 0)
	q.push(2, queuedMedia, budget.Source{}, 100*time.Millisecond)
	got, stale := q.drain(250 * time.Millisecond)
	if !slices.Equal(got, []uint32{1, 2}) || stale != 1 {
		t.Errorf("%v, %d stale", got, stale)
	}
}

func TestWebQueueWakes(t *testing.T) {
	q := newTestQueue()
	q.push(0, queuedMedia, budget.Source{}, 0)
	q.push(1, queuedMedia, budget.Source{}, 0)
	<-q.ready
	q.close()
	<-q.ready
	if q.push(2, queuedMedia, budget.Source{}, 0) || q.n != 2 {
		t.Errorf("%d after the end", q.n)
	}
	for range 2 {
		if _, _, over := q.pop(nil, 0); over {
			t.Error("over before it was empty")
		}
	}
	if _, _, over := q.pop(nil, 0); !over {
		t.Error("not over")
	}
}

// TestWebQueueNeverMixes pushes and pops at random places of the ring with packets of many sizes.
func TestWebQueueNeverMixes(t *testing.T) {
	q := newTestQueue()
	for c := range uint64(5000) {
		frames := queuedMedia
		if c%7 == 0 {
			frames = wire.AppendEcho(nil, wire.FramePing, [8]byte{byte(c)}, true)
		}
		q.push(c, frames, budget.Source{}, 0)
		if c%3 == 0 {
			p, _, _ := q.pop(nil, 0)
			counter, got, err := wire.ParseWebPacket(p)
			if err != nil || (counter%7 == 0) == carriesMedia(got) || counter%7 == 0 &&
				got[1] != byte(counter) {
				t.Fatalf("%d: %x, %v", counter, got, err)
			}
		}
	}
}

// TestWebQueueIsFair has a browser's connection take less than comes. Floods, from their own addresses or
// behind one, take nothing from a quiet one, and equal ones get equally much.
func TestWebQueueIsFair(t *testing.T) {
	large := wire.AppendMedia(nil, &wire.Media{Alias: 1, Ciphertext: make([]byte, 1000)}, true)
	for name, source := range map[string]func(i uint64) budget.Source{
		"one address": func(i uint64) budget.Source {
			return budget.Source{Group: budget.Group{ID: 9},
				Member: i}
		},
		"many addresses": func(i uint64) budget.Source {
			return budget.Source{Group: budget.Group{ID: 10 + i},
				Member: i}
		},
		"its own address": func(i uint64) budget.Source {
			return budget.Source{Group: budget.Group{ID: 1}, Member: 10 + i}
		},
	} {
		q, counter, got := newTestQueue(), uint64(0), make(map[uint64]int) // by source
		from := make(map[uint32]uint64)
		push := func(i uint64, frames []byte, s budget.Source, at time.Duration) {
			from[uint32(counter)] = i
			q.push(counter, frames, s, at)
			counter++
		}
		sent := 0
		// 4 floods of 200 packets a second
		for at := time.Duration(0); at < 20*time.Second; at += 5 * time.Millisecond {
			for i := range uint64(4) {
				push(i, large, source(i), at)
			}
			if at%(20*time.Millisecond) == 0 {
				sent++
				push(99, queuedMedia, budget.Source{Group: budget.Group{ID: 1}, Member: 1}, at)
			}
			if at%(10*time.Millisecond) == 0 { // the connection takes a hundred
				p, _, _ := q.pop(nil, at)
				c, _, _ := wire.ParseWebPacket(p)
				got[from[c]]++
			}
		}
		if got[99] < sent-2 {
			t.Errorf("%s: %d of %d packets of the quiet one", name, got[99], sent)
		}
		for i := range uint64(4) {
			if got[i] < 200 || got[i] > 300 {
				t.Errorf("%s: the floods got %v", name, got)
			}
		}
	}
}

// webCrowd is crowd with browsers, whose connections take nothing, or are taken from.
func webCrowd(tb testing.TB, n int, taken bool) (*side, []*Session) {
	tb.Helper()
	relay := newSide(tb, false)
	sessions := make([]*Session, n)
	for i := range sessions {
		s := relay.ep.newSession(relay.handler, [16]byte{2, byte(i >> 8), byte(i)}, newIdentity(2).Public())
		w := newWebConn(relay.ep, nullCarrier{}, relay.path.Remote.Addr(), time.Hour, nil)
		s.install(&attachment{session: s, web: w, conn: w}, nil, udp.Path{}, time.Now())
		sessions[i] = s
		if taken {
			done := make(chan struct{})
			go func() {
				defer close(done)
				buf := make([]byte, 0, wire.MaxPacketSize)
				for {
					if p, _, over := w.queue.pop(buf, 0); over {
						return
					} else if p == nil {
						<-w.queue.ready
					}
				}
			}()
			tb.Cleanup(func() { w.queue.close(); <-done })
		}
	}
	return relay, sessions
}

func TestFanOutToBrowsersAllocatesNothing(t *testing.T) {
	relay, sessions := webCrowd(t, lookAhead+5, false)
	short, long := mediaFrames(1)
	for range 2 * webQueued { // the rings get their memory
		SendMediaAll(relay.tx, sessions, 3, short, long)
	}
	if allocs := testing.AllocsPerRun(100,
		func() { SendMediaAll(relay.tx, sessions, 3, short, long) }); allocs > 0 {
		t.Errorf("%v allocations for %d packets", allocs, len(sessions))
	}
	for i, s := range sessions {
		if got := s.route.Load().web.queue.n; got != webQueued {
			t.Errorf("%d packets wait for browser %d", got, i)
		}
	}
	want := uint64(len(sessions)*(2*webQueued+101) - len(sessions)*webQueued)
	if got := relay.ep.Drops().Count(drops.BrowserQueue); got != want {
		t.Errorf("%d dropped, want %d", got, want)
	}
}

// BenchmarkWebFanOut is a relay's cost for a packet to each of n browsers, without what QUIC and TCP take;
// idle: the writers have to be woken each time.
func BenchmarkWebFanOut(b *testing.B) {
	for _, taken := range []bool{false, true} {
		b.Run(fmt.Sprintf("200 taken %v", taken), func(b *testing.B) {
			relay, sessions := webCrowd(b, 200, taken)
			short, long := mediaFrames(1)
			b.ReportAllocs()
			for b.Loop() {
				SendMediaAll(relay.tx, sessions, 3, short, long)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*200), "ns/packet")
		})
	}
}

// nullCarrier is a connection that can only be ended.
type nullCarrier struct{ webCarrier }

func (nullCarrier) abort() {}

// FuzzWebPacket feeds a session with a browser's packets.
func FuzzWebPacket(f *testing.F) {
	for _, frame := range everyFrame() {
		f.Add(wire.AppendWebPacket(nil, 7, frame))
	}
	relay := newSide(f, false)
	f.Fuzz(func(t *testing.T, p []byte) {
		relay.handler.t = t
		s := relay.ep.newSession(relay.handler, [16]byte{3}, newIdentity(2).Public())
		w := newWebConn(relay.ep, nullCarrier{}, relay.path.Remote.Addr(), time.Hour, nil)
		a := &attachment{session: s, web: w, conn: w}
		s.install(a, nil, udp.Path{}, time.Now())
		before := relay.ep.Drops().Count(drops.BadHeader)
		w.received(relay.tx, a, p)
		if s.Over() {
			return
		}
		received := s.Counts().PacketsReceived
		if bad := relay.ep.Drops().Count(drops.BadHeader) - before; received+bad != 1 {
			t.Errorf("%d received, %d refused", received, bad)
		}
		w.received(relay.tx, a, p) // again: a replay
		if got := s.Counts().PacketsReceived; got != received {
			t.Errorf("%d received of the same packet", got)
		}
		if s.path.Load() != nil {
			t.Error("a browser has an address for sealed packets")
		}
	})
}
