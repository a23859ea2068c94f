package jitter

import (
	"testing"
	"time"
)

// TestClockDrift lets the talker's or the reader's clock run 200 ppm off in
// unbroken speech, for 10 minutes: 120 ms in all.
func TestClockDrift(t *testing.T) {
	for _, c := range []struct {
		name           string
		talker, reader float64
		minutes        int
	}{
		{"fast talker", 200e-6, 0, 10},
		{"slow talker", -200e-6, 0, 10},
		{"fast reader", 0, 200e-6, 3},
		{"slow reader", 0, -200e-6, 3},
		{"both", 200e-6, -200e-6, 3},
	} {
		n := c.minutes * 60 * 50
		if raceDetector {
			n = 60 * 50
		}
		t.Run(c.name, func(t *testing.T) {
			s := newSim(t, tone)
			s.forget = true
			rng := newRand(5)
			s.step = time.Duration(float64(10*time.Millisecond) / (1 + c.reader))
			tk := newTalker()
			end := s.talk(tk, 0, n, func(i int) time.Duration {
				lag := -float64(i) * float64(20*time.Millisecond) * c.talker / (1 + c.talker)
				return 240*time.Millisecond + time.Duration(lag) +
					uniform(rng, -2*time.Millisecond, 2*time.Millisecond)
			})
			var delays []time.Duration
			for at := 30 * time.Second; at < end-time.Second; at += 30 * time.Second {
				s.run(at)
				delays = append(delays, s.player.Stats().Delay)
			}
			st := s.player.Stats()
			if st.Lost+st.Late+st.Concealed+st.Accelerated+st.Decelerated != 0 {
				t.Errorf("drift was heard: %+v", st)
			}
			for i, d := range delays {
				if diff := d - delays[0]; diff > 3*time.Millisecond || diff < -3*time.Millisecond {
					t.Errorf("delay %v at %d s, %v at 30 s", d, 30*(i+1), delays[0])
				}
			}
			s.clicks(toneStep * 1.3) // the start fades in
			t.Logf("delay %v at 30 s, %v at the end", delays[0], delays[len(delays)-1])
		})
	}
}

// TestDriftAcrossLongSilence: half an hour of push-to-talk silence drifts the clocks
// by more than the target delay; the next talkspurt must start with low delay.
func TestDriftAcrossLongSilence(t *testing.T) {
	for _, ppm := range []float64{200e-6, -200e-6} {
		s := newSim(t, tone)
		s.forget, s.blind, s.length = true, true, 4800
		tk := newTalker()
		end := s.talk(tk, 0, 100, steady)
		at := end + 40*time.Millisecond
		for range 4500 {
			s.send(at, tk.marker())
			tk.media += 400 * ms
			at += time.Duration(float64(400*time.Millisecond) / (1 + ppm))
		}
		s.talk(tk, at, 100, steady)
		s.run(at - 5*time.Second)
		s.length = 480
		s.run(at + 4*time.Second)
		st := s.player.Stats()
		if st.Delay > 20*time.Millisecond || st.Played != 200 || st.Resets != 0 || st.Late+st.Lost != 0 {
			t.Errorf("%+v", st)
		}
	}
}
