package udp

import (
	"slices"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// sendPause is how long to wait for a full socket, and sendPauses how often in one Flush. A link of 100
	// Mbit/s sends some 40 small packets meanwhile.
	sendPause  = 500 * time.Microsecond
	sendPauses = 4
)

// ofLocal are the errors of a packet that cannot leave from where it is to leave from.
var ofLocal = []syscall.Errno{
	syscall.EINVAL, syscall.EADDRNOTAVAIL, syscall.EAFNOSUPPORT,
	syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.ENETDOWN,
}

// mmsgSender is the memory of one Batch for sendmmsg, linked once as that of receiver is.
type mmsgSender struct {
	s     *udpSocket
	hdrs  [slots]unix.Mmsghdr
	names [slots]unix.RawSockaddrInet6 // on AF_INET sockets each holds a RawSockaddrInet4
	iovs  [slots]unix.Iovec
	info  [slots]packetInfo

	// The packets yet to be sent are next to end-1.
	next, end int
	retried   bool // slot next was refused once

	// write is writeReady, bound once, to allocate nothing.
	write func(fd uintptr)
}

func newMmsgSender(s *udpSocket, buf []byte) *mmsgSender {
	w := &mmsgSender{s: s}
	w.write = w.writeReady
	for i := range w.hdrs {
		w.iovs[i].Base = &buf[i*MaxPacket]
		h := &w.hdrs[i].Hdr
		h.Name = (*byte)(unsafe.Pointer(&w.names[i]))
		h.Iov = &w.iovs[i]
		h.SetIovlen(1)
		h.Control = (*byte)(unsafe.Pointer(&w.info[i]))
	}
	return w
}

func (w *mmsgSender) put(i, n int, to Path) bool {
	h := &w.hdrs[i].Hdr
	h.Namelen = putSockaddr(&w.names[i], to.Remote, w.s.v6)
	if h.Namelen == 0 {
		return false
	}
	w.iovs[i].SetLen(n)
	h.SetControllen(w.info[i].put(to, w.names[i].Scope_id))
	return true
}

// send sends slots 0 to n-1. It uses RawConn.Control, not Write, which would wait for other senders on the
// socket, and for ever for one that is full.
func (w *mmsgSender) send(n int) {
	w.next, w.end, w.retried = 0, n, false
	for pauses := 0; ; pauses++ {
		if err := w.s.rc.Control(w.write); err != nil {
			w.next = w.end // closed
		}
		if w.next == w.end {
			return
		}
		if pauses == sendPauses {
			w.s.count.sendDropped.Add(uint64(w.end - w.next))
			return
		}
		time.Sleep(sendPause)
	}
}

// writeReady sends until all is sent or the socket is full.
func (w *mmsgSender) writeReady(fd uintptr) {
	for w.next < w.end {
		n, _, errno := syscall.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&w.hdrs[w.next])),
			uintptr(w.end-w.next), unix.MSG_DONTWAIT, 0, 0)
		switch {
		case errno == 0:
			bytes := uint64(0)
			for range int(n) {
				bytes += uint64(w.iovs[w.next].Len)
				w.next++
			}
			w.s.count.sealedOut.Add(uint64(n))
			w.s.count.sealedOutBytes.Add(bytes)
			w.retried = false
		case errno == syscall.EINTR:
		case isFull(errno):
			return
		case !w.retried:
			// The error may be an older packet's, reported late and once, or the spurious EPERM that a new
			// socket can start with (golang/go#63322).
			w.retried = true
			if slices.Contains(ofLocal, errno) {
				// The local address may no longer be ours: let the kernel pick one, or a host that moves
				// to another network would stay silent.
				w.hdrs[w.next].Hdr.SetControllen(0)
			}
		default:
			w.s.count.sendErrors.Add(1)
			w.retried = false
			w.next++
		}
	}
}
