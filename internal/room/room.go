package room

import (
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/share"
	"github.com/wzp-voice/wzp/internal/wire"
)

// Errors of Join.
var (
	ErrRoomFull     = errors.New("room: the room has as many members as are allowed")
	ErrTooManyRooms = errors.New("room: there are as many rooms as are allowed")
	ErrIDTaken      = errors.New("room: another session has a member with this entry")
	ErrCrowded      = errors.New("room: the room keeps its places for members from other addresses")
)

// Tx is what a receiving goroutine sends with; the link knows its type.
type Tx any

// Receiver is a member's link, as far as the room needs it. All methods are safe for concurrent use.
type Receiver interface {
	// SendMedia sends a media frame in its short form, or in its long one as long as the peer does not
	// know the alias. It never blocks.
	SendMedia(tx Tx, alias uint16, short, long []byte)
	// SetAliasKnown says whether the peer has acknowledged what an alias stands for.
	SetAliasKnown(alias uint16, known bool)
	// SendUrgent sends a message that is repeated until it is acknowledged. It keeps body, and fails when
	// too many are under way.
	SendUrgent(kind wire.UrgentKind, body []byte) error
	// SendUrgentThen is SendUrgent which, if it does not fail, calls done once: when the message was acknowledged,
	// or when the session has ended without that. It may do so before it returns; no lock that HeardWithin or
	// sending takes is held then.
	SendUrgentThen(kind wire.UrgentKind, body []byte, done func(acked bool)) error
	// HeardWithin reports whether an authentic packet came within the last d. It calls nothing back.
	HeardWithin(d time.Duration) bool
}

// Limits bound what members can make a relay hold.
type Limits struct {
	Rooms       int // rooms with local members at once
	RemoteRooms int // rooms with members of other relays at once; 0: as many as Rooms
	Members     int // local members of one room, and as many remote ones
	MemberRate  int // bytes of media a second of one member; 0: 32,000
	RoomRate    int // and of a room, together; 0: 250,000
	SendRate    int // media packets a second that go to local members of all rooms; 0: 200,000 for each processor
	PerAddress  int // local members of one room from one Group; 0: by how many places are left
}

// FanOut sends a media frame to all of the receivers but one, as SendMedia of each would, and returns how many
// those are.
type FanOut func(tx Tx, to []Receiver, but Receiver, alias uint16, short, long []byte) int

// Rooms are the rooms of a relay. A room is made by its first member and goes with its last.
type Rooms struct {
	// FanOut, if set before the first Join, is used instead of the receivers' SendMedia: who knows what the
	// receivers are may be faster.
	FanOut FanOut
	// Soon, if set before the first Join, is called when there is something for a Flush to do within 100 ms. It must
	// not block, nor call back.
	Soon func()

	// Shortages says when somebody has so much of a room that others go short: once a minute for each room at most. What
	// nobody takes from it is only counted.
	Shortages <-chan Shortage

	Drops *drops.Counters // what is not passed on, here and in what the rooms are a part of
	Keys  KeyCounts

	limits Limits
	send   *budget.Pool // packets of media to local members
	short  chan Shortage

	mu            sync.Mutex // guards what follows; taken before a Room's mu
	rooms         map[string]*Room
	trunks        map[part][]Trunk // what SetTrunks said last, also of rooms that do not exist
	local, remote int              // how many rooms have local members, and remote ones
}

// NewRooms returns a relay's rooms.
func NewRooms(limits Limits) *Rooms {
	if limits.RemoteRooms == 0 {
		limits.RemoteRooms = limits.Rooms
	}
	if limits.MemberRate == 0 {
		limits.MemberRate = DefaultMemberRate
	}
	if limits.RoomRate == 0 {
		limits.RoomRate = DefaultRoomRate
	}
	if limits.SendRate == 0 {
		limits.SendRate = DefaultSendRate * runtime.NumCPU()
	}
	short := make(chan Shortage, maxShortages)
	return &Rooms{
		FanOut: oneByOne, Soon: func() {}, Shortages: short, short: short, limits: limits,
		Drops: new(drops.Counters), rooms: make(map[string]*Room), trunks: make(map[part][]Trunk),
		send: budget.NewPool(budget.Config{Rate: limits.SendRate, Burst: roomBurst, Least: sendLeast}),
	}
}

