package peer

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/simnet"
	"github.com/wzp-voice/wzp/internal/wire"
)

// TestOneDials has one relay dial, the one with the smaller key or the other.
func TestOneDials(t *testing.T) {
	for _, dialler := range []int{1, 2} {
		t.Run(fmt.Sprintf("relay %d dials", dialler), func(t *testing.T) {
			inLinkLab(t, func(l *linkLab) {
				a, b := l.relay(dialler), l.relay(3-dialler)
				a.knows(b).up()
				b.trusts(a).up()
				at := l.joined(a, b, 2*time.Second)
				l.talk(a, b)
				if bt := b.to(a); !at.dialled || bt.dialled || at.Label != b.name() ||
					at.ID != wire.RelayIDOf(b.id.Public()) || !bt.s.Peer() {
					t.Errorf("%+v and %+v", at, bt)
				}
				time.Sleep(5 * time.Minute)
				l.talk(a, b)
				for _, r := range []*testRelay{a, b} {
					if n := r.events.count("up"); n != 1 ||
						r.events.count("down")+r.events.count("suspect") != 0 {
						t.Errorf("%s: %q", r.name(), r.events.list())
					}
				}
				l.describe(a, b)
			})
		})
	}
}

// TestMeasured has two relays say nothing over their link: both measure it all the same, and follow it.
func TestMeasured(t *testing.T) {
	inLinkLab(t, func(l *linkLab) {
		a, b := l.relay(1), l.relay(2)
		a.knows(b).up()
		b.trusts(a).up()
		l.joined(a, b, 2*time.Second)
		for _, way := range []time.Duration{10 * time.Millisecond, 100 * time.Millisecond} {
			l.net.SetDefault(simnet.Profile{Delay: way})
			time.Sleep(2 * time.Minute)
			for _, r := range []*testRelay{a, b} {
				if rtt := r.links.Status()[0].Path.RTT; rtt < 2*way-time.Millisecond ||
					rtt > 2*way+20*time.Millisecond {
					t.Errorf("%s takes a round trip of %v for %v", r.name(), 2*way, rtt)
				}
			}
		}
	})
}

// describe checks what list says of two relays with a link.
func (l *linkLab) describe(a, b *testRelay) {
	l.t.Helper()
	info := a.links.Status()[0]
	if info.Label != b.name() || info.Fingerprint != b.id.Fingerprint() ||
		info.Address != b.addr.String() || info.Addr != info.Address || info.State != Up ||
		!info.Up || info.Suspect || !info.Dialled ||
		time.Since(*info.Since) < 5*time.Minute || info.Path.RTT < 20*time.Millisecond ||
		info.Path.RTT > 40*time.Millisecond || info.Loss != 0 ||
		info.Path.Least < 20*time.Millisecond || info.Path.Loss != 0 || info.LossIn != 0 ||
		info.PacketsIn < 100 || info.PacketsOut < 100 || info.Problem != "" {
		l.t.Errorf("%+v", info)
	}
	if info := b.links.Status()[0]; !info.Up || info.Dialled ||
		info.Address != "10.0.0."+fmt.Sprint(a.number) || info.Addr != a.addr.String() || info.State != Up ||
		info.Path.Least < 20*time.Millisecond || info.Path.Pings < 50 ||
		info.Path.RTT < 20*time.Millisecond || info.Path.RTT > 40*time.Millisecond || info.Loss != 0 {
		l.t.Errorf("%+v", info)
	}
}

