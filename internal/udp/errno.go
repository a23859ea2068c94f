//go:build !windows

package udp

import "syscall"

// tooLong is the error of a packet that is larger than what it is read into, where that is one.
const tooLong = syscall.EMSGSIZE

// isFull reports whether the kernel had no buffer for a packet.
func isFull(e syscall.Errno) bool {
	return e == syscall.EAGAIN || e == syscall.ENOBUFS || e == syscall.ENOMEM
}
