package simnet

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// maxPayload is the most that fits into a UDP datagram over IPv4.
const maxPayload = 65507

// Conn is a UDP socket on a [Network]. Its methods may be called from any goroutine. Errors are
// *net.OpError, of net.ErrClosed after Close and of os.ErrDeadlineExceeded after a deadline.
type Conn struct {
	network  *Network
	readable sync.Cond   // on network.mu: a packet, the end of a deadline, or Close
	timer    *time.Timer // set to the read deadline

	// Guarded by network.mu.
	addr     netip.AddrPort
	queue    []packet // at most receiveQueue
	closed   bool
	deadline time.Time // of reading, on the monotonic clock; zero for none
}

var _ net.PacketConn = (*Conn)(nil)

func newConn(n *Network, addr netip.AddrPort) *Conn {
	c := &Conn{network: n, addr: addr}
	c.readable.L = &n.mu
	c.timer = time.AfterFunc(time.Hour, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		c.readable.Broadcast()
	})
	c.timer.Stop()
	return c
}

// ReadFrom waits for a packet and copies its payload to b; what does not fit is lost. The address
// is a *net.UDPAddr.
func (c *Conn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromUDPAddrPort(b)
	if err != nil {
		return 0, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// ReadFromUDPAddrPort is ReadFrom with another type of address.
func (c *Conn) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	c.network.mu.Lock()
	defer c.network.mu.Unlock()
	for {
		switch {
		case c.closed:
			return 0, netip.AddrPort{}, opError("read", c.addr, net.ErrClosed)
		case !c.deadline.IsZero() && !time.Now().Before(c.deadline):
			return 0, netip.AddrPort{}, opError("read", c.addr, os.ErrDeadlineExceeded)
		case len(c.queue) > 0:
			p := c.queue[0]
			c.queue[0] = packet{}
			c.queue = c.queue[1:]
			return copy(b, p.payload), p.from, nil
		}
		c.readable.Wait()
	}
}

// WriteTo sends a copy of b to addr, a *net.UDPAddr. It does not block, and as with UDP an error says nothing
// about what happens on the way.
func (c *Conn) WriteTo(b []byte, addr net.Addr) (int, error) {
	to, ok := addr.(*net.UDPAddr)
	if !ok || to == nil {
		return 0, opError("write", c.AddrPort(), fmt.Errorf("address %v is not a *net.UDPAddr", addr))
	}
	return c.WriteToUDPAddrPort(b, to.AddrPort())
}

// WriteToUDPAddrPort is WriteTo with another type of address.
func (c *Conn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	var err error
	c.network.mu.Lock()
	from := c.addr
	switch {
	case c.closed:
		err = net.ErrClosed
	case len(b) > maxPayload:
		err = fmt.Errorf("message of %d bytes is too long: at most %d", len(b), maxPayload)
	}
	c.network.mu.Unlock()
	if err == nil {
		err = c.network.send(from, unmap(to), b)
	}
	if err != nil {
		return 0, opError("write", from, err)
	}
	return len(b), nil
}

// Close frees the address and ends every ReadFrom.
func (c *Conn) Close() error {
	c.network.mu.Lock()
	defer c.network.mu.Unlock()
	if c.closed {
		return opError("close", c.addr, net.ErrClosed)
	}
	c.closed = true
	c.queue = nil
	delete(c.network.conns, c.addr)
	c.timer.Stop()
	c.readable.Broadcast()
	return nil
}

// Rebind gives the Conn another address, as when a NAT forgets a mapping (another port) or a
// phone changes networks (another host, and so other paths). From now on it sends from there, and
// what is sent or under way to the old address is lost. The address is as in [Network.Listen].
func (c *Conn) Rebind(addr netip.AddrPort) error {
	n := c.network
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.closed {
		return opError("rebind", c.addr, net.ErrClosed)
	}
	addr, err := n.freeAddrLocked(addr)
	if err != nil {
		return err
	}
	delete(n.conns, c.addr)
	c.addr = addr
	n.conns[addr] = c
	return nil
}

// LocalAddr returns the present address, a *net.UDPAddr.
func (c *Conn) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(c.AddrPort()) }

// AddrPort returns the present address.
func (c *Conn) AddrPort() netip.AddrPort {
	c.network.mu.Lock()
	defer c.network.mu.Unlock()
	return c.addr
}

// SetDeadline is SetReadDeadline.
func (c *Conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetWriteDeadline does nothing: WriteTo never waits.
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }

// SetReadDeadline makes ReadFrom fail from t on, waiting calls included; zero for never.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.network.mu.Lock()
	defer c.network.mu.Unlock()
	if c.closed {
		return opError("set", c.addr, net.ErrClosed)
	}
	if c.timer.Stop(); !t.IsZero() {
		now := time.Now()
		t = now.Add(t.Sub(now)) // on the monotonic clock, which the timer follows
		c.timer.Reset(t.Sub(now))
	}
	c.deadline = t
	return nil
}

// SetReadBuffer does nothing: the queue has a fixed bound. QUIC stacks call it and log when a
// conn has it not.
func (c *Conn) SetReadBuffer(int) error { return nil }

// SetWriteBuffer does nothing: WriteTo does not queue.
func (c *Conn) SetWriteBuffer(int) error { return nil }

func opError(op string, addr netip.AddrPort, err error) error {
	return &net.OpError{Op: op, Net: "udp", Source: net.UDPAddrFromAddrPort(addr), Err: err}
}
