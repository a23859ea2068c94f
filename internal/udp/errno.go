//go:build !windows

package udp

import "syscall"

// sendErrorOf says why the kernel refused a packet.
func sendErrorOf(e syscall.Errno) sendError {
	switch e {
	case syscall.EAGAIN, syscall.ENOBUFS, syscall.ENOMEM:
		return sendNoBuffer
	case syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.ENETDOWN,
		syscall.EADDRNOTAVAIL,
		syscall.EAFNOSUPPORT:
		return sendUnreachable
	case syscall.ECONNREFUSED:
		return sendRefused
	case syscall.EPERM, syscall.EACCES:
		return sendDenied
	case syscall.EMSGSIZE:
		return sendTooBig
	}
	return sendOther
}
