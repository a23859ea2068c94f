package simnet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	alice = netip.MustParseAddrPort("10.0.0.1:1000")
	bob   = netip.MustParseAddrPort("10.0.0.2:2000")
)

func newNetwork(t *testing.T, p Profile) *Network {
	t.Helper()
	n, err := NewNetwork(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

func listen(t *testing.T, n *Network, addr netip.AddrPort) *Conn {
	t.Helper()
	c, err := n.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func write(t *testing.T, c *Conn, to netip.AddrPort, payload string) {
	t.Helper()
	if n, err := c.WriteTo([]byte(payload), net.UDPAddrFromAddrPort(to)); err != nil || n != len(payload) {
		t.Fatalf("write: %d, %v", n, err)
	}
}

// read waits up to a minute of virtual time for one packet.
func read(t *testing.T, c *Conn) (string, netip.AddrPort) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(time.Minute))
	buf := make([]byte, 1500)
	n, from, err := c.ReadFrom(buf)
	if err != nil {
		t.Fatal("read:", err)
	}
	return string(buf[:n]), from.(*net.UDPAddr).AddrPort()
}

// nothing checks that no packet comes within a minute of virtual time.
func nothing(t *testing.T, c *Conn) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(time.Minute))
	buf := make([]byte, 1500)
	if n, from, err := c.ReadFrom(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %q from %v, %v", buf[:n], from, err)
	}
}

func TestNetworkDelaysInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, Profile{Delay: 100 * time.Millisecond, Jitter: 90 * time.Millisecond, Seed: 1})
		a, b := listen(t, n, alice), listen(t, n, bob)
		start := time.Now()
		payload := []byte("000")
		for i := range 100 {
			copy(payload, fmt.Sprintf("%03d", i)) // the network keeps copies
			if _, err := a.WriteTo(payload, b.LocalAddr()); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 100 {
			got, from := read(t, b)
			if got != fmt.Sprintf("%03d", i) || from != alice {
				t.Fatalf("packet %d: %q from %v", i, got, from)
			}
		}
		if d := time.Since(start); d < 10*time.Millisecond || d > 190*time.Millisecond {
			t.Errorf("took %v", d)
		}
	})
}

func TestNetworkWithoutDelayDeliversAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, Profile{})
		a, b := listen(t, n, alice), listen(t, n, bob)
		start := time.Now()
		write(t, a, bob, "ping")
		if got, _ := read(t, b); got != "ping" || !time.Now().Equal(start) {
			t.Errorf("got %q after %v", got, time.Since(start))
		}
		short := make([]byte, 2)
		write(t, a, bob, "truncated")
		if n, _, err := b.ReadFrom(short); n != 2 || err != nil || string(short) != "tr" {
			t.Errorf("short buffer: %q, %v", short[:n], err)
		}
	})
}

func TestPathsArePerDirection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, Profile{})
		if err := n.SetPath(alice.Addr(), bob.Addr(), Profile{Delay: time.Second}); err != nil {
			t.Fatal(err)
		}
		a, b := listen(t, n, alice), listen(t, n, bob)
		start := time.Now()
		write(t, a, bob, "slow")
		read(t, b)
		there := time.Since(start)
		write(t, b, alice, "fast")
		read(t, a)
		if back := time.Since(start) - there; there != time.Second || back != 0 {
			t.Errorf("there %v, back %v", there, back)
		}
		// A new default leaves a path's own profile alone.
		if err := n.SetDefault(Profile{Loss: 1}); err != nil {
			t.Fatal(err)
		}
		write(t, a, bob, "own")
		read(t, b)
		write(t, b, alice, "default")
		nothing(t, a)
		if err := n.SetPath(alice.Addr(), bob.Addr(), Profile{Loss: 2}); err == nil {
			t.Error("took a bad profile")
		}
		if s := n.Stats(bob.Addr(), alice.Addr()); s.Sent != 2 || s.Lost != 1 || s.Arrived != 1 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestDirectionsWithOneProfileLoseDifferentPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, Profile{Loss: 0.5, Seed: 1})
		a, b := listen(t, n, alice), listen(t, n, bob)
		got := map[netip.AddrPort]string{}
		n.SetTap(func(from, _ netip.AddrPort, _ []byte, delivered bool) {
			got[from] += fmt.Sprint(delivered)
		})
		for range 100 {
			write(t, a, bob, "x")
			write(t, b, alice, "x")
		}
		if got[alice] == got[bob] {
			t.Error("the same losses both ways")
		}
	})
}

func TestPartitionAndBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, Profile{Delay: time.Millisecond})
		a, b := listen(t, n, alice), listen(t, n, bob)
		write(t, a, bob, "under way")
		n.Partition(alice.Addr(), bob.Addr(), true)
		read(t, b)
		write(t, a, bob, "no")
		write(t, b, alice, "no")
		nothing(t, b)
		nothing(t, a)
		n.Partition(alice.Addr(), bob.Addr(), false)
		n.Block(alice.Addr(), bob.Addr(), true)
		write(t, a, bob, "no")
		write(t, b, alice, "yes")
		if got, _ := read(t, a); got != "yes" {
			t.Errorf("got %q", got)
		}
		nothing(t, b)
		if s := n.Stats(alice.Addr(), bob.Addr()); s.Blocked != 2 || s.Arrived != 1 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestRebindMovesTheAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, Profile{Delay: 50 * time.Millisecond})
		a, b := listen(t, n, alice), listen(t, n, bob)
		write(t, b, alice, "under way to the old address")
		moved := netip.MustParseAddrPort("10.0.9.9:77")
		if err := a.Rebind(bob); err == nil {
			t.Error("took an address in use")
		}
		if err := a.Rebind(moved); err != nil {
			t.Fatal(err)
		}
		nothing(t, a)
		write(t, a, bob, "hello")
		if _, from := read(t, b); from != moved || a.AddrPort() != moved {
			t.Errorf("from %v, local address %v", from, a.LocalAddr())
		}
		write(t, b, moved, "back")
		read(t, a)
		if s := n.Stats(bob.Addr(), alice.Addr()); s.Unreachable != 1 {
			t.Errorf("stats %+v", s)
		}
		listen(t, n, alice) // free again
	})
}

func TestInjectAndTap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, Profile{})
		b := listen(t, n, bob)
		type seen struct {
			from, to  netip.AddrPort
			payload   string
			delivered bool
		}
		var got []seen
		n.SetTap(func(from, to netip.AddrPort, payload []byte, delivered bool) {
			got = append(got, seen{from, to, string(payload), delivered})
			if string(payload) == "first" {
				n.Inject(from, to, []byte("replayed")) // a tap may call the network
			}
		})
		if err := n.Inject(alice, bob, []byte("first")); err != nil {
			t.Fatal(err)
		}
		if p, from := read(t, b); p != "first" || from != alice {
			t.Errorf("got %q from %v", p, from)
		}
		if p, _ := read(t, b); p != "replayed" {
			t.Errorf("got %q", p)
		}
		n.Block(bob.Addr(), alice.Addr(), true)
		write(t, b, alice, "blocked")
		n.Block(bob.Addr(), alice.Addr(), false)
		write(t, b, alice, "to nobody")
		want := []seen{{alice, bob, "first", true}, {alice, bob, "replayed", true},
			{bob, alice, "blocked", false}, {bob, alice, "to nobody", false}}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("tap saw %v, want %v", got, want)
		}
		if err := n.Inject(netip.AddrPort{}, bob, nil); err == nil {
			t.Error("took no address")
		}
	})
}

func TestReceiveQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, Profile{})
		a, _ := listen(t, n, alice), listen(t, n, bob)
		for range receiveQueue + 10 {
			write(t, a, bob, "x")
		}
		if s := n.Stats(alice.Addr(), bob.Addr()); s.ReceiveOverflow != 10 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestFlightIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, Profile{Delay: time.Second})
		a := listen(t, n, alice)
		for range maxInFlight + 10 {
			write(t, a, bob, "x")
		}
		if s := n.Stats(alice.Addr(), bob.Addr()); s.Overflow != 10 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, Profile{})
		a := listen(t, n, alice)
		buf := make([]byte, 10)
		start := time.Now()
		a.SetReadDeadline(start.Add(time.Second))
		_, _, err := a.ReadFrom(buf)
		var ne net.Error
		if !errors.As(err, &ne) || !ne.Timeout() || time.Since(start) != time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		// Cleared, then set to the past while a reader waits: how QUIC stacks stop their reader.
		a.SetReadDeadline(time.Time{})
		done := make(chan error)
		go func() {
			_, _, err := a.ReadFrom(buf)
			done <- err
		}()
		time.Sleep(time.Hour)
		a.SetReadDeadline(time.Now())
		if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		a.SetDeadline(time.Now().Add(-time.Second))
		if _, _, err := a.ReadFrom(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("late read: %v", err)
		}
		a.SetDeadline(time.Time{})
		write(t, a, alice, "to myself")
		read(t, a)
	})
}

func TestCloseEndsReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, Profile{Delay: time.Second})
		a, b := listen(t, n, alice), listen(t, n, bob)
		done := make(chan error, 2)
		for _, c := range []*Conn{a, b} {
			go func() {
				_, _, err := c.ReadFrom(make([]byte, 10))
				done <- err
			}()
		}
		synctest.Wait()
		write(t, b, alice, "never arrives")
		a.Close()
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v", err)
		}
		n.Close()
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v", err)
		}
		for what, err := range map[string]error{
			"close twice": a.Close(), "deadline": a.SetDeadline(time.Now()), "rebind": a.Rebind(alice),
			"inject": n.Inject(alice, bob, nil), "write": second(b.WriteTo(nil, b.LocalAddr())),
			"listen": second(n.Listen(bob)),
		} {
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestListenAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, Profile{})
		listen(t, n, alice)
		for _, bad := range []netip.AddrPort{alice, netip.MustParseAddrPort("[::ffff:10.0.0.1]:1000"), {},
			netip.MustParseAddrPort("0.0.0.0:1"), netip.MustParseAddrPort("[::]:1")} {
			if c, err := n.Listen(bad); err == nil {
				t.Errorf("listens on %v as %v", bad, c.LocalAddr())
			}
		}
		any := netip.AddrPortFrom(bob.Addr(), 0)
		if a, b := listen(t, n, any), listen(t, n, any); a.AddrPort() == b.AddrPort() ||
			a.AddrPort().Port() < firstEphemeralPort {
			t.Errorf("ports %v and %v", a.AddrPort(), b.AddrPort())
		}
		mapped := listen(t, n, netip.MustParseAddrPort("[::ffff:10.0.0.3]:1"))
		if _, err := mapped.WriteTo(nil, &net.UDPAddr{IP: net.IPv4(10, 0, 0, 3), Port: 1}); err != nil {
			t.Error(err)
		}
		read(t, mapped)
		if _, err := mapped.WriteTo(bytes.Repeat([]byte{0}, maxPayload+1), mapped.LocalAddr()); err == nil {
			t.Error("sent too long a packet")
		}
		if _, err := mapped.WriteTo(nil, &net.IPAddr{}); err == nil {
			t.Error("sent to what is not a UDP address")
		}
	})
}

func TestNetworkRunsInRealTimeToo(t *testing.T) {
	n := newNetwork(t, Profile{Delay: 5 * time.Millisecond})
	a, b := listen(t, n, alice), listen(t, n, bob)
	start := time.Now()
	write(t, a, bob, "ping")
	read(t, b)
	if d := time.Since(start); d < 5*time.Millisecond {
		t.Errorf("took %v", d)
	}
}

var _ io.Closer = (*Network)(nil)
