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

// Active marks the 20 ms frames of pcm in which somebody speaks: those within 25 dB of the recording's loud
// frames (its 95th percentile). A last part of a frame does not count.
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

// Compare aligns got with ref and lists the active 20 ms frames of ref whose sound is not in got. It follows
// the shifts of a jitter buffer, forgives what a codec does from 8 kbit/s up, a different volume, and other
// sound on top.
func Compare(ref, got []float32) Report {
	offset, correlation := Align(ref, got)
	r := Report{Offset: offset, Correlation: correlation}
	t := track(ref, got, offset)
	candidates := make(map[int][]pair) // by frame, one for each place where it may be
	var gains []float64
	active := Active(ref)
	for i, a := range active {
		if !a {
			continue
		}
		r.Active++
		for _, lag := range t.places(i) {
			p := measure(ref, got, i*FrameSamples, lag)
			candidates[i] = append(candidates[i], p)
			gains = append(gains, p.whole.gain())
		}
	}
	volume := volumeOf(gains)
	for i, a := range active {
		found := func(p pair) bool { return p.present(volume) }
		if a && !slices.ContainsFunc(candidates[i], found) {
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
	halfMissing = 15.0 // dB too weak for 10 ms: cut out
)

// levels are the energies of a piece of sound, dB.
type levels struct {
	bands [bandCount]float64
	total float64
}

// heard is a piece of ref and what is in its place in got.
type heard struct{ ref, got levels }

func (h heard) gain() float64 { return h.got.total - h.ref.total }

// pair is a frame, and its two halves: what was cut out of got need not lie on ref's frame grid.
type pair struct {
	whole  heard
	halves [2]heard
}

func measure(ref, got []float32, at, lag int) pair {
	const half = FrameSamples / 2
	piece := func(at, n int) heard { return heard{bandLevels(ref, at, n), bandLevels(got, at+lag, n)} }
	return pair{whole: piece(at, FrameSamples), halves: [2]heard{piece(at, half), piece(at+half, half)}}
}

// bandLevels measures n samples from at, under a Hann window; outside pcm is silence.
func bandLevels(pcm []float32, at, n int) levels {
	var x [bandFFT]complex128
	for i := range n {
		if k := at + i; k >= 0 && k < len(pcm) {
			hann := 0.5 - 0.5*math.Cos(2*math.Pi*(float64(i)+0.5)/float64(n))
			x[i] = complex(float64(pcm[k])*hann, 0)
		}
	}
	bandTransform.run(x[:])
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

var bandTransform = newTransform(bandFFT)

func binOf(hz float64) int { return int(math.Round(hz * bandFFT / audio.SampleRate)) }

func powerDB(x float64) float64 { return 10 * math.Log10(x+1e-12) }

// volumeOf is by how many dB got is louder than ref: the median, within what a mixer does.
func volumeOf(gains []float64) float64 {
	if len(gains) == 0 {
		return 0
	}
	slices.Sort(gains)
	return max(-12, min(gains[len(gains)/2], 3))
}

// present tells whether the frame's sound is there: its energy is, in both halves unless one is faint anyway,
// and so are its strong bands. Extra sound does no harm.
func (p pair) present(volume float64) bool {
	if p.whole.gain() < volume-bandMissing {
		return false
	}
	loud := max(p.halves[0].ref.total, p.halves[1].ref.total)
	for _, h := range p.halves {
		if h.gain() < volume-halfMissing && h.ref.total > loud-halfMissing {
			return false
		}
	}
	ref, got := p.whole.ref.bands, p.whole.got.bands
	strongest := slices.Max(ref[:])
	matter, there := 0, 0
	for b, level := range ref {
		if level < strongest-bandMatters {
			continue
		}
		matter++
		if got[b]-volume >= level-bandMissing {
			there++
		}
	}
	return float64(there) >= bandShare*float64(matter)
}
