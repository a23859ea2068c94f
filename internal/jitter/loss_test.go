package jitter

import (
	"slices"
	"testing"
	"time"
)

// A click is a step beyond the tone's own; fades over 5 ms and crossfades of
// two phases add a little.
const clickLimit = toneStep * 1.6

func TestReorderedPacketsPlayInOrder(t *testing.T) {
	s := newSim(t, tone)
	tk := newTalker()
	// Every 10th packet is 50 ms late from the start: the buffer must learn to
	// wait for it, and by then nothing is lost or late.
	end := s.talk(tk, 0, 1000, func(i int) time.Duration {
		if i%10 == 3 {
			return 90 * time.Millisecond
		}
		return 40 * time.Millisecond
	})
	s.run(5 * time.Second)
	before := s.player.Stats()
	s.run(end + 200*time.Millisecond)
	st := s.player.Stats()
	if st.Late != before.Late || st.Lost != 0 {
		t.Errorf("late %d after 5 s, %d at the end, lost %d", before.Late, st.Late, st.Lost)
	}
	if before.Late > 5 {
		t.Errorf("%d frames were late before the delay had grown", before.Late)
	}
	if !slices.IsSorted(s.dec.decoded) {
		t.Error("frames were not decoded in order")
	}
	if st.Played+st.Late != 1000 {
		t.Errorf("played %d and late %d of 1000 frames", st.Played, st.Late)
	}
	s.clicks(clickLimit)
}

func TestDuplicatesAreDropped(t *testing.T) {
	s := newSim(t, tone)
	tk := newTalker()
	at := time.Duration(0)
	for range 100 {
		p := tk.frame()
		s.send(at, p)
		s.send(at, p)
		s.send(at+300*time.Millisecond, p)
		at += 20 * time.Millisecond
	}
	s.run(at + 100*time.Millisecond)
	st := s.player.Stats()
	if st.Played != 100 || st.Duplicate < 190 || st.Late != 0 || st.Lost != 0 {
		t.Errorf("%+v", st)
	}
}

func TestLossIsConcealedAndCounted(t *testing.T) {
	for _, fec := range []bool{false, true} {
		s := newSim(t, tone)
		s.dec.fec = fec
		if fec {
			s.player.SetMinDelay(25 * time.Millisecond) // so that the next packet is there
		}
		tk := newTalker()
		const n, lost = 1000, 100
		end := s.talk(tk, 0, n, func(i int) time.Duration {
			if i%10 == 7 {
				return -1
			}
			return 40 * time.Millisecond
		})
		s.hush(tk, end+40*time.Millisecond)
		s.run(end + time.Second)
		st := s.player.Stats()
		if st.Lost != lost || st.Played != n-lost || st.Late != 0 {
			t.Errorf("fec %v: %+v", fec, st)
		}
		if fec && st.Recovered < lost-1 || !fec && st.Concealed != lost || st.Concealed+st.Recovered != lost {
			t.Errorf("fec %v: recovered %d, concealed %d of %d", fec, st.Recovered, st.Concealed, lost)
		}
		if st.Accelerated+st.Decelerated > 5 {
			t.Errorf("fec %v: loss alone changed the speed: %+v", fec, st)
		}
		s.clicks(clickLimit)
	}
}

func TestLongLossFadesToSilence(t *testing.T) {
	s := newSim(t, tone)
	tk := newTalker()
	end := s.talk(tk, 0, 200, func(i int) time.Duration {
		if i >= 50 && i < 75 {
			return -1
		}
		return 40 * time.Millisecond
	})
	s.hush(tk, end+40*time.Millisecond)
	s.run(end + time.Second)
	// Frame 50 is due at 1.05 s; at 1.25 s nothing is left of it.
	for i := int(1.25 * second); i < int(1.5*second); i++ {
		if s.out[i] != 0 {
			t.Fatalf("sound at sample %d, 200 ms into a loss", i)
		}
	}
	st := s.player.Stats()
	if st.Concealed != 25 || st.Lost != 25 || st.Played != 175 {
		t.Errorf("%+v", st)
	}
	if s.dec.conceals > 20 {
		t.Errorf("the decoder was asked for %d x 10 ms of concealment", s.dec.conceals)
	}
	s.clicks(clickLimit)
}

func TestSixtyPercentLoss(t *testing.T) {
	for _, duration := range []time.Duration{10, 20, 40, 60} {
		for _, fec := range []bool{false, true} {
			s := newSim(t, tone)
			s.dec.fec = fec
			rng := newRand(uint64(duration))
			tk := newTalker()
			tk.duration = duration * time.Millisecond
			limit := 16 * time.Millisecond
			if fec {
				s.player.SetMinDelay(tk.duration + 3*time.Millisecond)
				limit += tk.duration + 3*time.Millisecond
			}
			sent := 0
			end := s.talk(tk, 0, 1500, func(i int) time.Duration {
				if rng.Float64() < 0.6 {
					return -1
				}
				sent++
				return 40*time.Millisecond + uniform(rng, 0, 5*time.Millisecond)
			})
			s.hush(tk, end+40*time.Millisecond)
			s.run(end + time.Second)
			st := s.player.Stats()
			if int(st.Played+st.Late) != sent || st.Late > uint64(sent/100) {
				t.Errorf("%d ms, fec %v: played %d of %d that came, %+v", duration, fec, st.Played, sent, st)
			}
			if missing := 1500 - sent; int(st.Concealed+st.Recovered) < missing*9/10 {
				t.Errorf("%d ms, fec %v: filled %d + %d of %d", duration, fec, st.Concealed, st.Recovered,
					missing)
			}
			if next := uint64(0.4 * 0.6 * 1500); fec && st.Recovered < next*9/10 {
				t.Errorf("%d ms: %d frames recovered; about %d were followed by a packet that came", duration,
					st.Recovered, next)
			}
			if st.Delay > limit {
				t.Errorf("%d ms, fec %v: loss raised the delay: %v, target %v", duration, fec, st.Delay,
					st.Target)
			}
		}
	}
}

func TestUndecodableFramesAreConcealed(t *testing.T) {
	s := newSim(t, tone)
	s.dec.failing = true
	tk := newTalker()
	end := s.talk(tk, 0, 50, steady)
	s.hush(tk, end+40*time.Millisecond)
	s.run(end + time.Second)
	st := s.player.Stats()
	if st.Undecodable != 50 || st.Concealed != 50 || st.Played != 0 {
		t.Errorf("%+v", st)
	}
}
