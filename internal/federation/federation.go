package federation

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/peer"
	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/internal/routing"
	"github.com/wzp-voice/wzp/internal/wire"
)

// Options say what a Federation is part of. All but Events are needed.
type Options struct {
	Identity *identity.Identity // the relay's
	Boot     uint64             // rises with every start of the relay; below 2^62
	Rooms    *room.Rooms
	// Tell has the members of m's room told of a change, soon. It must not block.
	Tell   func(m *room.Member)
	Log    *slog.Logger
	Events *eventlog.Writer // nil: none
}

// Config is what may change while the relay runs.
type Config struct {
	Peers    []peer.Config
	IsGlobal func(room string) bool // whether a room is bridged
}

// Federation bridges a relay's rooms with those of its peers.
type Federation struct {
	self    *identity.Identity
	rooms   *room.Rooms
	tell    func(*room.Member)
	log     *slog.Logger
	packets *eventlog.Writer // nil: none
	links   *peer.Links
	dedups  *dedups
	stats   counters
	wake    chan struct{} // cap 1: run has something to do
	cancel  context.CancelFunc
	wg      sync.WaitGroup

	isGlobal atomic.Pointer[func(string) bool]
	ways     ways // what of the table and the rooms is asked where packets are received
	news     news

	configuring sync.Mutex // held by Configure, while peers are configured

	// Guards what follows, which run alone changes. Nobody who receives packets takes it, and nothing is
	// sent, logged or done to a room with it held.
	mu    sync.Mutex
	table *routing.Table
	live  map[wire.RelayID]*livePeer

	// Owned by run:
	bridged  map[wire.RoomHash]*bridged
	dirty    map[string]time.Time  // global rooms whose local members have changed, and when to announce that
	untold   map[*bridged]struct{} // of which our members have to be told something
	untaken  map[*home]*bridged    // those of whose members some found no place
	retryAt  time.Time             // when to try them again
	warned   map[string]time.Time
	unshared map[wire.RelayID]*unshared // of peers that were ever up
}

// bridged is a room that peers share with us.
type bridged struct {
	name  string
	homes map[wire.RelayID]*home
	ours  map[wire.MemberID]ourMember

	announced time.Time // by when what was announced of ours is paid for: announceRest each

	labels  uint64                   // counts the changes of what the homes are called
	named   map[wire.MemberID]uint64 // which of these our members know
	namedAt time.Time                // when some were told last

	changed *room.Member // somebody came or went of which our members were not told
	toldAt  time.Time    // when they were told last
}

// ourMember is a member of this relay as it is announced.
type ourMember struct {
	entry []byte
	left  time.Time // zero: it is here
}

// home is another relay's part of a room.
type home struct {
	label   string
	by      routing.Hop // which its members come by
	members map[wire.MemberID]*room.Member
	untaken map[wire.MemberID][]byte // entries of members for whom there was no place
}

// counters are the totals that are not a link's own.
type counters struct {
	egress, ingress, local, messages atomic.Uint64 // egress: of links that are over
	rooms                            atomic.Int64  // that are bridged now
}

// New makes a Federation without peers. Start it once there is an endpoint that has Acceptor in its
// configuration.
func New(o Options) *Federation {
	f := &Federation{
		self:     o.Identity,
		rooms:    o.Rooms,
		tell:     o.Tell,
		log:      o.Log,
		packets:  o.Events,
		dedups:   newDedups(time.Now()),
		wake:     make(chan struct{}, 1),
		live:     make(map[wire.RelayID]*livePeer),
		bridged:  make(map[wire.RoomHash]*bridged),
		dirty:    make(map[string]time.Time),
		untold:   make(map[*bridged]struct{}),
		untaken:  make(map[*home]*bridged),
		warned:   make(map[string]time.Time),
		unshared: make(map[wire.RelayID]*unshared),
	}
	none := func(string) bool { return false }
	f.isGlobal.Store(&none)
	f.table = routing.New(o.Identity, o.Boot, none)
	f.links = peer.New(o.Log, f.linkUp)
	return f
}

