package udp

import (
	"syscall"

	"golang.org/x/sys/windows"
)

// tooLong is the error of a packet that is larger than what it is read into.
const tooLong = windows.WSAEMSGSIZE

// isFull reports whether the kernel had no buffer for a packet.
func isFull(e syscall.Errno) bool { return e == windows.WSAEWOULDBLOCK || e == windows.WSAENOBUFS }
