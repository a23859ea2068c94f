package room

import (
	"time"

	"golang.org/x/time/rate"
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
// keys. What its link does not take the list will tell, or the next asking.
func (m *Member) MembersWanted(now time.Time) {
	messages := joinedMessages(m.strangers(now))
	sent := 0
	for _, msg := range messages {
		if m.receiver.SendUrgent(msg.kind, msg.body) != nil {
			break
		}
		sent++
	}
	m.room.keys.toldOf([]*Member{m}, []int{sent}, messages)
}

// strangers returns of whom to tell the member, if it is time to.
func (m *Member) strangers(now time.Time) (list []*Member) {
	x := &m.room.keys
	x.mu.Lock()
	defer x.mu.Unlock()
	if m.keys.slot == noSlot || m.remote() {
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
			list = append(list, other)
		}
	}
	return list
}
