package call

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// TestNewcomerHearsNoPast gives a newcomer every frame of before it joined, once it has the talker's key. It
// joins while nothing else happens, while a fresh key waits, and between two publications.
func TestNewcomerHearsNoPast(t *testing.T) {
	for name, before := range map[string]func(s *spy, a, b *person){
		"while one talks": func(_ *spy, a, _ *person) { a.hum(annas) },
		"while a key waits": func(s *spy, a, _ *person) {
			a.hum(annas)
			time.Sleep(2 * time.Second)
			s.set(hooks{down: withholdDelivered})
			g := s.lab.ghost(newIdentity(2), "bert", "r", nil)
			s.haunt(g, s.all()...)
			time.Sleep(2 * time.Second)
			s.lay(g, s.all()...)
			time.Sleep(1500 * time.Millisecond) // the key is made, and is used 8 s after the leave only
		},
		"between publications": func(_ *spy, a, _ *person) {
			pub := a.hum(annas)
			time.Sleep(2 * time.Second)
			pub.Stop()
			time.AfterFunc(3*time.Second, func() { a.hum(annas) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			inSpied(t, func(l *lab, s *spy) {
				a, b := l.joined("anna", "r"), l.joined("bert", "r")
				before(s, a, b)
				time.Sleep(time.Second)
				checkNewcomer(l, s, a)
			})
		})
	}
}

// withholdDelivered keeps talkers waiting.
func withholdDelivered(_ *tapped, m message) []message {
	if m.kind == wire.UrgentKeyDelivered {
		return nil
	}
	return []message{m}
}

func checkNewcomer(l *lab, s *spy, a *person) {
	var joined atomic.Pointer[time.Time]
	h := *s.hooks.Load()
	h.answer = func(_ *tapped, question, answer wire.Message) wire.Message {
		if _, ok := question.(*wire.Join); ok {
			now := time.Now()
			joined.CompareAndSwap(nil, &now)
		}
		return answer
	}
	s.set(h)
	c := l.joined("carl", "r")
	time.Sleep(9500 * time.Millisecond) // until a key that waited is used
	past := s.notes.framesOf(a, time.Time{}, *joined.Load())
	now := s.notes.framesOf(a, time.Now().Add(-time.Second), time.Now())
	c.mustHear("a newcomer", annas, time.Second)
	a.room.publication.SetTalking(false)
	time.Sleep(time.Second)
	c.mix.take()
	received := c.room.Heard()[0].Stats().Received
	for i, f := range past {
		s.of(c).SendMediaNow(uint16(4000+i%50), &f.Media)
		time.Sleep(5 * time.Millisecond)
	}
	time.Sleep(time.Second)
	if ms, _ := humming(c.mix.take(), annas); ms > 0 || c.room.Heard()[0].Stats().Received != received {
		l.t.Errorf("a newcomer heard %d ms of the past", ms)
	}
	keys := s.notes.hoard(c)
	if n := keys.opens(past); n > 0 || len(past) < 40 {
		l.t.Errorf("the keys that a newcomer got open %d of %d frames of the past", n, len(past))
	}
	if n := keys.opens(now); n == 0 || n != len(now) {
		l.t.Errorf("the keys that a newcomer got open %d of %d frames of the present", n, len(now))
	}
	c.mustNotWarn()
}

// TestLeaverHearsNothingLater has somebody be told out of a room, but keep all keys and get all media. Of
// what is said 10 s later nothing may be opened, whatever the relay does; who stays hears everything.
func TestLeaverHearsNothingLater(t *testing.T) {
	for _, test := range []struct {
		name     string
		withhold bool // of the talker, that its key was delivered
		leaves   int  // others that leave afterwards, one a second
		rearm    bool // the talker begins anew after the leave
	}{
		{name: "plainly"},
		{name: "and nobody says that the key came", withhold: true},
		{name: "and others follow", withhold: true, leaves: 11},
		{name: "before a word", rearm: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			inSpied(t, func(l *lab, s *spy) {
				a, b := l.joined("anna", "r"), l.joined("bert", "r")
				c := l.device("bert", newIdentity(2)) // so that people do not change
				if err := c.join("r"); err != nil {
					t.Fatal(err)
				}
				pub := a.hum(annas)
				var ghosts []*ghost
				for range test.leaves {
					ghosts = append(ghosts, l.ghost(newIdentity(2), "bert", "r", nil))
					s.haunt(ghosts[len(ghosts)-1], s.all()...)
				}
				time.Sleep(3 * time.Second)
				if test.withhold {
					s.set(hooks{down: withholdDelivered})
				}
				if test.rearm {
					pub.Stop()
				}
				before := s.notes.framesOf(a, time.Now().Add(-time.Second), time.Now())
				left := time.Now()
				s.tellLeft(s.of(c))
				if test.rearm {
					time.Sleep(500 * time.Millisecond)
					a.hum(annas)
				}
				b.mix.take()
				deaf, received := time.Now(), uint64(0)
				for ; time.Since(left) < 14*time.Second; time.Sleep(50 * time.Millisecond) {
					if n := receivedBy(c); n > received {
						received, deaf = n, time.Now()
					}
					if i := int(time.Since(left) / time.Second); i < len(ghosts) && ghosts[i] != nil {
						s.lay(ghosts[i], s.of(a), s.of(b))
						ghosts[i] = nil
					}
				}
				t.Logf("the leaver was deaf after %v", deaf.Sub(left))
				if ms, _ := humming(b.mix.take(), annas); ms < 13_000 {
					t.Errorf("who stays heard %d of 14000 ms", ms)
				}
				checkLeaver(s, c, before, s.notes.framesOf(a, left.Add(10*time.Second), time.Now()))
				if test.rearm {
					again := slices.DeleteFunc(s.notes.framesOf(a, left, time.Now()),
						func(f notedFrame) bool { return f.KID.Stream() == 0 })
					if n := s.notes.hoard(c).opens(again); n > 0 || len(again) < 500 {
						t.Errorf("%d of %d frames of a publication after the leave can be opened", n,
							len(again))
					}
				}
				b.mustNotWarn()
			})
		})
	}
}

