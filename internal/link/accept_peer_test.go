package link

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/simnet"
	"github.com/wzp-voice/wzp/internal/wire"
)

var trunkProfile = simnet.Profile{Delay: 20 * time.Millisecond}

// peerLab is inLab with a relay that knows the other one.
func peerLab(t *testing.T, p simnet.Profile, f func(l *lab, g *gate)) {
	t.Helper()
	g := newGate(newIdentity(150))
	inLab(t, p, Config{Peers: g}, func(l *lab) { f(l, g) })
}

// acceptedBy returns the one session that a gate has accepted.
func (l *lab) acceptedBy(g *gate) *Session {
	l.t.Helper()
	opened, over := g.links()
	if len(opened) != 1 || len(over) != 0 {
		l.t.Fatalf("%d peer links were accepted, %d have ended", len(opened), len(over))
	}
	return opened[0]
}

// TestPeerLink has two relays dial each other, and clients at both.
func TestPeerLink(t *testing.T) {
	peerLab(t, trunkProfile, func(l *lab, g *gate) {
		o, start := l.otherRelay(), time.Now()
		if err := o.dial(time.Minute); err != nil {
			l.t.Fatal(err)
		}
		if took := time.Since(start); took > 100*time.Millisecond {
			l.t.Errorf("the link was up after %v, two round trips are 80ms", took)
		}
		back := newTrunkSide()
		client, err := startedClient(l.t.Context(), l.relay, ClientConfig{
			Resolve: resolveTo(o.addr), CheckRelay: checkKey(o.id.Public()), Peer: true,
		}, &back)
		if err != nil {
			l.t.Fatal(err)
		}
		for name, link := range map[string]struct {
			accepted, dialled *Session
			key, dialler      [32]byte
		}{
			"the one":   {l.acceptedBy(g), o.client.Session(), l.key.Public(), o.id.Public()},
			"the other": {l.acceptedBy(o.gate), client.Session(), o.id.Public(), l.key.Public()},
		} {
			if !link.accepted.Peer() || !link.dialled.Peer() {
				l.t.Errorf("%s is no peer link", name)
			}
			if link.accepted.Identity() != link.dialler || link.dialled.Identity() != link.key {
				l.t.Errorf("%s is of %v and %v", name, link.accepted.Identity(), link.dialled.Identity())
			}
		}
		if got := g.questions(); len(got) != 1 || got[0] != (shown{o.id.Public(), o.addr}) {
			l.t.Errorf("asked %v", got)
		}
		l.checkUrgentBothWays(g, o)
		if a := o.side.ears.attachments(); len(a) != 1 || !a[0].fresh {
			l.t.Errorf("attached %v", a)
		}
		if p := l.joined(); l.sessionOf(p).Peer() || p.client.Session().Peer() || l.sfu.live() != 1 ||
			o.sfu.live() != 0 {
			l.t.Error("clients and peers are mixed up")
		}
	})
}

// checkUrgentBothWays sends an urgent message over the one link and back.
func (l *lab) checkUrgentBothWays(g *gate, o *otherRelay) {
	l.t.Helper()
	o.client.Session().SendUrgent(wire.UrgentFederationFetch, []byte("there"))
	l.acceptedBy(g).SendUrgent(wire.UrgentFederationFetch, []byte("back"))
	time.Sleep(time.Second)
	there, back := g.ears.messages(), o.side.ears.messages()
	if len(there) != 1 || there[0].body != "there" || len(back) != 1 || back[0].body != "back" {
		l.t.Errorf("got %v and %v", there, back)
	}
}

// TestPeerLinkThroughLoss wants links up at 40 % loss.
func TestPeerLinkThroughLoss(t *testing.T) {
	peerLab(t, simnet.Profile{Delay: 50 * time.Millisecond, Loss: 0.4, Seed: 3}, func(l *lab, g *gate) {
		l.linked()
	})
}

func TestUnknownPeerIsRefused(t *testing.T) {
	inLab(t, trunkProfile, Config{Peers: newGate(newIdentity(7))}, func(l *lab) {
		o, start := l.otherRelay(), time.Now()
		err := o.dial(time.Minute)
		if !errors.Is(err, ErrPeerRefused) || !errors.As(err, new(*FinalError)) {
			l.t.Errorf("dialled with %v", err)
		}
		if took := time.Since(start); took > time.Second {
			l.t.Errorf("it took %v", took)
		}
		time.Sleep(time.Second)
		if n := l.relay.Drops().Count(drops.UnknownPeer); n != 1 || len(l.relay.Sessions()) != 0 ||
			l.relay.pending.total() != 0 {
			l.t.Errorf("%d refused, %d sessions, %d handshakes", n, len(l.relay.Sessions()),
				l.relay.pending.total())
		}
	})
}

