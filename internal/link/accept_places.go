package link

import (
	"cmp"
	"net/netip"
)

// Places are a number of places that strangers take for a while, such as handshakes under way. Whatever
// somebody with many addresses does, there is one for who holds none; and as nobody is thrown out for that, a
// newcomer keeps its place for as long as the owner of the places allows, which a handshake on a bad path may
// need.
//
// One customer has many addresses, and one provider many customers, so prefixes of several lengths are
// bounded. Each may have a part of all places; and the fewer are free, the less may those have that get more:
//
//	free        1 ─────────── 1/2 ──────────── 3/8 ─────────── 1/4 ─────────── 1/8 ────────────── 0
//	IPv6        what is their part   /64 light       /56 light       /48 light       /32 light
//	IPv4        what is their part   address light ───────────────── /24 light ───── /16 light
//
// Light is a prefix that holds less than a 64th of what is free. The last 64 of 1024 places thus go to 64
// providers that have none at all, and those before them to 32 others at least: it takes some 90 providers,
// about a tenth of the number of places, to take all of them, and who only shares a provider with somebody
// loud still gets one. It is pure, and not safe for concurrent use.
type Places struct {
	total   int
	address int // of one address, or IPv6 /64, at most
	taken   int
	held    map[netip.Prefix]int // of prefixes of all levels; none is 0
}

// placesLight is the part of the free places from which on a prefix is not light any more.
const placesLight = 64

// prefixLevel is a length of prefixes that are bounded.
type prefixLevel struct {
	bits  int
	most  float64 // the part of all places that a prefix may have
	light float64 // the part of all places that are free from which on it has to be light
	times int     // how many times the limit of one address an AddressLimiter lets it have; 0: any number
}

// The coarsest prefixes are about what one provider has; the finest are AddressBlocks.
var (
	prefixLevels4 = []prefixLevel{{16, 1. / 2, 1. / 8, 0}, {24, 1. / 4, 1. / 4, 8}, {32, 1. / 16, 1. / 2, 1}}
	prefixLevels6 = []prefixLevel{
		{32, 1. / 2, 1. / 8, 64}, {48, 1. / 4, 1. / 4, 16}, {56, 1. / 8, 3. / 8, 4}, {64, 1. / 16, 1. / 2, 1},
	}
)

// NewPlaces returns a number of places, of which one address, or IPv6 /64, may have a part at most.
func NewPlaces(total, address int) *Places {
	return &Places{total: total, address: address, held: make(map[netip.Prefix]int)}
}

// Acquired returns how many places are taken.
func (p *Places) Acquired() int { return p.taken }

// Acquire takes a place for an address, or reports false. The zero Addr is nobody's: it gets any place that
// is free.
func (p *Places) Acquire(addr netip.Addr) bool {
	free := p.total - p.taken
	if free <= 0 || addr.IsValid() && p.held[AddressBlock(addr)] >= p.address {
		return false
	}
	fits := true
	eachPrefix(addr, func(prefix netip.Prefix, level prefixLevel) {
		held, total := float64(p.held[prefix]), float64(p.total)
		scarce := float64(free) <= total*level.light
		fits = fits && held < max(1, total*level.most) && (!scarce || held < float64(free)/placesLight)
	})
	if !fits {
		return false
	}
	p.taken++
	eachPrefix(addr, func(prefix netip.Prefix, _ prefixLevel) { p.held[prefix]++ })
	return true
}

// Settle makes a place of an address nobody's: it stays taken, and is not held against the address any more.
func (p *Places) Settle(addr netip.Addr) {
	eachPrefix(addr, func(prefix netip.Prefix, _ prefixLevel) {
		if p.held[prefix]--; p.held[prefix] == 0 {
			delete(p.held, prefix)
		}
	})
}

// Release gives a place of an address back.
func (p *Places) Release(addr netip.Addr) {
	p.Settle(addr)
	p.taken--
}

// Most returns the prefix that holds most, the finest of several that hold the same places; not valid if none
// holds any.
func (p *Places) Most() (most netip.Prefix, held int) {
	for prefix, n := range p.held {
		order := cmp.Or(cmp.Compare(n, held), cmp.Compare(prefix.Bits(), most.Bits()),
			most.Addr().Compare(prefix.Addr()))
		if order > 0 {
			most, held = prefix, n
		}
	}
	return most, held
}

// MostText is Most for people who read logs.
func (p *Places) MostText() (most string, held int) {
	prefix, held := p.Most()
	if !prefix.IsValid() {
		return "no network: they count for nobody", 0
	}
	return prefix.String(), held
}

// eachPrefix calls f with the prefixes of an address that are bounded, the coarsest first; with none for the
// zero Addr.
func eachPrefix(addr netip.Addr, f func(prefix netip.Prefix, level prefixLevel)) {
	if !addr.IsValid() {
		return
	}
	addr = addr.Unmap().WithZone("")
	levels := prefixLevels4
	if addr.Is6() {
		levels = prefixLevels6
	}
	for _, level := range levels {
		prefix, _ := addr.Prefix(level.bits)
		f(prefix, level)
	}
}
