package peer

import (
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	var b backoff
	for i, want := range []time.Duration{5, 10, 20, 40, 80, 160, 240, 240, 240} {
		want *= time.Second
		before := b
		if got := b.failed(0); got != want {
			t.Errorf("failure %d: %v, want %v", i+1, got, want)
		}
		if got, most := before.failed(0.999999), want*5/4; got <= want || got > most ||
			got > 300*time.Second {
			t.Errorf("failure %d: at most %v, want up to %v", i+1, got, most)
		}
		if got := b.again(0); got != want || b.failures != i+1 {
			t.Errorf("again after failure %d: %v, and %d failures", i+1, got, b.failures)
		}
	}
	for range 100 {
		b.failed(0)
	}
	if got := b.failed(0); got != lastDelay {
		t.Errorf("after many failures: %v", got)
	}
	if b.lasted(stableLink - 1); b.failed(0) != lastDelay {
		t.Error("a link that did not last made up for failures")
	}
	if b.lasted(stableLink); b.failed(0) != firstDelay {
		t.Error("a stable link did not make up for the failures")
	}
}

func TestBackoffWithoutFailure(t *testing.T) {
	var b backoff
	if got := b.again(0); got != firstDelay || b.failures != 0 {
		t.Errorf("%v, and %d failures", got, b.failures)
	}
}
