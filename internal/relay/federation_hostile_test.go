package relay

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/wire"
)

// siege is a relay with a hostile peer, while two of its members talk with each other and with one of an
// honest peer's. Whatever the rogue does, these three hear each other, every frame once, and the lists stay
// as they are.
//
//	a, b ── victim ── honest ── c
//	           |
//	         rogue
type siege struct {
	*mesh
	victim, honest *node
	a, b, c        *person
	rogue          *rogue
	talk           *call
	// the two relays may complain of each other: they were parted, or one passes on what is too much
	blamed bool
}

// besiege runs f while the three talk. The rogue is configured, and has no link yet.
func besiege(t *testing.T, f func(s *siege)) {
	t.Helper()
	inMesh(t, func(m *mesh) {
		s := &siege{mesh: m, victim: m.node(), honest: m.node(), rogue: m.rogue()}
		s.victim.knows(s.honest)
		s.victim.trusts(s.rogue).up()
		s.honest.up()
		m.linked(s.victim, s.honest)
		s.a, s.b, s.c = s.victim.joined(globalRoom), s.victim.joined(globalRoom), s.honest.joined(globalRoom)
		m.agree("before", time.Second, s.a, s.b, s.c)
		s.talk = m.call(0, s.a, s.b, s.c)
		time.Sleep(time.Second)
		f(s)
		s.talk.end("under attack", 0)
		if !s.blamed {
			s.honest.quiet("under attack", "A")
			s.victim.quiet("under attack", "B")
		}
	})
}

// unmoved wants the lists to be as they were, and the relay to hold nothing of the rogue's.
func (s *siege) unmoved(what string) {
	s.t.Helper()
	s.agree(what, 30*time.Second, s.a, s.b, s.c)
	for _, n := range s.nodes {
		n.want(what+": "+n.name, map[string]float64{"rooms": 1, "bridged_rooms": 1, "streams": 3})
	}
	for _, p := range []*person{s.a, s.b, s.c} {
		p.ears.mu.Lock()
		for _, q := range []*person{s.a, s.b, s.c} {
			if slices.Contains(p.ears.left, q.member) {
				s.t.Errorf("%s: %v seemed to leave", what, q.member)
			}
		}
		if len(p.ears.detached) > 0 {
			s.t.Errorf("%s: connections were lost for %q", what, p.ears.detached)
		}
		p.ears.mu.Unlock()
	}
}

// TestWrongKey has the relay dial a peer where another one answers.
func TestWrongKey(t *testing.T) {
	besiege(t, func(s *siege) {
		expected := newIdentity(240).Fingerprint()
		s.victim.peers = append(s.victim.peers,
			FederationPeer{Address: s.rogue.addr.String(), Fingerprint: expected, Label: "far"})
		s.victim.relay.Reload(s.victim.federation())
		time.Sleep(3 * time.Minute)
		s.victim.says("another key", "level=WARN", "label=far",
			"the relay that answers has the fingerprint "+s.rogue.key.Fingerprint().String(),
			expected.String(), s.rogue.addr.String(), "check the peer's url and fingerprint")
		if n := s.victim.logged.lines("label=far"); n > 8 {
			t.Errorf("three minutes have %d lines", n)
		}
		if status := s.victim.status("far"); status.Up || status.Problem == "" || s.rogue.now() != nil {
			t.Errorf("the status is %+v", status)
		}
		s.unmoved("another key")
	})
}

