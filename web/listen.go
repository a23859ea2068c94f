package web

import (
	"errors"
	"fmt"
	"net"
	"sync"
)

// listenTries is how many free ports are tried for one that is free at both addresses.
const listenTries = 20

// ErrLocalhost says that a port is free on 127.0.0.1, but cannot be had on [::1].
var ErrLocalhost = errors.New("on [::1], where browsers look for localhost first")

// Listen opens a TCP port for a page. On 127.0.0.1 it opens the same port of [::1], too: browsers try that
// first for localhost, and another program there would be of the page's origin. A system without [::1] has
// nobody there. The listener's Addr is the first one's. Errors are of net.Listen, those of [::1] with
// ErrLocalhost.
func Listen(addr string) (net.Listener, error) {
	for tries := 1; ; tries++ {
		first, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, err
		}
		own := first.Addr().(*net.TCPAddr)
		if !own.IP.Equal(net.IPv4(127, 0, 0, 1)) {
			return first, nil
		}
		second, err := net.ListenTCP("tcp6", &net.TCPAddr{IP: net.IPv6loopback, Port: own.Port})
		if err == nil {
			return newPairListener(first, second), nil
		}
		if !hasIPv6Loopback() {
			return first, nil
		}
		first.Close()
		if !anyPort(addr) || tries == listenTries {
			return nil, fmt.Errorf("%w: %w", ErrLocalhost, err)
		}
	}
}

// anyPort reports whether the system chooses the port of an address.
func anyPort(addr string) bool {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	n, err := net.LookupPort("tcp", port)
	return err == nil && n == 0
}

// hasIPv6Loopback reports whether [::1] is this machine. Where that cannot be known, it may be.
func hasIPv6Loopback() bool {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return true
	}
	for _, addr := range addrs {
		if n, ok := addr.(*net.IPNet); ok && n.IP.Equal(net.IPv6loopback) {
			return true
		}
	}
	return false
}

// pairListener accepts from two listeners. Close waits for the goroutines that do.
type pairListener struct {
	net.Listener // the first, whose Addr is the pair's
	second       net.Listener
	accepted     chan accepted // without buffer: nothing is accepted ahead of who asks, but one of each
	closed       chan struct{}
	close        func() error
	wg           sync.WaitGroup
}

// accepted is what Accept returns.
type accepted struct {
	conn net.Conn
	err  error
}

func newPairListener(first, second net.Listener) *pairListener {
	l := &pairListener{
		Listener: first, second: second, accepted: make(chan accepted), closed: make(chan struct{}),
	}
	l.close = sync.OnceValue(func() error {
		close(l.closed)
		err := errors.Join(l.Listener.Close(), l.second.Close())
		l.wg.Wait()
		return err
	})
	l.wg.Go(func() { l.pump(first) })
	l.wg.Go(func() { l.pump(second) })
	return l
}

// pump hands over what one listener accepts. After an error, which may pass, it goes on when that was taken.
func (l *pairListener) pump(from net.Listener) {
	for {
		conn, err := from.Accept()
		select {
		case l.accepted <- accepted{conn, err}:
		case <-l.closed:
			if conn != nil {
				conn.Close()
			}
			return
		}
	}
}

// Accept implements net.Listener.
func (l *pairListener) Accept() (net.Conn, error) {
	select {
	case a := <-l.accepted:
		return a.conn, a.err
	case <-l.closed:
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
	}
}

// Close implements net.Listener.
func (l *pairListener) Close() error { return l.close() }
