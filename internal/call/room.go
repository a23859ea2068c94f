package call

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/opus"
	"github.com/wzp-voice/wzp/internal/wire"
)

// JoinConfig says how a room is joined. The zero value is a room without invite secret.
type JoinConfig struct {
	Secret   *e2ee.Secret
	EventLog *eventlog.Writer // notes what becomes of each packet; nil: nothing does. The caller closes it
}

// Room is what a client has of the room that it is in. Its methods are safe for concurrent use.
type Room struct {
	client *Client
	name   string
	id     wire.MemberID
	events *events
	log    *eventlog.Writer // nil: none
	start  time.Time        // of the clock that streams run on
	link   *link.Client
	roster roster
	keeper keeper

	ctx    context.Context // done when the room is over
	cancel context.CancelFunc
	wg     sync.WaitGroup // every goroutine of the room

	pages   *rate.Limiter // of requests for the member list
	sent    sentTotals
	forged  atomic.Uint64 // frames that did not decrypt
	people  people
	hearing hearing
	stopLog sync.Once

	mu          sync.Mutex // guards what follows
	publication *Publication
	published   uint8  // stream numbers used so far
	alias       uint16 // of the newest key id that we send with
	left        bool
	dropping    bool // the relay said that it drops part of what we send
}

// Join joins the room called name. It returns once the relay has accepted, or with the reason why it did
// not; failures that may pass are tried again until ctx is done. Afterwards the room lives until Leave or
// until the relay refuses it (see Ended).
func (c *Client) Join(ctx context.Context, name string, config JoinConfig) (*Room, error) {
	if err := opus.Available(); err != nil {
		return nil, err
	}
	name, err := wire.RoomName(name)
	if err != nil {
		return nil, err
	}
	key, err := e2ee.NewJoinKey()
	if err != nil {
		return nil, err
	}
	conn, err := c.endpoint.Dial(ctx, link.ClientConfig{
		Resolve:    c.resolve,
		ServerName: c.host,
		Name:       c.config.Name,
		CheckRelay: c.checkRelay,
		Join: func(relay identity.PublicKey) (*wire.Join, error) {
			return c.request(relay, name, key, config)
		},
	})
	if err != nil {
		key.Erase()
		config.EventLog.Log(eventlog.Event{Kind: eventlog.Stop, Room: name})
		switch {
		case c.isClosed():
			err = ErrClosed
		case ctx.Err() != nil:
			err = &UnreachableError{err}
		}
		return nil, err
	}
	r := c.newRoom(name, conn, key, config)
	conn.Start((*roomHandler)(r))
	r.wg.Go(r.watch)
	r.wg.Go(r.keepKeys)
	r.wg.Go(r.meetPeople)
	r.wg.Go(r.pruneStreams)
	r.fetch(crowdWait(r.keeper.expected))
	c.keep(r)
	return r, nil
}

// request returns what the relay, whose key is proved, is asked with our member entry.
func (c *Client) request(relay identity.PublicKey, room string, key *e2ee.JoinKey, config JoinConfig) (*wire.Join, error) {
	if err := c.keepRelay(relay); err != nil {
		return nil, err
	}
	entry := wire.MemberEntry{
		Room:      room,
		Name:      c.config.Name,
		HomeRelay: relay,
		Identity:  c.config.Identity.Public(),
		JoinKey:   key.Public(),
	}
	rand.Read(entry.Nonce[:])
	if config.Secret != nil {
		proof := config.Secret.Proof(room, entry.Proved())
		entry.Proof = &proof
	}
	b, err := wire.SignEntry(c.config.Identity, entry)
	if err != nil {
		return nil, err
	}
	fingerprint := relay.Fingerprint()
	config.EventLog.Log(eventlog.Event{
		Kind: eventlog.Start, Room: room, Src: wire.EntryID(b), Name: c.config.Name, Relay: eventlog.PeerID(fingerprint[:8]),
	})
	return &wire.Join{Room: room, Entry: b}, nil
}

