package audio

import (
	"math"
	"testing"
)

// simulate lets a caller write frames of the given length and a device pull 10 ms
// pieces, whose clock is faster by ppm; late shifts the caller's frame k by some
// samples. It returns what was heard.
func simulate(p *playout, seconds, frame, ppm int, late func(k int) int) []float32 {
	tone := sine(frame, 0.0001, 0)
	var heard []float32
	piece := make([]float32, deviceFragment)
	phase := int64(0)
	k := 0
	for now := 0; now < seconds*SampleRate; {
		for k*frame+late(k) <= now {
			fillTone(tone, 300, phase)
			phase += int64(frame)
			p.write(tone)
			k++
		}
		p.pull(piece)
		heard = append(heard, piece...)
		now = int(int64(len(heard)) * 1_000_000 / int64(1_000_000+ppm))
	}
	return heard
}

func onTime(int) int { return 0 }

// gaps counts the silences of a millisecond and more.
func gaps(heard []float32) (n int) {
	run := 0
	for _, x := range heard {
		if run++; x != 0 {
			run = 0
		}
		if run == SampleRate/1000 {
			n++
		}
	}
	return n
}

func TestPlayoutPassesSoundUnchanged(t *testing.T) {
	for _, frame := range []int{480, 960, 1920, 2880} {
		p := newPlayout()
		heard := simulate(&p, 10, frame, 0, onTime)
		want := sine(len(heard), 300, toneLevel)
		for i := playoutMargin; i < len(heard); i++ {
			if math.Abs(float64(heard[i]-want[i-playoutMargin])) > 1e-5 {
				t.Fatalf("frames of %d: sample %d is not that of 20 ms before", frame, i)
			}
		}
	}
}

// A device that runs 400 ppm off, worse than any real one, is followed for two
// minutes without a gap, and the queue stays short.
func TestPlayoutFollowsTheDevice(t *testing.T) {
	for ppm, frame := range map[int]int{-400: 960, 400: 2880} {
		p := newPlayout()
		heard := simulate(&p, 120, frame, ppm, onTime)
		if n := gaps(heard[SampleRate:]); n > 0 {
			t.Errorf("%d ppm, frames of %d: %d gaps", ppm, frame, n)
		}
		if most := frame + 3*playoutMargin; p.queue.Len() > most {
			t.Errorf("%d ppm, frames of %d: %d samples wait", ppm, frame, p.queue.Len())
		}
		if c := clickiness(heard[SampleRate:]); c > -80 {
			t.Errorf("%d ppm, frames of %d: clicks of %.0f dBFS", ppm, frame, c)
		}
	}
}

func TestPlayoutBearsJerkyCallers(t *testing.T) {
	p := newPlayout()
	heard := simulate(&p, 60, 960, 0, func(k int) int { return k % 3 * SampleRate / 200 }) // up to 10 ms late
	if n, c := gaps(heard[SampleRate:]), clickiness(heard[SampleRate:]); n > 0 || c > -80 {
		t.Errorf("%d gaps, clicks of %.0f dBFS", n, c)
	}
}

// A caller that stops leaves silence and one underrun, and is heard again when it
// goes on.
func TestPlayoutAfterAPause(t *testing.T) {
	p := newPlayout()
	heard := simulate(&p, 4, 960, 0, func(k int) int {
		if k >= 50 {
			return SampleRate
		}
		return 0
	})
	if n := gaps(heard[SampleRate/2:]); n != 1 {
		t.Errorf("%d gaps", n)
	}
	if l := Level(heard[SampleRate*3/2 : SampleRate*19/10]); l != Silence {
		t.Errorf("%.0f dBFS in the pause", l)
	}
	if l := Level(heard[SampleRate*5/2 : SampleRate*3]); l < -16 {
		t.Errorf("%.0f dBFS after the pause", l)
	}
}

// A burst is bounded: the oldest sound goes, and the delay is gone within two
// seconds.
func TestPlayoutBoundsABurst(t *testing.T) {
	p := newPlayout()
	simulate(&p, 5, 960, 0, func(k int) int { return -min(k, 1) * SampleRate }) // a second at once
	if p.queue.Len() > 960+3*playoutMargin {
		t.Errorf("%d samples wait", p.queue.Len())
	}
}

func TestPlayoutDoesNotAllocate(t *testing.T) {
	p := newPlayout()
	frame, piece := make([]float32, 960), make([]float32, deviceFragment)
	if n := testing.AllocsPerRun(1000, func() { p.write(frame); p.pull(piece); p.pull(piece) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
