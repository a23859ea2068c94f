package simtest

import (
	"testing"
	"time"
	"unsafe"
)

// WrongClock returns what time.Now would return with the wall clock wrong by off: the monotonic reading has
// nothing to do with that. Package time cannot say it.
func WrongClock(t testing.TB, now time.Time, off time.Duration) time.Time {
	t.Helper()
	type parts struct { // of a time.Time
		wall uint64
		ext  int64 // the monotonic reading
		loc  *time.Location
	}
	wrong := now.Add(off)
	(*parts)(unsafe.Pointer(&wrong)).ext = (*parts)(unsafe.Pointer(&now)).ext // checked below
	if wrong.Sub(now) != 0 || wrong.Round(0).Sub(now.Round(0)) != off {
		t.Fatal("a time.Time is not what simtest takes it for")
	}
	return wrong
}
