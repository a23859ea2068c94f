package udp

import (
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// kernelAlarm is an Alarm of timerfd_create(2).
type kernelAlarm struct {
	file *os.File
	raw  syscall.RawConn
	set  func(fd uintptr) // made once, since it would be allocated each time
	spec unix.ItimerSpec
	done sync.WaitGroup // the goroutine that waits for it
}

// NewAlarm returns an Alarm that is not set, with f to call.
func (m *Mux) NewAlarm(f func()) Alarm {
	if _, real := m.socks[0].(*udpSocket); real {
		if a, err := newKernelAlarm(f); err == nil {
			return a
		}
	}
	return newTimerAlarm(f) // on a simulated network, or without a free file descriptor
}

func newKernelAlarm(f func()) (*kernelAlarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	a := &kernelAlarm{file: os.NewFile(uintptr(fd), "alarm")}
	a.set = func(fd uintptr) { _ = unix.TimerfdSettime(int(fd), 0, &a.spec, nil) } // its arguments are right
	if a.raw, err = a.file.SyscallConn(); err != nil {
		a.file.Close()
		return nil, err
	}
	a.done.Go(func() {
		var expirations [8]byte
		for {
			if _, err := a.file.Read(expirations[:]); err != nil {
				return // closed
			}
			f()
		}
	})
	return a, nil
}

// Set implements Alarm.
func (a *kernelAlarm) Set(d time.Duration) {
	a.spec.Value = unix.NsecToTimespec(int64(max(d, 1))) // 0 would unset it
	_ = a.raw.Control(a.set)                             // it fails after Stop
}

// Stop implements Alarm.
func (a *kernelAlarm) Stop() {
	a.file.Close()
	a.done.Wait()
}
