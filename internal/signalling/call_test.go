package signalling

import (
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/wire"
)

// A call from dialling to hanging up, by both ends, over a network that reorders.
func TestCall(t *testing.T) {
	for seed := range uint64(20) {
		w := newWorld(t, seed, "ann", "bob")
		w.jitter = time.Duration(seed*20) * time.Millisecond
		ann, bob := w.person("ann"), w.person("bob")
		ann.talks, bob.talks = true, true
		at := ann.dial(bob)
		w.until("it rings", func() bool { return len(all[Incoming](bob)) > 0 && len(all[Rings](ann)) > 0 })
		to := last[Incoming](bob).Call
		if in := last[Incoming](bob); in.Person != ann.id.Public() || in.Name != "ann" {
			t.Fatalf("%+v", in)
		}
		if bob.sent > 0 {
			t.Fatal("the called sends before it was chosen")
		}
		bob.act(func(now time.Time) error { return bob.line.Answer(to, now) })
		w.until("both are up", func() bool { return ann.line.State(at) == Open && bob.line.State(to) == Open })
		a, b := last[Up](ann), last[Up](bob)
		if a.CallID != b.CallID || a.Path != b.Path || !a.Caller || b.Caller ||
			a.Secret.Text() != b.Secret.Text() {
			t.Error("the ends have different calls")
		}
		if string(a.Entry) != string(b.OtherEntry) || string(b.Entry) != string(a.OtherEntry) ||
			a.Other.Identity != bob.id.Public() || b.Other.Identity != ann.id.Public() {
			t.Error("the ends have different entries")
		}
		w.run(5 * time.Second)
		if ann.heard < 30 || bob.heard < 30 {
			t.Errorf("heard %d and %d frames", ann.heard, bob.heard)
		}
		ended := w.now
		if seed%2 == 0 {
			ann.act(func(now time.Time) error { return ann.line.HangUp(at, now) })
		} else {
			bob.act(func(now time.Time) error { return bob.line.HangUp(to, now) })
		}
		w.until("both know", func() bool { return ann.ended(at) != 0 && bob.ended(to) != 0 })
		if took := w.now.Sub(ended); took > time.Second {
			t.Errorf("hanging up took %v", took)
		}
		w.until("relays forget", func() bool { return len(w.routes) == 0 })
		if took := w.now.Sub(ended); took > 3*time.Second {
			t.Errorf("relays forgot after %v", took)
		}
		w.quiet()
	}
}

// How calls end that are not answered.
func TestUnanswered(t *testing.T) {
	for name, tc := range map[string]struct {
		before func(w *world, bob *person)
		during func(ann, bob *person, at ID)
		caller Outcome
		called Outcome // 0: it never rang
		missed bool
		rings  bool
		within time.Duration
	}{
		"nobody answers": {caller: NoAnswer, called: WentMissed, rings: true, within: 33 * time.Second},
		"declined": {during: func(_, bob *person, _ ID) {
			bob.act(func(now time.Time) error { return bob.line.HangUp(last[Incoming](bob).Call, now) })
		}, caller: Declined, called: Declined, rings: true, within: 3 * time.Second},
		"cancelled": {during: func(ann, _ *person, at ID) {
			ann.act(func(now time.Time) error { return ann.line.HangUp(at, now) })
		}, caller: Cancelled, called: WentMissed, rings: true, within: 3 * time.Second},
		"a stranger": {before: func(w *world, bob *person) { clear(bob.known) }, caller: NoAnswer,
			within: 33 * time.Second},
		"not to be disturbed": {before: func(w *world, bob *person) { bob.line.DoNotDisturb(true) },
			caller: NoAnswer, missed: true, within: 33 * time.Second},
		"busy": {before: func(w *world, bob *person) {
			w.talk(bob, w.person("cem"))
		}, caller: Busy, missed: true, within: 2 * time.Second},
		"busy, a stranger": {before: func(w *world, bob *person) {
			w.talk(bob, w.person("cem"))
			clear(bob.known)
		}, caller: NoAnswer, within: 33 * time.Second},
		"not there": {before: func(w *world, bob *person) { bob.away = true }, caller: NotThere,
			within: 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, "ann", "bob", "cem")
			ann, bob := w.person("ann"), w.person("bob")
			if tc.before != nil {
				tc.before(w, bob)
			}
			rang := len(all[Incoming](bob))
			said, ended := bob.sends[wire.UrgentCallMessage], bob.sends[wire.UrgentCallEnd]
			began, at := w.now, ann.dial(bob)
			w.run(500 * time.Millisecond)
			if tc.during != nil {
				tc.during(ann, bob, at)
			}
			w.until("it is over", func() bool { return ann.ended(at) != 0 })
			if took := w.now.Sub(began); took > tc.within {
				t.Errorf("over after %v", took)
			}
			if got := ann.ended(at); got != tc.caller {
				t.Errorf("the caller was told: %v, want %v", got, tc.caller)
			}
			w.run(3 * time.Second)
			if (len(all[Rings](ann)) > 0) != tc.rings || (len(all[Incoming](bob)) > rang) != tc.rings {
				t.Errorf("it rang: %d, %d", len(all[Rings](ann)), len(all[Incoming](bob)))
			}
			if tc.rings && bob.ended(last[Incoming](bob).Call) != tc.called {
				t.Errorf("the called was told: %v, want %v", bob.ended(last[Incoming](bob).Call), tc.called)
			}
			if (len(all[Missed](bob)) > 0) != tc.missed {
				t.Errorf("missed: %v", all[Missed](bob))
			}
			if strange := len(bob.known) == 0; strange != (len(all[Stranger](bob)) == 1) {
				t.Errorf("strangers: %v", all[Stranger](bob))
			} else if strange && len(all[Up](bob)) == 0 &&
				(bob.sends[wire.UrgentCallMessage] > said || bob.sends[wire.UrgentCallEnd] > ended) {
				t.Error("a stranger was told something")
			}
		})
	}
}

