package room

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/share"
	"github.com/wzp-voice/wzp/internal/wire"
)

// Receiver is a member's link, as far as the room needs it. All methods are safe for concurrent use.
type Receiver interface {
	// SendMedia sends a media frame in its short form, or in its long one as long as the remote side does not
	// know the alias. It never blocks.
	SendMedia(tx *link.Tx, alias uint16, short, long []byte)
	// SetAliasKnown says whether the remote side has acknowledged what an alias stands for.
	SetAliasKnown(alias uint16, known bool)
	// SendUrgent repeats a message until it is acknowledged. It keeps body, and fails if too many wait.
	SendUrgent(kind wire.UrgentKind, body []byte) error
	// SendUrgentThen is SendUrgent which, if it does not fail, calls done once: when the message was
	// acknowledged, or when the session has ended without that. It may do so before it returns; no lock that
	// ReceivedWithin or sending takes is held then.
	SendUrgentThen(kind wire.UrgentKind, body []byte, done func(acked bool)) error
	// ReceivedWithin reports whether an authentic packet came within the last d. It calls nothing back.
	ReceivedWithin(d time.Duration) bool
}

// FanOut is some receivers. It is made when members change, so that forwarding has nothing to find out.
type FanOut interface {
	// SendMedia sends a media frame to all but one, and returns how many those are.
	SendMedia(tx *link.Tx, but Receiver, alias uint16, short, long []byte) (sent int)
}

// Limits bound what members can make a relay hold and send.
type Limits struct {
	Rooms       int // rooms with local members at once
	RemoteRooms int // rooms with members of other relays at once; 0: as many as Rooms
	Members     int // local members of one room, and as many remote ones
	PerAddress  int // local members of one room from one Group; 0: by how many places are left
	MemberRate  int // bytes of media a second of one member
	RoomRate    int // and of a room, together
	SendRate    int // media packets a second to local members of all rooms; 0: sendRate for each processor
}

// sendRate is about what one processor can send.
const sendRate = 200_000

// Rooms are the rooms of a relay. A room is made by its first member and goes with its last.
type Rooms struct {
	// FanOut, if set before the first Join, makes a FanOut of the receivers of each list of members: who
	// knows what they are may be faster than their SendMedia. It is called with a room's lock held.
	FanOut func([]Receiver) FanOut
	// Soon, if set before the first Join, is called when there is something for a Flush to do within 100 ms.
	// It must not block, nor call back.
	Soon func()

	// Replaced, if set before the first Join, is called with a local member who has left because another one,
	// whose entry replaces its own, has come. It is called within the other's Join, and must not block.
	Replaced func(*Member)

	// Shortages says when somebody has so much of a room that others go short: once a minute for each room at
	// most. What nobody receives from it is only counted.
	Shortages <-chan Shortage

	Drops *drops.Counters // what is not passed on, here and in what the rooms are a part of
	Keys  KeyCounts

	limits Limits
	send   *budget.Pool // packets of media to local members
	short  chan Shortage

	mu     sync.Mutex // guards what follows; taken before a Room's mu
	rooms  map[string]*Room
	trunks map[part][]Trunk // what SetTrunks said last, also of rooms that do not exist
	with   [2]int           // how many rooms have local members, and remote ones
}

// NewRooms returns a relay's rooms.
func NewRooms(limits Limits) *Rooms {
	if limits.RemoteRooms == 0 {
		limits.RemoteRooms = limits.Rooms
	}
	if limits.SendRate == 0 {
		limits.SendRate = sendRate * runtime.NumCPU()
	}
	short := make(chan Shortage, maxShortages)
	return &Rooms{
		FanOut: newOneByOne, Soon: func() {}, Replaced: func(*Member) {},
		Shortages: short, short: short, limits: limits,
		Drops: new(drops.Counters), rooms: make(map[string]*Room), trunks: make(map[part][]Trunk),
		send: budget.NewPool(budget.Config{Rate: limits.SendRate, Burst: roomBurst, Least: sendLeast}),
	}
}

// Room is a named group: whoever is in it hears whoever talks in it.
type Room struct {
	name    string
	hash    wire.RoomHash
	members atomic.Pointer[memberList]
	media   *budget.Pool // what members may bring, together
	away    *budget.Pool // and what of that goes to peers

	trunks map[wire.RelayID]*trunkSet // by home, of those who have members here; guarded by Rooms.mu

	mu      sync.Mutex // guards what follows, and every change of members; never held across I/O
	aliases *share.Slots[holder, *Stream]
	swept   [2]time.Time         // when dropIdle was called last, for streams of remote members and for all
	places  [2]share.Tree[Group] // who has those of local and remote members: a Group in a Group
	joins   uint64
	// replaced are the stays that members replace, and how many of them do. Who is of one is not let in.
	replaced map[wire.Stay]int
	shorted  [shortKinds]*rate.Limiter // for allow
	changes  changes
	telling  bool // somebody is telling the members of changes, one at a time

	keys exchange // its own lock is taken after mu
}

// newRoom returns a room without members, which forwards so many bytes of media a second.
func newRoom(name string, mediaRate int) *Room {
	room := &Room{name: name, hash: wire.HashRoom(name), trunks: make(map[wire.RelayID]*trunkSet)}
	room.aliases = share.NewSlots[holder](wire.MaxAliases, aliasRest, (*Stream).last)
	room.media = budget.NewPool(budget.Config{Rate: mediaRate, Burst: roomBurst, Least: roomLeast})
	room.away = budget.NewPool(budget.Config{Rate: mediaRate / awayPart, Burst: roomBurst, Least: roomLeast})
	room.members.Store(new(memberList))
	return room
}

// room returns the room called name, or nil.
func (r *Rooms) room(name string) *Room {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rooms[name]
}

// Names returns the names of the rooms that have local members.
func (r *Rooms) Names() (names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, room := range r.rooms {
		if len(room.members.Load().local) > 0 {
			names = append(names, name)
		}
	}
	return names
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
	s := Stats{Rooms: r.with[0], TransitRooms: len(r.rooms) - r.with[0]}
	for _, room := range r.rooms {
		list := room.members.Load()
		s.Members += len(list.local)
		s.RemoteMembers += len(list.all) - len(list.local)
		room.mu.Lock()
		s.Streams += room.aliases.Used()
		room.mu.Unlock()
	}
	return s
}