func TestPeerOfAnotherKeyIsRefused(t *testing.T) {
	peerLab(t, trunkProfile, func(l *lab, g *gate) {
		o := l.otherRelay()
		o.config.CheckRelay = checkKey(newIdentity(99).Public())
		err := o.dial(time.Minute)
		if wrong := new(wrongRelayError); !errors.As(err, &wrong) || wrong.got != l.key.Public() {
			l.t.Errorf("dialled with %v", err)
		}
		if opened, _ := g.links(); len(opened) != 0 {
			l.t.Error("a session was made")
		}
	})
}

// TestNoPeersAreTaken dials a relay without federation, whose clients do not notice.
func TestNoPeersAreTaken(t *testing.T) {
	inLab(t, trunkProfile, Config{}, func(l *lab) {
		p, o := l.joined(), l.otherRelay()
		if err := o.dial(5 * time.Second); err == nil {
			l.t.Error("a peer link is up")
		}
		if l.relay.Drops().Count(drops.UnknownPeer) == 0 || l.sfu.live() != 1 || p.client.Session().Over() {
			l.t.Errorf("%d sessions, dropped: %s", l.sfu.live(), l.relay.Drops())
		}
	})
}

func TestAcceptorRefusesPeer(t *testing.T) {
	peerLab(t, trunkProfile, func(l *lab, g *gate) {
		g.refuse.Store(&wire.Refused{Code: wire.CodeTooManySessions})
		if err := l.otherRelay().dial(time.Minute); refusedCode(err) != wire.CodeTooManySessions {
			l.t.Errorf("dialled with %v", err)
		}
		if _, over := g.links(); len(over) != 0 || len(l.relay.Sessions()) != 0 {
			l.t.Errorf("%d ends, %d sessions", len(over), len(l.relay.Sessions()))
		}
	})
}

// TestPeerEndsWhileItIsAccepted has the acceptor change its mind.
func TestPeerEndsWhileItIsAccepted(t *testing.T) {
	peerLab(t, trunkProfile, func(l *lab, g *gate) {
		g.onAccept = func(s *Session) { s.End(wire.CloseReplaced) }
		o := l.otherRelay()
		if err := o.dial(5 * time.Second); err == nil {
			l.t.Error("a link is up")
		}
		opened, over := g.links()
		if len(opened) == 0 || len(over) != len(opened) || len(l.relay.Sessions()) != 0 ||
			idsOf(l.relay) != 0 {
			l.t.Errorf("%d links, %d have ended, %d sessions, %d connection ids", len(opened), len(over),
				len(l.relay.Sessions()), idsOf(l.relay))
		}
	})
}

// TestPeerIsToldFromTheFirst gives a link something to say before it can.
func TestPeerIsToldFromTheFirst(t *testing.T) {
	peerLab(t, trunkProfile, func(l *lab, g *gate) {
		g.onAccept = func(s *Session) { s.SendUrgent(wire.UrgentFederationRoom, []byte("news")) }
		o, start := l.otherRelay(), time.Now()
		if err := o.dial(5 * time.Second); err != nil {
			l.t.Fatal(err)
		}
		l.eventually("the news", time.Second, func() bool { return len(o.side.ears.messages()) == 1 })
		if took := time.Since(start); took > 300*time.Millisecond {
			l.t.Errorf("it took %v", took)
		}
	})
}

// TestPeerConnectionsAtOnce has several connections of one session come at the same time: they are one link.
func TestPeerConnectionsAtOnce(t *testing.T) {
	g := newGate()
	g.onAccept = func(*Session) { time.Sleep(10 * time.Millisecond) }
	relay := newSide(t, false)
	relay.ep.config.Peers = g
	hello := &wire.Hello{Session: [16]byte{9}, Identity: newIdentity(150).Public()}
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if s, err := relay.ep.sessionFor(hello, relayAddr.Addr(), forPeer); err != nil || !s.Peer() {
				t.Error(s, err)
			}
		})
	}
	wg.Wait()
	if opened, over := g.links(); len(opened) != 1 || len(over) != 0 {
		t.Errorf("%d links, %d have ended", len(opened), len(over))
	}
}

