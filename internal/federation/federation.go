package federation

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/callpath"
	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/peer"
	"github.com/wzp-voice/wzp/internal/presence"
	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/internal/routing"
	"github.com/wzp-voice/wzp/internal/wire"
)

// Options say what a Federation is part of. All but Address and Events are needed.
type Options struct {
	Identity *identity.Identity // the relay's
	Boot     uint64             // rises with every start of the relay; below 2^62
	Address  string             // what peers are told of where the relay is, HOST:PORT; empty: nothing
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
	calls    calls
	sessions sessionNews
	asks     routeAsks

	// Guards what follows, which run alone changes. Nobody who receives packets takes it, and nothing is
	// sent, logged or done to a room with it held.
	mu     sync.Mutex
	table  *routing.Table
	who    *presence.Table // who can be called, and where
	live   map[wire.RelayID]*livePeer
	missed missedCalls
	// resolver finds routes to who can be called.
	resolver *presence.Resolver

	// Owned by run:
	bridged  map[wire.RoomHash]*bridged
	dirty    agenda[string]                         // rooms with news of our members: when to announce it
	untold   agenda[*bridged]                       // of which our members have to be told something
	unplaced agenda[*home]                          // with members without a place: when to try again
	parked   agenda[*livePeer]                      // likewise, of whose messages some wait
	words    map[wire.RelayID]presence.Word         // the operator's, for peers
	trips    time.Time                              // when the resolver was told the round trips
	warned   drops.Seldom[string]                   // what peers did wrong
	unshared map[wire.RelayID]*drops.Seldom[string] // rooms of peers that are not bridged here
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
		dirty:    make(agenda[string]),
		untold:   make(agenda[*bridged]),
		unplaced: make(agenda[*home]),
		parked:   make(agenda[*livePeer]),
		warned:   drops.Seldom[string]{Every: problemEvery, Most: maxProblems},
		unshared: make(map[wire.RelayID]*drops.Seldom[string]),
	}
	none := func(string) bool { return false }
	f.isGlobal.Store(&none)
	f.table = routing.New(o.Identity, o.Boot, none)
	f.calls.start = time.Now()
	f.calls.lines.known = make(map[presence.SessionID]*line)
	f.calls.table = callpath.New(callpath.Options{Self: o.Identity.Public(), Directory: callDirectory{f}},
		f.calls.start)
	f.who = presence.New(presence.Options{Identity: o.Identity, Boot: o.Boot, Address: o.Address})
	f.missed = newMissedCalls()
	f.resolver = presence.NewResolver(wire.RelayIDOf(o.Identity.Public()), routeDirectory{f.who, &f.missed})
	f.calls.nextHops = f.resolver.NextHops
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

// Configure replaces the configuration. Links with peers that stay are not touched. It is called by one
// goroutine at a time.
func (f *Federation) Configure(c Config) {
	f.isGlobal.Store(&c.IsGlobal)
	f.later(func(now time.Time) {
		clear(f.unshared) // what the operator has not mended is said again
		f.decide(func() { f.table.Configure(c.IsGlobal, now) })
		f.configurePresence(c.Peers, now)
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
