package call

import (
	"context"
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/wire"
)

// loneRoom is a room without a relay, whose keeper nobody runs.
func loneRoom(t *testing.T) *Room {
	t.Helper()
	key, err := e2ee.NewJoinKey()
	if err != nil {
		t.Fatal(err)
	}
	r := &Room{name: "r", events: newEvents(), roster: &roster{}, pages: rate.NewLimiter(0, 0)}
	r.ctx, r.cancel = context.WithCancel(t.Context())
	self := wire.EntryHash{1}
	listener := e2ee.NewListener(self, key, r.name, nil)
	r.hearing = newHearing(self.Member(), r.roster, listener, packetLog{}, r.tell)
	r.keeper = newKeeper(keeperConfig{
		room: r.name, self: self, identity: newIdentity(1), joinKey: key, listener: listener,
		frames: r.hearing,
		roster: r.roster, sender: &sender{}, events: r.events, fetch: r.fetch,
	})
	t.Cleanup(func() {
		r.cancel()
		r.wg.Wait()
	})
	return r
}

// becomesFree fails the test when a lock stays taken.
func becomesFree(t *testing.T, what string, lock sync.Locker) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		lock.Lock()
		defer lock.Unlock()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal(what, "stays taken")
	}
}

// TestPublishAndKeysWanted has somebody publish while the relay passes on that somebody unknown wants a key:
// what gets the keys ready waits for the keeper, and the keeper for the room, whose lock whoever publishes
// held once.
func TestPublishAndKeysWanted(t *testing.T) {
	t.Run("publish", func(t *testing.T) {
		r := loneRoom(t)
		r.keeper.talking.Lock()
		published := make(chan error, 1)
		go func() {
			p, err := r.Publish(&samples{pcm: tone(time.Second)}, PublishConfig{})
			if err == nil {
				p.Stop()
			}
			published <- err
		}()
		becomesFree(t, "the room", whenever{&r.mu, func() bool { return r.publication != nil }})
		r.keeper.talking.Unlock()
		if err := <-published; err != nil {
			t.Error(err)
		}
	})
	t.Run("keys wanted", func(t *testing.T) {
		r := loneRoom(t)
		r.mu.Lock()
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			r.keeper.distribute(keeperInputs{wanted: []wire.MemberID{{7}}}, false, time.Now())
		}()
		becomesFree(t, "the roster", whenever{&r.roster.mu, func() bool { return r.roster.fetching }})
		becomesFree(t, "talking", &r.keeper.talking)
		r.mu.Unlock()
		<-sent
	})
}

// whenever is a lock that is taken once something is so under it.
type whenever struct {
	sync.Locker
	is func() bool
}

func (w whenever) Lock() {
	for w.Locker.Lock(); !w.is(); w.Locker.Lock() {
		w.Locker.Unlock()
	}
}
