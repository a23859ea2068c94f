package federation

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/udp"
	"github.com/wzp-voice/wzp/internal/wire"
)

// trunkFrame is a frame that a fakeTrunkLink was given.
type trunkFrame struct {
	wire.Media
	waited time.Duration // from when it was put until it was sent
}

// fakeTrunkLink is a trunkLink that reads what it is given. A frame's ciphertext begins with when it was put.
type fakeTrunkLink struct {
	t     testing.TB
	holds atomic.Bool
	burst bool // the test's goroutine has begun what comes together
	ends  []func(tx *link.Tx)

	mu      sync.Mutex // guards what follows
	frames  []trunkFrame
	packets []int // bytes
	timers  int   // packets that were sent by a timer
}

func (l *fakeTrunkLink) TakesMedia() bool { return !l.holds.Load() }

// AtEnd takes each frame for one that came alone, unless the test has begun a burst.
func (l *fakeTrunkLink) AtEnd(_ *link.Tx, f func(tx *link.Tx)) {
	if l.burst {
		l.ends = append(l.ends, f)
		return
	}
	f(nil)
}

// endBurst ends what came together.
func (l *fakeTrunkLink) endBurst() {
	l.burst = false
	for _, f := range l.ends {
		f(nil)
	}
	l.ends = nil
}

func (l *fakeTrunkLink) NewAlarm(f func()) link.Alarm { return fakeAlarm(f) }

// fakeAlarm is the alarm of a simulated network.
func fakeAlarm(f func()) link.Alarm { return udp.New(new(net.UDPConn)).NewAlarm(f) }

func (l *fakeTrunkLink) WithTx(f func(tx *link.Tx)) {
	before := l.sent()
	f(nil)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timers += len(l.packets) - before
}

func (l *fakeTrunkLink) SendPacket(_ *link.Tx, frames []byte, media int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.packets = append(l.packets, len(frames))
	if len(frames) == 0 || len(frames) > wire.MaxPlaintext || media > wire.MaxFrames {
		l.t.Errorf("a packet has %d frames in %d bytes", media, len(frames))
	}
	for ; len(frames) > 0; media-- {
		f, rest, err := wire.NextFrame(frames)
		if err != nil {
			l.t.Errorf("a frame cannot be read: %v", err)
			return
		}
		m, err := wire.ParseMedia(f)
		if err != nil {
			l.t.Errorf("a media frame cannot be read: %v", err)
			return
		}
		m.Ciphertext = append([]byte(nil), m.Ciphertext...)
		put := time.Unix(0, int64(binary.BigEndian.Uint64(m.Ciphertext)))
		l.frames = append(l.frames, trunkFrame{m, time.Since(put)})
		frames = rest
	}
	if media != 0 {
		l.t.Errorf("the number of frames is wrong by %d", media)
	}
}

func (l *fakeTrunkLink) sent() (packets int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.packets)
}

// take returns the frames since it was called last.
func (l *fakeTrunkLink) take() []trunkFrame {
	l.mu.Lock()
	defer l.mu.Unlock()
	frames := l.frames
	l.frames = nil
	return frames
}

// put gives a trunk a frame with size bytes of ciphertext, at least 8.
func put(tr *trunk, st outStream, ctr uint64, size int) {
	m := wire.Media{CTR: ctr, Ciphertext: make([]byte, size)}
	now := time.Now()
	binary.BigEndian.PutUint64(m.Ciphertext, uint64(now.UnixNano()))
	tr.put(nil, st, &m, nil, now)
}

// inTrunk runs f in virtual time with a trunk, and closes that.
func inTrunk(t *testing.T, f func(t *testing.T, tr *trunk, l *fakeTrunkLink)) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeTrunkLink{t: t}
		tr := newTrunk(l)
		defer tr.close()
		f(t, tr, l)
	})
}

// knowAll makes the peer know the aliases of streams, which get them in their order, and lets the rate fall
// to nothing.
func knowAll(tr *trunk, l *fakeTrunkLink, streams []*fakeStream) {
	for i, st := range streams {
		put(tr, st, 0, 80)
		tr.aliasAcked(wire.AliasPair{Alias: uint16(i), KID: st.kid})
	}
	time.Sleep(time.Second)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.frames, l.packets, l.timers = nil, nil, 0
}

