package wire

import "github.com/wzp-voice/wzp/identity"

// ChallengeSize is the length of a Greeting's challenge in bytes.
const ChallengeSize = 32

// Greeting is the relay's first message to a browser, which says Hello then:
//
//	{"Greeting":{"relay":hex (32), "challenge":hex (32)}}
type Greeting struct {
	Relay     identity.PublicKey  // what the relay says its key is: Welcome proves it
	Challenge [ChallengeSize]byte // random, of this connection; [WebHelloValue] takes it
}

func (m *Greeting) fields(c *codec) {
	c.hex("relay", m.Relay[:])
	c.hex("challenge", m.Challenge[:])
}
