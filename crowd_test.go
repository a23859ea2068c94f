package wzp

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/wire"
)

// TestFirstWordsOfACrowd has people join a room through bad paths, talk at once, and leave while others still learn who is
// there. Who stays there hears each of them.
func TestFirstWordsOfACrowd(t *testing.T) {
	n, may := 20, 1
	if measuring {
		n = 100
	}
	heard, unheard := 0, 0
	for round := 0; heard+unheard < n; round++ {
		inLab(t, func(l *lab) {
			listener := l.joined("listener", "r")
			var wg sync.WaitGroup
			crowd := make([]*person, 10)
			for i := range crowd {
				crowd[i] = l.person(fmt.Sprintf("talker %d", i))
				l.setPaths(bad(len(crowd)*round+i), crowd[i])
			}
			for _, p := range crowd {
				wg.Go(func() {
					for p.join("r") != nil {
						time.Sleep(time.Second) // nothing came through for 30 s
					}
					p.say(&samples{pcm: tone(1500 * time.Millisecond)}, PublishConfig{})
					time.Sleep(8 * time.Second)
					p.leave()
				})
			}
			wg.Wait()
			time.Sleep(time.Second)
			received := make(map[wire.MemberID]uint64) // frames, by member
			for _, st := range listener.room.Heard() {
				received[st.owner] += st.Stats().Received
			}
			for _, p := range crowd {
				if received[p.room.ID()] > 0 {
					heard++
				} else {
					unheard++
					t.Logf("round %d: %s was not heard", round, p.client.config.Name)
				}
			}
			listener.leave()
		})
	}
	t.Logf("%d of %d were heard", heard, heard+unheard)
	if unheard > may {
		t.Errorf("%d of %d were not heard", unheard, heard+unheard)
	}
}