// talkAll has n talkers put a frame each 20 ms, one after the other, for d.
func talkAll(tr *trunk, streams []*fakeStream, size int, d time.Duration) (frames int) {
	every := 20 * time.Millisecond / time.Duration(len(streams))
	for begin := time.Now(); time.Since(begin) < d; time.Sleep(every) {
		put(tr, streams[frames%len(streams)], uint64(1+frames/len(streams)), size)
		frames++
	}
	return frames
}

func TestTrunkDelaysNoSingleTalker(t *testing.T) {
	inTrunk(t, func(t *testing.T, tr *trunk, l *fakeTrunkLink) {
		streams := fakeStreams(1)
		knowAll(tr, l, streams)
		n := talkAll(tr, streams, 80, 2*time.Second)
		frames := l.take()
		if len(frames) != n || l.sent() != n || l.timers != 0 {
			t.Fatalf("%d frames in %d packets, %d by a timer, of %d", len(frames), l.sent(), l.timers, n)
		}
		for _, f := range frames {
			if f.waited != 0 || f.Long {
				t.Fatalf("CTR %d waited for %v; long: %v", f.CTR, f.waited, f.Long)
			}
		}
		if size := l.packets[0]; size != 1+2+80 {
			t.Errorf("a packet with one frame has %d bytes: the length can be saved", size)
		}
	})
}

func TestTrunkPutsStreamsTogether(t *testing.T) {
	for _, c := range []struct {
		talkers, size int
		perPacket     float64 // at least
	}{
		{20, 80, 3.5}, {40, 80, 6}, {20, 300, 2.5}, {200, 40, 20},
	} {
		inTrunk(t, func(t *testing.T, tr *trunk, l *fakeTrunkLink) {
			streams := fakeStreams(c.talkers)
			knowAll(tr, l, streams)
			n := talkAll(tr, streams, c.size, 2*time.Second)
			time.Sleep(2 * trunkHold)
			frames := l.take()
			if len(frames) != n {
				t.Fatalf("%d of %d frames", len(frames), n)
			}
			for i, f := range frames {
				if f.waited > trunkHold || int(f.Alias) != i%c.talkers || f.CTR != uint64(1+i/c.talkers) {
					t.Fatalf("frame %d: alias %d, CTR %d, waited for %v", i, f.Alias, f.CTR, f.waited)
				}
			}
			per := float64(n) / float64(l.sent())
			t.Logf("%d talkers, %d bytes: %.1f frames a packet, %d of %d packets by the timer", c.talkers,
				c.size, per, l.timers, l.sent())
			if per < c.perPacket {
				t.Errorf("%d talkers, %d bytes: %.1f frames a packet", c.talkers, c.size, per)
			}
			if got := tr.total(); got.Frames != uint64(n+c.talkers) || got.Dropped+got.Unnamed != 0 ||
				got.Packets < uint64(l.sent()) {
				t.Errorf("counted %+v", got)
			}
		})
	}
}

// Frames of talkers in step come all at once: in vain would the last ones wait for more, and for the alarm.
func TestTrunkOfTalkersInStep(t *testing.T) {
	inTrunk(t, func(t *testing.T, tr *trunk, l *fakeTrunkLink) {
		const talkers, rounds = 20, 250
		streams := fakeStreams(talkers)
		knowAll(tr, l, streams)
		for ctr := range uint64(rounds) {
			// They are received in two parts.
			for part := range 2 {
				l.burst = true
				for _, st := range streams[part*talkers/2 : (part+1)*talkers/2] {
					put(tr, st, 1+ctr, 80)
				}
				l.endBurst()
				time.Sleep(100 * time.Microsecond)
			}
			time.Sleep(20 * time.Millisecond)
		}
		late := 0
		frames := l.take()
		for _, f := range frames {
			if f.waited > 100*time.Microsecond {
				late++
			}
		}
		t.Logf("%d frames in %d packets, %d by the alarm; %d waited", len(frames), l.sent(), l.timers, late)
		if len(frames) != talkers*rounds || l.sent() > 2*rounds+100 || l.timers > 10 ||
			late > 10*wire.MaxFrames {
			t.Errorf("%d frames in %d packets, %d by the alarm; %d waited", len(frames), l.sent(), l.timers,
				late)
		}
	})
}

