package presence

import (
	"cmp"
	"container/list"
	"slices"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// recent remembers what was put last, at most so many. Of the zero value only most has to be set.
type recent[K comparable, V any] struct {
	most  int
	index map[K]*list.Element
	order list.List // of remembered[K, V], the oldest first
}

type remembered[K comparable, V any] struct {
	key   K
	value V
}

// put remembers a value, and forgets the oldest if there are too many.
func (m *recent[K, V]) put(key K, value V) {
	if e := m.index[key]; e != nil {
		e.Value = remembered[K, V]{key, value}
		m.order.MoveToBack(e)
		return
	}
	if m.index == nil {
		m.index = map[K]*list.Element{}
	}
	m.index[key] = m.order.PushBack(remembered[K, V]{key, value})
	if len(m.index) > m.most {
		oldest := m.order.Remove(m.order.Front()).(remembered[K, V])
		delete(m.index, oldest.key)
	}
}

// get returns a value.
func (m *recent[K, V]) get(key K) (value V, ok bool) {
	if e := m.index[key]; e != nil {
		return e.Value.(remembered[K, V]).value, true
	}
	return value, false
}

// all returns all values, the oldest first.
func (m *recent[K, V]) all() (values []V) {
	for e := m.order.Front(); e != nil; e = e.Next() {
		values = append(values, e.Value.(remembered[K, V]).value)
	}
	return values
}

// knowledge is what was found of an identity at other relays.
type knowledge struct {
	places []place // at most wire.MaxDevices, the newest last
	sought looked  // when all were looked for that were claimed
}

// at reports whether a device is known at a home.
func (k *knowledge) at(home wire.RelayID) bool {
	return slices.ContainsFunc(k.places, func(p place) bool { return p.home == home })
}

// looked says that an identity was looked for.
type looked struct {
	at   time.Time
	path []wire.RelayID // who was not asked
	left int            // over how many more links
}

// covers reports whether all were asked then whom an asker could ask.
func (l *looked) covers(a *asker) bool { return l.left >= a.left && within(l.path, a.path) }

// learn notes where a device is. It reports whether that is new to those who were told before: another way is
// not.
func (k *knowledge) learn(p place, better func(a, b []wire.RelayID) int) (fresh bool) {
	i := slices.IndexFunc(k.places, func(o place) bool { return o.device == p.device })
	if i < 0 {
		if len(k.places) == wire.MaxDevices {
			k.places = slices.Delete(k.places, 0, 1)
		}
		k.places = append(k.places, p)
		return true
	}
	old := k.places[i]
	if old.sequence == p.sequence {
		p.chains = addChain(slices.Clone(old.chains), p.chains[0], better)
	}
	k.places[i] = p
	return old.sequence != p.sequence
}

// addChain adds a chain to others, of which that by the same peer makes way.
func addChain(chains [][]wire.RelayID, one []wire.RelayID, better func(a,
	b []wire.RelayID) int) [][]wire.RelayID {
	chains = slices.DeleteFunc(chains, func(c []wire.RelayID) bool { return c[0] == one[0] })
	chains = append(chains, one)
	slices.SortStableFunc(chains, better)
	return chains[:min(len(chains), maxChains)]
}

// forget forgets what is reached by a peer.
func (k *knowledge) forget(peer wire.RelayID) {
	var left []place
	for _, p := range k.places {
		p.forget(peer)
		if len(p.chains) > 0 {
			left = append(left, p)
		}
	}
	k.places = left
}

// learn notes where a device of an identity is.
func (r *Resolver) learn(f identity.Fingerprint, p place) {
	k, _ := r.known.get(f)
	if k == nil {
		k = &knowledge{}
	}
	k.learn(p, r.nearer)
	r.known.put(f, k)
	r.newest.put(p.device, p.sequence)
}

// remembered returns what was found of an identity a moment ago, as far as an asker may have it.
func (r *Resolver) remembered(f identity.Fingerprint, a *asker, now time.Time) (places []place) {
	k, _ := r.known.get(f)
	if k == nil {
		return nil
	}
	claims := r.directory.Ways(f)
	for _, p := range k.places {
		gone := p.claimed && !slices.ContainsFunc(claims, func(w Way) bool { return w.Home == p.home })
		c, ok := r.chain(a, &p)
		if ok && !gone && !r.silent[c[0]] && now.Sub(p.at) < knownFor && p.fresh(now) {
			places = append(places, p)
		}
	}
	return places
}

// suffices reports whether what is remembered of an identity is all that is claimed, or was all a moment ago.
func (r *Resolver) suffices(f identity.Fingerprint, a *asker, places []place, ways []Way,
	now time.Time) bool {
	if len(places) == 0 {
		return false
	}
	k, _ := r.known.get(f)
	return now.Sub(k.sought.at) < knownFor && k.sought.covers(a) || !slices.ContainsFunc(ways,
		func(w Way) bool { return !k.at(w.Home) })
}

// inVain reports whether an identity was looked for in vain a moment ago, of everybody whom an asker could
// ask.
func (r *Resolver) inVain(f identity.Fingerprint, a *asker, now time.Time) bool {
	v, ok := r.nobody.get(f)
	return ok && now.Sub(v.at) < nobodyFor && v.covers(a)
}

// nearer orders chains: those by a peer that is silent last, the fewest relays first, of these the least
// round trip to the first one; not measured yet is longest.
func (r *Resolver) nearer(a, b []wire.RelayID) int {
	return cmp.Or(r.quieter(a[0], b[0]), cmp.Compare(len(a), len(b)), r.closer(a[0], b[0]))
}

// quieter orders peers: those that are silent last.
func (r *Resolver) quieter(a, b wire.RelayID) int {
	switch {
	case r.silent[a] == r.silent[b]:
		return 0
	case r.silent[a]:
		return 1
	}
	return -1
}

// closer orders peers by their round trips.
func (r *Resolver) closer(a, b wire.RelayID) int {
	trip := func(id wire.RelayID) time.Duration {
		if d := r.trips[id]; d > 0 {
			return d
		}
		return time.Hour
	}
	return cmp.Or(cmp.Compare(trip(a), trip(b)), a.Compare(b))
}

// NextHops returns the peers by which the home of a device is reached, the best first: first what was found,
// for as long as the device's record is good, then what presence claims of that home, or of the identity.
func (r *Resolver) NextHops(f identity.Fingerprint, device wire.DeviceID,
	now time.Time) (hops []wire.RelayID) {
	own := &asker{left: wire.MaxHops - 1}
	add := func(peer, home wire.RelayID) {
		if r.mayUse(own, peer, home) && !slices.Contains(hops, peer) {
			hops = append(hops, peer)
		}
	}
	var home wire.RelayID
	if k, _ := r.known.get(f); k != nil {
		for _, p := range k.places {
			if p.device == device && p.fresh(now) {
				home = p.home
				for _, c := range p.chains {
					add(c[0], home)
				}
			}
		}
	}
	if p, ok := r.aways.get(f); ok && p.device == device && now.Sub(p.at) < awayHopsFor {
		home = p.home
		for _, c := range p.chains {
			add(c[0], home)
		}
	}
	for _, w := range r.ways(f, own) {
		if home == (wire.RelayID{}) || w.Home == home {
			add(w.Next, w.Home)
		}
	}
	slices.SortStableFunc(hops, r.quieter)
	return hops
}
