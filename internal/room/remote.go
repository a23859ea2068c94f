package room

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/wire"
)

// Members of other relays. A room knows them as its own, but for what their home does for them: it sends them
// media (one trunk does for all behind it), tells them of joins and leaves, and introduces talkers to them.

// errNoHome is JoinRemote's for a caller's mistake.
var errNoHome = errors.New("room: a member of another relay needs a home")

// JoinRemote adds a member of another relay, with a verified entry, to the room called name. Of to, which has to be its
// own, only HeardWithin and the urgent methods are used: SendUrgentThen for UrgentKey and SendUrgent for UrgentKeysWanted.
// That the former was acknowledged means little, for the next relay did that; see KeyReceived. Joining again over
// the same receiver returns the same member. displaced is a member that had to leave for it, or nil.
func (r *Rooms) JoinRemote(name string, entry []byte, from Origin, to Receiver, now time.Time) (m, displaced *Member, err error) {
	if !from.remote() {
		return nil, nil, errNoHome
	}
	return r.join(name, entry, from, to, now)
}

// Home returns which relay the member is attached to; the zero RelayID is this one.
func (m *Member) Home() wire.RelayID { return m.home }

// remote reports whether the member is attached to another relay.
func (m *Member) remote() bool { return m.home != (wire.RelayID{}) }

// Local returns the members of the room called name that are attached to this relay, by id.
func (r *Rooms) Local(name string) []*Member {
	if room := r.room(name); room != nil {
		return slices.Clone(*room.locals.Load())
	}
	return nil
}

// maxCrowdAway is up to how many members of a room its crowds are shown to other relays: see Few. A peer has places for so
// many of ours even when others behind us want all that they can get, and cannot tell who of ours is of a crowd.
const maxCrowdAway = 500

// Shown returns those of Local whom other relays are to know of: all of them, but of too many those who are none of a crowd,
// and of the crowds those who came first. What the others say goes to no trunk.
func (r *Rooms) Shown(name string) []*Member {
	room := r.room(name)
	if room == nil {
		return nil
	}
	room.mu.Lock()
	defer room.mu.Unlock()
	list := slices.Clone(*room.locals.Load())
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

// Find returns the member of the room called name with an id, of whichever relay, or nil.
func (r *Rooms) Find(name string, id wire.MemberID) *Member {
	if room := r.room(name); room != nil {
		return room.find(id)
	}
	return nil
}

// room returns the room called name, or nil.
func (r *Rooms) room(name string) *Room {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rooms[name]
}

// KeyReceived notes that a remote recipient has a key of the member, which is a local talker. What is said of others
// is ignored: a relay speaks for its own members alone.
func (m *Member) KeyReceived(number uint32, from wire.MemberID) {
	to := m.room.find(from)
	if to == nil || !to.remote() {
		m.rooms.Drops.Add(drops.KeyUnusable, 1)
		return
	}
	x := &m.room.keys
	x.mu.Lock()
	k := m.passedLocked(number)
	x.mu.Unlock()
	if k != nil {
		k.acknowledged(to)
	}
}

// passedLocked returns the key with a number that may still be waited for, or nil. The caller holds exchange.mu.
func (m *Member) passedLocked(number uint32) *senderKey {
	if k, _ := m.announcedLocked(number); k != nil {
		return k
	}
	watched := m.room.keys.watched // also of those that newer keys have replaced
	if i := slices.IndexFunc(watched, func(k *senderKey) bool { return k.member == m && k.number == number }); i >= 0 {
		return watched[i]
	}
	return nil
}

// KeyWantedBy takes an UrgentKeysWanted message from another relay: its ids are of remote members who lack the key of
// the member, which is a local talker. They ask as if they were here: each within its own rate.
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

// with counts the rooms that have members of the kind that a home says, local or remote. The caller holds Rooms.mu.
func (r *Rooms) with(home wire.RelayID) *int {
	if home == (wire.RelayID{}) {
		return &r.local
	}
	return &r.remote
}

// admits reports whether a room may have its first member of such a kind. Local and remote members are counted apart, so
// that no peer can keep a relay's own clients from making rooms. The caller holds Rooms.mu.
func (r *Rooms) admits(room *Room, home wire.RelayID) bool {
	limit := r.limits.Rooms
	if home != (wire.RelayID{}) {
		limit = r.limits.RemoteRooms
	}
	return room.size(home) > 0 || *r.with(home) < limit
}

// size returns how many members of such a kind the room has.
func (room *Room) size(home wire.RelayID) int {
	local := len(*room.locals.Load())
	if home == (wire.RelayID{}) {
		return local
	}
	return len(*room.members.Load()) - local
}

// Tell sends a message of the relay's own to the member, a local one.
func (m *Member) Tell(kind wire.UrgentKind, body []byte) error {
	return m.receiver.SendUrgent(kind, body)
}

// Names returns the names of the rooms in which members of this relay are.
func (r *Rooms) Names() (names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, room := range r.rooms {
		if len(*room.receivers.Load()) > 0 {
			names = append(names, name)
		}
	}
	return names
}
