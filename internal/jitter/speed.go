package jitter

// The control laws: how fast to play, given the error e of the schedule in
// samples (e > 0: behind, the delay is longer than it should be).

const (
	maxRate    = 0.004      // resampling: 7 cents, not heard in speech
	lateBand   = ms / 4     // behind by less is left alone
	lateGain   = 800e-6     // per ms beyond: drift of 200 ppm costs a quarter of a millisecond more delay
	aheadBand  = ms / 10    // ahead by less is left alone
	aheadGain  = 2000e-6    // per ms beyond: drift eats 0.1 ms of the guard
	aheadLimit = -8 * ms    // further ahead: repeat pitch periods
	lateLimit  = 12 * ms    // further behind: remove pitch periods
	slowest    = 0.90       // speed while ahead
	fast       = 1.10       // speed when a little behind ...
	fastFrom   = 60 * ms    // ... up to here; then rising ...
	fastest    = 1.50       // ... to this ...
	fastestAt  = 1 * second // ... when so far behind
)

// driftRate is the resampling rate, minus 1, for small errors: proportional, outside a dead band in which
// samples pass unchanged. Being ahead is corrected more firmly, for that makes frames late.
func driftRate(e float64) float64 {
	switch {
	case e > lateBand:
		return min((e-lateBand)/ms*lateGain, maxRate)
	case e < -aheadBand:
		return max((e+aheadBand)/ms*aheadGain, -maxRate)
	}
	return 0
}

// speed is how fast time scaling plays at most.
func speed(e float64) float64 {
	switch {
	case e < aheadLimit:
		return slowest
	case e <= lateLimit:
		return 1
	case e <= fastFrom:
		return fast
	case e >= fastestAt:
		return fastest
	}
	return fast + (fastest-fast)*(e-fastFrom)/(fastestAt-fastFrom)
}

// pause is how many samples have to be played after one period was removed or repeated, to keep to a speed.
func pause(period int, speed float64) int64 {
	return int64(float64(period) / max(speed-1, 1-speed))
}

// likeness is how alike two periods must be for a change of speed: the further
// off the schedule is, the less it waits for a good moment.
func likeness(e float64) float64 {
	return max(0, 0.85-0.85*max(e, -e)/(150*ms))
}

const (
	fullConceal = 60 * ms  // concealment is at full level for so long ...
	fadeConceal = 120 * ms // ... and has faded out by then
	fadeIn      = 5 * ms   // ramp to full level after silence or faded concealment
)

// concealGain is the level of concealment after so many samples of it.
func concealGain(run int) float32 {
	if run <= fullConceal {
		return 1
	}
	return max(0, float32(fadeConceal-run)/(fadeConceal-fullConceal))
}
