package link

import (
	"sync/atomic"
	"time"
)

const (
	countBits  = 40 // of a mediaCount: packets; the bits above are bytes, modulo 2^24
	countBytes = 1<<(64-countBits) - 1
)

// mediaCount counts packets and their bytes in one word, since each packet of a fan-out adds to it.
type mediaCount struct{ v atomic.Uint64 }

// add counts a packet of size bytes.
func (c *mediaCount) add(size int) { c.v.Add(uint64(size)<<countBits | 1) }

func (c *mediaCount) packets() uint64 { return c.v.Load() & (1<<countBits - 1) }

// bytes returns the number of bytes modulo 2^24.
func (c *mediaCount) bytes() uint32 { return uint32(c.v.Load() >> countBits) }

const (
	meterEvery = 500 * time.Millisecond // how far apart the counts that a mediaMeter keeps are, at least
	meterRest  = time.Second            // after so long without media its rate is measured anew
	meterFirst = 200 * time.Millisecond // for so long nothing is known of it then
)

// mediaMeter tells the rate of media of about the last second, or since it began, from what ticks see of a
// mediaCount. It is pure; its Session locks it. The zero value has seen nothing.
type mediaMeter struct {
	before, last countedAt
	began, moved countedAt // when media began after a rest, and when there was some last
}

// countedAt is the count at a time on the Endpoint's clock.
type countedAt struct {
	at    time.Duration
	bytes uint32
}

// note keeps the count now.
func (m *mediaMeter) note(bytes uint32, at time.Duration) {
	now := countedAt{at, bytes}
	if m.last.at == 0 || at-m.last.at >= meterEvery {
		m.before, m.last = m.last, now
	}
	if bytes == m.moved.bytes {
		return
	}
	if m.moved.at == 0 || at-m.moved.at > meterRest {
		m.began = now
	}
	m.moved = now
}

// rate returns bytes a second; 0 in the first moments of media.
func (m *mediaMeter) rate(bytes uint32, now time.Duration) float64 {
	from := m.before
	if from.at == 0 {
		from = m.last
	}
	if m.began.at > from.at { // what was before would make it too low
		if from = m.began; now-from.at < meterFirst {
			return 0
		}
	}
	if from.at == 0 || now <= from.at {
		return 0
	}
	return float64((bytes-from.bytes)&countBytes) / (now - from.at).Seconds()
}
