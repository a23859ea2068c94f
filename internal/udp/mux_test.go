package udp

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for a packet that must come.
const patience = time.Minute

// kinds are the ways to make a Mux on a loopback port.
var kinds = []struct {
	name string
	open func(t testing.TB) *Mux
}{
	{"sockets", func(t testing.TB) *Mux { return listen(t, "127.0.0.1:0", 2) }},
	{"plain", func(t testing.TB) *Mux { return New(listenPacket(t, "127.0.0.1:0")) }},
	{"foreign", func(t testing.TB) *Mux { return New(foreign{listenPacket(t, "127.0.0.1:0")}) }},
}

// foreign hides that a packet connection is of package net.
type foreign struct{ net.PacketConn }

func listen(t testing.TB, addr string, sockets int) *Mux {
	t.Helper()
	m, err := Listen(addr, sockets)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func listenPacket(t testing.TB, addr string) *net.UDPConn {
	t.Helper()
	c, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.UDPConn)
}

// serve runs m until the test ends or calls stop; the counters are complete then.
func serve(t testing.TB, m *Mux, h Handler) (stop func()) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- m.Serve(h) }()
	stop = sync.OnceFunc(func() {
		if err := m.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// echo answers every sealed packet with its own bytes.
func echo(b *Batch, p []byte, from Path) {
	b.Commit(copy(b.Buffer()[:MaxPacket], p), from)
}

func addrOf(a net.Addr) netip.AddrPort { return a.(*net.UDPAddr).AddrPort() }

func send(t testing.TB, c *net.UDPConn, to net.Addr, p []byte) {
	t.Helper()
	if _, err := c.WriteTo(p, to); err != nil {
		t.Fatal(err)
	}
}

// receive returns the next packet and its source.
func receive(t testing.TB, c net.PacketConn) ([]byte, netip.AddrPort) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(patience))
	p := make([]byte, 2*MaxPacket)
	n, from, err := c.ReadFrom(p)
	if err != nil {
		t.Fatal(err)
	}
	return p[:n], addrOf(from)
}

func TestFirstByteDecides(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			m := kind.open(t)
			sealed := make(chan []byte, 256)
			stop := serve(t, m, func(_ *Batch, p []byte, from Path) { sealed <- bytes.Clone(p) })
			c := listenPacket(t, "127.0.0.1:0")
			for first := range 256 {
				send(t, c, m.LocalAddr(), []byte{byte(first), 'x'})
				if first < 0x40 {
					if p := <-sealed; !bytes.Equal(p, []byte{byte(first), 'x'}) {
						t.Errorf("handler got %x for first byte %#x", p, first)
					}
					continue
				}
				p, from := receive(t, m.QUIC())
				if !bytes.Equal(p, []byte{byte(first), 'x'}) || from != addrOf(c.LocalAddr()) {
					t.Errorf("QUIC got %x from %v for first byte %#x", p, from, first)
				}
			}
			stop()
			s := m.Stats()
			if s.SealedInPackets != 64 || s.SealedInBytes != 128 || s.QUICIn != 192 || s.QUICDropped != 0 {
				t.Errorf("stats: %+v", s)
			}
		})
	}
}

func TestEchoToEveryPeer(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			m := kind.open(t)
			stop := serve(t, m, echo)
			for i := range 32 {
				c := listenPacket(t, "127.0.0.1:0")
				send(t, c, m.LocalAddr(), []byte{1, byte(i)})
				if p, from := receive(t, c); !bytes.Equal(p, []byte{1, byte(i)}) ||
					from != addrOf(m.LocalAddr()) {
					t.Errorf("peer %d got %x from %v", i, p, from)
				}
			}
			stop()
			for i, s := range m.socks {
				if s.counters().sealedIn.Load() == 0 {
					t.Errorf("socket %d got no packet", i)
				}
			}
		})
	}
}

