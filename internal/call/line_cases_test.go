package call

import (
	"errors"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/signalling"
	"github.com/wzp-voice/wzp/internal/simnet"
)

// lossyPaths are between relays.
var lossyPaths = simnet.Profile{Delay: 20 * time.Millisecond, Jitter: 2 * time.Millisecond, Loss: 0.2,
	Seed: 1}

// isMissed, isStranger report whether an event is that.
func isMissed(e LineEvent) bool   { _, ok := e.(MissedCall); return ok }
func isStranger(e LineEvent) bool { _, ok := e.(StrangerCalled); return ok }

// knows has two know each other.
func (p *party) knows(o *party) {
	p.known[o.client.Identity().Public()] = true
	o.known[p.client.Identity().Public()] = true
}

// unanswered has p call o, and returns how long it took until nobody had answered.
func (p *party) unanswered(o *party) time.Duration {
	p.lab.t.Helper()
	begin := time.Now()
	call := p.dial(o)
	p.ended(call, signalling.NoAnswer, 40*time.Second)
	return time.Since(begin)
}

// TestCallNobodyAnswers: who is a stranger, or calls somebody who does not want to be disturbed, sees what
// callers see when nobody answers, in the same time.
func TestCallNobodyAnswers(t *testing.T) {
	inTelephone(t, 3, chain(3), simnet.Profile{Delay: 20 * time.Millisecond}, func(u *union) {
		anna, bert := u.relays[0].party("anna", false), u.relays[2].party("bert", true)
		time.Sleep(3 * time.Second)
		stranger := anna.unanswered(bert)
		if anna.saw(isRinging) || bert.newest() != nil || !bert.saw(isStranger) || bert.saw(isMissed) {
			t.Errorf("a stranger's call: %v, %v", anna.words(), bert.words())
		}
		anna.knows(bert)
		bert.line.SetDoNotDisturb(true)
		quiet := anna.unanswered(bert)
		if rang := anna.saw(isRinging); rang || bert.newest() != nil || !bert.saw(isMissed) {
			t.Errorf("do not disturb: %v, %v", anna.words(), bert.words())
		}
		bert.line.SetDoNotDisturb(false)
		real := anna.unanswered(bert)
		if !anna.saw(isRinging) {
			t.Errorf("it did not ring: %v", anna.words())
		}
		bert.until("it is missed", 10*time.Second, func() bool { return bert.newest() != nil })
		bert.ended(bert.newest(), signalling.WentMissed, 5*time.Second)
		t.Logf("a stranger's, a quiet and a real call that nobody answers: %v, %v, %v", stranger, quiet, real)
		for _, d := range []time.Duration{stranger, quiet} {
			if d < real-100*time.Millisecond || d > real+100*time.Millisecond {
				t.Errorf("%v, and a real one takes %v", d, real)
			}
		}
	})
}

// TestCallsThatAreNone: calls to oneself, to somebody who is not there, and more than ten a minute.
func TestCallsThatAreNone(t *testing.T) {
	inTelephone(t, 2, chain(2), simnet.Profile{Delay: 20 * time.Millisecond}, func(u *union) {
		anna, bert := u.relays[0].party("anna", true), u.relays[1].party("bert", false)
		anna.knows(bert)
		time.Sleep(3 * time.Second)
		own := anna.client.Identity().Public()
		if _, err := anna.line.Call(own.Fingerprint(), own); !errors.Is(err, ErrSelf) {
			t.Errorf("a call to oneself: %v", err)
		}
		anna.ended(anna.dial(bert), signalling.NotThere, 15*time.Second)
		bert.line.SetAvailable(true)
		time.Sleep(3 * time.Second)
		for i := range 9 {
			call := anna.dial(bert)
			bert.incoming(5 * time.Second)
			if err := call.HangUp(); err != nil {
				t.Fatal(i, err)
			}
			anna.ended(call, signalling.Cancelled, time.Second)
			bert.until("the caller has given up", 5*time.Second, bert.idle)
		}
		key := bert.client.Identity().Public()
		if _, err := anna.line.Call(key.Fingerprint(), key); !errors.Is(err, ErrRate) {
			t.Errorf("the eleventh call in a minute: %v", err)
		}
	})
}

