package call

import (
	"fmt"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// The tests here look for a (KID, CTR) pair that seals twice; notes.frame does so for every frame of every
// test with a spy.

// TestNoKeyStreamTwiceAfterRestart has a relay forget everything, twice, in the middle of two people's talk.
func TestNoKeyStreamTwiceAfterRestart(t *testing.T) {
	inSpied(t, func(l *lab, s *spy) {
		a, b := l.joined("anna", "r"), l.joined("bert", "r")
		a.hum(annas)
		b.hum(berts)
		time.Sleep(2 * time.Second)
		for range 2 {
			s = s.restart()
			time.Sleep(10 * time.Second)
			a.mustHear("after a restart", berts, 2*time.Second)
			b.mustHear("after a restart", annas, 2*time.Second)
		}
		checkFrames(t, s.notes, 2*30*50)
	})
}

// checkFrames wants the checker to have had something to look at.
func checkFrames(t *testing.T, n *notes, atLeast int) {
	t.Helper()
	if got := len(n.framesOf(nil, time.Time{}, time.Now())); got < atLeast*9/10 {
		t.Errorf("%d frames came to the relay, want some %d", got, atLeast)
	}
}

// TestNoKeyStreamTwiceOfOnePerson has one identity talk on two devices, and join again with one of them.
func TestNoKeyStreamTwiceOfOnePerson(t *testing.T) {
	inSpied(t, func(l *lab, s *spy) {
		a := l.joined("anna", "r")
		seed := newIdentity(99)
		phone, desk := l.device("bert", seed), l.device("bert", seed)
		for _, p := range []*person{phone, desk} {
			if err := p.join("r"); err != nil {
				t.Fatal(err)
			}
		}
		phone.hum(berts)
		desk.hum(carls)
		a.hum(annas)
		time.Sleep(2 * time.Second)
		a.mustHear("two devices", berts, time.Second)
		a.mustHear("two devices", carls, time.Second)
		desk.mustHear("two devices of one identity hear each other", berts, time.Second)
		for range 3 {
			phone.leave()
			if err := phone.join("r"); err != nil {
				t.Fatal(err)
			}
			phone.hum(berts)
			time.Sleep(3 * time.Second)
			a.mustHear("joined again", berts, time.Second)
			phone.mustHear("joined again", annas, time.Second)
		}
		checkFrames(t, s.notes, 3*15*50)
		for _, p := range []*person{a, phone, desk} {
			if len(p.warned(WarnKey, WarnMembers, WarnUnknownMember, WarnNoKey)) > 0 {
				t.Errorf("%q", p.log())
			}
		}
	})
}

// TestNoKeyStreamTwiceInManyKeys has 40 others come and go while one talks, so that generations and steps
// wrap.
func TestNoKeyStreamTwiceInManyKeys(t *testing.T) {
	inSpied(t, func(l *lab, s *spy) {
		a, b := l.joined("anna", "r"), l.joined("bert", "r")
		a.hum(annas)
		time.Sleep(time.Second)
		b.mix.take()
		begin := time.Now()
		for range 20 { // steps run out and make another generation
			g := l.ghost(newIdentity(2), "bert", "r", nil) // people do not change
			s.haunt(g, s.all()...)
			time.Sleep(1100 * time.Millisecond)
		}
		for range 20 {
			g := l.ghost(newIdentity(2), "bert", "r", nil)
			s.haunt(g, s.all()...)
			time.Sleep(1100 * time.Millisecond)
			s.lay(g, s.all()...)
			time.Sleep(1100 * time.Millisecond)
		}
		ms, _ := humming(b.mix.take(), annas)
		if want := int(time.Since(begin).Milliseconds()); ms < want*98/100 {
			t.Errorf("heard for %d of %d ms", ms, want)
		}
		kids, generations := make(map[wire.KID]bool), make(map[uint8]bool)
		for _, f := range s.notes.framesOf(a, time.Time{}, time.Now()) {
			kids[f.KID], generations[f.KID.Epoch()>>4] = true, true
		}
		if len(kids) < 45 || len(generations) != 16 {
			t.Errorf("%d keys of %d generations were used", len(kids), len(generations))
		}
		if len(b.warned(WarnKey, WarnMembers, WarnUnknownMember, WarnNoKey)) > 0 {
			t.Errorf("%q", b.log())
		}
	})
}

// TestNoKeyStreamTwiceInManyPublications has one person begin to talk again and again in one stay.
func TestNoKeyStreamTwiceInManyPublications(t *testing.T) {
	inSpied(t, func(l *lab, s *spy) {
		a, b, c := l.joined("anna", "r"), l.joined("bert", "r"), l.joined("carl", "r")
		for i := range 12 {
			pub := a.hum(annas)
			time.Sleep(300 * time.Millisecond)
			b.mustHear(fmt.Sprint("publication ", i), annas, 600*time.Millisecond)
			pub.Stop()
			switch i {
			case 4:
				c.leave() // unnoticed by any microphone
			case 8:
				if err := c.join("r"); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Duration(i%3) * 500 * time.Millisecond)
		}
		streams := make(map[uint8]uint64)
		for _, f := range s.notes.framesOf(a, time.Time{}, time.Now()) {
			if first, known := streams[f.KID.Stream()]; !known || f.CTR < first {
				streams[f.KID.Stream()] = f.CTR
			}
		}
		for n := range uint8(11) {
			if streams[n] > streams[n+1] {
				t.Errorf("stream %d begins at CTR %d, the next one at %d", n, streams[n], streams[n+1])
			}
		}
		c.mustNotWarn()
		b.mustNotWarn()
	})
}

// mustNotWarn wants no alarm without a reason.
func (p *person) mustNotWarn() {
	p.lab.t.Helper()
	if len(p.warned(WarnKey, WarnMembers, WarnUnknownMember, WarnNoKey)) > 0 {
		p.lab.t.Errorf("%q", p.log())
	}
}

// TestCTRBeyond16Bits has a stream's CTR pass 65,536, for those who listen all the time and for who comes
// later.
func TestCTRBeyond16Bits(t *testing.T) {
	inSpied(t, func(l *lab, s *spy) {
		a, b := l.joined("anna", "r"), l.joined("bert", "r")
		pub := a.hum(annas)
		time.Sleep(time.Second)
		for range 5 { // as if 20,000 frames had been lost: nothing else moves a CTR as cheaply
			for range 20_000 {
				if _, _, _, err := pub.outlet.sealer.Seal(nil, nil); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(2 * time.Second)
			b.mustHear("after a jump", annas, time.Second)
		}
		c := l.joined("carl", "r")
		time.Sleep(2 * time.Second)
		c.mustHear("who came later", annas, time.Second)
		d := l.device("dora", identity.NewSeed().Identity())
		s.set(hooks{up: func(_ *tapped, m message) []message {
			if m.kind == wire.UrgentKeyWraps { // her key is late
				time.AfterFunc(time.Second, func() { s.set(hooks{}) })
				return nil
			}
			return []message{m}
		}})
		if err := d.join("r"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(6 * time.Second)
		d.mustHear("whose key came late", annas, time.Second)
		frames := s.notes.framesOf(a, time.Time{}, time.Now())
		if last := frames[len(frames)-1].CTR; last < 100_000 {
			t.Errorf("CTR %d is not above 16 bits", last)
		}
	})
}
