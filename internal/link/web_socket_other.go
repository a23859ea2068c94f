//go:build !linux

package link

import "syscall"

// unsent returns 0: it is not known.
func unsent(syscall.RawConn) int { return 0 }
