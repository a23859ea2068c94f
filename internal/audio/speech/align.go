package speech

import (
	"math"
	"math/bits"
	"math/cmplx"
)

// coarse is the factor by which signals are thinned for the search of the offset: 12 kHz keeps all of speech
// that carries energy.
const coarse = 4

// Align finds where ref lies in got: got[i+offset] belongs to ref[i]. offset may be negative (got starts late
// in ref). correlation is that of the two over their overlap, -1 to 1: above 0.7 for what a speech codec
// makes of a signal, about 0 for unrelated sound or silence.
func Align(ref, got []float32) (offset int, correlation float64) {
	a, b := decimate(ref, coarse), decimate(got, coarse)
	if len(a) == 0 || len(b) == 0 {
		return 0, 0
	}
	rough := coarse * bestLag(a, b)
	best := math.Inf(-1)
	for lag := rough - 2*coarse; lag <= rough+2*coarse; lag++ {
		if c := dot(ref, got, lag); c > best {
			best, offset = c, lag
		}
	}
	return offset, correlate(ref, got, offset)
}

// bestLag is the lag with the largest cross-correlation, by FFT.
func bestLag(a, b []float32) int {
	size := 1 << bits.Len(uint(len(a)+len(b)))
	t := newTransform(size)
	fa, fb := t.spectrum(a), t.spectrum(b)
	for i := range fa {
		fa[i] = cmplx.Conj(fa[i]) * fb[i]
	}
	// The inverse transform of x is the conjugate of the transform of conj(x).
	for i := range fa {
		fa[i] = cmplx.Conj(fa[i])
	}
	t.run(fa)
	best, lag := math.Inf(-1), 0
	for i, c := range fa {
		if real(c) > best {
			best, lag = real(c), i
		}
	}
	if lag > size/2 {
		lag -= size
	}
	return lag
}

// transform is a radix-2 FFT; it holds the roots of unity of its size.
type transform []complex128

// newTransform makes one for size samples, a power of two of at least 2.
func newTransform(size int) transform {
	roots := make(transform, size/2)
	for i := range roots {
		roots[i] = cmplx.Rect(1, -2*math.Pi*float64(i)/float64(size))
	}
	return roots
}

// spectrum transforms pcm with zeros behind it.
func (t transform) spectrum(pcm []float32) []complex128 {
	x := make([]complex128, 2*len(t))
	for i, v := range pcm {
		x[i] = complex(float64(v), 0)
	}
	t.run(x)
	return x
}

// run transforms in place. With the race detector it would take ten times as long, and nothing here is
// shared.
//
//go:norace
func (t transform) run(x []complex128) {
	n := 2 * len(t)
	shift := 64 - bits.Len(uint(n-1))
	for i := range x {
		if j := int(bits.Reverse64(uint64(i)) >> shift); i < j {
			x[i], x[j] = x[j], x[i]
		}
	}
	for size := 2; size <= n; size *= 2 {
		half, stride := size/2, n/size
		for start := 0; start < n; start += size {
			for k := range half {
				t := t[k*stride] * x[start+half+k]
				u := x[start+k]
				x[start+k], x[start+half+k] = u+t, u-t
			}
		}
	}
}

// decimate averages each group of by samples: a mild low-pass, enough to search.
func decimate(pcm []float32, by int) []float32 {
	out := make([]float32, len(pcm)/by)
	for i := range out {
		var sum float32
		for _, x := range pcm[i*by : (i+1)*by] {
			sum += x
		}
		out[i] = sum / float32(by)
	}
	return out
}

// overlap clips [0, len(ref)) to where got[i+lag] exists.
func overlap(ref, got []float32, lag int) (from, to int) {
	return max(0, -lag), min(len(ref), len(got)-lag)
}

//go:norace
func dot(ref, got []float32, lag int) float64 {
	from, to := overlap(ref, got, lag)
	var sum float64
	for i := from; i < to; i++ {
		sum += float64(ref[i]) * float64(got[i+lag])
	}
	return sum
}

// correlate is the normalised correlation of ref and got at a lag.
func correlate(ref, got []float32, lag int) float64 {
	from, to := overlap(ref, got, lag)
	if from >= to {
		return 0
	}
	product := dot(ref, got, lag)
	energy := power(ref[from:to]) * power(got[from+lag:to+lag])
	if energy == 0 {
		return 0
	}
	return product / math.Sqrt(energy)
}

//go:norace
func power(pcm []float32) float64 {
	var sum float64
	for _, x := range pcm {
		sum += float64(x) * float64(x)
	}
	return sum
}
