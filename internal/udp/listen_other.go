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
	if u, ok := c.(*net.UDPConn); ok {
		// Smaller buffers work too: a burst then loses more.
		_ = u.SetReadBuffer(socketBuffer)
		_ = u.SetWriteBuffer(socketBuffer)
	}
	return New(c), nil
}
