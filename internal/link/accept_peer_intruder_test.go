package link

import (
	"context"
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/simnet"
	"github.com/wzp-voice/wzp/internal/wire"
)

// dialAs completes a handshake with a server name, an ALPN and a certificate, if id is not nil. That the
// relay takes it shows later only.
func (s *stranger) dialAs(serverName, proto string, id *identity.Identity) (*quic.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	config := clientTLS(serverName, func(identity.PublicKey) error { return nil })
	config.NextProtos = []string{proto}
	if id != nil {
		cert, err := id.TLSCertificate()
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{cert}
	}
	return s.transport.Dial(ctx, net.UDPAddrFromAddrPort(relayAddr), config, quicConfig())
}

// hello returns a Hello of id on a connection, for a session.
func (s *stranger) hello(conn *quic.Conn, id *identity.Identity, session [16]byte) []byte {
	s.lab.t.Helper()
	keys, err := export(conn.ConnectionState().TLS)
	if err != nil {
		s.lab.t.Fatal(err)
	}
	hello := &wire.Hello{Name: "thief", Session: session, ConnID: 1}
	hello.Sign(id, keys.hello, s.lab.key.Public())
	message, err := wire.AppendMessage(nil, hello)
	if err != nil {
		s.lab.t.Fatal(err)
	}
	return message
}

// TestPeerWithoutProofIsRefused has strangers use the server name of peers without the certificate that
// belongs to it.
func TestPeerWithoutProofIsRefused(t *testing.T) {
	peer := newIdentity(150)
	for name, test := range map[string]struct {
		proto string
		shows *identity.Identity // nil: no certificate
		says  *identity.Identity
		asked int
		code  wire.Code // empty: TLS refuses it, without an answer
	}{
		"no certificate":            {alpn, nil, peer, 0, ""},
		"an unknown certificate":    {alpn, newIdentity(66), peer, 1, ""},
		"a Hello of another":        {alpn, peer, newIdentity(66), 1, wire.CodeSignature},
		"a browser's protocol":      {http3.NextProtoH3, peer, peer, 0, ""},
		"the relay's own key in it": {alpn, peer, newIdentity(200), 1, wire.CodeSignature},
	} {
		t.Run(name, func(t *testing.T) {
			peerLab(t, trunkProfile, func(l *lab, g *gate) {
				s := l.stranger(attacker)
				var answer []byte
				if conn, err := s.dialAs(PeerServerName, test.proto, test.shows); err == nil {
					answer = s.say(conn, s.hello(conn, test.says, [16]byte{1}))
				}
				if test.code != "" {
					l.checkRefused(answer, test.code)
				} else if len(answer) > 0 {
					l.t.Errorf("answered %q", answer)
				}
				time.Sleep(5 * time.Second)
				opened, _ := g.links()
				if n := len(g.questions()); n != test.asked || len(opened) != 0 || l.sfu.live() != 0 ||
					len(l.relay.Sessions()) != 0 {
					l.t.Errorf("%d keys were checked, %d links, %d clients", n, len(opened), l.sfu.live())
				}
				if n := l.relay.pending.total(); n != 0 {
					l.t.Errorf("%d handshakes are still counted", n)
				}
			})
		})
	}
}

// TestStolenCertificate shows the certificate of a peer, which everybody who dials it sees, without its key.
func TestStolenCertificate(t *testing.T) {
	peerLab(t, trunkProfile, func(l *lab, g *gate) {
		stolen, err := newIdentity(150).TLSCertificate()
		if err != nil {
			l.t.Fatal(err)
		}
		own, err := newIdentity(66).TLSCertificate()
		if err != nil {
			l.t.Fatal(err)
		}
		stolen.PrivateKey = own.PrivateKey
		s := l.stranger(attacker)
		config := clientTLS(PeerServerName, func(identity.PublicKey) error { return nil })
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate,
			error) {
			return &stolen, nil
		}
		ctx, cancel := context.WithTimeout(l.t.Context(), 2*time.Second)
		defer cancel()
		if conn, err := s.transport.Dial(ctx, net.UDPAddrFromAddrPort(relayAddr), config,
			quicConfig()); err == nil {
			if answer := s.say(conn, s.hello(conn, newIdentity(66), [16]byte{1})); len(answer) > 0 {
				l.t.Errorf("answered %q", answer)
			}
		}
		time.Sleep(time.Second)
		if opened, _ := g.links(); len(opened) != 0 || len(l.relay.Sessions()) != 0 ||
			len(g.questions()) != 1 {
			l.t.Errorf("%d links, %d keys were checked", len(opened), len(g.questions()))
		}
	})
}

