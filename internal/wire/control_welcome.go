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

// SignWeb sets Signature: the relay answers the Hello with that value (see [WebHelloValue]), session and
// identity.
//
//	value (32), session (16), client's identity key (32)
func (m *Welcome) SignWeb(relay *identity.Identity, value [ExporterSize]byte, hello *Hello) {
	m.Signature = (*[64]byte)(relay.Sign(webWelcomeKind, value[:], hello.Session[:], hello.Identity[:]))
}
