package link

import (
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/quic-go/quic-go"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/wire"
)

// PeerServerName is the TLS server name of peer links, those between relays (docs/protocol.md, section 9).
// Who dials with it shows a certificate, too.
//
//	dialler                                            accepting relay
//	ClientHello, SNI _federation ───────────────────>  Config.Peers? none: refused
//	ClientConfig.CheckRelay <──── certificate, its request
//	certificate ────────────────────────────────────>  Peers.CheckPeer
//	Hello ──────────────────────────────────────────>  is it the certificate's identity? Peers.AcceptPeer
//	Dial returns <─────────────────────────── Welcome
//
// From then on it is a session as any other, but that it asks nothing on the control stream, that media on it
// is tagged with its room, and that urgent messages are paced for a better path.
const PeerServerName = "_federation"

// ErrPeerRefused is why Dial with ClientConfig.Peer fails when the other relay does not take our key.
var ErrPeerRefused = errors.New(
	"link: the other relay refuses our key: it must be among its peers or trusted relays")

// ErrPeerRequest is returned for a request on a peer link.
var ErrPeerRequest = errors.New("link: a peer link takes no requests")

var (
	errNoPeers   = errors.New("link: this endpoint takes no peer links")
	errPeerJoins = &wire.Refused{Code: wire.CodeProtocol, Reason: "a peer link takes no requests"}
)

// serverTLS returns the configuration of a listener: peers are asked for a certificate, and nobody else is.
// h3 is for browsers; nil: there are none.
func (ep *Endpoint) serverTLS(h3 *tls.Config) *tls.Config {
	config := relayTLS(ep.cert)
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		switch {
		case hello.ServerName == PeerServerName:
			return ep.peerTLS(hello)
		case h3 != nil && ofBrowser(hello):
			return h3, nil
		}
		return nil, nil
	}
	return config
}

// peerTLS returns the configuration for a dialler that says it is a relay.
func (ep *Endpoint) peerTLS(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	if ep.config.Peers == nil {
		ep.drops.Add(drops.UnknownPeer, 1)
		return nil, errNoPeers
	}
	remote := addrPort(hello.Conn.RemoteAddr())
	config := relayTLS(ep.cert)
	config.ClientAuth = tls.RequireAnyClientCert
	config.VerifyConnection = func(state tls.ConnectionState) error {
		key, err := shownKey(state)
		if err == nil {
			err = ep.config.Peers.CheckPeer(key, remote)
		}
		if err != nil {
			ep.drops.Add(drops.UnknownPeer, 1)
		}
		return err
	}
	return config, nil
}

// refusedPeer makes it final when the other relay has refused our certificate. It does that after our
// handshake is complete, so that nobody on the way can say it in its place.
func refusedPeer(err error) error {
	closed := new(quic.TransportError)
	if errors.As(err, &closed) && closed.Remote && closed.ErrorCode.IsCryptoError() {
		return &FinalError{fmt.Errorf("%w (%w)", ErrPeerRefused, err)}
	}
	return err
}

// purposeOf tells what an accepted connection is for, by its server name. It fails if the Hello of a peer,
// which is proved, is not of the identity that its certificate proved.
func purposeOf(state tls.ConnectionState, hello *wire.Hello) (purpose, error) {
	switch state.ServerName {
	case ProbeServerName:
		return forProbe, nil
	case PeerServerName:
		if key, err := shownKey(state); err != nil || key != hello.Identity {
			return forPeer, &wire.Refused{Code: wire.CodeSignature}
		}
		return forPeer, nil
	}
	return forClient, nil
}

// answer returns the answer to a control message, nil if there is none.
func (ep *Endpoint) answer(s *Session, m wire.Message) wire.Message {
	if s.purpose() == forClient {
		return s.requests.Control(s, m)
	}
	if _, ok := m.(*wire.Leave); ok {
		s.End(wire.CloseLeft)
		return nil
	}
	if s.probe != nil {
		return errProbeSays
	}
	return errPeerJoins
}

// shownKey returns the identity key of the certificate that the other side showed.
func shownKey(state tls.ConnectionState) (identity.PublicKey, error) {
	if len(state.PeerCertificates) == 0 {
		return identity.PublicKey{}, errors.New("the relay showed no certificate")
	}
	return identity.PublicKeyFromCertificate(state.PeerCertificates[0])
}
