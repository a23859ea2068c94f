package call

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/wzp-voice/wzp/internal/audio/speech"
	"github.com/wzp-voice/wzp/internal/signalling"
	"github.com/wzp-voice/wzp/internal/simnet"
	"github.com/wzp-voice/wzp/internal/wire"
)

// TestCall: two who know each other call each other, over one relay and over a chain of five, and what they
// say arrives whole both ways; both agree on the safety number, and a hang-up reaches the other.
func TestCall(t *testing.T) {
	for _, relays := range []int{1, 2, 5} {
		t.Run(map[int]string{1: "one relay", 2: "two relays", 5: "a chain of five"}[relays], func(t *testing.T) {
			paths := simnet.Profile{Delay: 20 * time.Millisecond, Jitter: 2 * time.Millisecond, Seed: 1}
			inTelephone(t, relays, chain(relays), paths, func(u *union) {
				anna, bert := u.relays[0].party("anna", false), u.relays[relays-1].party("bert", true)
				bert.known[anna.client.Identity().Public()] = true
				time.Sleep(3 * time.Second) // until all relays know that bert can be called
				start := time.Now()
				call := anna.dial(bert)
				ringing := bert.incoming(5 * time.Second)
				took := time.Since(start)
				anna.until("it rings there", 5*time.Second, func() bool {
					return anna.saw(func(e LineEvent) bool { _, ok := e.(CallRings); return ok })
				})
				t.Logf("it rang after %v", took)
				if err := ringing.Answer(); err != nil {
					t.Fatal(err)
				}
				anna.up(call, 5*time.Second)
				bert.up(ringing, 5*time.Second)
				if anna.room.keeper.renew != renewKeys {
					t.Errorf("keys are renewed after %v", anna.room.keeper.renew)
				}
				u.bothSay(anna, bert)
				if err := bert.room.Leave(); err != nil {
					t.Error(err)
				}
				bert.ended(ringing, signalling.HungUpHere, time.Second)
				anna.ended(call, signalling.HungUp, time.Second)
			})
		})
	}
}

// bothSay has two who are in a call say something at the same time, and wants it to arrive whole.
func (u *union) bothSay(a, b *party) {
	u.t.Helper()
	said := [2][]float32{speech.Must(u.t, speech.Keywords, 4*time.Second),
		speech.Must(u.t, speech.Review, 4*time.Second)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.says(said[0])
	}()
	b.says(said[1])
	<-done
	time.Sleep(500 * time.Millisecond)
	for i, ear := range []*party{b, a} {
		report := speech.Compare(said[i], ear.mix.take())
		heard := ear.room.Heard()
		if len(heard) == 0 {
			u.t.Fatalf("%s heard nothing", ear.client.config.Name)
		}
		st := heard[len(heard)-1].Stats()
		if st.Lost+st.Late+st.Duplicate+st.Dropped+st.Concealed+st.Forged != 0 || report.Active < 50 ||
			len(report.Missing) > int(st.Accelerated+st.Decelerated) {
			u.t.Errorf("to %s: %d of %d spoken frames are missing: %v; %+v", ear.client.config.Name,
				len(report.Missing), report.Active, report.Missing, st)
		}
	}
	if x, y := a.room.SafetyNumber(), b.room.SafetyNumber(); x == "" || x != y {
		u.t.Errorf("safety numbers %q and %q", x, y)
	}
}

// TestRecordRefused: who cannot be called any more, for the relay does not take a record, is told so; after
// too many of them the next one comes soon.
func TestRecordRefused(t *testing.T) {
	inTelephone(t, 1, nil, simnet.Profile{}, func(u *union) {
		bert := u.relays[0].party("bert", true)
		time.Sleep(time.Second)
		says := func(record []byte) {
			if err := bert.line.link.Session().SendUrgent(wire.UrgentAvailable, record); err != nil {
				t.Fatal(err)
			}
		}
		warned := func() bool {
			return bert.saw(func(e LineEvent) bool { _, ok := e.(LineWarning); return ok })
		}
		renews := func() time.Duration { // in how long
			synctest.Wait()
			return time.Until(bert.line.renew)
		}
		if d := renews(); d < time.Minute {
			t.Errorf("the next record comes in %v", d)
		}
		for range 20 {
			says(bert.line.record(bert.line.relay))
		}
		time.Sleep(5 * time.Second)
		if d := renews(); d > renewSoon {
			t.Errorf("after too many the next record comes in %v", d)
		}
		if warned() {
			t.Error("too many records are worth a warning")
		}
		says(bert.line.record(newIdentity(77).Public()))
		bert.until("it is said that bert cannot be called", time.Second, warned)
	})
}
