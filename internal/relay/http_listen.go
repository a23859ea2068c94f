package relay

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/wzp-voice/wzp/internal/link"
)

// limitListener closes the connections that are too many, at once: one that waited for a place would be let in when its
// browser has given up, and a flood of them would keep everybody else waiting. It does not wrap those that it lets in,
// whose socket options the WebSocket sets; the http.Server says when they have ended, and over says so of those that
// the server gave away.
type limitListener struct {
	net.Listener
	total, perBlock int
	refused         atomic.Uint64

	mu     sync.Mutex // guards what follows
	conns  map[net.Conn]*place
	blocks map[netip.Prefix]int // connections of an address, or IPv6 /64; of the zero Prefix there may be any number
}

// place is one connection's.
type place struct {
	block    netip.Prefix
	hijacked bool
}

func newLimitListener(ln net.Listener, total, perBlock int) *limitListener {
	return &limitListener{Listener: ln, total: total, perBlock: perBlock,
		conns: make(map[net.Conn]*place), blocks: make(map[netip.Prefix]int)}
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
		l.refused.Add(1)
		conn.Close()
	}
}

func (l *limitListener) enter(conn net.Conn) bool {
	block := blockOf(conn)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.conns) >= l.total || block.IsValid() && l.blocks[block] >= l.perBlock {
		return false
	}
	l.conns[conn] = &place{block: block}
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
	if l.blocks[p.block]--; l.blocks[p.block] == 0 {
		delete(l.blocks, p.block)
	}
}

// blockOf returns whom a connection counts for; the zero Prefix, which has no limit of its own, for this machine, where
// reverse proxies are.
func blockOf(conn net.Conn) netip.Prefix {
	addr, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok || addr.IP.IsLoopback() {
		return netip.Prefix{}
	}
	return link.AddressBlock(addr.AddrPort().Addr())
}

// rawConn returns what is below TLS.
func rawConn(conn net.Conn) net.Conn {
	if secure, ok := conn.(*tls.Conn); ok {
		return secure.NetConn()
	}
	return conn
}
