package udp

import (
	"syscall"

	"golang.org/x/sys/windows"
)

// sendErrorOf says why the kernel refused a packet.
func sendErrorOf(e syscall.Errno) sendError {
	switch e {
	case windows.WSAEWOULDBLOCK, windows.WSAENOBUFS:
		return sendNoBuffer
	case windows.WSAEHOSTUNREACH, windows.WSAENETUNREACH, windows.WSAEHOSTDOWN, windows.WSAENETDOWN,
		windows.WSAEADDRNOTAVAIL, windows.WSAEAFNOSUPPORT:
		return sendUnreachable
	case windows.WSAECONNREFUSED, windows.WSAECONNRESET:
		return sendRefused
	case windows.WSAEACCES:
		return sendDenied
	case windows.WSAEMSGSIZE:
		return sendTooBig
	}
	return sendOther
}