// Acceptor is what the endpoint asks about peers that connect.
func (f *Federation) Acceptor() link.PeerAcceptor { return f.links }

// Start begins to dial peers, over ep.
func (f *Federation) Start(ep *link.Endpoint) {
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	f.links.Start(ep, f.self)
	f.wg.Go(func() { f.run(ctx) })
}

// Close ends all links and waits for everything. The endpoint must still be open.
func (f *Federation) Close() {
	f.links.Close()
	f.cancel()
	f.wg.Wait()
}

// Configure takes a new configuration. Links with peers that stay are not touched.
func (f *Federation) Configure(c Config) {
	f.configuring.Lock()
	defer f.configuring.Unlock()
	f.isGlobal.Store(&c.IsGlobal)
	f.later(func(now time.Time) {
		clear(f.unshared) // what the operator has not mended is said again
		f.decide(func() { f.table.Configure(c.IsGlobal, now) })
	})
	for _, name := range f.rooms.Names() {
		f.news.roomChanged(name)
	}
	f.links.Configure(c.Peers)
	f.wakeUp()
}

// Changed says that a local member has joined a room or left it. It waits for nothing.
func (f *Federation) Changed(name string) {
	if f.global(name) {
		f.news.roomChanged(name)
		f.wakeUp()
	}
}

// global reports whether a room is bridged.
func (f *Federation) global(name string) bool { return (*f.isGlobal.Load())(name) }

// news is what run has not heard of yet. The zero value is empty.
type news struct {
	mu    sync.Mutex          // guards what follows
	rooms map[string]struct{} // global ones whose local members have changed: no more than there are rooms
	do    []func(now time.Time)
}

func (n *news) roomChanged(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.rooms == nil {
		n.rooms = make(map[string]struct{})
	}
	n.rooms[name] = struct{}{}
}

func (n *news) later(do func(now time.Time)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.do = append(n.do, do)
}

// take returns what is to be done, in its order, and the rooms.
func (n *news) take() (do []func(now time.Time), rooms map[string]struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	do, rooms = n.do, n.rooms
	n.do, n.rooms = nil, nil
	return do, rooms
}

// later has run do something, after what was given to later before: links that come and go, and a new
// configuration.
func (f *Federation) later(do func(now time.Time)) {
	f.news.later(do)
	f.wakeUp()
}

// wakeUp has run look again.
func (f *Federation) wakeUp() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// hearNews does what was given to later, and notes which rooms have changed.
func (f *Federation) hearNews(now time.Time) {
	do, rooms := f.news.take()
	for _, one := range do {
		one(now)
	}
	for name := range rooms {
		due := time.Time{}
		if b := f.bridged[wire.HashRoom(name)]; b != nil {
			due = b.due()
		}
		f.dirty[name] = due
	}
}

// decide has the table told something, by tell, and carries out what follows from it. Only run calls it.
func (f *Federation) decide(tell func()) {
	f.mu.Lock()
	tell()
	effects := f.table.Take()
	f.mu.Unlock()
	for _, e := range effects {
		f.carryOut(e)
	}
}

// run does what the table decides, hears what peers say, announces what changes here, and does what has to be
// done by time alone. It is the only one that changes bridged rooms, so that what is decided is done in order
// and without a lock.
func (f *Federation) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			f.hearNews(time.Now()) // the links' ends
			return
		case <-f.wake:
		case <-timer.C:
		}
		now := time.Now()
		next := soonest(f.work(now), f.retryParked(now))
		f.releaseEarly(now)
		if !next.IsZero() {
			timer.Reset(max(time.Until(next), 10*time.Millisecond))
		}
	}
}

