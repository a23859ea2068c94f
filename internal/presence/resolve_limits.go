package presence

import (
	"time"

	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/internal/wire"
)

// Limits and times of docs/protocol.md, section 12, and those that only a Resolver knows.
const (
	clientQueries = 30 // of a session in a minute
	peerQueries   = 50 // of a peer in a second, and twice as many in a burst
	toPeerQueries = 40 // to a peer in a second, and twice as many in a burst; who is new may have one more
	maxWaiting    = 1024
	maxAsked      = 32 // peers that one search asks where nobody claims anything
	maxKnown      = 4096
	maxNewest     = 8192

	resolveFor   = 2 * time.Second        // a search takes at most
	resolveLess  = 100 * time.Millisecond // and so much less for each relay in the path
	patience     = 1200 * time.Millisecond
	patienceLess = 150 * time.Millisecond
	patienceLast = 300 * time.Millisecond
	gatherFor    = 300 * time.Millisecond // more devices are waited for so long after the first
	knownFor     = 10 * time.Second
	nobodyFor    = time.Second
)

// What a Problem of a route is.
const (
	problemRoute   = "route"   // an answer that its sender cannot show to be true
	problemQuery   = "query"   // one that cannot be
	problemQueries = "queries" // too many of them
)

// shareKey is one step of who waits for an answer: a peer, or the network of an address; the address; the
// session. All of HTTP count as one.
type shareKey struct {
	peer    wire.RelayID
	address uint64
	session SessionID
	http    bool
}

// limiter bounds how much is asked.
type limiter struct {
	clients map[SessionID][]time.Time // when each asked in the last minute
	peers   map[wire.RelayID]*askBucket
	to      map[wire.RelayID]*budget.Pool // what a peer is asked
	epoch   time.Time                     // from which pools count
	swept   time.Time
}

// askBucket is a token bucket of peerQueries a second.
type askBucket struct {
	tokens float64
	filled time.Time
}

// queryCost is what a query counts in a pool, which counts bytes: small ones would not be counted at all.
const queryCost = 1000

func newLimiter() limiter {
	return limiter{clients: map[SessionID][]time.Time{}, peers: map[wire.RelayID]*askBucket{},
		to: map[wire.RelayID]*budget.Pool{}}
}

// allowClient reports whether a session may ask.
func (l *limiter) allowClient(s SessionID, now time.Time) bool {
	list := lastMinute(l.clients[s], now)
	ok := len(list) < clientQueries
	if ok {
		list = append(list, now)
	}
	l.clients[s] = list
	return ok
}

// lastMinute returns what of a list is not older than a minute.
func lastMinute(list []time.Time, now time.Time) []time.Time {
	for len(list) > 0 && now.Sub(list[0]) >= time.Minute {
		list = list[1:]
	}
	return list
}

// allowPeer reports whether a peer may ask.
func (l *limiter) allowPeer(peer wire.RelayID, now time.Time) bool {
	b := l.peers[peer]
	if b == nil {
		b = &askBucket{2 * peerQueries, now}
		l.peers[peer] = b
	}
	b.tokens = min(2*peerQueries, b.tokens+now.Sub(b.filled).Seconds()*peerQueries)
	b.filled = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// allowTo reports whether a peer may be asked for somebody. Those who ask share that, so that who asks much
// takes nothing from others.
func (l *limiter) allowTo(peer wire.RelayID, by Asker, now time.Time) bool {
	if l.epoch.IsZero() {
		l.epoch = now
	}
	pool := l.to[peer]
	if pool == nil {
		const burst = 1900 * time.Millisecond // a pool lets 100 ms more through
		pool = budget.NewPool(budget.Config{Rate: toPeerQueries * queryCost, Burst: burst, Least: queryCost})
		l.to[peer] = pool
	}
	source := budget.Source{Group: by.group(), Member: uint64(by.Session)}
	return pool.Take(source, queryCost, now.Sub(l.epoch))
}

// forget forgets a peer whose link is down. What it asked still counts: it may come back at once.
func (l *limiter) forget(peer wire.RelayID) { delete(l.to, peer) }

// sweep forgets who has not asked for long. It returns when to do it again; zero: there is nobody.
func (l *limiter) sweep(now time.Time) (next time.Time) {
	if now.Sub(l.swept) >= time.Minute {
		l.swept = now
		for s, list := range l.clients {
			if list = lastMinute(list, now); len(list) == 0 {
				delete(l.clients, s)
			}
		}
		for peer, b := range l.peers {
			if now.Sub(b.filled) >= time.Minute {
				delete(l.peers, peer)
			}
		}
	}
	if len(l.clients)+len(l.peers) == 0 {
		return time.Time{}
	}
	return l.swept.Add(time.Minute)
}

// admit gives an asker a place among those who wait, if need be that of another one.
func (r *Resolver) admit(a *asker, now time.Time) bool {
	path := a.by.share()
	if r.waiting.Total() >= maxWaiting {
		if own, ok := r.waiting.Ask(path); own || !ok || !r.displace(now) {
			return false
		}
	}
	a.slot = r.waiting.Add(path)
	return true
}

// displace takes the place of the oldest of those who give way.
func (r *Resolver) displace(now time.Time) bool {
	for _, s := range r.open {
		for _, a := range s.askers {
			if r.waiting.Yields(a.slot) {
				r.tellNobody(s.target, a, true, now)
				r.leave(s, a)
				if len(s.askers) == 0 {
					r.end(s)
				}
				return true
			}
		}
	}
	return false
}

// share returns whose share of those who wait the asker counts in.
func (by *Asker) share() []shareKey {
	address, network := by.Address.ID, by.Address.ID>>16 // of IPv6 a /48
	if by.Address.ID>>32 == 0 {
		network = by.Address.ID >> 8 // of IPv4 a /24
	}
	return []shareKey{{peer: by.Peer, address: network, http: by.HTTP != 0}, {address: address},
		{session: by.Session}}
}

// group returns whose share of what peers are asked the asker counts in.
func (by *Asker) group() budget.Group {
	if by.Peer != (wire.RelayID{}) {
		return budget.Group{Link: true, ID: budget.ID(by.Peer[:])}
	}
	return by.Address
}
