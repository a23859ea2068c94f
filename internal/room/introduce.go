package room

import (
	"time"

	"golang.org/x/time/rate"

	"github.com/wzp-voice/wzp/wire"
)

const (
	// maxIntroduced is how many members a member is told of when it asks. Larger lists are fetched only.
	maxIntroduced = 32
	// introduceRest is between two such answers to one member.
	introduceRest  = 5 * time.Second
	introduceBurst = 2
)

// MembersWanted tells the member, by urgent messages, of those who are there and of whom it was not told so: its
// control stream, on which it asks for the list, may be stuck, and who does not know the others cannot give them its
// keys.
func (m *Member) MembersWanted(now time.Time) {
	var body []byte
	for _, other := range m.strangers(now) {
		if len(body) > 0 && len(body)+len(other.Entry)+2 > wire.MaxUrgent {
			if m.receiver.SendUrgent(wire.UrgentMembersJoined, body) != nil {
				return // the list will tell
			}
			body = nil
		}
		body = wire.AppendMembersJoined(body, other.Entry)
	}
	if len(body) > 0 {
		_ = m.receiver.SendUrgent(wire.UrgentMembersJoined, body) // likewise
	}
}

// strangers returns whom to tell the member of, and takes them for told.
func (m *Member) strangers(now time.Time) (list []*Member) {
	x := &m.room.keys
	x.mu.Lock()
	defer x.mu.Unlock()
	if m.keys.slot == noSlot {
		return nil
	}
	if m.keys.list == nil {
		m.keys.list = rate.NewLimiter(rate.Every(introduceRest), introduceBurst)
	}
	if !m.keys.list.AllowN(now, 1) {
		return nil
	}
	for slot, other := range x.members {
		if other != nil && other != m && !m.keys.told.has(slot) && len(list) < maxIntroduced {
			m.keys.told.add(slot)
			list = append(list, other)
		}
	}
	return list
}
