package federation

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/internal/routing"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	// labelRest and changeRest are between two times that our members of a room are told what other relays
	// are called, and of who came and went there: what peers say must not use up the links of our members.
	labelRest  = time.Second
	changeRest = 100 * time.Millisecond
	// maxLabels is of how many relays a member is told what they are called. Of others it shows the id.
	maxLabels = 64
)

// tellRoom tells our members of a room what they were not told yet, if it is time to. It returns when it will
// be; zero: they know all.
func (f *Federation) tellRoom(b *bridged, now time.Time) (next time.Time) {
	local := f.rooms.Local(b.name)
	if len(local) == 0 {
		b.changed, b.named = nil, nil
		return time.Time{}
	}
	behind := func(m *room.Member) bool { return b.named[m.ID] != b.labels }
	if len(b.homes) > 0 && slices.ContainsFunc(local, behind) {
		if due := b.namedAt.Add(labelRest); now.Before(due) {
			next = due
		} else if !b.tellLabels(local, now) {
			next = now.Add(labelRest)
		}
	}
	if b.changed != nil {
		if due := b.toldAt.Add(changeRest); now.Before(due) {
			next = routing.Soonest(next, due)
		} else {
			f.tell(b.changed)
			b.changed, b.toldAt = nil, now
		}
	}
	return next
}

// tellLabels tells members what the other relays in the room are called. It reports whether all know now.
func (b *bridged) tellLabels(local []*room.Member, now time.Time) (all bool) {
	b.namedAt = now
	messages := b.labelMessages()
	named := make(map[wire.MemberID]uint64, len(local))
	all = true
	for _, m := range local {
		known := b.named[m.ID]
		if known != b.labels {
			failed := func(body []byte) bool { return m.Notify(wire.UrgentRelays, body) != nil }
			if slices.ContainsFunc(messages, failed) {
				all = false // its link is full
			} else {
				known = b.labels
			}
		}
		named[m.ID] = known
	}
	b.named = named
	return all
}

// labelMessages returns the messages that say what the homes are called.
func (b *bridged) labelMessages() (messages [][]byte) {
	var body []byte
	left := maxLabels
	for id, h := range b.homes {
		if left--; left < 0 {
			break
		}
		label := wire.AppendRelays(nil, wire.RelayLabel{Relay: id, Label: h.label})
		if len(body)+len(label) > wire.MaxUrgent {
			messages = append(messages, body)
			body = nil
		}
		body = append(body, label...)
	}
	if len(body) > 0 {
		messages = append(messages, body)
	}
	return messages
}
