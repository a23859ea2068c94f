package udp

import (
	"errors"
	"net"
	"net/netip"
	"time"
)

// quicPort is what a Mux has for QUIC.
type quicPort interface {
	net.PacketConn
	// again sends what was sent before, with the control messages that it was sent with.
	again(p, oob []byte, to netip.AddrPort) error
}

// quicConn is the plain net.PacketConn that quic-go reads QUIC packets from; it writes to the first socket.
type quicConn struct {
	m *Mux
	w net.PacketConn // the first socket
}

func newQUICConn(m *Mux) *quicConn { return &quicConn{m: m, w: m.socks[0].conn()} }

// ReadFrom returns the next QUIC packet. What does not fit p is cut off, as by a socket, and counted.
func (c *quicConn) ReadFrom(p []byte) (n int, from net.Addr, err error) {
	_, err = c.m.queue.pop(1, func(_ int, e *queued) {
		n = c.copyData(p, e)
		from = e.source()
	})
	return n, from, err
}

// WriteTo sends through the first socket.
func (c *quicConn) WriteTo(p []byte, to net.Addr) (int, error) {
	n, err := c.w.WriteTo(p, to)
	if u, ok := to.(*net.UDPAddr); ok && err == nil && c.m.wrote != nil {
		c.m.wrote(p, nil, unmapped(u.AddrPort()))
	}
	return n, err
}

func (c *quicConn) again(p, _ []byte, to netip.AddrPort) error {
	_, err := c.w.WriteTo(p, net.UDPAddrFromAddrPort(to))
	return err
}

func (c *quicConn) Close() error                       { return c.m.Close() }
func (c *quicConn) LocalAddr() net.Addr                { return c.w.LocalAddr() }
func (c *quicConn) SetWriteDeadline(t time.Time) error { return c.w.SetWriteDeadline(t) }

// SetReadDeadline concerns only reads of QUIC packets; Serve goes on.
func (c *quicConn) SetReadDeadline(t time.Time) error { return c.m.queue.setDeadline(t) }

func (c *quicConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadBuffer does nothing: the buffers are set by who opens the sockets.
func (c *quicConn) SetReadBuffer(int) error { return nil }

// SetWriteBuffer does nothing, either.
func (c *quicConn) SetWriteBuffer(int) error { return nil }

func (c *quicConn) copyData(p []byte, e *queued) int {
	if len(p) < len(e.data) {
		c.m.queue.truncated.Add(1)
	}
	return copy(p, e.data)
}

// source returns the sender's address. quic-go keeps it, so it is a new one each time.
func (e *queued) source() net.Addr {
	if e.addr != nil {
		return e.addr
	}
	return net.UDPAddrFromAddrPort(e.from)
}
