package link

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/simnet"
	"github.com/wzp-voice/wzp/internal/wire"
)

// stranger speaks QUIC and the ALPN, and nothing else that is expected.
type stranger struct {
	lab       *lab
	transport *quic.Transport
	conn      *simnet.Conn
}

func (l *lab) stranger(addr netip.AddrPort) *stranger {
	l.t.Helper()
	conn, err := l.net.Listen(addr)
	if err != nil {
		l.t.Fatal(err)
	}
	s := &stranger{lab: l, conn: conn, transport: &quic.Transport{Conn: conn}}
	l.t.Cleanup(func() { s.transport.Close(); conn.Close() })
	return s
}

// dial completes a handshake with the relay.
func (s *stranger) dial(limit time.Duration) (*quic.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	config := clientTLS("", func(identity.PublicKey) error { return nil })
	return s.transport.Dial(ctx, net.UDPAddrFromAddrPort(relayAddr), config, quicConfig())
}

// say opens the control stream, writes p and returns what comes back until the connection ends.
func (s *stranger) say(conn *quic.Conn, p []byte) []byte {
	s.lab.t.Helper()
	stream, err := conn.OpenStream()
	if err != nil {
		s.lab.t.Fatal(err)
	}
	stream.Write(p)
	answer, _ := io.ReadAll(stream)
	return answer
}

// TestForwardedHelloIsRefused has a relay that forwards what a client tells it to another relay, to be taken
// for that client there.
func TestForwardedHelloIsRefused(t *testing.T) {
	inLab(t, simnet.Profile{Delay: 5 * time.Millisecond}, Config{}, func(l *lab) {
		evil := newIdentity(66)
		evilAddr := netip.MustParseAddrPort("10.0.0.66:4433")
		cert, err := evil.TLSCertificate()
		if err != nil {
			l.t.Fatal(err)
		}
		s := l.stranger(evilAddr)
		ln, err := s.transport.Listen(relayTLS(cert), quicConfig())
		if err != nil {
			l.t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() { s.forward(ln) })

		p := l.person()
		p.config.CheckRelay = func(identity.PublicKey) error { return nil } // the client was fooled
		p.config.Resolve = func(context.Context) (netip.AddrPort, error) { return evilAddr, nil }
		if err := p.join(10 * time.Second); refusedCode(err) != wire.CodeSignature {
			l.t.Errorf("joined with %v", err)
		}
		ln.Close()
		wg.Wait()
		if n := len(l.relay.Sessions()); n != 0 || l.sfu.live() != 0 {
			l.t.Errorf("%d sessions at the relay", n)
		}
	})
}

// forward copies one stream of each connection to the relay and back.
func (s *stranger) forward(ln *quic.Listener) {
	for {
		conn, err := ln.Accept(context.Background())
		if err != nil {
			return
		}
		stream, err := conn.AcceptStream(context.Background())
		if err != nil {
			return
		}
		onward, err := s.dial(5 * time.Second)
		if err != nil {
			s.lab.t.Error(err)
			return
		}
		out, err := onward.OpenStream()
		if err != nil {
			s.lab.t.Error(err)
			return
		}
		go io.Copy(out, stream)
		io.Copy(stream, out)
		stream.Close()
		<-conn.Context().Done()
		onward.CloseWithError(0, "")
	}
}

func TestWrongRelayKeyIsFinal(t *testing.T) {
	inLab(t, simnet.Profile{Delay: 50 * time.Millisecond}, Config{}, func(l *lab) {
		p, start := l.person(), time.Now()
		p.config.CheckRelay = checkKey(newIdentity(99).Public())
		err := p.join(time.Minute)
		if wrong := new(wrongRelayError); !errors.As(err, &wrong) || wrong.got != l.key.Public() {
			l.t.Errorf("joined with %v", err)
		}
		if took := time.Since(start); took > 150*time.Millisecond {
			l.t.Errorf("it took %v", took)
		}
	})
}

// TestWrongRelayKeyLater has another relay at the address when the client attaches again.
func TestWrongRelayKeyLater(t *testing.T) {
	inLab(t, simnet.Profile{Delay: 50 * time.Millisecond}, Config{}, func(l *lab) {
		p := l.joined()
		l.killRelay()
		l.key = newIdentity(99)
		l.startRelay(Config{})
		if err := p.client.Err(); !errors.As(err, new(*wrongRelayError)) {
			l.t.Errorf("ended with %v", err)
		}
		if n := l.sfu.live(); n != 0 {
			l.t.Errorf("%d sessions", n)
		}
	})
}

