package call

import (
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/audio/speech"
	"github.com/wzp-voice/wzp/internal/signalling"
	"github.com/wzp-voice/wzp/internal/simnet"
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
