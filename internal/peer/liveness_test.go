package peer

import (
	"testing"
	"time"
)

// TestLiveness looks at a link that is heard at some times, in seconds, and says from when to when it is
// suspect.
func TestLiveness(t *testing.T) {
	every := func(from, to, step float64) (at []float64) {
		for ; from < to; from += step {
			at = append(at, from)
		}
		return at
	}
	for name, test := range map[string]struct {
		heard    []float64
		from, to float64 // suspect; 0: never
		lost     float64 // 0: not within the 30 s
	}{
		"pings":   {heard: every(0, 30, 1)},
		"a pause": {heard: append(every(0, 10, 1), every(11.9, 30, 1)...)},
		"silence": {heard: append(every(0, 5.5, 1), every(12, 30, 1)...), from: 8, to: 14},
		"half alive": {heard: append(every(0, 5.5, 1), 12, 14, 16, 18, 20, 22, 24, 26, 28, 30),
			from: 8, to: 30},
		"gone":            {heard: every(0, 5.5, 1), from: 8, to: 30, lost: 19},
		"back at the end": {heard: append(every(0, 5.5, 1), every(18.5, 30, 0.5)...), from: 8, to: 20.5},
	} {
		t.Run(name, func(t *testing.T) { look(t, test.heard, test.from, test.to, test.lost) })
	}
}

func look(t *testing.T, heard []float64, from, to, lost float64) {
	t.Helper()
	const slack = 2 * checkEvery
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	var v liveness
	start := time.Now()
	for at := time.Duration(0); at < seconds(30); at += checkEvery {
		silent := at
		for _, h := range heard {
			if seconds(h) <= at {
				silent = at - seconds(h)
			}
		}
		suspect, gone := v.judge(start.Add(at), func(d time.Duration) bool { return silent <= d })
		if want := lost != 0 && at >= seconds(lost)+slack; want && !gone {
			t.Fatalf("not lost at %v", at)
		} else if gone && (lost == 0 || at < seconds(lost)) {
			t.Fatalf("lost at %v", at)
		}
		if suspect && (at < seconds(from) || at > seconds(to)+slack) || from == 0 && suspect {
			t.Fatalf("suspect at %v", at)
		}
		if !suspect && from != 0 && at > seconds(from)+slack && at < seconds(to) {
			t.Fatalf("not suspect at %v", at)
		}
	}
}