func TestBatchSendsInOrderAndFlushesWhenFull(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			m := kind.open(t)
			c := listenPacket(t, "127.0.0.1:0")
			to := Path{Remote: addrOf(c.LocalAddr())}
			b := m.NewBatch()
			const packets = 2*slots + 1
			for i := range packets {
				p := b.Buffer()
				if len(p) != 0 || cap(p) != MaxPacket {
					t.Fatalf("buffer of length %d, capacity %d", len(p), cap(p))
				}
				p = append(p, 2, byte(i))
				b.Commit(len(p), to)
			}
			b.Flush()
			b.Flush()
			for i := range packets {
				if p, _ := receive(t, c); !bytes.Equal(p, []byte{2, byte(i)}) {
					t.Fatalf("packet %d is %x", i, p)
				}
			}
			if s := m.Stats(); s.SealedOutPackets != packets || s.SealedOutBytes != 2*packets {
				t.Errorf("stats: %+v", s)
			}
		})
	}
}

// TestHeldBatchSendsNothing has more packets than slots come while a batch is held: they wait, in order and
// within a bound.
func TestHeldBatchSendsNothing(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			m := kind.open(t)
			c := listenPacket(t, "127.0.0.1:0")
			to := Path{Remote: addrOf(c.LocalAddr())}
			b := m.NewBatch()
			add := func(i int) { b.Commit(len(append(b.Buffer(), 2, byte(i))), to) }
			const packets = 2*slots + 3
			add(0)
			b.Hold()
			b.Hold()
			for i := 1; i < packets-1; i++ {
				add(i)
			}
			b.Release()
			b.Commit(MaxPacket+1, to) // no Buffer
			b.Buffer()
			b.Commit(MaxPacket+1, to)
			b.Release()
			if s := m.Stats(); s.SealedOutPackets != 0 {
				t.Errorf("sent while held: %+v", s)
			}
			add(packets - 1)
			b.Flush()
			for i := range packets {
				if p, _ := receive(t, c); !bytes.Equal(p, []byte{2, byte(i)}) {
					t.Fatalf("packet %d is %x", i, p)
				}
			}
			b.Hold()
			for i := range slots + maxSpilled + 5 {
				add(i)
			}
			b.Release()
			if s := m.Stats(); s.SealedOutPackets != packets || s.SendErrors != 1 ||
				s.SendDropped != 5 {
				t.Errorf("stats: %+v", s)
			}
		})
	}
}

func TestCommitWithoutPacketSendsNothing(t *testing.T) {
	m := listen(t, "127.0.0.1:0", 1)
	c := listenPacket(t, "127.0.0.1:0")
	to := Path{Remote: addrOf(c.LocalAddr())}
	b := m.NewBatch()
	b.Commit(1, to) // no Buffer
	b.Buffer()
	b.Commit(0, to)
	b.Buffer()
	b.Commit(-1, to)
	b.Buffer()
	b.Commit(MaxPacket+1, to)
	b.Commit(1, to) // the Buffer was used up
	b.Commit(copy(b.Buffer()[:1], "\x01"), to)
	b.Flush()
	if p, _ := receive(t, c); !bytes.Equal(p, []byte{1}) {
		t.Errorf("got %x", p)
	}
	if s := m.Stats(); s.SealedOutPackets != 1 || s.SendErrors != 1 {
		t.Errorf("stats: %+v", s)
	}
}

func TestOversizedAreDroppedAndCounted(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			m := kind.open(t)
			sealed := make(chan int, 8)
			stop := serve(t, m, func(_ *Batch, p []byte, from Path) { sealed <- len(p) })
			c := listenPacket(t, "127.0.0.1:0")
			for _, first := range []byte{0x00, 0x40} {
				for _, size := range []int{MaxPacket + 1, MaxPacket + 2, 9000, MaxPacket} {
					send(t, c, m.LocalAddr(), bytes.Repeat([]byte{first}, size))
				}
			}
			if n := <-sealed; n != MaxPacket {
				t.Errorf("handler got %d bytes", n)
			}
			if p, _ := receive(t, m.QUIC()); len(p) != MaxPacket {
				t.Errorf("QUIC got %d bytes", len(p))
			}
			stop()
			if s := m.Stats(); s.Oversized != 6 || s.SealedInPackets != 1 ||
				s.QUICIn != 1 {
				t.Errorf("stats: %+v", s)
			}
		})
	}
}

