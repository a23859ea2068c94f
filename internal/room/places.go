package room

import (
	"time"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/share"
)

// The places in a room. Nobody may fill them from one address, or over one link between relays; but many honest people
// share an address, and nobody who is here is sent away for others who have the same right to be. So local members, who
// would notice, are refused while there still are places for members from elsewhere, and remote ones make way: they come
// back as soon as there is space, and what they are is their relay's word.

// crowded is from how many aliases on somebody is named who has more than others.
const crowded = 64

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
	if last := room.shorted[s.What]; !last.IsZero() && now.Sub(last) < shortEvery {
		return
	}
	room.shorted[s.What] = now
	s.Room = room.name
	select {
	case r.short <- s:
	default:
	}
}

// placesOf returns who has the places of local members, or of remote ones. The caller holds room.mu.
func (room *Room) placesOf(remote bool) *share.Tree[Group] {
	if remote {
		return &room.places[1]
	}
	return &room.places[0]
}

// makePlace looks whether there is a place for a new member, and makes one if a remote member has to give way. The caller
// holds Rooms.mu and room.mu.
func (room *Room) makePlace(r *Rooms, from Origin, now time.Time) (displaced *Member, err error) {
	tree, full := room.placesOf(from.remote()), room.size(from.Home) >= r.limits.Members
	if from.remote() {
		if !full {
			return nil, nil
		}
		return room.displace(r, from, now)
	}
	if full {
		return nil, ErrRoomFull
	}
	if !from.Wide.Block.IsValid() {
		return nil, nil
	}
	for _, path := range [][]Group{{from.Wide}, {from.Wide, from.Narrow}} {
		if n := tree.Held(path); n >= r.limits.perGroup(room.size(from.Home)) {
			r.Drops.Add(drops.AddressPlaces, 1)
			room.short(r, Shortage{What: ShortPlaces, Group: path[len(path)-1], Holds: n, Of: r.limits.Members}, now)
			return nil, ErrCrowded
		}
	}
	return nil, nil
}

// perGroup returns how many local members of one Group a room with so many members may have. Of n places of which f are
// left that is 2 f^2 / n: half of all if it is alone, and if k groups take all that they can, they leave n / 2k, each of
// which is for who comes from elsewhere. (Were it f itself, eleven groups would have all of 2000.)
func (l *Limits) perGroup(members int) int {
	if l.PerAddress > 0 {
		return l.PerAddress
	}
	left := l.Members - members
	return max(1, 2*left*left/l.Members)
}

// displace has the remote member leave that came last of those who give way to one from an Origin. The caller holds
// Rooms.mu and room.mu.
func (room *Room) displace(r *Rooms, from Origin, now time.Time) (displaced *Member, err error) {
	path, tree := []Group{from.Wide, from.Narrow}, room.placesOf(true)
	if own, ok := tree.Ask(path); own || !ok {
		r.Drops.Add(drops.PeerPlaces, 1)
		room.short(r, Shortage{What: ShortRemotePlaces, Group: from.Wide, Holds: tree.Held(path[:1]), Of: r.limits.Members}, now)
		return nil, ErrRoomFull
	}
	for _, m := range *room.members.Load() {
		if m.remote() && tree.Yields(m.place) && (displaced == nil || m.turn > displaced.turn) {
			displaced = m
		}
	}
	wide := displaced.place.Parent()
	r.Drops.Add(drops.PeerPlaceTaken, 1)
	room.short(r, Shortage{What: ShortRemotePlaces, Group: wide.Key(), Holds: wide.Held(), Of: r.limits.Members}, now)
	room.remove(displaced, now)
	return displaced, nil
}

// settle gives the member, which has to be in the room, its place. The caller holds room.mu.
func (m *Member) settle(from Origin) {
	m.origin.Store(&from)
	m.place = m.room.placesOf(m.remote()).Add([]Group{from.Wide, from.Narrow})
}

// Move says that a remote member, which stays what it is, comes by another way now.
func (m *Member) Move(from Origin) {
	m.room.mu.Lock()
	defer m.room.mu.Unlock()
	if m.left || from.Home != m.home || *m.origin.Load() == from {
		return
	}
	m.room.placesOf(m.remote()).Remove(m.place)
	m.settle(from)
}