// idle reports whether there is no call.
func (p *party) idle() bool {
	p.line.mu.Lock()
	defer p.line.mu.Unlock()
	return len(p.line.calls) == 0
}

// TestCallsCross: of two who call each other at once over lossy links neither hears a ring, and they talk.
func TestCallsCross(t *testing.T) {
	for _, apart := range []time.Duration{0, 50 * time.Millisecond, 400 * time.Millisecond} {
		t.Run(apart.String(), func(t *testing.T) {
			inTelephone(t, 3, chain(3), lossyPaths, func(u *union) {
				anna, bert := u.relays[0].party("anna", true), u.relays[2].party("bert", true)
				anna.deaf, bert.deaf = true, true
				anna.knows(bert)
				time.Sleep(4 * time.Second)
				ofAnna := anna.dial(bert)
				time.Sleep(apart)
				key := anna.client.Identity().Public()
				ofBert, err := bert.line.Call(key.Fingerprint(), key)
				if err != nil {
					t.Fatal(err)
				}
				anna.up(ofAnna, 10*time.Second)
				bert.up(ofBert, 10*time.Second)
				for _, p := range []*party{anna, bert} {
					p.say(&drone{hz: annas}, PublishConfig{NoDTX: true})
				}
				for _, p := range []*party{anna, bert} {
					p.until("the other is heard", 10*time.Second, func() bool {
						return p.room.hearing.opened.Load() > 0
					})
				}
				if err := bert.room.Leave(); err != nil {
					t.Error(err)
				}
				anna.ended(ofAnna, signalling.HungUp, 5*time.Second)
			})
		})
	}
}

// TestCallRingsEverywhere: it rings on three devices at two relays. The first that answers talks, and the
// others stop; one that declines does so for all; a caller who gives up silences all.
func TestCallRingsEverywhere(t *testing.T) {
	inTelephone(t, 3, chain(3), lossyPaths, func(u *union) {
		anna := u.relays[0].party("anna", false)
		id := newIdentity(99)
		var devices []*party
		for i, at := range []int{1, 2, 2} {
			d := u.relays[at].strangerOf([]string{"bert", "bert's telephone", "bert's page"}[i], id)
			d.known[anna.client.Identity().Public()] = true
			if err := d.open(true); err != nil {
				t.Fatal(err)
			}
			d.deaf = true
			devices = append(devices, d)
		}
		anna.deaf = true
		time.Sleep(4 * time.Second)
		ring := func() (call *Call, ringing []*Call) {
			call = anna.dial(devices[0])
			for _, d := range devices {
				ringing = append(ringing, d.incoming(10*time.Second))
			}
			return call, ringing
		}
		call, ringing := ring()
		if err := ringing[1].Answer(); err != nil {
			t.Fatal(err)
		}
		anna.up(call, 10*time.Second)
		devices[1].up(ringing[1], 10*time.Second)
		devices[0].ended(ringing[0], signalling.Elsewhere, 10*time.Second)
		devices[2].ended(ringing[2], signalling.Elsewhere, 10*time.Second)
		if err := call.HangUp(); err != nil {
			t.Error(err)
		}
		devices[1].ended(ringing[1], signalling.HungUp, 10*time.Second)

		call, ringing = ring()
		if err := ringing[2].HangUp(); err != nil {
			t.Error(err)
		}
		anna.ended(call, signalling.Declined, 10*time.Second)
		for i, d := range devices[:2] {
			d.ended(ringing[i], signalling.WentMissed, 10*time.Second)
		}

		call, ringing = ring()
		if err := call.HangUp(); err != nil {
			t.Error(err)
		}
		anna.ended(call, signalling.Cancelled, 10*time.Second)
		for i, d := range devices {
			d.ended(ringing[i], signalling.WentMissed, 10*time.Second)
		}
	})
}
