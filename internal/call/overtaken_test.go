package call

import (
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// TestKeyOvertaken has somebody leave while the talker's first key is under way, so that the second one comes
// first.
func TestKeyOvertaken(t *testing.T) {
	inSpied(t, func(l *lab, s *spy) {
		a, b, c := l.joined("anna", "r"), l.joined("bert", "r"), l.joined("carl", "r")
		time.Sleep(2 * time.Second)
		to := s.of(b)
		s.set(hooks{down: func(p *tapped, m message) []message {
			if key, err := wire.Parse[wire.Key](m.body); m.kind == wire.UrgentKey && p == to && err == nil &&
				key.Key.Number == 1 {
				time.AfterFunc(1500*time.Millisecond, func() { p.tell(m.kind, m.body) })
				return nil
			}
			return []message{m}
		}})
		a.hum(annas)
		time.Sleep(300 * time.Millisecond)
		s.tellLeft(s.of(c))
		b.mix.take()
		time.Sleep(4 * time.Second)
		received := receivedBy(b)
		if sent := len(s.notes.framesOf(a, time.Time{},
			time.Now().Add(-500*time.Millisecond))); received < uint64(sent) {
			t.Errorf("%d of %d frames were heard, though both keys came within 3 s", received, sent)
		}
	})
}
