package wire

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"

	"github.com/wzp-voice/wzp/identity"
)

const presenceKind = "presence" // of a state's signature

// PresenceState is what a home signs about who takes calls there: how many, in which version, with a digest
// of their hashes. Relays pass it on unchanged. (Boot, Sequence) is the version.
//
//	boot (8) || sequence (varint) || count (varint) || time (8) || digest (16) || signature (64)
type PresenceState struct {
	Boot      uint64   // rises with every start of the home
	Sequence  uint64   // counts the versions of this boot; 0 is the empty set, with which a boot begins
	Count     uint32   // how many hashes there are
	Time      uint64   // when it was signed, milliseconds since 1970; below 2^63
	Digest    [16]byte // DigestPresence of the hashes
	Signature [identity.SignatureSize]byte
}

func (s *PresenceState) fields(l *layout) {
	l.uint64(&s.Boot)
	l.varint(&s.Sequence)
	l.varint32(&s.Count)
	l.uint64(&s.Time)
	l.require(s.Time>>63 == 0, ErrLimit, "its time is not of this age")
	l.bytes(s.Digest[:])
	l.bytes(s.Signature[:])
}

// Sign signs s as the home whose identity id is.
func (s *PresenceState) Sign(id *identity.Identity) {
	copy(s.Signature[:], id.Sign(presenceKind, s.signed()...))
}

// Verify reports whether home signed s.
func (s *PresenceState) Verify(home identity.PublicKey) bool {
	return identity.Verify(home, presenceKind, s.Signature[:], s.signed()...)
}

// signed returns the fields that the signature covers.
func (s *PresenceState) signed() [][]byte {
	return [][]byte{
		binary.BigEndian.AppendUint64(nil, s.Boot),
		binary.BigEndian.AppendUint64(nil, s.Sequence),
		binary.BigEndian.AppendUint32(nil, s.Count),
		binary.BigEndian.AppendUint64(nil, s.Time),
		s.Digest[:],
	}
}

// DigestPresence is the first 16 bytes of SHA-256 over hashes, which must be sorted by their bytes. They
// come in any number of pieces.
func DigestPresence(sorted ...[]PresenceHash) (digest [16]byte) {
	h := sha256.New()
	for _, piece := range sorted {
		for i := range piece {
			h.Write(piece[i][:])
		}
	}
	copy(digest[:], h.Sum(nil))
	return digest
}

// PresenceSalt is what a receiver chooses by chance for each comparison, so that nobody can make up hashes
// beforehand whose sums are alike.
type PresenceSalt [8]byte

// PresenceRanges is into how many ranges of equal size, by its first six bits, a hash falls in comparisons.
const PresenceRanges = 64

// Range returns in which range a hash is.
func (p PresenceHash) Range() int { return int(p[0] >> 2) }

// SumPresence returns, for each range, the sum modulo 2^64 of the first 8 bytes of SHA-256(salt || hash).
func SumPresence(salt PresenceSalt, pieces ...[]PresenceHash) (sums [PresenceRanges]uint64) {
	var in [len(salt) + len(PresenceHash{})]byte
	copy(in[:], salt[:])
	for _, piece := range pieces {
		for _, h := range piece {
			copy(in[len(salt):], h[:])
			sum := sha256.Sum256(in[:])
			sums[h.Range()] += binary.BigEndian.Uint64(sum[:])
		}
	}
	return sums
}

// Compare orders hashes by their bytes. It returns -1, 0 or 1.
func (p PresenceHash) Compare(o PresenceHash) int { return bytes.Compare(p[:], o[:]) }
