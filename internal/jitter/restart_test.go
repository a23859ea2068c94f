package jitter

import (
	"testing"
	"time"
)

func TestTalkerRestarts(t *testing.T) {
	for _, c := range []struct {
		name    string
		restart func(tk *talker)
	}{
		{"media time back by 101 frames", func(tk *talker) { tk.media -= 101 * 960 }},
		{"media time back by a minute, counter from 0",
			func(tk *talker) { tk.media -= 60 * second; tk.counter = 0 }},
		{"media time back by half a second", func(tk *talker) { tk.media -= second / 2 }},
		{"media time ahead by 10 s", func(tk *talker) { tk.media += 10 * second }},
		{"media time ahead by a minute, counter from 0",
			func(tk *talker) { tk.media += 60 * second; tk.counter = 0 }},
		{"counter from 0", func(tk *talker) { tk.counter = 0 }},
		{"counter far ahead", func(tk *talker) { tk.counter += 1 << 40 }},
		{"counter to its end", func(tk *talker) { tk.counter = 1<<64 - 100 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSim(t, tone)
			tk := newTalker()
			at := s.talk(tk, 0, 500, steady)
			c.restart(tk)
			end := s.talk(tk, at, 500, steady)
			s.run(at + 150*time.Millisecond)
			if !s.player.Active() {
				t.Error("silent 100 ms after the restart")
			}
			s.hush(tk, end+40*time.Millisecond)
			s.run(end + time.Second)
			st := s.player.Stats()
			if st.Played != 1000 || st.Late+st.Lost+st.Duplicate > 0 || st.Delay > 16*time.Millisecond {
				t.Errorf("%+v", st)
			}
			s.clicks(clickLimit)
		})
	}
}

func TestSmallStepBackIsLate(t *testing.T) {
	s := newSim(t, tone)
	tk := newTalker()
	at := s.talk(tk, 0, 200, steady)
	old := newTalker()
	old.counter, old.media = tk.counter-60, tk.media-60*960
	s.talk(old, at, 50, steady) // once more: duplicates
	s.run(at + 2*time.Second)
	if st := s.player.Stats(); st.Duplicate != 50 || st.Played != 200 || st.Resets != 0 {
		t.Errorf("%+v", st)
	}

	s = newSim(t, tone)
	tk = newTalker()
	s.talk(tk, 0, 200, func(i int) time.Duration {
		if i == 100 {
			return time.Second // 50 frames late
		}
		return 40 * time.Millisecond
	})
	s.run(at)
	if st := s.player.Stats(); st.Late != 1 || st.Resets != 0 || st.Lost != 0 {
		t.Errorf("%+v", st)
	}
}

// TestTimestampWrapsForAnHour speaks 1 s a minute for an hour: the 16-bit
// timestamp wraps 22 times.
func TestTimestampWrapsForAnHour(t *testing.T) {
	s := newSim(t, tone)
	s.forget, s.blind, s.length = true, true, 4800
	tk := newTalker()
	at := time.Duration(0)
	frames := uint64(0)
	for range 60 {
		end := s.talk(tk, at, 50, steady)
		frames += 50
		for next := end; next < at+time.Minute; next += 400 * time.Millisecond {
			s.send(next+40*time.Millisecond, tk.marker())
			tk.media += 400 * ms
		}
		at += time.Minute
		tk.media = newTalker().media + toSamples(at)
	}
	s.run(at)
	st := s.player.Stats()
	if st.Played != frames || st.Lost+st.Late+st.Resets+st.Dropped+st.Concealed != 0 {
		t.Errorf("%+v", st)
	}
}

func TestFirstPacketsReordered(t *testing.T) {
	s := newSim(t, tone)
	tk := newTalker()
	end := s.talk(tk, 0, 100, func(i int) time.Duration {
		if i == 0 {
			return 64 * time.Millisecond // after the second, before it is due
		}
		return 40 * time.Millisecond
	})
	s.run(end)
	if st := s.player.Stats(); st.Lost != 0 || st.Received != st.Played+st.Late {
		t.Errorf("%+v", st)
	}
}

func TestInvalidPacketsAreCounted(t *testing.T) {
	p := New(&fakeDecoder{wave: tone}, Config{})
	for _, bad := range []Packet{
		{Duration: 20 * time.Millisecond},
		{Duration: 20 * time.Millisecond, Payload: make([]byte, MaxPayload+1)},
		{Duration: 5 * time.Millisecond, Payload: []byte{1}},
		{Duration: -20 * time.Millisecond, Payload: []byte{1}},
		{Payload: []byte{1}},
	} {
		p.Put(bad, time.Second)
	}
	if st := p.Stats(); st.Invalid != 5 || st.Received != 0 {
		t.Errorf("%+v", st)
	}
}
