package presence

import (
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/internal/share"
	"github.com/wzp-voice/wzp/internal/wire"
)

// Directory is what a Resolver knows of who is where; [Table] is one. What it says of other relays are
// claims.
type Directory interface {
	Local(f identity.Fingerprint) []Device
	Ways(f identity.Fingerprint) []Way
	Peers(words ...Word) []wire.RelayID
	// Away returns the newest record of somebody's devices that are away and for which offers are kept here,
	// and its sequence; nil: there is none.
	Away(f identity.Fingerprint, now time.Time) (record []byte, sequence uint64)
	WordOf(peer wire.RelayID) Word
}

// Asker is who wants to know a route: a peer with its query, or one of our own.
type Asker struct {
	Session SessionID    // a client's
	Address budget.Group // that the session comes from: those who ask share what there is by addresses
	HTTP    uint64       // a request of the HTTP API's; its owner chooses the number, not 0
	Peer    wire.RelayID
	Query   wire.QueryID // of the peer's
}

// Resolver finds routes: the relays on the way to somebody's devices, and their reach records
// (docs/protocol.md, section 12).
//
//	Ask: a client, HTTP ----> known? ------ yes: at once -----------------------> Resolved
//	Receive: a query -------> '-- no --> search: by claims, then all peers ------> RouteQuery
//	                                         ^   whose word is Mesh
//	Receive: a response ---> checked ---> place: a device, its record, chains to it
//	PeerDown, Tick                           '--> known for 10 s ----------------> RouteResponse
//	                                         '--> while the record is fresh -----> NextHops
//
// A search waits for what it asked of peers, and a query may wait for a search that is under way for another
// one. Nobody waits in a circle: along each chain of waits the relay that began it has an ever lower id, or
// it stays the same and the path grows. See [search.holds].
//
// It is not safe for concurrent use. Like a Table it is pure, and its owner carries its effects out.
type Resolver struct {
	self      wire.RelayID
	directory Directory
	effects   []Effect // not taken yet

	searches map[identity.Fingerprint][]*search
	open     []*search // the same, the oldest first
	asked    map[question]*inquiry
	issued   map[wire.RelayID]uint64 // numbers of queries to each peer
	waiting  share.Tree[shareKey]    // askers, by who they are
	due      time.Time               // when something is due; zero: never

	known  recent[identity.Fingerprint, *knowledge]
	aways  recent[identity.Fingerprint, *place] // devices that are away
	nobody recent[identity.Fingerprint, looked]
	newest recent[wire.DeviceID, uint64] // the highest sequence of a device's records
	trips  map[wire.RelayID]time.Duration
	silent map[wire.RelayID]bool // peers of which nothing is heard for the moment: the last choice

	limits limiter
	counts RouteCounts
}

// question names a query that a peer was asked.
type question struct {
	peer wire.RelayID
	id   wire.QueryID
}

// Resolved is an Effect: what was found for one of our own askers. It comes once for each [Resolver.Ask], and
// to a client again with devices that are found later.
type Resolved struct {
	By     Asker
	Target identity.Fingerprint
	Route  Route
	Before int // devices that it was told of before
}

func (Resolved) effect() {}

// NewResolver returns a Resolver of the relay with the id self.
func NewResolver(self wire.RelayID, d Directory) *Resolver {
	return &Resolver{
		self:      self,
		directory: d,
		searches:  map[identity.Fingerprint][]*search{},
		asked:     map[question]*inquiry{},
		issued:    map[wire.RelayID]uint64{},
		known:     recent[identity.Fingerprint, *knowledge]{most: maxKnown},
		aways:     recent[identity.Fingerprint, *place]{most: maxKnown},
		nobody:    recent[identity.Fingerprint, looked]{most: maxKnown},
		newest:    recent[wire.DeviceID, uint64]{most: maxNewest},
		trips:     map[wire.RelayID]time.Duration{},
		silent:    map[wire.RelayID]bool{},
		limits:    newLimiter(),
	}
}

