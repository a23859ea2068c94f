package link

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/wzp-voice/wzp/internal/budget"
)

// maxLimited bounds how many prefixes a limiter remembers. When it is full of those that used it lately, it
// forgets a quarter of them, whichever: that many proven addresses are not stopped by a limit for each.
const maxLimited = 1 << 16

// AddressLimiter limits the rate of something for each address, or each IPv6 /64, and for all in a coarser
// prefix.
type AddressLimiter struct {
	limit rate.Limit
	burst int

	mu      sync.Mutex // guards what follows
	buckets map[netip.Prefix]*rate.Limiter
	swept   time.Time
}

// NewAddressLimiter returns one that allows limit a second to each address, and burst at once.
func NewAddressLimiter(limit rate.Limit, burst int) *AddressLimiter {
	return &AddressLimiter{limit: limit, burst: burst, buckets: make(map[netip.Prefix]*rate.Limiter)}
}

// Allow takes one token of addr's bucket, and of those of the prefixes that it is in. It takes none if one of
// them is empty: who exceeds its own limit takes nothing from its neighbours. No address is not allowed.
func (l *AddressLimiter) Allow(addr netip.Addr, now time.Time) bool {
	if !addr.IsValid() {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.buckets) >= maxLimited || now.Sub(l.swept) > time.Minute {
		l.sweep(now)
	}
	var buckets []*rate.Limiter
	allowed := true
	eachPrefix(addr, func(prefix netip.Prefix, level prefixLevel) {
		if level.times == 0 || !allowed {
			return
		}
		b := l.buckets[prefix]
		if b == nil {
			b = rate.NewLimiter(l.limit*rate.Limit(level.times), l.burst*level.times)
			l.buckets[prefix] = b
		}
		allowed = b.TokensAt(now) >= 1
		buckets = append(buckets, b)
	})
	for _, b := range buckets {
		if allowed {
			b.AllowN(now, 1)
		}
	}
	return allowed
}

// sweep forgets the buckets that are full again, and if that is not enough others, too.
func (l *AddressLimiter) sweep(now time.Time) {
	l.swept = now
	for key, b := range l.buckets {
		if b.TokensAt(now) >= float64(b.Burst()) {
			delete(l.buckets, key)
		}
	}
	for key := range l.buckets { // in no order
		if len(l.buckets) <= maxLimited*3/4 {
			break
		}
		delete(l.buckets, key)
	}
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

// AddressNet is what one customer may have at most: an IPv4 address, or an IPv6 /48.
func AddressNet(addr netip.Addr) netip.Prefix {
	block := AddressBlock(addr)
	if block.Addr().Is6() {
		block, _ = block.Addr().Prefix(48)
	}
	return block
}

// AddressGroup returns whose share sessions of an address count in.
func AddressGroup(addr netip.Addr) budget.Group {
	block := AddressBlock(addr).Addr()
	if block.Is4() {
		v4 := block.As4() // in the lower half: no IPv6 network begins with zeros
		return budget.Group{Address: true, ID: budget.ID(append(make([]byte, 4, 8), v4[:]...))}
	}
	return budget.Group{Address: true, ID: budget.ID(block.AsSlice())}
}

// addrPort returns a net.Addr of a UDP connection as netip.AddrPort, IPv4 unmapped.
func addrPort(a net.Addr) netip.AddrPort {
	if u, ok := a.(*net.UDPAddr); ok {
		p := u.AddrPort()
		return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
	}
	return netip.AddrPort{}
}
