package budget

import (
	"sync/atomic"
	"time"
)

// Bucket is a token bucket of bytes in one word: the time at which it is full again (GCRA, ITU-T I.371). It
// takes no lock and allocates nothing. The zero value is full. All calls should name the same rate.
type Bucket struct{ full atomic.Int64 } // ns

// Take takes n bytes if the bucket, which fills at rate bytes a second and holds what that gives in burst,
// has them. A full one gives any number: packets of a size are never refused for ever.
func (b *Bucket) Take(n, rate int, burst, now time.Duration) bool {
	for {
		full := b.full.Load()
		at := max(full, int64(now))
		next := at + cost(n, rate)
		if next-int64(now) > int64(burst) && at > int64(now) {
			return false
		}
		if b.full.CompareAndSwap(full, next) {
			return true
		}
	}
}

// FullAt returns when the bucket is full again, if nothing is taken until then.
func (b *Bucket) FullAt() time.Duration { return time.Duration(b.full.Load()) }

// spend takes n bytes, which the bucket may be short of then.
func (b *Bucket) spend(n, rate int, now time.Duration) {
	for {
		full := b.full.Load()
		if b.full.CompareAndSwap(full, max(full, int64(now))+cost(n, rate)) {
			return
		}
	}
}

// cost returns how long n bytes take at rate bytes a second, in ns.
func cost(n, rate int) int64 { return int64(n) * int64(time.Second) / int64(max(1, rate)) }