// TestUnknownPeers has many relays dial that are not configured.
func TestUnknownPeers(t *testing.T) {
	besiege(t, func(s *siege) {
		stranger := s.mesh.rogue()
		if err := stranger.dial(s.victim); err == nil {
			t.Fatal("it was taken")
		}
		s.victim.says("a stranger", "level=WARN", "refused a relay that is not configured", "[[peers]]",
			"[[trusted]]",
			"fingerprint = '"+stranger.key.Fingerprint().String()+"'", stranger.addr.Addr().String())
		if n := s.victim.logged.lines(stranger.key.Fingerprint().String()); n != 1 {
			t.Errorf("it is named %d times", n)
		}
		for n := range 100 { // anybody can make keys
			s.raw(newIdentity(byte(100+n%50)), newIdentity(byte(n)))
		}
		if n := s.victim.logged.lines("refused a relay that is not configured"); n > 32 {
			t.Errorf("the log names %d of them", n)
		}
		time.Sleep(time.Minute)
		s.raw(newIdentity(250), newIdentity(250))
		s.victim.says("there are more", "level=WARN", "further relays that are not configured are refused")
		s.unmoved("strangers")
		s.victim.want("strangers", map[string]float64{"peers_up": 1, "sessions": 2})
	})
}

// raw dials the victim with the certificate of one identity, and says Hello as another. It returns what is
// answered.
func (s *siege) raw(shows, says *identity.Identity) wire.Message {
	s.t.Helper()
	s.rogues++
	conn, err := s.net.Listen(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 3, byte(s.rogues)}), 4433))
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	transport := &quic.Transport{Conn: conn}
	defer transport.Close()
	cert, err := shows.TLSCertificate()
	if err != nil {
		s.t.Fatal(err)
	}
	config := &tls.Config{
		InsecureSkipVerify: true, NextProtos: []string{"wzp"}, MinVersion: tls.VersionTLS13,
		ServerName: link.PeerServerName, Certificates: []tls.Certificate{cert},
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Second)
	defer cancel()
	c, err := transport.Dial(ctx, net.UDPAddrFromAddrPort(s.victim.addr), config, nil)
	if err != nil {
		return nil
	}
	stream, err := c.OpenStreamSync(ctx)
	if err != nil {
		return nil
	}
	state := c.ConnectionState().TLS
	exporter, err := state.ExportKeyingMaterial(wire.ExporterLabel, nil, wire.ExporterSize)
	if err != nil {
		s.t.Fatal(err)
	}
	hello := &wire.Hello{Name: "thief", Client: "thief", Session: [16]byte{1}, ConnID: 7}
	hello.Sign(says, exporter, s.victim.key.Public())
	b, err := wire.AppendMessage(nil, hello)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := stream.Write(b); err != nil {
		return nil
	}
	stream.SetReadDeadline(time.Now().Add(2 * time.Second))
	m, err := wire.ReadMessage(stream)
	if err != nil {
		return nil
	}
	return m
}

// TestStolenFingerprint has a peer, and a stranger, say in messages that they are another relay.
func TestStolenFingerprint(t *testing.T) {
	besiege(t, func(s *siege) {
		// In Hello: neither who is configured becomes another one by that, nor who is not.
		for _, thief := range []*identity.Identity{s.rogue.key, newIdentity(240)} {
			switch m := s.raw(thief, s.honest.key).(type) {
			case nil:
			case *wire.Refused:
				if m.Code != wire.CodeSignature {
					t.Errorf("refused because of %v", m)
				}
			default:
				t.Errorf("a stolen identity in Hello: %v", m)
			}
		}
		s.victim.want("Hello", map[string]float64{"peers_up": 1})

		// In a record: the honest relay's key, with a signature of the rogue's.
		s.rogue.linked(s.victim)
		forged := s.home(s.rogue.key)
		forged.home = s.honest.key.Public()
		forged.boot += uint64(time.Hour.Milliseconds())
		entries := forged.entries(globalRoom, 3)
		s.rogue.announces(forged, globalRoom, entries, s.rogue.id(), s.honest.id())
		time.Sleep(time.Second)
		s.victim.says("a stolen key in a record", "level=WARN", "peer=rogue", "forged",
			"signature does not verify")

		// In a path: as if the honest relay had said it.
		own := s.home(s.rogue.key)
		s.rogue.announces(own, globalRoom, own.entries(globalRoom, 1), s.honest.id(), s.rogue.id())
		time.Sleep(time.Second)
		s.victim.says("a stolen id in a path", "level=WARN", "peer=rogue", "path",
			"does not begin with the peer")

		// And as the victim itself.
		self := s.home(s.rogue.key)
		self.home = s.victim.key.Public()
		s.rogue.announces(self, globalRoom, self.entries(globalRoom, 1), s.rogue.id(), s.victim.id())
		time.Sleep(time.Second)
		s.unmoved("stolen fingerprints")
		if got := s.victim.dropped(drops.BadAnnouncement); got != 3 {
			t.Errorf("%v problems, want 3", got)
		}
		if s.victim.peerMetric("participants", "rogue") != 0 {
			t.Error("it brings people")
		}
	})
}

