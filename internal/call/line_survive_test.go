//go:build !race

package call

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/signalling"
	"github.com/wzp-voice/wzp/internal/simnet"
)

// ring is the pairs that link relays so.
func ring(n int) [][2]int { return append(chain(n), [2]int{0, n - 1}) }

// pauses notes the longest pause between frames that somebody decrypts.
type pauses struct {
	room *Room
	stop chan struct{}
	wg   sync.WaitGroup

	mu    sync.Mutex // guards what follows
	last  time.Time
	pause time.Duration
}

// listens notes pauses from now on, at most a hundredth of a second too short.
func (p *party) listens() *pauses {
	e := &pauses{room: p.room, stop: make(chan struct{}), last: time.Now()}
	e.wg.Go(func() {
		was := e.room.hearing.opened.Load()
		for {
			select {
			case <-e.stop:
				return
			case <-time.After(10 * time.Millisecond):
			}
			e.mu.Lock()
			e.pause = max(e.pause, time.Since(e.last))
			if now := e.room.hearing.opened.Load(); now != was {
				was, e.last = now, time.Now()
			}
			e.mu.Unlock()
		}
	})
	return e
}

// longest ends it, and returns the longest pause, and how long the one is that is not over.
func (e *pauses) longest() (pause, now time.Duration) {
	close(e.stop)
	e.wg.Wait()
	return e.pause, time.Since(e.last)
}

// deafCall has two who know each other talk without end, and calls f in the midst, with what both hear. It
// wants the call to be up at the end, with both heard, and neither to have been silent for longer than limit.
func (u *union) deafCall(anna, bert *party, limit time.Duration, f func()) {
	u.t.Helper()
	anna.deaf, bert.deaf = true, true
	bert.known[anna.client.Identity().Public()] = true
	time.Sleep(3 * time.Second) // until all relays know that bert can be called
	call := anna.dial(bert)
	ringing := bert.incoming(10 * time.Second)
	if err := ringing.Answer(); err != nil {
		u.t.Fatal(err)
	}
	anna.up(call, 10*time.Second)
	bert.up(ringing, 10*time.Second)
	anna.say(&drone{hz: annas}, PublishConfig{NoDTX: true})
	bert.say(&drone{hz: berts}, PublishConfig{NoDTX: true})
	for _, p := range []*party{anna, bert} {
		p.until("the other is heard", 10*time.Second, func() bool { return p.room.hearing.opened.Load() > 0 })
	}
	time.Sleep(2 * time.Second)
	of := []*pauses{anna.listens(), bert.listens()}
	f()
	for i, p := range []*party{anna, bert} {
		pause, now := of[i].longest()
		u.t.Logf("the longest pause of what %s heard: %v", p.client.config.Name, pause)
		if pause > limit || now > time.Second {
			u.t.Errorf("%s heard nothing for %v, and at the end for %v, want at most %v; events %v",
				p.client.config.Name, pause, now, limit, p.words())
		}
	}
	if err := bert.room.Leave(); err != nil {
		u.t.Error(err)
	}
	bert.ended(ringing, signalling.HungUpHere, time.Second)
	anna.ended(call, signalling.HungUp, 5*time.Second)
}

// TestCallSurvives: a call goes on, whatever happens to the relays and networks that carry it.
func TestCallSurvives(t *testing.T) {
	paths := simnet.Profile{Delay: 20 * time.Millisecond, Jitter: 2 * time.Millisecond, Seed: 1}
	moves := func(p *party, to byte) {
		p.addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 3, to}), 6000)
		if err := p.conn.Rebind(p.addr); err != nil {
			t.Fatal(err)
		}
	}
	reborn := func(r *lab) {
		r.kill()
		time.Sleep(10 * time.Second)
		r.startRelay()
	}
	for _, c := range []struct {
		name  string
		paths simnet.Profile
		limit time.Duration // without a word of the other
		f     func(u *union, anna, bert *party)
	}{
		{"a relay on the path dies", paths, 5 * time.Second,
			func(u *union, _, _ *party) { u.relays[1].kill() }},
		{"who called moves", paths, 2 * time.Second, func(_ *union, anna, _ *party) { moves(anna, 1) }},
		{"who is called moves", paths, 2 * time.Second, func(_ *union, _, bert *party) { moves(bert, 2) }},
		{"the called's relay dies and returns", paths, 18 * time.Second,
			func(u *union, _, _ *party) { reborn(u.relays[2]) }},
		{"the caller's relay dies and returns", paths, 18 * time.Second,
			func(u *union, _, _ *party) { reborn(u.relays[0]) }},
		{"peer links lose 30 %", simnet.Profile{Loss: 0.3, Delay: paths.Delay, Seed: 2}, time.Second,
			func(*union, *party, *party) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inTelephone(t, 5, ring(5), c.paths, func(u *union) {
				anna, bert := u.relays[0].party("anna", false), u.relays[2].party("bert", true)
				u.deafCall(anna, bert, c.limit, func() {
					c.f(u, anna, bert)
					time.Sleep(c.limit + 2*time.Second)
				})
			})
		})
	}
}
