package udp

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
)

// plainSocket receives and sends one packet a call on any net.PacketConn.
type plainSocket struct {
	c     net.PacketConn
	udp   addrPortConn // c, if it is one
	count counters
}

// addrPortConn is what a *net.UDPConn has to spare the allocation of an address.
type addrPortConn interface {
	ReadFromUDPAddrPort(p []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(p []byte, to netip.AddrPort) (int, error)
}

func newPlainSocket(c net.PacketConn) *plainSocket {
	u, _ := c.(addrPortConn)
	return &plainSocket{c: c, udp: u}
}

func (s *plainSocket) counters() *counters  { return &s.count }
func (s *plainSocket) conn() net.PacketConn { return s.c }
func (s *plainSocket) newSender(buf []byte) sender {
	return &plainSender{s: s, buf: buf}
}

func (s *plainSocket) reader(q *queue, h Handler, b *Batch) func() error {
	p := make([]byte, MaxPacket+1) // one more, to know what was larger
	return func() error {
		n, from, addr, err := s.receive(p)
		if errors.Is(err, tooLong) {
			n, err = len(p), nil
		}
		switch {
		case err != nil || n == 0:
		case n > MaxPacket:
			s.count.oversized.Add(1)
		case p[0] >= firstQUIC:
			q.push(p[:n], nil, from, addr)
		default:
			s.count.sealedIn.Add(1)
			s.count.sealedInBytes.Add(uint64(n))
			h(b, p[:n], Path{Remote: from})
			b.Finish()
		}
		return err
	}
}

// errNoIP is the failure of a packet connection whose addresses are not IP and port.
var errNoIP = errors.New("udp: packet from an address that is not IP:PORT")

// receive reads one packet. addr is set only if s is not a UDP connection of package net.
func (s *plainSocket) receive(p []byte) (n int, from netip.AddrPort, addr net.Addr, err error) {
	if s.udp != nil {
		n, from, err = s.udp.ReadFromUDPAddrPort(p)
		return n, unmapped(from), nil, err
	}
	n, addr, err = s.c.ReadFrom(p)
	if err != nil {
		return n, from, addr, err
	}
	if u, ok := addr.(*net.UDPAddr); ok {
		return n, unmapped(u.AddrPort()), addr, nil
	}
	if from, err = netip.ParseAddrPort(addr.String()); err != nil {
		return n, from, addr, errNoIP
	}
	return n, unmapped(from), addr, nil
}

// plainSender sends one packet a call.
type plainSender struct {
	s    *plainSocket
	buf  []byte
	pkts [slots]struct {
		n  int
		to netip.AddrPort
	}
}

func (w *plainSender) put(i, n int, to Path) bool {
	w.pkts[i].n, w.pkts[i].to = n, to.Remote
	return true
}

func (w *plainSender) send(n int) {
	for i := range n {
		p := w.buf[i*MaxPacket:][:w.pkts[i].n]
		var err error
		if w.s.udp != nil {
			_, err = w.s.udp.WriteToUDPAddrPort(p, w.pkts[i].to)
		} else {
			_, err = w.s.c.WriteTo(p, net.UDPAddrFromAddrPort(w.pkts[i].to))
		}
		switch {
		case err == nil:
			w.s.count.sealedOut.Add(1)
			w.s.count.sealedOutBytes.Add(uint64(len(p)))
		case errors.Is(err, net.ErrClosed):
			return
		default:
			if e := syscall.Errno(0); errors.As(err, &e) && isFull(e) {
				w.s.count.sendDropped.Add(1)
			} else {
				w.s.count.sendErrors.Add(1)
			}
		}
	}
}
