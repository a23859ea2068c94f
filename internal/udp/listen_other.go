//go:build !linux

package udp

import "net"

// Listen opens a UDP port with one socket; the number of sockets matters on Linux only. See New for how it
// works. addr is HOST:PORT; ":4433" listens on all addresses, IPv4 and IPv6, and port 0 picks a free one.
func Listen(addr string, sockets int) (*Mux, error) {
	c, err := net.ListenPacket(networkFor(addr), addr)
	if err != nil {
		return nil, listenError(addr, err)
	}
	m := New(c)
	if u, ok := c.(*net.UDPConn); ok {
		m.buffers = Buffers{socketBuffer, setBuffer(u.SetReadBuffer), setBuffer(u.SetWriteBuffer)}
	}
	return m, nil
}

// setBuffer asks for a large kernel buffer, and for smaller ones where the system refuses more than it has,
// and returns how large it is; 0: none was taken. Smaller buffers work too: a burst then loses more.
func setBuffer(set func(bytes int) error) int {
	for size := socketBuffer; size >= 64<<10; size /= 2 {
		if set(size) == nil {
			return size
		}
	}
	return 0
}
