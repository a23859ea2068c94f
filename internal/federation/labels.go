package federation

import (
	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/wire"
)

// nameAll tells those of our members of a room who were not told yet what the other relays in it are called. The caller
// holds f.mu.
func (f *Federation) nameAll(b *bridged, local []*room.Member) {
	told := make(map[wire.MemberID]struct{}, len(local))
	for _, m := range local {
		if _, known := b.told[m.ID]; !known && !tellLabels(m, b.homes) {
			continue // its link is full: the next change tries again
		}
		told[m.ID] = struct{}{}
	}
	b.told = told
}

// nameHome tells our members of a room what one relay in it is called. The caller holds f.mu.
func (f *Federation) nameHome(b *bridged, id wire.RelayID, h *home) {
	for _, m := range f.rooms.Local(b.name) {
		if _, told := b.told[m.ID]; told && !tellLabels(m, map[wire.RelayID]*home{id: h}) {
			delete(b.told, m.ID)
		}
	}
}

// tellLabels tells a member what relays are called. It reports whether the member's link took all of it.
func tellLabels(m *room.Member, homes map[wire.RelayID]*home) bool {
	var body []byte
	for id, h := range homes {
		label := wire.AppendRelays(nil, wire.RelayLabel{Relay: id, Label: h.label})
		if len(body)+len(label) > wire.MaxUrgent {
			if m.Tell(wire.UrgentRelays, body) != nil {
				return false
			}
			body = nil
		}
		body = append(body, label...)
	}
	return len(body) == 0 || m.Tell(wire.UrgentRelays, body) == nil
}
