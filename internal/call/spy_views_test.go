package call

import (
	"crypto/rand"
	"fmt"
	randv2 "math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/wire"
)

// warnIn is how soon people must be warned after the first key from somebody who sees other members.
const warnIn = 11 * time.Second

// mustDiffer wants each of some people to be warned that views differ, soon after the first key that each
// gets from now on. Only loud goes on talking.
func (s *spy) mustDiffer(loud *person, people ...*person) {
	s.lab.t.Helper()
	begin := time.Now()
	for _, p := range people {
		if p != loud {
			go muted(warnIn, p)
		}
	}
	at := make([]time.Time, len(people))
	for time.Since(begin) < warnIn+2*time.Second && slices.ContainsFunc(at, time.Time.IsZero) {
		for i, p := range people {
			if at[i].IsZero() && len(p.warned(differing...)) > 0 {
				at[i] = time.Now()
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(max(0, warnIn+time.Second-time.Since(begin)))
	for i, p := range people {
		id := p.room.ID()
		keys := s.notes.sent(wire.UrgentKey, false, &id, begin)
		switch {
		case len(keys) == 0:
			s.lab.t.Errorf("%s: no key came", p.client.config.Name)
		case at[i].IsZero() || at[i].Sub(keys[0].at) > warnIn:
			s.lab.t.Errorf("%s: not warned within %v of the next key: %q", p.client.config.Name, warnIn,
				p.log())
		default:
			s.lab.t.Logf("%s: warned %v after the next key", p.client.config.Name, at[i].Sub(keys[0].at))
		}
	}
}

// pair is two people who hum at each other, and a third one whose leave makes the next keys.
func pair(l *lab, secret *e2ee.Secret) (a, b, leaver *person) {
	a, b, leaver = l.joinedWith(secret, "anna", "r"), l.joinedWith(secret, "bert", "r"),
		l.joinedWith(secret, "lea", "r")
	a.hum(annas)
	b.hum(berts)
	muted(12*time.Second, a, b) // until views of before are forgotten
	return a, b, leaver
}

// mustHearEachOther wants talk to go on.
func mustHearEachOther(what string, a, b *person) {
	a.lab.t.Helper()
	a.mustHear(what, berts, time.Second)
	b.mustHear(what, annas, time.Second)
}

// TestHiddenJoin has the relay hide a talker from anna, and let through what the talker sends her, or not.
func TestHiddenJoin(t *testing.T) {
	for _, silenced := range []bool{false, true} {
		t.Run(fmt.Sprint("silenced ", silenced), func(t *testing.T) {
			inSpied(t, func(l *lab, s *spy) {
				a, b, lea := pair(l, nil)
				c := l.person("carl")
				known := map[wire.MemberID]bool{a.room.ID(): true, b.room.ID(): true, lea.room.ID(): true}
				to := s.of(a)
				s.set(hooks{
					shows: func(p *tapped, entry []byte) bool {
						return p != to ||
							known[wire.EntryID(entry)]
					},
					down: func(p *tapped, m message) []message {
						if silenced && p == to && m.kind == wire.UrgentKey &&
							!known[wire.MemberID(m.body[:6])] {
							return nil
						}
						return []message{m}
					},
				})
				if err := c.join("r"); err != nil {
					t.Fatal(err)
				}
				c.hum(carls)
				time.Sleep(time.Second)
				lea.leave()
				s.mustDiffer(a, a, b, c)
				if ms := a.hears(carls, time.Second); ms > 0 {
					t.Errorf("anna heard carl for %d ms, whom nobody told her of", ms)
				}
				mustHearEachOther("while carl is hidden", a, b)
				b.mustHear("who is hidden from anna only", carls, time.Second)
				c.mustHear("who is not hidden", berts, time.Second)
				if len(a.room.Members()) != 1 || a.room.SafetyNumber() == b.room.SafetyNumber() {
					t.Errorf("anna sees %d others, her safety number is %s, bert's %s", len(a.room.Members()),
						a.room.SafetyNumber(), b.room.SafetyNumber())
				}
				if wraps := s.notes.wrapsFor(a.room.ID(), time.Time{}); len(wraps) < 3 {
					t.Errorf("%d wraps for anna", len(wraps))
				}
			})
		})
	}
}

// TestGhost has the relay show bert a member that is the relay itself.
func TestGhost(t *testing.T) {
	inSpied(t, func(l *lab, s *spy) {
		a, b, lea := pair(l, nil)
		g := l.ghost(newIdentity(200), "ghost", "r", nil)
		to := s.of(b)
		s.set(hooks{shows: func(p *tapped, entry []byte) bool {
			return p == to ||
				!slices.Equal(entry, g.entry)
		}})
		s.haunt(g, to)
		time.Sleep(3 * time.Second)
		lea.leave()
		s.mustDiffer(nil, a, b)
		if a.room.SafetyNumber() == b.room.SafetyNumber() {
			t.Error("the safety numbers are the same")
		}
		for _, m := range s.notes.sent(wire.UrgentKeyWraps, true, nil, time.Time{}) {
			if wraps, _ := wire.ParseKeyWraps(m.body); m.member == a.room.ID() &&
				hasWrap(wraps, g.hash.Member()) {
				t.Error("anna, who was not told of the ghost, made a key for it")
			}
		}
		if len(s.notes.wrapsFor(g.hash.Member(), time.Time{})) == 0 {
			t.Error("the ghost got no key of bert either: what was the test?")
		}
		mustHearEachOther("with a ghost", a, b)
	})
}

func hasWrap(wraps wire.KeyWraps, id wire.MemberID) bool {
	for i := range wraps.Len() {
		if to, _ := wraps.Wrap(i); to == id {
			return true
		}
	}
	return false
}

// TestGhostWithoutSecret has the relay show ghosts in a room with an invite secret that it does not have.
func TestGhostWithoutSecret(t *testing.T) {
	inSpied(t, func(l *lab, s *spy) {
		a, b, lea := pair(l, e2ee.NewSecret())
		stolen, err := wire.ParseEntry(s.notes.entry(a.room.ID()))
		if err != nil {
			t.Fatal(err)
		}
		made := new([32]byte)
		rand.Read(made[:])
		elsewhere := e2ee.NewSecret().Proof("r", stolen.Proved())
		ghosts := []*ghost{
			l.ghost(newIdentity(200), "without proof", "r", nil),
			l.ghost(newIdentity(200), "with a proof at random", "r", made),
			l.ghost(newIdentity(200), "with anna's proof", "r", stolen.Proof),
			l.ghost(newIdentity(200), "with another secret", "r", &elsewhere),
		}
		for _, g := range ghosts {
			s.haunt(g, s.of(a), s.of(b))
		}
		time.Sleep(3 * time.Second)
		lea.leave()
		muted(15*time.Second, a, b)
		for _, p := range []*person{a, b} {
			p.mustNotWarn()
			outside := 0
			for _, m := range p.room.Members() {
				if m.Outside {
					outside++
				}
			}
			if outside != len(ghosts) || len(p.warned(WarnOutside)) == 0 {
				t.Errorf("%d of %d ghosts are outside: %q", outside, len(ghosts), p.log())
			}
		}
		for _, g := range ghosts {
			if n := len(s.notes.wrapsFor(g.hash.Member(), time.Time{})); n > 0 {
				t.Errorf("%d keys were made for a ghost without the secret", n)
			}
		}
		if a.room.SafetyNumber() != b.room.SafetyNumber() {
			t.Error("the safety numbers differ")
		}
		mustHearEachOther("with ghosts outside", a, b)
	})
}

// TestReplayedEntry has the relay show bert somebody who has left long ago.
func TestReplayedEntry(t *testing.T) {
	inSpied(t, func(l *lab, s *spy) {
		a, b, lea := pair(l, nil)
		c := l.joined("carl", "r")
		old := &ghost{entry: s.notes.entry(c.room.ID()), hash: c.room.keeper.self}
		c.leave()
		time.Sleep(doubtTime + time.Second)
		to := s.of(b)
		s.set(hooks{shows: func(p *tapped, entry []byte) bool {
			return p == to ||
				!slices.Equal(entry, old.entry)
		}})
		s.haunt(old, to)
		time.Sleep(2 * time.Second)
		if !slices.ContainsFunc(b.room.Members(), func(m Member) bool { return m.ID == old.hash.Member() }) {
			t.Error("bert does not believe the relay: what is the test?")
		}
		lea.leave()
		s.mustDiffer(nil, a, b)
		mustHearEachOther("with a replayed entry", a, b)
	})
}

// TestLossyKeys has the relay lose every second message about keys that it gets, or that it is to send, as if
// it had arrived, and hand on the others in another order.
func TestLossyKeys(t *testing.T) {
	for _, test := range []struct {
		name     string
		up, down float64 // shares that are lost
	}{{"from members", 0.5, 0}, {"to members", 0, 0.5}} {
		t.Run(test.name, func(t *testing.T) {
			inSpied(t, func(l *lab, s *spy) {
				a, b := l.joined("anna", "r"), l.joined("bert", "r")
				s.loseKeys(test.up, test.down)
				a.hum(annas)
				time.Sleep(5 * time.Second)
				b.mix.take()
				begin := time.Now()
				for range 2 {
					c := l.joined("carl", "r")
					time.Sleep(3 * time.Second)
					c.leave()
					time.Sleep(3 * time.Second)
				}
				total := int(time.Since(begin).Milliseconds())
				ms, _ := humming(b.mix.take(), annas)
				t.Logf("heard %d of %d ms", ms, total)
				if ms < total/20 { // a key that is lost is asked for every 2 s, and then may be lost again
					t.Errorf("heard %d of %d ms while keys are lost", ms, total)
				}
				s.set(hooks{})
				muted(6*time.Second, a)
				time.Sleep(4 * time.Second) // a key that is missing may be used 8 s after the leave only
				b.mustHear("after keys were lost", annas, time.Second)
				if len(a.warned(WarnKey))+len(b.warned(WarnKey)) > 0 {
					t.Errorf("anna: %q, bert: %q", a.log(), b.log())
				}
			})
		})
	}
}

// loseKeys loses shares of the messages about keys, and keeps the others back for up to 800 ms.
func (s *spy) loseKeys(up, down float64) {
	var mu sync.Mutex
	dice := randv2.New(randv2.NewPCG(1, 2))
	meddle := func(m message, loss float64, later func()) []message {
		if m.kind < wire.UrgentSenderKey || m.kind > wire.UrgentKeyDelivered {
			return []message{m}
		}
		mu.Lock()
		defer mu.Unlock()
		if dice.Float64() >= loss {
			time.AfterFunc(time.Duration(dice.IntN(800))*time.Millisecond, later)
		}
		return nil
	}
	s.set(hooks{
		up:   func(p *tapped, m message) []message { return meddle(m, up, func() { s.takeLater(p, m) }) },
		down: func(p *tapped, m message) []message { return meddle(m, down, func() { p.tellLater(m) }) },
	})
}

// TestFloodOfJoins has the relay claim that 300 people join within 10 s, and leave again.
func TestFloodOfJoins(t *testing.T) {
	inSpied(t, func(l *lab, s *spy) {
		a, b := l.joined("anna", "r"), l.joined("bert", "r")
		a.hum(annas)
		b.hum(berts)
		time.Sleep(3 * time.Second)
		go muted(24*time.Second, b)
		var ghosts []*ghost
		for range 300 {
			ghosts = append(ghosts, l.ghost(newIdentity(2), "bert", "r", nil))
		}
		b.mix.take()
		begin := time.Now()
		for _, g := range ghosts {
			s.haunt(g, s.of(a), s.of(b))
			time.Sleep(10 * time.Second / 300)
		}
		time.Sleep(2 * time.Second)
		if n := len(a.room.Members()); n != 301 {
			t.Errorf("anna sees %d others", n)
		}
		for _, g := range ghosts {
			s.lay(g, s.of(a), s.of(b))
			time.Sleep(10 * time.Second / 300)
		}
		total := int(time.Since(begin).Milliseconds())
		ms, _ := humming(b.mix.take(), annas)
		t.Logf("heard %d of %d ms", ms, total)
		if ms < total*98/100 {
			t.Errorf("heard %d of %d ms while 300 join and leave", ms, total)
		}
		muted(11*time.Second, a) // and until somebody would warn
		mustHearEachOther("after the flood", a, b)
		a.mustNotWarn()
		b.mustNotWarn()
	})
}
