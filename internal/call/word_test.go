package call

import (
	"bytes"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// TestKeyAfterTheWord has anna join while the member list does not come, say a word, and close the microphone
// before she learns of bert, who was there all the time. He has kept what he could not decode, and hears it
// once she gives him its key.
func TestKeyAfterTheWord(t *testing.T) {
	inSpied(t, func(l *lab, s *spy) {
		b := l.joined("bert", "r")
		entry := s.of(b).member.Load().Entry
		s.set(hooks{
			shows: func(to *tapped, other []byte) bool { return !bytes.Equal(other, entry) },
			answer: func(_ *tapped, question, answer wire.Message) wire.Message {
				if _, ok := question.(*wire.Members); ok {
					return nil
				}
				return answer
			},
		})
		a := l.joined("anna", "r")
		pub := a.hum(annas)
		time.Sleep(openingTime + 500*time.Millisecond)
		pub.Stop()
		time.Sleep(2 * time.Second)
		if ms, _ := humming(b.mix.take(), annas); ms > 0 {
			t.Fatalf("bert heard %d ms without a key", ms)
		}
		s.of(a).tell(wire.UrgentMembersJoined, wire.AppendMembersJoined(nil, entry))
		time.Sleep(2 * time.Second)
		if ms, _ := humming(b.mix.take(), annas); ms < 300 {
			t.Errorf("bert heard %d of 500 ms", ms)
		}
	})
}