// Talkers keep no step: each has a phase of its own, and its frames come up to 10 ms late.
func TestTrunkOfTalkersOutOfStep(t *testing.T) {
	inTrunk(t, func(t *testing.T, tr *trunk, l *fakeTrunkLink) {
		const talkers, each = 20, 100
		streams := fakeStreams(talkers)
		knowAll(tr, l, streams)
		var wg sync.WaitGroup
		for i, st := range streams {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(uint64(i), 1))
				begin := time.Now().Add(time.Duration(random.IntN(20_000)) * time.Microsecond)
				for ctr := range uint64(each) {
					late := time.Duration(random.IntN(10_000)) * time.Microsecond
					time.Sleep(time.Until(begin.Add(time.Duration(ctr)*20*time.Millisecond + late)))
					put(tr, st, 1+ctr, 80)
				}
			})
		}
		wg.Wait()
		time.Sleep(2 * trunkHold)
		frames := l.take()
		if len(frames) != talkers*each {
			t.Fatalf("%d frames of %d", len(frames), talkers*each)
		}
		var waited time.Duration
		next := make([]uint64, talkers)
		for _, f := range frames {
			waited += f.waited
			if next[f.Alias]++; f.waited > trunkHold || f.CTR != next[f.Alias] {
				t.Fatalf("alias %d: CTR %d waited for %v", f.Alias, f.CTR, f.waited)
			}
		}
		per := float64(len(frames)) / float64(l.sent())
		t.Logf("%.1f frames a packet, %d of %d packets by the timer, %v on average", per, l.timers,
			l.sent(), waited/(talkers*each))
		if per < 3 {
			t.Errorf("%.1f frames a packet", per)
		}
	})
}

// What comes all at once fills packets, and the rest of it waits no longer than the timer.
func TestTrunkFullPackets(t *testing.T) {
	inTrunk(t, func(t *testing.T, tr *trunk, l *fakeTrunkLink) {
		streams := fakeStreams(100)
		knowAll(tr, l, streams)
		for range 200 { // so many frames are recent
			put(tr, streams[0], 1, 10)
		}
		time.Sleep(2 * trunkHold)
		l.take()
		before := l.sent()
		for _, st := range streams {
			put(tr, st, 2, 10)
		}
		if n := len(l.take()); n != wire.MaxFrames {
			t.Errorf("%d frames at once, want %d", n, wire.MaxFrames)
		}
		time.Sleep(2 * trunkHold)
		if n := len(l.take()); n != 100-wire.MaxFrames {
			t.Errorf("%d frames by the timer, want %d", n, 100-wire.MaxFrames)
		}
		if n := l.sent() - before; n != 2 {
			t.Errorf("%d packets, want 2", n)
		}
		put(tr, streams[1], 3, 80)
		put(tr, streams[0], 3, wire.MaxCiphertext) // does not fit the same packet
		time.Sleep(2 * trunkHold)
		if n := len(l.take()); n != 2 || l.sent()-before != 4 {
			t.Errorf("%d frames in %d packets, want 2 each", n, l.sent()-before-2)
		}
	})
}

func TestTrunkLongUntilAcknowledged(t *testing.T) {
	inTrunk(t, func(t *testing.T, tr *trunk, l *fakeTrunkLink) {
		st := fakeStreams(1)[0]
		const ctr = 1<<40 + 5
		put(tr, st, ctr, 80)
		put(tr, st, ctr+1, 80)
		for i, f := range l.take() {
			if !f.Tagged || f.Room != st.room || f.KID != st.kid || f.CTR != ctr+uint64(i) || f.Alias != 0 {
				t.Errorf("frame %d: %+v", i, f.Media)
			}
		}
		tr.aliasAcked(wire.AliasPair{Alias: 0, KID: st.kid + 1})
		put(tr, st, ctr+2, 80)
		tr.aliasAcked(wire.AliasPair{Alias: 0, KID: st.kid})
		put(tr, st, ctr+3, 80)
		frames := l.take()
		if len(frames) != 2 || !frames[0].Tagged || frames[1].Long || frames[1].CTR != (ctr+3)&0xffff {
			t.Errorf("%+v", frames)
		}
	})
}

// What a link does not send is not taken, so that it is known which frames those are, and takes no place in
// packets.
func TestTrunkRefusesWhatLinkHolds(t *testing.T) {
	inTrunk(t, func(t *testing.T, tr *trunk, l *fakeTrunkLink) {
		st := fakeStreams(1)[0]
		l.holds.Store(true)
		m := wire.Media{CTR: 1, Ciphertext: make([]byte, 80)}
		if why := tr.put(nil, st, &m, nil, time.Now()); why != whyLinkHolds || tr.total().Held != 1 {
			t.Errorf("%q, %+v", why, tr.total())
		}
		l.holds.Store(false)
		if why := tr.put(nil, st, &m, nil, time.Now()); why != "" || len(l.take()) != 1 {
			t.Errorf("%q, %+v", why, tr.total())
		}
		st.gone.Store(true)
		if why := tr.put(nil, st, &m, nil, time.Now()); why != whyGone {
			t.Errorf("%q", why)
		}
	})
}

