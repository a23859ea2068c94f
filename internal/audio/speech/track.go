package speech

import (
	"math"
	"slices"

	"github.com/wzp-voice/wzp/internal/audio"
)

// Tracking runs at 6 kHz, which keeps pitch and the first formants.
const (
	trackThin    = 8                                // samples at 48 kHz per sample here
	trackSegment = audio.SampleRate / trackThin / 5 // 200 ms are shifted as one
	trackNear    = trackSegment * 3 / 4             // usual shifts: up to 150 ms
	trackFar     = trackSegment * 6                 // after an outage: up to 1.2 s
	trackTrust   = 0.35                             // correlation of a segment that is there
	trackSure    = 0.75                             // of one that is there, far from where it should be
	trackStep    = 3                                // samples: how coarsely far places are searched first
	// of the mean energy: a segment too faint to be searched far away
	trackFaint  = 0.02
	trackBetter = 0.05 // by how much another place must match better
)

// tracker follows the lag of got behind ref through all of ref: a jitter buffer that grows or shrinks shifts
// what follows.
type tracker struct {
	ref, got []float32
	energy   []float64 // of got[:i]
	faint    float64   // energy below which a segment of ref is taken for a pause

	lags    []int     // per segment of ref
	matches []float64 // correlation at that lag
}

// track starts from the segment that best fits the offset of the whole and works outwards from there. Where a
// segment is silent or missing, the lag of its neighbour goes on, with a match below trackTrust.
func track(ref, got []float32, offset int) *tracker {
	t := &tracker{ref: decimate(ref, trackThin), got: decimate(got, trackThin)}
	t.energy = make([]float64, len(t.got)+1)
	for i, x := range t.got {
		t.energy[i+1] = t.energy[i] + float64(x)*float64(x)
	}
	n := (len(t.ref) + trackSegment - 1) / trackSegment
	t.lags, t.matches = make([]int, n), make([]float64, n)
	t.faint = trackFaint * power(t.ref) / float64(max(n, 1))
	start := t.anchor(offset / trackThin)
	lag := offset / trackThin
	for s := start; s < n; s++ {
		lag = t.follow(s, lag)
	}
	if n > 0 {
		lag = t.lags[start]
	}
	for s := start - 1; s >= 0; s-- {
		lag = t.follow(s, lag)
	}
	return t
}

// anchor is the segment whose sound is most surely at the offset.
func (t *tracker) anchor(lag int) int {
	best, at := -1.0, 0
	for s := range t.lags {
		from, to := t.bounds(s)
		if m := t.match(from, to, lag) * math.Sqrt(power(t.ref[from:to])); m > best {
			best, at = m, s
		}
	}
	return at
}

func (t *tracker) bounds(segment int) (from, to int) {
	from = segment * trackSegment
	return from, min(from+trackSegment, len(t.ref))
}

// follow finds a segment near the lag of its neighbour, or else farther away.
func (t *tracker) follow(segment, lag int) int {
	from, to := t.bounds(segment)
	here := t.match(from, to, lag)
	found, best := t.search(from, to, lag, trackNear, 1)
	if best < max(here+trackBetter, trackTrust) {
		found, best = lag, here
	}
	if best < trackTrust && power(t.ref[from:to]) > t.faint {
		far, _ := t.search(from, to, lag, trackFar, trackStep)
		if far, m := t.search(from, to, far, trackStep, 1); m >= trackSure {
			found, best = far, m
		}
	}
	t.lags[segment], t.matches[segment] = found, best
	return found
}

// search tries the lags around one, reach to each side in steps of step.
func (t *tracker) search(from, to, lag, reach, step int) (found int, best float64) {
	found = lag
	for l := lag - reach; l <= lag+reach; l += step {
		if m := t.match(from, to, l); m > best {
			found, best = l, m
		}
	}
	return found, best
}

// match correlates ref[from:to] with got at a lag; 0 where most of it would lie outside got.
//
//go:norace
func (t *tracker) match(from, to, lag int) float64 {
	length := to - from
	from, to = max(from, -lag), min(to, len(t.got)-lag)
	if to-from < (length+1)/2 || to <= from {
		return 0
	}
	at, end := from+lag, to+lag
	part := t.ref[from:to]
	both := power(part) * (t.energy[end] - t.energy[at])
	if both <= 0 {
		return 0
	}
	var product float32
	for i, x := range t.got[at:end] {
		product += x * part[i]
	}
	return float64(product) / math.Sqrt(both)
}

const (
	wordTrust  = 0.5                                 // correlation of 60 ms that are there
	wordAround = FrameSamples / trackThin            // 20 ms on each side of the frame
	wordJitter = audio.SampleRate / trackThin / 1000 // 1 ms
)

// places lists the lags, in samples at 48 kHz, at which a 20 ms frame of ref may be: those of its segment and
// the neighbours. Where no segment was found, the frame with its surroundings has to be recognised by itself.
func (t *tracker) places(frame int) []int {
	from := frame * FrameSamples / trackThin
	own := from / trackSegment
	var lags []int
	for s := max(0, own-1); s <= min(own+1, len(t.lags)-1); s++ {
		lag := t.lags[s]
		if slices.Contains(lags, lag*trackThin) {
			continue
		}
		if t.matches[s] < trackTrust || s != own {
			begin, end := max(0, from-wordAround), min(len(t.ref), from+2*wordAround)
			if _, m := t.search(begin, end, lag, wordJitter, 1); m < wordTrust {
				continue
			}
		}
		lags = append(lags, lag*trackThin)
	}
	return lags
}
