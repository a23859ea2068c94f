package udp

import (
	"sync"
	"time"
)

// Alarm calls a function once, some time after it was set, on a goroutine of its own. Set and Stop must not
// be called at the same time as each other; the function may call neither Stop nor wait for who does.
//
// That of a Mux over sockets on Linux is the kernel's timer, whose end comes as packets do. One that is
// always moved on before its end, as a backstop is, costs a system call. Go's timers cost more there: while
// one is due within milliseconds, each wait for packets is a timed one, and threads wake each other to see to
// it.
type Alarm interface {
	// Set has the function called in d, and not at the time that was set before.
	Set(d time.Duration)
	// Stop returns when the function does not run any more, and will not. Set does nothing after it.
	Stop()
}

// timerAlarm is an Alarm of time.AfterFunc, so that it keeps virtual time.
type timerAlarm struct {
	timer   *time.Timer
	stopped bool
	firing  sync.WaitGroup // timers that run, or will
}

func newTimerAlarm(f func()) *timerAlarm {
	a := new(timerAlarm)
	a.timer = time.AfterFunc(time.Hour, func() {
		defer a.firing.Done()
		f()
	})
	a.timer.Stop()
	return a
}

// Set implements Alarm.
func (a *timerAlarm) Set(d time.Duration) {
	if !a.stopped && !a.timer.Reset(d) {
		a.firing.Add(1) // it was not waiting, so this is one more run
	}
}

// Stop implements Alarm.
func (a *timerAlarm) Stop() {
	a.stopped = true
	if a.timer.Stop() {
		a.firing.Done()
	}
	a.firing.Wait()
}
