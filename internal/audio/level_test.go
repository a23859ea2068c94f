package audio

import (
	"math"
	"testing"
)

func TestLevel(t *testing.T) {
	square := make([]float32, 960)
	for i := range square {
		square[i] = float32(1 - i/480*2)
	}
	for _, test := range []struct {
		name  string
		pcm   []float32
		level float64
	}{
		{"nothing", nil, Silence},
		{"silence", make([]float32, 960), Silence},
		{"full-scale square", square, 0},
		{"full-scale sine", sine(SampleRate, 440, 1), -3.01},
		{"sine at a tenth", sine(SampleRate, 440, 0.1), -23.01},
		{"below everything", []float32{1e-9}, Silence},
		{"no number", []float32{float32(math.NaN())}, Silence},
	} {
		if got := Level(test.pcm); math.Abs(got-test.level) > 0.01 {
			t.Errorf("%s: level %.2f, want %.2f", test.name, got, test.level)
		}
	}
}