// To who calls, a stranger's call, one at a bad time and one that nobody answers end after the same time.
func TestStrangerTiming(t *testing.T) {
	took := func(before func(bob *person)) time.Duration {
		w := newWorld(t, 1, "ann", "bob")
		ann, bob := w.person("ann"), w.person("bob")
		before(bob)
		began, at := w.now, ann.dial(bob)
		w.until("it is over", func() bool { return ann.ended(at) == NoAnswer })
		return w.now.Sub(began)
	}
	stranger := took(func(bob *person) { clear(bob.known) })
	disturb := took(func(bob *person) { bob.line.DoNotDisturb(true) })
	away := took(func(bob *person) {})
	if stranger != disturb || stranger != away {
		t.Errorf("%v, %v, %v", stranger, disturb, away)
	}
}

// The called rings on all devices, and one answers.
func TestDevices(t *testing.T) {
	w := newWorld(t, 3, "ann")
	ann, bobs := w.person("ann"), []*person{}
	for range wire.MaxDevices {
		bob := w.add("bob", testIdentity("bob"))
		bob.known[ann.id.Public()] = true
		bobs = append(bobs, bob)
	}
	at := ann.dial(bobs[0])
	for _, bob := range bobs {
		w.until("all ring", func() bool { return len(all[Incoming](bob)) == 1 })
	}
	// Two answer at once: one is chosen, and only that one sends.
	for _, i := range []int{2, 5} {
		bob := bobs[i]
		bob.talks = true
		bob.act(func(now time.Time) error { return bob.line.Answer(last[Incoming](bob).Call, now) })
	}
	w.run(2 * time.Second)
	if ann.line.State(at) != Open {
		t.Fatal(w.log())
	}
	up := 0
	for i, bob := range bobs {
		switch call := last[Incoming](bob).Call; {
		case bob.line.State(call) == Open:
			up++
		case bob.ended(call) != Elsewhere || bob.sent > 0:
			t.Errorf("device %d: %v, sent %d", i, bob.ended(call), bob.sent)
		}
	}
	if up != 1 {
		t.Errorf("%d devices are up", up)
	}
	if n := ann.sends[wire.UrgentCallForward]; n != wire.MaxDevices {
		t.Errorf("%d forwards", n)
	}
	ann.act(func(now time.Time) error { return ann.line.HangUp(at, now) })
	w.quiet()
}

// One device is busy, another declines for all.
func TestDeviceBusy(t *testing.T) {
	w := newWorld(t, 3, "ann", "cem")
	ann := w.person("ann")
	one, two := w.add("bob", testIdentity("bob")), w.add("bob", testIdentity("bob"))
	for _, bob := range []*person{one, two} {
		bob.known[ann.id.Public()] = true
		w.person("cem").known[bob.id.Public()] = true
	}
	w.talk(one, w.person("cem"))
	at := ann.dial(two)
	w.until("the other rings", func() bool { return len(all[Incoming](two)) == 1 && len(all[Missed](one)) == 1 })
	w.run(time.Second)
	if ann.ended(at) != 0 {
		t.Fatal("one busy device ended the call")
	}
	two.act(func(now time.Time) error { return two.line.HangUp(last[Incoming](two).Call, now) })
	w.until("declined", func() bool { return ann.ended(at) == Declined })
}

