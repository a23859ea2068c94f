package audio

import (
	"math"
	"math/rand/v2"
	"testing"
)

// mixAll mixes whole signals frame by frame.
func mixAll(m *Mixer, talkers ...[]float32) []float32 {
	out := make([]float32, len(talkers[0]))
	parts := make([][]float32, len(talkers))
	for at := 0; at < len(out); at += frame20 {
		end := min(at+frame20, len(out))
		for i, t := range talkers {
			parts[i] = t[at:end]
		}
		m.Mix(out[at:end], parts...)
	}
	return out
}

func TestOneTalkerIsUnchanged(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	talker := make([]float32, SampleRate)
	for i := range talker {
		talker[i] = 2*rng.Float32() - 1
	}
	talker[5], talker[6] = 1, -1
	got := mixAll(new(Mixer), talker)
	for i := range talker {
		if got[i] != talker[i] {
			t.Fatalf("sample %d: %v became %v", i, talker[i], got[i])
		}
	}
}

func TestSumBelowFullScaleIsExact(t *testing.T) {
	a, b := sine(SampleRate, 300, 0.5), sine(SampleRate, 1100, 0.5)
	got := mixAll(new(Mixer), a, b)
	for i := range got {
		if got[i] != a[i]+b[i] {
			t.Fatalf("sample %d: %v, want %v", i, got[i], a[i]+b[i])
		}
	}
}

// residue is what is left of pcm after taking out the given frequencies: the
// distortion, relative to the signal, in dB. pcm is a whole number of seconds and
// the frequencies are whole.
func residue(pcm []float32, frequencies ...float64) float64 {
	rest := make([]float64, len(pcm))
	for i, x := range pcm {
		rest[i] = float64(x)
	}
	for _, hz := range frequencies {
		var re, im float64
		for i := range rest {
			s, c := math.Sincos(2 * math.Pi * hz * float64(i) / SampleRate)
			re += rest[i] * c
			im += rest[i] * s
		}
		re, im = re*2/float64(len(rest)), im*2/float64(len(rest))
		for i := range rest {
			s, c := math.Sincos(2 * math.Pi * hz * float64(i) / SampleRate)
			rest[i] -= re*c + im*s
		}
	}
	var left, all float64
	for i := range rest {
		left += rest[i] * rest[i]
		all += float64(pcm[i]) * float64(pcm[i])
	}
	return 10 * math.Log10(left/all)
}

// Too loud a sum stays within full scale, without bending the tones.
func TestLimiterIsClean(t *testing.T) {
	var m Mixer
	a, b := sine(3*SampleRate, 200, 0.9), sine(3*SampleRate, 1000, 0.9)
	got := mixAll(&m, a, b)
	for i, x := range got {
		if x > 1 || x < -1 {
			t.Fatalf("sample %d: %v", i, x)
		}
	}
	if m.reduction == 0 {
		t.Error("a sum of 1.8 was not limited")
	}
	settled := got[SampleRate : 2*SampleRate]
	if d := residue(settled, 200, 1000); d > -50 {
		t.Errorf("distortion of %.1f dB", d)
	}
	if l := Level(settled); l < -6.1 {
		t.Errorf("limited down to %.1f dBFS", l)
	}
}

// clickiness is the energy above about 10 kHz (the fourth difference), relative to
// full scale, of the worst 5 ms.
func clickiness(pcm []float32) float64 {
	worst := Silence
	high := make([]float32, SampleRate/200)
	for at := 4; at+len(high) <= len(pcm); at += len(high) {
		for i := range high {
			x := pcm[at+i-4:]
			high[i] = (x[0] - 4*x[1] + 6*x[2] - 4*x[3] + x[4]) / 16
		}
		worst = max(worst, Level(high))
	}
	return worst
}

// The limiter's gain makes no step when it sets in nor when it lets go.
func TestLimiterDoesNotClick(t *testing.T) {
	var m Mixer
	a := sine(2*SampleRate, 210, 0.8)
	b := make([]float32, len(a))
	copy(b[SampleRate/2:], sine(SampleRate/2, 370, 0.8)) // one talker joins in and stops
	if got := clickiness(mixAll(&m, a, b)); got > -65 {
		t.Errorf("clicks of %.1f dBFS", got)
	}
	if m.reduction > 0 {
		t.Error("still limiting a second later")
	}
	var again Mixer
	hard := make([]float32, len(a)) // what clipping would do, to show that the measure tells
	for i := range hard {
		hard[i] = max(-1, min(a[i]+b[i], 1))
	}
	if got, clipped := clickiness(mixAll(&again, a, b)), clickiness(hard); got > clipped-3 {
		t.Errorf("limiter %.1f dBFS, clipping %.1f", got, clipped)
	}
}

func TestTransparentAgainAfterLimiting(t *testing.T) {
	var m Mixer
	loud, normal := sine(SampleRate, 300, 0.9), sine(2*SampleRate, 300, 0.99)
	mixAll(&m, loud, loud)
	got := mixAll(&m, normal)
	for i := len(got) - frame20; i < len(got); i++ {
		if got[i] != normal[i] {
			t.Fatalf("sample %d is still changed after two seconds", i)
		}
	}
}

// Hostile sound lasts one frame, not for ever.
func TestMixerSurvivesWildSamples(t *testing.T) {
	var m Mixer
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	dst := make([]float32, 6)
	m.Mix(dst, []float32{nan, inf, -inf, 1e38, -1e38, 0.5}, []float32{0.1, inf, inf, 1e38, 0, 0})
	for i, x := range dst {
		if !(x >= -1 && x <= 1) {
			t.Errorf("sample %d: %v", i, x)
		}
	}
	normal := sine(2*SampleRate, 300, 0.5)
	got := mixAll(&m, normal)
	if last := len(got) - 1; got[last] != normal[last] {
		t.Error("never recovered")
	}
}

func TestMixLengths(t *testing.T) {
	var m Mixer
	dst := []float32{9, 9, 9}
	m.Mix(dst)
	if dst[0] != 0 || dst[2] != 0 {
		t.Errorf("nobody talks: %v", dst)
	}
	m.Mix(dst, []float32{0.1}, []float32{0.2, 0.2, 0.2, 0.2}, nil)
	if want := []float32{0.1 + float32(0.2), 0.2, 0.2}; dst[0] != want[0] || dst[1] != want[1] ||
		dst[2] != want[2] {
		t.Errorf("got %v, want %v", dst, want)
	}
}

func BenchmarkMix(b *testing.B) {
	for _, bench := range []struct {
		name      string
		amplitude float64
	}{{"quiet", 0.2}, {"limiting", 0.6}} {
		b.Run(bench.name, func(b *testing.B) {
			var m Mixer
			talker := sine(frame20, 300, bench.amplitude)
			talkers := [][]float32{talker, talker, talker}
			dst := make([]float32, frame20)
			b.ReportAllocs()
			for b.Loop() {
				m.Mix(dst, talkers...)
			}
		})
	}
}
