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
	ready  chan struct{}  // closed when link is set

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
	r := &Room{
		client: c,
		name:   name,
		events: newEvents(),
		log:    config.EventLog,
		start:  time.Now(),
		ready:  make(chan struct{}),
		people: people{wake: make(chan struct{}, 1)},
		keeper: keeper{wake: make(chan struct{}, 1), opened: make(chan struct{})},
		pages:  rate.NewLimiter(pageRate, pageBurst),
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.roster.secret = config.Secret
	r.hearing.init(r)
	if r.keeper.join, err = e2ee.NewJoinKey(); err != nil {
		r.cancel()
		return nil, err
	}
	r.link, err = c.endpoint.Dial(ctx, link.ClientConfig{
		Resolve:    c.resolve,
		ServerName: c.host,
		Name:       c.config.Name,
		CheckRelay: c.checkRelay,
		Join:       r.request,
		Handler:    (*roomHandler)(r),
	})
	if err != nil {
		r.cancel()
		r.keeper.erase()
		r.logStop()
		switch {
		case c.isClosed():
			err = ErrClosed
		case ctx.Err() != nil:
			err = &UnreachableError{err}
		}
		return nil, err
	}
	close(r.ready)
	r.wg.Go(r.watch)
	r.wg.Go(r.keepKeys)
	r.wg.Go(r.meetPeople)
	r.wg.Go(r.pruneStreams)
	c.keep(r)
	return r, nil
}

// request makes the member entry for the relay whose key is proved. It is called once.
func (r *Room) request(relay identity.PublicKey) (*wire.Join, error) {
	if err := r.client.keepRelay(relay); err != nil {
		return nil, err
	}
	entry := wire.MemberEntry{
		Room:      r.name,
		Name:      r.client.config.Name,
		HomeRelay: relay,
		Identity:  r.client.config.Identity.Public(),
		JoinKey:   r.keeper.join.Public(),
	}
	rand.Read(entry.Nonce[:])
	if secret := r.roster.secret; secret != nil {
		proof := secret.Proof(r.name, entry.Proved())
		entry.Proof = &proof
	}
	b, err := wire.SignEntry(r.client.config.Identity, entry)
	if err != nil {
		return nil, err
	}
	hash := wire.HashEntry(b)
	r.id = hash.Member()
	r.roster.relay, r.roster.room, r.roster.self = relay, r.name, r.id
	r.keeper.begin(r, hash)
	r.logStart(relay)
	return &wire.Join{Room: r.name, Entry: b}, nil
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