// TestSessionsStayOfTheirKind has those who know a session's id, and are who it belongs to, attach to it as
// what it is not; and others who are peers, too.
func TestSessionsStayOfTheirKind(t *testing.T) {
	const client, peer, probe = "", PeerServerName, ProbeServerName
	for name, test := range map[string]struct {
		of     func(l *lab) [16]byte
		server string
		id     *identity.Identity
	}{
		"a client's as a peer":        {clientSession, peer, newIdentity(1)},
		"a peer's as a client":        {peerSession, client, newIdentity(150)},
		"a peer's as another peer":    {peerSession, peer, newIdentity(1)},
		"a client's as another peer":  {clientSession, peer, newIdentity(150)},
		"a peer's as another, client": {peerSession, client, newIdentity(1)},
		"a client's as a probe link":  {clientSession, probe, newIdentity(1)},
		"a peer's as a probe link":    {peerSession, probe, newIdentity(150)},
		"a probe link as a client":    {probeSession, client, newIdentity(1)},
		"a probe link as a peer":      {probeSession, peer, newIdentity(1)},
		"a probe link as another":     {probeSession, probe, newIdentity(2)},
	} {
		t.Run(name, func(t *testing.T) {
			peerLab(t, trunkProfile, func(l *lab, g *gate) {
				session := test.of(l)
				g.gmu.Lock()
				g.known[test.id.Public()] = true
				g.gmu.Unlock()
				s := l.stranger(attacker)
				conn, err := s.dialAs(test.server, alpn, test.id)
				if err != nil {
					l.t.Fatal(err)
				}
				l.checkRefused(s.say(conn, s.hello(conn, test.id, session)), wire.CodeSignature)
				if all := l.relay.Sessions(); len(all) != 1 || attachmentsOf(all[0]) != 1 {
					l.t.Errorf("%d sessions", len(all))
				}
			})
		})
	}
}

// clientSession returns the session id of a client, who is newIdentity(1).
func clientSession(l *lab) [16]byte { return l.joined().client.id }

func peerSession(l *lab) [16]byte { return l.linked().client.id }

// probeSession returns the session id of a probe link, of newIdentity(1).
func probeSession(l *lab) [16]byte {
	p := l.person()
	if err := p.probe(); err != nil {
		l.t.Fatal(err)
	}
	return p.client.id
}

// TestClientsAreNotAskedForCertificates also offers one: who is a client stays one.
func TestClientsAreNotAskedForCertificates(t *testing.T) {
	peerLab(t, trunkProfile, func(l *lab, g *gate) {
		s := l.stranger(attacker)
		for _, serverName := range []string{"", "_FEDERATION", "_federation.example.org",
			"relay.example.org"} {
			config := clientTLS(serverName, func(identity.PublicKey) error { return nil })
			asked := false
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				asked = true
				cert, err := newIdentity(150).TLSCertificate()
				return &cert, err
			}
			ctx, cancel := context.WithTimeout(l.t.Context(), 2*time.Second)
			conn, err := s.transport.Dial(ctx, net.UDPAddrFromAddrPort(relayAddr), config, quicConfig())
			cancel()
			if err != nil {
				l.t.Fatal(err)
			}
			stream, err := conn.OpenStream()
			if err != nil {
				l.t.Fatal(err)
			}
			stream.Write(s.hello(conn, newIdentity(150), [16]byte{9}))
			if m, err := wire.ReadMessage(stream); err != nil || wire.MessageName(m) != "Welcome" {
				l.t.Errorf("%q: %v, %v", serverName, m, err)
			}
			if all := l.relay.Sessions(); asked || len(all) != 1 || all[0].Peer() {
				l.t.Errorf("%q: asked %v, %d sessions", serverName, asked, len(all))
			}
			conn.CloseWithError(0, "")
		}
		if n := len(g.questions()); n != 0 {
			l.t.Errorf("%d keys were checked", n)
		}
	})
}

// TestOtherFormsOfMedia are dropped: media names its room on peer links, and nowhere else.
func TestOtherFormsOfMedia(t *testing.T) {
	peerLab(t, simnet.Profile{Delay: 5 * time.Millisecond}, func(l *lab, g *gate) {
		p, o := l.joined(), l.linked()
		tagged := wire.AppendMedia(nil, trunkMedia(false, 0, "lab", p.kid, 0), true)
		plain := *trunkMedia(false, 0, "lab", p.kid, 0)
		plain.Tagged = false
		o.ep.WithTx(func(tx *Tx) {
			o.client.Session().SendPacket(tx, wire.AppendMedia(nil, &plain, true),
				1)
		})
		p.ep.WithTx(func(tx *Tx) { p.client.Session().SendPacket(tx, tagged, 1) })
		time.Sleep(time.Second)
		if frames, bound := g.arrived(); len(frames) != 0 || bound != 0 {
			l.t.Errorf("%d untagged frames came over a peer link", len(frames))
		}
		if h := l.sfu.of(p.kid); len(h.at) != 0 || l.relay.Drops().Count(drops.NotBound) != 2 {
			l.t.Errorf("%d tagged frames came from a client; %d unbound", len(h.at),
				l.relay.Drops().Count(drops.NotBound))
		}
	})
}

// TestAliasOfAnotherRoom has one alias stand for the same KID in two rooms, one after the other.
func TestAliasOfAnotherRoom(t *testing.T) {
	peerLab(t, simnet.Profile{Delay: 5 * time.Millisecond}, func(l *lab, g *gate) {
		o := l.linked()
		for ctr, m := range []*wire.Media{
			trunkMedia(false, 0, "one", 2, 0), trunkMedia(true, 0, "", 0, 1),
			trunkMedia(false, 0, "two", 2, 2), trunkMedia(true, 0, "", 0, 3),
		} {
			o.ep.WithTx(func(tx *Tx) { o.client.Session().SendPacket(tx, wire.AppendMedia(nil, m, true), 1) })
			time.Sleep(100 * time.Millisecond)
			frames, bound := g.arrived()
			room := wire.HashRoom([]string{"one", "two"}[ctr/2])
			if len(frames) != ctr+1 || bound != 1+ctr/2 || frames[ctr].room != room ||
				frames[ctr].ctr != uint64(ctr) {
				l.t.Fatalf("frame %d: %v, %d streams were bound", ctr, frames, bound)
			}
		}
	})
}
