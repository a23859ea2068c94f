package udp

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// receiver is the memory of one loop for recvmmsg, all of it allocated and linked once:
//
//	hdrs[i] --> names[i]  source address, filled in by the kernel
//	        --> iovs[i] --> buf[i*MaxPacket:]
//	        --> oob[i]    control messages: packet info, traffic class
type receiver struct {
	s     *udpSocket
	hdrs  [slots]unix.Mmsghdr
	names [slots]unix.RawSockaddrInet6
	iovs  [slots]unix.Iovec
	oob   [slots][oobSize / 8]uint64 // aligned for unix.Cmsghdr
	buf   []byte

	// What the last call of read left.
	n     int
	errno syscall.Errno
	// read is readReady, bound once: a new method value for each RawConn.Read would be allocated.
	read func(fd uintptr) bool
}

func newReceiver(s *udpSocket) *receiver {
	r := &receiver{s: s, buf: make([]byte, slots*MaxPacket)}
	r.read = r.readReady
	for i := range r.hdrs {
		r.iovs[i].Base = &r.buf[i*MaxPacket]
		r.iovs[i].SetLen(MaxPacket)
		h := &r.hdrs[i].Hdr
		h.Name = (*byte)(unsafe.Pointer(&r.names[i]))
		h.Iov = &r.iovs[i]
		h.SetIovlen(1)
		h.Control = (*byte)(unsafe.Pointer(&r.oob[i]))
		r.rearm(i)
	}
	return r
}

// rearm sets the lengths of slot i, which the kernel overwrites, back to the room there is.
func (r *receiver) rearm(i int) {
	h := &r.hdrs[i].Hdr
	h.Namelen = unix.SizeofSockaddrInet6
	h.SetControllen(oobSize)
	h.Flags = 0
}

// receive waits for packets and reads what is there, up to 64, into slots 0 to r.n-1.
func (r *receiver) receive() error {
	for i := range r.n {
		r.rearm(i)
	}
	r.n, r.errno = 0, 0
	if err := r.s.rc.Read(r.read); err != nil {
		return err
	}
	if r.errno != 0 {
		return os.NewSyscallError("recvmmsg", r.errno)
	}
	return nil
}

// readReady is called by the network poller's RawConn.Read; false makes that wait until the socket is
// readable.
func (r *receiver) readReady(fd uintptr) bool {
	for {
		n, _, errno := syscall.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&r.hdrs[0])), slots,
			unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			r.n = int(n)
			return true
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			r.errno = errno
			return true
		}
	}
}

// deliver gives the received packets to the handler and to quic-go's queue.
func (r *receiver) deliver(q *queue, h Handler, b *Batch) {
	var sealed, bytes uint64
	for i := range r.n {
		hdr := &r.hdrs[i].Hdr
		p := r.buf[i*MaxPacket:][:r.hdrs[i].Len]
		switch {
		case len(p) == 0:
		case hdr.Flags&unix.MSG_TRUNC != 0:
			r.s.count.oversized.Add(1)
		case p[0] >= firstQUIC:
			q.push(p, r.control(i), addrPortOf(&r.names[i]), nil)
		default:
			sealed++
			bytes += uint64(len(p))
			from := Path{Remote: addrPortOf(&r.names[i])}
			if r.s.wildcard {
				from.Local = localAddr(r.control(i), from.Remote.Addr().Is4())
			}
			h(b, p, from)
		}
	}
	r.s.count.sealedIn.Add(sealed)
	r.s.count.sealedInBytes.Add(bytes)
}

// control returns the control messages of slot i.
func (r *receiver) control(i int) []byte {
	n := min(int(r.hdrs[i].Hdr.Controllen), oobSize)
	return unsafe.Slice((*byte)(unsafe.Pointer(&r.oob[i])), oobSize)[:n]
}
