package audio

const (
	// limiterHold keeps the gain down between the peaks of a loud tone: one period of 50 Hz, so that the
	// limiter does not bend the waveform.
	limiterHold = SampleRate / 50
	// limiterRelease is how much of the reduction is left after a sample: the gain comes back with a time
	// constant of 100 ms.
	limiterRelease = 1 - 1.0/(0.100*SampleRate)
	// limiterDone is the reduction that is dropped to exactly none: a step of -80 dB.
	limiterDone = 1e-4
)

// Mixer adds talkers. The sum goes through a limiter:
//
//	sum ──┬────────────────> x ──> out, within [-1, 1]
//	      └─> peak > 1 ? ─> gain    down at once, exactly as far as needed,
//	                                up again slowly after limiterHold
//
// The gain falls as the wave itself rises above full scale, so that it makes no step; and it is exactly 1
// while the sum stays below, so that one talker passes unchanged, bit for bit. The zero value is ready. One
// goroutine at a time.
type Mixer struct {
	reduction float32 // 1 - gain
	hold      int     // samples before the gain may come back
}

// Mix overwrites dst with the sum of the talkers' frames. A shorter frame counts as silent after its end.
// Samples that are no numbers count as silence.
func (m *Mixer) Mix(dst []float32, talkers ...[]float32) {
	clear(dst)
	for _, t := range talkers {
		t = t[:min(len(t), len(dst))]
		for i, x := range t {
			dst[i] += sanitize(x)
		}
	}
	m.limit(dst)
}

func (m *Mixer) limit(pcm []float32) {
	reduction, hold := m.reduction, m.hold
	for i, x := range pcm {
		peak := x
		if peak < 0 {
			peak = -peak
		}
		if reduction == 0 && peak <= 1 {
			continue
		}
		switch {
		case peak*(1-reduction) > 1:
			reduction = 1 - 1/peak
			hold = limiterHold
		case peak > 1 && peak*(1-reduction) > 0.9:
			hold = limiterHold // still as loud: the next peak is due soon
		case hold > 0:
			hold--
		default:
			reduction *= limiterRelease
			if reduction < limiterDone {
				reduction = 0
			}
		}
		pcm[i] = max(-1, min(x*(1-reduction), 1))
	}
	m.reduction, m.hold = reduction, hold
}
