package link

import (
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

// TestConcurrentUse sends from several goroutines on the sessions of both sides while connections die and are
// replaced, the client moves, and others look on.
func TestConcurrentUse(t *testing.T) {
	inLab(t, simnet.Profile{Delay: 2 * time.Millisecond}, Config{}, func(l *lab) {
		p, other := l.joined(), l.joined()
		relay := l.sessionOf(p)
		stop := make(chan struct{})
		var sent atomic.Uint64
		var wg sync.WaitGroup
		every := func(d time.Duration, f func(i int)) {
			wg.Go(func() {
				ticker := time.NewTicker(d)
				defer ticker.Stop()
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					case <-ticker.C:
						f(i)
					}
				}
			})
		}
		for range 4 {
			every(5*time.Millisecond, func(int) {
				m := wire.Media{KID: p.kid, CTR: sent.Add(1) - 1, Ciphertext: make([]byte, mediaSize)}
				p.client.Session().SendMediaNow(3, &m)
			})
			every(5*time.Millisecond, func(i int) {
				m := wire.Media{KID: other.kid, CTR: uint64(i), Ciphertext: make([]byte, mediaSize)}
				relay.SendMediaNow(9, &m)
				if i%20 == 0 {
					relay.SendUrgent(wire.UrgentMembersLeft, []byte("x"))
					p.client.Session().SendUrgent(wire.UrgentMembersLeft, []byte("x"))
				}
			})
		}
		every(10*time.Millisecond, func(int) {
			relay.Counts()
			p.client.Session().Quality()
			l.relay.Stats()
			l.relay.Sessions()
		})
		every(400*time.Millisecond, func(i int) {
			p.dropConnection()
			if i%3 == 2 {
				p.conn.Rebind(netip.AddrPortFrom(p.addr.Addr(), uint16(6000+i)))
			}
		})
		time.Sleep(10 * time.Second)
		close(stop)
		wg.Wait()
		time.Sleep(5 * time.Second)
		heard := other.ears.of(p.kid)
		if n := uint64(len(heard.at)); n != sent.Load() || heard.twice > 0 {
			l.t.Errorf("%d of %d packets came, %d twice", n, sent.Load(), heard.twice)
		}
		if relay.UrgentPending()+p.client.Session().UrgentPending() > 0 {
			l.t.Error("urgent messages are left")
		}
		for _, ep := range []*Endpoint{l.relay, p.ep} {
			if n := ep.Drops().Count(drops.Forged, drops.Malformed, drops.Replayed); n > 0 {
				l.t.Errorf("%d packets could not be taken", n)
			}
		}
		l.t.Logf("attached %d times, moved %d times", len(p.ears.attachments()), l.relay.Stats().Moved)
		wg.Go(func() { p.client.Close() })
		wg.Go(func() { p.client.Close() })
		wg.Go(func() { relay.End(wire.CloseLeft) })
		wg.Wait()
	})
}

// TestOverLoopback is a call over real sockets, several of them at the relay, in real time.
func TestOverLoopback(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", ":0"} {
		t.Run(listen, func(t *testing.T) {
			l := &lab{t: t, key: newIdentity(200), sfu: newSFU()}
			mux, err := udp.Listen(listen, 2)
			if err != nil {
				t.Fatal(err)
			}
			l.relay, err = NewEndpoint(mux, Config{Identity: l.key, Accept: l.sfu})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.relay.Close() })
			port := addrPort(l.relay.LocalAddr()).Port()
			a, b := l.overLoopback(port), l.overLoopback(port)
			ka, kb := a.talk(5*time.Millisecond, mediaSize), b.talk(5*time.Millisecond, mediaSize)
			l.eventually("both heard", 10*time.Second, func() bool {
				return len(a.ears.of(b.kid).at) > 20 && len(b.ears.of(a.kid).at) > 20
			})
			ka.stop()
			kb.stop()
			a.client.Close()
			l.eventually("left", 10*time.Second, func() bool { return l.sfu.live() == 1 })
		})
	}
}

// overLoopback returns somebody who has joined over a real socket.
func (l *lab) overLoopback(port uint16) *person {
	l.t.Helper()
	p := l.someone()
	mux, err := udp.Listen("127.0.0.1:0", 1)
	if err != nil {
		l.t.Fatal(err)
	}
	if p.ep, err = NewEndpoint(mux, Config{Identity: p.id}); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { p.ep.Close() })
	p.config.Resolve = resolveTo(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port))
	if err := p.join(20 * time.Second); err != nil {
		l.t.Fatal(err)
	}
	return p
}