// TestEntriesOfOthers has a peer bring a list that it signed itself, with members of other relays in it.
func TestEntriesOfOthers(t *testing.T) {
	besiege(t, func(s *siege) {
		s.rogue.linked(s.victim)
		own := s.home(s.rogue.key)
		for name, entries := range map[string][][]byte{
			"another relay's": {s.c.entry}, "the victim's": {s.a.entry},
			"another room's": own.entries("ops-2", 1),
		} {
			problems := s.victim.dropped(drops.BadAnnouncement)
			s.rogue.announces(own, globalRoom, entries, s.rogue.id())
			s.eventually(name+" member is refused", 2*time.Second,
				func() bool { return s.victim.dropped(drops.BadAnnouncement) > problems })
		}
		s.victim.says("entries of others", "level=WARN", "peer=rogue", "content", "another room or relay")
		s.unmoved("entries of others")
	})
}

// TestReplayedAnnouncement has a peer say again who was there once.
func TestReplayedAnnouncement(t *testing.T) {
	besiege(t, func(s *siege) {
		s.rogue.linked(s.victim)
		gone := s.honest.joined(globalRoom)
		s.agree("one more", time.Second, s.a, s.b, s.c, gone)
		home := s.honest.key.Public()
		var old *wire.FederationRoom
		s.eventually("the rogue hears it", 2*time.Second, func() bool {
			old = s.rogue.about(home, globalRoom)
			return old != nil && old.Record.Members == 2
		})
		gone.client.Close()
		s.agree("it has left", time.Second, s.a, s.b, s.c)
		replay := func() {
			s.rogue.says(&wire.FederationRoom{
				Record: old.Record, Path: []wire.RelayID{s.rogue.id(),
					s.honest.id()}, Joined: [][]byte{s.c.entry, gone.entry},
			})
			time.Sleep(500 * time.Millisecond)
			s.agree("nobody comes back", time.Second, s.a, s.b, s.c)
		}
		replay() // it may just be late
		time.Sleep(12 * time.Second)
		replay()
		s.victim.says("a replay", "level=WARN", "peer=rogue", "replay", "older than what is known")

		// The same when the honest relay cannot be reached, and its part is gone.
		s.cut(s.victim, s.honest, true)
		s.agree("the honest relay is gone", 20*time.Second, s.a, s.b)
		time.Sleep(12 * time.Second)
		replays := s.victim.dropped(drops.BadAnnouncement)
		s.rogue.says(&wire.FederationRoom{
			Record: old.Record, Path: []wire.RelayID{s.rogue.id(),
				s.honest.id()}, Joined: [][]byte{s.c.entry, gone.entry},
		})
		time.Sleep(time.Second)
		s.agree("nobody comes back", time.Second, s.a, s.b)
		if s.victim.dropped(drops.BadAnnouncement) != replays+1 {
			t.Error("the second replay was not noted")
		}
		s.blamed, s.talk.people = true, []*person{s.a, s.b} // who can hear each other
	})
}

