package jitter

import (
	"math/rand/v2"
	"testing"
	"time"
)

// lateOf plays 50 frames that come up to 100 ms late, by a player that begins with a target delay, and
// returns how many came after their time, and what the delay came to.
func lateOf(start time.Duration) (late uint64, learned time.Duration) {
	random := rand.New(rand.NewPCG(3, 4))
	p := New(freeDecoder{}, Config{StartDelay: start})
	arrivals := make(map[int][]uint64) // by 10 ms
	for i := range uint64(50) {
		at := 2*int(i) + random.IntN(10)
		arrivals[at] = append(arrivals[at], i)
	}
	dst := make([]float32, 480)
	for step := range 250 {
		now := time.Duration(step) * 10 * time.Millisecond
		for _, i := range arrivals[step] {
			p.Put(Packet{Counter: i, Timestamp: uint16(8 * i), Duration: 20 * time.Millisecond,
				Payload: make([]byte, 80)}, now)
		}
		p.Read(dst, now)
	}
	s := p.Stats()
	return s.Late + s.Concealed, p.Learned()
}

// TestStartDelay wants who is heard again after a silence to be heard as well as at its end, though the
// player is another one.
func TestStartDelay(t *testing.T) {
	late, learned := lateOf(0)
	again, _ := lateOf(learned)
	if late < 2 || again > 0 {
		t.Errorf("%d frames were late or concealed at first, %d with a delay of %v from the start", late,
			again, learned)
	}
}

// TestMemoryOfAPlayer wants a player to take what it needs, not what a stall may need.
func TestMemoryOfAPlayer(t *testing.T) {
	size := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f := newFrames(freeDecoder{})
			for range 100 {
				f.step(false)
			}
		}
	}).AllocedBytesPerOp()
	if size > 128<<10 {
		t.Errorf("a player takes %d bytes", size)
	}
	t.Logf("a player takes %d bytes", size)
}
