package presence

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// Entry is what the operator of this relay is shown of an identity.
type Entry struct {
	Fingerprint identity.Fingerprint
	Relay       wire.RelayID // its home; zero: it is connected here
	Label       string       // what our configuration calls that relay, if it is a peer
	Address     string       // where that relay, if it is a peer, says that it is, HOST:PORT; never dialled
	Available   bool         // it takes calls; of those at other relays only such are known
}

// Cursor is where a listing goes on: after this fingerprint. The zero value is the beginning.
type Cursor = identity.Fingerprint

// Way is a claim that an identity takes calls at a home: a hint, for only its reach record proves it.
type Way struct {
	Home wire.RelayID
	Next wire.RelayID   // the peer by which it is reached
	Hops int            // how many peer links there are to it
	Path []wire.RelayID // the relays on the way: first the peer, last the home; must not be written to
}

// Counts are what metrics show.
type Counts struct {
	Identities int                  // connected here
	Available  int                  // of which take calls
	Homes      int                  // other relays that are known of
	Entries    map[wire.RelayID]int // identities at other relays, by the peer through which they are known
	Sent       uint64               // bytes of messages to peers
	Received   uint64               // and from them
	Mismatches uint64               // states of homes that did not fit what a peer told of them
}

// Bounds of Ways: whoever claims to have everybody must not keep the others from being asked.
const (
	waysMost   = 32 // in all
	waysByPeer = 8  // by one peer
	waysBehind = 2  // by one relay behind a peer, where there are others
)

// Ways returns by which ways an identity might be reached at other relays, those with the fewest relays
// first.
func (t *Table) Ways(f identity.Fingerprint) (list []Way) {
	hash, now := wire.HashPresence(f), t.looked
	for _, h := range t.homes {
		if h.best == nil || !h.hashes.has(hash) {
			continue
		}
		for _, r := range h.routes {
			if r.usable(now) {
				list = append(list, Way{Home: h.id, Next: r.peer.id, Hops: len(r.path), Path: r.path})
			}
		}
	}
	slices.SortFunc(list, func(a, b Way) int {
		return cmp.Or(a.Hops-b.Hops, slices.CompareFunc(a.Path, b.Path, wire.RelayID.Compare))
	})
	return fairWays(list)
}

// fairWays leaves out ways of whoever has many. It keeps the order.
func fairWays(list []Way) (fair []Way) {
	type group struct{ peer, second wire.RelayID }
	behind, turn := map[group]int{}, make([]int, len(list))
	for i, w := range list {
		g := group{peer: w.Next}
		if len(w.Path) > 1 {
			g.second = w.Path[1]
		}
		turn[i] = behind[g] / waysBehind
		behind[g]++
	}
	left := map[wire.RelayID]int{}
	kept := make([]bool, len(list))
	for round, n, again := 0, 0, true; again && n < waysMost; round++ {
		again = false
		for i, w := range list {
			switch {
			case turn[i] > round:
				again = true
			case turn[i] == round && left[w.Next] < waysByPeer && n < waysMost:
				kept[i] = true
				left[w.Next]++
				n++
			}
		}
	}
	for i, w := range list {
		if kept[i] {
			fair = append(fair, w)
		}
	}
	return fair
}

// Peers returns the peers whose links are up and whose word is one of these, in the order of their ids.
func (t *Table) Peers(words ...Word) (list []wire.RelayID) {
	for id, p := range t.peers {
		if slices.Contains(words, p.word) {
			list = append(list, id)
		}
	}
	slices.SortFunc(list, wire.RelayID.Compare)
	return list
}

// WordOf returns the operator's word for a peer; None if its link is not up.
func (t *Table) WordOf(id wire.RelayID) Word {
	if p := t.peers[id]; p != nil {
		return p.word
	}
	return None
}

