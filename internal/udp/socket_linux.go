package udp

import (
	"net"
	"syscall"
)

// udpSocket is one UDP socket that is read with recvmmsg and written with sendmmsg.
type udpSocket struct {
	c  *net.UDPConn
	rc syscall.RawConn
	// v6 is whether the socket is AF_INET6; its IPv4 addresses are mapped then.
	v6 bool
	// wildcard is whether it is bound to an unspecified address, so that packets carry the local one.
	wildcard bool
	// receiveBuffer and sendBuffer are the kernel's, in bytes as they are asked for; 0: not known.
	receiveBuffer, sendBuffer int
	count                     counters
}

func (s *udpSocket) counters() *counters  { return &s.count }
func (s *udpSocket) conn() net.PacketConn { return s.c }
func (s *udpSocket) newSender(buf []byte) sender {
	return newMmsgSender(s, buf)
}

// control calls f with the file descriptor.
func (s *udpSocket) control(f func(fd int) error) error {
	var err error
	if cerr := s.rc.Control(func(fd uintptr) { err = f(int(fd)) }); cerr != nil {
		return cerr
	}
	return err
}

func (s *udpSocket) reader(q *queue, h Handler, b *Batch) func() error {
	r := newReceiver(s)
	return func() error {
		err := r.receive()
		if err == nil {
			r.deliver(q, h, b)
			b.Finish()
		}
		return err
	}
}
