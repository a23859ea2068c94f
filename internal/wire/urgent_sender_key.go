package wire

import "github.com/wzp-voice/wzp/identity"

// SenderKey announces a key to the relay, which passes it on to those whose wraps follow.
//
//	recipients (varint) || header || signature (64)
type SenderKey struct {
	Recipients uint32    // how many wraps follow
	Key        SignedKey // aliases what was parsed
}

func (*SenderKey) kind() UrgentKind { return UrgentSenderKey }

func (m *SenderKey) fields(l *layout) {
	l.varint32(&m.Recipients)
	m.Key.fields(l)
}

// KeyHeader is what a talker signs about a sender key; docs/protocol.md, section 7.2.
//
//	suite (1) || key number (4) || epoch (1) || first CTR (varint) || SHA-256(wrapped key) (32)
//	|| member digest (32)
type KeyHeader struct {
	Suite    uint8    // SFrame cipher suite: 2 or 3
	Number   uint32   // counts the talker's headers from 1, always up
	Epoch    uint8    // the low byte of the key's KIDs: generation and ratchet step, 4 bits each
	FirstCTR uint64   // no frame of the key has a lower CTR
	Hash     [32]byte // SHA-256 of the key that is wrapped
	Members  [32]byte // digest of the talker's view of who is in the room, itself included
}

func (h *KeyHeader) fields(l *layout) {
	l.uint8(&h.Suite)
	l.uint32(&h.Number)
	l.uint8(&h.Epoch)
	l.varint(&h.FirstCTR)
	l.bytes(h.Hash[:])
	l.bytes(h.Members[:])
	l.require(h.Suite == 2 || h.Suite == 3, ErrUnknown, "its suite is neither 2 nor 3")
}

// AppendKeyHeader appends h as it is signed.
func AppendKeyHeader(dst []byte, h *KeyHeader) []byte {
	l := layout{out: dst, writing: true}
	h.fields(&l)
	return l.out
}

// SignedKey is a header with its signature, as it travels.
type SignedKey struct {
	KeyHeader
	Signed    []byte // the header's bytes
	Signature []byte // identity.SignatureSize bytes, kind "sender key"; not checked here
}

func (k *SignedKey) fields(l *layout) {
	if l.writing {
		l.put(k.Signed...)
		l.put(k.Signature...)
		return
	}
	start := l.in.b
	k.KeyHeader.fields(l)
	k.Signed = start[:len(start)-len(l.in.b)]
	l.slice(&k.Signature, identity.SignatureSize)
}
