package link

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxLimited bounds how many addresses a limiter remembers. When it is full it forgets them all: who is
// flooding from that many proven addresses is not stopped by a limit for each.
const maxLimited = 1 << 16

// addressLimiter limits the rate of something for each address, or each IPv6 /64.
type addressLimiter struct {
	limit rate.Limit
	burst int

	mu      sync.Mutex // guards what follows
	buckets map[netip.Prefix]*rate.Limiter
	swept   time.Time
}

func newAddressLimiter(limit rate.Limit, burst int) *addressLimiter {
	return &addressLimiter{limit: limit, burst: burst, buckets: make(map[netip.Prefix]*rate.Limiter)}
}

// allow takes one token of addr's bucket.
func (l *addressLimiter) allow(addr netip.Addr, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.buckets) >= maxLimited || now.Sub(l.swept) > time.Minute {
		l.sweep(now)
	}
	key := AddressBlock(addr)
	b := l.buckets[key]
	if b == nil {
		b = rate.NewLimiter(l.limit, l.burst)
		l.buckets[key] = b
	}
	return b.AllowN(now, 1)
}

// sweep forgets the buckets that are full again.
func (l *addressLimiter) sweep(now time.Time) {
	l.swept = now
	for key, b := range l.buckets {
		if b.TokensAt(now) >= float64(l.burst) {
			delete(l.buckets, key)
		}
	}
	if len(l.buckets) >= maxLimited {
		clear(l.buckets)
	}
}

// pendingShare is the part of all pending handshakes that one proved address may have.
const pendingShare = 16

// pending counts the connections in their handshake. The zero value has none.
type pending struct {
	mu     sync.Mutex // guards what follows
	all    int
	blocks map[netip.Prefix]int // of proved addresses
}

// enter counts one more, unless there are limit of them already, or too many of its block; a zero block is
// nobody's.
func (p *pending) enter(block netip.Prefix, limit int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all >= limit || block.IsValid() && p.blocks[block] >= max(1, limit/pendingShare) {
		return false
	}
	p.all++
	if block.IsValid() {
		if p.blocks == nil {
			p.blocks = make(map[netip.Prefix]int)
		}
		p.blocks[block]++
	}
	return true
}

// leave counts one less.
func (p *pending) leave(block netip.Prefix) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all--
	if block.IsValid() {
		if p.blocks[block]--; p.blocks[block] == 0 {
			delete(p.blocks, block)
		}
	}
}

func (p *pending) total() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all
}

// AddressBlock is what counts as one address for limits: an IPv4 address, or an IPv6 /64, which is
// what one customer has.
func AddressBlock(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.Prefix(bits)
	return p
}

// addrPort returns a net.Addr of a UDP connection as netip.AddrPort, IPv4 unmapped.
func addrPort(a net.Addr) netip.AddrPort {
	if u, ok := a.(*net.UDPAddr); ok {
		p := u.AddrPort()
		return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
	}
	return netip.AddrPort{}
}