func receivedBy(p *person) (n uint64) {
	for _, st := range p.room.Heard() {
		n += st.Stats().Received
	}
	return n
}

func checkLeaver(s *spy, c *person, before, later []notedFrame) {
	s.lab.t.Helper()
	keys := s.notes.hoard(c)
	if n := keys.opens(before); n == 0 || n != len(before) {
		s.lab.t.Errorf("the keys of a leaver open %d of %d frames of before", n, len(before))
	}
	if n := keys.opens(later); n > 0 || len(later) < 150 {
		s.lab.t.Errorf("the keys of a leaver open %d of %d frames of later", n, len(later))
	}
}

// TestLieOfLeaving has the relay claim that a talker left, and take that back. The talker, who never was
// away, must soon be heard again.
func TestLieOfLeaving(t *testing.T) {
	for _, pause := range []time.Duration{time.Second, 15 * time.Second} {
		t.Run(fmt.Sprint(pause), func(t *testing.T) {
			inSpied(t, func(l *lab, s *spy) {
				a, b := l.joined("anna", "r"), l.joined("bert", "r")
				a.hum(annas)
				time.Sleep(time.Second)
				muted(15*time.Second, a) // the relay's word is not doubted any more
				id := a.room.ID()
				s.of(b).tell(wire.UrgentMembersLeft, wire.AppendMembersLeft(nil, id))
				time.Sleep(pause)
				s.of(b).tell(wire.UrgentMembersJoined, wire.AppendMembersJoined(nil, s.notes.entry(id)))
				time.Sleep(5 * time.Second)
				b.mix.take()
				const watched = 10 * time.Second
				time.Sleep(watched)
				ms, _ := humming(b.mix.take(), annas)
				t.Logf("heard %d of %d ms", ms, watched.Milliseconds())
				if ms < int(watched.Milliseconds())*98/100 {
					t.Errorf("heard %d of %d ms after the relay lied", ms, watched.Milliseconds())
				}
			})
		})
	}
}
