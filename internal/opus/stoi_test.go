package opus_test

import (
	"math"
	"math/cmplx"
	"testing"

	"github.com/wzp-voice/wzp/internal/audio/speech"
	"github.com/wzp-voice/wzp/internal/opus"
)

// A listener of ref tells how much of it is understood from other sound: the short-time objective
// intelligibility (STOI) of Taal et al. (IEEE TASLP 19, 2011), at 12 kHz. The levels of 15 third-octave bands
// from 150 Hz up are correlated over
// 0.38 s, where ref is not silent.
type listener struct {
	ref    []float32
	active []int         // frames of ref that are less than 40 dB below its loudest
	levels [][15]float64 // of those
}

const (
	stoiFrame = 307 // 25.6 ms
	stoiHop   = stoiFrame / 2
	stoiFFT   = 512
)

func newListener(ref []float32) *listener {
	l := &listener{ref: decimated(ref)}
	loudest := 0.0
	for at := 0; at+stoiFrame <= len(l.ref); at += stoiHop {
		loudest = max(loudest, power(l.ref[at:at+stoiFrame]))
	}
	for at := 0; at+stoiFrame <= len(l.ref); at += stoiHop {
		if frame := l.ref[at : at+stoiFrame]; power(frame) > loudest*1e-4 {
			l.active = append(l.active, at)
			l.levels = append(l.levels, bands(frame))
		}
	}
	return l
}

// stoi is 1 if all of ref is understood from got, whose sample 0 belongs to that of ref.
func (l *listener) stoi(got []float32) float64 {
	const segment, clip = 30, 1 + 5.623413 // frames; 15 dB of distortion at most
	got = decimated(got)
	levels := make([][15]float64, len(l.active))
	for i, at := range l.active {
		if at+stoiFrame <= len(got) {
			levels[i] = bands(got[at : at+stoiFrame])
		}
	}
	sum, n := 0.0, 0
	for from := 0; from+segment <= len(levels); from++ {
		for band := range 15 {
			var a, b [segment]float64
			for i := range segment {
				a[i], b[i] = l.levels[from+i][band], levels[from+i][band]
			}
			scale := math.Sqrt(energy(a[:]) / (energy(b[:]) + 1e-20))
			for i := range b {
				b[i] = min(b[i]*scale, a[i]*clip)
			}
			sum += correlation(a[:], b[:])
			n++
		}
	}
	return sum / float64(n)
}

// decimated is a quarter of the samples of pcm. The recordings have nothing above 4 kHz.
func decimated(pcm []float32) []float32 {
	out := make([]float32, len(pcm)/4)
	for i := range out {
		out[i] = (pcm[4*i] + pcm[4*i+1] + pcm[4*i+2] + pcm[4*i+3]) / 4
	}
	return out
}

func bands(frame []float32) (levels [15]float64) {
	var spectrum [stoiFFT]complex128
	for i, v := range frame {
		window := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/stoiFrame)
		spectrum[i] = complex(float64(v)*window, 0)
	}
	fft(spectrum[:])
	bin := func(hz float64) int { return int(math.Round(hz * stoiFFT / (opus.SampleRate / 4))) }
	for band := range levels {
		centre := 150 * math.Pow(2, float64(band)/3)
		for _, v := range spectrum[bin(centre/math.Pow(2, 1./6)):bin(centre*math.Pow(2, 1./6))] {
			levels[band] += real(v)*real(v) + imag(v)*imag(v)
		}
		levels[band] = math.Sqrt(levels[band])
	}
	return levels
}

// fft transforms x, whose length is a power of two, in place.
func fft(x []complex128) {
	for i, j := 1, 0; i < len(x); i++ { // the bits of i turned round
		bit := len(x) / 2
		for ; j&bit != 0; bit /= 2 {
			j ^= bit
		}
		if j ^= bit; i < j {
			x[i], x[j] = x[j], x[i]
		}
	}
	for size := 2; size <= len(x); size *= 2 {
		step := cmplx.Rect(1, -2*math.Pi/float64(size))
		for from := 0; from < len(x); from += size {
			turn := complex(1, 0)
			for i := from; i < from+size/2; i++ {
				a, b := x[i], x[i+size/2]*turn
				x[i], x[i+size/2] = a+b, a-b
				turn *= step
			}
		}
	}
}

func power(pcm []float32) (sum float64) {
	for _, v := range pcm {
		sum += float64(v) * float64(v)
	}
	return sum
}

func energy(v []float64) (sum float64) {
	for _, x := range v {
		sum += x * x
	}
	return sum
}

func correlation(a, b []float64) float64 {
	centre := func(v []float64) {
		mean := 0.0
		for _, x := range v {
			mean += x / float64(len(v))
		}
		for i := range v {
			v[i] -= mean
		}
	}
	centre(a)
	centre(b)
	dot := 0.0
	for i := range a {
		dot += a[i] * b[i]
	}
	return dot / (math.Sqrt(energy(a)*energy(b)) + 1e-20)
}

func TestSTOI(t *testing.T) {
	pcm := speech.Must(t, speech.Review, 0)
	noisy := func(share float32) []float32 {
		out := make([]float32, len(pcm))
		state := uint32(1)
		for i, v := range pcm {
			state = state*1664525 + 1013904223
			out[i] = v + share*(float32(state>>8)/(1<<23)-1)
		}
		return out
	}
	l := newListener(pcm)
	if same := l.stoi(pcm); same < 0.9999 {
		t.Errorf("of the same: %.4f", same)
	}
	if little, much := l.stoi(noisy(0.01)), l.stoi(noisy(0.3)); !(little > 0.95 && much < 0.8) {
		t.Errorf("with noise: %.2f, much %.2f", little, much)
	}
	if other := l.stoi(speech.Must(t, speech.Keywords, 0)); other > 0.3 {
		t.Errorf("of other words: %.2f", other)
	}
}