// newRoom returns the room that the relay has let us into.
func (c *Client) newRoom(name string, conn *link.Client, key *e2ee.JoinKey, config JoinConfig) *Room {
	told := conn.Handshake()
	hash := wire.HashEntry(told.Join.Entry)
	r := &Room{
		client: c,
		name:   name,
		id:     hash.Member(),
		events: newEvents(),
		log:    config.EventLog,
		start:  time.Now(),
		link:   conn,
		roster: roster{room: name, relay: told.Relay, self: hash.Member(), secret: config.Secret},
		people: people{wake: make(chan struct{}, 1)},
		keeper: keeper{join: key, expected: int(told.Joined.Members), wake: make(chan struct{}, 1), opened: make(chan struct{})},
		pages:  rate.NewLimiter(pageRate, pageBurst),
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.hearing.init(r)
	r.keeper.begin(r, hash)
	r.logJoined(r.keeper.expected)
	return r
}

// Name returns the room's name.
func (r *Room) Name() string { return r.name }

// ID returns this client's own member id.
func (r *Room) ID() wire.MemberID { return r.id }

// Events returns what happens in the room, in order. The channel is closed after Ended. Who does not read
// loses the oldest of more than 512.
func (r *Room) Events() <-chan Event { return r.events.out }

// Members returns who else is in the room, as far as the relay has told.
func (r *Room) Members() []Member { return r.roster.members() }

// SafetyNumber returns the newest safety number, "" before the first.
func (r *Room) SafetyNumber() string {
	if number := r.keeper.safety.number.Load(); number != nil {
		return *number
	}
	return ""
}

// Leave ends publications, tells the relay, and waits for everything of the room to end.
func (r *Room) Leave() error {
	publication, first := r.leaving()
	if !first {
		r.wg.Wait()
		return nil
	}
	if publication != nil {
		publication.Stop()
	}
	r.logStop()
	err := r.link.Close()
	r.end()
	return err
}

// leaving makes sure that nothing new is started, and reports false if that was so before.
func (r *Room) leaving() (publication *Publication, first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	first = !r.left
	r.left = true
	return r.publication, first
}

// end waits for everything of the room to end. Its link has ended already.
func (r *Room) end() {
	r.cancel()
	r.wg.Wait()
	r.closeStreams()
	r.keeper.erase()
	r.client.forget(r)
}

// watch reports the end of the room.
func (r *Room) watch() {
	<-r.link.Done()
	r.cancel()
	err := r.link.Err()
	if errors.Is(err, link.ErrClosed) {
		err = nil
	}
	r.logStop()
	r.events.put(Ended{err})
	r.events.close()
	r.keeper.erase()
}

// Done is closed when the room is over: left, or ended by the relay.
func (r *Room) Done() <-chan struct{} { return r.ctx.Done() }

// now is the clock that streams run on.
func (r *Room) now() time.Duration { return time.Since(r.start) }

// background runs f on a goroutine that Leave waits for, if the room is not over.
func (r *Room) background(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.left {
		r.wg.Go(f)
	}
}

// sentTotals count what all publications of a room have sent.
type sentTotals struct {
	packets, payload atomic.Uint64
	last             atomic.Int64 // when a packet was sent last, on the room's clock
}

// Stats are the room's totals. Bytes include the headers of IP (20) and UDP (8).
type Stats struct {
	PacketsSent       uint64 // with media
	PayloadBytesSent  uint64 // codec bytes
	WireBytesSent     uint64 // of the whole client
	WireBytesReceived uint64
	Forged            uint64 // frames that did not decrypt, whoever they claimed to be from
	Unheard           uint64 // frames that were not played, because more than 64 streams sounded at once
	KeysDropped       uint64 // key messages that came faster than they could be checked
	EventsDropped     uint64 // events that nobody read in time
}

// Uplink returns what the relay reports of the packets that we send.
func (r *Room) Uplink() link.Quality { return r.link.Session().Quality() }

// Stats returns the totals so far.
func (r *Room) Stats() Stats {
	const headers = 28
	u := r.client.endpoint.Stats().UDP
	r.hearing.mu.Lock()
	unheard := r.hearing.unheard
	r.hearing.mu.Unlock()
	return Stats{
		PacketsSent:       r.sent.packets.Load(),
		PayloadBytesSent:  r.sent.payload.Load(),
		WireBytesSent:     u.SealedOutBytes + headers*u.SealedOutPackets,
		WireBytesReceived: u.SealedInBytes + headers*u.SealedInPackets,
		Forged:            r.forged.Load(),
		Unheard:           unheard,
		KeysDropped:       r.keeper.dropped.Load(),
		EventsDropped:     r.events.lost(),
	}
}