// TestBothDial has two relays dial each other, at the same time or one after the other.
func TestBothDial(t *testing.T) {
	for _, first := range []int{1, 2} {
		for _, apart := range []time.Duration{0, 5 * time.Millisecond, 25 * time.Millisecond,
			35 * time.Millisecond, 70 * time.Millisecond, time.Second} {
			t.Run(fmt.Sprintf("relay %d is %v earlier", first, apart), func(t *testing.T) {
				inLinkLab(t, func(l *linkLab) {
					a, b := l.relay(first), l.relay(3-first)
					a.knows(b).up()
					time.Sleep(apart)
					b.knows(a).up()
					l.joined(a, b, 10*time.Second)
					time.Sleep(2 * time.Second)
					at := l.joined(a, b, 0)
					l.talk(a, b)
					time.Sleep(2 * time.Minute)
					if a.to(b) != at {
						t.Error("the link did not stay")
					}
					for _, r := range []*testRelay{a, b} {
						downs := r.logged.lines("a peer link is down")
						if kept := r.logged.lines("one of two links is kept"); len(downs) > 0 ||
							len(kept) != r.events.count("down") {
							t.Errorf("%s: of the two links the log says %q, %q", r.name(), downs, kept)
						}
						if n := len(r.ep.Sessions()); n != 1 || r.events.count("up") > 2 ||
							r.links.Status()[0].Problem != "" {
							t.Errorf("%s has %d sessions; %q, %+v", r.name(), n, r.events.list(),
								r.links.Status())
						}
					}
				})
			})
		}
	}
}

// TestBothDialOverJitter has packets overtake each other while both dial: one of the links may be over before
// the other one is heard, which is no link that is down.
func TestBothDialOverJitter(t *testing.T) {
	for seed := range uint64(20) {
		inLinkLab(t, func(l *linkLab) {
			l.net.SetDefault(simnet.Profile{Delay: 20 * time.Millisecond, Jitter: 200 * time.Millisecond,
				Seed: seed})
			a, b := l.relay(1), l.relay(2)
			a.knows(b).up()
			b.knows(a).up()
			l.joined(a, b, 10*time.Second)
			time.Sleep(4 * time.Second)
			for _, r := range []*testRelay{a, b} {
				if downs := r.logged.lines("a peer link is down"); len(downs) > 0 {
					t.Errorf("seed %d, %s: %q", seed, r.name(), downs)
				}
			}
		})
	}
}

// TestBothDialAfterPartition has both dial at once again and again.
func TestBothDialAfterPartition(t *testing.T) {
	inLinkLab(t, func(l *linkLab) {
		a, b := l.relay(1), l.relay(2)
		a.knows(b).up()
		b.knows(a).up()
		for i := range 5 {
			l.joined(a, b, time.Minute)
			l.cutOff(a, b, true)
			time.Sleep(time.Duration(17+7*i) * time.Second)
			l.cutOff(a, b, false)
			// a link that is lost before a stable minute makes the next delay longer, up to 300 s
			l.joined(a, b, 6*time.Minute)
			time.Sleep(10 * time.Second)
			l.joined(a, b, 0)
			l.talk(a, b)
			if n, m := len(a.ep.Sessions()), len(b.ep.Sessions()); n != 1 || m != 1 {
				t.Errorf("%d and %d sessions", n, m)
			}
		}
	})
}

// TestRestart kills a relay and starts it again, after different times, whoever dials.
func TestRestart(t *testing.T) {
	for _, both := range []bool{false, true} {
		for _, killed := range []int{1, 2} {
			for _, away := range []time.Duration{100 * time.Millisecond, 10 * time.Second, 40 * time.Second} {
				t.Run(fmt.Sprintf("both dial %v, relay %d was away for %v", both, killed, away),
					func(t *testing.T) {
						inLinkLab(t, func(l *linkLab) { l.restart(both, killed, away) })
					})
			}
		}
	}
}

func (l *linkLab) restart(both bool, killed int, away time.Duration) {
	a, b := l.relay(1), l.relay(2)
	a.knows(b).up()
	if both {
		b.knows(a).up()
	} else {
		b.trusts(a).up()
	}
	l.joined(a, b, 10*time.Second)
	time.Sleep(stableLink)
	l.joined(a, b, 0)
	gone, stays := a, b
	if killed == 2 {
		gone, stays = b, a
	}
	gone.kill()
	before := stays.to(gone)
	time.Sleep(away)
	if down := stays.to(gone) == nil; down != (away > 15*time.Second) {
		l.t.Errorf("down %v after %v", down, away)
	}
	gone.up()
	took := l.eventually("a link again", 30*time.Second, func() bool {
		at, bt := a.to(b), b.to(a)
		return at != nil && bt != nil && at != before && bt != before && at.dialled != bt.dialled
	})
	l.t.Logf("a link again after %v", took)
	l.talk(a, b)
	time.Sleep(20 * time.Second)
	l.joined(a, b, 0)
	l.talk(a, b)
}

