package federation

import "time"

const (
	// cutAfter is how long on end somebody may send far more than allowed before that is a flood.
	cutAfter = 10 * time.Second
	// meterSpan is over which time rates are compared for that.
	meterSpan = time.Second
)

// meter is a token bucket that also sees how much was offered. It is pure; its owner locks it. One that is
// made of rate and burst alone never finds a flood.
type meter struct {
	rate  int // a second
	burst int // tokens that it holds at most; it begins with them
	far   int // how many times the rate is far too much; 0: however much is not

	tokens float64
	filled time.Time // when tokens was true; zero: nothing came yet

	since   time.Time // beginning of the running span
	offered int       // in it
	farFrom time.Time // since when all spans had far too much; zero: the last one had not
	flooded bool      // cutAfter was reached
}

// allow counts something offered, and takes a token for it if there is one.
func (m *meter) allow(now time.Time) bool {
	m.watch(now)
	if m.filled.IsZero() {
		m.tokens, m.filled = float64(m.burst), now
	}
	if past := now.Sub(m.filled); past > 0 { // goroutines may come a little out of order
		m.tokens = min(float64(m.burst), m.tokens+past.Seconds()*float64(m.rate))
		m.filled = now
	}
	if m.tokens < 1 {
		return false
	}
	m.tokens--
	return true
}

// watch looks for a flood. A span ends with the first offer that is meterSpan or more after its beginning, so
// who pauses has a long span with little in it.
func (m *meter) watch(now time.Time) {
	if m.far == 0 {
		return
	}
	if m.since.IsZero() {
		m.since = now
	}
	if past := now.Sub(m.since); past >= meterSpan {
		switch {
		case float64(m.offered) < past.Seconds()*float64(m.far*m.rate):
			m.farFrom = time.Time{}
		case m.farFrom.IsZero():
			m.farFrom = m.since
		}
		m.flooded = m.flooded || !m.farFrom.IsZero() && now.Sub(m.farFrom) >= cutAfter
		m.since, m.offered = now, 0
	}
	m.offered++
}

// idle reports whether the bucket is full, so that a new meter would do the same.
func (m *meter) idle(now time.Time) bool {
	return m.tokens+now.Sub(m.filled).Seconds()*float64(m.rate) >= float64(m.burst)
}

// meters are meters of a kind, for who is busy. It is pure; its owner locks it.
type meters[K comparable] struct {
	most  int   // at once
	fresh meter // what each begins as

	busy  map[K]*meter
	swept time.Time // when they were looked through
}

// allow is the allow of a key's meter. It reports false also if too many are busy.
func (m *meters[K]) allow(key K, now time.Time) bool {
	one := m.busy[key]
	if one == nil {
		m.sweep(now)
		if len(m.busy) >= m.most {
			return false
		}
		if m.busy == nil {
			m.busy = make(map[K]*meter)
		}
		fresh := m.fresh
		one = &fresh
		m.busy[key] = one
	}
	return one.allow(now)
}

// sweep forgets meters that are idle, if there are as many as may be, and once per intakeSweep at most.
func (m *meters[K]) sweep(now time.Time) {
	if len(m.busy) < m.most || now.Sub(m.swept) < intakeSweep {
		return
	}
	m.swept = now
	for key, one := range m.busy {
		if one.idle(now) {
			delete(m.busy, key)
		}
	}
}
