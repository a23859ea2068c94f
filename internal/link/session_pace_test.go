package link

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

const ms = time.Millisecond

// pacing drives a pacer: a path with a round trip of rtt, whose pings answer every 100 ms while messages
// wait.
type pacing struct {
	p    pacer
	now  time.Time
	path pathView
}

func newPacing(media float64) *pacing {
	g := &pacing{now: epoch, path: pathView{media: media}}
	g.p.fill(g.now, g.path)
	g.p.waits(g.now, true)
	return g
}

// run lets messages wait for d, while each ping gets the answer that rtt tells; 0: none.
func (g *pacing) run(d time.Duration, kind int, rtt func() time.Duration) {
	for end := g.now.Add(d); g.now.Before(end); g.now = g.now.Add(pacePing) {
		g.p.fill(g.now, g.path)
		g.p.waits(g.now, true)
		if sample := rtt(); sample > 0 {
			g.p.pong(g.now, kind, sample)
		}
	}
}

func always(d time.Duration) func() time.Duration { return func() time.Duration { return d } }

func TestPaceBeginsByTheRateOfMedia(t *testing.T) {
	for media, want := range map[float64]float64{0: 4096, 10: 512, 1530: 512, 1800: 600, 5850: 3508,
		90_000: 4096} {
		if got := newPacing(media).p.rate; got != want {
			t.Errorf("with %v B/s of media it begins with %v B/s, want %v", media, got, want)
		}
	}
}

func TestPaceGrowsWhileThereIsNoQueue(t *testing.T) {
	for _, test := range []struct {
		rtt, d time.Duration
		want   float64 // at least
		most   float64
	}{
		{20 * ms, 450 * ms, 4096 * 1.5 * 1.5, 4096 * 1.5 * 1.5},
		{20 * ms, 3 * time.Second, paceMost, paceMost},
		// once a round trip
		{400 * ms, 2 * time.Second, 4096 * 1.5 * 1.5 * 1.5, 4096 * 1.5 * 1.5 * 1.5 * 1.5},
		{300 * ms, 20 * time.Second, paceMost, paceMost},
	} {
		g := newPacing(0)
		g.run(test.d, 1, always(test.rtt))
		if g.p.rate < test.want || g.p.rate > test.most {
			t.Errorf("round trip %v: %v B/s after %v, want %v to %v", test.rtt, g.p.rate, test.d, test.want,
				test.most)
		}
	}
}

func TestPaceGrowsOnlyIfMessagesWait(t *testing.T) {
	g := newPacing(0)
	g.p.waits(g.now, false)
	for range 50 {
		g.now = g.now.Add(pacePing)
		g.p.fill(g.now, g.path)
		g.p.pong(g.now, 1, 20*ms)
	}
	if g.p.rate != paceStart {
		t.Errorf("%v B/s though no message waited", g.p.rate)
	}
}

// TestPaceIsNotSlowedByLoss has 5 of 6 pings go unanswered: 60 % loss, there and back.
func TestPaceIsNotSlowedByLoss(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		g := newPacing(0)
		g.run(8*time.Second, 1, func() time.Duration {
			if rng.Float64() < 0.84 {
				return 0
			}
			return 300 * ms
		})
		if g.p.rate < paceMost/4 || !g.p.fell.IsZero() {
			t.Errorf("seed %d: %v B/s after 8 s", seed, g.p.rate)
		}
	}
}

// TestPaceAcknowledgementsAreSamples has no ping answered, but messages acknowledged in time.
func TestPaceAcknowledgementsAreSamples(t *testing.T) {
	g := newPacing(0)
	g.p.alone(g.now, g.now.Add(-100*ms), 100*ms)
	ack := func(after time.Duration) {
		g.now = g.now.Add(300 * ms)
		g.p.fill(g.now, g.path)
		g.p.acked(g.now, 1, g.now.Add(-after))
	}
	ack(2 * time.Second) // it was repeated: this tells nothing
	if g.p.rate != paceStart {
		t.Errorf("%v B/s after a late acknowledgement", g.p.rate)
	}
	ack(110 * ms)
	if g.p.rate <= paceStart || !g.p.fell.IsZero() {
		t.Errorf("%v B/s after one in time", g.p.rate)
	}
}