// TestShutdown ends a relay in good order: the other one knows at once.
func TestShutdown(t *testing.T) {
	inLinkLab(t, func(l *linkLab) {
		a, b := l.relay(1), l.relay(2)
		a.knows(b).up()
		b.trusts(a).up()
		l.joined(a, b, 2*time.Second)
		b.stop()
		l.eventually("down", 2*time.Second, func() bool { return a.to(b) == nil })
		if b.to(a) != nil || b.events.count("down "+a.name()+": this relay is shutting down") != 1 {
			t.Errorf("%q", b.events.list())
		}
		b.up()
		l.joined(a, b, 10*time.Second)
		a.stop() // the dialling side
		l.eventually("down", 2*time.Second, func() bool { return b.to(a) == nil })
	})
}

// TestPartition cuts two relays off from each other for 20 s.
func TestPartition(t *testing.T) {
	for _, both := range []bool{false, true} {
		t.Run(fmt.Sprintf("both dial %v", both), func(t *testing.T) {
			inLinkLab(t, func(l *linkLab) { l.partition(both) })
		})
	}
}

func (l *linkLab) partition(both bool) {
	a, b := l.relay(1), l.relay(2)
	a.knows(b).up()
	if both {
		b.knows(a)
	} else {
		b.trusts(a)
	}
	b.up()
	l.joined(a, b, 10*time.Second)
	time.Sleep(time.Minute)
	l.cutOff(a, b, true)
	start := time.Now()
	suspect := func() bool { return a.to(b).suspect.Load() && b.to(a).suspect.Load() }
	if took := l.eventually("suspect", 5*time.Second, suspect); took < 2*time.Second {
		l.t.Errorf("suspect after %v", took)
	}
	l.eventually("down", 15*time.Second, func() bool { return a.to(b) == nil && b.to(a) == nil })
	if took := time.Since(start); took < 12*time.Second || took > 15*time.Second {
		l.t.Errorf("down after %v", took)
	}
	time.Sleep(time.Until(start.Add(20 * time.Second)))
	l.cutOff(a, b, false)
	l.t.Logf("a link again after %v", l.eventually("a link again", 20*time.Second, func() bool {
		at, bt := a.to(b), b.to(a)
		return at != nil && bt != nil && at.dialled != bt.dialled
	}))
	l.talk(a, b)
	time.Sleep(time.Minute)
	l.joined(a, b, 0)
	for _, r := range []*testRelay{a, b} {
		if r.events.count("suspect true") != 1 || r.events.count("suspect false") != 0 {
			l.t.Errorf("%s: %q", r.name(), r.events.list())
		}
	}
}

// TestShortSilence is a partition that a link survives.
func TestShortSilence(t *testing.T) {
	inLinkLab(t, func(l *linkLab) {
		a, b := l.relay(1), l.relay(2)
		a.knows(b).up()
		b.trusts(a).up()
		at := l.joined(a, b, 2*time.Second)
		time.Sleep(10 * time.Second)
		l.cutOff(a, b, true)
		time.Sleep(8 * time.Second)
		l.cutOff(a, b, false)
		healed := time.Now()
		l.eventually("not suspect", 10*time.Second,
			func() bool { return !at.suspect.Load() && !b.to(a).suspect.Load() })
		if took := time.Since(healed); took < trustAfter {
			t.Errorf("not suspect after %v", took)
		}
		if a.to(b) != at || a.events.count("suspect") != 2 || b.events.count("suspect") != 2 {
			t.Errorf("%q, %q", a.events.list(), b.events.list())
		}
		l.talk(a, b)
	})
}

// TestOneWay lets packets pass one way only: both sides give the link up, and have one again afterwards.
func TestOneWay(t *testing.T) {
	inLinkLab(t, func(l *linkLab) {
		a, b := l.relay(1), l.relay(2)
		a.knows(b).up()
		b.knows(a).up()
		l.joined(a, b, 10*time.Second)
		time.Sleep(2 * time.Second)
		l.net.Block(a.addr.Addr(), b.addr.Addr(), true)
		l.eventually("down", 40*time.Second, func() bool { return a.to(b) == nil && b.to(a) == nil })
		l.net.Block(a.addr.Addr(), b.addr.Addr(), false)
		l.joined(a, b, time.Minute)
		time.Sleep(10 * time.Second)
		l.joined(a, b, 0)
		l.talk(a, b)
	})
}

