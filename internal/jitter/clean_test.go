package jitter

import (
	"fmt"
	"testing"
	"time"
)

func TestCleanNetworkAddsAboutTenMilliseconds(t *testing.T) {
	for _, jitter := range []time.Duration{0, time.Millisecond, 3 * time.Millisecond} {
		for phase := time.Duration(0); phase < 10*time.Millisecond; phase += 2300 * time.Microsecond {
			t.Run(fmt.Sprintf("jitter %v phase %v", jitter, phase), func(t *testing.T) {
				s := newSim(t, ramp)
				s.now = phase
				rng := newRand(uint64(phase))
				tk := newTalker()
				start, first := 100*time.Millisecond, tk.media
				const n = 500
				put := map[int64]time.Duration{}
				end := s.talk(tk, start, n, func(i int) time.Duration {
					d := 40*time.Millisecond + uniform(rng, -jitter, jitter)
					put[first+int64(i)*960] = start + time.Duration(i)*20*time.Millisecond + d
					return d
				})
				s.hush(tk, end+40*time.Millisecond)
				s.run(end + time.Second)

				// By the output alone: in which read did the first sample of each frame leave?
				var sum, worst time.Duration
				count := 0
				for _, r := range s.reads {
					for i := r.first; i < r.first+s.length; i++ {
						if s.out[i] == 0 {
							continue
						}
						media := int64(float64(s.out[i])*rampPeriod + 0.5)
						frame := first + (media-first)/960*960
						at, ok := put[frame]
						if media < first || !ok || media-frame > 8 { // 8: resolution of the ramp
							continue
						}
						d := r.at + toDuration(int64(i-r.first)) - at
						sum, worst = sum+d, max(worst, d)
						count++
						delete(put, frame)
					}
				}
				st := s.player.Stats()
				if st.Played != n || st.Lost+st.Late+st.Concealed+st.Accelerated+st.Decelerated != 0 {
					t.Errorf("not a clean play: %+v", st)
				}
				if count < n*9/10 {
					t.Errorf("saw only %d frames leave", count)
				}
				if mean := sum / time.Duration(count); mean > 15*time.Millisecond {
					t.Errorf("mean delay %v, worst %v, stats %+v", mean, worst, st)
				} else {
					t.Logf("mean delay %v, worst %v, by stats %v, target %v", mean, worst, st.Delay,
						st.Target)
				}
			})
		}
	}
}
