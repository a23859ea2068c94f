package room

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	// smallRoom is up to how many members each change is told at once. In a larger room one a second is
	// told at once and those that follow within it together: a change costs a packet to each member.
	smallRoom  = 32
	changeRest = time.Second
	// manyChanges is from how many joins told together it is cheaper to fetch the list than to be told.
	manyChanges = 64
)

// changes are the joins and leaves that members have not been told of. The zero value is empty. Its Room
// locks it.
type changes struct {
	joined []*Member
	left   []wire.MemberID
	told   time.Time
}

// join adds a join. Of who left and came back in between, which a broken link between relays makes of all behind it,
// the leave is not told any more.
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

// urgent is a message to be sent to all local members.
type urgent struct {
	kind   wire.UrgentKind
	body   []byte
	joined []*Member // of whom it tells
}

// messages returns what tells of the changes, and forgets them.
func (c *changes) messages(now time.Time) (list []urgent) {
	c.told = now
	defer func() { c.joined, c.left = nil, nil }()
	if len(c.joined) > manyChanges {
		return []urgent{{kind: wire.UrgentRefetch}} // the list says who left, too
	}
	list = joinedMessages(c.joined)
	const perMessage = wire.MaxUrgent / len(wire.MemberID{})
	for left := c.left; len(left) > 0; {
		n := min(len(left), perMessage)
		list = append(list, urgent{kind: wire.UrgentMembersLeft, body: wire.AppendMembersLeft(nil, left[:n]...)})
		left = left[n:]
	}
	return list
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

// Flush tells members of joins and leaves whose time has come, and does what of passing keys on is left to be done. A
// relay calls it a few times a second, and a Member's after each change. It sends a packet to each member: it is nothing for a receiving goroutine.
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
	members := *room.locals.Load()
	var messages []urgent
	if len(members) == 0 {
		room.changes = changes{} // others learn of them from their homes
	} else if room.changes.due(len(*room.members.Load()), now) {
		messages = room.changes.messages(now)
	}
	left = !room.changes.none()
	room.mu.Unlock()
	var reached []int
	if len(messages) > 0 {
		reached = make([]int, len(members))
	}
	for i, m := range members {
		if sent := m.tell(messages); sent > 0 {
			reached[i] = sent
		}
		left = left || m.stale
	}
	if len(messages) > 0 {
		room.keys.toldOf(members, reached, messages)
	}
	left = room.keys.flush(now) || left
	room.mu.Lock()
	room.telling = false
	room.mu.Unlock()
	return left
}

// tell sends messages to the member and returns how many; when its link is too far behind for them, it is told to
// fetch the list as soon as it takes messages again. The caller has set room.telling.
func (m *Member) tell(messages []urgent) (sent int) {
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
