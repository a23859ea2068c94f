package audio

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestLevel(t *testing.T) {
	square := make([]float32, 960)
	for i := range square {
		square[i] = float32(1 - i/480*2)
	}
	for _, test := range []struct {
		name       string
		pcm        []float32
		level, max float64
	}{
		{"nothing", nil, Silence, Silence},
		{"silence", make([]float32, 960), Silence, Silence},
		{"full-scale square", square, 0, 0},
		{"full-scale sine", sine(SampleRate, 440, 1), -3.01, 0},
		{"sine at a tenth", sine(SampleRate, 440, 0.1), -23.01, -20},
		{"below everything", []float32{1e-9}, Silence, Silence},
		{"no number", []float32{float32(math.NaN())}, Silence, Silence},
	} {
		if got := Level(test.pcm); math.Abs(got-test.level) > 0.01 {
			t.Errorf("%s: level %.2f, want %.2f", test.name, got, test.level)
		}
		if got := Peak(test.pcm); test.name != "no number" && math.Abs(got-test.max) > 0.01 {
			t.Errorf("%s: peak %.2f, want %.2f", test.name, got, test.max)
		}
	}
}

// Voice over a fan is voice, the fan alone soon is not, and gaps between words
// are bridged.
func TestActivity(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	frame := make([]float32, frame20)
	var a Activity
	run := func(seconds, voice float64) (share float64, last bool) {
		frames := int(seconds * 50)
		count := 0
		for range frames {
			for i := range frame {
				frame[i] = float32(0.003*rng.NormFloat64() + voice*math.Sin(2*math.Pi*200*float64(i)/SampleRate))
			}
			if _, last = a.Update(frame); last {
				count++
			}
		}
		return float64(count) / float64(frames), last
	}
	run(5, 0)
	if share, last := run(5, 0); share > 0 || last {
		t.Errorf("a fan is voice in %.0f %% of the frames", share*100)
	}
	if share, _ := run(3, 0.1); share < 1 {
		t.Errorf("voice is seen in %.0f %% of the frames", share*100)
	}
	if _, last := run(0.2, 0); !last {
		t.Error("a gap of 0.2 s ended the voice")
	}
	if _, last := run(0.2, 0); last {
		t.Error("still voice 0.4 s after the end")
	}
	var quiet Activity
	if level, active := quiet.Update(make([]float32, frame20)); active || level != Silence {
		t.Errorf("silence: %v %v", level, active)
	}
}

func BenchmarkActivity(b *testing.B) {
	frame := sine(frame20, 440, 0.5)
	var a Activity
	b.ReportAllocs()
	for b.Loop() {
		a.Update(frame)
	}
}
