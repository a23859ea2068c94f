package jitter

import (
	"testing"
	"time"
)

func TestDelayGrowsQuicklyAndShrinksSlowly(t *testing.T) {
	s := newSim(t, tone)
	rng := newRand(9)
	tk := newTalker()
	// 10 s clean, 20 s with up to 120 ms of jitter, 60 s clean.
	s.talk(tk, 0, 4500, func(i int) time.Duration {
		if i >= 500 && i < 1500 {
			return 40*time.Millisecond + uniform(rng, 0, 120*time.Millisecond)
		}
		return 40 * time.Millisecond
	})
	s.run(10 * time.Second)
	if target := s.player.Stats().Target; target > 12*time.Millisecond {
		t.Errorf("target %v on a clean network with reads of 10 ms", target)
	}
	s.run(11 * time.Second)
	if target := s.player.Stats().Target; target < 100*time.Millisecond {
		t.Errorf("target %v after 1 s of jitter of 120 ms", target)
	}
	s.run(13 * time.Second)
	before := s.player.Stats()
	s.run(30 * time.Second)
	st := s.player.Stats()
	frames := st.Played + st.Late - before.Played - before.Late
	if bad := st.Concealed + st.Late - before.Concealed - before.Late; bad > frames*2/100 {
		t.Errorf("%d of %d frames late or concealed", bad, frames)
	}
	s.run(35 * time.Second)
	if target := s.player.Stats().Target; target < 100*time.Millisecond {
		t.Errorf("target fell to %v within 5 s", target)
	}
	s.run(75 * time.Second)
	if st := s.player.Stats(); st.Target > 12*time.Millisecond || st.Delay > 16*time.Millisecond {
		t.Errorf("45 s after the jitter ended: target %v, delay %v", st.Target, st.Delay)
	}
	s.clicks(clickLimit)
	t.Logf("%+v", s.player.Stats())
}

func TestRouteChange(t *testing.T) {
	for _, shift := range []time.Duration{200 * time.Millisecond, -200 * time.Millisecond} {
		s := newSim(t, tone)
		tk := newTalker()
		end := s.talk(tk, 0, 2500, func(i int) time.Duration {
			if i >= 500 {
				return 300*time.Millisecond + shift
			}
			return 300 * time.Millisecond
		})
		s.run(end)
		st := s.player.Stats()
		if st.Delay > 16*time.Millisecond || st.Dropped > 0 || st.Late > 0 || st.Concealed > 12 {
			t.Errorf("shift %v: %+v", shift, st)
		}
		s.clicks(clickLimit)
	}
}

func TestBoundsOfTheTarget(t *testing.T) {
	rng := newRand(11)
	s := newSim(t, tone)
	s.player = New(s.dec, Config{MinDelay: 100 * time.Millisecond})
	s.player.buf.est.upper = 300 * ms
	tk := newTalker()
	s.talk(tk, 0, 1000, func(i int) time.Duration {
		if i < 300 {
			return 40 * time.Millisecond
		}
		return 40*time.Millisecond + uniform(rng, 0, 900*time.Millisecond)
	})
	s.run(6 * time.Second)
	if st := s.player.Stats(); st.Target != 110*time.Millisecond || st.Delay < 100*time.Millisecond {
		t.Errorf("least: %+v", st)
	}
	s.run(20 * time.Second)
	if st := s.player.Stats(); st.Target != 310*time.Millisecond {
		t.Errorf("greatest: %+v", st)
	}
	s.clicks(clickLimit)
}

func TestTimeScalingIsSmooth(t *testing.T) {
	// The least delay is changed up and down in unbroken speech.
	s := newSim(t, tone)
	tk := newTalker()
	end := s.talk(tk, 0, 1500, steady)
	for i, d := range []time.Duration{0, 200, 0, 100, 30} {
		s.player.SetMinDelay(d * time.Millisecond)
		s.run(time.Duration(i+1) * 5 * time.Second)
	}
	s.run(end)
	st := s.player.Stats()
	if st.Accelerated == 0 || st.Decelerated == 0 || st.Concealed > 0 || st.Late > 0 || st.Played < 1490 {
		t.Errorf("%+v", st)
	}
	if st.Delay < 35*time.Millisecond || st.Delay > 45*time.Millisecond {
		t.Errorf("delay %v with a least target of 30 ms and reads of 10 ms", st.Delay)
	}
	s.clicks(clickLimit)
}

func TestJitterIsThatOfRFC3550(t *testing.T) {
	s := newSim(t, tone)
	tk := newTalker()
	// Transit alternates by 8 ms, so |D| is always 8 ms and J converges to it.
	transit := func(i int) time.Duration { return time.Duration(40+8*(i%2)) * time.Millisecond }
	end := s.talk(tk, 0, 500, transit)
	s.run(end)
	if j := s.player.Stats().Jitter; j < 7900*time.Microsecond || j > 8*time.Millisecond {
		t.Errorf("jitter %v", j)
	}
}
