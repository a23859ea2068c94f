package audio

import (
	"math"
	"time"
)

// Silence is the level, dBFS, that digital silence and everything below it has.
const Silence = -100.0

// Level is the root mean square of pcm in dBFS: 0 for a full-scale square wave,
// -3 for a full-scale sine, about -25 for speech, Silence for nothing.
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

// Peak is the largest absolute sample in dBFS; 0 is full scale.
func Peak(pcm []float32) float64 {
	var peak float32
	for _, x := range pcm {
		peak = max(peak, x, -x)
	}
	return decibels(float64(peak))
}

func decibels(amplitude float64) float64 {
	if !(amplitude > 0) { // NaN as well
		return Silence
	}
	return max(Silence, 20*math.Log10(amplitude))
}

const (
	activityMargin = 10.0 // dB above the noise floor that count as voice
	activityFloor  = -60. // dBFS below which nothing counts
	// activityHang bridges the gaps between words.
	activityHang = 300 * time.Millisecond
	// The floor follows quieter sound at once and louder sound by 3 dB a second,
	// so that a fan becomes background within seconds and a word does not.
	floorRisePerSecond = 3.0
)

// Activity tells voice from background by level: the meter and the "talking"
// mark of a user interface. It decides nothing about what is transmitted. The
// zero value is ready. One goroutine at a time.
type Activity struct {
	floor  float64 // dBFS of the background
	primed bool
	hang   int // samples that still count as voice
}

// Update takes the next sound and returns its level (dBFS) and whether somebody
// speaks, gaps of up to 300 ms included.
func (a *Activity) Update(pcm []float32) (level float64, active bool) {
	level = Level(pcm)
	rise := floorRisePerSecond * float64(len(pcm)) / SampleRate
	switch {
	case !a.primed:
		// Until something quieter is heard, assume an ordinary quiet room.
		a.floor, a.primed = min(level, activityFloor), true
	case level < a.floor:
		a.floor = level
	default:
		a.floor = min(level, a.floor+rise)
	}
	if level > max(a.floor+activityMargin, activityFloor) {
		a.hang = samplesIn(activityHang)
		return level, true
	}
	a.hang = max(0, a.hang-len(pcm))
	return level, a.hang > 0
}
