package peer

import "time"

const (
	firstDelay = 5 * time.Second
	lastDelay  = 240 * time.Second // and up to a quarter more: 300 s
	stableLink = time.Minute       // a link that was up for so long makes up for the failures before it
)

// backoff decides how long a relay waits before it dials a peer again. It is pure: chance is given, and the
// caller keeps the time. The zero value has seen no failure.
//
//	failures in a row    1     2      3      4      5       6        7 and more
//	delay, seconds       5-6   10-12  20-25  40-50  80-100  160-200  240-300
//
// Up to a quarter of each delay is added by chance, so that relays that lost the same peer at the same time
// do not come back at the same time.
type backoff struct {
	failures int
}

// failed notes one more failure in a row and returns how long to wait. chance is uniform in [0, 1).
func (b *backoff) failed(chance float64) time.Duration {
	b.failures = min(b.failures+1, 16) // far above what reaches lastDelay
	return b.again(chance)
}

// again returns how long to wait after what is no failure, and no success either.
func (b *backoff) again(chance float64) time.Duration {
	delay := min(firstDelay<<max(b.failures-1, 0), lastDelay)
	return delay + time.Duration(chance*float64(delay)/4)
}

// lasted notes that a link was up for d.
func (b *backoff) lasted(d time.Duration) {
	if d >= stableLink {
		b.failures = 0
	}
}
