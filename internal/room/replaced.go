package room

import "github.com/wzp-voice/wzp/internal/wire"

// A client that comes back names its old stay in its new entry, with the secret of it (docs/protocol.md,
// section 5.3), so that nobody sees it twice. Who is replaced is found by its stay:
//
//	new entry ── names and proves ──> wire.Stay ──> a member: it leaves in the step in which the new one joins
//	old entry ── is of ─────────────> wire.Stay ──> Room.replaced: it is not let in while the new one is there
//
// It is the same for members of other relays, and in whatever order the two come.

// stay returns the member whose stay it is, or nil. The caller holds room.mu.
func (room *Room) stay(stay wire.Stay) *Member {
	if m := room.find(stay.Entry.Member()); m != nil && m.stay == stay && stay != (wire.Stay{}) {
		return m
	}
	return nil
}

// noteReplaced counts who replaces the stay that m names, if it names one. The caller holds room.mu.
func (room *Room) noteReplaced(m *Member, n int) {
	if m.replaces == (wire.Stay{}) {
		return
	}
	if room.replaced == nil {
		room.replaced = make(map[wire.Stay]int)
	}
	if room.replaced[m.replaces] += n; room.replaced[m.replaces] == 0 {
		delete(room.replaced, m.replaces)
	}
}

// ProvedBy reports whether the proof is of the member's stay: then its own client wants it to leave.
func (m *Member) ProvedBy(proof wire.StayProof) bool {
	return m.stay.Entry == proof.Entry && m.stay.Commitment == proof.Secret.Commitment()
}

// Receiver returns the member's.
func (m *Member) Receiver() Receiver { return m.receiver }