// TestForeignMedia has a peer send media as members whose home it is not the way to: the honest relay's, the
// victim's, and of rooms that are not there. Its counters are ahead of the true ones, which must not be taken
// for repeats.
func TestForeignMedia(t *testing.T) {
	besiege(t, func(s *siege) {
		private := s.victim.joined(privateRoom)
		s.rogue.linked(s.victim)
		heard := func() (n int) {
			for _, p := range []*person{s.a, s.b, s.c, private} {
				p.ears.mu.Lock()
				for _, frames := range p.ears.media {
					n += frames
				}
				p.ears.mu.Unlock()
			}
			return n
		}
		for round := range 3 {
			s.rogue.media(1, globalRoom, s.c.kid(0), 20*round, 40)
			s.rogue.media(2, globalRoom, s.a.kid(0), 20*round, 40)
			s.rogue.media(3, globalRoom, s.c.kid(7), 0, 10) // a stream that nobody sends
			s.rogue.media(4, globalRoom, s.a.kid(7), 0, 10)
			s.rogue.media(5, privateRoom, private.kid(0), 0, 10)
			s.rogue.media(6, "ops-9", s.c.kid(0), 0, 10)
			time.Sleep(time.Second)
		}
		if s.a.ears.heard(s.c.kid(7)) > 0 || s.b.ears.heard(s.a.kid(7)) > 0 ||
			s.c.ears.heard(s.a.kid(7)) > 0 || private.ears.heard(private.kid(0)) > 0 {
			t.Error("what the rogue said is heard")
		}
		s.victim.says("foreign media", "level=WARN", "peer=rogue", "is not the way")
		if got := s.victim.dropped(drops.RoomNotFound); got == 0 {
			t.Error("the rooms are there")
		}
		if heard() == 0 {
			t.Error("nobody talks")
		}
		private.client.Close()
		s.unmoved("foreign media")
	})
}

// falseKey returns a key message in a talker's name.
func falseKey(talker wire.MemberID, number uint32) []byte {
	k := wire.Key{Sender: talker, Wrap: make([]byte, wire.WrapFresh)}
	k.Key.KeyHeader = wire.KeyHeader{Suite: 2, Number: number, FirstCTR: 1}
	k.Key.Signed = wire.AppendKeyHeader(nil, &k.Key.KeyHeader)
	k.Key.Signature = make([]byte, identity.SignatureSize)
	return wire.Append(nil, &k)
}

// setDeaf has a client take no urgent messages, or take them again.
func (p *person) setDeaf(deaf bool) {
	p.ears.mu.Lock()
	defer p.ears.mu.Unlock()
	p.ears.deaf = deaf
}

// TestForeignMessages has a peer say things about keys in the names of members whose home it is not the way
// to: to the victim's members, and by the victim to the honest relay's.
func TestForeignMessages(t *testing.T) {
	besiege(t, func(s *siege) {
		s.rogue.linked(s.victim)
		say := func(to wire.MemberID, kind wire.UrgentKind, body []byte) {
			s.rogue.says(&wire.FederationMessage{Hops: wire.MaxHops, Room: wire.HashRoom(globalRoom),
				To: to, Kind: kind, Body: body})
		}
		for _, kind := range []wire.UrgentKind{wire.UrgentKey, wire.UrgentKeysWanted,
			wire.UrgentKeyReceived} {
			say(s.a.member, kind, []byte{1, 2, 3}) // it cannot be read
		}
		for _, talker := range []*person{s.a, s.c} { // of the victim, and beyond it
			others := slices.DeleteFunc([]*person{s.a, s.b, s.c}, func(p *person) bool { return p == talker })
			for _, p := range others {
				p.setDeaf(true)
			}
			talker.announce(1, len(others))
			talker.wraps(1, ids(others)...)
			time.Sleep(500 * time.Millisecond)
			for _, p := range others {
				say(talker.member, wire.UrgentKeyReceived,
					wire.Append(nil, &wire.KeyReceived{From: p.member, Number: 1}))
			}
			say(talker.member, wire.UrgentKeysWanted, wire.AppendKeysWanted(nil, ids(others)...))
			for n := range uint32(4) {
				for _, p := range others {
					say(p.member, wire.UrgentKey, falseKey(talker.member, 10+n))
				}
			}
			time.Sleep(time.Second)
			talker.ears.mu.Lock()
			if len(talker.ears.told) > 0 || len(talker.ears.wanted) > 0 {
				t.Errorf("%v was told that its keys %d are there, and asked by %v", talker.member,
					talker.ears.told, talker.ears.wanted)
			}
			talker.ears.mu.Unlock()
			for _, p := range others { // what waits for them comes now
				p.setDeaf(false)
			}
			s.eventually("the true key is delivered", 3*time.Second,
				func() bool { return talker.delivered(1) })
			time.Sleep(time.Second)
			wantKeys(t, "no others", talker, others, 1)
		}
		if s.victim.dropped(drops.WrongPeer) == 0 {
			t.Error("nothing was refused")
		}
		s.unmoved("foreign messages")
	})
}

