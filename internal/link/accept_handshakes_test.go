package link

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/simnet"
)

// TestSilentHandshakes has 20 /64s of one customer open connections that say nothing, as many as they get,
// again and again. Somebody on a path with a round trip of 800 ms and 40 % loss joins all the same.
func TestSilentHandshakes(t *testing.T) {
	inLab(t, simnet.Profile{Delay: 5 * time.Millisecond}, Config{MaxHandshakes: 64}, func(l *lab) {
		over := make(chan struct{})
		var wg sync.WaitGroup
		for i := range 20 {
			s := l.stranger(netip.AddrPortFrom(v6(1, 1, uint8(i), uint8(i)), 1))
			for range 8 {
				wg.Go(func() {
					for {
						conn, err := s.dial(5 * time.Second)
						var gone <-chan struct{}
						if err == nil {
							gone = conn.Context().Done()
						} else {
							again := make(chan struct{})
							time.AfterFunc(100*time.Millisecond, func() { close(again) })
							gone = again
						}
						select {
						case <-gone:
						case <-over:
							return
						}
					}
				})
			}
		}
		time.Sleep(10 * time.Second)
		if l.relay.Drops().Count(drops.Handshakes) == 0 {
			l.t.Error("the flood is none")
		}
		p := l.person()
		if err := l.net.SetPaths(p.addr.Addr(), relayAddr.Addr(),
			simnet.Profile{Delay: 400 * time.Millisecond, Loss: 0.4}); err != nil {
			l.t.Fatal(err)
		}
		if err := p.join(2 * time.Minute); err != nil {
			l.t.Errorf("an honest newcomer: %v; dropped: %s", err, l.relay.Drops())
		}
		close(over)
		l.relay.Close() // ends the strangers' connections
		wg.Wait()
	})
}

// fill takes every place of all that are not kept, as somebody with very many addresses can.
func (h *handshakes) fill() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.common.Acquire(netip.Addr{}) {
	}
}

// TestKeptHandshakes has all places taken. Who has a session attaches again, also from where it has moved to;
// a newcomer does not come in.
func TestKeptHandshakes(t *testing.T) {
	inLab(t, simnet.Profile{Delay: 5 * time.Millisecond}, Config{}, func(l *lab) {
		stayed, moved := l.joined(), l.joined()
		talk := moved.talk(20*time.Millisecond, mediaSize)
		moved.addr = netip.MustParseAddrPort("10.0.9.9:6000")
		if err := moved.conn.Rebind(moved.addr); err != nil {
			l.t.Fatal(err)
		}
		l.eventually("its new address is proved", time.Minute,
			func() bool { return l.sessionOf(moved).Addr().Addr() == moved.addr.Addr() })
		talk.stop()
		l.relay.pending.fill()
		for _, p := range []*person{stayed, moved} {
			before := p.client.Session()
			p.dropConnection()
			l.eventually("it is attached again", time.Minute,
				func() bool { return len(p.ears.attachments()) >= 2 })
			if p.client.Session() != before {
				l.t.Error("its session is another")
			}
		}
		if err := l.person().join(20 * time.Second); err == nil {
			l.t.Error("there was a place for a newcomer")
		}
	})
}

// TestKeptForPeers has all places taken. A peer that was linked before dials again and is let in, after its
// link is over.
func TestKeptForPeers(t *testing.T) {
	peerLab(t, trunkProfile, func(l *lab, _ *gate) {
		o := l.linked()
		o.client.Close()
		time.Sleep(2 * time.Minute) // its session is forgotten
		l.relay.pending.fill()
		if err := o.dial(time.Minute); err != nil {
			l.t.Errorf("a peer: %v; dropped: %s", err, l.relay.Drops())
		}
	})
}
