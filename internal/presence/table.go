package presence

import (
	"crypto/rand"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/share"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	batchEvery   = 200 * time.Millisecond // how often a peer is told something; the first time at once
	stateEvery   = 10 * time.Second       // how often we sign who is here
	stateLeast   = 5 * time.Second        // how often another home's state counts
	expireAfter  = 45 * time.Second       // from the last state on, until a route does not count
	clocksOff    = 2 * time.Minute        // how far other relays' clocks may be from ours
	sweepEvery   = time.Second            // how often everything is looked at
	anewEvery    = time.Second            // how often a peer is told what a number stands for
	askEvery     = 5 * time.Second        // how often a peer is asked for one home
	answerEvery  = 4 * time.Second        // how often it is answered, which is less than askEvery
	silentFor    = 3 * time.Minute        // without a part of an answer, until the peer is not listened to
	badFor       = time.Minute            // a route that was wrong does not count for so long
	hiddenFor    = 30 * time.Second       // until room is looked for again
	rememberFor  = 4 * time.Minute        // a home without routes, and how old what it said is
	mismatchMost = 3                      // states that do not fit, until a route is bad
	aheadMost    = 2                      // states below what is held, until that is given up
	heldMost     = 64                     // messages of a peer that wait for their turn
	windowMost   = 32                     // messages to a peer that are not acknowledged
	contentsMost = 8                      // of which parts of an answer
	partEvery    = 10 * time.Millisecond  // how often one is sent, but for partBurst at once
	partBurst    = 64
	flushMost    = 4                  // messages that tell a peer news at once
	newsMost     = wire.MaxUrgent - 8 // bytes of news in a message
	goneMost     = 400                // homes that one message takes back
	pendingMost  = 4096               // bytes of news of one home that wait for a peer
	changesMost  = 64                 // of our own people in a version
	crowd        = 1000               // from how many on all are
	answersMost  = 32                 // questions of a peer that are answered at once; then one a second
	versionMost  = 1<<62 - 1
)

// Options say whose a Table is. Identity and Boot are needed.
type Options struct {
	Identity *identity.Identity // the relay's
	Boot     uint64             // rises with every start of the relay; below 2^62
	Address  string             // what peers are told of where this relay is, HOST:PORT; empty: nothing
	Random   func(b []byte)     // fills b with what nobody can guess; nil: crypto/rand
}

// Table is who is connected to this relay, and who can be called at others. It is not safe for concurrent
// use.
type Table struct {
	identity *identity.Identity
	self     wire.RelayID
	boot     uint64
	address  string
	random   func([]byte)
	limits   limits
	effects  []Effect // not taken yet

	registry registry
	news     map[wire.PresenceHash]ownChange // for the next version of own
	changed  time.Time                       // when own had its last version
	own      *home

	peers   map[wire.RelayID]*peer
	order   []*peer // the same, by id, so that equal inputs have equal outputs
	ups     uint64  // how many links came up so far
	homes   map[identity.PublicKey]*home
	places  share.Tree[wire.RelayID]
	entries int // of homes
	sweepAt time.Time
	looked  time.Time // when everything was looked at last

	sent, received uint64 // bytes of messages
	mismatches     uint64 // states of homes that do not fit what peers told of them
}

// New returns a Table without peers.
func New(o Options) *Table {
	t := &Table{identity: o.Identity, self: wire.RelayIDOf(o.Identity.Public()), boot: o.Boot,
		address: o.Address, random: o.Random, limits: defaultLimits(), registry: newRegistry(),
		news: map[wire.PresenceHash]ownChange{}, peers: map[wire.RelayID]*peer{},
		homes: map[identity.PublicKey]*home{}}
	t.own = &home{key: o.Identity.Public(), id: t.self, own: true, boot: o.Boot, exact: true, named: true,
		whole: map[wire.PresenceHash]identity.Fingerprint{}}
	if wire.CheckPresenceAddress(t.address) != nil {
		t.address = "" // it is for people to read, and not worth that peers refuse what we say
	}
	if t.random == nil {
		t.random = func(b []byte) { _, _ = rand.Read(b) } // it does not fail
	}
	return t
}

// Tick does what is due. It returns when something is next; zero: never, by time alone.
func (t *Table) Tick(now time.Time) (next time.Time) {
	if !now.Before(t.sweepAt) {
		t.sweep(now)
	}
	next = t.sweepAt
	if len(t.news) > 0 && !now.Before(t.changed.Add(batchEvery)) {
		t.nextVersion(now)
	}
	if len(t.news) > 0 {
		next = soonest(next, t.changed.Add(batchEvery))
	}
	for _, p := range t.order {
		due := p.due()
		if !due.IsZero() && !now.Before(due) {
			t.flush(p, now)
			due = p.due()
		}
		if due.IsZero() {
			continue
		}
		next = soonest(next, due)
	}
	for _, p := range t.order {
		if t.answerMore(p, now); p.answer != nil {
			if due := laterOf(p.answer.notBefore, p.partAt); due.After(now) {
				next = soonest(next, due)
			}
		}
	}
	return next
}

func soonest(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// sweep looks at what time alone changes.
func (t *Table) sweep(now time.Time) {
	t.sweepAt, t.looked = now.Add(sweepEvery), now
	t.expire(now)
	if len(t.peers) > 0 {
		t.signOwn(now)
	}
	for key, h := range t.homes {
		if len(h.routes) == 0 {
			if now.Sub(h.alone) >= rememberFor || len(t.homes) > 4*t.limits.homes {
				delete(t.homes, key)
			}
			continue
		}
		t.choose(h, false, now)
	}
	for _, p := range t.order {
		if q := p.ask; q != nil && now.Sub(q.heard) >= silentFor {
			t.ignore(p, problemRules, "it does not answer", now)
		}
		t.ask(p, now)
	}
}
