package udp

import (
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// quicUDPConn makes a quicConn a quic.OOBCapablePacketConn with ReadBatch: packets come with their control
// messages from whichever socket got them, and leave through the first one.
type quicUDPConn struct {
	*quicConn
	first *udpSocket
}

// ReadBatch fills messages with the next QUIC packets and their control messages, and returns how many: at
// least one. Only the first buffer of each message is used. flags are ignored.
func (c *quicUDPConn) ReadBatch(ms []ipv4.Message, flags int) (int, error) {
	if len(ms) == 0 {
		return 0, nil
	}
	return c.m.queue.pop(len(ms), func(i int, e *queued) {
		m := &ms[i]
		m.Flags = 0
		m.N = c.copyData(m.Buffers[0], e)
		m.NN = copy(m.OOB, e.oob[:e.oobn])
		m.Addr = e.source()
	})
}

// ReadMsgUDP returns the next QUIC packet with its control messages. See net.UDPConn.
func (c *quicUDPConn) ReadMsgUDP(b, oob []byte) (n, oobn, flags int, from *net.UDPAddr, err error) {
	_, err = c.m.queue.pop(1, func(_ int, e *queued) {
		n = c.copyData(b, e)
		if n < len(e.data) {
			flags = unix.MSG_TRUNC
		}
		oobn = copy(oob, e.oob[:e.oobn])
		from = net.UDPAddrFromAddrPort(e.from)
	})
	return n, oobn, flags, from, err
}

// WriteMsgUDP sends through the first socket. See net.UDPConn.
func (c *quicUDPConn) WriteMsgUDP(b, oob []byte, to *net.UDPAddr) (n, oobn int, err error) {
	n, oobn, err = c.first.c.WriteMsgUDP(b, oob, to)
	if err == nil && c.m.wrote != nil {
		c.m.wrote(b, oob, unmapped(to.AddrPort()))
	}
	return n, oobn, err
}

func (c *quicUDPConn) again(p, oob []byte, to netip.AddrPort) error {
	_, _, err := c.first.c.WriteMsgUDPAddrPort(p, oob, to)
	return err
}

// SyscallConn returns the first socket.
func (c *quicUDPConn) SyscallConn() (syscall.RawConn, error) { return c.first.c.SyscallConn() }
