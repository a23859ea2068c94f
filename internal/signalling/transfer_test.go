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

// consents has p answer what it was asked last.
func consents(p *person, yes bool) {
	a := last[ConsentAsked](p)
	p.act(func(now time.Time) error { return p.line.Consent(a.Call, a.Person, yes, now) })
}

// accepts is likewise of a transfer; it returns the call that follows.
func accepts(p *person, yes bool) (id ID) {
	a := last[TransferAsked](p)
	p.act(func(now time.Time) (err error) {
		id, err = p.line.AcceptTransfer(a.Call, a.Person, yes, now)
		return err
	})
	return id
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
		consents(cem, true)
		w.until("bob is asked", func() bool { return len(all[TransferAsked](bob)) == 1 })
		w.run(7 * time.Second)
		if len(all[ConsentAsked](cem)) != 1 || len(all[TransferAsked](bob)) != 1 {
			t.Error("asked twice")
		}
		id := accepts(bob, true)
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
			consents(cem, who != "third")
		}
		if who == "transferred" {
			w.until("bob is asked", func() bool { return len(all[TransferAsked](bob)) == 1 })
			accepts(bob, false)
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
		consents(cem, true)
		w.until("bob is asked", func() bool { return len(all[TransferAsked](bob)) == 1 })
		change(cem, last[ConsentAsked](cem).Call)
		accepts(bob, true)
		w.run(10 * time.Second)
		if len(all[Up](cem)) != 1 || len(all[Incoming](cem)) != 1 || len(all[Stranger](cem)) != 1 {
			t.Errorf("%s: somebody is put through all the same%s", name, w.log())
		}
	}
}

// One question is asked at a time, and seldom; an answer is to what it names, and nothing else.
func TestQuestions(t *testing.T) {
	w, ann, bob, cem, toBob, toCem := three(t, 1)
	dan := w.add("dan", testIdentity("dan"))
	of := last[Up](bob)
	transfer := func(to *person) {
		c := wire.Consent{Expiry: uint64(w.now.Unix() + 60)}
		c.Sign(to.id, ann.id.Public(), bob.id.Public(), of.CallID)
		ann.do(func() {
			s := &wire.Signal{Type: wire.SignalTransfer, Person: to.id.Public(), Consent: c}
			ann.line.call(toBob).chosen.say(s, w.now)
		})
		w.run(300 * time.Millisecond)
	}
	accept := func(who *person, yes bool) (err error) {
		bob.do(func() { _, err = bob.line.AcceptTransfer(of.Call, who.id.Public(), yes, w.now) })
		return err
	}
	transfer(cem)
	for range 100 { // while the user makes up its mind
		transfer(dan)
		transfer(cem)
	}
	if a := all[TransferAsked](bob); len(a) != 1 || a[0].Person != cem.id.Public() ||
		last[Refused](bob).Why != ErrAsked {
		t.Errorf("%v%s", a, w.log())
	}
	if err := accept(dan, true); err != ErrState {
		t.Errorf("a yes to who was not asked about: %v", err)
	}
	bob.do(func() {
		if err := bob.line.Consent(of.Call, cem.id.Public(), true, w.now); err != ErrState {
			t.Errorf("a yes to what was not asked: %v", err)
		}
	})
	w.run(questionTime - w.now.Sub(bob.line.call(of.Call).question.at))
	if err := accept(cem, true); err != ErrState {
		t.Errorf("a yes to what nobody waits for: %v", err)
	}
	transfer(dan)
	if err := accept(dan, false); err != nil || last[TransferAsked](bob).Person != dan.id.Public() {
		t.Errorf("the next question: %v%s", err, w.log())
	}
	transfer(cem)
	if n := len(all[TransferAsked](bob)); n != 2 {
		t.Errorf("%d questions, the last one too soon", n)
	}
	w.run(questionEvery)
	transfer(cem)
	if n := len(all[TransferAsked](bob)); n != 3 || len(bob.line.calls) != 1 {
		t.Errorf("%d questions, %d calls", n, len(bob.line.calls))
	}
	// Likewise of consents.
	for i := range 100 {
		ann.do(func() {
			s := &wire.Signal{Type: wire.SignalConsentWanted, Person: bob.id.Public(),
				Call: wire.CallID{byte(i)}}
			ann.line.call(toCem).chosen.say(s, w.now)
		})
		w.run(100 * time.Millisecond)
	}
	if n := len(all[ConsentAsked](cem)); n != 1 {
		t.Errorf("%d questions at once", n)
	}
}
