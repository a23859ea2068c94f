package simnet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// target is a UDP socket that the proxy forwards to.
func target(t testing.TB) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetReadBuffer(socketBuffer)
	return c
}

// newProxy listens on any port and forwards to that of to.
func newProxy(t testing.TB, to *net.UDPConn, cfg ProxyConfig) *Proxy {
	t.Helper()
	cfg.Listen, cfg.To = "127.0.0.1:0", to.LocalAddr().String()
	p, err := ListenProxy(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// dialProxy returns a client's socket.
func dialProxy(t testing.TB, p *Proxy) *net.UDPConn {
	t.Helper()
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(p.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetReadBuffer(socketBuffer)
	return c
}

// receive waits for one packet.
func receive(t testing.TB, c *net.UDPConn) (string, netip.AddrPort) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(time.Minute))
	buf := make([]byte, 1<<16)
	n, from, err := c.ReadFromUDPAddrPort(buf)
	if err != nil {
		t.Fatal("receive:", err)
	}
	return string(buf[:n]), from
}

func transmit(t testing.TB, c *net.UDPConn, payload string) {
	t.Helper()
	if _, err := c.Write([]byte(payload)); err != nil {
		t.Fatal(err)
	}
}

// eventually waits until the proxy's counts say so.
func eventually(t testing.TB, p *Proxy, what string, ok func(ProxyStats) bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(p.Stats()); {
		if time.Now().After(deadline) {
			t.Fatalf("never %s: %+v", what, p.Stats())
		}
		time.Sleep(time.Millisecond)
	}
}

// balanced checks that every packet is accounted for once the proxy is closed.
func balanced(t testing.TB, s ProxyStats) {
	t.Helper()
	for _, d := range []ProxyDirectionStats{s.Up, s.Down} {
		if d.Sent != d.Lost+d.QueueDropped+d.Blocked+d.Delivered ||
			d.Delivered+d.Duplicated != d.Out+d.Failed+d.Overflow+d.InFlight {
			t.Errorf("unaccounted packets: %+v", d)
		}
	}
}

func TestProxyForwardsBothWaysForEachClient(t *testing.T) {
	to := target(t)
	p := newProxy(t, to, ProxyConfig{Up: Profile{Delay: 20 * time.Millisecond},
		Down: Profile{Delay: 10 * time.Millisecond}})
	upstream := map[netip.AddrPort]bool{}
	for _, name := range []string{"a", "b"} {
		c := dialProxy(t, p)
		start := time.Now()
		transmit(t, c, name)
		got, from := receive(t, to)
		if there := time.Since(start); got != name || there < 20*time.Millisecond {
			t.Errorf("got %q after %v", got, there)
		}
		upstream[from] = true
		start = time.Now()
		if _, err := to.WriteToUDPAddrPort([]byte("re: "+got), from); err != nil {
			t.Fatal(err)
		}
		got, _ = receive(t, c)
		if back := time.Since(start); got != "re: "+name || back < 10*time.Millisecond {
			t.Errorf("got %q after %v", got, back)
		}
	}
	if len(upstream) != 2 {
		t.Errorf("both clients came from %v", upstream)
	}
	p.Close()
	s := p.Stats()
	balanced(t, s)
	if s.ClientsTotal != 2 || s.Up.Out != 2 || s.Up.BytesOut != 2*29 || s.Down.Out != 2 ||
		s.Down.BytesOut != 2*33 {
		t.Errorf("stats %+v", s)
	}
}

func TestProxyKeepsOrderAndSizes(t *testing.T) {
	to := target(t)
	p := newProxy(t, to, ProxyConfig{Up: Profile{Delay: 5 * time.Millisecond, Jitter: 5 * time.Millisecond}})
	c := dialProxy(t, p)
	sizes := []int{0, 1, leastSize - 1, leastSize, leastSize + 1, 9000, 60_000}
	const under = 10 // packets are under way: more may not fit into small socket buffers
	for i := range 200 + under {
		if i < 200 {
			transmit(t, c, fmt.Sprintf("%03d", i)+strings.Repeat("x", sizes[i%len(sizes)]))
		}
		if i -= under; i < 0 {
			continue
		}
		got, _ := receive(t, to)
		if len(got) != 3+sizes[i%len(sizes)] || got[:3] != fmt.Sprintf("%03d", i) {
			t.Fatalf("packet %d: %d bytes, %q", i, len(got), got[:3])
		}
	}
}

func TestProxyLosesAndDuplicates(t *testing.T) {
	to := target(t)
	p := newProxy(t, to, ProxyConfig{Up: Profile{Loss: 0.3, Duplicate: 0.1, Delay: time.Millisecond,
		Seed: 1}})
	c := dialProxy(t, p)
	received := uint64(0)
	to.SetReadDeadline(time.Now().Add(5 * time.Minute))
	for i := range 40 { // so many at a time as fit into small socket buffers
		for range 50 {
			transmit(t, c, "x")
		}
		eventually(t, p, "done", func(s ProxyStats) bool {
			return s.Up.Sent == uint64(50*(i+1)) &&
				s.Up.InFlight == 0
		})
		for ; received < p.Stats().Up.Out; received++ {
			if _, err := to.Read(make([]byte, 10)); err != nil {
				t.Fatal(err)
			}
		}
	}
	p.Close()
	s := p.Stats()
	balanced(t, s)
	// The seed is fixed, and packets come one after the other: nothing is left to chance.
	about(t, "lost", float64(s.Up.Lost), 600, 0.1)
	about(t, "out", float64(s.Up.Out), 1400*1.1, 0.1)
}

func TestProxyBlocksAndChangesProfile(t *testing.T) {
	to := target(t)
	p := newProxy(t, to, ProxyConfig{})
	c := dialProxy(t, p)
	transmit(t, c, "1")
	_, from := receive(t, to)
	p.Block(Up, true)
	transmit(t, c, "blocked")
	eventually(t, p, "blocked up", func(s ProxyStats) bool { return s.Up.Blocked == 1 })
	if _, err := to.WriteToUDPAddrPort([]byte("down is open"), from); err != nil {
		t.Fatal(err)
	}
	receive(t, c)
	p.Block(Both, true)
	p.Block(Up, false)
	to.WriteToUDPAddrPort([]byte("blocked"), from)
	eventually(t, p, "blocked down", func(s ProxyStats) bool { return s.Down.Blocked == 1 })
	late := dialProxy(t, p) // a new client finds the same
	transmit(t, late, "2")
	got, lateFrom := receive(t, to)
	to.WriteToUDPAddrPort([]byte("blocked"), lateFrom)
	eventually(t, p, "blocked down", func(s ProxyStats) bool { return s.Down.Blocked == 2 })
	if got != "2" {
		t.Errorf("got %q", got)
	}
	p.Block(Both, false)
	if err := p.SetProfile(Profile{Loss: 1}, Profile{}); err != nil {
		t.Fatal(err)
	}
	transmit(t, c, "lost")
	eventually(t, p, "lost", func(s ProxyStats) bool { return s.Up.Lost == 1 })
	if p.SetProfile(Profile{}, Profile{Loss: -1}) == nil ||
		p.SetProfile(Profile{Loss: -1}, Profile{}) == nil {
		t.Error("took a bad profile")
	}
}

func TestProxyRebindChangesEverySourcePort(t *testing.T) {
	to := target(t)
	p := newProxy(t, to, ProxyConfig{})
	c := dialProxy(t, p)
	transmit(t, c, "before")
	_, old := receive(t, to)
	if err := p.Rebind(); err != nil {
		t.Fatal(err)
	}
	to.WriteToUDPAddrPort([]byte("to the old port"), old)
	transmit(t, c, "after")
	got, moved := receive(t, to)
	if got != "after" || moved == old {
		t.Errorf("%q from %v, before from %v", got, moved, old)
	}
	to.WriteToUDPAddrPort([]byte("to the new port"), moved)
	if got, _ := receive(t, c); got != "to the new port" {
		t.Errorf("got %q", got)
	}
	if s := p.Stats(); s.Clients != 1 || s.ClientsTotal != 1 || s.Rebinds != 1 {
		t.Errorf("stats %+v", s)
	}
	p.Close()
	if err := p.Rebind(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after close: %v", err)
	}
}

func TestProxyRebindLosesNothingOnTheWayUp(t *testing.T) {
	to := target(t)
	p := newProxy(t, to, ProxyConfig{Up: Profile{Delay: time.Millisecond}})
	c := dialProxy(t, p)
	for i := range 500 {
		transmit(t, c, "x")
		if i%10 == 9 {
			if err := p.Rebind(); err != nil {
				t.Fatal(err)
			}
		}
		if i%50 == 49 { // as many as fit into small socket buffers
			for range 50 {
				receive(t, to)
			}
		}
	}
}

func TestProxyBoundsAndForgetsClients(t *testing.T) {
	to := target(t)
	p := newProxy(t, to, ProxyConfig{MaxClients: 2, Idle: 50 * time.Millisecond})
	for range 5 {
		transmit(t, dialProxy(t, p), "x")
	}
	eventually(t, p, "refused or forgotten", func(s ProxyStats) bool {
		return s.Clients <= 2 && s.ClientsTotal+s.ClientsRefused == 5
	})
	time.Sleep(100 * time.Millisecond)
	transmit(t, dialProxy(t, p), "room")
	eventually(t, p, "forgotten", func(s ProxyStats) bool { return s.Clients <= 2 && s.ClientsExpired >= 2 })
	s := p.Stats()
	if s.Up.Sent != s.ClientsTotal {
		t.Errorf("the counts of forgotten clients are gone: %+v", s)
	}
}

func TestProxyBoundsMemory(t *testing.T) {
	to := target(t)
	p := newProxy(t, to, ProxyConfig{Up: Profile{Delay: time.Minute}, InFlightBytes: 10 * leastSize})
	c := dialProxy(t, p)
	for range 15 {
		transmit(t, c, "x")
	}
	eventually(t, p, "full", func(s ProxyStats) bool { return s.Up.InFlight == 10 && s.Up.Overflow == 5 })
	p.Close()
	balanced(t, p.Stats())
}

// A relay that restarts answers "port unreachable" for a while; packets must flow again after it.
func TestProxySurvivesAnAbsentTarget(t *testing.T) {
	// Nobody is given this port while it is free: systems give out higher ones.
	to, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1),
		Port: 10_000 + os.Getpid()%20_000})
	if err != nil {
		t.Fatal(err)
	}
	p := newProxy(t, to, ProxyConfig{})
	c := dialProxy(t, p)
	transmit(t, c, "1")
	receive(t, to)
	to.Close()
	for range 20 {
		transmit(t, c, "nobody listens")
	}
	eventually(t, p, "forwarded", func(s ProxyStats) bool { return s.Up.Sent == 21 && s.Up.InFlight == 0 })
	back, err := net.ListenUDP("udp", to.LocalAddr().(*net.UDPAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	for i := range 3 {
		want := fmt.Sprint("back ", i)
		transmit(t, c, want)
		if got, _ := receive(t, back); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestListenProxyErrors(t *testing.T) {
	busy := target(t).LocalAddr().String()
	for _, tc := range []struct {
		cfg  ProxyConfig
		want string
	}{
		{ProxyConfig{Listen: busy, To: "127.0.0.1:1"}, "cannot listen on " + busy + ": the port is in use"},
		{ProxyConfig{Listen: "127.0.0.1:0", To: "host.invalid:1"}, `cannot forward to "host.invalid:1"`},
		{ProxyConfig{Listen: "127.0.0.1:0", To: "127.0.0.1"}, "missing port"},
		{ProxyConfig{Listen: "127.0.0.1:0", To: ":1"}, "give a host and a port"},
		{ProxyConfig{Listen: "nonsense", To: "127.0.0.1:1"}, `cannot listen on "nonsense"`},
		{ProxyConfig{Listen: "192.0.2.1:1", To: "127.0.0.1:1"}, "cannot listen on 192.0.2.1:1"},
		{ProxyConfig{Listen: "127.0.0.1:0", To: "127.0.0.1:1", Down: Profile{Loss: 2}}, "down: loss 2"},
	} {
		p, err := ListenProxy(tc.cfg)
		if err == nil {
			p.Close()
			t.Errorf("%+v: no error", tc.cfg)
			continue
		}
		if !strings.Contains(err.Error(), tc.want) || strings.ContainsRune(err.Error(), '\n') {
			t.Errorf("got %q, want %q", err, tc.want)
		}
	}
}

// BenchmarkProxy sends through the proxy as fast as it goes, 200 packets at most under way so that
// no socket buffer overflows, and reports packets per second.
func BenchmarkProxy(b *testing.B) {
	to := target(b)
	p := newProxy(b, to, ProxyConfig{})
	c := dialProxy(b, p)
	payload := make([]byte, 100)
	buf := make([]byte, 1500)
	b.ReportAllocs()
	to.SetReadDeadline(time.Now().Add(time.Minute))
	under := 0
	for b.Loop() {
		if _, err := c.Write(payload); err != nil {
			b.Fatal(err)
		}
		if under++; under < 200 {
			continue
		}
		for range 100 {
			if _, err := to.Read(buf); err != nil {
				b.Fatal(err)
			}
		}
		under -= 100
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "packets/s")
}

// BenchmarkProxyDelayError reports how much later than the profile says packets arrive, at 50
// packets a second as a call sends them. One operation is one packet.
func BenchmarkProxyDelayError(b *testing.B) {
	const delay = 37300 * time.Microsecond
	to := target(b)
	p := newProxy(b, to, ProxyConfig{Up: Profile{Delay: delay}})
	c := dialProxy(b, p)
	buf := make([]byte, 1500)
	var late []time.Duration
	for b.Loop() {
		start := time.Now()
		transmit(b, c, "x")
		to.SetReadDeadline(start.Add(10 * time.Second))
		if _, err := to.Read(buf); errors.Is(err, os.ErrDeadlineExceeded) {
			b.Fatal("lost")
		}
		late = append(late, time.Since(start)-delay)
	}
	slices.Sort(late)
	for _, percent := range []int{50, 90, 99} {
		at := late[(len(late)-1)*percent/100]
		b.ReportMetric(float64(at.Microseconds()), fmt.Sprintf("p%d-us-late", percent))
	}
}
