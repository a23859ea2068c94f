package wzp

import (
	"context"
	"slices"
	"sync"
	"time"
)

// deliveryTime is for how long, at most, the end of a source waits until those who are there have its keys.
const deliveryTime = 3 * time.Second

// outstanding are our keys that were handed out, and that not all are known to have. The zero value is none.
type outstanding struct {
	mu      sync.Mutex // guards what follows
	numbers []uint32   // at most maxOutstanding, ascending
	changed chan struct{}
}

// maxOutstanding is how many keys a relay follows for a member, at least.
const maxOutstanding = 4

// handedOut notes a key that goes out.
func (o *outstanding) handedOut(number uint32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.numbers) == maxOutstanding {
		o.numbers = o.numbers[1:] // nobody will say that it arrived
	}
	o.numbers = append(o.numbers, number)
}

// delivered notes that all have the keys with these numbers.
func (o *outstanding) delivered(numbers []uint32) {
	if len(numbers) == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	left := make([]uint32, 0, maxOutstanding)
	for _, number := range o.numbers {
		if !slices.Contains(numbers, number) {
			left = append(left, number)
		}
	}
	o.numbers = left
	if len(left) == 0 && o.changed != nil {
		close(o.changed)
		o.changed = nil
	}
}

// none returns a channel that is closed when there are none.
func (o *outstanding) none() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.changed == nil {
		o.changed = make(chan struct{})
	}
	done := o.changed
	if len(o.numbers) == 0 {
		close(o.changed)
		o.changed = nil
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
