package jitter

import "math"

const (
	taps   = 8  // length of the interpolation filter, in samples
	phases = 64 // steps between two samples; in between, the filter is interpolated
	ahead  = taps/2 + 1
)

// filters is a Hann-windowed sinc for every phase, each normalised to unit gain.
var filters = makeFilters()

func makeFilters() (out [phases + 1][taps]float32) {
	for p := range out {
		shift := float64(p) / phases
		var h [taps]float64
		sum := 0.0
		for k := range h {
			x := float64(k-(taps/2-1)) - shift
			h[k] = sinc(x) * (1 + math.Cos(math.Pi*x/(taps/2))) / 2
			sum += h[k]
		}
		for k := range h {
			out[p][k] = float32(h[k] / sum)
		}
	}
	return out
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// resampler reads a fifo at a rate near 1. While the rate is exactly 1 and the
// position falls on a sample, samples are copied unchanged.
type resampler struct {
	rate float64 // source samples per output sample, minus 1
	frac float64 // position between two source samples, [0, 1)
}

// set takes a new rate. When that is none, the rest of the way to a whole sample
// is made up within a chunk, so that samples can be copied again.
func (r *resampler) set(rate float64) {
	if rate == 0 && r.frac > 0 {
		rate = -r.frac / chunk
	}
	r.rate = rate
}

// need is how many unread samples n output samples can take.
func (r *resampler) need(n int) int {
	return int(float64(n)*(1+max(0, r.rate))+r.frac) + ahead
}

// take fills dst; need(len(dst)) samples must be unread.
func (r *resampler) take(dst []float32, f *fifo) {
	if r.rate == 0 && r.frac == 0 {
		f.read += copy(dst, f.buf[f.read:])
		return
	}
	pos := r.frac
	for i := range dst {
		whole := int(pos)
		at := f.read + whole - (taps/2 - 1)
		dst[i] = interpolate((*[taps]float32)(f.buf[at:at+taps]), pos-float64(whole))
		pos += 1 + r.rate
	}
	if near := math.Round(pos); math.Abs(pos-near) < 1e-6 {
		pos = near
	}
	whole := int(pos)
	f.read += whole
	r.frac = pos - float64(whole)
}

func interpolate(x *[taps]float32, frac float64) float32 {
	phase := frac * phases
	p := int(phase)
	w := float32(phase - float64(p))
	lo, hi := &filters[p], &filters[p+1]
	var a, b float32
	for k, v := range x {
		a += v * lo[k]
		b += v * hi[k]
	}
	return a + (b-a)*w
}
