package room

import (
	"cmp"
	"slices"
	"sync/atomic"

	"golang.org/x/time/rate"

	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/internal/share"
	"github.com/wzp-voice/wzp/internal/wire"
)

// Member is one client in a room, for as long as it is there.
type Member struct {
	ID    wire.MemberID
	Entry []byte // as the client signed it; never changed

	rooms    *Rooms
	room     *Room
	receiver Receiver
	home     wire.RelayID // zero: local
	stay     wire.Stay
	replaces wire.Stay // zero: none
	origin   atomic.Pointer[Origin]
	trunks   *trunkSet
	number   uint64        // the ID, for budgets
	sent     budget.Bucket // what it may bring
	hidden   atomic.Bool   // from other relays: see Shown
	stale    bool          // of who has set room.telling: the list of members has to be fetched again
	binds    *rate.Limiter

	// Guarded by room.mu:
	streams []*Stream // oldest first
	place   *share.Group[Group]
	turn    uint64 // of its join
	crowd   bool   // it is one of too many of its Group: see Few
	left    bool

	keys memberKeys // guarded by room.keys
}

// memberList is a snapshot of a room's members, by id. It is never changed, only replaced.
type memberList struct {
	all     []*Member
	local   []*Member // those of them that are attached to this relay
	fanOuts [2]FanOut // theirs, by Audience, so that forwarding need not look at the members
	sizes   [2]int    // of these
}

// setMembers publishes a list. remote: its local members are the same. The caller holds room.mu.
func (r *Rooms) setMembers(room *Room, all []*Member, remote bool) {
	list := *room.members.Load()
	if list.all = all; !remote {
		list.local = nil
		var receivers [2][]Receiver
		for _, m := range all {
			if m.remote() {
				continue
			}
			list.local = append(list.local, m)
			receivers[Everybody] = append(receivers[Everybody], m.receiver)
			if !m.crowd {
				receivers[Few] = append(receivers[Few], m.receiver)
			}
		}
		for to := range receivers {
			list.fanOuts[to], list.sizes[to] = r.FanOut(receivers[to]), len(receivers[to])
		}
	}
	room.members.Store(&list)
}

// search returns where in a list the member with an id is, or has to be.
func search(list []*Member, id wire.MemberID) (at int, found bool) {
	compare := func(m *Member, id wire.MemberID) int { return m.ID.Compare(id) }
	return slices.BinarySearchFunc(list, id, compare)
}

// find returns the member with an id, or nil.
func (room *Room) find(id wire.MemberID) *Member {
	all := room.members.Load().all
	if i, found := search(all, id); found {
		return all[i]
	}
	return nil
}

// Find returns the member of the room called name with an id, of whichever relay, or nil.
func (r *Rooms) Find(name string, id wire.MemberID) *Member {
	if room := r.room(name); room != nil {
		return room.find(id)
	}
	return nil
}

// Room returns the name of the member's room.
func (m *Member) Room() string { return m.room.name }

// Home returns which relay the member is attached to; the zero RelayID is this one.
func (m *Member) Home() wire.RelayID { return m.home }

// remote reports whether the member is attached to another relay.
func (m *Member) remote() bool { return m.home != (wire.RelayID{}) }

// Members returns how many members the member's room has, local and remote.
func (m *Member) Members() int { return len(m.room.members.Load().all) }

// Page returns the entries of up to wire.MaxPage members of the member's room whose ids are above after (nil:
// from the start), by id, and the after of the next page, or nil.
func (m *Member) Page(after *wire.MemberID) (entries [][]byte, next *wire.MemberID) {
	list := m.room.members.Load().all
	if after != nil {
		i, found := search(list, *after)
		if found {
			i++
		}
		list = list[i:]
	}
	page := list[:min(len(list), wire.MaxPage)]
	for _, other := range page {
		entries = append(entries, other.Entry)
	}
	if len(page) < len(list) {
		next = &page[len(page)-1].ID
	}
	return entries, next
}

// Local returns the members of the room called name that are attached to this relay, by id.
func (r *Rooms) Local(name string) []*Member {
	if room := r.room(name); room != nil {
		return slices.Clone(room.members.Load().local)
	}
	return nil
}

// maxCrowdAway is up to how many members a room shows its crowds to other relays: a peer has places for so
// many of ours even when others behind us want all, and cannot tell crowds.
const maxCrowdAway = 500

// Shown returns those of Local whom other relays are to know of: all of them, but of too many those who are
// none of a crowd, and of the crowds those who came first. What the others say goes to no trunk.
func (r *Rooms) Shown(name string) []*Member {
	room := r.room(name)
	if room == nil {
		return nil
	}
	room.mu.Lock()
	defer room.mu.Unlock()
	list := slices.Clone(room.members.Load().local)
	crowd := slices.DeleteFunc(slices.Clone(list), func(m *Member) bool { return !m.crowd })
	slices.SortFunc(crowd, func(a, b *Member) int { return cmp.Compare(a.turn, b.turn) })
	places := max(0, maxCrowdAway-(len(list)-len(crowd)))
	for _, m := range list {
		if !m.crowd { // it may have been one
			m.hidden.Store(false)
		}
	}
	for i, m := range crowd {
		m.hidden.Store(i >= places)
	}
	return slices.DeleteFunc(list, func(m *Member) bool { return m.hidden.Load() })
}
