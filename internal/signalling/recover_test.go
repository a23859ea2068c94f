package signalling

import (
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// A call goes on after whatever happens between its ends, as soon as it can: speech is there again after 5 s.
func TestRecovery(t *testing.T) {
	for name, tc := range map[string]struct {
		breaks func(w *world, r *route, ann, bob *person)
		away   time.Duration // for so long nothing can work
	}{
		"a relay on the way dies silently": {breaks: func(_ *world, r *route, _, _ *person) { r.cut = true }},
		"a relay on the way dies, and its neighbours say so": {breaks: func(w *world, r *route, ann, bob *person) {
			r.cut = true
			for id, other := range w.routes {
				if other == r {
					end := wire.CallEnd{Path: id, Generation: r.generation, Reason: wire.EndFailed}
					ann.tell(func() { ann.line.EndCame(end, w.now) })
					bob.tell(func() { bob.line.EndCame(end, w.now) })
				}
			}
		}},
		"the caller's relay returns":         {breaks: func(w *world, r *route, ann, _ *person) { ann.fresh() }},
		"the called's relay returns":         {breaks: func(w *world, r *route, _, bob *person) { bob.fresh() }},
		"both are at other relays":           {breaks: func(w *world, r *route, ann, bob *person) { ann.fresh(); bob.fresh() }},
		"all relays forgot the path":         {breaks: func(w *world, r *route, _, _ *person) { clear(w.routes) }},
		"the called has no session for 12 s": {breaks: offline(1, 12*time.Second), away: 12 * time.Second},
		"the caller has no session for 12 s": {breaks: offline(0, 12*time.Second), away: 12 * time.Second},
		"neither has one for 30 s":           {breaks: offline(2, 30*time.Second), away: 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(4) {
				w := newWorld(t, seed, "ann", "bob")
				w.jitter = 100 * time.Millisecond
				ann, bob := w.person("ann"), w.person("bob")
				ann.talks, bob.talks = true, seed%2 == 0
				at, to := w.talk(ann, bob)
				w.run(7 * time.Second)
				for _, r := range w.routes {
					tc.breaks(w, r, ann, bob)
				}
				w.run(tc.away + 300*time.Millisecond) // what was on its way has arrived
				a, b := ann.heard, bob.heard
				within := 5 * time.Second
				if tc.away > 0 { // it tries ever less often
					within = tc.away + 5*time.Second
				}
				w.run(within)
				if bob.heard == b || bob.talks && ann.heard == a {
					t.Fatalf("seed %d: not heard %v later, %d forwards%s", seed, within,
						ann.sends[wire.UrgentCallForward], w.log())
				}
				w.run(10 * time.Second)
				if last[Silent](ann).Silent || last[Silent](bob).Silent {
					t.Errorf("seed %d: they are heard, and called silent", seed)
				}
				if len(all[Incoming](bob)) != 1 || len(all[Up](bob)) != 1 {
					t.Error("it rang again")
				}
				if seed%2 == 0 {
					ann.act(func(now time.Time) error { return ann.line.HangUp(at, now) })
				} else { // its end has the generation of now, or relays would not forget the path
					bob.act(func(now time.Time) error { return bob.line.HangUp(to, now) })
				}
				w.run(time.Second)
				if ann.ended(at)+bob.ended(to) != HungUp+HungUpHere || len(w.routes) > 0 {
					t.Errorf("seed %d: %v, %v, %d paths", seed, ann.ended(at), bob.ended(to), len(w.routes))
				}
				w.quiet()
			}
		})
	}
}

// offline has the caller (0), the called (1), or both without a session for some time.
func offline(who int, d time.Duration) func(w *world, r *route, ann, bob *person) {
	return func(w *world, _ *route, ann, bob *person) {
		for i, p := range []*person{ann, bob} {
			if i == who || who == 2 {
				p.offline = true
				p.do(func() { p.line.SessionLost(w.now) })
				w.at(d, p.fresh)
			}
		}
	}
}

// What the ends said of holding and muting while the path was away is so afterwards.
func TestStateAfterRecovery(t *testing.T) {
	w := newWorld(t, 1, "ann", "bob")
	ann, bob := w.person("ann"), w.person("bob")
	at, to := w.talk(ann, bob)
	w.run(time.Second)
	for _, r := range w.routes {
		r.cut = true
	}
	ann.act(func(now time.Time) error { return ann.line.Hold(at, now) })
	bob.act(func(now time.Time) error { return bob.line.Mute(to, true, now) })
	w.run(10 * time.Second)
	if !last[Held](bob).ByTheirs || !last[Muted](ann).Muted {
		t.Error(w.log())
	}
}

