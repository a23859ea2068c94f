package udp

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fanOut is a room: whatever comes in goes to every destination, and done is told.
type fanOut struct {
	to   []Path
	done chan struct{}
}

func (f *fanOut) handle(b *Batch, p []byte, _ Path) {
	for _, to := range f.to {
		b.Commit(copy(b.Buffer()[:MaxPacket], p), to)
	}
	b.Flush()
	f.done <- struct{}{}
}

// open returns n sockets on loopback and makes them the destinations.
func (f *fanOut) open(t testing.TB, n int) []*net.UDPConn {
	socks := make([]*net.UDPConn, n)
	for i := range socks {
		socks[i] = listenPacket(t, "127.0.0.1:0")
		f.to = append(f.to, Path{Remote: addrOf(socks[i].LocalAddr())})
	}
	return socks
}

func TestForwardingAllocatesNothing(t *testing.T) {
	tests := map[string]func() *Mux{
		"bound":    func() *Mux { return listen(t, "127.0.0.1:0", 1) },
		"wildcard": func() *Mux { return listen(t, ":0", 2) }, // with packet info
		"plain":    func() *Mux { return New(listenPacket(t, "127.0.0.1:0")) },
	}
	for name, open := range tests {
		t.Run(name, func(t *testing.T) {
			m := open()
			room := &fanOut{done: make(chan struct{}, 1)}
			room.open(t, 100)
			serve(t, m, func(b *Batch, p []byte, from Path) {
				room.to[0] = from // as an answer, with Local
				room.handle(b, p, from)
			})
			c := listenPacket(t, "127.0.0.1:0")
			to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), addrOf(m.LocalAddr()).Port())
			p := make([]byte, 100)
			allocs := testing.AllocsPerRun(100, func() {
				if _, err := c.WriteToUDPAddrPort(p, to); err != nil {
					t.Fatal(err)
				}
				<-room.done
			})
			if allocs != 0 {
				t.Errorf("%v allocations to forward a packet to 100 peers", allocs)
			}
		})
	}
}

// BenchmarkForward measures one packet in, 200 out, with as little else as there can be: the floor of a
// relay. The destinations are emptied outside of the measured time, before their buffers are full.
func BenchmarkForward(b *testing.B) {
	tests := []struct {
		name string
		open func() *Mux
	}{
		{"sendmmsg", func() *Mux { return listen(b, "127.0.0.1:0", 1) }},
		{"sendmmsg-wildcard", func() *Mux { return listen(b, ":0", 1) }},
		{"plain", func() *Mux { return New(listenPacket(b, "127.0.0.1:0")) }},
	}
	for _, test := range tests {
		b.Run(test.name, func(b *testing.B) {
			const listeners, drainEvery = 200, 100
			m := test.open()
			room := &fanOut{done: make(chan struct{}, 1)}
			socks := room.open(b, listeners)
			serve(b, m, room.handle)
			c := listenPacket(b, "127.0.0.1:0")
			to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), addrOf(m.LocalAddr()).Port())
			p := make([]byte, 100)
			b.ReportAllocs()
			cpu := -cpuTime(b)
			for i := 0; b.Loop(); i++ {
				if _, err := c.WriteToUDPAddrPort(p, to); err != nil {
					b.Fatal(err)
				}
				<-room.done
				if i%drainEvery == drainEvery-1 {
					b.StopTimer()
					cpu += cpuTime(b)
					drain(b, socks, drainEvery)
					cpu -= cpuTime(b)
					b.StartTimer()
				}
			}
			b.StopTimer()
			cpu += cpuTime(b)
			packets := float64(b.N) * listeners
			b.ReportMetric(b.Elapsed().Seconds()*1e6/packets, "us/packet")
			b.ReportMetric(cpu.Seconds()*1e6/packets, "cpu-us/packet")
			if s := m.Stats(); s.SealedOutPackets != uint64(b.N)*listeners {
				b.Errorf("%d packets in: %+v", b.N, s)
			}
		})
	}
}

// cpuTime returns what the process has used, in user mode and in the kernel.
func cpuTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// drain reads n packets from every socket.
func drain(b *testing.B, socks []*net.UDPConn, n int) {
	p := make([]byte, MaxPacket)
	for _, s := range socks {
		s.SetReadDeadline(time.Now().Add(patience))
		for range n {
			if _, _, err := s.ReadFromUDPAddrPort(p); err != nil {
				b.Fatal(err)
			}
		}
	}
}
