package call

import (
	"context"

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
	conn, err := c.endpoint.Dial(ctx, link.ClientConfig{
		Resolve:    c.resolve,
		ServerName: c.host,
		Name:       c.config.Name,
		CheckRelay: c.checkRelay,
		Join: func(relay identity.PublicKey) (*wire.Join, error) {
			return c.request(relay, name, key, stay, config)
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
	r := c.newRoom(name, conn, key, stay, config)
	conn.Start((*roomHandler)(r))
	r.start()
	c.add(r)
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

// newRoom returns the room that the relay has let us into.
func (c *Client) newRoom(
	name string, conn *link.Client, key *e2ee.JoinKey, stay wire.StaySecret, config JoinConfig,
) *Room {
	told := conn.Handshake()
	self := wire.HashEntry(told.Join.Entry)
	_, before := wire.StaysOf(told.Join.Entry, self)
	r := &Room{
		client:   c,
		name:     name,
		id:       self.Member(),
		stay:     wire.StayProof{Entry: self, Secret: stay},
		events:   newEvents(),
		eventLog: packetLog{config.EventLog, name},
		link:     conn,
		roster: &roster{room: name, relay: told.Relay, self: self.Member(), before: before,
			secret: config.Secret},
		pages: rate.NewLimiter(pageRate, pageBurst),
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	listener := e2ee.NewListener(self, key, name, config.Secret)
	r.hearing = newHearing(r.id, r.roster, listener, r.eventLog, r.tell)
	r.sender = &sender{link: conn, eventLog: r.eventLog, clock: r.hearing.clock}
	r.keeper = newKeeper(keeperConfig{
		room: name, self: self, identity: c.config.Identity, joinKey: key, secret: config.Secret,
		expected: int(told.Joined.Members), listener: listener, frames: r.hearing,
		roster: r.roster, sender: r.sender, events: r.events, log: c.config.Log, fetch: r.fetch,
	})
	r.arrivals = &arrivals{
		book: &c.names, secret: config.Secret != nil, events: r.events, log: c.config.Log,
		here: r.roster.has, wake: make(chan struct{}, 1),
	}
	r.eventLog.note(eventlog.Event{Kind: eventlog.Joined, Src: r.id, Members: int(told.Joined.Members)})
	return r
}
