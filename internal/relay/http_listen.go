package relay

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/link"
)

// everyMinute is how often the log says what strangers can bring about: of each thing once a minute.
func everyMinute() *rate.Limiter { return rate.NewLimiter(rate.Every(time.Minute), 1) }

// limitListener closes the connections that are too many, at once: one that waited for a place would be let
// in when its browser has given up, and a flood of them would keep everybody else waiting. It does not wrap
// those that it lets in, whose socket options the WebSocket sets; the http.Server says when they have ended,
// and over says so of those that the server gave away.
type limitListener struct {
	net.Listener
	perBlock int
	drops    *drops.Counters
	log      *slog.Logger // nil: nobody is told of refusals
	told     *rate.Limiter

	mu    sync.Mutex // guards what follows
	conns map[net.Conn]*place
	// connections of an address, or IPv6 /64; of the zero Prefix there may be any number
	blocks map[netip.Prefix]int
	// of all; those of WebSockets, whose sessions have limits of their own, are nobody's
	places *link.Places
}

// place is one connection's.
type place struct {
	addr     netip.Addr // the zero Addr: it counts for nobody
	hijacked bool
}

func newLimitListener(ln net.Listener, dropped *drops.Counters, total, perBlock int) *limitListener {
	return &limitListener{Listener: ln, drops: dropped, told: everyMinute(), perBlock: perBlock,
		places: link.NewPlaces(total, perBlock),
		conns:  make(map[net.Conn]*place), blocks: make(map[netip.Prefix]int)}
}

// attach has a server tell when connections end.
func (l *limitListener) attach(server *http.Server) {
	server.ConnState = func(conn net.Conn, state http.ConnState) { l.changed(rawConn(conn), state) }
	server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, rawConn(conn))
	}
}

// connKey is where a request's context has its connection.
type connKey struct{}

// Accept implements net.Listener.
func (l *limitListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil || l.enter(conn) {
			return conn, err
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

func (l *limitListener) enter(conn net.Conn) bool {
	addr := addrOf(conn)
	block := blockOf(addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	if block.IsValid() && l.blocks[block] >= l.perBlock || !l.places.Acquire(addr) {
		return false
	}
	l.conns[conn] = &place{addr: addr}
	l.blocks[block]++
	return true
}

func (l *limitListener) changed(conn net.Conn, state http.ConnState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch p := l.conns[conn]; {
	case p == nil:
	case state == http.StateHijacked:
		p.hijacked = true
		l.places.Settle(p.addr)
	case state == http.StateClosed:
		l.leaveLocked(conn, p)
	}
}

// over gives the place of a request's connection back, if the request has taken the connection over.
func (l *limitListener) over(r *http.Request) {
	conn, _ := r.Context().Value(connKey{}).(net.Conn)
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.conns[conn]; p != nil && p.hijacked {
		l.leaveLocked(conn, p)
	}
}

func (l *limitListener) leaveLocked(conn net.Conn, p *place) {
	delete(l.conns, conn)
	if p.hijacked {
		l.places.Release(netip.Addr{})
	} else {
		l.places.Release(p.addr)
	}
	block := blockOf(p.addr)
	if l.blocks[block]--; l.blocks[block] == 0 {
		delete(l.blocks, block)
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

// rawConn returns what is below TLS.
func rawConn(conn net.Conn) net.Conn {
	if secure, ok := conn.(*tls.Conn); ok {
		return secure.NetConn()
	}
	return conn
}