// Room is a named group: whoever is in it hears whoever talks in it.
type Room struct {
	name      string
	hash      wire.RoomHash
	members   atomic.Pointer[[]*Member]  // sorted by id; never changed, only replaced
	locals    atomic.Pointer[[]*Member]  // those of them that are attached to this relay
	receivers atomic.Pointer[[]Receiver] // the locals', so that forwarding need not look at the members
	few       atomic.Pointer[[]Receiver] // those of them who are none of a crowd; see Few
	media     *budget.Pool               // what members may bring, together
	away      *budget.Pool               // and what of that goes to peers

	trunks map[wire.RelayID]*trunkSet // by home, of those who have members here; guarded by Rooms.mu

	mu      sync.Mutex // guards what follows, and every change of members; never held across I/O
	aliases aliasTable
	places  [2]share.Tree[Group] // who has the places of local members, and of remote ones: a Group in a Group
	joins   uint64
	shorted [shortKinds]time.Time // when that was last told
	changes changes
	telling bool // somebody is telling the members of changes, one at a time

	keys exchange // its own lock is taken after mu
}

// newRoom returns a room without members, which forwards so many bytes of media a second.
func newRoom(name string, mediaRate int) *Room {
	room := &Room{name: name, hash: wire.HashRoom(name), trunks: make(map[wire.RelayID]*trunkSet)}
	room.media = budget.NewPool(budget.Config{Rate: mediaRate, Burst: roomBurst, Least: roomLeast})
	room.away = budget.NewPool(budget.Config{Rate: mediaRate / awayPart, Burst: roomBurst, Least: roomLeast})
	room.members.Store(&[]*Member{})
	room.locals.Store(&[]*Member{})
	room.receivers.Store(&[]Receiver{})
	room.few.Store(&[]Receiver{})
	return room
}

