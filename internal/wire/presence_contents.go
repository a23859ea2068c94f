package wire

import "github.com/wzp-voice/wzp/identity"

// PresenceContents answers [PresenceCompare], with as many messages as it takes. Each says: of all hashes
// from From to Through, both included, these and no others are at the home, after all that I have said
// before this message. If From is above Through it says nothing about any.
//
//	serial (varint) || number (varint) || flags (1) || from (8) || through (8)
//	|| to the end: hashes (8 each), or with flag 2 fingerprints (16 each)
type PresenceContents struct {
	Serial  uint64
	Number  uint64
	Last    bool // flag 1: the answer is complete
	From    PresenceHash
	Through PresenceHash
	Hashes  []PresenceHash
	Whole   []identity.Fingerprint // in the place of Hashes: only from the home itself
}

// PresenceContentsMost are how many hashes a message holds at least; of fingerprints half as many.
const PresenceContentsMost = 120

func (*PresenceContents) kind() UrgentKind { return UrgentPresenceContents }

func (m *PresenceContents) fields(l *layout) {
	l.varint(&m.Serial)
	l.presenceNumber(&m.Number)
	flags := uint8(0)
	if m.Last {
		flags |= 1
	}
	if len(m.Whole) > 0 {
		flags |= 2
	}
	l.uint8(&flags)
	l.require(flags <= 3, ErrInvalid, "unknown flags are set")
	m.Last = flags&1 == 1
	l.bytes(m.From[:])
	l.bytes(m.Through[:])
	if flags&2 == 0 {
		n := l.many(len(m.Hashes), len(PresenceHash{}))
		list(l, &m.Hashes, n, func(h *PresenceHash) { l.bytes(h[:]) })
		return
	}
	n := l.many(len(m.Whole), len(identity.Fingerprint{}))
	l.require(n > 0, ErrInvalid, "whole fingerprints of nobody")
	list(l, &m.Whole, n, func(f *identity.Fingerprint) { l.bytes(f[:]) })
}

// many is how many elements of some size there are: n, or when reading those up to the end.
func (l *layout) many(n, size int) uint64 {
	if l.writing {
		return uint64(n)
	}
	l.require(len(l.in.b)%size == 0, ErrTruncated, "")
	return uint64(len(l.in.b) / size)
}
