package room

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/wire"
)

// Who may enter a room. Nobody may fill one from one address, or over one link between relays; but many
// honest people share an address, and no member is sent away for others with the same right. So local members
// are refused while there still are places for those from elsewhere, and remote ones make way: they come back
// as soon as there is space.

// Errors of Join and JoinRemote.
var (
	ErrRoomFull     = errors.New("room: the room has as many members as are allowed")
	ErrTooManyRooms = errors.New("room: there are as many rooms as are allowed")
	ErrIDTaken      = errors.New("room: another session has a member with this entry")
	ErrReplaced     = errors.New("room: there is a member who took the place of this one")
	ErrCrowded      = errors.New("room: the room keeps its places for members from other addresses")
	errNoHome       = errors.New("room: a member of another relay needs a home")
)

// Origin is where a member comes from, as far as it could not make that up: aliases and places are shared out
// by it. The zero Origin is that of a local member of whom nothing is known.
type Origin struct {
	Home   wire.RelayID // which relay the member is attached to; zero: this one
	Wide   Group        // a part of the network, or a peer
	Narrow Group        // one address of it, or what is behind the peer
}

// Group is whom members have in common.
type Group struct {
	Block netip.Prefix // of local members
	Relay wire.RelayID // of remote ones
}

// FromAddress is the Origin of a local member: one address, in a block that one customer may have.
func FromAddress(block, address netip.Prefix) Origin {
	return Origin{Wide: Group{Block: block}, Narrow: Group{Block: address}}
}

// FromPeer is the Origin of a member of another relay, which comes by a link with a peer: by which relay it
// comes to the peer is the peer's word, and so shares out what the peer has and no more. Its home may be made
// up. via is zero if the peer is its home.
func FromPeer(home, peer, via wire.RelayID) Origin {
	return Origin{Home: home, Wide: Group{Relay: peer}, Narrow: Group{Relay: via}}
}

// kind is 0 for local members and 1 for remote ones: they are counted apart, so that no peer can keep a
// relay's own clients from making rooms, or from joining them.
func (o *Origin) kind() int {
	if o.Home == (wire.RelayID{}) {
		return 0
	}
	return 1
}

// Join adds a member with a verified entry to the room called name. Joining again over the same receiver
// returns the same member. A receiver joins one room in its life. from says that it is local. The member that
// the entry replaces, of whichever relay, leaves in the same step, even if there is no place for the new one.
func (r *Rooms) Join(name string, entry []byte, from Origin, to Receiver, now time.Time) (*Member, error) {
	m, _, err := r.join(name, entry, from, to, now)
	return m, err
}

// JoinRemote adds a member of another relay, with a verified entry, to the room called name. Of to, which has
// to be its own, only ReceivedWithin and the urgent methods are used: SendUrgentThen for UrgentKey and
// SendUrgent for UrgentKeysWanted. That the former was acknowledged means little, for the next relay did
// that; see KeyReceived. Joining again over the same receiver returns the same member. displaced is a member
// that had to leave for it, or nil.
func (r *Rooms) JoinRemote(name string, entry []byte, from Origin, to Receiver,
	now time.Time) (m, displaced *Member, err error) {
	if from.kind() == 0 {
		return nil, nil, errNoHome
	}
	return r.join(name, entry, from, to, now)
}

// join is Join and JoinRemote.
func (r *Rooms) join(name string, entry []byte, from Origin, to Receiver,
	now time.Time) (m, displaced *Member, err error) {
	m, replaced, displaced, err := r.enter(name, entry, from, to, now)
	if replaced != nil && !replaced.remote() {
		r.Replaced(replaced)
	}
	return m, displaced, err
}

