package signalling

import (
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// Whatever four people with five devices do, and whatever becomes of their relays meanwhile: at most one call
// of each has media, every call that somebody knew of ends, once, nobody is asked twice for the same, and in
// the end nothing is left of it. Two who are in one call see the same call.
func TestRandom(t *testing.T) {
	for seed := range uint64(20) {
		w := newWorld(t, 1000+seed, "ann", "bob", "cem", "dan")
		w.jitter, w.loss = time.Duration(seed*7)*time.Millisecond, float64(seed%3)/5
		second := w.add("bob", testIdentity("bob"))
		for _, p := range w.people {
			second.known[p.id.Public()] = true
			p.talks = seed%2 == 0
		}
		for range 150 {
			p := w.people[w.rng.IntN(len(w.people))]
			p.something(18 + 6*int(seed/2%2)) // half of the worlds are calm
			if l := p.line; len(l.calls) == 2 && w.rng.IntN(2) == 0 {
				p.do(func() { l.Transfer(l.calls[0].id, l.calls[1].id, w.now) })
			}
			w.run(time.Duration(w.rng.IntN(1500)) * time.Millisecond)
			w.checkAll()
		}
		for _, p := range w.people {
			if p.offline {
				p.fresh()
			}
			p.away = false
		}
		w.run(2 * time.Minute)
		w.checkPairs()
		for _, p := range w.people {
			for _, c := range append([]*call(nil), p.line.calls...) {
				p.do(func() { p.line.HangUp(c.id, w.now) })
			}
		}
		w.run(2 * time.Minute)
		w.quiet()
		w.checkEnds(seed)
		if t.Failed() {
			t.Fatalf("seed %d%s", seed, w.log())
		}
	}
}

// something is one of the first n things that may happen to p.
func (p *person) something(n int) {
	w, l := p.w, p.line
	q := w.people[w.rng.IntN(len(w.people))]
	var id ID
	if len(l.calls) > 0 {
		id = l.calls[w.rng.IntN(len(l.calls))].id
	}
	p.do(func() {
		switch w.rng.IntN(n) {
		case 0, 1, 2, 3:
			l.Dial(Callee{Fingerprint: q.id.Fingerprint()}, w.now)
		case 4, 5, 6, 7:
			l.Answer(id, w.now)
		case 8, 9:
			l.HangUp(id, w.now)
		case 10, 11:
			l.Hold(id, w.now)
		case 12:
			l.Unhold(id, w.now)
		case 13:
			l.Mute(id, w.rng.IntN(2) == 0, w.now)
		case 14:
			if len(l.calls) > 1 {
				l.Transfer(l.calls[0].id, l.calls[1].id, w.now)
			}
		case 15:
			if l.Hold(id, w.now) == nil {
				l.Dial(Callee{Fingerprint: q.id.Fingerprint()}, w.now)
			}
		case 16, 17:
			for _, c := range slices.Clone(l.calls) {
				if a := c.question; a != nil {
					l.Consent(c.id, a.person, w.rng.IntN(4) > 0, w.now)
					l.AcceptTransfer(c.id, a.person, w.rng.IntN(4) > 0, w.now)
				}
				l.Answer(c.id, w.now)
			}
		case 18:
			for _, r := range w.routes {
				r.cut = r.cut || w.rng.IntN(4) == 0
			}
		case 19:
			for path, r := range w.routes {
				if p == r.caller || p == r.called {
					end := wire.CallEnd{Path: path, Generation: r.generation, Reason: wire.EndFailed}
					l.EndCame(end, w.now)
				}
			}
		case 20:
			p.session++ // and what was on its way is lost
			p.offline = false
			l.SessionFresh(p.relay, w.now)
		case 21:
			p.offline = true
			l.SessionLost(w.now)
			w.at(time.Duration(w.rng.IntN(20))*time.Second, func() {
				if p.offline {
					p.fresh()
				}
			})
		case 22:
			l.DoNotDisturb(w.rng.IntN(2) == 0)
		case 23:
			p.away = !p.away
		}
	})
}

// checkAll fails if something is now that never may be.
func (w *world) checkAll() {
	w.t.Helper()
	for _, p := range w.people {
		with := 0
		for _, c := range p.line.calls {
			if c.state == Over || c.state == 0 {
				w.t.Errorf("%s: a call is %v", p.name, c.state)
			}
			if c.state == Open && p.line.media == c.chosen {
				with++
			}
		}
		if p.line.media != nil && with != 1 {
			w.t.Errorf("%s: media of %d calls", p.name, with)
		}
		if n := len(p.line.calls); n > maxCalls || len(p.line.closing) > maxClosing {
			w.t.Errorf("%s: %d calls, %d closing", p.name, n, len(p.line.closing))
		}
		known := len(p.line.closing)
		for _, c := range p.line.calls {
			for _, path := range c.paths {
				if path.state < pathClosing {
					known++
				}
			}
		}
		if len(p.line.paths) != known {
			w.t.Errorf("%s: %d paths, %d are of something", p.name, len(p.line.paths), known)
		}
	}
}

// checkPairs fails unless each call that is up is so at two people.
func (w *world) checkPairs() {
	w.t.Helper()
	ends := map[wire.CallID][]string{}
	for _, p := range w.people {
		for _, c := range p.line.calls {
			ends[c.callID] = append(ends[c.callID], p.name+" "+c.state.String())
		}
	}
	for id, list := range ends {
		if len(list) != 2 {
			w.t.Errorf("call %v has these ends: %q", id, list)
		}
	}
}

// checkEnds fails unless every call that somebody was told of ended once.
func (w *world) checkEnds(seed uint64) {
	w.t.Helper()
	for _, p := range w.people {
		begun, ended := map[ID]bool{}, map[ID]int{}
		for _, e := range p.got {
			switch e := e.(type) {
			case Incoming:
				begun[e.Call] = true
			case Up:
				begun[e.Call] = true
			case Ended:
				ended[e.Call]++
			}
		}
		for id := range begun {
			if ended[id] != 1 {
				w.t.Errorf("seed %d, %s: call %d ended %d times", seed, p.name, id, ended[id])
			}
		}
	}
}
