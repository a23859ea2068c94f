package speech

import (
	"math"
	"slices"

	"github.com/wzp-voice/wzp/internal/audio"
)

const (
	activeBelowLoud = 25.0  // dB below the loud frames of a recording: still speech
	activeFloor     = -55.0 // dBFS below which nothing is speech
)

// Active marks the 20 ms frames of pcm in which somebody speaks: those within
// 25 dB of the recording's loud frames (its 95th percentile). A last part of a
// frame does not count.
func Active(pcm []float32) []bool {
	levels := make([]float64, len(pcm)/FrameSamples)
	for i := range levels {
		levels[i] = audio.Level(pcm[i*FrameSamples : (i+1)*FrameSamples])
	}
	if len(levels) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(levels))
	loud := sorted[len(sorted)*95/100]
	active := make([]bool, len(levels))
	for i, level := range levels {
		active[i] = level > max(loud-activeBelowLoud, activeFloor)
	}
	return active
}

// Report says how much of a recording was heard.
type Report struct {
	Offset      int     // samples: got[i+Offset] belongs to ref[i]
	Correlation float64 // see Align
	Active      int     // frames of ref in which somebody speaks
	Missing     []int   // numbers of the active frames of ref that are not in got
}

// Compare aligns got with ref and lists the active 20 ms frames of ref whose sound
// is not in got. It follows the shifts of a jitter buffer, forgives what a codec
// does from 8 kbit/s up, a different volume, and other sound on top.
func Compare(ref, got []float32) Report {
	offset, correlation := Align(ref, got)
	r := Report{Offset: offset, Correlation: correlation}
	lags := track(ref, got, offset)
	var frames []int
	for i, active := range Active(ref) {
		if active {
			frames = append(frames, i)
		}
	}
	r.Active = len(frames)
	pairs := make([]pair, len(frames))
	for k, i := range frames {
		at := i * FrameSamples
		pairs[k] = pair{
			ref: bandLevels(ref, at),
			got: bandLevels(got, at+lags[at/trackSegment]),
		}
	}
	volume := volumeOf(pairs)
	for k, i := range frames {
		if !pairs[k].present(volume) {
			r.Missing = append(r.Missing, i)
		}
	}
	return r
}

// bandEdges, Hz, divide speech about as hearing does.
var bandEdges = [bandCount + 1]float64{100, 300, 500, 800, 1200, 1700, 2400, 3400}

const (
	bandCount = 7
	bandFFT   = 1024

	bandMatters = 20.0 // dB below the strongest band: masked by it
	bandMissing = 9.0  // dB too weak: not there
	bandShare   = 0.5  // of the bands that matter must be there
)

type levels struct {
	bands [bandCount]float64 // dB
	total float64            // dB
}

type pair struct{ ref, got levels }

// bandLevels measures the frame that starts at sample at; outside pcm is silence.
func bandLevels(pcm []float32, at int) levels {
	x := make([]complex128, bandFFT)
	for i := range FrameSamples {
		if k := at + i; k >= 0 && k < len(pcm) {
			hann := 0.5 - 0.5*math.Cos(2*math.Pi*(float64(i)+0.5)/FrameSamples)
			x[i] = complex(float64(pcm[k])*hann, 0)
		}
	}
	fft(x)
	var l levels
	var total float64
	for b := range l.bands {
		var sum float64
		for k := binOf(bandEdges[b]); k < binOf(bandEdges[b+1]); k++ {
			sum += real(x[k])*real(x[k]) + imag(x[k])*imag(x[k])
		}
		l.bands[b] = powerDB(sum)
		total += sum
	}
	l.total = powerDB(total)
	return l
}

func binOf(hz float64) int { return int(math.Round(hz * bandFFT / audio.SampleRate)) }

func powerDB(x float64) float64 { return 10 * math.Log10(x+1e-12) }

// volumeOf is by how many dB got is louder than ref: the upper quartile over the
// frames, so that missing ones do not count, within what a mixer does.
func volumeOf(pairs []pair) float64 {
	if len(pairs) == 0 {
		return 0
	}
	gains := make([]float64, len(pairs))
	for i, p := range pairs {
		gains[i] = p.got.total - p.ref.total
	}
	slices.Sort(gains)
	return max(-12, min(gains[len(gains)*3/4], 3))
}

// present tells whether the frame's sound is there: its strong bands are, and its
// energy as a whole. Extra sound does no harm.
func (p pair) present(volume float64) bool {
	if p.got.total-volume < p.ref.total-bandMissing {
		return false
	}
	strongest := slices.Max(p.ref.bands[:])
	matter, there := 0, 0
	for b, level := range p.ref.bands {
		if level < strongest-bandMatters {
			continue
		}
		matter++
		if p.got.bands[b]-volume >= level-bandMissing {
			there++
		}
	}
	return float64(there) >= bandShare*float64(matter)
}