func TestPaceFallsOnceARoundTrip(t *testing.T) {
	g := newPacing(0)
	g.run(2*time.Second, 3, always(100*ms))
	before := g.p.rate
	g.run(400*ms, 3, always(180*ms))
	if want := before * paceFirst; g.p.rate < want*0.4 || g.p.rate > want {
		t.Errorf("from %v to %v B/s", before, g.p.rate)
	}
	before = g.p.rate
	g.run(400*ms, 3, always(800*ms)) // sent before it fell
	if g.p.rate != before {
		t.Errorf("from %v to %v B/s because of old samples", before, g.p.rate)
	}
	g.run(time.Minute, 3, always(time.Second))
	if g.p.rate != paceLeast {
		t.Errorf("%v B/s with a queue of a second", g.p.rate)
	}
	g.run(time.Second, 3, always(100*ms))
	if g.p.rate <= paceLeast || g.p.rate > 2*paceLeast {
		t.Errorf("%v B/s when the queue is gone: it grows, more slowly", g.p.rate)
	}
}

// TestPaceToleratesJitter has no queue, but round trips that vary.
func TestPaceToleratesJitter(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	g := newPacing(0)
	g.run(20*time.Second, 2, func() time.Duration {
		return 100*ms + time.Duration(rng.IntN(80))*ms
	})
	if g.p.rate != paceMost {
		t.Errorf("%v B/s", g.p.rate)
	}
}

// TestPaceComparesPacketsOfOneSize has large packets take longer, as on a slow link.
func TestPaceComparesPacketsOfOneSize(t *testing.T) {
	g := newPacing(6000)
	g.p.alone(g.now, g.now.Add(-50*ms), 50*ms)
	sizes := []time.Duration{1: 60 * ms, 2: 100 * ms, 3: 140 * ms}
	for kind, rtt := range sizes[1:] {
		g.run(500*ms, kind+1, always(rtt))
	}
	if !g.p.fell.IsZero() || g.p.rate <= 2000 {
		t.Errorf("%v B/s", g.p.rate)
	}
}

// TestPaceFirstSampleInAQueue has the first answer come when a queue has been built up already: other packets
// told before how short the round trip is.
func TestPaceFirstSampleInAQueue(t *testing.T) {
	g := newPacing(1750)
	g.p.wait = false
	g.p.alone(g.now, g.now.Add(-100*ms), 100*ms)
	g.p.wait = true
	g.run(30*time.Second, 3, func() time.Duration {
		g.p.alone(g.now, g.now.Add(-2*time.Second), 2*time.Second) // while messages wait these are of no use
		return 2 * time.Second
	})
	if g.p.rate != paceLeast {
		t.Errorf("%v B/s", g.p.rate)
	}
}

// TestPaceOnALongerPath has the round trip become longer for good, while messages are sent now and then: that
// is no queue.
func TestPaceOnALongerPath(t *testing.T) {
	g := newPacing(0)
	live := func(d, rtt time.Duration) {
		for end := g.now.Add(d); g.now.Before(end); {
			g.run(500*ms, 1, always(rtt))
			for range 20 { // pings alone, while nothing waits
				g.now = g.now.Add(100 * ms)
				g.p.waits(g.now, false)
				g.p.fill(g.now, g.path)
				g.p.pong(g.now, 0, rtt)
			}
		}
	}
	live(30*time.Second, 50*ms)
	before := g.p.rate
	live(30*time.Second, 300*ms)
	if g.p.rate < paceStart {
		t.Errorf("%v B/s, %v before the path became longer", g.p.rate, before)
	}
}

func TestPaceAfterARest(t *testing.T) {
	g := newPacing(3000)
	g.run(10*time.Second, 1, always(50*ms))
	learned := g.p.rate
	later := func(d time.Duration) float64 {
		p := g.p
		p.waits(g.now, false)
		p.fill(g.now.Add(d), g.path)
		if p.budget > max(paceBurst, p.rate/8) {
			t.Errorf("%v bytes may leave at once after %v", p.budget, d)
		}
		return p.rate
	}
	if a, b, c := later(9*time.Second), later(21*time.Second), later(10*time.Minute); a != learned ||
		b != learned/4 || c != 1000 {
		t.Errorf("of %v B/s, %v are left after 9 s, %v after 21 s, %v after 10 min", learned, a, b, c)
	}
	g.p.forget()
	g.p.fill(g.now, g.path)
	if g.p.rate != 1000 {
		t.Errorf("%v B/s on another path", g.p.rate)
	}
}

