package audio

import "math"

// Silence is the level, dBFS, that digital silence and everything below it has.
const Silence = -100.0

// Level is the root mean square of pcm in dBFS: 0 for a full-scale square wave, -3 for a full-scale sine,
// about -25 for speech, Silence for nothing.
func Level(pcm []float32) float64 {
	if len(pcm) == 0 {
		return Silence
	}
	var sum float64
	for _, x := range pcm {
		sum += float64(x) * float64(x)
	}
	return decibels(math.Sqrt(sum / float64(len(pcm))))
}

func decibels(amplitude float64) float64 {
	if !(amplitude > 0) { // NaN as well
		return Silence
	}
	return max(Silence, 20*math.Log10(amplitude))
}
