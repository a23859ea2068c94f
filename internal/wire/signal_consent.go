package wire

import "github.com/wzp-voice/wzp/identity"

// MaxConsent is how many seconds ahead a consent may expire.
const MaxConsent = 60

const consentKind = "call consent" // of its signature

// Consent is what a third person signs before a call is transferred to it: that it will talk with the person
// who is to be told to call it, and who is in that call with the one who asks. Nobody is sent to somebody who
// did not agree.
//
//	expiry, Unix seconds (8) || signature (64)
type Consent struct {
	Expiry    uint64
	Signature [identity.SignatureSize]byte // of the third
}

func (c *Consent) fields(l *layout) {
	l.uint64(&c.Expiry)
	l.bytes(c.Signature[:])
}

// Sign signs c with the third's identity: asker transfers its call with person.
func (c *Consent) Sign(third *identity.Identity, asker, person identity.PublicKey, call CallID) {
	copy(c.Signature[:], third.Sign(consentKind, c.signed(&asker, &person, &call)...))
}

// Verify reports whether third signed c. It says nothing of its expiry.
func (c *Consent) Verify(third, asker, person identity.PublicKey, call CallID) bool {
	return identity.Verify(third, consentKind, c.Signature[:], c.signed(&asker, &person, &call)...)
}

func (c *Consent) signed(asker, person *identity.PublicKey, call *CallID) [][]byte {
	return [][]byte{asker[:], person[:], call[:], long(c.Expiry)}
}