func TestTrunkDropsWhatIsGone(t *testing.T) {
	inTrunk(t, func(t *testing.T, tr *trunk, l *fakeTrunkLink) {
		streams := fakeStreams(2)
		put(tr, streams[0], 0, 80)
		streams[0].gone.Store(true)
		put(tr, streams[0], 1, 80)
		if n := len(l.take()); n != 1 || tr.total().Dropped != 1 {
			t.Errorf("%d frames, %+v", n, tr.total())
		}
		time.Sleep(aliasSweep)
		tr.aliases.sweep(time.Now())
		if n := len(tr.aliases.used); n != 0 {
			t.Errorf("%d streams are held", n)
		}
		time.Sleep(aliasRest)
		put(tr, streams[1], 0, 80)
		if frames := l.take(); len(frames) != 1 || frames[0].Alias != 0 {
			t.Errorf("%+v", frames)
		}
	})
}

// close drops what waits; synctest would see a timer or a goroutine that is left.
func TestTrunkClose(t *testing.T) {
	inTrunk(t, func(t *testing.T, tr *trunk, l *fakeTrunkLink) {
		streams := fakeStreams(20)
		knowAll(tr, l, streams)
		talkAll(tr, streams, 80, time.Second)
		time.Sleep(2 * trunkHold)
		sent := l.sent()
		put(tr, streams[0], 100, 80)
		if l.sent() != sent {
			t.Fatal("the frame did not wait")
		}
		tr.close()
		put(tr, streams[0], 101, 80)
		tr.aliasAcked(wire.AliasPair{Alias: 0, KID: streams[0].kid})
		tr.aliases.sweep(time.Now())
		tr.close()
		time.Sleep(time.Second)
		if l.sent() != sent || tr.total().Dropped != 2 {
			t.Errorf("%d packets after close, %+v", l.sent()-sent, tr.total())
		}
	})
}

// Many goroutines may use a trunk; each frame is sent once, and none after close.
func TestTrunkConcurrently(t *testing.T) {
	l := &fakeTrunkLink{t: t}
	tr := newTrunk(l)
	streams := fakeStreams(8)
	var wg sync.WaitGroup
	for i, st := range streams {
		wg.Go(func() {
			for ctr := range uint64(500) {
				put(tr, st, ctr, 40)
				tr.aliasAcked(wire.AliasPair{Alias: uint16(i), KID: st.kid})
				if ctr%100 == 99 {
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	wg.Wait()
	time.Sleep(2 * trunkHold)
	tr.close()
	c := tr.total()
	if n := uint64(len(l.take())); n != c.Frames || c.Frames+c.Dropped != 8*500 {
		t.Errorf("%d frames were sent, %+v", n, c)
	}
}

// nullTrunkLink is a trunkLink that drops all.
type nullTrunkLink struct{}

func (nullTrunkLink) SendPacket(*link.Tx, []byte, int)   {}
func (nullTrunkLink) WithTx(f func(tx *link.Tx))         { f(nil) }
func (nullTrunkLink) TakesMedia() bool                   { return true }
func (nullTrunkLink) AtEnd(_ *link.Tx, f func(*link.Tx)) { f(nil) }
func (nullTrunkLink) NewAlarm(f func()) link.Alarm       { return fakeAlarm(f) }

func TestTrunkAllocatesNothing(t *testing.T) {
	tr := newTrunk(nullTrunkLink{})
	defer tr.close()
	streams := fakeStreams(20)
	m := wire.Media{Ciphertext: make([]byte, 80)}
	now := time.Now()
	once := func() { // one frame of each, 1 ms apart
		m.CTR++
		for _, st := range streams {
			now = now.Add(time.Millisecond)
			tr.put(nil, st, &m, nil, now)
		}
	}
	for range 50 {
		once() // until the rate is known, and the timer is there
	}
	if allocs := testing.AllocsPerRun(200, once); allocs > 0 {
		t.Errorf("%v allocations for %d frames, long", allocs, len(streams))
	}
	for i, st := range streams {
		tr.aliasAcked(wire.AliasPair{Alias: uint16(i), KID: st.kid})
	}
	if allocs := testing.AllocsPerRun(200, once); allocs > 0 {
		t.Errorf("%v allocations for %d frames, short", allocs, len(streams))
	}
}