// TestSessionIdentityIsChecked has somebody who knows the session id of another.
func TestSessionIdentityIsChecked(t *testing.T) {
	inLab(t, simnet.Profile{Delay: 5 * time.Millisecond}, Config{}, func(l *lab) {
		p := l.joined()
		s := l.stranger(attacker)
		conn, err := s.dial(time.Second)
		if err != nil {
			l.t.Fatal(err)
		}
		keys, err := export(conn.ConnectionState().TLS)
		if err != nil {
			l.t.Fatal(err)
		}
		hello := &wire.Hello{Name: "thief", Session: p.client.id, ConnID: 1}
		hello.Sign(newIdentity(98), keys.hello, l.key.Public())
		message, err := wire.AppendMessage(nil, hello)
		if err != nil {
			l.t.Fatal(err)
		}
		l.checkRefused(s.say(conn, message), wire.CodeSignature)
		if attachmentsOf(l.sessionOf(p)) != 1 {
			l.t.Error("an attachment was added")
		}
	})
}

func (l *lab) checkRefused(answer []byte, want wire.Code) {
	l.t.Helper()
	if len(answer) < 4 {
		l.t.Errorf("answered %q, want a refusal", answer)
		return
	}
	m, err := wire.ReadMessage(&reader{answer})
	if refused, ok := m.(*wire.Refused); !ok || refused.Code != want {
		l.t.Errorf("answered %q, %v; want %v", answer, err, want)
	}
}

type reader struct{ p []byte }

func (r *reader) Read(p []byte) (int, error) {
	if len(r.p) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.p)
	r.p = r.p[n:]
	return n, nil
}

// TestBadFirstMessages are refused with a reason, and counted.
func TestBadFirstMessages(t *testing.T) {
	tests := map[string]struct {
		p    []byte
		code wire.Code
	}{
		"too long":    {binary.BigEndian.AppendUint32(nil, wire.MaxMessage+1), wire.CodeProtocol},
		"not JSON":    {append(binary.BigEndian.AppendUint32(nil, 5), "xxxxx"...), wire.CodeProtocol},
		"not a Hello": {append(binary.BigEndian.AppendUint32(nil, 7), `"Leave"`...), wire.CodeProtocol},
		"another field": {append(binary.BigEndian.AppendUint32(nil, 12), `{"Hello":{}}`...),
			wire.CodeProtocol},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inLab(t, simnet.Profile{Delay: 5 * time.Millisecond}, Config{}, func(l *lab) {
				s := l.stranger(attacker)
				conn, err := s.dial(time.Second)
				if err != nil {
					l.t.Fatal(err)
				}
				start := time.Now()
				l.checkRefused(s.say(conn, test.p), test.code)
				if took := time.Since(start); took > time.Second {
					l.t.Errorf("it took %v", took)
				}
				<-conn.Context().Done()
				time.Sleep(time.Second)
				if n := l.relay.Drops().Count(drops.Hello); n != 1 || l.relay.pending.total() != 0 {
					l.t.Errorf("%d refused, %d handshakes", n, l.relay.pending.total())
				}
			})
		})
	}
}

// TestNoHello holds connections open without a word, without a stream or with half a message.
func TestNoHello(t *testing.T) {
	inLab(t, simnet.Profile{Delay: 5 * time.Millisecond}, Config{}, func(l *lab) {
		s := l.stranger(attacker)
		start := time.Now()
		var conns []*quic.Conn
		for i := range 3 {
			conn, err := s.dial(time.Second)
			if err != nil {
				l.t.Fatal(err)
			}
			conns = append(conns, conn)
			if i > 0 {
				stream, err := conn.OpenStream()
				if err != nil {
					l.t.Fatal(err)
				}
				stream.Write([]byte{0, 0, 0, 100, '{'}[:1+4*(i-1)])
			}
		}
		if n := l.relay.pending.total(); n != 3 {
			l.t.Errorf("%d handshakes under way", n)
		}
		for _, conn := range conns {
			<-conn.Context().Done()
		}
		if took := time.Since(start); took < handshakeTimeout-time.Second ||
			took > handshakeTimeout+time.Second {
			l.t.Errorf("closed after %v", took)
		}
		time.Sleep(5 * time.Second)
		if n := l.relay.Drops().Count(drops.Hello); n != 3 || l.relay.pending.total() != 0 ||
			l.sfu.live() != 0 {
			l.t.Errorf("%d refused, %d handshakes", n, l.relay.pending.total())
		}
	})
}