// enter is join but for what is called with no lock held.
func (r *Rooms) enter(name string, entry []byte, from Origin, to Receiver,
	now time.Time) (m, replaced, displaced *Member, err error) {
	hash := wire.HashEntry(entry)
	id := hash.Member()
	own, replaces := wire.StaysOf(entry, hash)
	r.mu.Lock()
	defer r.mu.Unlock()
	room := r.rooms[name]
	if room == nil {
		room = newRoom(name, r.limits.RoomRate)
	}
	room.mu.Lock()
	defer room.mu.Unlock()
	if m = room.find(id); m != nil {
		if m.receiver == to && m.home == from.Home {
			return m, nil, nil, nil
		}
		return nil, nil, nil, ErrIDTaken
	}
	if room.replaced[own] > 0 {
		return nil, nil, nil, ErrReplaced
	}
	if replaced = room.stay(replaces); replaced != nil {
		room.remove(replaced, now)
		defer r.forget(room)
	}
	kind := from.kind()
	if room.size(kind) == 0 && r.with[kind] >= [2]int{r.limits.Rooms, r.limits.RemoteRooms}[kind] {
		return nil, replaced, nil, ErrTooManyRooms
	}
	if displaced, err = room.makePlace(r, from, now); err != nil {
		return nil, replaced, nil, err
	}
	room.joins++
	m = &Member{ID: id, Entry: entry, rooms: r, room: room, receiver: to, home: from.Home, stay: own,
		replaces: replaces, number: budget.ID(id[:]), turn: room.joins,
		binds: rate.NewLimiter(bindRate, bindBurst)}
	m.occupy(from)
	m.crowd = kind == 0 && from.Wide.Block.IsValid() && room.places[0].Held([]Group{from.Wide}) > fewOfGroup
	room.keys.join(m)
	room.share(m)
	all := room.members.Load().all
	i, _ := search(all, id)
	m.rooms.setMembers(room, slices.Insert(slices.Clone(all), i, m), m.remote())
	if room.size(kind) == 1 {
		r.with[kind]++
	}
	room.noteReplaced(m, 1)
	room.changes.join(m)
	r.rooms[name] = room
	return m, replaced, displaced, nil
}

// size returns how many members of a kind the room has.
func (room *Room) size(kind int) int {
	list := room.members.Load()
	if kind == 0 {
		return len(list.local)
	}
	return len(list.all) - len(list.local)
}

// Leave removes the member, and its room if it was the last. It reports false if the member had left before.
func (m *Member) Leave(now time.Time) bool {
	m.rooms.mu.Lock()
	defer m.rooms.mu.Unlock()
	room := m.room
	room.mu.Lock()
	defer room.mu.Unlock()
	if m.left {
		return false
	}
	room.remove(m, now)
	m.rooms.forget(room)
	return true
}

// forget forgets a room in which nobody is any more. The caller holds r.mu.
func (r *Rooms) forget(room *Room) {
	if len(room.members.Load().all) == 0 {
		delete(r.rooms, room.name)
	}
}

// remove is Leave of a member that is there. The caller holds Rooms.mu and room.mu.
func (room *Room) remove(m *Member, now time.Time) {
	m.left = true
	room.thin(m)
	all, kind := room.members.Load().all, m.origin.Load().kind()
	if i, found := search(all, m.ID); found {
		m.rooms.setMembers(room, slices.Delete(slices.Clone(all), i, i+1), m.remote())
	}
	if room.size(kind) == 0 {
		m.rooms.with[kind]--
	}
	room.unshare(m)
	room.places[kind].Remove(m.place)
	for _, st := range m.streams {
		room.drop(st, now)
	}
	room.noteReplaced(m, -1)
	room.changes.leave(m)
	room.keys.leave(m)
}

// thin puts the first of a crowd in the place of one of the Few that leaves. The caller holds room.mu.
func (room *Room) thin(left *Member) {
	if left.remote() || left.crowd {
		return
	}
	var first *Member
	group := left.origin.Load().Wide
	for _, m := range room.members.Load().local {
		if m.crowd && m.origin.Load().Wide == group && (first == nil || m.turn < first.turn) {
			first = m
		}
	}
	if first != nil {
		first.crowd = false
	}
}

