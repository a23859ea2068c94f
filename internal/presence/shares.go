package presence

import (
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// limits bound what a table holds of other relays.
type limits struct {
	entries int // of all homes
	ofPeer  int // of those that one peer tells of
	homes   int // of which more than their numbers is kept
}

func defaultLimits() limits { return limits{entries: 250_000, ofPeer: 125_000, homes: 1000} }

// holding is how many entries a home holds, and the groups that it is in.
type holding struct{ link, second, home int }

// count notes that a home holds more or fewer entries.
func (t *Table) count(h *home, n int) {
	if t.entries += n; h.best != nil {
		h.best.peer.entries += n
	}
}

// holdings returns what all homes hold.
func (t *Table) holdings() map[*home]holding {
	type group struct{ link, second wire.RelayID }
	links, seconds := map[wire.RelayID]int{}, map[group]int{}
	for _, h := range t.homes {
		if h.best != nil {
			links[h.best.peer.id] += h.hashes.n
			seconds[group{h.best.peer.id, h.best.second()}] += h.hashes.n
		}
	}
	all := make(map[*home]holding, len(t.homes))
	for _, h := range t.homes {
		if h.best != nil {
			link := h.best.peer.id
			all[h] = holding{links[link], seconds[group{link, h.best.second()}], h.hashes.n}
		}
	}
	return all
}

// makeRoom reports whether a home may hold so many entries more. If there is no room, the home that holds
// most, of those behind the relay that holds most, of those by the link that holds most, gives way with all
// that it holds; unless this one would hold more then.
func (t *Table) makeRoom(h *home, n int, now time.Time) bool {
	if t.entries+n <= t.limits.entries && h.best.peer.entries+n <= t.limits.ofPeer {
		return true
	}
	for {
		all := t.holdings()
		mine := all[h]
		within := mine.link+n > t.limits.ofPeer // then only those by the same link can give way
		if !within && t.entries+n <= t.limits.entries {
			return true
		}
		var most *home
		for o, held := range all {
			if within && o.best.peer != h.best.peer || held.home == 0 {
				continue
			}
			if most == nil || held.above(all[most]) || held == all[most] && o.id.Compare(most.id) < 0 {
				most = o
			}
		}
		if most == nil || most == h || !gives(most, all[most], h, mine, n) {
			return false
		}
		t.hide(most, now)
	}
}

// above reports whether a holding is the one to give way.
func (a holding) above(b holding) bool {
	switch {
	case a.link != b.link:
		return a.link > b.link
	case a.second != b.second:
		return a.second > b.second
	}
	return a.home > b.home
}

// gives reports whether a home has more than h with n entries more, where their ways part.
func gives(o *home, held holding, h *home, mine holding, n int) bool {
	switch {
	case o.best.peer != h.best.peer:
		return held.link > mine.link+n
	case o.best.second() != h.best.second():
		return held.second > mine.second+n
	}
	return held.home > mine.home+n
}

// hide forgets who is at a home for want of room. It is tried again later.
func (t *Table) hide(h *home, now time.Time) {
	t.clear(h)
	h.exact, h.hidden, h.retryAt = false, true, now.Add(hiddenFor)
	if p := h.best.peer; p.ask != nil && p.ask.route == h.best {
		p.ask.void = true
	}
	t.tell(h, false)
}

// placeHome gives a home a place among those that are kept. When all are taken, whoever has most gives way:
// of the peers, and then of the relays behind them.
func (t *Table) placeHome(h *home, best *route) bool {
	path := []wire.RelayID{best.peer.id, best.second()}
	if h.place != nil {
		if h.place.Key() == path[1] && h.place.Parent().Key() == path[0] {
			return true
		}
		t.displace(h)
	}
	if t.places.Total() >= t.limits.homes {
		own, ok := t.places.Ask(path)
		if own || !ok {
			return false
		}
		var last *home
		for _, o := range t.homes {
			if o.place != nil && t.places.Yields(o.place) && (last == nil || o.id.Compare(last.id) > 0) {
				last = o
			}
		}
		if last == nil {
			return false
		}
		t.displace(last)
		t.use(last, nil)
		last.passed = nil
		t.clear(last)
		t.tell(last, false)
	}
	h.place = t.places.Add(path)
	return true
}

// displace takes a home's place.
func (t *Table) displace(h *home) {
	if h.place != nil {
		t.places.Remove(h.place)
		h.place = nil
	}
}