// Nobody takes a call for broken in which nobody talks, or only seldom, on bad networks.
func TestNoFalseAlarm(t *testing.T) {
	for seed := range uint64(2) {
		w := newWorld(t, seed, "ann", "bob")
		w.delay, w.jitter = 150*time.Millisecond, 300*time.Millisecond
		ann, bob := w.person("ann"), w.person("bob")
		ann.talks = seed%2 == 1
		w.talk(ann, bob)
		w.run(5 * time.Minute)
		n, forwards := len(all[Silent](ann))+len(all[Silent](bob)), ann.sends[wire.UrgentCallForward]
		if n > 0 || forwards > 1 {
			t.Errorf("%d alarms", n)
		}
		// Alive twice a second is all that is said; of who talks it is not even that.
		const most = 5 * 60 * 2
		ofAnn, ofBob := ann.sends[wire.UrgentCallMessage], bob.sends[wire.UrgentCallMessage]
		if ann.talks && ofAnn > 20 || ofBob > most+20 {
			t.Errorf("%d and %d messages", ofAnn, ofBob)
		}
		// A line sleeps until something is due.
		if ann.ticks > 5*60*6 || bob.ticks > 5*60*6 {
			t.Errorf("%d and %d ticks", ann.ticks, bob.ticks)
		}
	}
}

// With no way between them both ends give up, the caller after a minute and some twenty tries.
func TestFailed(t *testing.T) {
	w := newWorld(t, 1, "ann", "bob")
	ann, bob := w.person("ann"), w.person("bob")
	ann.talks, bob.talks = true, true
	at, to := w.talk(ann, bob)
	w.run(time.Second)
	before := ann.sends[wire.UrgentCallForward]
	broken := w.now
	bob.away, bob.offline = true, true
	w.until("the caller gives up", func() bool { return ann.ended(at) != 0 })
	if took := w.now.Sub(broken); ann.ended(at) != Failed || took < 60*time.Second || took > 63*time.Second {
		t.Errorf("%v after %v", ann.ended(at), took)
	}
	if n := ann.sends[wire.UrgentCallForward] - before; n < 18 || n > 23 {
		t.Errorf("%d tries", n)
	}
	w.until("the called gives up", func() bool { return bob.ended(to) == Failed })
	bob.offline = false
	w.quiet()
}

// Who hangs up while nothing arrives is not rung for a minute: the other is told as soon as the caller finds
// it.
func TestHangUpWhileSilent(t *testing.T) {
	for _, caller := range []bool{true, false} {
		w := newWorld(t, 1, "ann", "bob")
		ann, bob := w.person("ann"), w.person("bob")
		ann.talks, bob.talks = true, true
		at, to := w.talk(ann, bob)
		w.run(time.Second)
		for _, r := range w.routes {
			r.cut = true
		}
		if caller {
			w.run(1400 * time.Millisecond)
			ann.act(func(now time.Time) error { return ann.line.HangUp(at, now) })
		} else {
			bob.act(func(now time.Time) error { return bob.line.HangUp(to, now) })
		}
		w.until("both know", func() bool { return ann.ended(at) != 0 && bob.ended(to) != 0 })
		if caller && bob.ended(to) != HungUp && bob.ended(to) != Failed {
			t.Errorf("the called: %v", bob.ended(to))
		}
		if !caller && ann.ended(at) != HungUp {
			t.Errorf("the caller: %v", ann.ended(at))
		}
		w.quiet()
	}
}

// Calls are set up on bad networks: here only what the ends need, 40 % loss and 300 ms on both access links.
func TestSetUpTime(t *testing.T) {
	var took []time.Duration
	for seed := range uint64(100) {
		w := newWorld(t, seed, "ann", "bob")
		w.delay, w.loss = 300*time.Millisecond, 0.64 // both links must pass
		ann, bob := w.person("ann"), w.person("bob")
		began := w.now
		w.talk(ann, bob)
		took = append(took, w.now.Sub(began))
	}
	slices.Sort(took)
	t.Logf("p50 %v, p95 %v, p100 %v", took[49], took[94], took[99])
	if took[94] > 6*time.Second {
		t.Errorf("95 of 100 calls take up to %v", took[94])
	}
}

// A path that was given up is one again when the other is heard by it, whatever relays said of it.
func TestDeadPathHeard(t *testing.T) {
	w := newWorld(t, 1, "ann", "bob")
	ann, bob := w.person("ann"), w.person("bob")
	two := w.add("bob", bob.id)
	two.away = true // relays say so
	at := ann.dial(bob)
	ann.do(func() {
		record := wire.SignReach(bob.id, wire.Reach{StayKey: two.stay.Public(), Expiry: w.now.Unix() + 300})
		ann.line.RouteCame(wire.Route{Target: bob.id.Fingerprint(), Located: wire.Located{
			Found: wire.FoundDevice, Of: 2, Record: record}}, w.now)
	})
	p := ann.line.call(at).paths[0]
	w.until("it is given up", func() bool { return p.state == pathDead && p.device == two.device() })
	ann.do(func() { ann.line.MediaHeard(p.id, w.now) })
	if p.state != pathReady || !p.bound || ann.line.State(at) != Ringing {
		t.Errorf("state %d, bound: %v", p.state, p.bound)
	}
}