// Ask has a route looked for, for one of our own. The answer is a [Resolved]; for a client more may follow.
func (r *Resolver) Ask(f identity.Fingerprint, by Asker, now time.Time) {
	by.Peer = wire.RelayID{}
	a := &asker{by: by, left: wire.MaxHops - 1}
	r.remindAt(r.limits.sweep(now))
	if by.HTTP == 0 && !r.limits.allowClient(by.Session, now) {
		r.resolve(a, f, nil, true, now)
		return
	}
	places := r.local(f)
	ways := r.ways(f, a)
	if found := r.remembered(f, a, now); r.suffices(f, a, found, ways, now) {
		r.resolve(a, f, join(places, found), false, now)
		return
	}
	inVain := len(ways) == 0 && len(places) > 0 || len(places) == 0 && r.inVain(f, a, now)
	if inVain {
		r.resolve(a, f, places, false, now)
		return
	}
	r.wait(f, a, ways, now)
}

// RTT tells how long the round trip to a peer is.
func (r *Resolver) RTT(peer wire.RelayID, d time.Duration) { r.trips[peer] = d }

// Suspect says whether nothing is heard of a peer for the moment: then it is the last choice.
func (r *Resolver) Suspect(peer wire.RelayID, suspect bool) {
	if delete(r.silent, peer); suspect {
		r.silent[peer] = true
	}
}

// PeerDown says that the link to a peer is gone: what it was asked it will not answer, and what it asked
// nobody waits for.
func (r *Resolver) PeerDown(peer wire.RelayID, now time.Time) {
	delete(r.issued, peer)
	delete(r.trips, peer)
	delete(r.silent, peer)
	r.limits.forget(peer)
	for _, k := range r.known.all() {
		k.forget(peer)
	}
	for _, p := range r.aways.all() {
		p.forget(peer)
	}
	for _, s := range r.opened() {
		for _, a := range s.askersOf(peer) {
			r.leave(s, a)
		}
		for _, q := range s.inquiries {
			if q.peer == peer && q.state != inquiryDone {
				s.unsure = true
				r.finish(s, q, now)
			}
		}
		if s.places.forget(peer); len(s.places.places)+len(r.local(s.target)) == 0 {
			s.gatherTo = time.Time{}
		}
		if len(s.askers) == 0 {
			r.end(s)
		}
		r.advance(s, now)
	}
}

// Tick does what is due. It returns when something is next; zero: never, by time alone.
func (r *Resolver) Tick(now time.Time) (next time.Time) {
	if r.due.IsZero() || now.Before(r.due) {
		return r.due
	}
	r.due = time.Time{}
	for _, s := range r.opened() {
		if now.Before(s.due) {
			r.remindAt(s.due)
		} else {
			r.advance(s, now)
		}
	}
	r.remindAt(r.limits.sweep(now))
	return r.due
}

// Drain returns what follows from all calls since the last one of it.
func (r *Resolver) Drain() []Effect {
	effects := r.effects
	r.effects = nil
	return effects
}

// do adds an effect to those that Drain returns.
func (r *Resolver) do(e Effect) { r.effects = append(r.effects, e) }

// remindAt has Tick do something then; zero: not.
func (r *Resolver) remindAt(at time.Time) {
	if !at.IsZero() && (r.due.IsZero() || at.Before(r.due)) {
		r.due = at
	}
}

// opened returns the searches that are under way, the oldest first; some may end meanwhile.
func (r *Resolver) opened() []*search { return append([]*search(nil), r.open...) }

// resolve answers one of our own.
func (r *Resolver) resolve(a *asker, f identity.Fingerprint, places []place, unsure bool, now time.Time) {
	route := r.route(a, places, unsure, now)
	if route.Kind == NotFound {
		if record, chain, ok := r.away(f, a, now); ok {
			route = Route{Away: true, Records: [][]byte{record}, Chains: [][]wire.RelayID{chain}}
		}
	}
	r.count(a, route.answer())
	a.told = r.untold(a, places)
	r.do(Resolved{By: a.by, Target: f, Route: route})
}

// resolveMore tells a client of devices that were found after its answer.
func (r *Resolver) resolveMore(a *asker, f identity.Fingerprint, places []place, now time.Time) {
	news := r.untold(a, places)
	if route := r.route(a, news, false, now); route.Kind != NotFound {
		r.do(Resolved{By: a.by, Target: f, Route: route, Before: len(a.told)})
		a.told = append(a.told, news...)
	}
}
