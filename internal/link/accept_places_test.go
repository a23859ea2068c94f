package link

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

// v6 returns an address of 2000::/3 whose /32, /48, /56 and /64 are numbered.
func v6(provider uint32, site uint16, part, subnet uint8) netip.Addr {
	var a [16]byte
	binary.BigEndian.PutUint32(a[:], 0x20000000|provider)
	binary.BigEndian.PutUint16(a[4:], site)
	a[6], a[7], a[15] = part, subnet, 1
	return netip.AddrFrom16(a)
}

// v4 returns an address whose /16, /24 and last byte are numbered.
func v4(provider uint16, net, host uint8) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(provider >> 8), byte(provider), net, host})
}

// TestPlacesForNewcomers has an attacker take all places that it can get, from whichever prefixes it has,
// give some back and take again. A newcomer who is in none of them finds a place at any time, and so do those
// who share a coarser prefix with an attacker who has one of the finer ones.
func TestPlacesForNewcomers(t *testing.T) {
	honest6, honest4 := v6(0xfffff, 1, 1, 1), v4(0xfffe, 1, 1)
	for name, test := range map[string]struct {
		count int // of the attacker's addresses
		from  func(i int) netip.Addr
		too   []netip.Addr // newcomers, beside those who share nothing
	}{
		"one address": {1, func(int) netip.Addr { return v6(1, 1, 1, 1) },
			[]netip.Addr{v6(1, 1, 1, 2), v6(1, 1, 2, 1), v6(1, 2, 1, 1)}},
		"16 /64s of one /56": {16, func(i int) netip.Addr { return v6(1, 1, 1, uint8(i)) },
			[]netip.Addr{v6(1, 1, 2, 1), v6(1, 2, 1, 1)}},
		"all /64s of a /56": {256, func(i int) netip.Addr { return v6(1, 1, 1, uint8(i)) },
			[]netip.Addr{v6(1, 1, 2, 1), v6(1, 2, 1, 1)}},
		"all /64s of a /48": {1 << 16,
			func(i int) netip.Addr { return v6(1, 1, uint8(i>>8), uint8(i)) }, []netip.Addr{v6(1, 2, 1, 1)}},
		"all /48s of a /32": {1 << 16, func(i int) netip.Addr { return v6(1, uint16(i), 1, 1) },
			[]netip.Addr{v6(2, 1, 1, 1)}},
		"16 /64s of 16 providers": {16, func(i int) netip.Addr { return v6(uint32(i), 1, 1, 1) },
			[]netip.Addr{v6(3, 1, 1, 2), v6(3, 2, 1, 1)}},
		"all of 16 providers": {1 << 16,
			func(i int) netip.Addr { return v6(uint32(i%16), uint16(i), 1, 1) }, nil},
		"80 providers, one by one": {1 << 16,
			func(i int) netip.Addr { return v6(uint32(i*80>>16), uint16(i), 1, 1) }, nil},
		"80 providers": {80, func(i int) netip.Addr { return v6(uint32(i), 1, 1, 1) }, nil},
		"a /24 of IPv4": {256, func(i int) netip.Addr { return v4(1, 1, uint8(i)) },
			[]netip.Addr{v4(1, 2, 1)}},
		"a /16 of IPv4": {1 << 16,
			func(i int) netip.Addr { return v4(1, uint8(i>>8), uint8(i)) }, []netip.Addr{v4(2, 1, 1)}},
		"80 addresses of 80 networks": {80, func(i int) netip.Addr { return v4(uint16(i), 1, 1) }, nil},
		"80 mapped ones": {80,
			func(i int) netip.Addr { return netip.AddrFrom16(v4(uint16(i), 1, 1).As16()) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			const limit = 1024
			random := rand.New(rand.NewPCG(1, 2))
			p := NewPlaces(limit, limit/handshakeShare)
			var held []netip.Addr
			for round := range 5 {
				tries := max(test.count, 8*limit)
				for n := range tries { // in whatever order it likes
					i := n % test.count
					if round%2 == 1 {
						i = random.IntN(test.count)
					}
					if addr := test.from(i); p.Acquire(addr) {
						held = append(held, addr)
					}
				}
				for _, addr := range append(test.too, honest6, honest4) {
					if !p.Acquire(addr) {
						t.Errorf("round %d: no place for %v; %d of %d are taken", round, addr, p.Acquired(),
							limit)
					} else {
						p.Release(addr)
					}
				}
				if p.Acquired() != len(held) || p.Acquired() > limit {
					t.Fatalf("%d are taken, %d are held", p.Acquired(), len(held))
				}
				random.Shuffle(len(held), func(i, j int) { held[i], held[j] = held[j], held[i] })
				keep := random.IntN(len(held) + 1) // the time of the others is up
				for _, addr := range held[keep:] {
					p.Release(addr)
				}
				held = held[:keep]
			}
			for _, addr := range held {
				p.Release(addr)
			}
			if p.Acquired() != 0 || len(p.held) != 0 {
				t.Errorf("%d are still taken, %d prefixes hold some", p.Acquired(), len(p.held))
			}
		})
	}
}