func TestPeerEndsOnce(t *testing.T) {
	peerLab(t, trunkProfile, func(l *lab, g *gate) {
		o := l.linked()
		s := l.acceptedBy(g)
		o.client.Close()
		time.Sleep(time.Second)
		if _, over := g.links(); len(over) != 1 || over[0].s != s || over[0].code != wire.CloseLeft ||
			len(l.sfu.endings()) != 0 {
			l.t.Errorf("ended %v, as a client %v", over, l.sfu.endings())
		}
		if len(l.relay.Sessions()) != 0 || len(o.ep.Sessions()) != 0 {
			l.t.Error("a session is left")
		}
	})
}

// TestPeerReattaches has the QUIC connection die: the session, its aliases and its urgent messages go on.
func TestPeerReattaches(t *testing.T) {
	peerLab(t, trunkProfile, func(l *lab, g *gate) {
		o := l.linked()
		s, dialled := l.acceptedBy(g), o.client.Session()
		sendTrunk(o.ep, dialled, 3, 0)
		time.Sleep(time.Second)
		o.client.mu.Lock()
		conn := o.client.current.conn
		o.client.mu.Unlock()
		conn.CloseWithError(quicEnded, "test")
		sendTrunk(o.ep, dialled, 3, 1)
		time.Sleep(5 * time.Second)
		sendTrunk(o.ep, dialled, 3, 2)
		l.checkUrgentBothWays(g, o)
		if a := o.side.ears.attachments(); len(a) != 2 || a[1].fresh {
			l.t.Errorf("attached %v", a)
		}
		if l.acceptedBy(g) != s || o.client.Session() != dialled {
			l.t.Error("it is another session")
		}
		if frames, bound := g.arrived(); len(frames) != 9 || bound != 3 {
			l.t.Errorf("%d frames came, %d streams were bound", len(frames), bound)
		}
		if n := len(g.questions()); n != 2 {
			l.t.Errorf("the key was checked %d times for two connections", n)
		}
	})
}

// TestPeerRestarts has the accepting relay forget everything.
func TestPeerRestarts(t *testing.T) {
	peerLab(t, trunkProfile, func(l *lab, g *gate) {
		o := l.linked()
		before := o.client.Session()
		l.killRelay()
		again := newGate(o.id)
		l.startRelay(Config{Peers: again})
		l.eventually("attached again", 10*time.Second,
			func() bool { return len(o.side.ears.attachments()) == 2 })
		if a := o.side.ears.attachments(); !a[1].fresh || o.client.Session() == before ||
			!o.client.Session().Peer() {
			l.t.Errorf("attached %v", a)
		}
		l.checkUrgentBothWays(again, o)
	})
}

// TestPeerIsNotWelcomeAnyMore has the key struck off the list while the link is down.
func TestPeerIsNotWelcomeAnyMore(t *testing.T) {
	peerLab(t, trunkProfile, func(l *lab, g *gate) {
		o := l.linked()
		g.gmu.Lock()
		clear(g.known)
		g.gmu.Unlock()
		l.acceptedBy(g).End(wire.CloseShuttingDown)
		if err := o.client.Err(); !errors.Is(err, ErrPeerRefused) {
			l.t.Errorf("ended with %v", err)
		}
	})
}

// TestPeerIsHeardEverySecond wants signs of life on an idle link.
func TestPeerIsHeardEverySecond(t *testing.T) {
	peerLab(t, trunkProfile, func(l *lab, g *gate) {
		o := l.linked()
		s := l.acceptedBy(g)
		time.Sleep(5 * time.Second)
		sent := o.client.Session().Counts().PacketsSent
		for range 600 {
			time.Sleep(100 * time.Millisecond)
			if !s.ReceivedWithin(1700*time.Millisecond) ||
				!o.client.Session().ReceivedWithin(1700*time.Millisecond) {
				l.t.Fatal("nothing was heard for 1.7 s")
			}
		}
		if n := o.client.Session().Counts().PacketsSent - sent; n < 40 || n > 130 {
			l.t.Errorf("%d packets in a minute of silence", n)
		}
	})
}

