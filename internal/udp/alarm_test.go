package udp

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// An alarm of virtual time: exact.
func TestTimerAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		a := newTimerAlarm(func() { calls.Add(1) })
		a.Set(4 * time.Millisecond)
		time.Sleep(3 * time.Millisecond)
		a.Set(4 * time.Millisecond) // moved on
		time.Sleep(3 * time.Millisecond)
		synctest.Wait()
		if n := calls.Load(); n != 0 {
			t.Errorf("called %d times before its time", n)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if n := calls.Load(); n != 1 {
			t.Errorf("called %d times at its time", n)
		}
		a.Set(time.Millisecond)
		a.Stop()
		a.Set(time.Millisecond)
		a.Stop()
		time.Sleep(time.Second)
		if n := calls.Load(); n != 1 {
			t.Errorf("called %d times after Stop", n-1)
		}
	})
}

// The alarm of sockets: called once, not before its time, and not after Stop, which waits for a call that
// runs.
func TestAlarmOfSockets(t *testing.T) {
	t.Parallel()
	m := listen(t, "127.0.0.1:0", 1)
	called := make(chan time.Time, 10)
	var running atomic.Bool
	a := m.NewAlarm(func() {
		running.Store(true)
		called <- time.Now()
		time.Sleep(20 * time.Millisecond)
		running.Store(false)
	})
	const wait = 2 * time.Second
	var set time.Time
	for range 20 { // moved on, over and over
		set = time.Now()
		a.Set(wait) // so long that no machine is too busy to move it in time
		time.Sleep(time.Millisecond)
	}
	if at := <-called; at.Sub(set) < wait {
		t.Errorf("called after %v", at.Sub(set))
	}
	a.Set(0)
	<-called
	a.Stop()
	if running.Load() {
		t.Error("Stop did not wait")
	}
	a.Set(time.Millisecond)
	time.Sleep(20 * time.Millisecond)
	if len(called) > 0 {
		t.Error("called after Stop")
	}
	b := m.NewAlarm(func() { t.Error("called, though it was stopped") })
	b.Set(time.Hour)
	b.Stop()
}

func TestAlarmAllocatesNothing(t *testing.T) {
	m := listen(t, "127.0.0.1:0", 1)
	a := m.NewAlarm(func() {})
	defer a.Stop()
	if n := testing.AllocsPerRun(100, func() { a.Set(time.Minute) }); n != 0 {
		t.Errorf("Set allocates %v times", n)
	}
}
