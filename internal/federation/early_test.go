package federation

import (
	"testing"
	"time"
)

// TestEarlyIsBounded: a peer cannot have us keep streams without end, and those that are kept are let go
// after a while.
func TestEarlyIsBounded(t *testing.T) {
	var e early
	now := time.Now()
	first := new(incoming)
	for i := range 2 * maxEarly {
		in := new(incoming)
		if i == 0 {
			in = first
		}
		if got, want := e.add(in, now), i < maxEarly; got != want {
			t.Fatalf("stream %d is kept: %t, want %t", i, got, want)
		}
	}
	if !e.has(first, now.Add(earlyFor-1)) || e.has(first, now.Add(earlyFor)) || e.has(new(incoming), now) {
		t.Error("a stream is not kept for as long as it should be")
	}
	first.held = make([]heldFrame, maxEarlyFrames)
	if !e.add(new(incoming), now.Add(earlyFor)) {
		t.Error("those whose time is up make no room")
	}
	if first.held != nil {
		t.Error("a stream whose place is another's holds frames")
	}
	if n := len(e.list()); n != 1 {
		t.Errorf("%d streams are kept", n)
	}
	for range maxEarly {
		e.add(first, now.Add(earlyFor))
	}
	if e.add(new(incoming), now) {
		t.Error("not as many are kept as may be")
	}
	if e.remove(first); len(e.list()) != 1 || e.has(first, now.Add(earlyFor)) || !e.add(new(incoming), now) {
		t.Error("one that is not kept any more takes a place")
	}
}
