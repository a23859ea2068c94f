package jitter

import "math"

const (
	minPeriod = 5 * ms / 2 // 400 Hz; higher voices are served by a multiple
	maxPeriod = 15 * ms    // 67 Hz
	compare   = 10 * ms    // samples compared
	coarse    = 4          // the first search runs at a quarter of the rate
	quiet     = 1e-6       // mean square below which any period will do (-60 dB)
)

// alike returns the lag in [low, high] at which a[0:] and b[lag:] are most alike, their normalised
// correlation there (-1 to 1), and the mean square of a. b must hold high + len(a) samples.
func alike(a, b []float32, low, high int) (lag int, correlation, power float64) {
	best := math.Inf(-1)
	for l := low; l <= high; l += coarse {
		if c := correlate(a, b[l:], coarse); c > best {
			best, lag = c, l
		}
	}
	from, to := max(low, lag-coarse+1), min(high, lag+coarse-1)
	best = math.Inf(-1)
	for l := from; l <= to; l++ {
		if c := correlate(a, b[l:], 1); c > best {
			best, lag = c, l
		}
	}
	for _, v := range a {
		power += float64(v) * float64(v)
	}
	return lag, best, power / float64(len(a))
}

// correlate is the normalised correlation of a and the beginning of b, taken at
// every step-th sample; 0 when either is silent.
func correlate(a, b []float32, step int) float64 {
	b = b[:len(a)]
	var ab, aa, bb float32
	for i := 0; i < len(a); i += step {
		ab += a[i] * b[i]
		aa += a[i] * a[i]
		bb += b[i] * b[i]
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return float64(ab) / math.Sqrt(float64(aa)*float64(bb))
}

// forward finds the period to remove at the read position: 2 x maxPeriod samples must be unread.
func (f *fifo) forward(high int) (period int, correlation, power float64) {
	return alike(f.buf[f.read:f.read+compare], f.buf[f.read:f.write], minPeriod, high)
}

// backward finds the period to repeat at the read position: how far back the
// history is like what comes next. compare + ahead samples must be unread.
func (f *fifo) backward(high int) (period int, correlation, power float64) {
	from := f.read - high
	lag, correlation, power := alike(f.buf[f.read:f.read+compare], f.buf[from:f.write], 0, high-minPeriod)
	return high - lag, correlation, power
}