func TestHoldMuteKeys(t *testing.T) {
	w := newWorld(t, 4, "ann", "bob")
	w.jitter = 200 * time.Millisecond
	ann, bob := w.person("ann"), w.person("bob")
	ann.talks, bob.talks = true, true
	at, to := w.talk(ann, bob)
	// Fast enough that messages overtake each other: what was said last holds.
	for i := range 20 {
		ann.act(func(now time.Time) error { return ann.line.Hold(at, now) })
		ann.act(func(now time.Time) error { return ann.line.Mute(at, i%2 == 0, now) })
		w.run(20 * time.Millisecond)
		ann.act(func(now time.Time) error { return ann.line.Unhold(at, now) })
		w.run(20 * time.Millisecond)
	}
	ann.act(func(now time.Time) error { return ann.line.Hold(at, now) })
	w.run(time.Second)
	if h := last[Held](bob); !h.ByTheirs || h.ByUs || last[Muted](bob).Muted {
		t.Errorf("%+v, %+v", h, last[Muted](bob))
	}
	before := ann.heard + bob.heard
	w.run(10 * time.Second)
	if ann.heard+bob.heard > before || !l0(ann) || !l0(bob) {
		t.Error("media goes over a call that is held")
	}
	if len(all[Silent](ann))+len(all[Silent](bob)) > 0 {
		t.Error("a held call is taken for a broken one")
	}
	bob.act(func(now time.Time) error { return bob.line.Hold(to, now) })
	ann.act(func(now time.Time) error { return ann.line.Unhold(at, now) })
	w.run(time.Second)
	if !l0(ann) || !l0(bob) {
		t.Error("media goes though the other holds")
	}
	bob.act(func(now time.Time) error { return bob.line.Unhold(to, now) })
	w.run(time.Second)
	if l0(ann) || l0(bob) {
		t.Error("no media goes though nobody holds")
	}

	key := wire.SignedKey{KeyHeader: wire.KeyHeader{Suite: 2, Number: 7}}
	key.Signed, key.Signature = wire.AppendKeyHeader(nil, &key.KeyHeader), make([]byte, 64)
	ann.act(func(now time.Time) error { return ann.line.SendKey(at, key, make([]byte, wire.WrapFresh), now) })
	ann.act(func(now time.Time) error { return ann.line.SendKeysWanted(at, now) })
	w.run(time.Second)
	got := last[KeyCame](bob)
	if got.Call != to || got.Key.Key.Number != 7 || got.Key.Sender != wire.EntryID(last[Up](ann).Entry) {
		t.Errorf("%+v", got)
	}
	bob.act(func(now time.Time) error { return bob.line.SendKeyReceived(to, 7, now) })
	w.run(time.Second)
	if last[KeyReceived](ann).Number != 7 || len(all[KeysWanted](bob)) != 1 {
		t.Error("what keys need does not come")
	}
}

// Two who call each other talk, with one call of two, and nobody's device rings.
func TestGlare(t *testing.T) {
	for seed := range uint64(15) {
		w := newWorld(t, seed, "ann", "bob")
		w.jitter = 300 * time.Millisecond
		ann, bob := w.person("ann"), w.person("bob")
		at := ann.dial(bob)
		w.run(time.Duration(w.rng.IntN(5)) * 20 * time.Millisecond)
		to := bob.dial(ann)
		w.until("both are up", func() bool { return ann.line.State(at) == Open && bob.line.State(to) == Open })
		w.run(2 * time.Second)
		if last[Up](ann).CallID != last[Up](bob).CallID {
			t.Errorf("seed %d: they have different calls", seed)
		}
		lower := ann
		if b, a := bob.id.Public(), ann.id.Public(); string(b[:]) < string(a[:]) {
			lower = bob
		}
		if n := len(all[Incoming](ann)) + len(all[Incoming](bob)); n > 0 {
			t.Errorf("seed %d: %d rang", seed, n)
		}
		if !last[Up](lower).Caller {
			t.Errorf("seed %d: the call of the higher key stayed", seed)
		}
		if len(ann.line.calls) != 1 || len(bob.line.calls) != 1 {
			t.Errorf("seed %d: %d and %d calls", seed, len(ann.line.calls), len(bob.line.calls))
		}
		ann.act(func(now time.Time) error { return ann.line.HangUp(at, now) })
		w.run(time.Second)
		if ann.ended(at) != HungUpHere || bob.ended(to) != HungUp {
			t.Errorf("seed %d: %v, %v", seed, ann.ended(at), bob.ended(to))
		}
		w.quiet()
	}
}

