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
	// maxUnderWay is how many of our headers may be on their way to the relay at once. It keeps four for the
	// wraps that follow them; and whatever is more would only make each of them later.
	maxUnderWay = 3
	// maxOutstanding is how many are remembered.
	maxOutstanding = 4
	// passTime is how long a relay gets to pass a key on, before whoever asks for it is given it again.
	passTime = 2 * time.Second
	// deliveryTime is how long, at most, the end of a source waits until those who are there have its keys.
	deliveryTime = 3 * time.Second
)

// distribute hands out our keys. In the opening, whoever is found gets the key in use as it is.
func (k *keeper) distribute(in keeperInputs, opening bool, now time.Time) (next time.Time) {
	k.out.delivered(in.delivered)
	in.wanted = k.lacking(in.wanted, now)
	d, next := k.step(in, opening, k.out.busy(), now) // an acknowledgement wakes us when it is not any more
	if d != nil {
		k.handOut(d)
	}
	return next
}

// lacking returns who is to be given our key again, and has the list fetched for those who are not known.
func (k *keeper) lacking(wanted []wire.MemberID, now time.Time) (lack []wire.MemberID) {
	for _, id := range wanted {
		if _, known := k.roster.member(id); !known {
			k.fetch() // it cannot be helped before
		} else if !k.out.reaching(id, now) { // otherwise it asks again, if need be
			lack = append(lack, id)
		}
	}
	return lack
}

// step has the talker do what is due. No other lock of the room is taken meanwhile, and nothing is sent.
func (k *keeper) step(in keeperInputs, opening, busy bool, now time.Time) (*e2ee.Distribution, time.Time) {
	k.talking.Lock()
	defer k.talking.Unlock()
	if !k.ends.IsZero() && !now.Before(k.ends) {
		k.ends = time.Time{}
		k.talker.Disarm()
	}
	k.talker.Opening(opening)
	for _, number := range in.delivered {
		k.talker.Delivered(number)
	}
	for _, id := range in.wanted {
		k.talker.Wanted(id)
	}
	k.talker.Hold(busy)
	d, next := k.talker.Step(now)
	return d, e2ee.Soonest(next, k.ends)
}

// handOut sends a key to the relay, for its recipients.
func (k *keeper) handOut(d *e2ee.Distribution) {
	key := k.out.add(d)
	acked := func(bool) {
		if k.out.acked(key) {
			signal(k.wake)
		}
	}
	defer acked(true)
	send := func(kind wire.UrgentKind, body []byte) bool {
		k.out.sending(key)
		err := k.sender.urgent(kind, body, acked)
		if err != nil { // who lacks the key asks for it
			k.log.Debug("a key is not handed out to everybody at once", "number", d.Number(), "err", err)
			acked(false)
		}
		return err == nil
	}
	if !send(wire.UrgentSenderKey, d.Announce()) {
		return
	}
	for wraps := range d.Wraps() {
		if !send(wire.UrgentKeyWraps, wraps) {
			return
		}
	}
}

// outstanding are our keys that were handed out last, and that not all are known to have.
//
//	handing out ──> under way ──the relay has all its messages──> being passed on ──key delivered──> gone
type outstanding struct {
	mu   sync.Mutex // guards keys
	keys []*outKey  // ascending by number, at most maxOutstanding
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

// reaching reports whether a key is on its way to a member: another one would not help now.
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
	o.keys = slices.DeleteFunc(o.keys, func(key *outKey) bool {
		return slices.Contains(numbers, key.Number())
	})
}

// none reports whether there are none.
func (o *outstanding) none() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.keys) == 0
}

// wait returns when there are none, after deliveryTime, or when ctx ends. It looks now and then, for a source
// ends once.
func (o *outstanding) wait(ctx context.Context) {
	for end := time.Now().Add(deliveryTime); !o.none() && ctx.Err() == nil && time.Now().Before(end); {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}
