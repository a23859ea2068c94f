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

// meterEvery is how far apart the looks of a mediaMeter are, at least.
const meterEvery = 500 * time.Millisecond

// mediaMeter tells the rate of media of about the last second from what ticks see of a mediaCount. It is pure; its
// Session locks it. The zero value has seen nothing.
type mediaMeter struct{ before, last look }

// look is the count at a time on the Endpoint's clock.
type look struct {
	at    time.Duration
	bytes uint32
}

// look notes the count now.
func (m *mediaMeter) look(bytes uint32, at time.Duration) {
	if m.last.at == 0 || at-m.last.at >= meterEvery {
		m.before, m.last = m.last, look{at, bytes}
	}
}

// rate returns bytes a second; 0 in the first moments of a session.
func (m *mediaMeter) rate(bytes uint32, now time.Duration) float64 {
	from := m.before
	if from.at == 0 {
		from = m.last
	}
	if from.at == 0 || now <= from.at {
		return 0
	}
	return float64((bytes-from.bytes)&countBytes) / (now - from.at).Seconds()
}
