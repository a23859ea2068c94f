package signalling

import (
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/wire"
)

// alone is a line whose relay is the test.
func alone(t *testing.T, names ...string) (w *world, ann *person, record []byte) {
	w = newWorld(t, 1, names...)
	ann = w.person("ann")
	bob := w.person("bob")
	for _, p := range w.people {
		p.offline = p != bob // its relay answers nothing
	}
	return w, ann, wire.SignReach(bob.id, wire.Reach{StayKey: bob.stay.Public(), HomeRelay: bob.relay,
		Expiry: w.now.Add(10*time.Minute).Unix() - 300})
}

func (p *person) found(target *person, record []byte) {
	p.do(func() {
		there := wire.Located{Found: wire.FoundDevice, Of: 1, Chain: []wire.RelayID{{1}}, Record: record}
		p.line.RouteCame(wire.Route{Target: target.id.Fingerprint(), Located: there}, p.w.now)
	})
}

// What relays answer to the forwards of a call, and how often it is tried again.
func TestForwardAnswers(t *testing.T) {
	for name, tc := range map[string]struct {
		codes  []wire.CallCode // to the forwards, in their order; none: there is no answer
		want   Outcome
		tries  int
		within time.Duration
	}{
		"no route":             {slices.Repeat([]wire.CallCode{wire.CallNoRoute}, 9), Unreachable, 3, 4 * time.Second},
		"not there":            {slices.Repeat([]wire.CallCode{wire.CallNotThere}, 9), Unreachable, 3, 4 * time.Second},
		"failed":               {slices.Repeat([]wire.CallCode{wire.CallFailed}, 9), Unreachable, 3, 4 * time.Second},
		"a clock is wrong":     {slices.Repeat([]wire.CallCode{wire.CallStale}, 9), WrongClock, 3, 4 * time.Second},
		"a limit":              {[]wire.CallCode{wire.CallTooMany}, TooMany, 1, time.Second},
		"of a later version":   {slices.Repeat([]wire.CallCode{200}, 9), Unreachable, 3, 4 * time.Second},
		"no answer":            {nil, Unreachable, 3, 10 * time.Second},
		"set up the last time": {[]wire.CallCode{wire.CallFailed, wire.CallLoop, wire.CallSetUp}, NoAnswer, 5, 35 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			w, ann, record := alone(t, "ann", "bob")
			bob := w.person("bob")
			forwards := 0
			w.tap = func(p *person, s Send) {
				if s.Kind != wire.UrgentCallForward {
					return
				}
				m := must(wire.Parse[wire.CallForward](s.Body))
				if forwards++; m.Generation != uint64(forwards) || len(m.Offer) == 0 || !m.Verify() {
					t.Errorf("forward %d has generation %d and %d bytes of offer", forwards, m.Generation, len(m.Offer))
				}
				if forwards > len(tc.codes) {
					return
				}
				state := wire.CallState{Path: m.Path(), Generation: m.Generation, Code: tc.codes[forwards-1]}
				w.at(100*time.Millisecond, func() {
					p.do(func() {
						old := state
						old.Generation--
						old.Code = wire.CallTooMany // of another generation: it counts for nothing
						p.line.StateCame(old, w.now)
						p.line.StateCame(state, w.now)
					})
				})
			}
			id, began := ann.dial(bob), w.now
			ann.found(bob, record)
			ann.found(bob, record) // the same device again
			w.until("it is over", func() bool { return ann.ended(id) != 0 })
			took := w.now.Sub(began)
			if ann.ended(id) != tc.want || forwards != tc.tries || took > tc.within {
				t.Errorf("%v after %v and %d forwards", ann.ended(id), took, forwards)
			}
			w.run(2 * time.Minute)
			if n := len(ann.line.paths) + len(ann.line.closing); n > 0 {
				t.Errorf("%d paths are left", n)
			}
		})
	}
}

