package signalling

import (
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/wire"
)

// back returns somebody who was away as a new stay, which knows of the earlier one.
func (w *world) back(p *person, name string) *person {
	now := w.add(name, p.id)
	now.known, now.relay = p.known, p.relay
	now.line = New(Config{Identity: p.id, Name: name, StayKey: now.stay, Known: p.line.config.Known,
		Earlier: []EarlierStay{{p.stay, p.relay}}})
	now.fresh()
	return now
}

// Who calls somebody who is away learns that their relay has kept the call, and they learn of it when they
// are back: of a contact's by name, of a stranger's that there was one, of each once.
func TestMissedWhileAway(t *testing.T) {
	w := newWorld(t, 1, "ann", "bob", "eve")
	ann, bob, eve := w.person("ann"), w.person("bob"), w.person("eve")
	bob.known[eve.id.Public()] = false
	bob.away, bob.offline, bob.keeps = true, true, true
	when := w.now
	for _, p := range []*person{ann, eve, ann} {
		id := p.dial(bob)
		w.until("it is over", func() bool { return p.ended(id) != 0 })
		if p.ended(id) != Away || len(all[Rings](p)) > 0 {
			t.Fatalf("it ended as %v%s", p.ended(id), w.log())
		}
	}
	if took := w.now.Sub(when); took > 15*time.Second {
		t.Errorf("three calls took %v", took)
	}
	if n := ann.sends[wire.UrgentCallForward]; n != 2 {
		t.Errorf("%d forwards for two calls", n)
	}
	w.quiet()
	w.run(20 * time.Hour)
	offers := append([]wire.KeptCall{}, bob.kept...)
	again := w.back(bob, "bob again")
	w.run(time.Second)
	missed, strangers := all[Missed](again), all[Stranger](again)
	if len(missed) != 2 || missed[0].Person != ann.id.Public() || missed[0].Name != "ann" ||
		len(strangers) != 1 || strangers[0].Person != eve.id.Public() {
		t.Fatalf("missed %+v, strangers %+v%s", missed, strangers, w.log())
	}
	for _, at := range []time.Time{missed[0].At, missed[1].At, strangers[0].At} {
		if at.Before(when.Truncate(time.Second)) || at.After(when.Add(15*time.Second)) {
			t.Errorf("said to be of %v, was about %v", at, when)
		}
	}
	if over := all[KeptOver](again); len(over) != 1 || over[0].Device != bob.device() {
		t.Errorf("over: %+v", over)
	}
	if again.sends[wire.UrgentCallMessage]+again.sends[wire.UrgentCallMedia] > 0 {
		t.Error("something was said to who called")
	}
	// The relay tells them again, and so does the next one: nothing follows.
	for _, m := range offers {
		m.Of = 1
		again.do(func() { again.line.KeptCame(m, w.now) })
	}
	again.fresh()
	w.run(time.Second)
	n, asked := len(all[Missed](again))+len(all[Stranger](again)), again.sends[wire.UrgentKeptWanted]
	if n != 3 || asked != 1 {
		t.Errorf("%d calls, asked %d times", n, asked)
	}
}

// A stay that was without a session asks for what it missed itself, and what has rung there is not missed.
func TestMissedInOneStay(t *testing.T) {
	w, sent := taped(t, "ann", "bob")
	ann, bob := w.person("ann"), w.person("bob")
	bob.line = New(Config{Identity: bob.id, Name: "bob", StayKey: bob.stay, Known: bob.line.config.Known,
		Keep: true})
	bob.keeps = true
	bob.fresh()
	if bob.sends[wire.UrgentKeptWanted] > 0 {
		t.Error("a first session asks for its own")
	}
	ann.talk1(bob)
	rang := must(wire.Parse[wire.CallForward](sent[wire.UrgentCallForward][0].Body))
	bob.away, bob.offline = true, true
	id := ann.dial(bob)
	w.until("it is over", func() bool { return ann.ended(id) != 0 })
	bob.kept = append(bob.kept, wire.KeptCall{Device: bob.device(), Key: rang.Key, Offer: rang.Offer})
	bob.away = false
	bob.fresh()
	w.run(time.Second)
	if ann.ended(id) != Away || len(all[Missed](bob)) != 1 || len(all[KeptOver](bob)) != 0 {
		t.Errorf("%v, %d missed%s", ann.ended(id), len(all[Missed](bob)), w.log())
	}
	if last[Refused](bob).Why != ErrSeen {
		t.Errorf("the call that rang: %v", last[Refused](bob).Why)
	}
	at, _ := w.talk(ann, bob) // it goes on as ever
	ann.act(func(now time.Time) error { return ann.line.HangUp(at, now) })
	w.quiet()
}

// talk1 makes a call that is hung up again.
func (p *person) talk1(q *person) {
	at, _ := p.w.talk(p, q)
	p.act(func(now time.Time) error { return p.line.HangUp(at, now) })
	p.w.run(10 * time.Second)
}