// soonest returns the earlier of two times, of which zero is never.
func soonest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// work brings the table and our members up to date and returns when it has something to do next; zero: never,
// by time alone.
func (f *Federation) work(now time.Time) (next time.Time) {
	f.hearNews(now)
	if f.hear(now) {
		f.wakeUp() // but not before the others had their turn
	}
	for name, due := range f.dirty {
		if now.Before(due) {
			next = soonest(next, due)
			continue
		}
		entries, again := f.localEntries(name, now)
		f.decide(func() { f.table.SetLocal(name, entries, now) })
		if again.IsZero() {
			delete(f.dirty, name)
			f.forgetEmpty(wire.HashRoom(name))
		} else {
			f.dirty[name] = again
			next = soonest(next, again)
		}
	}
	f.decide(func() { next = soonest(next, f.table.Tick(now)) })
	next = soonest(next, f.retryUntaken(now))
	next = soonest(next, f.tellRooms(now))
	return next
}

// announceRest is between two announcements of our members of a room, after the first announceBurst, which go
// at once: who joins just when another has left does not wait.
const (
	announceRest  = 200 * time.Millisecond
	announceBurst = 4
)

// due is when the next announcement may be.
func (b *bridged) due() time.Time { return b.announced.Add(-(announceBurst - 1) * announceRest) }

// announce notes an announcement.
func (b *bridged) announce(now time.Time) {
	if b.announced.Before(now) {
		b.announced = now
	}
	b.announced = b.announced.Add(announceRest)
}

// lastWord is how long after a member has left its leave is announced: news travel as fast as media, and what
// it said last would come after its leave, and be dropped.
const lastWord = 250 * time.Millisecond

// localEntries returns the entries of our members of a room, none if it is not global, and when to ask again,
// if some have just left.
func (f *Federation) localEntries(name string, now time.Time) (entries [][]byte, again time.Time) {
	members := f.rooms.Shown(name)
	b := f.bridged[wire.HashRoom(name)]
	if !f.global(name) {
		if b != nil {
			b.ours, b.named = nil, nil
		}
		return nil, time.Time{}
	}
	if b == nil && len(members) == 0 {
		return nil, time.Time{}
	}
	if b == nil {
		b = f.bridgedRoom(name)
	}
	f.untold[b] = struct{}{}
	before := b.ours
	b.ours = make(map[wire.MemberID]ourMember, len(members))
	for _, m := range members {
		b.ours[m.ID] = ourMember{entry: m.Entry}
		entries = append(entries, m.Entry)
	}
	for id, m := range before {
		if _, here := b.ours[id]; here {
			continue
		}
		if m.left.IsZero() {
			m.left = now
		}
		if due := m.left.Add(lastWord); now.Before(due) {
			b.ours[id] = m
			entries = append(entries, m.entry)
			if again.IsZero() || due.Before(again) {
				again = due
			}
		}
	}
	if !maps.EqualFunc(before, b.ours, func(ourMember, ourMember) bool { return true }) {
		b.announce(now)
	}
	if due := b.due(); !again.IsZero() && again.Before(due) {
		again = due
	}
	return entries, again
}

// bridgedRoom returns the bridged room of a name, which is made if need be.
func (f *Federation) bridgedRoom(name string) *bridged {
	hash := wire.HashRoom(name)
	b := f.bridged[hash]
	if b == nil {
		b = &bridged{name: name, homes: make(map[wire.RelayID]*home)}
		f.bridged[hash] = b
		f.ways.rooms.Store(hash, name)
		f.stats.rooms.Store(int64(len(f.bridged)))
	}
	return b
}

// forgetEmpty forgets a room in which nobody is any more.
func (f *Federation) forgetEmpty(hash wire.RoomHash) {
	if b := f.bridged[hash]; b != nil && len(b.homes) == 0 && len(b.ours) == 0 {
		delete(f.bridged, hash)
		f.ways.rooms.Delete(hash)
		f.stats.rooms.Store(int64(len(f.bridged)))
		delete(f.untold, b)
	}
}