// What relays answer when they are asked for somebody.
func TestRouteAnswers(t *testing.T) {
	for name, tc := range map[string]struct {
		found []wire.Found // nil: there is no answer
		want  Outcome
		asked int
	}{
		"nobody":                    {[]wire.Found{0, 0, 0, 0}, NotThere, 2},
		"unsure":                    {slices.Repeat([]wire.Found{wire.FoundUnsure}, 9), NotThere, 3},
		"unsure, then nobody":       {[]wire.Found{wire.FoundUnsure, wire.FoundNobody}, NotThere, 2},
		"no answer":                 {nil, Unreachable, 3},
		"nobody, and then somebody": {[]wire.Found{wire.FoundNobody, wire.FoundDevice}, Unreachable, 2},
	} {
		t.Run(name, func(t *testing.T) {
			w, ann, record := alone(t, "ann", "bob")
			bob := w.person("bob")
			asked := 0
			w.tap = func(p *person, s Send) {
				if s.Kind != wire.UrgentRouteWanted {
					return
				}
				if asked++; asked > len(tc.found) {
					return
				}
				m := wire.Route{Target: bob.id.Fingerprint(), Located: wire.Located{Found: tc.found[asked-1]}}
				if m.Found == wire.FoundDevice {
					m.Record = record
				}
				w.at(50*time.Millisecond, func() { p.do(func() { p.line.RouteCame(m, w.now) }) })
			}
			id := ann.dial(bob)
			w.until("it is over", func() bool { return ann.ended(id) != 0 })
			if ann.ended(id) != tc.want || asked != tc.asked {
				t.Errorf("%v, asked %d times", ann.ended(id), asked)
			}
		})
	}
}

// A call that is dialled while there is no session begins with the next one.
func TestDialWithoutSession(t *testing.T) {
	w := newWorld(t, 1, "ann", "bob")
	ann, bob := w.person("ann"), w.person("bob")
	ann.offline = true
	ann.do(func() { ann.line.SessionLost(w.now) })
	ann.dial(bob)
	w.run(2 * time.Second)
	ann.fresh()
	w.until("it rings", func() bool { return len(all[Incoming](bob)) == 1 })
}

// A path that breaks while it rings is found again, or the call is missed soon.
func TestBrokenWhileRinging(t *testing.T) {
	for _, back := range []bool{true, false} {
		w := newWorld(t, 1, "ann", "bob")
		ann, bob := w.person("ann"), w.person("bob")
		at := ann.dial(bob)
		w.until("it rings", func() bool { return ann.line.State(at) == Ringing })
		to := last[Incoming](bob).Call
		for path, r := range w.routes {
			end := wire.CallEnd{Path: path, Generation: r.generation, Reason: wire.EndFailed}
			r.cut = true
			if ann.offline = !back; back {
				ann.tell(func() { ann.line.EndCame(end, w.now) })
			}
			bob.tell(func() { bob.line.EndCame(end, w.now) })
		}
		w.run(4 * time.Second)
		if bob.line.State(to) != Alerting {
			t.Fatalf("back %t: %v", back, bob.line.State(to))
		}
		w.run(4 * time.Second)
		if !back {
			if bob.ended(to) != WentMissed {
				t.Errorf("it rings, and nobody calls: %v", bob.line.State(to))
			}
			continue
		}
		bob.act(func(now time.Time) error { return bob.line.Answer(to, now) })
		w.until("both are up", func() bool { return ann.line.State(at) == Open && bob.line.State(to) == Open })
		if len(all[Incoming](bob)) != 1 {
			t.Error("it rang twice")
		}
	}
}

// Both ends are told of a call that ends while one of them changes its session.
func TestHangUpWithoutSession(t *testing.T) {
	for _, caller := range []bool{true, false} {
		w := newWorld(t, 1, "ann", "bob")
		ann, bob := w.person("ann"), w.person("bob")
		at, to := w.talk(ann, bob)
		w.run(time.Second)
		one, id := ann, at
		if !caller {
			one, id = bob, to
		}
		one.offline = true
		one.do(func() { one.line.SessionLost(w.now) })
		one.act(func(now time.Time) error { return one.line.HangUp(id, now) })
		w.run(time.Second)
		one.fresh()
		w.until("both know", func() bool { return ann.ended(at) != 0 && bob.ended(to) != 0 })
		if other := ann.ended(at) + bob.ended(to) - HungUpHere; other != HungUp {
			t.Errorf("caller %t: %v", caller, other)
		}
		w.quiet()
	}
}

// A caller whose program began anew is not told that the called talks with it.
func TestCallAnewWhileSilent(t *testing.T) {
	w := newWorld(t, 1, "ann", "bob")
	ann, bob := w.person("ann"), w.person("bob")
	_, to := w.talk(ann, bob)
	w.run(time.Second)
	ann.line = New(Config{Identity: ann.id, StayKey: ann.stay}) // it knows nothing
	ann.due = time.Time{}
	ann.fresh()
	w.run(5 * time.Second)
	at, again := w.talk(ann, bob)
	if bob.ended(to) != Failed || bob.line.State(again) != Open || ann.line.State(at) != Open {
		t.Errorf("%v%s", bob.ended(to), w.log())
	}
}

