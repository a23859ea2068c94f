package simnet

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestScheduleIsStableAndOrdered(t *testing.T) {
	type item struct{ due, n int }
	var s schedule[item]
	rng := rand.New(rand.NewPCG(1, 1))
	for n := range 5000 {
		due := rng.IntN(200) // many equal times
		s.push(epoch.Add(time.Duration(due)), item{due, n})
	}
	if _, ok := s.pop(epoch.Add(-1)); ok {
		t.Error("popped what is not due")
	}
	last := item{-1, -1}
	for range 5000 {
		at := s.next()
		got, ok := s.pop(epoch.Add(time.Hour))
		if !ok || !at.Equal(epoch.Add(time.Duration(got.due))) {
			t.Fatalf("next %v, then %+v, %v", at, got, ok)
		}
		if got.due < last.due || got.due == last.due && got.n < last.n {
			t.Fatalf("%+v after %+v", got, last)
		}
		last = got
	}
	if _, ok := s.pop(epoch.Add(time.Hour)); ok || s.Len() != 0 {
		t.Error("not empty")
	}
}

func BenchmarkSchedule(b *testing.B) {
	var s schedule[outgoing]
	b.ReportAllocs()
	now := epoch
	for b.Loop() { // a thousand packets under way
		s.push(now.Add(time.Second), outgoing{})
		now = now.Add(time.Millisecond)
		s.pop(now)
	}
}