// LookUp returns what is known of an identity; ok: something is. Who is connected here is not looked for
// elsewhere.
func (t *Table) LookUp(f identity.Fingerprint) (e Entry, ok bool) {
	if p := t.registry.people[f]; p != nil {
		return p.entry(), true
	}
	hash := wire.HashPresence(f)
	var far *home
	for _, h := range t.homes {
		if h.best == nil || !h.hashes.has(hash) {
			continue
		}
		if h.whole[hash] == f {
			return h.entry(f), true
		}
		if h.whole == nil && (far == nil || len(h.best.path) < len(far.best.path) ||
			len(h.best.path) == len(far.best.path) && h.id.Compare(far.id) < 0) {
			far = h
		}
	}
	if far != nil {
		return far.entry(f), true
	}
	return Entry{}, false
}

// entry is what is known of somebody at another relay.
func (h *home) entry(f identity.Fingerprint) Entry {
	e := Entry{Fingerprint: f, Relay: h.id, Available: true}
	if r := h.best; r.direct() {
		e.Label, e.Address = r.peer.label, r.address
	}
	return e
}

// List returns at most limit identities after a cursor, by fingerprint, and the cursor of the next; more:
// there are some. Of those at relays that are no peers only hashes are known, so they are not listed.
func (t *Table) List(after Cursor, limit int) (list []Entry, next Cursor, more bool) {
	page := page{after: after, limit: limit}
	for _, p := range t.registry.people {
		page.add(p.fingerprint, p.entry)
	}
	for _, h := range t.homes {
		page.addAll(h)
	}
	return page.done()
}

// ListOf is List of the identities that a peer has told of as its own.
func (t *Table) ListOf(id wire.RelayID, after Cursor, limit int) (list []Entry, next Cursor, more bool) {
	page := page{after: after, limit: limit}
	if p := t.peers[id]; p != nil {
		if h := t.homes[p.key]; h != nil {
			page.addAll(h)
		}
	}
	return page.done()
}

// Counts returns what metrics show.
func (t *Table) Counts() Counts {
	c := Counts{Identities: len(t.registry.people), Available: t.registry.count,
		Entries: map[wire.RelayID]int{}, Sent: t.sent, Received: t.received,
		Mismatches: t.mismatches}
	for id, p := range t.peers {
		c.Entries[id] = p.entries
	}
	for _, h := range t.homes {
		if h.best != nil {
			c.Homes++
		}
	}
	return c
}

func (p *person) entry() Entry {
	return Entry{Fingerprint: p.fingerprint, Available: len(p.devices) > 0}
}

// page collects the first entries after a cursor, and no more than twice as many as it needs.
type page struct {
	after Cursor
	limit int
	list  []Entry
	more  bool
}

// add adds an entry, which is made only if it may be on the page.
func (p *page) add(f identity.Fingerprint, entry func() Entry) {
	if bytes.Compare(f[:], p.after[:]) <= 0 {
		return
	}
	if p.list = append(p.list, entry()); len(p.list) >= 2*p.limit+16 {
		p.cut()
	}
}

// addAll adds those at a home whose fingerprints are known.
func (p *page) addAll(h *home) {
	if h.best == nil {
		return
	}
	for _, f := range h.whole {
		p.add(f, func() Entry { return h.entry(f) })
	}
}

// cut leaves the first entries, one for each identity.
func (p *page) cut() {
	slices.SortStableFunc(p.list, func(a, b Entry) int {
		return bytes.Compare(a.Fingerprint[:], b.Fingerprint[:])
	})
	p.list = slices.CompactFunc(p.list, func(a, b Entry) bool { return a.Fingerprint == b.Fingerprint })
	if len(p.list) > p.limit {
		p.list, p.more = p.list[:max(p.limit, 0)], true
	}
}

func (p *page) done() (list []Entry, next Cursor, more bool) {
	if p.cut(); len(p.list) > 0 {
		next = p.list[len(p.list)-1].Fingerprint
	}
	return p.list, next, p.more
}
