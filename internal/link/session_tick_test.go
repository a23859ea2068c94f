package link

import (
	"net/netip"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// pings runs a pinger every 50 ms and returns when, in milliseconds, it wanted a ping.
func pings(p *pinger, from, to, idle time.Duration, doubt bool) (at []int) {
	sent := p.count
	for now := from; now < to; now += tickEvery {
		if p.due(epoch.Add(now), sent, idle, doubt, false) {
			at = append(at, int(now.Milliseconds()))
			sent++
		}
	}
	return at
}

func TestPingAfterSilence(t *testing.T) {
	var p pinger
	at := pings(&p, 0, 30*time.Second, pingIdle, false)
	if len(at) == 0 || at[0] != 2000 {
		t.Fatalf("first ping at %v, want 2000", at)
	}
	for i := 1; i < len(at); i++ {
		gap, want := at[i]-at[i-1], int(pingRepeat.Milliseconds())
		if at[i] > 12_200 {
			want = int(pingSlow.Milliseconds())
		}
		if gap != want {
			t.Errorf("pings at %d and %d ms", at[i-1], at[i])
		}
	}
	p.answered()
	if at := pings(&p, 30*time.Second, 31*time.Second, pingIdle, false); at != nil {
		t.Errorf("pings at %v after an answer", at)
	}
}

func TestNoPingWhileSending(t *testing.T) {
	var p pinger
	for i := range 200 {
		// a packet a second
		if p.due(epoch.Add(time.Duration(i)*tickEvery), uint64(i/20), pingIdle, false, false) {
			t.Fatalf("ping after %v", time.Duration(i)*tickEvery)
		}
	}
}

func TestOnlyClientsPingWhenIdle(t *testing.T) {
	var p pinger
	if at := pings(&p, 0, 30*time.Second, 0, false); at != nil {
		t.Errorf("a relay pings at %v", at)
	}
	at := pings(&p, 30*time.Second, 31*time.Second, 0, true)
	if len(at) != int(time.Second/pingRepeat) || at[0] != 30_000 {
		t.Errorf("a relay in doubt pings at %v", at)
	}
}

// TestPingsBeforeTheBreaker follows a sender whose packets seem not to arrive from time 0 on.
func TestPingsBeforeTheBreaker(t *testing.T) {
	var p pinger
	sent, second := uint64(0), make([]int, 20)
	for now := time.Duration(0); now < 20*time.Second; now += tickEvery {
		if p.due(epoch.Add(now), sent, 0, now > doubtAfter, now > doubtAfter && now <= breakAfter) {
			second[now/time.Second]++
			sent++
		}
	}
	want := []int{0, 9, 20, 20, 20, 5, 5, 5, 5, 5, 5, 3, 1, 1, 1, 1, 1, 1, 1, 1}
	for i, n := range second {
		if n < want[i]-2 || n > want[i]+2 {
			t.Errorf("%d pings in second %d, want about %d (all: %v)", n, i, want[i], second)
		}
	}
}

func TestAddressLimiter(t *testing.T) {
	l := NewAddressLimiter(2, 10)
	allowed := func(addr string, n int, now time.Time) (ok int) {
		for range n {
			if l.Allow(netip.MustParseAddr(addr), now) {
				ok++
			}
		}
		return ok
	}
	if n := allowed("192.0.2.1", 100, epoch); n != 10 {
		t.Errorf("%d at once, want 10", n)
	}
	if n := allowed("::ffff:192.0.2.1", 10, epoch); n != 0 {
		t.Errorf("%d more for the same address in IPv6", n)
	}
	if n := allowed("192.0.2.2", 100, epoch); n != 10 {
		t.Errorf("%d for another address, want 10", n)
	}
	if n := allowed("192.0.2.1", 100, epoch.Add(2*time.Second)); n != 4 {
		t.Errorf("%d after 2 s, want 4", n)
	}
	if n := allowed("2001:db8::1", 100, epoch) + allowed("2001:db8::ffff:2", 100, epoch); n != 10 {
		t.Errorf("%d for one IPv6 /64, want 10", n)
	}
	if n := allowed("2001:db8:0:1::1", 100, epoch); n != 10 {
		t.Errorf("%d for another /64, want 10", n)
	}
	if l.Allow(netip.Addr{}, epoch) {
		t.Error("what has no address is not limited")
	}
}

// TestAddressLimiterPrefixes has one customer use all addresses that it has.
func TestAddressLimiterPrefixes(t *testing.T) {
	for name, test := range map[string]struct {
		addr func(i int) netip.Addr
		want int // at once
	}{
		"/56": {func(i int) netip.Addr { return v6(1, 1, 1, uint8(i)) }, 40},
		"/48": {func(i int) netip.Addr { return v6(1, 1, uint8(i), uint8(i>>8)) }, 160},
		"/32": {func(i int) netip.Addr { return v6(1, uint16(i), 1, 1) }, 640},
		"/24": {func(i int) netip.Addr { return v4(1, 1, uint8(i)) }, 80},
	} {
		l, got := NewAddressLimiter(2, 10), 0
		for i := range 1 << 16 {
			if l.Allow(test.addr(i), epoch) {
				got++
			}
		}
		if got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
		if !l.Allow(v6(9, 9, 9, 9), epoch) || !l.Allow(v4(9, 9, 9), epoch) {
			t.Errorf("%s: others are limited, too", name)
		}
	}
	// Who exceeds its own limit takes nothing from its neighbours.
	l := NewAddressLimiter(2, 10)
	for range 1000 {
		l.Allow(v4(1, 1, 1), epoch)
	}
	if !l.Allow(v4(1, 1, 2), epoch) {
		t.Error("a neighbour is limited")
	}
}

// TestAddressLimiterFull has more addresses at once than are remembered: those that used up their limit
// lately are not all forgiven for it.
func TestAddressLimiterFull(t *testing.T) {
	l := NewAddressLimiter(1, 1)
	for i := range maxLimited + 10 {
		l.Allow(v4(uint16(i), uint8(i>>16), 1), epoch)
	}
	remembered := 0
	for prefix := range l.buckets {
		if prefix.IsSingleIP() {
			remembered++
		}
	}
	if n := len(l.buckets); n > maxLimited || remembered < maxLimited/4 {
		t.Errorf("%d addresses are remembered, and %d prefixes in all", remembered, n)
	}
}

func TestAddressLimiterForgets(t *testing.T) {
	l := NewAddressLimiter(rate.Limit(1), 1)
	for i := range 1000 {
		l.Allow(netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)}), epoch)
	}
	l.Allow(netip.MustParseAddr("192.0.2.1"), epoch.Add(2*time.Minute))
	if n := len(l.buckets); n != 2 { // and its /24
		t.Errorf("%d addresses are remembered after two minutes", n)
	}
	for i := range maxLimited + 10 {
		l.Allow(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), epoch.Add(2*time.Minute))
	}
	if n := len(l.buckets); n > maxLimited {
		t.Errorf("%d addresses are remembered, at most %d", n, maxLimited)
	}
}
