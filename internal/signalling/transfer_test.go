package signalling

import (
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// three is ann, who talks with bob, whom it holds, and with cem.
func three(t *testing.T, seed uint64) (w *world, ann, bob, cem *person, toBob, toCem ID) {
	w = newWorld(t, seed, "ann", "bob", "cem")
	w.jitter = 200 * time.Millisecond
	ann, bob, cem = w.person("ann"), w.person("bob"), w.person("cem")
	bob.talks, cem.talks = true, true
	toBob, _ = w.talk(ann, bob)
	ann.act(func(now time.Time) error { return ann.line.Hold(toBob, now) })
	toCem, _ = w.talk(ann, cem)
	return w, ann, bob, cem, toBob, toCem
}

func TestTransfer(t *testing.T) {
	for seed := range uint64(20) {
		w, ann, bob, cem, toBob, toCem := three(t, seed)
		clear(cem.known) // bob is nobody to it
		ann.act(func(now time.Time) error { return ann.line.Transfer(toBob, toCem, now) })
		w.until("cem is asked", func() bool { return len(all[ConsentAsked](cem)) == 1 })
		if a := last[ConsentAsked](cem); a.Person != bob.id.Public() {
			t.Fatalf("%+v", a)
		}
		w.run(7 * time.Second) // people think; it is asked again
		if len(all[TransferAsked](bob)) > 0 {
			t.Fatal("bob is sent to somebody who has not agreed")
		}
		asked := last[ConsentAsked](cem).Call
		cem.act(func(now time.Time) error { return cem.line.Consent(asked, true, now) })
		w.until("bob is asked", func() bool { return len(all[TransferAsked](bob)) == 1 })
		w.run(7 * time.Second)
		if len(all[ConsentAsked](cem)) != 1 || len(all[TransferAsked](bob)) != 1 {
			t.Error("asked twice")
		}
		var id ID
		bob.act(func(now time.Time) (err error) {
			id, err = bob.line.AcceptTransfer(last[TransferAsked](bob).Call, true, now)
			return err
		})
		w.until("bob and cem talk", func() bool { return bob.line.State(id) == Open })
		w.run(3 * time.Second)
		if o := last[TransferOver](ann); !o.Done || o.From != toBob || o.To != toCem {
			t.Errorf("%+v", o)
		}
		if len(ann.line.calls) != 0 || len(bob.line.calls) != 1 || len(cem.line.calls) != 1 {
			t.Errorf("seed %d: %d, %d and %d calls%s", seed, len(ann.line.calls), len(bob.line.calls),
				len(cem.line.calls), w.log())
		}
		if ann.ended(toBob) != Transferred || ann.ended(toCem) != Transferred {
			t.Errorf("%v, %v", ann.ended(toBob), ann.ended(toCem))
		}
		if last[Up](cem).Other.Identity != bob.id.Public() || l0(bob) || l0(cem) {
			t.Error("they do not talk with each other")
		}
		bob.act(func(now time.Time) error { return bob.line.HangUp(id, now) })
		w.quiet()
		// The consent was good for one call.
		at := bob.dial(cem)
		w.until("no answer", func() bool { return bob.ended(at) != 0 })
		if bob.ended(at) != NoAnswer || len(all[Up](cem)) != 2 {
			t.Errorf("a consent served twice: %v", bob.ended(at))
		}
	}
}

func TestTransferRefused(t *testing.T) {
	for _, who := range []string{"third", "transferred", "nobody answers"} {
		w, ann, bob, cem, toBob, toCem := three(t, 1)
		ann.act(func(now time.Time) error { return ann.line.Transfer(toBob, toCem, now) })
		w.until("cem is asked", func() bool { return len(all[ConsentAsked](cem)) == 1 })
		if who != "nobody answers" {
			asked, yes := last[ConsentAsked](cem).Call, who != "third"
			cem.act(func(now time.Time) error { return cem.line.Consent(asked, yes, now) })
		}
		if who == "transferred" {
			w.until("bob is asked", func() bool { return len(all[TransferAsked](bob)) == 1 })
			bob.act(func(now time.Time) error {
				_, err := bob.line.AcceptTransfer(last[TransferAsked](bob).Call, false, now)
				return err
			})
		}
		w.until("it is over", func() bool { return len(all[TransferOver](ann)) == 1 })
		w.run(5 * time.Second)
		if last[TransferOver](ann).Done || ann.line.State(toBob) != Open || ann.line.State(toCem) != Open {
			t.Errorf("%s: %+v%s", who, last[TransferOver](ann), w.log())
		}
		if who != "transferred" && len(all[TransferAsked](bob)) > 0 {
			t.Errorf("%s: bob was asked", who)
		}
	}
}

// A transfer to somebody who never agreed, or agreed to something else, asks nobody and dials nobody.
func TestTransferWithoutConsent(t *testing.T) {
	w, ann, bob, cem, toBob, _ := three(t, 1)
	call := last[Up](bob).CallID
	consent := func(change func(c *wire.Consent)) *wire.Signal {
		c := wire.Consent{Expiry: uint64(w.now.Unix() + 60)}
		c.Sign(cem.id, ann.id.Public(), bob.id.Public(), call)
		if change != nil {
			change(&c)
		}
		return &wire.Signal{Type: wire.SignalTransfer, Person: cem.id.Public(), Consent: c}
	}
	bad := map[string]*wire.Signal{
		"none":    {Type: wire.SignalTransfer, Person: cem.id.Public()},
		"changed": consent(func(c *wire.Consent) { c.Signature[0] ^= 1 }),
		"by ann":  consent(func(c *wire.Consent) { c.Sign(ann.id, ann.id.Public(), bob.id.Public(), call) }),
		"of another call": consent(func(c *wire.Consent) {
			c.Sign(cem.id, ann.id.Public(), bob.id.Public(), last[Up](cem).CallID)
		}),
		"for another": consent(func(c *wire.Consent) { c.Sign(cem.id, ann.id.Public(), ann.id.Public(), call) }),
		"asked by another": consent(func(c *wire.Consent) {
			c.Sign(cem.id, bob.id.Public(), bob.id.Public(), call)
		}),
		"expired": consent(func(c *wire.Consent) {
			c.Expiry = uint64(w.now.Unix() - 121)
			c.Sign(cem.id, ann.id.Public(), bob.id.Public(), call)
		}),
		"for long": consent(func(c *wire.Consent) {
			c.Expiry = uint64(w.now.Unix() + 600)
			c.Sign(cem.id, ann.id.Public(), bob.id.Public(), call)
		}),
		"to bob": {Type: wire.SignalTransfer, Person: bob.id.Public()},
		"to ann": {Type: wire.SignalTransfer, Person: ann.id.Public()},
	}
	n := 0
	for name, s := range bad {
		ann.do(func() { ann.line.call(toBob).chosen.say(s, w.now) })
		w.run(time.Second)
		n++
		refused := all[Refused](bob)
		if len(all[TransferAsked](bob)) > 0 || len(refused) != n || refused[n-1].Why != ErrConsent {
			t.Errorf("%s: %v%s", name, all[TransferAsked](bob), w.log())
		}
	}
	if bob.sends[wire.UrgentCallForward] > 0 || len(bob.line.calls) != 1 {
		t.Error("bob called somebody")
	}
	// The same with a true one.
	ann.do(func() { ann.line.call(toBob).chosen.say(consent(nil), w.now) })
	w.run(time.Second)
	if len(all[TransferAsked](bob)) != 1 {
		t.Error(w.log())
	}
}

// A third whose signature is not good leads nowhere, and who is asked of itself says nothing.
func TestConsentForged(t *testing.T) {
	w, ann, bob, cem, toBob, toCem := three(t, 1)
	ann.act(func(now time.Time) error { return ann.line.Transfer(toBob, toCem, now) })
	w.until("cem is asked", func() bool { return len(all[ConsentAsked](cem)) == 1 })
	cem.do(func() {
		s := &wire.Signal{Type: wire.SignalConsent, Accepted: true, Consent: wire.Consent{
			Expiry: uint64(w.now.Unix() + 60)}}
		cem.line.call(last[Up](cem).Call).chosen.say(s, w.now)
	})
	w.until("it is over", func() bool { return len(all[TransferOver](ann)) == 1 })
	if last[TransferOver](ann).Done || last[Refused](ann).Why != ErrConsent ||
		len(all[TransferAsked](bob)) > 0 {
		t.Error(w.log())
	}
	for _, who := range []*person{cem, ann} {
		ann.do(func() {
			s := &wire.Signal{Type: wire.SignalConsentWanted, Person: who.id.Public()}
			ann.line.call(toCem).chosen.say(s, w.now)
		})
		w.run(time.Second)
	}
	if len(all[ConsentAsked](cem)) != 1 || len(all[Refused](cem)) != 2 {
		t.Error(w.log())
	}
}

// A third who hangs up after its yes, or does not want to be disturbed any more, is called by nobody.
func TestConsentWithdrawn(t *testing.T) {
	for name, change := range map[string]func(cem *person, at ID){
		"hung up": func(cem *person, at ID) {
			cem.act(func(now time.Time) error { return cem.line.HangUp(at, now) })
		},
		"not to be disturbed": func(cem *person, _ ID) {
			cem.do(func() { cem.line.DoNotDisturb(true) })
			cem.do(func() { cem.line.DoNotDisturb(false) })
		},
	} {
		w, ann, bob, cem, toBob, toCem := three(t, 1)
		clear(cem.known)
		ann.act(func(now time.Time) error { return ann.line.Transfer(toBob, toCem, now) })
		w.until("cem is asked", func() bool { return len(all[ConsentAsked](cem)) == 1 })
		asked := last[ConsentAsked](cem).Call
		cem.act(func(now time.Time) error { return cem.line.Consent(asked, true, now) })
		w.until("bob is asked", func() bool { return len(all[TransferAsked](bob)) == 1 })
		change(cem, asked)
		bob.act(func(now time.Time) error {
			_, err := bob.line.AcceptTransfer(last[TransferAsked](bob).Call, true, now)
			return err
		})
		w.run(10 * time.Second)
		if len(all[Up](cem)) != 1 || len(all[Incoming](cem)) != 1 || len(all[Stranger](cem)) != 1 {
			t.Errorf("%s: somebody is put through all the same%s", name, w.log())
		}
	}
}
