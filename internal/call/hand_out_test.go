package call

import (
	"github.com/wzp-voice/wzp/internal/e2ee"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// TestEndWaitsForKeys has a word end before its key is known to have come: who left then would not be heard.
func TestEndWaitsForKeys(t *testing.T) {
	for _, test := range []struct {
		name   string
		after  time.Duration // that it is told; 0: never
		wanted time.Duration // from the end of the word on
	}{{"told", 2 * time.Second, 1600 * time.Millisecond}, {"never told", 0, deliveryTime}} {
		t.Run(test.name, func(t *testing.T) {
			inSpied(t, func(l *lab, s *spy) {
				a, _ := l.joined("anna", "r"), l.joined("bert", "r")
				time.Sleep(2 * time.Second)
				s.set(hooks{down: func(p *tapped, m message) []message {
					if m.kind != wire.UrgentKeyDelivered || p != s.of(a) {
						return []message{m}
					}
					if test.after > 0 {
						time.AfterFunc(test.after, func() { p.tell(m.kind, m.body) })
					}
					return nil
				}})
				begin := time.Now()
				p, err := a.room.Publish(&samples{pcm: tone(400 * time.Millisecond)}, PublishConfig{})
				if err != nil {
					t.Fatal(err)
				}
				<-p.Done()
				after := time.Since(begin) - 400*time.Millisecond
				if (after - test.wanted).Abs() > 300*time.Millisecond {
					t.Errorf("ended %v after the word, want %v", after, test.wanted)
				}
			})
		})
	}
	t.Run("alone", func(t *testing.T) {
		inSpied(t, func(l *lab, _ *spy) {
			begin := time.Now()
			p, err := l.joined("anna", "r").room.Publish(&samples{pcm: tone(400 * time.Millisecond)},
				PublishConfig{})
			if err != nil {
				t.Fatal(err)
			}
			if <-p.Done(); time.Since(begin) > time.Second {
				t.Errorf("who is alone waited for %v", time.Since(begin))
			}
		})
	})
}

// TestOutstanding follows headers from the first message to their delivery.
func TestOutstanding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o outstanding
		bert, carl := wire.EntryHash{1}, wire.EntryHash{2}
		talker := e2ee.NewTalker(newIdentity(1), wire.EntryHash{}, "r", nil)
		defer talker.Close()
		handOut := func(to wire.EntryHash) *outKey {
			t.Helper()
			join, err := e2ee.NewJoinKey()
			if err != nil {
				t.Fatal(err)
			}
			defer join.Erase()
			talker.SetMembers([]e2ee.Recipient{{Hash: to, JoinKey: join.Public()}})
			talker.Arm(e2ee.AES128CTRHMACSHA256Tag64)
			talker.Wanted(to.Member())
			time.Sleep(time.Second)
			d, _ := talker.Step(time.Now())
			if d == nil {
				t.Fatal("nothing is handed out")
			}
			return o.add(d)
		}
		reaching := func(want bool, id wire.EntryHash, when string) {
			t.Helper()
			if got := o.reaching(id.Member(), time.Now()); got != want {
				t.Errorf("%s: reaching is %v", when, got)
			}
		}
		first := handOut(bert)
		reaching(true, bert, "under way")
		reaching(false, carl, "not to carl")
		o.sending(first)
		if o.acked(first) || !o.acked(first) {
			t.Error("acknowledged with the first of two messages, or never")
		}
		reaching(true, bert, "being passed on")
		time.Sleep(passTime)
		reaching(false, bert, "lost on the way")
		for i := range 5 {
			if busy := o.busy(); busy != (i >= maxUnderWay) {
				t.Errorf("busy with %d under way: %v", i, busy)
			}
			handOut(bert)
		}
		if len(o.keys) != maxOutstanding {
			t.Errorf("%d are remembered", len(o.keys))
		}
		o.delivered([]uint32{first.Number(), 2, 3, 4, 5})
		if o.none() {
			t.Error("none, before the last was delivered")
		}
		o.delivered([]uint32{6})
		if !o.none() {
			t.Error("the last is still there, after it was delivered")
		}
	})
}
