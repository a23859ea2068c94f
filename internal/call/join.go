package call

import (
	"context"
	"time"

	"golang.org/x/time/rate"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/names"
	"github.com/wzp-voice/wzp/internal/wire"
)

// JoinConfig says how a room is joined. The zero value is a room without invite secret.
type JoinConfig struct {
	Secret   *e2ee.Secret
	Replaces *wire.StayProof  // a stay of this identity in the room that is over, see Room.Stay; nil: none
	EventLog *eventlog.Writer // notes what becomes of each packet; nil: nothing does. The caller closes it
}

// Join joins the room called name. It returns once the relay has accepted, or with the reason why it did not;
// failures that may pass are tried again until ctx is done. The room lives until Leave or a refusal: see
// Ended.
func (c *Client) Join(ctx context.Context, name string, config JoinConfig) (*Room, error) {
	name, err := names.Room(name)
	if err != nil {
		return nil, err
	}
	key, err := e2ee.NewJoinKey()
	if err != nil {
		return nil, err
	}
	stay := wire.NewStaySecret()
	conn, err := c.dial(ctx, link.ClientConfig{Join: func(relay identity.PublicKey) (*wire.Join, error) {
		return c.request(relay, name, key, stay, config)
	}})
	if err != nil {
		key.Erase()
		config.EventLog.Log(eventlog.Event{Kind: eventlog.Stop, Room: name})
		return nil, err
	}
	told := conn.Handshake()
	r := c.newRoom(name, roomConfig{
		bearer: roomLink{conn}, read: wire.ParseEntry, relay: told.Relay,
		entry: told.Join.Entry, members: int(told.Joined.Members),
		key: key, stay: stay, secret: config.Secret, eventLog: config.EventLog,
	})
	conn.Start((*roomHandler)(r))
	r.start()
	c.add(r)
	r.fetchAfter(crowdWait(r.keeper.expected))
	return r, nil
}

// request returns what the relay, whose key is proved, is asked with our member entry.
func (c *Client) request(
	relay identity.PublicKey, room string, key *e2ee.JoinKey, stay wire.StaySecret, config JoinConfig,
) (*wire.Join, error) {
	if err := c.rememberRelay(relay); err != nil {
		return nil, err
	}
	entry := wire.MemberEntry{
		Room:       room,
		Name:       c.config.Name,
		HomeRelay:  relay,
		Identity:   c.config.Identity.Public(),
		Commitment: stay.Commitment(),
		JoinKey:    key.Public(),
		Replaces:   config.Replaces,
	}
	if config.Secret != nil {
		proof := config.Secret.Proof(room, entry.Proved())
		entry.Proof = &proof
	}
	b, err := wire.SignEntry(c.config.Identity, entry)
	if err != nil {
		return nil, err
	}
	f := relay.Fingerprint()
	config.EventLog.Log(eventlog.Event{
		Kind: eventlog.Start, Room: room, Src: wire.EntryID(b), Name: c.config.Name,
		Relay: eventlog.PeerID(f[:8]),
	})
	return &wire.Join{Room: room, Entry: b}, nil
}

// roomConfig is what a Room is made of.
type roomConfig struct {
	bearer   bearer
	read     func(entry []byte) (*wire.MemberEntry, error)
	relay    identity.PublicKey // our home
	entry    []byte             // our own, signed
	members  int                // how many there are, with ourselves
	key      *e2ee.JoinKey      // of the entry; the room erases it
	stay     wire.StaySecret    // likewise
	secret   *e2ee.Secret       // nil: the room has none
	renew    time.Duration      // after which our keys are made anew; 0: never
	eventLog *eventlog.Writer   // nil: none
}

// newRoom returns a room that we are in.
func (c *Client) newRoom(name string, config roomConfig) *Room {
	self := wire.HashEntry(config.entry)
	_, before := wire.StaysOf(config.entry, self)
	r := &Room{
		client:   c,
		name:     name,
		id:       self.Member(),
		stay:     wire.StayProof{Entry: self, Secret: config.stay},
		events:   newEvents(),
		eventLog: packetLog{config.eventLog, name},
		bearer:   config.bearer,
		roster: &roster{room: name, relay: config.relay, self: self.Member(), before: before,
			secret: config.secret, read: config.read},
		pages: rate.NewLimiter(pageRate, pageBurst),
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	listener := e2ee.NewListener(self, config.key, name, config.secret)
	r.hearing = newHearing(r.id, r.roster, listener, r.eventLog, r.tell)
	r.sender = &sender{bearer: config.bearer, eventLog: r.eventLog, clock: r.hearing.clock}
	r.keeper = newKeeper(keeperConfig{
		room: name, self: self, identity: c.config.Identity, joinKey: config.key, secret: config.secret,
		expected: config.members, listener: listener, frames: r.hearing,
		roster: r.roster, sender: r.sender, events: r.events, log: c.config.Log, fetch: r.fetch,
		renew: config.renew,
	})
	r.arrivals = &arrivals{
		book: &c.names, secret: config.secret != nil, events: r.events, log: c.config.Log,
		here: r.roster.has, wake: make(chan struct{}, 1),
	}
	r.eventLog.note(eventlog.Event{Kind: eventlog.Joined, Src: r.id, Members: config.members})
	return r
}
