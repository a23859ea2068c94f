package presence

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// Receive takes an urgent message of kind 45 or 46 from a peer.
func (r *Resolver) Receive(from wire.RelayID, kind wire.UrgentKind, body []byte, now time.Time) {
	var err error
	switch kind {
	case wire.UrgentRouteQuery:
		var m wire.RouteQuery
		if m, err = wire.Parse[wire.RouteQuery](body); err == nil {
			r.query(from, &m, now)
		}
	case wire.UrgentRouteResponse:
		var m wire.RouteResponse
		if m, err = wire.Parse[wire.RouteResponse](body); err == nil {
			r.response(from, &m, now)
		}
	}
	if err != nil {
		r.do(Problem{from, problemQuery, err.Error()})
	}
}

// query answers a peer's query, or has it wait for a search.
func (r *Resolver) query(from wire.RelayID, m *wire.RouteQuery, now time.Time) {
	if m.Path[len(m.Path)-1] != from || !simple(m.Path) {
		r.do(Problem{from, problemQuery,
			"the path of a query does not end with the peer, or has a relay twice"})
		return
	}
	a := &asker{by: Asker{Peer: from, Query: m.ID}, path: m.Path,
		left: min(int(m.Hops), wire.MaxHops-len(m.Path)) - 1}
	if !r.limits.allowPeer(from, now) {
		r.do(Problem{from, problemQueries, "more than 50 queries a second"})
		r.tellNobody(m.Target, a, true, now)
		return
	}
	r.remindAt(r.limits.sweep(now))
	word := r.directory.WordOf(from)
	switch {
	case slices.Contains(m.Path, r.self) || a.left < 0:
		r.tellNobody(m.Target, a, true, now)
		return
	case word == None || word == Peer && len(m.Path) > 1:
		r.tellNobody(m.Target, a, false, now)
		return
	}
	local := r.local(m.Target)
	r.tell(m.Target, a, local, 0, now)
	var ways []Way
	var found []place
	if word == Mesh {
		ways, found = r.ways(m.Target, a), r.remembered(m.Target, a, now)
		r.tell(m.Target, a, found, 0, now)
	}
	switch {
	case r.suffices(m.Target, a, found, ways, now), len(local) > 0 && len(ways) == 0:
	case word != Mesh, a.left < 1, r.inVain(m.Target, a, now):
		if len(a.told) == 0 {
			r.tellNobodyHere(m.Target, a, a.left < 1 && len(r.others(a.path)) > 0, now)
		}
	default:
		r.wait(m.Target, a, ways, now)
	}
}

// tell tells a peer of devices that it was not told of, and how many more are on their way; one of our own
// only after its answer.
func (r *Resolver) tell(f identity.Fingerprint, a *asker, places []place, more int, now time.Time) {
	if a.own() {
		if a.answered {
			r.resolveMore(a, f, places, now)
		}
		return
	}
	news := r.untold(a, places)
	of := min(len(a.told)+len(news)+more, wire.MaxDevices)
	for _, p := range news {
		chain, _ := r.chain(a, &p)
		r.count(a, routeAnswer(min(len(chain)+1, int(Chain))))
		r.respond(a, &wire.Located{Found: wire.FoundDevice, Index: uint8(len(a.told)), Of: uint8(of),
			Chain: append([]wire.RelayID{r.self}, chain...), Record: p.record})
		a.told = append(a.told, p)
	}
}

// untold returns devices that an asker may be told of and was not yet, as far as there is space.
func (r *Resolver) untold(a *asker, places []place) (list []place) {
	for _, p := range places {
		known := slices.ContainsFunc(a.told, func(o place) bool { return o.device == p.device })
		if _, ok := r.chain(a, &p); ok && !known && len(a.told)+len(list) < wire.MaxDevices {
			list = append(list, p)
		}
	}
	return list
}

// tellNobody says to an asker that nobody was found.
func (r *Resolver) tellNobody(f identity.Fingerprint, a *asker, unsure bool, now time.Time) {
	switch {
	case a.answered:
	case a.own():
		r.resolve(a, f, r.local(f), unsure, now)
	case unsure:
		r.count(a, answerUnsure)
		r.respond(a, &wire.Located{Found: wire.FoundUnsure})
	default:
		r.count(a, answerNotFound)
		r.respond(a, &wire.Located{Found: wire.FoundNobody})
	}
}

func (r *Resolver) respond(a *asker, l *wire.Located) {
	r.do(Send{To: a.by.Peer, Kind: wire.UrgentRouteResponse,
		Body: wire.Append(nil, &wire.RouteResponse{ID: a.by.Query, Located: *l})})
}