// TestPlacesForACrowd has many people come at once from one address, one customer's network and one provider,
// when nobody attacks.
func TestPlacesForACrowd(t *testing.T) {
	for name, test := range map[string]struct {
		from func(i int) netip.Addr
		want int
	}{
		"one address":  {func(int) netip.Addr { return v4(1, 1, 1) }, 64},
		"a /24":        {func(i int) netip.Addr { return v4(1, 1, uint8(i)) }, 256},
		"a /16":        {func(i int) netip.Addr { return v4(1, uint8(i), uint8(i>>8)) }, 512},
		"a /64":        {func(int) netip.Addr { return v6(1, 1, 1, 1) }, 64},
		"a /56":        {func(i int) netip.Addr { return v6(1, 1, 1, uint8(i)) }, 128},
		"a /48":        {func(i int) netip.Addr { return v6(1, 1, uint8(i), uint8(i>>8)) }, 256},
		"a /32":        {func(i int) netip.Addr { return v6(1, uint16(i), 1, 1) }, 512},
		"everywhere":   {func(i int) netip.Addr { return v6(uint32(i), 1, 1, 1) }, 1024},
		"not verified": {func(int) netip.Addr { return netip.Addr{} }, 1024},
	} {
		p, got := NewPlaces(1024, 64), 0
		for i := range 2000 {
			if p.Acquire(test.from(i)) {
				got++
			}
		}
		if got != test.want {
			t.Errorf("%s: %d places, want %d", name, got, test.want)
		}
	}
}

func TestPlacesSettle(t *testing.T) {
	p := NewPlaces(10, 1)
	a := v4(1, 1, 1)
	if !p.Acquire(a) || p.Acquire(a) {
		t.Fatal("one of an address")
	}
	if most, n := p.Most(); most != netip.PrefixFrom(a, 32) || n != 1 {
		t.Errorf("%v holds most: %d", most, n)
	}
	p.Settle(a)
	if p.Acquired() != 1 || !p.Acquire(a) {
		t.Error("a place that is settled is still held against its address")
	}
	p.Release(a)
	p.Release(netip.Addr{})
	if most, n := p.MostText(); n != 0 || most != "no network: they count for nobody" {
		t.Errorf("logs say that %s holds %d", most, n)
	}
	if most, n := p.Most(); p.Acquired() != 0 || most.IsValid() || n != 0 {
		t.Errorf("%d are taken, %v holds %d", p.Acquired(), most, n)
	}
}

// TestKnownPeersAreBounded wants the newest to be known.
func TestKnownPeersAreBounded(t *testing.T) {
	var k knownAddrs
	for i := range 2 * maxPeerBlocks {
		k.addPeer(v4(uint16(i), 1, 1), epoch.Add(time.Duration(i)*time.Second))
	}
	if len(k.peers) != maxPeerBlocks || k.peer(v4(0, 1, 1)) || !k.peer(v4(2*maxPeerBlocks-1, 1, 1)) {
		t.Errorf("%d are known; the first: %v, the last: %v", len(k.peers), k.peer(v4(0, 1, 1)),
			k.peer(v4(2*maxPeerBlocks-1, 1, 1)))
	}
}

func BenchmarkPlaces(b *testing.B) {
	for _, addr := range []netip.Addr{v4(1, 1, 1), v6(1, 1, 1, 1)} {
		b.Run(fmt.Sprint(addr), func(b *testing.B) {
			b.ReportAllocs()
			p := NewPlaces(1024, 64)
			for b.Loop() {
				if p.Acquire(addr) {
					p.Release(addr)
				}
			}
		})
	}
}
