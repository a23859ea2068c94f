package link

import (
	"crypto/rand"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/simnet"
	"github.com/wzp-voice/wzp/internal/udp"
	"github.com/wzp-voice/wzp/internal/wire"
)

var attacker = netip.MustParseAddrPort("10.0.66.6:6666")

// wiretap is a connection of which somebody sees every packet before it is sent.
type wiretap struct {
	*simnet.Conn
	sees func(p []byte)
}

func (w *wiretap) WriteTo(p []byte, to net.Addr) (int, error) {
	w.sees(p)
	return w.Conn.WriteTo(p, to)
}

func (w *wiretap) WriteToUDPAddrPort(p []byte, to netip.AddrPort) (int, error) {
	w.sees(p)
	return w.Conn.WriteToUDPAddrPort(p, to)
}

// tapped returns somebody whose packets sees gets before they are sent.
func (l *lab) tapped(sees func(p []byte)) *person {
	l.t.Helper()
	p := l.person()
	p.ep.Close()
	conn, err := l.net.Listen(p.addr)
	if err != nil {
		l.t.Fatal(err)
	}
	p.conn = conn
	p.ep, err = NewEndpoint(udp.New(&wiretap{conn, sees}), Config{Identity: p.id, Version: "test client"})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { p.ep.Close() })
	if err := p.join(time.Minute); err != nil {
		l.t.Fatal(err)
	}
	return p
}

// drawn counts the bytes that an address sends to the relay, and those that it gets.
type drawn struct{ sent, got, packets atomic.Int64 }

func (l *lab) drawnBy(addr netip.AddrPort) *drawn {
	d := &drawn{}
	l.tap(func(from, to netip.AddrPort, p []byte, delivered bool) {
		switch {
		case from == addr && delivered:
			d.sent.Add(int64(len(p)))
		case to == addr: // whether it listens or not
			d.got.Add(int64(len(p)))
			d.packets.Add(1)
		}
	})
	return d
}

// TestRacedPacketsDoNotMoveTheSession has an attacker who copies every packet of a client, and whose copies
// arrive first.
func TestRacedPacketsDoNotMoveTheSession(t *testing.T) {
	for _, share := range []byte{1, 2, 5} { // every packet, every second, every fifth
		inLab(t, simnet.Profile{Delay: 50 * time.Millisecond}, Config{}, func(l *lab) {
			l.net.SetPath(attacker.Addr(), relayAddr.Addr(), simnet.Profile{})
			var on atomic.Bool
			var n atomic.Int32
			p := l.tapped(func(packet []byte) {
				if on.Load() && isSealed(packet) && n.Add(1)%int32(share) == 0 {
					l.net.Inject(attacker, relayAddr, packet)
				}
			})
			other := l.joined()
			got := l.drawnBy(attacker)
			talks := []*talker{p.talk(20*time.Millisecond, mediaSize),
				other.talk(20*time.Millisecond, mediaSize)}
			time.Sleep(5 * time.Second)
			on.Store(true)
			time.Sleep(20 * time.Second)
			on.Store(false)
			time.Sleep(time.Second)
			for _, k := range talks {
				k.stop()
			}
			s := l.sessionOf(p)
			if path := s.path.Load(); path.Remote != p.addr || l.relay.Stats().Moved != 0 {
				l.t.Errorf("the session is at %v, stats %+v", path, l.relay.Stats())
			}
			if pause, _ := p.ears.of(other.kid).longestPause(); pause > 20*time.Millisecond {
				l.t.Errorf("the client heard nothing for %v", pause)
			}
			heard := other.ears.of(p.kid)
			if pause, _ := heard.longestPause(); pause > 70*time.Millisecond || heard.twice > 0 {
				l.t.Errorf("the client was not heard for %v, %d packets twice", pause, heard.twice)
			}
			l.t.Logf("one in %d: %d bytes sent, %d bytes and %d packets drawn", share, got.sent.Load(),
				got.got.Load(), got.packets.Load())
			if sent, drew := got.sent.Load(), got.got.Load(); sent == 0 || drew > 3*sent {
				l.t.Errorf("%d bytes drew %d", sent, drew)
			}
		})
	}
}

