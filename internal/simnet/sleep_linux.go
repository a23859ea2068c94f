package simnet

import (
	"syscall"
	"time"
)

const (
	// timerError is how much later than asked a Go timer fires on an idle machine: on Linux the
	// runtime waits in epoll, by whole milliseconds.
	timerError = time.Millisecond
	// longestSleep bounds sleep, which nothing can wake, and so how late a packet may be that
	// comes meanwhile and is due at once.
	longestSleep = 200 * time.Microsecond
)

// sleep waits for d or longestSleep, whichever is less, precise to the kernel's timer slack of
// some 50 us. Being woken early by a signal does no harm.
func sleep(d time.Duration) {
	ts := syscall.NsecToTimespec(int64(min(d, longestSleep)))
	_ = syscall.Nanosleep(&ts, nil)
}