// TestHandshakeFlood opens far more connections than the relay admits, while a call goes on. From a quarter
// of the limit on addresses are proved, and each gets a small share, so that newcomers still find a place.
func TestHandshakeFlood(t *testing.T) {
	const limit = 40
	inLab(t, simnet.Profile{Delay: 5 * time.Millisecond}, Config{MaxHandshakes: limit}, func(l *lab) {
		a, b := l.joined(), l.joined()
		talk := a.talk(20*time.Millisecond, mediaSize)
		time.Sleep(time.Second)
		goroutines := runtime.NumGoroutine()
		var most atomic.Int64
		var wg sync.WaitGroup
		for host := range 4 { // two of which do not answer: their addresses are forged
			addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 66, byte(host)}), 1)
			if host%2 == 0 {
				l.net.Block(relayAddr.Addr(), addr.Addr(), true)
			}
			s := l.stranger(addr)
			for i := range 50 {
				wg.Go(func() {
					// quic-go drops what comes at one instant
					time.Sleep(time.Duration(4*i+host) * 7 * time.Millisecond)
					if conn, err := s.dial(5 * time.Second); err == nil {
						<-conn.Context().Done()
					}
				})
			}
		}
		for i := range 100 {
			if i == 5 {
				l.joined()
			}
			most.Store(max(most.Load(), int64(l.relay.pending.total())))
			time.Sleep(100 * time.Millisecond)
		}
		l.t.Logf("%d handshakes at most; dropped: %s", most.Load(), l.relay.Drops())
		const bound = limit/4 + 1 + 2*(limit/handshakeShare)
		if most.Load() > bound || most.Load() < limit/4 || l.relay.Drops().Count(drops.Handshakes) == 0 {
			l.t.Errorf("%d handshakes, the flood may have %d; dropped: %s", most.Load(), bound,
				l.relay.Drops())
		}
		wg.Wait()
		time.Sleep(time.Minute)
		talk.stop()
		if n := l.relay.pending.total(); n != 0 {
			l.t.Errorf("%d handshakes are still counted", n)
		}
		if n := runtime.NumGoroutine(); n > goroutines+20 {
			l.t.Errorf("%d goroutines, %d before", n, goroutines)
		}
		if pause, _ := b.ears.of(a.kid).longestPause(); pause > 20*time.Millisecond || l.sfu.live() != 3 {
			l.t.Errorf("media paused for %v", pause)
		}
		if err := l.person().join(5 * time.Second); err != nil {
			l.t.Errorf("after the flood: %v", err)
		}
	})
}

// TestHelloRate has one address complete many handshakes at once.
func TestHelloRate(t *testing.T) {
	inLab(t, simnet.Profile{Delay: 5 * time.Millisecond}, Config{HelloRate: 0.5}, func(l *lab) {
		s := l.stranger(attacker)
		refused := 0
		for i := range 20 {
			conn, err := s.dial(time.Second)
			if err != nil {
				l.t.Fatal(err)
			}
			words := []string{`"Leave"`, `{{{{{{{`}[i%2] // no Hello, and no message at all
			answer := s.say(conn, append(binary.BigEndian.AppendUint32(nil, 7), words...))
			m, err := wire.ReadMessage(&reader{answer})
			if err != nil {
				l.t.Fatal(err)
			}
			if m.(*wire.Refused).Code == wire.CodeRate {
				refused++
			}
			conn.CloseWithError(0, "")
		}
		if refused < 13 || refused > 14 {
			l.t.Errorf("%d of 20 were refused for their rate, 6 are allowed", refused)
		}
		if err := l.person().join(time.Second); err != nil {
			l.t.Errorf("from another address: %v", err)
		}
	})
}

func TestControlRate(t *testing.T) {
	inLab(t, simnet.Profile{Delay: 5 * time.Millisecond}, Config{ControlRate: 1}, func(l *lab) {
		p := l.joined()
		for i := range 10 {
			if _, err := p.client.Request(context.Background(), &wire.Members{}); err != nil {
				l.t.Fatalf("request %d: %v", i, err)
			}
		}
		if _, err := p.client.Request(context.Background(),
			&wire.Members{}); refusedCode(err) != wire.CodeRate {
			l.t.Errorf("one more: %v", err)
		}
		if n := l.relay.Drops().Count(drops.ControlRate); n != 1 {
			l.t.Errorf("%d limited", n)
		}
	})
}

// TestManyAttachments has a client with the right keys attach to its session over and over.
func TestManyAttachments(t *testing.T) {
	inLab(t, simnet.Profile{Delay: 5 * time.Millisecond}, Config{}, func(l *lab) {
		p := l.joined()
		s := l.stranger(attacker)
		var conns []*quic.Conn
		for i := range 30 {
			conn, err := s.dial(time.Second)
			if err != nil {
				l.t.Fatal(err)
			}
			keys, err := export(conn.ConnectionState().TLS)
			if err != nil {
				l.t.Fatal(err)
			}
			hello := &wire.Hello{Session: p.client.id, ConnID: wire.ConnID(i + 1)}
			hello.Sign(p.id, keys.hello, l.key.Public())
			flight, err := wire.AppendMessage(nil, hello)
			if err != nil {
				l.t.Fatal(err)
			}
			stream, err := conn.OpenStream()
			if err != nil {
				l.t.Fatal(err)
			}
			stream.Write(flight)
			if _, err := wire.ReadMessage(stream); err != nil {
				l.t.Fatal(err)
			}
			conns = append(conns, conn)
		}
		time.Sleep(time.Second)
		open := 0
		for _, conn := range conns {
			if conn.Context().Err() == nil {
				open++
			}
		}
		n, ids := attachmentsOf(l.sessionOf(p)), idsOf(l.relay)
		if n != maxAttachments || open != maxAttachments-1 || ids != maxAttachments {
			l.t.Errorf("%d attachments, %d connections open, %d connection ids", n, open, ids)
		}
	})
}
