package e2ee

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestReplayWindow(t *testing.T) {
	type step struct {
		ctr  uint64
		want error
	}
	const last = math.MaxUint64
	for name, steps := range map[string][]step{
		"in order": {{0, nil}, {1, nil}, {2, nil}, {1, ErrReplayed}, {2, ErrReplayed},
			{0, ErrReplayed}},
		"starts late": {{5000, nil}, {5000, ErrReplayed}, {4999, nil}, {4999, ErrReplayed},
			{5000 - 1023, nil}, {5000 - 1024, ErrTooOld}, {0, ErrTooOld}},
		"reordered": {{10, nil}, {12, nil}, {11, nil}, {11, ErrReplayed}, {13, nil}},
		"window's edge": {{0, nil}, {1023, nil}, {0, ErrReplayed}, {1024, nil}, {0, ErrTooOld}, {1, nil},
			{1, ErrReplayed}},
		"jump":           {{1, nil}, {2, nil}, {1 + 1024, nil}, {2, ErrReplayed}, {1, ErrTooOld}, {3, nil}},
		"jump of window": {{1, nil}, {1 + 2*1024, nil}, {1025, ErrTooOld}, {1026, nil}, {1026, ErrReplayed}},
		"reused bits": {{3, nil}, {4, nil}, {5, nil}, {1030, nil}, {1027, nil}, {1028, nil}, {1029, nil},
			{1027, ErrReplayed}},
		"far jump": {{1, nil}, {1 << 40, nil}, {1 << 40, ErrReplayed}, {1<<40 - 1, nil},
			{1, ErrTooOld}},
		"end of range": {{last - 1, nil}, {last, nil}, {last, ErrReplayed}, {0, ErrTooOld},
			{last - 1023, nil}, {last - 1024, ErrTooOld}},
	} {
		t.Run(name, func(t *testing.T) {
			var w ReplayWindow
			for i, s := range steps {
				if got := w.Accept(s.ctr); got != s.want {
					t.Fatalf("step %d, Accept(%d) = %v, want %v", i, s.ctr, got, s.want)
				}
			}
		})
	}
}

// A window must agree with a list of everything that it accepted.
func TestReplayWindowAgainstModel(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var w ReplayWindow
	accepted := map[uint64]bool{}
	center, highest := uint64(10_000), uint64(0)
	for range 200_000 {
		center += random.Uint64N(3)
		if random.IntN(2000) == 0 {
			center += random.Uint64N(3000)
		}
		ctr := center - random.Uint64N(1500)

		var want error
		switch {
		case accepted[ctr] && highest-ctr < ReplayWindowSize:
			want = ErrReplayed
		case ctr < highest && highest-ctr >= ReplayWindowSize:
			want = ErrTooOld
		}
		if got := w.Accept(ctr); got != want {
			t.Fatalf("Accept(%d) with highest %d = %v, want %v", ctr, highest, got, want)
		}
		if want == nil {
			accepted[ctr] = true
			highest = max(highest, ctr)
		}
	}
}

func BenchmarkReplayWindow(b *testing.B) {
	b.ReportAllocs()
	var w ReplayWindow
	for ctr := uint64(0); b.Loop(); ctr++ {
		w.Accept(ctr)
	}
}
