package jitter

import (
	"math"
	"slices"
	"testing"
	"time"
)

func TestQuantileWindow(t *testing.T) {
	w := newQuantileWindow(100)
	w.add(5000)
	if v := w.high(50, 50, 0); v != 0 {
		t.Errorf("a single value decided: %d", v)
	}
	rng := newRand(1)
	var all []int64
	for range 1000 {
		v := rng.Int64N(1000)
		w.add(v)
		all = append(all, v)
	}
	last := slices.Clone(all[900:])
	slices.Sort(last)
	if !slices.Equal(last, w.sorted) {
		t.Fatal("the window does not hold the last 100 values in order")
	}
	if v := w.high(50, 50, 0); v != last[97] {
		t.Errorf("98 %% is %d, want %d", v, last[97])
	}
}

func TestQuantileWindowUndo(t *testing.T) {
	for _, n := range []int{1, 60, 100, 250} { // not full, just full, wrapped
		w := newQuantileWindow(100)
		w.undo()
		if m := w.median(); m != 0 {
			t.Errorf("the median of nothing is %d", m)
		}
		var all []int64
		rng := newRand(2)
		for range n {
			v := rng.Int64N(1000)
			w.add(v)
			all = append(all, v)
		}
		w.add(5000)
		w.undo()
		last := slices.Clone(all[max(0, n-99):]) // the oldest of a full window is gone
		slices.Sort(last)
		if !slices.Equal(last, w.sorted) {
			t.Errorf("%d values: the window holds %v, want %v", n, w.sorted, last)
		}
		for v := range int64(100) {
			w.add(v)
		}
		if len(w.sorted) != 100 || w.sorted[0] != 0 || w.sorted[99] != 99 {
			t.Errorf("%d values: older ones stay: %v", n, w.sorted)
		}
	}
}

func TestMinWindow(t *testing.T) {
	w := minWindow{width: 10}
	if v := w.add(7, 1000); v != 7 {
		t.Errorf("%d", v)
	}
	if v := w.add(9, 1069); v != 7 {
		t.Errorf("%d, want 7 for 8 buckets", v)
	}
	if v := w.add(9, 1080); v != 9 {
		t.Errorf("%d, want 7 forgotten", v)
	}
	if v := w.add(11, 5000); v != 11 {
		t.Errorf("%d, want all forgotten after a pause", v)
	}
	if v := w.add(12, 100); v != 12 {
		t.Errorf("%d, want all forgotten when the clock goes back", v)
	}
}

func TestStallsCountFromTheSecondOn(t *testing.T) {
	var s stalls
	s.add(100, 0)
	if _, ok := s.second(second); ok {
		t.Error("one stall counts")
	}
	s.add(300, second)
	s.add(200, 2*second)
	if x, ok := s.second(3 * second); !ok || x != 200 {
		t.Errorf("second longest of 100, 200, 300 is %d", x)
	}
	if _, ok := s.second(stallMemory + 2*second); ok {
		t.Error("stalls are never forgotten")
	}
}

func TestSlewTarget(t *testing.T) {
	if v := slewTarget(10*ms, 200*ms, 0); v != 200*ms {
		t.Errorf("rises to %d", v)
	}
	if v := slewTarget(200*ms, 100*ms, second); v != 150*ms {
		t.Errorf("falls to %d ms within a second, want 150", v/ms)
	}
	if v := slewTarget(101*ms, 100*ms, second); v != 100*ms {
		t.Errorf("falls to %d", v)
	}
}

func TestSpeed(t *testing.T) {
	for _, c := range []struct{ e, want float64 }{
		{-50 * ms, 0.9}, {0, 1}, {10 * ms, 1}, {30 * ms, 1.1}, {530 * ms, 1.3}, {3 * second, 1.5},
	} {
		if got := speed(c.e); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("speed(%g ms) = %g, want %g", c.e/ms, got, c.want)
		}
	}
	if driftRate(0) != 0 || driftRate(100*ms) != maxRate || driftRate(-100*ms) != -maxRate {
		t.Error("driftRate is not bounded by maxRate")
	}
}

