package call

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	// maxUnderWay is how many of our headers may be on their way to the relay at once. It keeps four for the wraps that
	// follow them; and whatever is more would only make each of them later.
	maxUnderWay = 3
	// maxOutstanding is how many are remembered.
	maxOutstanding = 4
	// passTime is how long a relay gets to pass a key on, before whoever asks for it is given it again.
	passTime = 2 * time.Second
	// deliveryTime is for how long, at most, the end of a source waits until those who are there have its keys.
	deliveryTime = 3 * time.Second
)

// outstanding are our keys that were handed out last, and that not all are known to have. The zero value is none.
//
//	handing out ──> under way ──the relay has all its messages──> being passed on ──key delivered──> gone
type outstanding struct {
	mu      sync.Mutex // guards what follows
	keys    []*outKey  // ascending by number, at most maxOutstanding
	waiting chan struct{}
}

// outKey is a header of a key that was handed out.
type outKey struct {
	*e2ee.Distribution
	messages int       // that the relay has not acknowledged
	passed   time.Time // when it had acknowledged all; zero: it has not
}

// add notes a key that is about to go out.
func (o *outstanding) add(d *e2ee.Distribution) *outKey {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.keys) == maxOutstanding {
		o.keys = slices.Delete(o.keys, 0, 1) // nobody will say that it arrived
	}
	key := &outKey{Distribution: d, messages: 1} // until all have been sent
	o.keys = append(o.keys, key)
	return key
}

// sending notes one more message of a key.
func (o *outstanding) sending(key *outKey) {
	o.mu.Lock()
	defer o.mu.Unlock()
	key.messages++
}

// acked notes that a message of a key was acknowledged, or given up. It reports whether it was the last one.
func (o *outstanding) acked(key *outKey) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if key.messages--; key.messages > 0 {
		return false
	}
	key.passed = time.Now()
	return true
}

// busy reports whether no more keys should go out before some of those under way have arrived.
func (o *outstanding) busy() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for _, key := range o.keys {
		if key.passed.IsZero() {
			n++
		}
	}
	return n >= maxUnderWay
}

// reaching reports whether a key is on its way to a member, so that to give it another one now would not help.
func (o *outstanding) reaching(id wire.MemberID, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, key := range o.keys {
		if (key.passed.IsZero() || now.Sub(key.passed) < passTime) && key.Has(id) {
			return true
		}
	}
	return false
}

// delivered notes that all have the keys with these numbers.
func (o *outstanding) delivered(numbers []uint32) {
	if len(numbers) == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keys = slices.DeleteFunc(o.keys, func(key *outKey) bool { return slices.Contains(numbers, key.Number()) })
	if len(o.keys) == 0 && o.waiting != nil {
		close(o.waiting)
		o.waiting = nil
	}
}

// none returns a channel that is closed when there are none.
func (o *outstanding) none() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.waiting == nil {
		o.waiting = make(chan struct{})
	}
	done := o.waiting
	if len(o.keys) == 0 {
		close(o.waiting)
		o.waiting = nil
	}
	return done
}

// wait returns when there are none, after deliveryTime, or when ctx ends.
func (o *outstanding) wait(ctx context.Context) {
	timer := time.NewTimer(deliveryTime)
	defer timer.Stop()
	select {
	case <-o.none():
	case <-timer.C:
	case <-ctx.Done():
	}
}