// Somebody who comes back while word is left is called, and a relay that keeps nothing ends the call at once;
// records that ask for no such thing, or are too old, are none.
func TestLeaveWord(t *testing.T) {
	for name, tc := range map[string]struct {
		set  func(bob *person)
		want Outcome
	}{
		"kept":   {func(bob *person) { bob.keeps = true }, Away},
		"nobody": {func(bob *person) {}, NotThere},
		"lost": {func(bob *person) {
			bob.keeps = true
			bob.w.tap = func(_ *person, s Send) { bob.keeps = s.Kind != wire.UrgentCallForward }
		}, NotThere},
	} {
		w := newWorld(t, 1, "ann", "bob")
		ann, bob := w.person("ann"), w.person("bob")
		bob.away, bob.offline = true, true
		tc.set(bob)
		begun := w.now
		id := ann.dial(bob)
		w.until("it is over", func() bool { return ann.ended(id) != 0 })
		if ann.ended(id) != tc.want || w.now.Sub(begun) > 5*time.Second {
			t.Errorf("%s: %v after %v", name, ann.ended(id), w.now.Sub(begun))
		}
		w.quiet()
	}
	for name, r := range map[string]wire.Reach{
		"not wanted": {Expiry: epoch.Add(-time.Hour).Unix()},
		"too old":    {Expiry: epoch.Add(-25 * time.Hour).Unix(), Keep: true},
	} {
		w := newWorld(t, 1, "ann", "bob")
		ann, bob := w.person("ann"), w.person("bob")
		id := ann.dial(bob)
		w.queue = nil
		r.StayKey, r.HomeRelay, r.Sequence = bob.stay.Public(), bob.relay, 1
		m := wire.Route{Target: bob.id.Fingerprint(), Located: wire.Located{Found: wire.FoundAway, Of: 1,
			Chain: []wire.RelayID{{1}}, Record: wire.SignReach(bob.id, r)}}
		ann.do(func() { ann.line.RouteCame(m, w.now) })
		w.until("asked again", func() bool { return ann.sends[wire.UrgentRouteWanted] == 2 })
		w.queue = nil
		ann.do(func() { ann.line.RouteCame(m, w.now) })
		if ann.ended(id) != NotThere || ann.sends[wire.UrgentCallForward] > 0 {
			t.Errorf("%s: %v", name, ann.ended(id))
		}
	}
	// A device that is there after all is called.
	w := newWorld(t, 1, "ann", "bob")
	ann, bob := w.person("ann"), w.person("bob")
	bob.away, bob.keeps = true, true
	w.tap = func(_ *person, s Send) { bob.away = bob.away && s.Kind != wire.UrgentCallForward }
	id := ann.dial(bob)
	w.until("it rings", func() bool { return len(all[Incoming](bob)) == 1 })
	bob.act(func(now time.Time) error { return bob.line.Answer(last[Incoming](bob).Call, now) })
	w.until("up", func() bool { return ann.line.State(id) == Open })
	ann.act(func(now time.Time) error { return ann.line.HangUp(id, now) })
	w.quiet()
}

// What a relay says it kept is not believed: the wrong key, another's offer, an offer of last week.
func TestKeptRefused(t *testing.T) {
	w := newWorld(t, 1, "ann", "bob", "eve")
	ann, bob, eve := w.person("ann"), w.person("bob"), w.person("eve")
	bob.away, bob.offline, bob.keeps = true, true, true
	id := ann.dial(bob)
	w.until("it is over", func() bool { return ann.ended(id) != 0 })
	good := bob.kept[0]
	good.Of, good.Index = 3, 1
	again := w.back(bob, "bob again")
	w.queue = nil
	other := good
	other.Key[3] ^= 1
	for _, m := range []wire.KeptCall{other,
		{Device: eve.device(), Of: 1, Key: good.Key, Offer: good.Offer}} {
		again.do(func() { again.line.KeptCame(m, w.now) })
	}
	if n := len(all[Missed](again)); n > 0 || last[Refused](again).Why != e2ee.ErrOfferSealed {
		t.Errorf("%d missed, %v", n, last[Refused](again).Why)
	}
	w.now = w.now.Add(26 * time.Hour)
	good.Index = 2
	again.do(func() { again.line.KeptCame(good, w.now) })
	if n := len(all[Missed](again)); n > 0 || last[Refused](again).Why != e2ee.ErrOfferTime {
		t.Errorf("%d missed, %v", n, last[Refused](again).Why)
	}
	w.now = w.now.Add(-2 * time.Hour)
	good.Index = 0
	again.do(func() { again.line.KeptCame(good, w.now) })
	if n := len(all[Missed](again)); n != 1 || len(all[KeptOver](again)) != 1 {
		t.Errorf("%d missed, %d over", n, len(all[KeptOver](again)))
	}
}
