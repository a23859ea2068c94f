package jitter

import (
	"math"
	"testing"
	"time"
)

// loudness is the greatest level in the output between two times.
func (s *sim) loudness(from, to time.Duration) float64 {
	loudest := 0.0
	for _, r := range s.reads {
		if r.at < from || r.at >= to {
			continue
		}
		for _, v := range s.out[r.first : r.first+s.length] {
			loudest = max(loudest, math.Abs(float64(v)))
		}
	}
	return loudest
}

func TestSilenceIsNotLoss(t *testing.T) {
	s := newSim(t, tone)
	tk := newTalker()
	at := time.Duration(0)
	frames := uint64(0)
	for spurt := range 30 {
		end := s.talk(tk, at, 50, steady)
		frames += 50
		switch spurt % 3 {
		case 0: // markers and keep-alives
			s.hush(tk, end+40*time.Millisecond)
			tk.media += 340 * ms
			s.send(end+440*time.Millisecond, tk.marker())
			tk.media += 400 * ms
		case 1: // no markers at all: only the timestamp jumps
			tk.media += 800 * ms
		case 2: // all four markers are lost
			tk.counter += 4
			tk.media += 800 * ms
		}
		at = end + 800*time.Millisecond
		s.run(end + 300*time.Millisecond)
		if s.player.Active() {
			t.Errorf("talkspurt %d: still active 300 ms after its end", spurt)
		}
		if v := s.loudness(end+220*time.Millisecond, end+300*time.Millisecond); v != 0 {
			t.Errorf("talkspurt %d: sound of level %g in silence", spurt, v)
		}
	}
	s.run(at)
	st := s.player.Stats()
	if st.Played != frames || st.Lost != 36 || st.Late != 0 || st.Resets != 0 {
		t.Errorf("%+v", st)
	}
	if st.Concealed != 0 {
		t.Errorf("%d frames concealed in silence", st.Concealed)
	}
	if st.Delay > 15*time.Millisecond {
		t.Errorf("delay %v", st.Delay)
	}
	s.clicks(clickLimit)
}

func TestMarkersStopThePlayerAtOnce(t *testing.T) {
	s := newSim(t, tone)
	tk := newTalker()
	end := s.talk(tk, 0, 50, steady)
	s.hush(tk, end+40*time.Millisecond)
	s.run(end)
	if !s.player.Active() {
		t.Error("not active while talking")
	}
	s.run(end + 90*time.Millisecond)
	if s.player.Active() {
		t.Error("active after the marker")
	}
	if v := s.loudness(end+80*time.Millisecond, end+time.Second); v != 0 {
		t.Errorf("level %g after the marker", v)
	}
	s.clicks(clickLimit)
}

func TestLostLastFrameBeforeMarker(t *testing.T) {
	s := newSim(t, tone)
	tk := newTalker()
	end := s.talk(tk, 0, 50, func(i int) time.Duration {
		if i == 49 {
			return -1
		}
		return 40 * time.Millisecond
	})
	s.hush(tk, end+40*time.Millisecond)
	s.run(end + time.Second)
	if st := s.player.Stats(); st.Concealed != 1 || st.Lost != 1 || st.Played != 49 {
		t.Errorf("%+v", st)
	}
}

func TestTalkspurtStartsWithTheTarget(t *testing.T) {
	s := newSim(t, ramp)
	tk := newTalker()
	rng := newRand(3)
	at := time.Duration(0)
	jittery := func(int) time.Duration { return 40*time.Millisecond + uniform(rng, 0, 80*time.Millisecond) }
	// The first talkspurt teaches the jitter, the others start with it.
	for range 20 {
		end := s.talk(tk, at, 100, jittery)
		s.hush(tk, end+40*time.Millisecond)
		tk.media += 140 * ms
		at = end + 200*time.Millisecond
	}
	s.run(10 * time.Second)
	before := s.player.Stats()
	s.run(at)
	st := s.player.Stats()
	if late := st.Concealed - before.Concealed; late > 30 {
		t.Errorf("%d of %d frames concealed", late, st.Played-before.Played)
	}
	if st.Delay < 40*time.Millisecond || st.Delay > 90*time.Millisecond {
		t.Errorf("mean delay %v with up to 80 ms of jitter", st.Delay)
	}
	if ops := st.Accelerated + st.Decelerated - before.Accelerated - before.Decelerated; ops > 20 {
		t.Errorf("%d changes of speed, although there was silence to change the delay in", ops)
	}
	t.Logf("%+v", st)
}

