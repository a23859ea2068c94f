package drops

import (
	"testing"
	"time"
)

func TestSeldom(t *testing.T) {
	s, now := Seldom[int]{Every: time.Minute, Most: 3}, time.Now()
	for i, want := range []struct{ name, last bool }{{true, false}, {true, false}, {true, true}, {}, {}} {
		for range 2 {
			if name, last := s.Note(i, now); name != want.name || last != want.last {
				t.Errorf("thing %d: %v, %v", i, name, last)
			}
			want.name, want.last = false, false
		}
	}
	if len(s.named) != 3 {
		t.Errorf("%d are remembered", len(s.named))
	}
	if name, _ := s.Note(0, now.Add(time.Minute)); !name || len(s.named) != 1 {
		t.Errorf("a minute later: %v, %d are remembered", name, len(s.named))
	}
}