// TestDeadAddress dials an address that answers nothing: with back-off, 20 s at most each time.
func TestDeadAddress(t *testing.T) {
	inLinkLab(t, func(l *linkLab) {
		a, b, c := l.relay(1), l.relay(2), l.relay(3)
		a.knows(b, c).up()
		c.trusts(a).up()
		l.joined(a, c, 2*time.Second)
		time.Sleep(20*time.Minute + 10*time.Second)
		lines := a.logged.lines("cannot reach a peer")
		// 20 s each, and 5, 10, 20, 40, 80, 160, 240, 240 between them, and up to a quarter more.
		if n := len(lines); n < 8 || n > 10 {
			t.Errorf("%d attempts: %q", n, lines)
		}
		if first := lines[0]; !strings.Contains(first, b.name()) ||
			!strings.Contains(first, b.addr.String()) ||
			!strings.Contains(first, b.id.Fingerprint().String()) ||
			!strings.Contains(first, "check that the relay runs") {
			t.Errorf("the log says %q", first)
		}
		if info := a.links.Status()[0]; info.Up || info.Problem == "" || info.Address != b.addr.String() {
			t.Errorf("%+v", info)
		}
		l.talk(a, c)
		b.trusts(a).up()
		l.joined(a, b, 301*time.Second)
	})
}

// TestLossy has a path that loses a third of the packets, each way: the link stays.
func TestLossy(t *testing.T) {
	inLinkLab(t, func(l *linkLab) {
		l.net.SetDefault(simnet.Profile{Delay: 50 * time.Millisecond, Jitter: 20 * time.Millisecond,
			Loss: 1. / 3, Seed: 7})
		a, b := l.relay(1), l.relay(2)
		a.knows(b).up()
		b.knows(a).up()
		l.joined(a, b, time.Minute)
		time.Sleep(10 * time.Second)
		at := l.joined(a, b, 0)
		time.Sleep(5 * time.Minute)
		if a.to(b) != at || len(a.ep.Sessions()) != 1 || len(b.ep.Sessions()) != 1 {
			t.Errorf("%q, %q", a.events.list(), b.events.list())
		}
		l.talk(a, b)
	})
}

// TestResolve has a peer's name looked up anew: the peer moves.
func TestResolve(t *testing.T) {
	inLinkLab(t, func(l *linkLab) {
		a, b := l.relay(1), l.relay(2)
		names := &lookups{addr: b.addr.Addr()}
		a.peers = []Config{{Address: "b.example:4433", Fingerprint: b.id.Fingerprint(), Label: b.name()}}
		a.names = names
		a.up()
		b.trusts(a).up()
		l.joined(a, b, 10*time.Second)
		b.kill()
		b.addr = netip.MustParseAddrPort("10.0.7.7:4433")
		b.up()
		names.mu.Lock()
		names.addr = b.addr.Addr()
		names.mu.Unlock()
		l.eventually("a link at the new address", time.Minute, func() bool {
			bt := b.to(a)
			return bt != nil && a.to(b) != nil
		})
		l.talk(a, b)
	})
}

// TestMedia sends media over a link.
func TestMedia(t *testing.T) {
	inLinkLab(t, func(l *linkLab) {
		a, b := l.relay(1), l.relay(2)
		a.knows(b).up()
		b.trusts(a).up()
		at := l.joined(a, b, 2*time.Second)
		m := &wire.Media{Tagged: true, Long: true, Alias: 7, Room: wire.HashRoom("ops"), KID: 5, CTR: 9,
			Ciphertext: []byte("ciphertext")}
		at.WithTx(func(tx *link.Tx) { at.SendPacket(tx, wire.AppendMedia(nil, m, true), 1) })
		l.eventually("media", time.Second,
			func() bool { return b.events.count("media") == 1 && a.events.count("alias acked") == 1 })
	})
}
