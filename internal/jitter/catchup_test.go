package jitter

import (
	"slices"
	"testing"
	"time"
)

// held delays n frames so that they all arrive at the same time, then goes on.
func held(n int, network time.Duration) func(i int) time.Duration {
	return func(i int) time.Duration {
		if i < n {
			return time.Duration(n-i)*20*time.Millisecond + network
		}
		return network
	}
}

func TestHeldTalkspurtIsPlayedFromItsStart(t *testing.T) {
	for _, seconds := range []int{1, 2, 3} {
		s := newSim(t, tone)
		tk := newTalker()
		n := seconds * 50
		end := s.talk(tk, 0, 1000, held(n, 40*time.Millisecond))
		s.hush(tk, end+40*time.Millisecond)
		burst := time.Duration(seconds) * time.Second

		s.run(burst + 100*time.Millisecond)
		if d := s.player.Stats().LastDelay; d > 100*time.Millisecond {
			t.Errorf("%d s: play-out began only %v after the burst came", seconds, d)
		}
		caught := time.Duration(0)
		for now := burst; now < 20*time.Second && caught == 0; now += 100 * time.Millisecond {
			s.run(now)
			if s.player.Stats().LastDelay < 30*time.Millisecond && now > burst+200*time.Millisecond {
				caught = now - burst
			}
		}
		s.run(end + time.Second)
		st := s.player.Stats()
		if st.Played != 1000 || st.Late+st.Lost+st.Dropped+st.Concealed != 0 {
			t.Errorf("%d s: %+v", seconds, st)
		}
		if !slices.IsSorted(s.dec.decoded) || len(s.dec.decoded) != 1000 {
			t.Errorf("%d s: not all frames were decoded in order", seconds)
		}
		if limit := time.Duration(seconds+1) * 4 * time.Second; caught == 0 || caught > limit {
			t.Errorf("%d s: caught up after %v", seconds, caught)
		}
		t.Logf("%d s held: caught up %v after the burst, %d periods removed", seconds, caught, st.Accelerated)
		s.clicks(clickLimit)
	}
}

func TestStallIsPlayedAndCaughtUp(t *testing.T) {
	for _, stall := range []int{10, 25, 50, 100} { // frames
		s := newSim(t, tone)
		tk := newTalker()
		end := s.talk(tk, 0, 1500, func(i int) time.Duration {
			if i >= 250 && i < 250+stall {
				return 40*time.Millisecond + time.Duration(250+stall-i)*20*time.Millisecond
			}
			return 40 * time.Millisecond
		})
		s.hush(tk, end+40*time.Millisecond)
		s.run(end)
		st := s.player.Stats()
		if st.Played < 1495 || st.Late+st.Lost+st.Dropped != 0 {
			t.Errorf("stall of %d frames: %+v", stall, st)
		}
		if st.Delay > 20*time.Millisecond {
			t.Errorf("stall of %d frames: delay is still %v at the end, target %v", stall, st.Delay,
				st.Target)
		}
		if most := uint64(stall); st.Concealed > most || st.Concealed < most/2 {
			t.Errorf("stall of %d frames: %d concealed", stall, st.Concealed)
		}
		s.clicks(clickLimit)
	}
}

func TestRepeatedStallsAreWaitedFor(t *testing.T) {
	s := newSim(t, tone)
	tk := newTalker()
	// Every 4 s the network holds 400 ms back.
	end := s.talk(tk, 0, 3000, func(i int) time.Duration {
		if at := i % 200; at >= 150 && at < 170 {
			return 40*time.Millisecond + time.Duration(170-at)*20*time.Millisecond
		}
		return 40 * time.Millisecond
	})
	s.run(12 * time.Second)
	before := s.player.Stats()
	s.run(end)
	st := s.player.Stats()
	if st.Concealed-before.Concealed > 5 || st.Late != 0 {
		t.Errorf("%d frames concealed in 12 stalls, target %v", st.Concealed-before.Concealed, st.Target)
	}
	s.clicks(clickLimit)
}

func TestOutageOf55Seconds(t *testing.T) {
	s := newSim(t, ramp)
	tk := newTalker()
	s.talk(tk, 0, 250, steady)
	// 55 s of talk never arrive.
	tk.media += 55 * second
	tk.counter += 55 * 50
	resumed := 60 * time.Second
	end := s.talk(tk, resumed, 250, steady)
	s.run(resumed + 45*time.Millisecond)
	if s.player.Active() {
		t.Error("active during the outage")
	}
	s.run(resumed + 80*time.Millisecond)
	if !s.player.Active() || s.loudness(resumed, resumed+80*time.Millisecond) == 0 {
		t.Error("not playing 40 ms after the first packet came")
	}
	s.run(end + time.Second)
	st := s.player.Stats()
	if st.Played != 500 || st.Lost != 55*50 || st.Resets != 1 || st.Delay > 15*time.Millisecond {
		t.Errorf("%+v", st)
	}
}

