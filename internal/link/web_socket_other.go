//go:build !linux

package link

import (
	"net"
	"syscall"
)

// limitUnsent does nothing: what the kernel queues is not known here.
func limitUnsent(*net.TCPConn) {}

// unsent returns 0: it is not known.
func unsent(syscall.RawConn) int { return 0 }
