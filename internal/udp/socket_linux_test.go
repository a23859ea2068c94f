package udp

import (
	"bytes"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"testing"
	"unsafe"

	"github.com/quic-go/quic-go"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

var _ quic.OOBCapablePacketConn = (*quicUDPConn)(nil)

// TestWildcardAnswersFromTheAddressAsked: the source of the answer must be the address that the client sent
// to, or a NAT or firewall in between drops it.
func TestWildcardAnswersFromTheAddressAsked(t *testing.T) {
	tests := []struct{ listen, client, asked string }{
		{":0", "127.0.0.1:0", "127.0.0.2"}, // IPv4 on a dual-stack socket
		{"0.0.0.0:0", "127.0.0.1:0", "127.0.0.2"},
		{":0", "[::1]:0", "::1"},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s asked as %s", test.listen, test.asked), func(t *testing.T) {
			m := listen(t, test.listen, 2)
			paths := make(chan Path, 1)
			serve(t, m, func(b *Batch, p []byte, from Path) {
				paths <- from
				echo(b, p, from)
			})
			c := listenPacket(t, test.client)
			to := netip.AddrPortFrom(netip.MustParseAddr(test.asked), addrOf(m.LocalAddr()).Port())
			send(t, c, net.UDPAddrFromAddrPort(to), []byte{7})
			if p, from := receive(t, c); !bytes.Equal(p, []byte{7}) || from != to {
				t.Errorf("asked %v, %x came from %v", to, p, from)
			}
			if got, want := <-paths, (Path{Remote: addrOf(c.LocalAddr()), Local: to.Addr()}); got != want {
				t.Errorf("path %v, want %v", got, want)
			}
		})
	}
}

func TestBoundSocketHasNoLocal(t *testing.T) {
	m := listen(t, "127.0.0.1:0", 2)
	paths := make(chan Path, 1)
	serve(t, m, func(_ *Batch, _ []byte, from Path) { paths <- from })
	c := listenPacket(t, "127.0.0.1:0")
	send(t, c, m.LocalAddr(), []byte{7})
	if got, want := <-paths, (Path{Remote: addrOf(c.LocalAddr())}); got != want {
		t.Errorf("path %v, want %v", got, want)
	}
}

// TestControlMessagesReachQUIC sends marked packets from many ports, so that every socket gets some: ECN and
// packet info must be there whichever it was.
func TestControlMessagesReachQUIC(t *testing.T) {
	m := listen(t, ":0", 2)
	serve(t, m, echo)
	batch := m.QUIC().(interface {
		ReadBatch(ms []ipv4.Message, flags int) (int, error)
	})
	oob := m.QUIC().(quic.OOBCapablePacketConn)
	const ect1 = 1
	port := addrOf(m.LocalAddr()).Port()
	for i := range 32 {
		var c *net.UDPConn
		var to netip.Addr
		if i%2 == 0 {
			c, to = listenPacket(t, "127.0.0.1:0"), netip.MustParseAddr("127.0.0.3")
			ipv4.NewConn(c).SetTOS(ect1)
		} else {
			c, to = listenPacket(t, "[::1]:0"), netip.MustParseAddr("::1")
			ipv6.NewConn(c).SetTrafficClass(ect1)
		}
		send(t, c, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, port)), []byte{0x40, byte(i)})
		p, control := make([]byte, 1500), make([]byte, 128)
		var from netip.AddrPort
		if i%4 < 2 {
			ms := []ipv4.Message{{Buffers: [][]byte{p}, OOB: control}, {Buffers: [][]byte{p}, OOB: control}}
			if n, err := batch.ReadBatch(ms, 0); n != 1 || err != nil {
				t.Fatalf("ReadBatch: %d, %v", n, err)
			}
			p, control, from = p[:ms[0].N], control[:ms[0].NN], addrOf(ms[0].Addr)
		} else {
			n, oobn, flags, addr, err := oob.ReadMsgUDP(p, control)
			if err != nil || flags != 0 {
				t.Fatalf("ReadMsgUDP: flags %x, %v", flags, err)
			}
			p, control, from = p[:n], control[:oobn], addr.AddrPort()
		}
		if !bytes.Equal(p, []byte{0x40, byte(i)}) || from != addrOf(c.LocalAddr()) {
			t.Errorf("packet %d: %x from %v", i, p, from)
		}
		if tos := trafficClass(t, control); tos != ect1 {
			t.Errorf("packet %d: traffic class %d", i, tos)
		}
		if local := localAddr(control, to.Is4()); local != to {
			t.Errorf("packet %d: local address %v, want %v", i, local, to)
		}
	}
	for i, s := range m.socks {
		if s.counters().sealedIn.Load() != 0 {
			t.Errorf("socket %d gave QUIC packets to the handler", i)
		}
	}
}