// The call that stays cannot be set up: the other one is taken.
func TestGlareOneWay(t *testing.T) {
	for _, code := range []wire.CallCode{0, wire.CallNoRoute, wire.CallTooMany, wire.CallStale} {
		w := newWorld(t, 1, "ann", "bob")
		lower, higher := w.person("ann"), w.person("bob")
		if b, a := higher.id.Public(), lower.id.Public(); string(b[:]) < string(a[:]) {
			lower, higher = higher, lower
		}
		lower.refused = code
		higher.away = code == 0 // nobody finds it, but it calls
		to := higher.dial(lower)
		w.run(20 * time.Millisecond)
		at := lower.dial(higher)
		w.until("both are up", func() bool {
			return lower.line.State(at) == Open && higher.line.State(to) == Open
		})
		if last[Up](lower).Caller || len(all[Ended](lower)) > 0 {
			t.Errorf("%v: a call that could not be set up is up%s", code, w.log())
		}
	}
}

func TestDialRefused(t *testing.T) {
	w := newWorld(t, 1, "ann", "bob", "cem", "dan")
	ann, bob, cem := w.person("ann"), w.person("bob"), w.person("cem")
	dial := func(c Callee) error {
		_, err := ann.line.Dial(c, w.now)
		return err
	}
	if err := dial(Callee{Fingerprint: ann.id.Fingerprint()}); err != ErrSelf {
		t.Errorf("oneself: %v", err)
	}
	if err := dial(Callee{bob.id.Fingerprint(), cem.id.Public()}); err != ErrWho {
		t.Errorf("another's key: %v", err)
	}
	at, _ := w.talk(ann, bob)
	if err := dial(Callee{Fingerprint: bob.id.Fingerprint()}); err != ErrAlready {
		t.Errorf("whom we talk with: %v", err)
	}
	if err := dial(Callee{Fingerprint: cem.id.Fingerprint()}); err != ErrTalking {
		t.Errorf("while we talk: %v", err)
	}
	ann.act(func(now time.Time) error { return ann.line.Hold(at, now) })
	second, _ := w.talk(ann, cem)
	if err := ann.line.Unhold(at, w.now); err != ErrTalking {
		t.Errorf("two at once: %v", err)
	}
	for _, id := range []ID{at, second} {
		ann.act(func(now time.Time) error { return ann.line.HangUp(id, now) })
	}
	w.run(time.Second)
	for range maxDials - 2 {
		id := ann.dial(bob)
		ann.act(func(now time.Time) error { return ann.line.HangUp(id, now) })
	}
	if err := dial(Callee{Fingerprint: bob.id.Fingerprint()}); err != ErrRate {
		t.Errorf("many: %v", err)
	}
	w.run(dialsPer)
	if err := dial(Callee{Fingerprint: bob.id.Fingerprint()}); err != nil {
		t.Error(err)
	}
	for _, err := range []error{ann.line.HangUp(99, w.now), ann.line.Answer(at, w.now),
		ann.line.Hold(at, w.now), ann.line.Transfer(at, second, w.now), ann.line.Mute(0, true, w.now)} {
		if err != ErrState {
			t.Errorf("of no call: %v", err)
		}
	}
}

// Who dials somebody whose call rings here, answers it.
func TestDialAnswers(t *testing.T) {
	w := newWorld(t, 1, "ann", "bob")
	ann, bob := w.person("ann"), w.person("bob")
	at := ann.dial(bob)
	w.until("it rings", func() bool { return len(all[Incoming](bob)) == 1 })
	to := bob.dial(ann)
	w.until("both are up", func() bool { return ann.line.State(at) == Open && bob.line.State(to) == Open })
	if len(all[Incoming](ann)) > 0 {
		t.Error("it rang back")
	}
}

// Calls to oneself are refused by the called, too, whoever makes them.
func TestOwnOffer(t *testing.T) {
	w := newWorld(t, 1, "ann")
	one, two := w.person("ann"), w.add("ann", testIdentity("ann"))
	one.known[one.id.Public()], two.known[one.id.Public()] = true, true
	c := one.line.newCall(true, w.now) // a client without that rule
	c.target, c.secret, c.state = one.id.Fingerprint(), e2ee.NewSecret(), Resolving
	one.do(func() { c.askRoute(w.now) })
	w.run(time.Second)
	if len(all[Incoming](two)) > 0 || last[Refused](two).Why != e2ee.ErrOfferSelf {
		t.Error(w.log())
	}
}