// TestPaceBelievesNoNonsense gives it what a clock or a peer may make up.
func TestPaceBelievesNoNonsense(t *testing.T) {
	for _, g := range []*pacing{newPacing(0), {now: epoch}} {
		for _, rtt := range []time.Duration{time.Second, 0, -time.Second, math.MaxInt64, math.MinInt64, 1} {
			for kind := range pingSizes {
				g.p.pong(g.now, kind, rtt)
				g.p.alone(g.now, g.now.Add(-rtt), rtt)
			}
		}
		g.p.fill(g.now, g.path)
		if g.p.rate < paceLeast || g.p.rate > paceMost {
			t.Errorf("%v B/s", g.p.rate)
		}
		for _, least := range g.p.least {
			if least < 0 {
				t.Errorf("least round trip %v", least)
			}
		}
	}
}

// TestPacePeers is faster from the beginning, whatever the rate of media, and yields to a queue as others do.
func TestPacePeers(t *testing.T) {
	for _, media := range []float64{0, 10, 5850, 1e6} {
		g := &pacing{p: pacer{limits: &peerPace}, now: epoch, path: pathView{media: media}}
		g.run(pacePing, 3, always(0))
		if g.p.rate != 32<<10 || g.p.budget != 9600 {
			t.Errorf("with %v B/s of media it begins with %v B/s and %v bytes at once", media, g.p.rate,
				g.p.budget)
		}
		g.run(3*time.Second, 3, always(80*ms))
		if g.p.rate != 1<<20 || g.p.budget > g.p.rate/16 {
			t.Errorf("%v B/s after 3 s without a queue, %v bytes at once", g.p.rate, g.p.budget)
		}
		g.run(500*ms, 3, always(200*ms))
		if g.p.rate > 1<<19 || g.p.fell.IsZero() {
			t.Errorf("%v B/s with a queue of 120 ms", g.p.rate)
		}
		g.run(time.Minute, 3, always(time.Second))
		if g.p.rate != 2<<10 {
			t.Errorf("%v B/s with a queue of a second", g.p.rate)
		}
		g.p.forget()
		if g.p.fill(g.now, g.path); g.p.rate != 32<<10 {
			t.Errorf("%v B/s on another path", g.p.rate)
		}
	}
}

func TestMediaCount(t *testing.T) {
	var c mediaCount
	for range 40_000 {
		c.add(1000)
	}
	const bytes = 40_000 * 1000
	if c.packets() != 40_000 || c.bytes() != bytes%(1<<24) {
		t.Errorf("%d packets, %d bytes", c.packets(), c.bytes())
	}
}

// TestMediaMeterBegins wants the rate soon after media began, not the mean with the silence before.
func TestMediaMeterBegins(t *testing.T) {
	var m mediaMeter
	bytes := uint32(0)
	for at := tickEvery; at < 8*time.Second; at += tickEvery {
		talking := at%(4*time.Second) >= 2*time.Second
		if talking {
			bytes += 250
		}
		m.note(bytes, at)
		got := m.rate(bytes, at)
		switch into := at % (4 * time.Second); {
		case talking && into < 2*time.Second+meterFirst && got != 0:
			t.Errorf("%v B/s at %v, which nobody can know", got, at)
		case talking && into >= 2*time.Second+meterFirst && (got < 4900 || got > 5100):
			t.Errorf("%v B/s at %v, want 5000", got, at)
		}
	}
}

// TestMediaMeter sends 100 bytes every 20 ms for a while, over the end of the count, and then nothing.
func TestMediaMeter(t *testing.T) {
	var m mediaMeter
	bytes := uint32(countBytes - 3000)
	for at := tickEvery; at < 10*time.Second; at += tickEvery {
		if at < 5*time.Second {
			bytes = (bytes + 250) & countBytes
		}
		m.note(bytes, at)
		got := m.rate(bytes, at+10*ms)
		if at > time.Second && at < 5*time.Second && (got < 4800 || got > 5200) || at > 6500*ms && got != 0 {
			t.Fatalf("%v B/s at %v", got, at)
		}
	}
}