// Member is one client in a room, for as long as it is there.
type Member struct {
	ID    wire.MemberID
	Entry []byte // as the client signed it; never changed

	rooms    *Rooms
	room     *Room
	receiver Receiver
	home     wire.RelayID // zero: local
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

// Join adds a member with a verified entry to the room called name. Joining again over the same
// receiver returns the same member. A receiver joins one room in its life. from says that it is local.
func (r *Rooms) Join(name string, entry []byte, from Origin, to Receiver, now time.Time) (*Member, error) {
	m, _, err := r.join(name, entry, from, to, now)
	return m, err
}

// join is Join and JoinRemote.
func (r *Rooms) join(name string, entry []byte, from Origin, to Receiver, now time.Time) (m, displaced *Member, err error) {
	id := wire.EntryID(entry)
	r.mu.Lock()
	defer r.mu.Unlock()
	room := r.rooms[name]
	if room == nil {
		room = newRoom(name, r.limits.RoomRate)
	}
	room.mu.Lock()
	defer room.mu.Unlock()
	list := *room.members.Load()
	i, found := slices.BinarySearchFunc(list, id, compareID)
	switch {
	case found && list[i].receiver == to && list[i].home == from.Home:
		return list[i], nil, nil
	case found:
		return nil, nil, ErrIDTaken
	case !r.admits(room, from.Home):
		return nil, nil, ErrTooManyRooms
	}
	if displaced, err = room.makePlace(r, from, now); err != nil {
		return nil, nil, err
	}
	if displaced != nil {
		list = *room.members.Load()
		i, _ = slices.BinarySearchFunc(list, id, compareID)
	}
	room.joins++
	m = &Member{
		ID: id, Entry: entry, rooms: r, room: room, receiver: to, home: from.Home, number: budget.ID(id[:]), turn: room.joins,
		binds: rate.NewLimiter(bindRate, bindBurst),
	}
	m.settle(from)
	m.crowd = !m.remote() && from.Wide.Block.IsValid() && room.placesOf(false).Held([]Group{from.Wide}) > fewOfGroup
	room.keys.join(m)
	room.share(m)
	room.replaceMembers(slices.Insert(slices.Clone(list), i, m), m.remote())
	if room.size(m.home) == 1 {
		*r.with(m.home)++
	}
	room.changes.join(m)
	r.rooms[name] = room
	return m, displaced, nil
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
	if len(*room.members.Load()) == 0 {
		delete(m.rooms.rooms, room.name)
	}
	return true
}

// remove is Leave of a member that is there. The caller holds Rooms.mu and room.mu.
func (room *Room) remove(m *Member, now time.Time) {
	m.left = true
	room.thin(m)
	list := *room.members.Load()
	if i, found := slices.BinarySearchFunc(list, m.ID, compareID); found {
		room.replaceMembers(slices.Delete(slices.Clone(list), i, i+1), m.remote())
	}
	if room.size(m.home) == 0 {
		*m.rooms.with(m.home)--
	}
	room.unshare(m)
	room.placesOf(m.remote()).Remove(m.place)
	for _, st := range m.streams {
		room.drop(st, now)
	}
	room.changes.leave(m)
	room.keys.leave(m)
}

// replaceMembers publishes a new snapshot. remote: it has the same local members as the one before. The caller holds
// room.mu.
func (room *Room) replaceMembers(list []*Member, remote bool) {
	room.members.Store(&list)
	if remote {
		return
	}
	locals := make([]*Member, 0, len(list))
	receivers := make([]Receiver, 0, len(list))
	few := make([]Receiver, 0, len(list))
	for _, m := range list {
		if m.remote() {
			continue
		}
		locals = append(locals, m)
		receivers = append(receivers, m.receiver)
		if !m.crowd {
			few = append(few, m.receiver)
		}
	}
	room.locals.Store(&locals)
	room.receivers.Store(&receivers)
	room.few.Store(&few)
}

// thin has the one of a crowd who came first take the place of a member that leaves among the Few. The caller holds room.mu.
func (room *Room) thin(left *Member) {
	if left.remote() || left.crowd {
		return
	}
	var first *Member
	for _, m := range *room.locals.Load() {
		if m.crowd && m.origin.Load().Wide == left.origin.Load().Wide && (first == nil || m.turn < first.turn) {
			first = m
		}
	}
	if first != nil {
		first.crowd = false
	}
}

func compareID(m *Member, id wire.MemberID) int { return m.ID.Compare(id) }

// Room returns the name of the member's room.
func (m *Member) Room() string { return m.room.name }

// Members returns how many members the member's room has, local and remote.
func (m *Member) Members() int { return len(*m.room.members.Load()) }

// Page returns the entries of up to wire.MaxPage members of the member's room whose ids are above after (nil:
// from the start), by id, and the after of the next page, or nil.
func (m *Member) Page(after *wire.MemberID) (entries [][]byte, next *wire.MemberID) {
	list := *m.room.members.Load()
	i := 0
	if after != nil {
		var found bool
		if i, found = slices.BinarySearchFunc(list, *after, compareID); found {
			i++
		}
	}
	page := list[i:min(len(list), i+wire.MaxPage)]
	for _, other := range page {
		entries = append(entries, other.Entry)
	}
	if i+len(page) < len(list) {
		next = &page[len(page)-1].ID
	}
	return entries, next
}

// Stats says what there is now.
type Stats struct {
	Rooms, Members int // rooms with local members, and those
	TransitRooms   int // rooms with remote members only
	RemoteMembers  int
	Streams        int // of local and remote members
}

// Stats counts rooms, members and streams.
func (r *Rooms) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Stats{Rooms: r.local, TransitRooms: len(r.rooms) - r.local}
	for _, room := range r.rooms {
		local := len(*room.locals.Load())
		s.Members += local
		s.RemoteMembers += len(*room.members.Load()) - local
		room.mu.Lock()
		s.Streams += room.aliases.used()
		room.mu.Unlock()
	}
	return s
}
