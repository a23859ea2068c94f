package simnet

import (
	"sync"
	"time"
)

// alarm calls a function once, in a goroutine of its own, at a time that may be moved. Its owner
// calls set and stop under one mutex, which the function takes as well, and wait without it.
//
// It is made of time.AfterFunc, so that nothing runs between alarms and virtual time can pass.
type alarm struct {
	call    func()
	timer   *time.Timer
	running sync.WaitGroup // an alarm that is set or running
}

func newAlarm(call func()) *alarm {
	return &alarm{call: call}
}

// set moves the alarm to d from now.
func (a *alarm) set(d time.Duration) {
	a.stop()
	a.running.Add(1)
	if a.timer == nil {
		a.timer = time.AfterFunc(d, func() {
			defer a.running.Done()
			a.call()
		})
		return
	}
	a.timer.Reset(d)
}

// stop unsets the alarm. One that is just going off may still call the function.
func (a *alarm) stop() {
	if a.timer != nil && a.timer.Stop() {
		a.running.Done()
	}
}

// wait returns when no call runs any more. The alarm must not be set again meanwhile.
func (a *alarm) wait() { a.running.Wait() }
