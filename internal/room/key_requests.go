package room

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/wire"
)

// askRate and askBurst bound the requests of one member.
const (
	askRate  = 4
	askBurst = 8
)

// KeysWanted notes that the member lacks keys. Each Flush names to a talker at most wire.MaxWanted of those
// who lack its key, so that a room full of them is no flood; the others' turn comes with the next one.
func (m *Member) KeysWanted(message []byte, now time.Time) (taken bool) {
	rooms := m.rooms
	ids, err := wire.ParseKeysWanted(message)
	if err != nil {
		rooms.Drops.Add(drops.KeyUnusable, 1)
		return true
	}
	x := &m.room.keys
	x.mu.Lock()
	news := m.askLocked(ids, now)
	x.mu.Unlock()
	if news {
		m.rooms.Soon()
	}
	return true
}

// askLocked notes whose keys the member wants, and reports if that is news. The caller holds exchange.mu.
func (m *Member) askLocked(ids []wire.MemberID, now time.Time) (news bool) {
	if m.keys.slot == noSlot {
		return false
	}
	if !allow(&m.keys.ask, askRate, askBurst, now) {
		m.rooms.Drops.Add(drops.KeyRate, 1)
		return false
	}
	x := &m.room.keys
	for _, id := range ids {
		talker := m.room.find(id)
		if talker == nil || talker == m || talker.keys.slot == noSlot || talker.remote() && m.remote() {
			continue // of two remote ones, the talker's home is asked
		}
		if !slices.Contains(x.asked, talker) {
			x.asked = append(x.asked, talker)
		}
		talker.keys.wantedBy.add(m.keys.slot)
		news = true
	}
	return news
}

// request is what a talker is told at once about who wants its key.
type request struct {
	talker   *Member
	unknown  urgent // of the wanting, whom the talker was not told of
	wantedBy []byte
}

// requestsLocked returns what to tell talkers now. The caller holds x.mu.
func (x *exchange) requestsLocked() (list []request) {
	x.asked = slices.DeleteFunc(x.asked, func(talker *Member) bool {
		if r := x.requestLocked(talker); len(r.wantedBy) > 0 {
			list = append(list, r)
		}
		return talker.keys.wantedBy.empty()
	})
	return list
}

// requestLocked names as many of those who want a talker's key as fit one message, and introduces those of
// them whom the talker does not know as far as their entries fit one. The caller holds x.mu.
func (x *exchange) requestLocked(talker *Member) request {
	a := request{talker: talker, unknown: urgent{kind: wire.UrgentMembersJoined}}
	keys := &talker.keys
	n := 0
	for slot := range keys.wantedBy.from(keys.named) {
		m := x.members[slot]
		if !talker.remote() && !keys.told.has(slot) {
			if !a.unknown.fits(m) {
				continue
			}
			a.unknown.join(m)
			keys.told.add(slot)
		}
		a.wantedBy = wire.AppendKeysWanted(a.wantedBy, m.ID)
		keys.wantedBy.remove(slot)
		keys.named = slot + 1
		if n++; n == wire.MaxWanted {
			break
		}
	}
	return a
}

// send tells the talker. What its link does not take is dropped: whoever lacks a key asks again.
func (a *request) send(x *exchange) {
	to := a.talker.receiver
	introduced := len(a.unknown.joined) == 0 || to.SendUrgent(a.unknown.kind, a.unknown.body) == nil
	if introduced {
		a.talker.rooms.Keys.Introduced.Add(uint64(len(a.unknown.joined)))
		if to.SendUrgent(wire.UrgentKeysWanted, a.wantedBy) == nil {
			return
		}
	}
	a.talker.rooms.Drops.Add(drops.KeyUnusable, 1)
	x.mu.Lock()
	defer x.mu.Unlock()
	a.talker.keys.wantedBy = nil
	for _, m := range a.unknown.joined {
		if !introduced && m.keys.slot != noSlot {
			a.talker.keys.told.remove(m.keys.slot)
		}
	}
}

// KeyWantedBy takes an UrgentKeysWanted message from another relay: its ids are of remote members who lack
// the key of the member, which is a local talker. They ask as if they were here: each within its own rate.
func (m *Member) KeyWantedBy(message []byte, now time.Time) {
	ids, err := wire.ParseKeysWanted(message)
	if err != nil || m.remote() {
		m.rooms.Drops.Add(drops.KeyUnusable, 1)
		return
	}
	x := &m.room.keys
	x.mu.Lock()
	news := false
	for _, id := range ids {
		if asks := m.room.find(id); asks != nil && asks.remote() {
			news = asks.askLocked([]wire.MemberID{m.ID}, now) || news
		}
	}
	x.mu.Unlock()
	if news {
		m.rooms.Soon()
	}
}
