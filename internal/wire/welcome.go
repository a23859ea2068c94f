package wire

import "github.com/wzp-voice/wzp/identity"

// Welcome is the relay's answer to a Hello:
//
//	{"Welcome":{"connection_id":integer, "reset_token":hex (16), "incarnation":hex (8), "relay":text,
//	 "features":[text, ...], "signature":hex (64)}}
//
// The signature is there for browsers only: others have the relay's key from TLS.
type Welcome struct {
	ConnID      ConnID    // of packets to the relay
	ResetToken  [16]byte  // what a reset of ConnID carries
	Incarnation [8]byte   // random, drawn when the relay made the session: another one means start from zero
	Relay       string    // its version, at most 64 bytes
	Features    []string  // as in Hello
	Signature   *[64]byte // [Welcome.SignWeb] makes it; nil: absent
}

func (m *Welcome) fields(c *codec) {
	c.integer("connection_id", (*uint32)(&m.ConnID), 1, uint32(MaxConnID))
	c.hex("reset_token", m.ResetToken[:])
	c.hex("incarnation", m.Incarnation[:])
	c.text("relay", &m.Relay, MaxName)
	c.features(&m.Features)
	if c.has("signature", m.Signature != nil) {
		if c.decoding {
			m.Signature = new([64]byte)
		}
		c.hex("signature", m.Signature[:])
	}
}

const webWelcomeKind = "web welcome" // of its signature

// webSigned returns what the signature covers, beside its kind. value is what the Hello signed, see [WebHelloValue]:
//
//	value (32), session (16), client's identity key (32)
func webSigned(value [ExporterSize]byte, session [16]byte, client identity.PublicKey) [][]byte {
	return [][]byte{value[:], session[:], client[:]}
}

// SignWeb sets Signature: the relay answers the Hello with that value, session and identity.
func (m *Welcome) SignWeb(relay *identity.Identity, value [ExporterSize]byte, session [16]byte, client identity.PublicKey) {
	m.Signature = (*[64]byte)(relay.Sign(webWelcomeKind, webSigned(value, session, client)...))
}

// VerifyWeb reports whether the relay with that key answers the client's own Hello.
func (m *Welcome) VerifyWeb(relay identity.PublicKey, value [ExporterSize]byte, session [16]byte, client identity.PublicKey) bool {
	return m.Signature != nil && identity.Verify(relay, webWelcomeKind, m.Signature[:], webSigned(value, session, client)...)
}
