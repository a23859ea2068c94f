package relay

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/time/rate"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/link"
)

// everyMinute is how often the log says what strangers can bring about: of each thing once a minute.
func everyMinute() *rate.Limiter { return rate.NewLimiter(rate.Every(time.Minute), 1) }

// limitListener closes the connections that are too many, at once: one that waited for a place would be let
// in when its browser has given up, and a flood of them would keep everybody else waiting.
type limitListener struct {
	net.Listener
	perBlock int
	drops    *drops.Counters
	log      *slog.Logger // nil: nobody is told of refusals
	told     *rate.Limiter

	mu sync.Mutex // guards what follows, and the fields of its connections
	// connections of an address, or IPv6 /64; of the zero Prefix there may be any number
	blocks map[netip.Prefix]int
	// of all; those of WebSockets, whose sessions have limits of their own, are nobody's
	places *link.Places
}

// limitedConn is a connection that has a place until it is closed.
type limitedConn struct {
	*net.TCPConn
	of       *limitListener
	addr     netip.Addr // the zero Addr: it counts for nobody
	hijacked bool
	left     bool
}

func newLimitListener(ln net.Listener, dropped *drops.Counters, total, perBlock int) *limitListener {
	return &limitListener{Listener: ln, drops: dropped, told: everyMinute(), perBlock: perBlock,
		places: link.NewPlaces(total, perBlock),
		blocks: make(map[netip.Prefix]int)}
}

// Accept implements net.Listener.
func (l *limitListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := l.enter(addrOf(conn)); c != nil {
			c.TCPConn = conn.(*net.TCPConn)
			return c, nil
		}
		l.drops.Add(drops.HTTPConnections, 1)
		l.report(conn)
		conn.Close()
	}
}

// report logs that connections are refused.
func (l *limitListener) report(conn net.Conn) {
	if l.log == nil || !l.told.Allow() {
		return
	}
	l.mu.Lock()
	most, held := l.places.MostText()
	taken := l.places.Acquired()
	l.mu.Unlock()
	l.log.Warn("TCP connections are refused: there are too many, or too many of one address or network",
		"connections", taken, "last", conn.RemoteAddr().String(), "most_from", most, "its_connections", held)
}

// enter gives a connection from an address its place; nil: there is none.
func (l *limitListener) enter(addr netip.Addr) *limitedConn {
	block := blockOf(addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	if block.IsValid() && l.blocks[block] >= l.perBlock || !l.places.Acquire(addr) {
		return nil
	}
	l.blocks[block]++
	return &limitedConn{of: l, addr: addr}
}

var _ syscall.Conn = (*limitedConn)(nil) // for the socket options of WebSockets

// Close implements net.Conn.
func (c *limitedConn) Close() error {
	c.leave()
	return c.TCPConn.Close()
}

// leave gives the place back, once.
func (c *limitedConn) leave() {
	l := c.of
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.left {
		return
	}
	if c.left = true; c.hijacked {
		l.places.Release(netip.Addr{})
	} else {
		l.places.Release(c.addr)
	}
	block := blockOf(c.addr)
	if l.blocks[block]--; l.blocks[block] == 0 {
		delete(l.blocks, block)
	}
}

// settle is a http.Server's ConnState: a connection that becomes a WebSocket's is nobody's.
func settle(conn net.Conn, state http.ConnState) {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	if c, ok := conn.(*limitedConn); ok && state == http.StateHijacked {
		c.of.mu.Lock()
		defer c.of.mu.Unlock()
		c.hijacked = true
		c.of.places.Settle(c.addr)
	}
}

// addrOf returns whom a connection counts for; the zero Addr, which has no limit of its own, for this
// machine, where reverse proxies are.
func addrOf(conn net.Conn) netip.Addr {
	addr, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok || addr.IP.IsLoopback() {
		return netip.Addr{}
	}
	return addr.AddrPort().Addr().Unmap()
}

// blockOf returns the addresses that count as one with addr; the zero Prefix for the zero Addr.
func blockOf(addr netip.Addr) netip.Prefix {
	if !addr.IsValid() {
		return netip.Prefix{}
	}
	return link.AddressBlock(addr)
}