// TestReplayedPacketsChangeNothing sends everything that a client sent once more, from its address and from
// another.
func TestReplayedPacketsChangeNothing(t *testing.T) {
	inLab(t, simnet.Profile{Delay: 50 * time.Millisecond}, Config{}, func(l *lab) {
		var mu sync.Mutex
		var packets [][]byte
		p := l.tapped(func(packet []byte) {
			if isSealed(packet) {
				mu.Lock()
				defer mu.Unlock()
				packets = append(packets, append([]byte(nil), packet...))
			}
		})
		other := l.joined()
		p.client.Session().SendUrgent(wire.UrgentMembersLeft, []byte("once"))
		p.talkFor(5*time.Second, mediaSize)
		heard, counts := len(other.ears.of(p.kid).at), l.sessionOf(p).Counts()
		mu.Lock()
		replay := packets
		mu.Unlock()
		got := l.drawnBy(attacker)
		for _, packet := range replay {
			l.net.Inject(p.addr, relayAddr, packet)
			l.net.Inject(attacker, relayAddr, packet)
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		h := other.ears.of(p.kid)
		if h.twice > 0 || len(h.at) != heard || len(l.sfu.messages()) != 1 {
			l.t.Errorf("heard %d then %d, %d twice, messages %d", heard, len(h.at), h.twice,
				len(l.sfu.messages()))
		}
		if n := l.relay.Drops().Count(drops.Replayed); n != uint64(2*len(replay)) {
			l.t.Errorf("%d of %d packets were counted as replayed", n, 2*len(replay))
		}
		after := l.sessionOf(p).Counts()
		if l.sessionOf(p).path.Load().Remote != p.addr || got.got.Load() > 0 ||
			after.PacketsReceived > counts.PacketsReceived+30 {
			l.t.Errorf("drew %d bytes, counts %+v, then %+v", got.got.Load(), counts, after)
		}
	})
}

// TestGarbageDrawsLittle sends random packets, those of unknown connections, and damaged ones.
func TestGarbageDrawsLittle(t *testing.T) {
	inLab(t, simnet.Profile{Delay: 5 * time.Millisecond}, Config{}, func(l *lab) {
		a, b := l.joined(), l.joined()
		talk := a.talk(20*time.Millisecond, mediaSize)
		var genuine atomic.Pointer[[]byte]
		l.tap(func(from, _ netip.AddrPort, p []byte, _ bool) {
			if from == a.addr && isMedia(p) {
				genuine.Store(new(append([]byte(nil), p...)))
			}
		})
		time.Sleep(time.Second)
		got := l.drawnBy(attacker)
		for i := range 4000 {
			p := make([]byte, 1+i%1300)
			rand.Read(p)
			p[0] = byte(i) & 0x3f
			if i%2 == 0 {
				p[0] = 0x10 // a valid header
			}
			if i%5 == 0 { // of a connection that is there
				p = append([]byte(nil), *genuine.Load()...)
				p[4+i%(len(p)-4)] ^= 1 << (i % 8)
			}
			l.net.Inject(attacker, relayAddr, p)
			if i%3 == 0 {
				l.net.Inject(attacker, a.addr, p)
			}
			time.Sleep(500 * time.Microsecond)
		}
		time.Sleep(time.Second)
		talk.stop()
		s := l.relay.Stats()
		l.t.Logf("%d bytes drew %d in %d packets; stats %+v", got.sent.Load(), got.got.Load(),
			got.packets.Load(), s)
		if got.got.Load() > got.sent.Load() || got.packets.Load() != int64(s.ResetsSent) ||
			s.ResetsSent == 0 {
			l.t.Errorf("%d bytes drew %d", got.sent.Load(), got.got.Load())
		}
		d := l.relay.Drops()
		if d.Count(drops.UnknownID) == 0 || d.Count(drops.BadHeader) == 0 ||
			d.Count(drops.Forged, drops.Replayed) == 0 || a.ep.Stats().ResetsSent > 0 {
			l.t.Errorf("stats %+v, %s", s, d)
		}
		if pause, _ := b.ears.of(a.kid).longestPause(); pause > 20*time.Millisecond {
			l.t.Errorf("media paused for %v", pause)
		}
		if l.sfu.live() != 2 || len(a.ears.attachments()) != 1 {
			l.t.Error("a session was touched")
		}
	})
}

// TestResetsAreNotAmplified sends packets of each small size from many addresses.
func TestResetsAreNotAmplified(t *testing.T) {
	inLab(t, simnet.Profile{Delay: time.Millisecond}, Config{}, func(l *lab) {
		for size := 1; size < 40; size++ {
			from := netip.AddrPortFrom(attacker.Addr(), uint16(1000+size))
			got := l.drawnBy(from)
			p := make([]byte, size)
			p[0] = 0x10
			if size > 3 {
				p[3] = 1
			}
			l.net.Inject(from, relayAddr, p)
			time.Sleep(10 * time.Millisecond)
			if drew := got.got.Load(); drew >= int64(size) ||
				(size > wire.ResetSize) != (drew == wire.ResetSize) {
				l.t.Errorf("%d bytes drew %d", size, drew)
			}
		}
	})
}

// TestResetsDoNotLoop makes two relays, and one with itself, believe that the other sent a packet of an
// unknown connection.
func TestResetsDoNotLoop(t *testing.T) {
	inLab(t, simnet.Profile{Delay: time.Millisecond}, Config{}, func(l *lab) {
		second := netip.MustParseAddrPort("10.0.0.2:4433")
		_, ep := l.endpoint(second, Config{Identity: newIdentity(201), Accept: newSFU()})
		l.t.Cleanup(func() { ep.Close() })
		var packets atomic.Int64
		l.tap(func(_, _ netip.AddrPort, _ []byte, _ bool) { packets.Add(1) })
		p := make([]byte, 100)
		p[0], p[3] = 0x10, 1
		for _, from := range []netip.AddrPort{relayAddr, second} {
			l.net.Inject(from, relayAddr, p)
			l.net.Inject(from, second, p)
		}
		time.Sleep(10 * time.Second)
		if n := packets.Load(); n != 8 {
			l.t.Errorf("%d packets, want 4 and a reset for each", n)
		}
	})
}

func TestResetsAreLimited(t *testing.T) {
	inLab(t, simnet.Profile{}, Config{}, func(l *lab) {
		p := make([]byte, 50)
		p[0], p[3] = 0x10, 1
		for range 20 {
			for range 500 {
				l.net.Inject(attacker, relayAddr, p)
			}
			time.Sleep(50 * time.Millisecond)
		}
		if n := l.relay.Stats().ResetsSent; n > 2*resetRate || n < resetRate {
			l.t.Errorf("%d resets in a second", n)
		}
	})
}

// TestResetWithAWrongToken and with the right one from somebody else: the session goes on, with the right one
// on another connection.
func TestForgedReset(t *testing.T) {
	inLab(t, simnet.Profile{Delay: 5 * time.Millisecond}, Config{}, func(l *lab) {
		p, other := l.joined(), l.joined()
		talk := p.talk(20*time.Millisecond, mediaSize)
		time.Sleep(time.Second)
		s := p.client.Session()
		out := s.out.Load()
		var wrong [16]byte
		l.net.Inject(relayAddr, p.addr, wire.AppendReset(nil, out.remote, wrong))
		l.net.Inject(relayAddr, p.addr, wire.AppendReset(nil, out.remote+1, out.reset))
		l.net.Inject(relayAddr, p.addr, wire.AppendReset(nil, out.remote, out.reset)[:19])
		time.Sleep(5 * time.Second)
		if n := len(p.ears.attachments()); n != 1 {
			l.t.Errorf("attached %d times", n)
		}
		for range 50 {
			out := s.out.Load()
			l.net.Inject(relayAddr, p.addr, wire.AppendReset(nil, out.remote, out.reset))
			time.Sleep(time.Millisecond)
		}
		time.Sleep(15 * time.Second)
		talk.stop()
		if n := len(p.ears.attachments()); n < 2 || n > 6 || p.client.Session() != s {
			l.t.Errorf("attached %d times", n)
		}
		if pause, _ := other.ears.of(p.kid).longestPause(); pause > 20*time.Millisecond {
			l.t.Errorf("media paused for %v", pause)
		}
	})
}