func TestShortOutageKeepsTheDelay(t *testing.T) {
	for _, frames := range []int{5, 50, 500, 1250} {
		s := newSim(t, ramp)
		tk := newTalker()
		end := s.talk(tk, 0, 2000, func(i int) time.Duration {
			if i >= 200 && i < 200+frames {
				return -1
			}
			return 40 * time.Millisecond
		})
		s.run(end)
		st := s.player.Stats()
		if int(st.Lost) != frames || st.Delay > 15*time.Millisecond || int(st.Concealed) != frames {
			t.Errorf("%d frames lost: %+v", frames, st)
		}
	}
}

func TestOverflowDropsTheOldest(t *testing.T) {
	s := newSim(t, tone)
	tk := newTalker()
	// 5 s come at once, after 1 s of play.
	end := s.talk(tk, 0, 1000, func(i int) time.Duration {
		if i >= 50 && i < 300 {
			return time.Duration(300-i)*20*time.Millisecond + 40*time.Millisecond
		}
		return 40 * time.Millisecond
	})
	s.run(end + time.Second)
	st := s.player.Stats()
	if st.Dropped < 70 || st.Dropped > 80 || st.Played != 1000-st.Dropped {
		t.Errorf("%+v", st)
	}
	if st.Delay > 20*time.Millisecond {
		t.Errorf("delay %v at the end", st.Delay)
	}
	s.clicks(clickLimit)
}

func TestSuspendedReaderRecovers(t *testing.T) {
	s := newSim(t, tone)
	tk := newTalker()
	end := s.talk(tk, 0, 1500, steady)
	s.run(5 * time.Second)
	before := s.player.Stats()
	s.now += time.Second // no reads
	s.run(14 * time.Second)
	st := s.player.Stats()
	if st.Delay > before.Delay+10*time.Millisecond {
		t.Errorf("delay %v, 8 s after the reader came back; %v before", st.Delay, before.Delay)
	}
	s.run(end)
	if st := s.player.Stats(); st.Dropped+st.Late+st.Concealed > 0 {
		t.Errorf("%+v", st)
	}
	s.clicks(clickLimit)
}

func TestReaderThatCatchesUp(t *testing.T) {
	s := newSim(t, tone)
	tk := newTalker()
	end := s.talk(tk, 0, 1500, steady)
	s.run(5 * time.Second)
	// 1 s without reads, then 100 reads at once, then on as before.
	at := s.now + time.Second
	s.now = at
	s.step = time.Nanosecond
	s.run(at + 100)
	s.step, s.now = 0, at+10*time.Millisecond
	s.run(end)
	st := s.player.Stats()
	if st.Delay > 20*time.Millisecond || st.Late+st.Dropped > 0 || st.Concealed > 2 {
		t.Errorf("%+v", st)
	}
	s.clicks(clickLimit)
}

func TestReaderInBursts(t *testing.T) {
	// The device takes 40 ms at a time, as four reads of 10 ms at one instant.
	s := newSim(t, tone)
	tk := newTalker()
	end := s.talk(tk, 0, 1500, steady)
	for at := 3 * time.Millisecond; at < end; at += 40 * time.Millisecond {
		s.now, s.step = at, time.Nanosecond
		s.run(at + 4)
	}
	st := s.player.Stats()
	if st.Concealed > 8 || st.Late > 0 || st.Delay > 50*time.Millisecond {
		t.Errorf("%+v", st)
	}
	s.clicks(clickLimit)
}

func TestReadLengths(t *testing.T) {
	for _, length := range []int{1, 37, 160, 441, 960, 4800} {
		s := newSim(t, tone)
		s.length = length
		tk := newTalker()
		end := s.talk(tk, 0, 500, steady)
		s.run(end)
		st := s.player.Stats()
		limit := toDuration(int64(length)) + 6*time.Millisecond
		if st.Concealed > 20 || st.Late > 0 || st.Delay > limit {
			t.Errorf("reads of %d samples: %+v", length, st)
		}
		s.clicks(clickLimit)
	}
}