// TestShortPath has a peer claim that it is next to everybody. It does not get between relays that have a
// link. Of a relay farther away it may become the way: then it can withhold what comes from there, and
// nothing else.
func TestShortPath(t *testing.T) {
	besiege(t, func(s *siege) {
		far := s.node()
		s.honest.knows(far)
		s.honest.relay.Reload(s.honest.federation())
		far.up()
		s.linked(s.honest, far)
		d := far.joined(globalRoom)
		s.agree("the far relay", 2*time.Second, s.a, s.b, s.c, d)
		s.rogue.linked(s.victim)
		for _, n := range []*node{s.honest, far} {
			var known *wire.FederationRoom
			s.eventually("the rogue hears of it", 2*time.Second, func() bool {
				known = s.rogue.about(n.key.Public(), globalRoom)
				return known != nil
			})
			s.rogue.says(&wire.FederationRoom{Record: known.Record,
				Path: []wire.RelayID{s.rogue.id(), n.id()}})
		}
		time.Sleep(3 * time.Second)
		s.agree("everybody is there", time.Second, s.a, s.b, s.c, d)
		frames := func(kid wire.KID) int {
			s.rogue.mu.Lock()
			defer s.rogue.mu.Unlock()
			return s.rogue.frames[kid]
		}
		if frames(s.c.kid(0)) > 0 || frames(s.a.kid(0)) > 0 {
			t.Error("the rogue gets media that it did not ask for")
		}

		// The far member cannot be removed, nor replaced: there are only the lists that its home signed.
		forged := s.home(s.rogue.key)
		forged.home, forged.boot = far.key.Public(), forged.boot+1_000_000
		s.rogue.announces(forged, globalRoom, nil, s.rogue.id(), far.id())
		s.rogue.announces(forged, globalRoom, forged.entries(globalRoom, 2), s.rogue.id(), far.id())
		time.Sleep(time.Second)
		s.agree("nobody was removed", time.Second, s.a, s.b, s.c, d)
		s.victim.says("a made-up end", "level=WARN", "peer=rogue", "forged")

		// What it takes back has no effect but on its own path, and what it withholds comes again when it is
		// gone.
		s.rogue.says(&wire.FederationLeave{Home: far.id(), Room: wire.HashRoom(globalRoom)})
		s.rogue.says(&wire.FederationLeave{Home: s.honest.id(), Room: wire.HashRoom(globalRoom)})
		time.Sleep(2 * time.Second)
		s.agree("everybody is there without the rogue", time.Second, s.a, s.b, s.c, d)
		all := s.call(3, s.a, s.b, s.c, d)
		time.Sleep(2 * time.Second)
		all.end("without the rogue", 3)
		d.client.Close()
		s.rogue.client.Close()
		s.agree("as before", 5*time.Second, s.a, s.b, s.c)
		time.Sleep(time.Minute) // the streams of that call are forgotten
		s.honest.want("in the end", map[string]float64{"remote_members": 2})
	})
}
