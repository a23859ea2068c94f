package udp

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/testutils/simnet"
)

// tlsConfigs returns those of a server and its client.
func tlsConfigs(t testing.TB) (server, client *tls.Config) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"relay"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	cert := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}
	return &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"test"}},
		&tls.Config{RootCAs: roots, ServerName: "relay", NextProtos: []string{"test"}}
}

// echoStreams accepts one connection and echoes its first stream.
func echoStreams(ctx context.Context, l *quic.Listener) error {
	conn, err := l.Accept(ctx)
	if err != nil {
		return err
	}
	stream, err := conn.AcceptStream(ctx)
	if err != nil {
		return err
	}
	if _, err := io.Copy(stream, stream); err != nil {
		return err
	}
	stream.Close()
	<-conn.Context().Done()
	return nil
}

// exchange sends size bytes to the server on a stream and expects them back.
func exchange(ctx context.Context, tr *quic.Transport, to net.Addr, conf *tls.Config, size int) error {
	conn, err := tr.Dial(ctx, to, conf, nil)
	if err != nil {
		return err
	}
	defer conn.CloseWithError(0, "")
	stream, err := conn.OpenStreamSync(ctx)
	if err != nil {
		return err
	}
	sent := make([]byte, size)
	rand.Read(sent)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		stream.Write(sent)
		stream.Close()
	})
	got, err := io.ReadAll(stream)
	if err == nil && !bytes.Equal(got, sent) {
		err = errors.New("the echo differs")
	}
	return err
}

// share runs QUIC and sealed packets between two Muxes at the same time, checks that each gets its own, and
// closes both.
func share(t *testing.T, server, client *Mux, bytesOverQUIC, sealedPackets int) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	answers := make(chan byte, 1)
	checked := func(h Handler) Handler {
		return func(b *Batch, p []byte, from Path) {
			if len(p) != 100 || p[0] != 0x3f {
				t.Errorf("a handler got %x", p)
			}
			h(b, p, from)
		}
	}
	stopServer := serve(t, server, checked(echo))
	stopClient := serve(t, client, checked(func(_ *Batch, p []byte, _ Path) {
		select {
		case answers <- p[99]:
		case <-ctx.Done():
		}
	}))
	serverTLS, clientTLS := tlsConfigs(t)
	str, ctr := &quic.Transport{Conn: server.QUIC()}, &quic.Transport{Conn: client.QUIC()}
	defer str.Close()
	defer ctr.Close()
	l, err := str.Listen(serverTLS, nil)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := echoStreams(ctx, l); err != nil {
			t.Errorf("server: %v", err)
		}
	})
	wg.Go(func() {
		if err := exchange(ctx, ctr, server.LocalAddr(), clientTLS, bytesOverQUIC); err != nil {
			t.Errorf("client: %v", err)
		}
	})
	pingPong(ctx, t, client.NewBatch(), Path{Remote: addrOf(server.LocalAddr())}, sealedPackets, answers)
	wg.Wait()
	stopServer()
	stopClient()
	for name, m := range map[string]*Mux{"server": server, "client": client} {
		s, n := m.Stats(), uint64(sealedPackets)
		if s.SealedInPackets < n || s.SealedOutPackets < n || s.QUICIn == 0 || s.Oversized != 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// pingPong sends sealed packets, each after the answer to the one before. QUIC's bursts may fill a small
// kernel buffer and cost a packet, so it sends again after a while.
func pingPong(ctx context.Context, t *testing.T, b *Batch, to Path, packets int, answers <-chan byte) {
	send := func(i byte) {
		p := b.Buffer()[:100]
		clear(p)
		p[0], p[99] = 0x3f, i
		b.Commit(len(p), to)
		b.Flush()
	}
	for i := range packets {
		send(byte(i))
		for answered := false; !answered; {
			select {
			case got := <-answers:
				answered = got == byte(i)
			case <-time.After(time.Second):
				send(byte(i))
			case <-ctx.Done():
				t.Error("a sealed packet got no answer")
				return
			}
		}
	}
}

func TestQUICAndSealedShareAPort(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) { share(t, kind.open(t), kind.open(t), 1<<20, 500) })
	}
}

func TestQUICAndSealedInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := simnet.Simnet{Router: &simnet.PerfectRouter{}}
		settings := simnet.NodeBiDiLinkSettings{Latency: 100 * time.Millisecond}
		node := func(ip string) *Mux {
			return New(network.NewEndpoint(net.UDPAddrFromAddrPort(netip.MustParseAddrPort(ip+":4433")),
				settings))
		}
		server, client := node("192.0.2.1"), node("192.0.2.2")
		if err := network.Start(); err != nil {
			t.Fatal(err)
		}
		defer network.Close()
		share(t, server, client, 1<<12, 5)
	})
}

// broken fails every read.
type broken struct{ net.PacketConn }

var errBroken = errors.New("broken")

func (broken) ReadFrom([]byte) (int, net.Addr, error) { return 0, nil, errBroken }

func TestServeGivesUpOnABrokenConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(broken{simulated()})
		if err := m.Serve(echo); !errors.Is(err, errBroken) {
			t.Errorf("Serve: %v", err)
		}
		if _, _, err := m.QUIC().ReadFrom(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("ReadFrom: %v", err)
		}
		if s := m.Stats(); s.ReceiveErrors != maxFailures {
			t.Errorf("%d receive errors", s.ReceiveErrors)
		}
	})
}

// simulated returns a connection without a network.
func simulated() net.PacketConn {
	network := simnet.Simnet{Router: &simnet.PerfectRouter{}}
	return network.NewEndpoint(&net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1},
		simnet.NodeBiDiLinkSettings{})
}

func TestReadDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(simulated())
		c := m.QUIC()
		p := make([]byte, MaxPacket)
		expectTimeout := func(after time.Duration) {
			t.Helper()
			start := time.Now()
			_, _, err := c.ReadFrom(p)
			if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != after {
				t.Errorf("%v after %v, want a timeout after %v", err, time.Since(start), after)
			}
		}
		c.SetReadDeadline(time.Now().Add(time.Second))
		expectTimeout(time.Second)
		expectTimeout(0)

		// A pending read is interrupted, also by a deadline that was put off before.
		c.SetReadDeadline(time.Time{})
		time.AfterFunc(time.Second, func() { c.SetReadDeadline(time.Now().Add(time.Hour)) })
		time.AfterFunc(2*time.Second, func() { c.SetReadDeadline(time.Now()) })
		expectTimeout(2 * time.Second)

		// A deadline that passed wins over packets; without one they are there.
		m.queue.push([]byte{0x40}, nil, netip.MustParseAddrPort("192.0.2.9:9"), nil)
		expectTimeout(0)
		c.SetReadDeadline(time.Now().Add(time.Hour))
		if n, from, err := c.ReadFrom(p); n != 1 || err != nil || from.String() != "192.0.2.9:9" {
			t.Errorf("got %d bytes from %v, %v", n, from, err)
		}
		m.Close()
		if _, _, err := c.ReadFrom(p); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// TestShortReadsAreCounted: like a socket, QUIC() cuts off what does not fit.
func TestShortReadsAreCounted(t *testing.T) {
	m := listen(t, "127.0.0.1:0", 1)
	from := netip.MustParseAddrPort("192.0.2.9:9")
	for range 2 {
		m.queue.push([]byte("abcd"), []byte("oob"), from, nil)
	}
	c := m.QUIC()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 3)
	if n, _, err := c.ReadFrom(p); n != 3 || err != nil || string(p) != "abc" {
		t.Errorf("%d bytes, %q, %v", n, p, err)
	}
	if n, _, err := c.ReadFrom(make([]byte, 4)); n != 4 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	if s := m.Stats(); s.Oversized != 1 {
		t.Errorf("stats: %+v", s)
	}
}

func TestQueueIsBoundedAndKeepsOrder(t *testing.T) {
	q := newQueue()
	defer q.close()
	from := netip.MustParseAddrPort("192.0.2.9:9")
	next := 0
	for round := range 3 { // so that the ring wraps
		for i := range queueLen + 10 {
			q.push([]byte{0x40, byte(i), byte(i >> 8)}, []byte{byte(i)}, from, nil)
		}
		for next = 0; next < queueLen; {
			_, err := q.pop(100, func(_ int, e *queued) {
				if int(e.data[1])|int(e.data[2])<<8 != next || e.oobn != 1 || e.oob[0] != byte(next) {
					t.Errorf("round %d: got %x at %d", round, e.data, next)
				}
				next++
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		q.push([]byte{0x40}, nil, from, nil)
		q.pop(1, func(int, *queued) {})
	}
	if q.dropped.Load() != 30 || q.in.Load() != 3*(queueLen+1) {
		t.Errorf("%d in, %d dropped", q.in.Load(), q.dropped.Load())
	}
}
