package jitter

import (
	"sync"
	"testing"
	"time"
)

// freeDecoder costs nothing.
type freeDecoder struct{}

func (freeDecoder) Decode(dst []float32, _ []byte) (int, error) { return len(dst), nil }
func (freeDecoder) DecodeFEC([]float32, []byte) error           { return nil }
func (freeDecoder) Conceal([]float32)                           {}

// frames drives a player by one 20 ms frame a step: one Put and two Reads.
type frames struct {
	player *Player
	packet Packet
	now    time.Duration
	lag    time.Duration // of the packets behind the reads
	dst    [480]float32
}

func newFrames(dec Decoder) *frames {
	return &frames{
		player: New(dec, Config{}),
		packet: Packet{Duration: 20 * time.Millisecond, Payload: make([]byte, 80)},
	}
}

func (f *frames) step(lost bool) {
	f.packet.Counter++
	f.packet.Timestamp += 8
	if !lost {
		f.player.Put(f.packet, f.now+f.lag)
	}
	f.player.Read(f.dst[:], f.now+3*time.Millisecond)
	f.player.Read(f.dst[:], f.now+13*time.Millisecond)
	f.now += 20 * time.Millisecond
}

func BenchmarkFrame(b *testing.B) {
	b.Run("clean", func(b *testing.B) {
		f := newFrames(freeDecoder{})
		b.ReportAllocs()
		for b.Loop() {
			f.step(false)
		}
	})
	b.Run("drift", func(b *testing.B) {
		f := newFrames(freeDecoder{})
		b.ReportAllocs()
		for b.Loop() {
			f.step(false)
			f.lag -= 4 * time.Microsecond // 200 ppm
		}
	})
	b.Run("loss", func(b *testing.B) {
		f := newFrames(freeDecoder{})
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			f.step(i%3 != 0)
		}
	})
	b.Run("catching up", func(b *testing.B) {
		f := newFrames(&fakeTone{})
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			f.step(false)
			if i%200 == 0 {
				f.now += 500 * time.Millisecond // no reads, and packets come late
			}
		}
	})
}

// fakeTone is a tone without the cost of a sine.
type fakeTone struct{ freeDecoder }

func (fakeTone) Decode(dst []float32, _ []byte) (int, error) {
	for i := range dst {
		dst[i] = float32(i%240) / 240
	}
	return len(dst), nil
}

func TestNothingIsAllocated(t *testing.T) {
	f := newFrames(&fakeTone{})
	i := 0
	if n := testing.AllocsPerRun(5000, func() {
		i++
		f.step(i%5 == 0)
		if i%300 == 0 {
			f.now += 500 * time.Millisecond
		}
	}); n != 0 {
		t.Errorf("%g allocations per frame", n)
	}
	if f.player.Stats().Accelerated == 0 {
		t.Error("time scaling was not part of it")
	}
}

func TestConcurrentUse(t *testing.T) {
	f := newFrames(&fakeTone{})
	var wg sync.WaitGroup
	wg.Go(func() {
		p := f.packet
		for i := range 2000 {
			p.Counter++
			p.Timestamp += 8
			f.player.Put(p, time.Duration(i)*20*time.Millisecond)
		}
	})
	wg.Go(func() {
		for i := range 4000 {
			f.player.Read(f.dst[:], time.Duration(i)*10*time.Millisecond)
		}
	})
	for range 1000 {
		f.player.Active()
		f.player.Stats()
	}
	wg.Wait()
	if s := f.player.Stats(); s.Received != 2000 {
		t.Errorf("%+v", s)
	}
}
