package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// socketBuffer is what is asked for SO_RCVBUF and SO_SNDBUF of each socket, in bytes: at 1000 packets a room
// and some 800 bytes of kernel memory each, a pause of the loop or a burst to several rooms must fit.
const socketBuffer = 4 << 20

// Buffers are the kernel's buffers of a Mux, in bytes. Where the sockets differ they are the smallest.
type Buffers struct {
	Asked         int // of each
	Receive, Send int // what there is; 0: not known
}

// Small reports whether the kernel gives less than was asked for, so that a burst loses packets here.
func (b Buffers) Small() bool {
	return b.Receive > 0 && b.Receive < b.Asked || b.Send > 0 && b.Send < b.Asked
}

// networkFor returns package net's name of the network: "0.0.0.0:1" means IPv4 only, which net would
// otherwise make dual-stack.
func networkFor(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return "udp"
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is4() {
		return "udp4"
	}
	return "udp"
}

// listenError says what to do when a port cannot be had.
func listenError(addr string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("udp: cannot listen on %q: %w (stop the program that has this port, or choose "+
			"another)",
			addr, err)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("udp: cannot listen on %q: %w (choose a port above 1023)", addr, err)
	}
	return fmt.Errorf("udp: cannot listen on %q: %w (give HOST:PORT with an address of this machine)", addr,
		err)
}
