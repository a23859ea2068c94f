package test

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/simnet"
)

// headerBytes is what a UDP datagram has in front of it over IPv4.
const headerBytes = simnet.HeaderBytes

// A datagram with media of the default codec settings is told by its size, in bytes of UDP payload: 24 kbit/s
// and 20 ms are 60 bytes of Opus; around them are sealed header 6, tag 12, frame 1, CTR 2, SFrame tag 8 and
// timestamp 2. A long frame has alias 1, KID 8 and CTR 1 to 4 instead of CTR 2. Reports are smaller, member
// entries larger; a key for one listener lies between short and long frames.
const (
	mediaBytes        = 60 + 31
	longMediaBytes    = mediaBytes + 8 // to
	longestMediaBytes = mediaBytes + 11
)

// sighting is a datagram that passed a tap.
type sighting struct {
	at   time.Time
	size int // with IP and UDP headers
	quic bool
}

// media tells whether the datagram carries sound, by its size.
func (s sighting) media() bool {
	size := s.size - headerBytes
	return !s.quic && (size == mediaBytes || size >= longMediaBytes && size <= longestMediaBytes)
}

// tap forwards UDP between clients and one target, loses nothing, and notes what passes. Only one thing
// beside a proxy: it sees each datagram.
type tap struct {
	listener *net.UDPConn
	target   *net.UDPAddr
	meddle   func(b []byte) [][]byte // what to send on for a datagram; nil: just that
	wg       sync.WaitGroup

	mu       sync.Mutex // guards what follows
	closed   bool
	upstream map[netip.AddrPort]*net.UDPConn // by client
	up, down []sighting
}

// newTap opens a tap in front of the address to; the end of the test closes it.
func newTap(t *testing.T, to string) *tap {
	t.Helper()
	return newMeddlingTap(t, to, nil)
}

// newMeddlingTap opens a tap that sends on what meddle makes of each datagram. meddle is called by
// several goroutines.
func newMeddlingTap(t *testing.T, to string, meddle func(b []byte) [][]byte) *tap {
	t.Helper()
	target, err := net.ResolveUDPAddr("udp", to)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetReadBuffer(4 << 20)
	tp := &tap{listener: listener, target: target, meddle: meddle,
		upstream: make(map[netip.AddrPort]*net.UDPConn)}
	tp.wg.Go(tp.readClients)
	t.Cleanup(tp.close)
	return tp
}

func (tp *tap) addr() string { return tp.listener.LocalAddr().String() }

func (tp *tap) readClients() {
	buf := make([]byte, 65536)
	for {
		n, from, err := tp.listener.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		if conn := tp.note(&tp.up, buf[:n], from); conn != nil {
			for _, b := range tp.made(buf[:n]) {
				conn.Write(b) // who is not there now may be soon
			}
		}
	}
}

// note keeps a sighting of a client's datagram and returns the socket towards the target.
func (tp *tap) note(list *[]sighting, b []byte, from netip.AddrPort) *net.UDPConn {
	s := sighting{at: time.Now(), size: len(b) + headerBytes, quic: len(b) > 0 && b[0] >= 0x40}
	tp.mu.Lock()
	defer tp.mu.Unlock()
	if tp.closed {
		return nil
	}
	*list = append(*list, s)
	conn := tp.upstream[from]
	if conn == nil {
		var err error
		if conn, err = net.DialUDP("udp", nil, tp.target); err != nil {
			return nil
		}
		conn.SetReadBuffer(4 << 20)
		tp.upstream[from] = conn
		tp.wg.Go(func() { tp.readTarget(conn, from) })
	}
	return conn
}

func (tp *tap) readTarget(conn *net.UDPConn, client netip.AddrPort) {
	buf := make([]byte, 65536)
	for {
		n, err := conn.Read(buf)
		switch {
		case err == nil:
			tp.note(&tp.down, buf[:n], client)
			for _, b := range tp.made(buf[:n]) {
				tp.listener.WriteToUDPAddrPort(b, client)
			}
		case tp.over():
			return
		default: // the target's port was closed: a relay that restarts
			time.Sleep(time.Millisecond)
		}
	}
}

// made returns what to send on for b.
func (tp *tap) made(b []byte) [][]byte {
	if tp.meddle == nil {
		return [][]byte{b}
	}
	return tp.meddle(b)
}

func (tp *tap) over() bool {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	return tp.closed
}

func (tp *tap) close() {
	tp.mu.Lock()
	tp.closed = true
	tp.listener.Close()
	for _, conn := range tp.upstream {
		conn.Close()
	}
	tp.mu.Unlock()
	tp.wg.Wait()
}

// sent returns what clients have sent so far.
func (tp *tap) sent() []sighting {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	return slices.Clone(tp.up)
}

// received returns what the target has sent so far.
func (tp *tap) received() []sighting {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	return slices.Clone(tp.down)
}

// media returns those with sound.
func media(all []sighting) []sighting {
	return slices.DeleteFunc(slices.Clone(all), func(s sighting) bool { return !s.media() })
}

// since returns those from a time on.
func since(all []sighting, from time.Time) []sighting {
	return slices.DeleteFunc(slices.Clone(all), func(s sighting) bool { return s.at.Before(from) })
}

// road is a bad network between a client and a relay, with a tap at both of its ends.
type road struct {
	*simnet.Proxy
	client, relay *tap
}

// addr is where the client finds the relay.
func (p *road) addr() string { return p.client.addr() }

// newRoad puts a network of this profile, the same both ways, in front of the relay at addr.
func newRoad(t *testing.T, addr, profile string, seed uint64) *road {
	t.Helper()
	var both simnet.Profile
	if profile != "" {
		var err error
		if both, err = both.With(profile); err != nil {
			t.Fatal(err)
		}
	}
	both.Seed = seed
	p := &road{relay: newTap(t, addr)}
	var err error
	p.Proxy, err = simnet.ListenProxy(simnet.ProxyConfig{Listen: "127.0.0.1:0", To: p.relay.addr(), Up: both,
		Down: both})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Proxy.Close() })
	p.client = newTap(t, p.Proxy.Addr().String())
	return p
}