func TestLostMedia(t *testing.T) {
	const frame = 20 * ms
	for _, c := range []struct {
		name               string
		gap, missing, want int64 // gap, want in ms
	}{
		{"nothing missing: silence", 500, 0, 0},
		{"one frame", 20, 1, 20},
		{"ten frames", 200, 10, 200},
		{"more missing than fits", 40, 10, 40},
		{"first two markers", 40, 2, 40}, // looks the same as two frames
		{"all markers, then speech after 1 s", 1000, 5, 0},
		{"one frame and all markers, then speech", 1020, 6, 20},
		{"three frames and all markers of 5 s", 5060, 3 + 15, 60},
		{"a talker without keep-alives", 5000, 1, 20},
	} {
		if got := lostMedia(c.gap*ms, c.missing, frame); got != c.want*ms {
			t.Errorf("%s: %d ms, want %d", c.name, got/ms, c.want)
		}
	}
}

// voice is a voice-like sum of harmonics.
func voice(hz float64, n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		for h := 1.0; h*hz < 4000; h++ {
			out[i] += float32(0.2 / h * math.Sin(2*math.Pi*hz*h*float64(i)/SampleRate+h*h))
		}
	}
	return out
}

func TestPitchPeriodsAreFoundAndCutWithoutAStep(t *testing.T) {
	for _, hz := range []float64{75, 110, 180, 260, 390} {
		signal := voice(hz, 8000)
		limit := 0.0
		for i := 1; i < len(signal); i++ {
			limit = max(limit, math.Abs(float64(signal[i]-signal[i-1])))
		}
		for _, longer := range []bool{false, true} {
			f := newFIFO()
			copy(f.grow(len(signal)), signal)
			f.read += 2000
			find := f.forward
			if longer {
				find = f.backward
			}
			period, correlation, _ := find(maxPeriod)
			cycles := float64(period) * hz / SampleRate
			if correlation < 0.99 || math.Abs(cycles-math.Round(cycles)) > 0.01*math.Round(cycles)+0.01 {
				t.Errorf("%g Hz: period of %d samples is %.2f cycles, correlation %.3f", hz, period, cycles,
					correlation)
			}
			want := f.unread() - period
			if longer {
				f.repeat(period)
				want += 2 * period
			} else {
				f.remove(period)
			}
			if f.unread() != want {
				t.Errorf("%g Hz: %d samples, want %d", hz, f.unread(), want)
			}
			for i := f.read; i < f.write; i++ {
				if step := math.Abs(float64(f.buf[i] - f.buf[i-1])); step > limit*1.05 {
					t.Errorf("%g Hz, longer %v: step %.4f of at most %.4f", hz, longer, step, limit)
					break
				}
			}
		}
	}
}

// TestResamplerKeepsTheSignal resamples tones by the greatest rate and compares
// with the ideal.
func TestResamplerKeepsTheSignal(t *testing.T) {
	for _, hz := range []float64{300, 3000, 8000} {
		for _, rate := range []float64{maxRate, -maxRate, 50e-6} {
			f, r := newFIFO(), resampler{rate: rate}
			source := f.grow(12000)
			for i := range source {
				source[i] = float32(math.Sin(2 * math.Pi * hz * float64(i) / SampleRate))
			}
			var noise float64
			var dst [480]float32
			n := 0
			for range 20 {
				r.take(dst[:], &f)
				for _, v := range dst {
					ideal := math.Sin(2 * math.Pi * hz * float64(n) * (1 + rate) / SampleRate)
					if n > taps {
						noise += (float64(v) - ideal) * (float64(v) - ideal)
					}
					n++
				}
			}
			if snr := 10 * math.Log10(float64(n)/2/noise); snr < 35 {
				t.Errorf("%g Hz at %+.0f ppm: %.0f dB of signal to noise", hz, rate*1e6, snr)
			}
		}
	}
}

func TestResamplerReturnsToCopying(t *testing.T) {
	f, r := newFIFO(), resampler{frac: 0.7}
	f.zeros(2000)
	var dst [chunk]float32
	r.set(0)
	r.take(dst[:], &f)
	r.set(0)
	if r.frac != 0 || r.rate != 0 {
		t.Errorf("still between samples: %+v", r)
	}
}

func TestDurationsAreExactAndBounded(t *testing.T) {
	for _, d := range []time.Duration{0, time.Millisecond, -time.Hour, 1000 * time.Hour} {
		if got := toDuration(toSamples(d)); got != d {
			t.Errorf("%v became %v", d, got)
		}
	}
	if toSamples(math.MaxInt64) <= 0 || toSamples(math.MinInt64) >= 0 || toDuration(math.MaxInt64) <= 0 {
		t.Error("overflow")
	}
}
