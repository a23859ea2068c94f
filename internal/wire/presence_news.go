package wire

import "github.com/wzp-voice/wzp/identity"

// PresenceNews says on a peer link what changed at some homes. Of each home it goes on from where the
// sender's earlier messages have left off.
//
//	serial (varint) || items, at least one
type PresenceNews struct {
	Serial uint64
	Items  []PresenceItem
}

// What an item is.
const (
	presenceItemState  = 0
	presenceItemHashes = 1
	presenceItemWhole  = 2
)

// PresenceItem is a state of a home, or a change of who takes calls there: those who left, then those who
// came.
//
//	number (varint) || 0 || state
//	number (varint) || 1 or 2 || rise (varint) || left (varint) || came (varint) || hashes (8 each) of those
//	that left || hashes of those that came; with 2, their fingerprints (16 each)
type PresenceItem struct {
	Number uint64 // of the home, as PresenceHome.Number
	State  *PresenceState
	Rise   uint64 // by how much the version rises; 0: more of the same change follows
	Left   []PresenceHash
	Came   []PresenceHash
	Whole  []identity.Fingerprint // of those that came, in the place of Came: only from the home itself
}

func (*PresenceNews) kind() UrgentKind { return UrgentPresenceNews }

func (m *PresenceNews) fields(l *layout) {
	l.varint(&m.Serial)
	if l.writing {
		for i := range m.Items {
			m.Items[i].fields(l)
		}
		return
	}
	for l.err == nil && (len(m.Items) == 0 || len(l.in.b) > 0) {
		var item PresenceItem
		if item.fields(l); l.err == nil {
			m.Items = append(m.Items, item)
		}
	}
}

func (m *PresenceItem) fields(l *layout) {
	l.presenceNumber(&m.Number)
	what := uint8(presenceItemHashes)
	switch {
	case m.State != nil:
		what = presenceItemState
	case len(m.Whole) > 0:
		what = presenceItemWhole
	}
	l.uint8(&what)
	switch what {
	case presenceItemState:
		if !l.writing {
			m.State = new(PresenceState)
		}
		m.State.fields(l)
		return
	case presenceItemHashes, presenceItemWhole:
	default:
		l.require(false, ErrUnknown, "its kind of item is not known")
		return
	}
	l.varint(&m.Rise)
	left, came := uint64(len(m.Left)), uint64(len(m.Came)+len(m.Whole))
	l.varint(&left)
	l.varint(&came)
	hash, room := func(h *PresenceHash) { l.bytes(h[:]) }, uint64(len(l.in.b))
	l.require(left <= room/8 && came <= room/8, ErrTruncated, "")
	list(l, &m.Left, left, hash)
	if what == presenceItemHashes {
		list(l, &m.Came, came, hash)
		return
	}
	l.require(came > 0, ErrInvalid, "whole fingerprints of nobody")
	list(l, &m.Whole, came, func(f *identity.Fingerprint) { l.bytes(f[:]) })
}

// Size is how many bytes the item takes.
func (m *PresenceItem) Size() int {
	l := layout{writing: true, counting: true}
	m.fields(&l)
	return l.size
}