func trafficClass(t *testing.T, control []byte) int {
	t.Helper()
	ms, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range ms {
		if m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_TOS ||
			m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_TCLASS {
			return int(m.Data[0])
		}
	}
	return -1
}

// TestLocalAddressOfTheAnswer includes one that the host has no more: the packet goes out from another.
func TestLocalAddressOfTheAnswer(t *testing.T) {
	m := listen(t, ":0", 1)
	v4, v6 := listenPacket(t, "127.0.0.1:0"), listenPacket(t, "[::1]:0")
	tests := []struct {
		peer        *net.UDPConn
		local, want string
	}{
		{v4, "127.0.0.5", "127.0.0.5"},
		{v4, "203.0.113.1", "127.0.0.1"},
		{v4, "::1", "127.0.0.1"}, // the other family's is ignored
		{v6, "::1", "::1"},
		{v6, "2001:db8::1", "::1"},
		{v6, "127.0.0.5", "::1"},
	}
	b := m.NewBatch()
	for i, test := range tests {
		to := Path{Remote: addrOf(test.peer.LocalAddr()), Local: netip.MustParseAddr(test.local)}
		b.Commit(copy(b.Buffer()[:2], []byte{1, byte(i)}), to)
	}
	b.Flush()
	for i, test := range tests {
		if p, from := receive(t, test.peer); !bytes.Equal(p, []byte{1, byte(i)}) ||
			from.Addr().String() != test.want {
			t.Errorf("%s: %x came from %v, want %s", test.local, p, from, test.want)
		}
	}
	if s := m.Stats(); s.SealedOutPackets != uint64(len(tests)) || s.SendErrors != 0 {
		t.Errorf("stats: %+v", s)
	}
}