func TestRefusedPacketsDoNotKeepBackOthers(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			m := kind.open(t)
			c := listenPacket(t, "127.0.0.1:0")
			closed := listenPacket(t, "127.0.0.1:0")
			closed.Close()
			bad := []netip.AddrPort{
				addrOf(closed.LocalAddr()),
				netip.MustParseAddrPort("255.255.255.255:9"), // not without SO_BROADCAST
				netip.MustParseAddrPort("[::1]:9"),           // not from an IPv4 socket
				{},
			}
			b := m.NewBatch()
			const rounds = 20
			for i := range rounds {
				b.Commit(copy(b.Buffer()[:2], []byte{3, byte(i)}), Path{Remote: addrOf(c.LocalAddr())})
				b.Commit(copy(b.Buffer()[:2], []byte{3, byte(i)}), Path{Remote: bad[i%len(bad)]})
			}
			b.Flush()
			for i := range rounds {
				if p, _ := receive(t, c); !bytes.Equal(p, []byte{3, byte(i)}) {
					t.Fatalf("packet %d is %x", i, p)
				}
			}
			s := m.Stats()
			if counted := s.SealedOutPackets + s.SendErrors; counted != 2*rounds || s.SendErrors == 0 {
				t.Errorf("%d of %d packets counted: %+v", counted, 2*rounds, s)
			}
		})
	}
}

func TestCloseUnblocksEverything(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			m := kind.open(t)
			served, read := make(chan error, 1), make(chan error, 1)
			var handled atomic.Uint64
			go func() { served <- m.Serve(func(*Batch, []byte, Path) { handled.Add(1) }) }()
			go func() {
				_, _, err := m.QUIC().ReadFrom(make([]byte, MaxPacket))
				read <- err
			}()
			c := listenPacket(t, "127.0.0.1:0")
			for handled.Load() == 0 { // the loops run
				send(t, c, m.LocalAddr(), []byte{0})
				time.Sleep(time.Millisecond)
			}
			if err := m.QUIC().Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			if err := <-served; err != nil {
				t.Errorf("Serve: %v", err)
			}
			if err := <-read; !errors.Is(err, net.ErrClosed) {
				t.Errorf("ReadFrom: %v", err)
			}
			if err := m.Close(); err != nil {
				t.Errorf("second Close: %v", err)
			}
			b := m.NewBatch()
			b.Commit(copy(b.Buffer()[:1], "\x00"), Path{Remote: addrOf(c.LocalAddr())})
			b.Flush()
			if err := m.QUIC().SetReadDeadline(time.Now()); !errors.Is(err, net.ErrClosed) {
				t.Errorf("SetReadDeadline: %v", err)
			}
			if s := m.Stats(); s.SealedOutPackets != 0 || s.ReceiveErrors != 0 {
				t.Errorf("stats: %+v", s)
			}
		})
	}
}

func TestServeOnceAndAfterClose(t *testing.T) {
	m := listen(t, "127.0.0.1:0", 2)
	m.Close()
	if err := m.Serve(echo); err != nil {
		t.Errorf("Serve after Close: %v", err)
	}
	if err := m.Serve(echo); err == nil {
		t.Error("second Serve succeeded")
	}
}

func TestListenErrors(t *testing.T) {
	m := listen(t, "127.0.0.1:0", 2)
	for sockets := range 3 {
		if other, err := Listen(m.LocalAddr().String(), sockets); err == nil {
			other.Close()
			t.Errorf("a second Mux with %d sockets shares the port", sockets)
		}
	}
	for _, addr := range []string{"nonsense", "127.0.0.1:65536", "203.0.113.1:0"} {
		if m, err := Listen(addr, 1); err == nil {
			m.Close()
			t.Errorf("Listen(%q) succeeded", addr)
		}
	}
}
