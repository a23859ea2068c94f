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
	meterMost  = time.Second            // of which a mediaMeter tells the mean; at least it is half of it
	meterRest  = time.Second            // after so long without media its rate is measured anew
	meterFirst = 200 * time.Millisecond // for so long nothing is known of it then
)

// mediaMeter tells the rate of media of about the last second, or since it began, from what ticks see of a
// mediaCount. It is pure; its Session locks it. The zero value has seen nothing.
type mediaMeter struct{ from, moved countedAt } // since when it tells the rate, and when there was media last

// countedAt is the count at a time on the Endpoint's clock.
type countedAt struct {
	at    time.Duration
	bytes uint32
}

// note keeps the count now.
func (m *mediaMeter) note(bytes uint32, at time.Duration) {
	if m.moved.at == 0 || at-m.moved.at > meterRest {
		m.from = countedAt{at, bytes} // what was before would make it too low
	}
	if bytes != m.moved.bytes {
		m.moved = countedAt{at, bytes}
	}
	if past := at - m.from.at; past > meterMost {
		m.from.at += past / 2
		m.from.bytes += (bytes - m.from.bytes) & countBytes / 2
	}
}

// rate returns bytes a second; 0 in the first moments of media.
func (m *mediaMeter) rate(bytes uint32, now time.Duration) float64 {
	past := now - m.from.at
	if past < meterFirst {
		return 0
	}
	return float64((bytes-m.from.bytes)&countBytes) / past.Seconds()
}

// leastTrip is the least round trip since the last turn, and in the turn before; 0: there was none.
type leastTrip [2]time.Duration

func (l *leastTrip) add(trip time.Duration) {
	if l[0] == 0 || trip < l[0] {
		l[0] = trip
	}
}

func (l *leastTrip) turn() { l[0], l[1] = 0, l[0] }

// least returns the least of both.
func (l *leastTrip) least() time.Duration {
	if l[0] == 0 || l[1] > 0 && l[1] < l[0] {
		return l[1]
	}
	return l[0]
}