// response takes what a peer answers.
func (r *Resolver) response(from wire.RelayID, m *wire.RouteResponse, now time.Time) {
	q := r.asked[question{from, m.ID}]
	if q == nil {
		if n := binary.BigEndian.Uint64(m.ID[:]); n == 0 || n > r.issued[from] {
			r.do(Problem{from, problemRoute, "an answer that was not asked for"})
		}
		return // else it is late
	}
	s := q.search
	switch {
	case m.Found == wire.FoundAway && q.state != inquiryDone && q.of == 0:
		r.awayCame(s, q, &m.Located, now)
	case m.Found != wire.FoundDevice:
		if q.state != inquiryDone && q.of == 0 {
			s.unsure = s.unsure || m.Found == wire.FoundUnsure
			r.finish(s, q, now)
		}
	case q.came[m.Index]:
		r.do(Problem{from, problemRoute, "a device of an answer came twice"})
	default:
		q.came[m.Index] = true
		q.of = max(q.of, m.Of)
		p, err := r.check(s, q, &m.Located, now)
		if err == nil {
			q.pending = append(q.pending, p)
		} else if !errors.Is(err, errStale) {
			r.do(Problem{from, problemRoute, err.Error()})
		}
		if q.missing() == 0 {
			r.finish(s, q, now)
		}
	}
	r.advance(s, now)
}

// awayCame takes an answer that nobody was found, but a device that is away.
func (r *Resolver) awayCame(s *search, q *inquiry, l *wire.Located, now time.Time) {
	p, err := r.check(s, q, l, now)
	if err == nil {
		r.learnAway(s.target, p)
	} else if !errors.Is(err, errStale) {
		r.do(Problem{q.peer, problemRoute, err.Error()})
	}
	r.finish(s, q, now)
}

// missing is how many devices have not come of those that there are.
func (q *inquiry) missing() (n int) {
	for _, came := range q.came[:q.of] {
		if !came {
			n++
		}
	}
	return n
}

// Why an answer does not count.
var (
	errChain    = errors.New("the chain of an answer cannot be")
	errIdentity = errors.New("the record of an answer is somebody else's")
	errHome     = errors.New("the chain of an answer does not end with the record's home")
	errKeep     = errors.New("the record of an answer is of a device for which nothing is to be kept")
	errStale    = errors.New("the record of an answer is not fresh, or older than one that is known")
)

// check returns the device of an answer. Whatever relay tells of it, its owner has signed the record.
func (r *Resolver) check(s *search, q *inquiry, l *wire.Located, now time.Time) (p place, err error) {
	chain := l.Chain
	if chain[0] != q.peer || len(chain) > s.left || !simple(chain) || slices.Contains(chain, r.self) ||
		!disjoint(chain, s.path) {
		return p, errChain
	}
	p = place{home: chain[len(chain)-1], record: l.Record, at: now, away: l.Found == wire.FoundAway,
		chains: [][]wire.RelayID{chain}}
	if !r.verified(s.target, &p) {
		reach, err := wire.ParseReach(l.Record)
		switch {
		case err != nil:
			return p, err
		case reach.Identity.Fingerprint() != s.target:
			return p, errIdentity
		case wire.RelayIDOf(reach.HomeRelay) != p.home:
			return p, errHome
		case p.away && !reach.Keep:
			return p, errKeep
		}
		p.device, p.sequence, p.expiry = reach.Device(), reach.Sequence, reach.Expiry
	}
	if newest, _ := r.newest.get(p.device); !p.usable(now) || p.sequence < newest || r.newerHere(s.target,
		&p) {
		return p, errStale
	}
	return p, nil
}

// verified reports whether a record was verified before, and takes what it says from there.
func (r *Resolver) verified(f identity.Fingerprint, p *place) bool {
	k, _ := r.known.get(f)
	if k == nil {
		return false
	}
	i := slices.IndexFunc(k.places, func(o place) bool {
		return o.home == p.home && bytes.Equal(o.record,
			p.record)
	})
	if i >= 0 {
		p.device, p.sequence, p.expiry = k.places[i].device, k.places[i].sequence, k.places[i].expiry
	}
	return i >= 0
}

// newerHere reports whether the same device is available here by a newer record.
func (r *Resolver) newerHere(f identity.Fingerprint, p *place) bool {
	return slices.ContainsFunc(r.directory.Local(f), func(d Device) bool {
		if d.Device != p.device {
			return false
		}
		reach, err := wire.ParseReach(d.Record)
		return err == nil && reach.Sequence >= p.sequence
	})
}