// TestTrunk sends the frames of several talkers in one packet, announced until the alias is acknowledged.
func TestTrunk(t *testing.T) {
	peerLab(t, trunkProfile, func(l *lab, g *gate) {
		o := l.linked()
		s := o.client.Session()
		const talkers, ticks = 20, 50
		for ctr := range uint64(ticks) {
			sendTrunk(o.ep, s, talkers, ctr)
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(time.Second)
		frames, bound := g.arrived()
		if len(frames) != talkers*ticks || bound != talkers {
			l.t.Fatalf("%d frames came, %d streams were bound", len(frames), bound)
		}
		for i, f := range frames {
			m := trunkMedia(true, uint16(i%talkers), "lab", wire.KID(i%talkers), uint64(i/talkers))
			if want := (trunkFrame{m.Room, m.KID, m.CTR, m.Layer, string(m.Ciphertext)}); f != want {
				l.t.Fatalf("frame %d is %v, want %v", i, f, want)
			}
		}
		for i := range uint16(talkers) {
			if !s.AliasKnown(i) {
				l.t.Errorf("alias %d was not acknowledged", i)
			}
		}
		if c := s.Counts(); c.MediaSent != ticks || c.MediaHeld != 0 || s.Quality().Loss > 0 {
			l.t.Errorf("counts %+v, quality %+v", c, s.Quality())
		}
	})
}

// TestTrunkBackwards sends from the accepting side.
func TestTrunkBackwards(t *testing.T) {
	peerLab(t, trunkProfile, func(l *lab, g *gate) {
		o := l.linked()
		time.Sleep(time.Second)
		for ctr := range uint64(5) {
			sendTrunk(l.relay, l.acceptedBy(g), 4, ctr)
			time.Sleep(100 * time.Millisecond)
		}
		if frames, bound := o.side.arrived(); len(frames) != 20 || bound != 4 {
			l.t.Errorf("%d frames came, %d streams were bound", len(frames), bound)
		}
	})
}

// TestPeerBreaker cuts the path: no media after 5 s, what is left of each packet is counted.
func TestPeerBreaker(t *testing.T) {
	peerLab(t, trunkProfile, func(l *lab, g *gate) {
		o := l.linked()
		s := o.client.Session()
		l.net.Block(o.addr.Addr(), relayAddr.Addr(), true)
		for ctr := range uint64(10 * 50) {
			sendTrunk(o.ep, s, 3, ctr)
			time.Sleep(20 * time.Millisecond)
		}
		c := s.Counts()
		if c.MediaSent < 240 || c.MediaSent > 265 || c.MediaHeld != 3*(500-c.MediaSent) {
			l.t.Errorf("%d packets sent, %d frames held back", c.MediaSent, c.MediaHeld)
		}
		before := c.PacketsSent
		o.ep.WithTx(func(tx *Tx) {
			s.SendPacket(tx, wire.AppendFrame(nil, wire.FramePadding, make([]byte, 2),
				true), 0)
		})
		if s.Counts().PacketsSent != before+1 {
			l.t.Error("the breaker held back what is no media")
		}
	})
}

// TestUrgentIsFasterOnPeerLinks sends what a busy relay has to say when a link comes up.
func TestUrgentIsFasterOnPeerLinks(t *testing.T) {
	peerLab(t, simnet.Profile{Delay: 30 * time.Millisecond}, func(l *lab, g *gate) {
		o := l.linked()
		s := o.client.Session()
		start := time.Now()
		for sent := 0; sent < 1000; {
			if s.SendUrgent(wire.UrgentFederationRoom, make([]byte, 1000)) == nil {
				sent++
			} else {
				time.Sleep(5 * time.Millisecond)
			}
		}
		l.eventually("all are acknowledged", time.Minute, func() bool { return s.UrgentPending() == 0 })
		took := time.Since(start)
		l.t.Logf("a megabyte took %v", took)
		if took > 5*time.Second || len(g.ears.messages()) != 1000 {
			l.t.Errorf("%d messages took %v", len(g.ears.messages()), took)
		}
	})
}

// TestRequestsOnPeerLinks are refused on both sides.
func TestRequestsOnPeerLinks(t *testing.T) {
	peerLab(t, trunkProfile, func(l *lab, g *gate) {
		o := l.linked()
		if _, err := o.client.Request(l.t.Context(), &wire.Join{Room: "lab"}); !errors.Is(err,
			ErrPeerRequest) {
			l.t.Errorf("the request: %v", err)
		}
		o.client.mu.Lock()
		stream := o.client.current.stream
		o.client.mu.Unlock()
		if err := writeMessage(stream, &wire.Join{Room: "lab", Entry: []byte{1}}); err != nil {
			l.t.Fatal(err)
		}
		if err := o.client.Err(); refusedCode(err) != wire.CodeProtocol {
			l.t.Errorf("the client ended with %v", err)
		}
		opened, over := g.links()
		if len(over) != 1 || over[0].code != wire.CloseRefused || over[0].s != opened[0] ||
			l.sfu.live() != 0 {
			l.t.Errorf("ended %v", over)
		}
	})
}
