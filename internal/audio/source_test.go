package audio

import (
	"context"
	"errors"
	"io"
	"math"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

const frame20 = SampleRate / 50

func writeTone(t *testing.T, samples int) (path string, pcm []float32) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "tone.wav")
	w, err := CreateWAV(path)
	if err != nil {
		t.Fatal(err)
	}
	pcm = sine(samples, 300, 0.5)
	if err := errors.Join(w.WriteFrame(pcm), w.Close()); err != nil {
		t.Fatal(err)
	}
	return path, pcm
}

func TestFilePlaysOnceInRealTime(t *testing.T) {
	const samples = 10*frame20 + 100
	path, want := writeTone(t, samples)
	synctest.Test(t, func(t *testing.T) {
		s, err := OpenFile(path)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if !s.Start().IsZero() {
			t.Error("started before the first read")
		}
		time.Sleep(time.Hour) // nobody reads yet: nothing is lost
		begin := time.Now()
		dst := make([]float32, frame20)
		var got []float32
		for k := 1; ; k++ {
			n, err := s.ReadFrame(t.Context(), dst)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if at := time.Since(begin); at != time.Duration(k)*20*time.Millisecond {
				t.Errorf("frame %d came after %v", k, at)
			}
			if k == 11 && (n != 100 || Level(dst[100:]) != Silence) {
				t.Errorf("last frame: %d samples, %.0f dBFS behind them", n, Level(dst[100:]))
			}
			got = append(got, dst[:n]...)
			time.Sleep(time.Duration(k) * time.Millisecond) // the reader is busy
		}
		if !s.Start().Equal(begin) {
			t.Errorf("sample 0 captured at %v, not %v", s.Start(), begin)
		}
		if len(got) != samples {
			t.Fatalf("%d samples, want %d", len(got), samples)
		}
		for i := range got {
			if math.Abs(float64(got[i]-want[i])) > 1.0/32768 {
				t.Fatalf("sample %d differs", i)
			}
		}
		if n, err := s.ReadFrame(t.Context(), dst); n != 0 || err != io.EOF {
			t.Errorf("after the end: %d, %v", n, err)
		}
	})
}

// After five minutes of 20 ms frames the clock is exact, and so is the phase.
func TestToneDoesNotDrift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := NewTone(440.5)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		begin := time.Now()
		dst := make([]float32, frame20)
		const seconds = 300
		for range 50 * seconds {
			if n, err := s.ReadFrame(t.Context(), dst); n != frame20 || err != nil {
				t.Fatal(n, err)
			}
		}
		if took := time.Since(begin); took != seconds*time.Second {
			t.Errorf("five minutes took %v", took)
		}
		last := seconds - 1.0/SampleRate
		want := 0.25 * math.Sin(2*math.Pi*math.Mod(440.5*last, 1))
		if got := float64(dst[frame20-1]); math.Abs(got-want) > 1e-4 {
			t.Errorf("last sample %v, want %v", got, want)
		}
	})
}

func TestToneFrequency(t *testing.T) {
	for _, hz := range []float64{0, -1, 24000, math.NaN(), math.Inf(1)} {
		if _, err := NewTone(hz); err == nil {
			t.Errorf("%v Hz accepted", hz)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		s, err := NewTone(440)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		dst := make([]float32, SampleRate)
		if _, err := s.ReadFrame(t.Context(), dst); err != nil {
			t.Fatal(err)
		}
		crossings := 0
		for i := 1; i < len(dst); i++ {
			if dst[i-1] < 0 && dst[i] >= 0 {
				crossings++
			}
		}
		if crossings < 439 || crossings > 440 {
			t.Errorf("%d cycles in a second", crossings)
		}
	})
}

// A reader that is late catches up; one that was away for long does not get a
// burst of old time.
func TestLateReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := NewTone(440)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		dst := make([]float32, frame20)
		read := func() time.Duration {
			begin := time.Now()
			if _, err := s.ReadFrame(t.Context(), dst); err != nil {
				t.Fatal(err)
			}
			return time.Since(begin)
		}
		read()
		time.Sleep(100 * time.Millisecond)
		for range 5 {
			if waited := read(); waited != 0 {
				t.Errorf("late reader waited %v", waited)
			}
		}
		if waited := read(); waited != 20*time.Millisecond {
			t.Errorf("waited %v after catching up", waited)
		}
		time.Sleep(10 * time.Minute)
		at := 0
		for ; read() == 0; at++ {
		}
		if at > 2 {
			t.Errorf("%d frames at once after ten minutes", at)
		}
	})
}

func TestReadFrameEnds(t *testing.T) {
	path, _ := writeTone(t, SampleRate)
	synctest.Test(t, func(t *testing.T) {
		file, err := OpenFile(path)
		if err != nil {
			t.Fatal(err)
		}
		tone, err := NewTone(440)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []Source{file, tone} {
			dst := make([]float32, frame20)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
			if _, err := s.ReadFrame(ctx, dst); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%T: %v", s, err)
			}
			cancel()
			if _, err := s.ReadFrame(t.Context(), dst); err != nil {
				t.Errorf("%T after a cancelled read: %v", s, err)
			}
			time.AfterFunc(5*time.Millisecond, func() { s.Close() })
			if _, err := s.ReadFrame(t.Context(), dst); !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("%T closed: %v", s, err)
			}
			if _, err := s.ReadFrame(t.Context(), dst); !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("%T after Close: %v", s, err)
			}
			if err := s.Close(); err != nil {
				t.Errorf("%T closed again: %v", s, err)
			}
		}
	})
}

func TestSourcesDoNotAllocate(t *testing.T) {
	path, _ := writeTone(t, SampleRate*5)
	synctest.Test(t, func(t *testing.T) {
		file, err := OpenFile(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		tone, err := NewTone(440)
		if err != nil {
			t.Fatal(err)
		}
		defer tone.Close()
		dst := make([]float32, frame20)
		ctx := t.Context()
		for _, s := range []Source{file, tone} {
			if n := testing.AllocsPerRun(100, func() { s.ReadFrame(ctx, dst) }); n != 0 {
				t.Errorf("%T: %v allocations a frame", s, n)
			}
		}
	})
}