func TestShortPauseStaysWhenBehind(t *testing.T) {
	s := newSim(t, tone)
	tk := newTalker()
	// Two talkspurts with 2 s of silence in between come in one burst: both are
	// played, and the silence is cut short.
	for range 2 {
		s.talk(tk, 0, 25, func(i int) time.Duration {
			return time.Second - time.Duration(i)*20*time.Millisecond
		})
		s.send(time.Second, tk.marker())
		tk.media += 2 * second
	}
	s.run(3 * time.Second)
	st := s.player.Stats()
	if st.Played != 50 || st.Dropped != 0 || st.Concealed != 0 {
		t.Errorf("%+v", st)
	}
	if v := s.loudness(2200*time.Millisecond, 3*time.Second); v != 0 {
		t.Errorf("still playing 1.2 s after 1 s of speech came")
	}
	s.clicks(clickLimit)
}

// pressAndTalk schedules one press of push-to-talk: n frames, of which the first
// ten are sound from before the press and leave together with the eleventh, then
// the markers, then a pause. A frame is delayed by delay(i) beyond that.
func (s *sim) pressAndTalk(tk *talker, at time.Duration, n int, pause time.Duration,
	delay func(i int) time.Duration) (end time.Duration) {
	end = s.talk(tk, at, n, func(i int) time.Duration {
		return max(0, time.Duration(10-i)*20*time.Millisecond) + delay(i)
	})
	next := tk.media + toSamples(pause)
	s.hush(tk, end+45*time.Millisecond)
	tk.media = next
	return end + pause
}

func TestPreRollIsNotAStall(t *testing.T) {
	jitter := newRand(21)
	for _, c := range []struct {
		name  string
		late  uint64 // frames at most
		delay func(i int) time.Duration
	}{
		{"in order", 0, func(i int) time.Duration {
			if i < 10 {
				return 40 * time.Millisecond // one queue: what left together stays in order
			}
			return 40*time.Millisecond + uniform(jitter, 0, 2*time.Millisecond)
		}},
		// Play-out that is behind begins with what is there, so the first of the
		// pre-roll may be overtaken: fewer than one frame a press.
		{"reordered", 10, func(int) time.Duration {
			return 40*time.Millisecond + uniform(jitter, 0, 2*time.Millisecond)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSim(t, tone)
			tk := newTalker()
			rng := newRand(22)
			at, frames := time.Duration(0), 0
			for range 10 {
				n := 50 + rng.IntN(51)
				frames += n
				at = s.pressAndTalk(tk, at, n, uniform(rng, 200*time.Millisecond, time.Second), c.delay)
			}
			s.run(at)
			if st := s.player.Stats(); st.Target > 18*time.Millisecond {
				t.Errorf("target %v after ten talkspurts with reads of 10 ms", st.Target)
			}
			end := s.pressAndTalk(tk, at, 250, time.Second, c.delay)
			s.run(end - time.Second)
			st := s.player.Stats()
			if st.Delay > 20*time.Millisecond || st.Target > 18*time.Millisecond {
				t.Errorf("delay %v, target %v of steady speech", st.Delay, st.Target)
			}
			s.run(end)
			st = s.player.Stats()
			if int(st.Played+st.Late) != frames+250 || st.Late > c.late ||
				st.Lost+st.Dropped+st.Resets+st.Concealed != 0 {
				t.Errorf("%+v", st)
			}
			s.clicks(clickLimit)
			t.Logf("%+v", st)
		})
	}
}

func TestStallsAreWaitedForDespitePreRolls(t *testing.T) {
	s := newSim(t, tone)
	tk := newTalker()
	at := time.Duration(0)
	for range 10 {
		// 200 ms are held back in the middle of every talkspurt.
		at = s.pressAndTalk(tk, at, 100, 500*time.Millisecond, func(i int) time.Duration {
			if i >= 50 && i < 60 {
				return 40*time.Millisecond + time.Duration(60-i)*20*time.Millisecond
			}
			return 40 * time.Millisecond
		})
	}
	s.run(at)
	if st := s.player.Stats(); st.Target < 200*time.Millisecond {
		t.Errorf("target %v with repeated stalls of 200 ms", st.Target)
	}
	s.clicks(clickLimit)
}
