package link

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"
)

// resolveAnew is after how long without an attempt the first address of a relay comes again.
const resolveAnew = 10 * time.Second

// Resolver looks up the address of a relay, anew for each attempt, since addresses change. If there are
// several, attempts that follow each other closely, because nothing answers, get one after the other.
type Resolver struct {
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error) // nil: the system's

	mu    sync.Mutex // guards what follows
	tried int
	last  time.Time // when it was asked last
}

// Resolve returns the address of HOST:PORT.
func (r *Resolver) Resolve(ctx context.Context, addr string) (netip.AddrPort, error) {
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return netip.AddrPort{}, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("the port %q is not a number from 1 to 65535", service)
	}
	ips, err := r.lookUp(ctx, host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if len(ips) == 0 {
		return netip.AddrPort{}, fmt.Errorf("%q has no address", host)
	}
	// Most networks carry IPv4.
	slices.SortStableFunc(ips, func(a, b netip.Addr) int { return a.Unmap().BitLen() - b.Unmap().BitLen() })
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if r.tried++; now.Sub(r.last) > resolveAnew {
		r.tried = 0
	}
	r.last = now
	return netip.AddrPortFrom(ips[r.tried%len(ips)].Unmap(), uint16(port)), nil
}

func (r *Resolver) lookUp(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip}, nil
	}
	if r.Lookup != nil {
		return r.Lookup(ctx, host)
	}
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}
