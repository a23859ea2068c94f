package link

import (
	"math/rand/v2"
	"testing"
	"time"
)

// pipe is a path of some rate and queue behind some delay, for what narrow is told about it.
type pipe struct {
	rate, queue float64 // bytes a second, bytes
	rtt         time.Duration
	loss        float64 // beside what the queue drops
	idle        time.Duration

	at        time.Duration
	narrow    narrow
	sent, got uint64
	bytes     uint32
	refused   uint64
	last      time.Duration // round trip of the newest
	rng       *rand.Rand
}

// run offers bytes a second in packets of size for a time, and returns what was set at its end.
func (p *pipe) run(seconds int, offered, size float64) (rate int) {
	var budget float64
	for range seconds * 50 {
		p.at += 20 * time.Millisecond
		for budget += offered / 50; budget >= size; budget -= size {
			if p.narrow.rate > 0 && float64(p.bytes) > 0 && p.rng.Float64() > p.narrow.rate/offered {
				p.refused++
				continue
			}
			p.sent++
			p.bytes += uint32(size)
			wait := max(0, p.idle-p.at)
			if p.rate > 0 && wait.Seconds()*p.rate+size > p.queue || p.rng.Float64() < p.loss {
				continue
			}
			if p.rate > 0 {
				p.idle = max(p.idle, p.at) + time.Duration(size/p.rate*float64(time.Second))
				wait = p.idle - p.at
			}
			p.got++
			p.last = p.rtt + wait
		}
		if p.at%(500*time.Millisecond) == 0 {
			rate = p.narrow.judge(narrowLook{
				at: p.at, rtt: p.last, sent: p.sent, received: p.got, bytes: p.bytes & countBytes,
				packets: p.sent, refused: p.refused,
			})
		}
	}
	return rate
}

func newPipe(rate, queue float64, rtt time.Duration) *pipe {
	return &pipe{rate: rate, queue: queue, rtt: rtt, rng: rand.New(rand.NewPCG(1, 2))}
}

// TestNarrowFollowsThePath wants a rate near what paths carry while much more is offered, and none soon after
// that.
func TestNarrowFollowsThePath(t *testing.T) {
	for _, rate := range []float64{1250, 4000, 12_500} {
		for _, loss := range []float64{0, .3} {
			p := newPipe(rate, 3*rate, 300*time.Millisecond)
			p.loss = loss
			p.run(5, 500, 100)
			if p.narrow.rate != 0 {
				t.Errorf("%v: a rate is set while little is sent", rate)
			}
			p.run(60, 64_000, 600)
			sum := 0.0
			for range 60 {
				sum += float64(p.run(1, 64_000, 600))
			}
			if mean := sum / 60; mean < 0.4*rate || mean > 1.5*rate {
				t.Errorf("a path of %v bytes a second and %v loss: %.0f", rate, loss, mean)
			}
			if p.run(30, 500, 100) != 0 {
				t.Errorf("%v: the rate stays", rate)
			}
		}
	}
}

// TestNarrowIgnoresLoss wants no rate on paths that lose much and carry all, and one that is a mistake to
// end.
func TestNarrowIgnoresLoss(t *testing.T) {
	for _, loss := range []float64{0, .1, .3, .6} {
		p := newPipe(0, 0, 300*time.Millisecond)
		p.loss = loss
		for range 60 {
			if p.run(1, 6000, 120) != 0 {
				t.Fatalf("%v loss: a rate is set", loss)
			}
		}
		p.rtt = 800 * time.Millisecond // another path
		for range 60 {
			if p.run(1, 6000, 120) != 0 {
				t.Fatalf("%v loss: a longer path is taken for a queue", loss)
			}
		}
		p.rtt = 2500 * time.Millisecond
		if p.run(60, 30_000, 600); p.narrow.rate != 0 {
			t.Errorf("%v loss: a much longer path is still taken for a queue", loss)
		}
	}
}

// TestNarrowBounds feeds it what no path does.
func TestNarrowBounds(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var w narrow
		var l narrowLook
		for range 300 {
			l.at += time.Duration(rng.Int64N(int64(2 * time.Second)))
			l.rtt = time.Duration(rng.Int64N(int64(maxSample)))
			l.jitter = time.Duration(rng.Int64N(int64(maxSample)))
			sent := rng.Uint64N(1000)
			l.sent, l.packets, l.bytes = l.sent+sent, l.packets+sent,
				(l.bytes+uint32(rng.Uint64N(1<<23)))&countBytes
			l.received += rng.Uint64N(1000)
			l.refused += rng.Uint64N(3)
			if rate := w.judge(l); rate != 0 && rate < narrowLeast {
				t.Fatalf("rate %d", rate)
			}
		}
	}
}