// The confirmation is lost once, and a key overtakes it.
func TestLateConfirmation(t *testing.T) {
	w := newWorld(t, 1, "ann", "bob")
	ann, bob := w.person("ann"), w.person("bob")
	at := ann.dial(bob)
	w.until("it rings", func() bool { return len(all[Incoming](bob)) == 1 })
	to := last[Incoming](bob).Call
	lost := 0
	bob.act(func(now time.Time) error { return bob.line.Answer(to, now) })
	for _, r := range w.routes {
		w.tap = func(p *person, s Send) {
			if p == ann && s.Kind == wire.UrgentCallMessage {
				lost++
				r.cut = true
				w.at(0, func() { r.cut = false })
			}
		}
	}
	w.until("the caller is up", func() bool { return ann.line.State(at) == Open })
	w.tap = nil
	key := wire.SignedKey{KeyHeader: wire.KeyHeader{Suite: 2, Number: 1}}
	key.Signed, key.Signature = wire.AppendKeyHeader(nil, &key.KeyHeader), make([]byte, 64)
	w.delay = 0
	ann.act(func(now time.Time) error { return ann.line.SendKey(at, key, make([]byte, wire.WrapFresh), now) })
	w.run(time.Millisecond)
	if bob.line.State(to) != Answering || len(all[KeyCame](bob)) > 0 || lost == 0 {
		t.Fatalf("%v, %d lost", bob.line.State(to), lost)
	}
	w.until("the called is up", func() bool { return bob.line.State(to) == Open })
	if len(all[KeyCame](bob)) != 1 {
		t.Error("the key that overtook the confirmation is lost")
	}
}

// A line without a stay key takes no calls, and one whose key was erased no more.
func TestTakesNoCalls(t *testing.T) {
	w := newWorld(t, 1, "ann", "bob")
	ann, bob := w.person("ann"), w.person("bob")
	m := stranger{ann.id}.offer(t, bob, w.now)
	line := New(Config{Identity: bob.id, Known: bob.line.config.Known})
	line.OfferCame(m, w.now)
	if e := line.Drain(); len(e) > 0 {
		t.Errorf("%v", e)
	}
	bob.stay.Erase()
	bob.do(func() { bob.line.OfferCame(m, w.now) })
	if last[Refused](bob).Why != e2ee.ErrOfferErased {
		t.Error(w.log())
	}
}

func TestNames(t *testing.T) {
	for s, want := range map[interface{ String() string }]string{Resolving: "resolving", Alerting: "alerting",
		Over: "over", State(0): "unknown", State(99): "unknown", HungUp: "hung up", Transferred: "transferred",
		Outcome(0): "unknown", Outcome(99): "unknown"} {
		if s.String() != want {
			t.Errorf("%q, want %q", s.String(), want)
		}
	}
}

// A relay on the way says that the path is set up, and drops all that comes: it is asked for anew, and rings.
// Who is not answered sends as much, and no more.
func TestSwallowedOffer(t *testing.T) {
	for _, tc := range []struct {
		swallowed, forwards int
		heard               bool
	}{{0, 1, true}, {1, 2, true}, {2, 3, true}, {3, 3, false}} {
		w := newWorld(t, 1, "ann", "bob")
		ann, bob := w.person("ann"), w.person("bob")
		w.swallow = tc.swallowed
		at := ann.dial(bob)
		w.run(20 * time.Second)
		if n := ann.sends[wire.UrgentCallForward]; n != tc.forwards ||
			(len(all[Incoming](bob)) == 1) != tc.heard || (ann.line.State(at) == Ringing) != tc.heard {
			t.Errorf("%d swallowed: %d forwards%s", tc.swallowed, n, w.log())
		}
		if tc.heard {
			bob.act(func(now time.Time) error { return bob.line.Answer(last[Incoming](bob).Call, now) })
			w.until("up", func() bool { return ann.line.State(at) == Open })
		} else {
			w.until("over", func() bool { return ann.ended(at) == NoAnswer })
		}
	}
}

// A stranger's path is asked for anew likewise; that a relay refuses it then does not end the call.
func TestUnheardRefused(t *testing.T) {
	w := newWorld(t, 1, "ann", "bob")
	ann, bob := w.person("ann"), w.person("bob")
	clear(bob.known)
	at := ann.dial(bob)
	w.run(time.Second)
	ann.refused = wire.CallTooMany
	w.until("over", func() bool { return ann.ended(at) != 0 })
	if took := w.now.Sub(epoch); ann.ended(at) != NoAnswer || took < ringTime ||
		ann.sends[wire.UrgentCallForward] != 3 || bob.sends[wire.UrgentCallMessage] > 0 {
		t.Errorf("%v after %v, %d forwards", ann.ended(at), took, ann.sends[wire.UrgentCallForward])
	}
}
