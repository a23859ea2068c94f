package federation

import "time"

const (
	// cutAfter is how long on end somebody may send far more than allowed before that is a flood.
	cutAfter = 10 * time.Second
	// meterSpan is over which time rates are compared for that.
	meterSpan = time.Second
)

// rate is how much may pass: so many a second, and a burst.
type rate struct{ perSecond, burst int }

// bucket is a token bucket. The zero value is full.
type bucket struct {
	tokens float64
	filled time.Time // when tokens was true; zero: nothing came yet
}

// allow takes a token of a bucket, if it has one.
func (r rate) allow(b *bucket, now time.Time) bool {
	if past := now.Sub(b.filled); b.filled.IsZero() {
		b.tokens, b.filled = float64(r.burst), now
	} else if past > 0 { // goroutines may come a little out of order
		b.tokens, b.filled = min(float64(r.burst), b.tokens+past.Seconds()*float64(r.perSecond)), now
	}
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// full reports whether a bucket is as a new one.
func (r rate) full(b *bucket, now time.Time) bool {
	return b.tokens+now.Sub(b.filled).Seconds()*float64(r.perSecond) >= float64(r.burst)
}

// meter is a bucket that also sees how much was offered. It is pure; its owner locks it.
type meter struct {
	rate
	bucket
	far int // how many times the rate is far too much

	since   time.Time // beginning of the running span
	offered int       // in it
	farFrom time.Time // since when all spans had far too much; zero: the last one had not
	flooded bool      // cutAfter was reached
}

// allow counts something offered, and takes a token for it if there is one. A span ends with the first offer
// that is meterSpan or more after its beginning, so who pauses has a long span with little in it.
func (m *meter) allow(now time.Time) bool {
	if m.since.IsZero() {
		m.since = now
	}
	if past := now.Sub(m.since); past >= meterSpan {
		switch {
		case float64(m.offered) < past.Seconds()*float64(m.far*m.perSecond):
			m.farFrom = time.Time{}
		case m.farFrom.IsZero():
			m.farFrom = m.since
		}
		m.flooded = m.flooded || !m.farFrom.IsZero() && now.Sub(m.farFrom) >= cutAfter
		m.since, m.offered = now, 0
	}
	m.offered++
	return m.rate.allow(&m.bucket, now)
}

// buckets are those of a kind that are not full. It is pure; its owner locks it.
type buckets[K comparable] struct {
	rate
	most int // at once

	busy  map[K]*bucket
	swept time.Time // when full ones were looked for
}

// allow takes a token of a key's bucket. It reports false also if too many are busy.
func (b *buckets[K]) allow(key K, now time.Time) bool {
	one := b.busy[key]
	if one == nil {
		b.sweep(now)
		if len(b.busy) >= b.most {
			return false
		}
		if b.busy == nil {
			b.busy = make(map[K]*bucket)
		}
		one = new(bucket)
		b.busy[key] = one
	}
	return b.rate.allow(one, now)
}

// sweep forgets buckets that are full, if there are as many as may be, and once per intakeSweep at most.
func (b *buckets[K]) sweep(now time.Time) {
	if len(b.busy) < b.most || now.Sub(b.swept) < intakeSweep {
		return
	}
	b.swept = now
	for key, one := range b.busy {
		if b.full(one, now) {
			delete(b.busy, key)
		}
	}
}
