package federation

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/presence"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	// maxAsksOf bounds what one session asks before run reads it: a second's worth of a client that asks as
	// often as it may.
	maxAsksOf = 8
	// maxRouteCallers bounds who waits in Route.
	maxRouteCallers = 64
	// routeFor is how long Route waits: a little longer than a resolver takes.
	routeFor = 2100 * time.Millisecond
	// tripsEvery is between two times that the resolver is told the round trips to peers.
	tripsEvery = time.Second
)

// Why Route has no answer.
var (
	ErrRouteCallers = errors.New("too many ask for routes at once; ask again in a moment")
	ErrRouteNone    = errors.New("the relay is too busy to look for a route; ask again in a moment")
)

// routeAsks are who asks for routes, of whom run does not know yet, and who waits in Route. The zero value is
// empty.
type routeAsks struct {
	mu      sync.Mutex // guards what follows
	clients map[presence.Asker][]identity.Fingerprint
	callers map[uint64]routeCaller
	unread  []uint64 // callers that run does not know yet
	last    uint64
}

// routeCaller is who waits in Route.
type routeCaller struct {
	target identity.Fingerprint
	answer chan presence.Route // cap 1
}

// client notes that a session asks. It reports whether there is space for that.
func (q *routeAsks) client(by presence.Asker, target identity.Fingerprint) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.clients[by]) >= maxAsksOf {
		return false
	}
	if q.clients == nil {
		q.clients = make(map[presence.Asker][]identity.Fingerprint)
	}
	q.clients[by] = append(q.clients[by], target)
	return true
}

// caller notes somebody who waits; nil: too many do.
func (q *routeAsks) caller(target identity.Fingerprint) (number uint64, answer <-chan presence.Route) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.callers) >= maxRouteCallers {
		return 0, nil
	}
	if q.callers == nil {
		q.callers = make(map[uint64]routeCaller)
	}
	q.last++
	c := routeCaller{target, make(chan presence.Route, 1)}
	q.callers[q.last] = c
	q.unread = append(q.unread, q.last)
	return q.last, c.answer
}

// forget forgets a caller, who does not wait any more.
func (q *routeAsks) forget(number uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.callers, number)
}

// answer gives a caller its answer, if it still waits.
func (q *routeAsks) answer(number uint64, r presence.Route) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if c, waits := q.callers[number]; waits {
		c.answer <- r
		delete(q.callers, number)
	}
}

// drain returns who asks, and for whom.
func (q *routeAsks) drain() (clients map[presence.Asker][]identity.Fingerprint,
	callers map[uint64]identity.Fingerprint) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, number := range q.unread {
		if c, waits := q.callers[number]; waits {
			if callers == nil {
				callers = make(map[uint64]identity.Fingerprint)
			}
			callers[number] = c.target
		}
	}
	clients, q.clients, q.unread = q.clients, nil, nil
	return clients, callers
}

// AskRoute has a route looked for, for a client's session: the answer goes there, as messages of kind
// wire.UrgentRoute. It waits for nothing; what a session asks too fast is dropped and counted.
func (f *Federation) AskRoute(id presence.SessionID, to Line, target identity.Fingerprint) {
	if !f.asks.client(presence.Asker{Session: id, Address: f.openLine(id, to).group}, target) {
		f.rooms.Drops.Add(drops.RouteRate, 1)
		return
	}
	f.wakeUp()
}

// Route looks for a route, at most some 2 s.
func (f *Federation) Route(ctx context.Context, target identity.Fingerprint) (presence.Route, error) {
	number, answer := f.asks.caller(target)
	if answer == nil {
		return presence.Route{}, ErrRouteCallers
	}
	defer f.asks.forget(number)
	f.wakeUp()
	late := time.NewTimer(routeFor)
	defer late.Stop()
	select {
	case r := <-answer:
		return r, nil
	case <-late.C:
		return presence.Route{}, ErrRouteNone
	case <-ctx.Done():
		return presence.Route{}, ctx.Err()
	}
}

// RouteCounts returns how queries for routes were answered so far.
func (f *Federation) RouteCounts() presence.RouteCounts {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.resolver.Counts()
}

// readRoutes has the resolver look for what was asked for.
func (f *Federation) readRoutes(now time.Time) {
	clients, callers := f.asks.drain()
	if len(clients)+len(callers) == 0 {
		return
	}
	f.tellTrips(now)
	f.decideRoutes(func() {
		for by, targets := range clients {
			for _, target := range targets {
				f.resolver.Ask(target, by, now)
			}
		}
		for number, target := range callers {
			f.resolver.Ask(target, presence.Asker{HTTP: number}, now)
		}
	})
}

// receiveRoutes has the resolver take what a peer asks, or answers.
func (f *Federation) receiveRoutes(p *livePeer, m inMessage, now time.Time) {
	f.tellTrips(now)
	f.logRoute(p.id, m.kind, m.body, "received")
	f.decideRoutes(func() { f.resolver.Receive(p.id, m.kind, m.body, now) })
}

// tellTrips tells the resolver the round trips to peers, if it was not for a while. It needs none of them
// while nobody asks.
func (f *Federation) tellTrips(now time.Time) {
	if now.Sub(f.trips) < tripsEvery {
		return
	}
	f.trips = now
	for id, p := range f.live {
		f.resolver.RTT(id, p.link.RTT())
	}
}

// decideRoutes has the resolver told something, by tell, and carries out what follows. Only run calls it.
func (f *Federation) decideRoutes(tell func()) {
	f.mu.Lock()
	tell()
	effects := f.resolver.Drain()
	f.mu.Unlock()
	for _, e := range effects {
		switch e := e.(type) {
		case presence.Send:
			f.logRoute(e.To, e.Kind, e.Body, "sent")
			f.sendPresence(e)
		case presence.Problem:
			f.problem(e.Peer, e.What, e.Reason)
		case presence.Resolved:
			f.resolved(e)
		}
	}
}

// resolved tells one of our own what was found.
func (f *Federation) resolved(e presence.Resolved) {
	f.logResolved(e)
	if e.By.HTTP != 0 {
		f.asks.answer(e.By.HTTP, e.Route)
		return
	}
	line := f.calls.lines.get(e.By.Session)
	if line == nil {
		return
	}
	for _, l := range locations(e.Route, e.Before) {
		body := wire.Append(nil, &wire.Route{Target: e.Target, Located: l})
		if line.to.SendUrgent(wire.UrgentRoute, body) != nil {
			f.rooms.Drops.Add(drops.RouteRate, 1) // it is over, or takes less than it asks for
		}
	}
}

// locations returns what a client is told of a route, after so many devices before: one message for each
// device, or that there is none.
func locations(r presence.Route, before int) (list []wire.Located) {
	found := wire.FoundDevice
	if r.Away {
		found = wire.FoundAway
	}
	of := before + len(r.Records)
	for i, record := range r.Records {
		list = append(list, wire.Located{Found: found, Index: uint8(before + i), Of: uint8(of),
			Chain: r.Chains[i], Record: record})
	}
	switch {
	case len(list) > 0:
	case r.Unsure:
		list = []wire.Located{{Found: wire.FoundUnsure}}
	default:
		list = []wire.Located{{}}
	}
	return list
}