// TestBuffers wants to be told what the kernel really gave, of all sockets the least.
func TestBuffers(t *testing.T) {
	m, err := Listen("127.0.0.1:0", 2)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	want := Buffers{Asked: socketBuffer, Receive: math.MaxInt, Send: math.MaxInt}
	for _, s := range m.socks {
		err := s.(*udpSocket).control(func(fd int) error {
			for option, size := range map[int]*int{unix.SO_RCVBUF: &want.Receive,
				unix.SO_SNDBUF: &want.Send} {
				doubled, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, option)
				if err != nil {
					return err
				}
				*size = min(*size, doubled/2)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := m.Buffers(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestFullSocketDrops uses a Unix datagram socket, which refuses with EAGAIN when its reader does not read;
// UDP over loopback never does.
func TestFullSocketDrops(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	near, far := os.NewFile(uintptr(fds[0]), "near"), os.NewFile(uintptr(fds[1]), "far")
	defer near.Close()
	defer far.Close()
	s := new(udpSocket)
	if s.rc, err = near.SyscallConn(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, slots*MaxPacket)
	w := newMmsgSender(s, buf)
	const rounds = 20
	for range rounds {
		for i := range slots {
			w.put(i, MaxPacket, Path{Remote: netip.MustParseAddrPort("127.0.0.1:9")})
			w.hdrs[i].Hdr.Namelen = 0 // the pair is connected
		}
		w.send(slots)
	}
	var stats Stats
	s.count.addTo(&stats)
	if stats.SendDropped == 0 || stats.SendDropped+stats.SealedOutPackets != rounds*slots ||
		stats.SealedOutBytes != MaxPacket*stats.SealedOutPackets {
		t.Errorf("stats: %+v", stats)
	}
	for range stats.SealedOutPackets { // all that was counted as sent is there
		if n, err := far.Read(buf); n != MaxPacket || err != nil {
			t.Fatalf("read %d bytes, %v", n, err)
		}
	}
}

func TestSocketAddressesRoundTrip(t *testing.T) {
	interfaces, err := net.Interfaces()
	if err != nil || len(interfaces) == 0 {
		t.Fatalf("interfaces: %v, %v", interfaces, err)
	}
	ifi := interfaces[0]
	tests := []struct {
		give   string
		v6     bool
		want   string
		length uint32
	}{
		{"192.0.2.1:443", false, "192.0.2.1:443", unix.SizeofSockaddrInet4},
		{"192.0.2.1:443", true, "192.0.2.1:443", unix.SizeofSockaddrInet6},
		{"[::ffff:192.0.2.1]:443", false, "192.0.2.1:443", unix.SizeofSockaddrInet4},
		{"[2001:db8::1]:4433", true, "[2001:db8::1]:4433", unix.SizeofSockaddrInet6},
		{"[2001:db8::1]:4433", false, "", 0},
		// zones are for link-local only
		{"[2001:db8::1%eth0]:1", true, "[2001:db8::1]:1", unix.SizeofSockaddrInet6},
		{"[fe80::1%" + ifi.Name + "]:1", true, "[fe80::1%" + ifi.Name + "]:1", unix.SizeofSockaddrInet6},
		{fmt.Sprintf("[fe80::1%%%d]:1", ifi.Index), true, "[fe80::1%" + ifi.Name + "]:1",
			unix.SizeofSockaddrInet6},
		{"[fe80::1%4294967295]:1", true, "[fe80::1%4294967295]:1", unix.SizeofSockaddrInet6},
		{"[fe80::1%no such]:1", true, "[fe80::1]:1", unix.SizeofSockaddrInet6},
	}
	for range 2 { // again, from the cache
		for _, test := range tests {
			var sa unix.RawSockaddrInet6
			if n := putSockaddr(&sa, netip.MustParseAddrPort(test.give), test.v6); n != test.length {
				t.Errorf("%s: length %d, want %d", test.give, n, test.length)
			} else if got := addrPortOf(&sa); n != 0 && got != netip.MustParseAddrPort(test.want) {
				t.Errorf("%s came back as %v, want %s", test.give, got, test.want)
			}
		}
	}
}

func TestPacketInfoRoundTrips(t *testing.T) {
	peers := map[string]string{
		"192.0.2.1":   "192.0.2.9:1",
		"2001:db8::1": "[2001:db8::9]:1",
		"fe80::1":     "[fe80::9%1]:1",
	}
	for local, peer := range peers {
		path := Path{Remote: netip.MustParseAddrPort(peer), Local: netip.MustParseAddr(local)}
		var info packetInfo
		n := info.put(path, 3)
		ms, err := unix.ParseSocketControlMessage(bytesOf(&info)[:n])
		if err != nil || len(ms) != 1 {
			t.Fatalf("%s: %d messages, %v", local, len(ms), err)
		}
		if got := localAddr(bytesOf(&info)[:n], path.Local.Is4()); got != path.Local {
			t.Errorf("%s came back as %v", local, got)
		}
		for i := range n {
			if got := localAddr(bytesOf(&info)[:i], path.Local.Is4()); got.IsValid() && got != path.Local {
				t.Errorf("the first %d bytes of %s came back as %v", i, local, got)
			}
		}
	}
}

func FuzzLocalAddr(f *testing.F) {
	var info packetInfo
	n := info.put(Path{netip.MustParseAddrPort("192.0.2.9:1"), netip.MustParseAddr("192.0.2.1")}, 0)
	f.Add(bytes.Clone(bytesOf(&info)[:n]), true)
	n = info.put(Path{netip.MustParseAddrPort("[::2]:1"), netip.MustParseAddr("::1")}, 0)
	f.Add(bytes.Clone(bytesOf(&info)[:n]), false)
	f.Fuzz(func(t *testing.T, b []byte, v4 bool) {
		if a := localAddr(b, v4); a.IsValid() && a.Is4() != v4 {
			t.Errorf("%v for IPv4 %v", a, v4)
		}
	})
}

func bytesOf(info *packetInfo) []byte {
	return (*[unsafe.Sizeof(*info)]byte)(unsafe.Pointer(info))[:]
}

// TestZoneComesBack has an interface that had another number before.
func TestZoneComesBack(t *testing.T) {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	id := uint32(lo.Index)
	interfaces.Store("lo", id+1000)
	interfaces.Delete(id)
	if name := zoneName(id); name != "lo" || zoneID(name) != id {
		t.Errorf("interface %d is %q, which is %d", id, name, zoneID(name))
	}
}
