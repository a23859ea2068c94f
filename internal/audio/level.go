package audio

import "math"

// Silence is the level, dBFS, that digital silence and everything below it has.
const Silence = -100.0

// Level is the root mean square of pcm in dBFS: 0 for a full-scale square wave, -3 for a full-scale sine,
// about -25 for speech, Silence for nothing.
func Level(pcm []float32) float64 {
	var sum float64
	for _, x := range pcm {
		sum += float64(x) * float64(x)
	}
	if !(sum > 0) { // NaN as well
		return Silence
	}
	return max(Silence, 10*math.Log10(sum/float64(len(pcm))))
}
