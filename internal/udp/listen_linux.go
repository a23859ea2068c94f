package udp

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxDefaultSockets bounds the sockets that Listen opens when not told how many.
const maxDefaultSockets = 8

// Listen opens a UDP port with a number of sockets, between which the kernel divides the peers
// (SO_REUSEPORT); 0 or less means one a core, at most 8. addr is HOST:PORT; ":4433" listens on all addresses,
// IPv4 and IPv6, and port 0 picks a free one. It fails if the port is in use, even by another Mux.
func Listen(addr string, sockets int) (*Mux, error) {
	if sockets <= 0 {
		sockets = min(runtime.GOMAXPROCS(0), maxDefaultSockets)
	}
	first, err := openSocket(networkFor(addr), addr, false)
	if err != nil {
		return nil, listenError(addr, err)
	}
	socks := []socket{first}
	fail := func(err error) (*Mux, error) {
		for _, s := range socks {
			s.conn().Close()
		}
		return nil, err
	}
	if sockets > 1 {
		// Only now: with SO_REUSEPORT before its bind, the first socket would share the port of a program
		// that is there already, and each would get half of the peers.
		if err := first.control(reusePort); err != nil {
			return fail(fmt.Errorf("udp: cannot share a port between sockets: %w (listen with one socket)",
				err))
		}
	}
	for len(socks) < sockets {
		bound := first.c.LocalAddr().String()
		s, err := openSocket(networkFor(addr), bound, true)
		if err != nil {
			return fail(listenError(bound, err))
		}
		socks = append(socks, s)
	}
	m := newMux(socks)
	m.buffers = Buffers{socketBuffer, first.receiveBuffer, first.sendBuffer}
	for _, s := range socks {
		m.buffers.Receive = min(m.buffers.Receive, s.(*udpSocket).receiveBuffer)
		m.buffers.Send = min(m.buffers.Send, s.(*udpSocket).sendBuffer)
	}
	m.quic = &quicUDPConn{quicConn: newQUICConn(m), first: first}
	return m, nil
}

// openSocket binds one socket, shared with those bound before if reuse is set, and sets its options.
func openSocket(network, addr string, reuse bool) (*udpSocket, error) {
	var lc net.ListenConfig
	if reuse {
		lc.Control = func(_, _ string, rc syscall.RawConn) error {
			var err error
			if cerr := rc.Control(func(fd uintptr) { err = reusePort(int(fd)) }); cerr != nil {
				return cerr
			}
			return err
		}
	}
	c, err := lc.ListenPacket(context.Background(), network, addr)
	if err != nil {
		return nil, err
	}
	s := &udpSocket{c: c.(*net.UDPConn)}
	if s.rc, err = s.c.SyscallConn(); err == nil {
		err = s.control(s.setOptions)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return s, nil
}

func reusePort(fd int) error {
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
}

// setOptions sets what quic-go sets too, though only on the first socket: its packets arrive on all of them.
func (s *udpSocket) setOptions(fd int) error {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return fmt.Errorf("getsockopt SO_DOMAIN: %w", err)
	}
	s.v6 = domain == unix.AF_INET6
	s.wildcard = s.c.LocalAddr().(*net.UDPAddr).IP.IsUnspecified()

	// Each of these may be refused (no IPv4 in the kernel, a sandbox) and costs only what it is for. IPv4
	// options work on IPv6 sockets, for mapped addresses.
	set := func(level, option, value int) { _ = unix.SetsockoptInt(fd, level, option, value) }
	set(unix.IPPROTO_IP, unix.IP_RECVTOS, 1)
	// Never fragment, and ignore forged ICMP messages about the MTU.
	set(unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE)
	if s.wildcard {
		set(unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
	}
	if s.v6 {
		set(unix.IPPROTO_IPV6, unix.IPV6_RECVTCLASS, 1)
		set(unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE)
		if s.wildcard {
			set(unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
		}
	}
	s.receiveBuffer = setBuffer(fd, unix.SO_RCVBUF, unix.SO_RCVBUFFORCE)
	s.sendBuffer = setBuffer(fd, unix.SO_SNDBUF, unix.SO_SNDBUFFORCE)
	return nil
}

// setBuffer asks for a large kernel buffer, and returns how large it is, 0 if that cannot be known: as much
// as net.core.?mem_max allows, or all of it for root.
func setBuffer(fd, option, force int) (got int) {
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, socketBuffer)
	if got = bufferSize(fd, option); got < socketBuffer {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, force, socketBuffer)
		got = bufferSize(fd, option)
	}
	return got
}

// bufferSize returns the size of a buffer as it is asked for: the kernel has twice that, and says so
// (socket(7)).
func bufferSize(fd, option int) int {
	doubled, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, option)
	if err != nil {
		return 0
	}
	return doubled / 2
}
