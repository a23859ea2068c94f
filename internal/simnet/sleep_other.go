//go:build !linux

package simnet

import "time"

// timerError is 0: outside Linux the runtime's own timers are precise enough.
const timerError = 0

// sleep is not reached, for no wait is shorter than timerError.
func sleep(d time.Duration) { time.Sleep(d) }