// makePlace checks that there is a place for a new member, and makes one if a remote member has to give way.
// The caller holds Rooms.mu and room.mu.
func (room *Room) makePlace(r *Rooms, from Origin, now time.Time) (displaced *Member, err error) {
	size := room.size(from.kind())
	full := size >= r.limits.Members
	switch {
	case full && from.kind() == 0:
		return nil, ErrRoomFull
	case full:
		return room.displace(r, from, now)
	case from.kind() == 1 || !from.Wide.Block.IsValid():
		return nil, nil
	}
	for _, path := range [][]Group{{from.Wide}, {from.Wide, from.Narrow}} {
		if n := room.places[0].Held(path); n >= r.limits.perGroup(size) {
			r.Drops.Add(drops.AddressPlaces, 1)
			who := path[len(path)-1]
			room.short(r, Shortage{What: ShortPlaces, Group: who, Holds: n, Of: r.limits.Members}, now)
			return nil, ErrCrowded
		}
	}
	return nil, nil
}

// perGroup returns how many local members of one Group a room may have. Of n places of which f are left that
// is 2 f^2 / n: half of all if it is alone; k groups that take all they can leave n / 2k, each for who comes
// from elsewhere. (Were it f itself, eleven groups would have all of 2000.)
func (l *Limits) perGroup(members int) int {
	if l.PerAddress > 0 {
		return l.PerAddress
	}
	left := l.Members - members
	return max(1, 2*left*left/l.Members)
}

// displace removes, of the remote members who give way, the one that came last. The caller holds Rooms.mu and
// room.mu.
func (room *Room) displace(r *Rooms, from Origin, now time.Time) (displaced *Member, err error) {
	path, tree := []Group{from.Wide, from.Narrow}, &room.places[1]
	short := Shortage{What: ShortRemotePlaces, Group: from.Wide, Holds: tree.Held(path[:1]),
		Of: r.limits.Members}
	if own, ok := tree.Ask(path); own || !ok {
		r.Drops.Add(drops.PeerPlaces, 1)
		room.short(r, short, now)
		return nil, ErrRoomFull
	}
	for _, m := range room.members.Load().all {
		if m.remote() && tree.Yields(m.place) && (displaced == nil || m.turn > displaced.turn) {
			displaced = m
		}
	}
	wide := displaced.place.Parent()
	short.Group, short.Holds = wide.Key(), wide.Held()
	r.Drops.Add(drops.PeerPlaceTaken, 1)
	room.short(r, short, now)
	room.remove(displaced, now)
	return displaced, nil
}

// occupy gives the member, which has to be in the room, its place. The caller holds room.mu.
func (m *Member) occupy(from Origin) {
	m.origin.Store(&from)
	m.place = m.room.places[from.kind()].Add([]Group{from.Wide, from.Narrow})
}

// Move says that a remote member, which stays what it is, comes by another way now.
func (m *Member) Move(from Origin) {
	m.room.mu.Lock()
	defer m.room.mu.Unlock()
	if m.left || from.Home != m.home || *m.origin.Load() == from {
		return
	}
	m.room.places[1].Remove(m.place)
	m.occupy(from)
}

// holder is a step of the path of who holds an alias (package share): local members or remote ones, then a
// Group, then another, then a member.
type holder struct {
	kind   int
	group  Group
	member wire.MemberID
}

// path returns the steps for a member.
func (m *Member) path() [4]holder {
	from := m.origin.Load()
	return [4]holder{{kind: from.kind()}, {group: from.Wide}, {group: from.Narrow}, {member: m.ID}}
}

const (
	// shortEvery is how far apart shortages of a room are told, at least, for each thing.
	shortEvery = time.Minute
	// maxShortages is how many wait in Rooms.Shortages.
	maxShortages = 16
)

// Short is what there may be too little of.
type Short int

// What there is a fixed number of in a room.
const (
	ShortAliases      Short = iota
	ShortPlaces             // of local members
	ShortRemotePlaces       // of members of other relays
	shortKinds
)

// Shortage says who has so much of a room that others go short.
type Shortage struct {
	Room  string
	What  Short
	Group Group // who
	Holds int   // how much
	Of    int
}

// short tells of a shortage. The caller holds room.mu.
func (room *Room) short(r *Rooms, s Shortage, now time.Time) {
	if !allow(&room.shorted[s.What], rate.Every(shortEvery), 1, now) {
		return
	}
	s.Room = room.name
	select {
	case r.short <- s:
	default:
	}
}
