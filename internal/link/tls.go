package link

import (
	"crypto/tls"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/wzp-voice/wzp/identity"
)

// alpn is the protocol name of native clients and relays.
const alpn = "wzp"

// Application error codes of QUIC connections. They are for people who look at captures only.
const (
	quicEnded   = 0 // the session is over, or another attachment took its place
	quicRefused = 1
)

// handshakeTimeout bounds the handshake and the time to a valid Hello: at 60 % loss the default of 5 s
// would fail one handshake in five.
const handshakeTimeout = 20 * time.Second

// maxIdle is how long a connection lives on which nothing is said. Nothing is, once the member list is there;
// keeping it alive would wake a relay for each of its clients, and whether the peer is there is known from
// sealed packets. A session that is over closes its connections.
const maxIdle = time.Hour

// quicConfig is both sides' configuration. The control stream is the only stream, and little flows on it.
func quicConfig() *quic.Config {
	return &quic.Config{
		HandshakeIdleTimeout:           handshakeTimeout,
		MaxIdleTimeout:                 maxIdle,
		MaxIncomingStreams:             1,
		MaxIncomingUniStreams:          -1,
		InitialStreamReceiveWindow:     16 << 10,
		MaxStreamReceiveWindow:         128 << 10,
		InitialConnectionReceiveWindow: 16 << 10,
		MaxConnectionReceiveWindow:     128 << 10,
		DisablePathMTUDiscovery:        true, // nothing on it is large or in a hurry
		InitialPacketSize:              1200,
	}
}

// relayTLS returns a relay's configuration, with a certificate made of its identity.
func relayTLS(cert tls.Certificate) *tls.Config {
	return &tls.Config{
		Certificates:           []tls.Certificate{cert},
		NextProtos:             []string{alpn},
		MinVersion:             tls.VersionTLS13,
		SessionTicketsDisabled: true,
	}
}

// clientTLS returns a configuration that asks check about the relay's identity key.
func clientTLS(serverName string, check func(identity.PublicKey) error) *tls.Config {
	return &tls.Config{
		ServerName: serverName,
		NextProtos: []string{alpn},
		MinVersion: tls.VersionTLS13,
		// A post-quantum key share takes a second packet, each way: at 60 % loss a join then takes twice as
		// long, and at 8 kbit/s it does not come about. What is said is not protected by TLS
		// (docs/threat-model.md).
		CurvePreferences: []tls.CurveID{tls.X25519},
		// The key is what identifies a relay, and VerifyConnection checks it. (VerifyPeerCertificate would
		// be skipped for resumed connections.)
		InsecureSkipVerify:     true, //nolint:gosec // see above
		SessionTicketsDisabled: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			key, err := shownKey(state)
			if err != nil {
				return err
			}
			return check(key)
		},
	}
}
