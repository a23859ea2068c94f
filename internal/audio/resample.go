package audio

import "math"

// The resampler is a windowed sinc: output sample k is the input, read as the band-limited signal that it
// stands for, at time k*from/to. The kernel is a sinc cut off below the lower of both Nyquist rates, under a
// Kaiser window, tabled at kernelPhases points between two input samples and interpolated linearly between
// those. Positions are whole numbers in units of 1/to input samples, so that no rate drifts, however long the
// file. Usual rates meet few positions between two samples (8 kHz: 6, 44.1 kHz: 160), whose weights are kept.
const (
	kernelZeros  = 32   // zero crossings on each side: sharpness of the cutoff
	kernelPhases = 512  // table points per input sample
	kernelBeta   = 9.0  // Kaiser: about 90 dB of stop band
	kernelCutoff = 0.94 // of the lower Nyquist rate: room for the transition band
	keptWeights  = 1024 // positions between two samples whose weights are kept
	resampleRead = 1024 // input samples fetched at a time
)

// Reader yields samples as io.Reader yields bytes: mono, at SampleRate but for what goes into a resampler.
type Reader interface {
	Read(dst []float32) (n int, err error)
}

// resampler converts a mono stream from one rate to another, without delay: the output is aligned with the
// input. It implements Reader.
type resampler struct {
	in       Reader
	from, to int

	kernel  []float32   // half of the symmetric kernel, kernelPhases a sample
	half    int         // input samples on each side that a kernel covers
	weights [][]float32 // by frac, where few enough; made at first use
	scratch []float32   // weights of a position that is not kept

	window []float32 // input; window[0] is input sample base
	base   int64
	have   int64 // input samples read so far, silence around them not counted
	inErr  error // what ended the input, io.EOF as a rule

	pos  int64 // whole input samples passed
	frac int   // and the part of the next, in 1/to
}

func newResampler(in Reader, from, to int) *resampler {
	common := gcd(from, to)
	from, to = from/common, to/common
	scale := math.Min(1, float64(to)/float64(from)) * kernelCutoff
	half := int(math.Ceil(kernelZeros / scale))
	r := &resampler{in: in, from: from, to: to, half: half, kernel: makeKernel(scale, half)}
	r.scratch = make([]float32, 2*half)
	if to <= keptWeights {
		r.weights = make([][]float32, to)
	}
	// Silence before the first sample, so that every kernel finds its neighbours.
	r.window = make([]float32, half, 2*half+2*resampleRead)
	r.base = int64(-half)
	return r
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// makeKernel tables scale*sinc(scale*t)*kaiser(t/half) for t = 0 .. half.
func makeKernel(scale float64, half int) []float32 {
	table := make([]float32, half*kernelPhases+2)
	norm := besselI0(kernelBeta)
	for i := range table {
		t := float64(i) / kernelPhases
		x := t / float64(half)
		if x >= 1 {
			continue
		}
		window := besselI0(kernelBeta*math.Sqrt(1-x*x)) / norm
		table[i] = float32(scale * sinc(scale*t) * window)
	}
	return table
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// besselI0 is the modified Bessel function of order 0, by its power series.
func besselI0(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > sum*1e-12; k++ {
		term *= (x / 2 / k) * (x / 2 / k)
		sum += term
	}
	return sum
}

// Read fills dst unless the input ends first.
func (r *resampler) Read(dst []float32) (n int, err error) {
	for n < len(dst) {
		if !r.fill() {
			if n > 0 {
				return n, nil
			}
			return 0, r.inErr
		}
		dst[n] = r.sample()
		n++
		r.frac += r.from
		r.pos += int64(r.frac / r.to)
		r.frac %= r.to
	}
	return n, nil
}

// fill makes the window cover the kernel at pos. It is false at the end, when no input sample is left at or
// after pos.
func (r *resampler) fill() bool {
	for r.inErr == nil && r.base+int64(len(r.window)) < r.pos+int64(r.half)+1 {
		r.dropPassed()
		start := len(r.window)
		r.window = r.window[:start+resampleRead]
		n, err := r.in.Read(r.window[start:])
		r.window = r.window[:start+n]
		r.have += int64(n)
		r.inErr = err
	}
	return r.inErr == nil || r.pos < r.have
}

// dropPassed frees the part of the window that no later kernel reaches.
func (r *resampler) dropPassed() {
	passed := min(r.pos-int64(r.half)-r.base, int64(len(r.window)))
	if passed <= 0 {
		return
	}
	kept := copy(r.window, r.window[passed:])
	r.window = r.window[:kept]
	r.base += passed
}

// sample reads the input at pos + frac/to. Beyond the end there is silence.
func (r *resampler) sample() float32 {
	first := int(r.pos - int64(r.half) + 1 - r.base)
	weights := r.weightsAt(r.frac)
	window := r.window[first:]
	weights = weights[:min(len(weights), len(window))]
	var sum float32
	for i, w := range weights {
		sum += window[i] * w
	}
	return sum
}

// weightsAt returns the weights of the input samples pos-half+1 to pos+half.
func (r *resampler) weightsAt(frac int) []float32 {
	if r.weights == nil {
		r.weigh(r.scratch, frac)
		return r.scratch
	}
	if r.weights[frac] == nil {
		r.weights[frac] = make([]float32, 2*r.half)
		r.weigh(r.weights[frac], frac)
	}
	return r.weights[frac]
}

func (r *resampler) weigh(weights []float32, frac int) {
	offset := float64(frac) / float64(r.to)
	for j := range weights {
		t := math.Abs(float64(j-r.half+1)-offset) * kernelPhases
		k := min(int(t), len(r.kernel)-2) // the table ends with zeros
		f := float32(t - float64(k))
		weights[j] = r.kernel[k] + f*(r.kernel[k+1]-r.kernel[k])
	}
}
