package wzp

import (
	"testing"
	"time"

	"github.com/wzp-voice/wzp/wire"
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
				if after := time.Since(begin) - 400*time.Millisecond; (after - test.wanted).Abs() > 300*time.Millisecond {
					t.Errorf("ended %v after the word, want %v", after, test.wanted)
				}
			})
		})
	}
	t.Run("alone", func(t *testing.T) {
		inSpied(t, func(l *lab, _ *spy) {
			begin := time.Now()
			p, err := l.joined("anna", "r").room.Publish(&samples{pcm: tone(400 * time.Millisecond)}, PublishConfig{})
			if err != nil {
				t.Fatal(err)
			}
			if <-p.Done(); time.Since(begin) > time.Second {
				t.Errorf("who is alone waited for %v", time.Since(begin))
			}
		})
	})
}
