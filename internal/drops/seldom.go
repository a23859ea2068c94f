package drops

import "time"

// Seldom says what to name in the log of what strangers bring about, and may make up: each thing once in a
// period of Every, and at most Most things in that. Its owner locks it.
type Seldom[K comparable] struct {
	Every time.Duration
	Most  int

	begun time.Time
	named map[K]struct{}
}

// Note reports whether to name something now, and whether it is the last that is named for a while.
func (s *Seldom[K]) Note(what K, now time.Time) (name, last bool) {
	if now.Sub(s.begun) >= s.Every {
		s.begun, s.named = now, make(map[K]struct{})
	}
	if _, done := s.named[what]; done || len(s.named) >= s.Most {
		return false, false
	}
	s.named[what] = struct{}{}
	return true, len(s.named) == s.Most
}
