package wire

import "github.com/wzp-voice/wzp/identity"

const legKind = "call leg" // of its signature

// CallMedia says that the media frames of a client's session belong to a path from now on
// ([UrgentCallMedia]). With a proof it makes the session a leg of a path that its relay does not know, for
// the relay started anew: the leg waits there for a forward with a higher generation.
//
//	path id (16) || then nothing, or path key (32) || generation (varint) || expiry (8) || signature (64)
type CallMedia struct {
	Path  PathID
	Proof *CallProof // nil: none
}

// CallProof shows that a session is of an end of the path.
type CallProof struct {
	Key        identity.PublicKey           // the path's: Path is its id
	Generation uint64                       // the highest that the end knows of
	Expiry     uint64                       // seconds since 1970
	Signature  [identity.SignatureSize]byte // of Key
}

func (*CallMedia) kind() UrgentKind { return UrgentCallMedia }

func (m *CallMedia) fields(l *layout) {
	l.bytes(m.Path[:])
	if l.writing && m.Proof == nil || !l.writing && len(l.in.b) == 0 {
		return
	}
	p := m.Proof
	if !l.writing {
		p = new(CallProof)
		m.Proof = p
	}
	l.bytes(p.Key[:])
	l.generation(&p.Generation)
	l.uint64(&p.Expiry)
	l.bytes(p.Signature[:])
}

// Sign signs p for a session of who has the identity key session, at the relay with that key: so nobody else
// can use it, and it works at no other relay.
func (p *CallProof) Sign(seed PathSeed, relay, session identity.PublicKey) {
	p.Key = seed.Key()
	p.Signature = seed.sign(legKind, p.signed(relay, session))
}

// Verify reports whether m has a proof that whoever has the path's seed signed for that relay and session.
func (m *CallMedia) Verify(relay, session identity.PublicKey) bool {
	p := m.Proof
	return p != nil && PathIDOf(p.Key) == m.Path &&
		identity.Verify(p.Key, legKind, p.Signature[:], p.signed(relay, session)...)
}

func (p *CallProof) signed(relay, session identity.PublicKey) [][]byte {
	return [][]byte{long(p.Generation), long(p.Expiry), relay[:], session[:]}
}
