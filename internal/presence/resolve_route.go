package presence

import (
	"cmp"
	"slices"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// RouteKind says where somebody is.
type RouteKind uint8

// All kinds of routes.
const (
	NotFound   RouteKind = iota
	Local                // here
	DirectPeer           // at a peer
	Chain                // beyond a peer
)

var routeKinds = [...]string{"not_found", "local", "direct_peer", "chain"}

// String returns what the HTTP API calls it: "local", "direct_peer", "chain" or "not_found".
func (k RouteKind) String() string { return routeKinds[k] }

// Route is where somebody can be called: at most wire.MaxDevices devices, the nearest first. Nothing of it
// may be written to.
type Route struct {
	Kind    RouteKind        // of the nearest
	Chain   []wire.RelayID   // to the nearest: this relay first, its home last; nil: NotFound
	Records [][]byte         // reach records, which were fresh and verified
	Chains  [][]wire.RelayID // to each, likewise
	Unsure  bool             // NotFound, but not everybody was asked, or has answered
	Away    bool             // NotFound, but Records has one of a device that is away
}

// answer says what the route is, for who counts.
func (r *Route) answer() routeAnswer {
	switch {
	case r.Unsure:
		return answerUnsure
	case r.Away:
		return answerAway
	}
	return routeAnswer(r.Kind)
}

// place is where a device is.
type place struct {
	device   wire.DeviceID
	home     wire.RelayID
	record   []byte
	sequence uint64
	expiry   int64            // Unix seconds
	at       time.Time        // when it was found
	claimed  bool             // presence named its home then: it counts no longer than that
	away     bool             // the device is away, and its home keeps offers for it
	chains   [][]wire.RelayID // by different peers; none: it is here
}

// maxChains is how many chains to a device are kept.
const maxChains = 4

// fresh reports whether the record is good now.
func (p *place) fresh(now time.Time) bool { return (&wire.Reach{Expiry: p.expiry}).Fresh(now) }

// usable reports whether the record is good for what it was told as.
func (p *place) usable(now time.Time) bool {
	if p.away {
		return (&wire.Reach{Expiry: p.expiry, Keep: true}).Away(now)
	}
	return p.fresh(now)
}

// forget forgets the chains by a peer.
func (p *place) forget(peer wire.RelayID) {
	p.chains = slices.DeleteFunc(slices.Clone(p.chains), func(c []wire.RelayID) bool { return c[0] == peer })
}

// local returns the devices that are available here.
func (r *Resolver) local(f identity.Fingerprint) (list []place) {
	for _, d := range r.directory.Local(f) {
		list = append(list, place{device: d.Device, home: r.self, record: d.Record})
	}
	return list
}

// join returns devices of both lists, the first one's first.
func join(first, second []place) []place {
	list := slices.Clone(first)
	for _, p := range second {
		if !slices.ContainsFunc(list, func(o place) bool { return o.device == p.device }) {
			list = append(list, p)
		}
	}
	return list
}

// chain returns the best chain to a device that an asker may have.
func (r *Resolver) chain(a *asker, p *place) (chain []wire.RelayID, ok bool) {
	if p.home == r.self {
		return nil, true
	}
	for _, c := range p.chains {
		if len(c) <= a.left && r.mayUse(a, c[0], p.home) && disjoint(c, a.path) &&
			(!ok || r.nearer(c, chain) < 0) {
			chain, ok = c, true
		}
	}
	return chain, ok
}

// mayUse reports whether what a peer says of somebody at a home may be used for an asker: of who is with
// itself also by us alone, all else only if the operator says mesh of it.
func (r *Resolver) mayUse(a *asker, peer, home wire.RelayID) bool {
	switch r.directory.WordOf(peer) {
	case Mesh:
		return true
	case Peer:
		return a.own() && peer == home
	}
	return false
}

// route returns places as a Route.
func (r *Resolver) route(a *asker, places []place, unsure bool, now time.Time) (route Route) {
	type found struct {
		record []byte
		chain  []wire.RelayID
	}
	var list []found
	for i := range places {
		p := &places[i]
		if c, ok := r.chain(a, p); ok && (p.home == r.self || p.fresh(now)) {
			list = append(list, found{p.record, append([]wire.RelayID{r.self}, c...)})
		}
	}
	slices.SortStableFunc(list, func(a, b found) int { return cmp.Compare(len(a.chain), len(b.chain)) })
	list = list[:min(len(list), wire.MaxDevices)]
	if len(list) == 0 {
		return Route{Unsure: unsure}
	}
	for _, one := range list {
		route.Records = append(route.Records, one.record)
		route.Chains = append(route.Chains, one.chain)
	}
	route.Chain = route.Chains[0]
	route.Kind = RouteKind(min(len(route.Chain), int(Chain)))
	return route
}

// disjoint reports whether two lists have no relay in common.
func disjoint(a, b []wire.RelayID) bool {
	return !slices.ContainsFunc(a, func(id wire.RelayID) bool { return slices.Contains(b, id) })
}

// simple reports whether a list has no relay twice, and none without an id.
func simple(list []wire.RelayID) bool {
	for i, id := range list {
		if id == (wire.RelayID{}) || slices.Contains(list[:i], id) {
			return false
		}
	}
	return true
}

// within reports whether all of a are in b.
func within(a, b []wire.RelayID) bool {
	return !slices.ContainsFunc(a, func(id wire.RelayID) bool { return !slices.Contains(b, id) })
}
