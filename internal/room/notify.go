package room

import (
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	// smallRoom is up to how many members each change is told at once. In a larger room one a second is told
	// at once and those that follow within it together: a change costs a packet to each member.
	smallRoom  = 32
	changeRest = time.Second
	// manyChanges is from how many joins told together it is cheaper to fetch the list than to be told.
	manyChanges = 64
	// maxIntroduced is how many members a member is told of when it asks. Larger lists are fetched only.
	maxIntroduced = 32
	// introduceRest is between two such answers to one member.
	introduceRest  = 5 * time.Second
	introduceBurst = 2
)

// changes are joins and leaves that members were not told of. The zero value is empty; its Room locks it.
type changes struct {
	joined []*Member
	left   []wire.MemberID
	told   time.Time
}

// join adds a join. Of who left and came back in between, which a broken link between relays makes of all
// behind it, the leave is not told any more.
func (c *changes) join(m *Member) {
	c.left = slices.DeleteFunc(c.left, func(id wire.MemberID) bool { return id == m.ID })
	c.joined = append(c.joined, m)
}

// leave adds a leave. Of who joined and left in between, the join is not told any more; the leave is, for
// pages of the list may have shown the member.
func (c *changes) leave(m *Member) {
	c.joined = slices.DeleteFunc(c.joined, func(j *Member) bool { return j == m })
	c.left = append(c.left, m.ID)
}

func (c *changes) none() bool { return len(c.joined) == 0 && len(c.left) == 0 }

// due reports whether to tell of the changes now.
func (c *changes) due(members int, now time.Time) bool {
	return !c.none() && (members <= smallRoom || now.Sub(c.told) >= changeRest)
}

// messages returns what tells of the changes, and forgets them.
func (c *changes) messages(now time.Time) (list []urgent) {
	joined, left := c.joined, c.left
	*c = changes{told: now}
	if len(joined) > manyChanges {
		return []urgent{{kind: wire.UrgentRefetch}} // the list says who left, too
	}
	list = joinedMessages(joined)
	for part := range slices.Chunk(left, wire.MaxUrgent/len(wire.MemberID{})) {
		list = append(list, urgent{kind: wire.UrgentMembersLeft, body: wire.AppendMembersLeft(nil, part...)})
	}
	return list
}

// urgent is a message to be sent to local members.
type urgent struct {
	kind   wire.UrgentKind
	body   []byte
	joined []*Member // of whom it tells
}

// joinedMessages returns what tells of members, with as many in a message as fit.
func joinedMessages(members []*Member) (list []urgent) {
	for _, m := range members {
		last := len(list) - 1
		if last < 0 || !list[last].fits(m) {
			list = append(list, urgent{kind: wire.UrgentMembersJoined})
			last++
		}
		list[last].join(m)
	}
	return list
}

// fits reports whether one more member's entry fits the message.
func (u *urgent) fits(m *Member) bool { return len(u.body)+len(m.Entry)+2 <= wire.MaxUrgent }

// join adds a member's entry.
func (u *urgent) join(m *Member) {
	u.body = wire.AppendMembersJoined(u.body, m.Entry)
	u.joined = append(u.joined, m)
}

// Flush tells members of joins and leaves whose time has come, and does what is left to do of passing keys
// on. A relay calls it a few times a second, and a Member's after each change. It sends a packet to each
// member, so no goroutine that receives packets should call it.
//
// It reports whether something is left to be told, or is being told elsewhere: call it again soon.
func (r *Rooms) Flush(now time.Time) (left bool) {
	r.mu.Lock()
	rooms := make([]*Room, 0, len(r.rooms))
	for _, room := range r.rooms {
		rooms = append(rooms, room)
	}
	r.mu.Unlock()
	for _, room := range rooms {
		left = room.flush(now) || left
	}
	return left
}

// Flush tells of the changes of the member's own room, as Rooms.Flush does.
func (m *Member) Flush(now time.Time) (left bool) { return m.room.flush(now) }

func (room *Room) flush(now time.Time) (left bool) {
	room.mu.Lock()
	if room.telling {
		room.mu.Unlock()
		return true
	}
	room.telling = true
	list := room.members.Load()
	var messages []urgent
	if len(list.local) == 0 {
		room.changes = changes{} // others learn of them from their homes
	} else if room.changes.due(len(list.all), now) {
		messages = room.changes.messages(now)
	}
	left = !room.changes.none()
	room.mu.Unlock()
	reached := make([]int, 0, len(list.local)*min(1, len(messages)))
	for _, m := range list.local {
		sent := m.notify(messages)
		if len(messages) > 0 {
			reached = append(reached, sent)
		}
		left = left || m.stale
	}
	room.keys.introduced(list.local, reached, messages)
	left = room.keys.flush(now) || left
	room.mu.Lock()
	room.telling = false
	room.mu.Unlock()
	return left
}

// notify sends messages to the member and returns how many; when its link is too far behind for them, it is
// told to fetch the list as soon as it takes messages again. The caller has set room.telling.
func (m *Member) notify(messages []urgent) (sent int) {
	if m.stale {
		m.stale = m.receiver.SendUrgent(wire.UrgentRefetch, nil) != nil
		return 0 // the list includes what the messages say
	}
	for i, msg := range messages {
		if m.receiver.SendUrgent(msg.kind, msg.body) != nil {
			m.stale = true
			return i
		}
	}
	return len(messages)
}

// Notify sends a message of the relay's own to the member, a local one.
func (m *Member) Notify(kind wire.UrgentKind, body []byte) error {
	return m.receiver.SendUrgent(kind, body)
}

// MembersWanted tells the member, by urgent messages, of those who are there and of whom it was not told so:
// its control stream, on which it asks for the list, may be stuck, and who does not know the others cannot
// give them its keys. What its link does not take the list will tell, or the next asking.
func (m *Member) MembersWanted(now time.Time) {
	messages := joinedMessages(m.strangers(now))
	sent := 0
	for sent < len(messages) && m.receiver.SendUrgent(messages[sent].kind, messages[sent].body) == nil {
		sent++
	}
	m.room.keys.introduced([]*Member{m}, []int{sent}, messages)
}

// strangers returns of whom to tell the member, if it is time to.
func (m *Member) strangers(now time.Time) (list []*Member) {
	x := &m.room.keys
	x.mu.Lock()
	defer x.mu.Unlock()
	if m.keys.slot == noSlot || m.remote() ||
		!allow(&m.keys.list, rate.Every(introduceRest), introduceBurst, now) {
		return nil
	}
	for slot, other := range x.members {
		if other != nil && other != m && !m.keys.told.has(slot) && len(list) < maxIntroduced {
			list = append(list, other)
		}
	}
	return list
}
