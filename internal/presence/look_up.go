package presence

import (
	"bytes"
	"slices"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// Entry is what the operator of this relay is shown of an identity.
type Entry struct {
	Fingerprint identity.Fingerprint
	Relay       wire.RelayID // the peer that it is with; zero: it is connected here
	Label       string       // what our configuration calls that peer
	Address     string       // where that peer says that it is, HOST:PORT; may be empty. It is never dialled
	Available   bool         // it takes calls; of those at peers only such are known
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
}

// Ways returns by which ways an identity might be reached at other relays, those with the fewest relays
// first.
func (t *Table) Ways(f identity.Fingerprint) []Way {
	return nil
}

// MeshPeers returns the peers whose links are up and whose word is Mesh, in the order of their ids.
func (t *Table) MeshPeers() (list []wire.RelayID) {
	for id, p := range t.peers {
		if p.word == Mesh {
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
	return Entry{}, false
}

// List returns at most limit identities after a cursor, by fingerprint, and the cursor of the next; more:
// there are some.
func (t *Table) List(after Cursor, limit int) (list []Entry, next Cursor, more bool) {
	page := page{after: after, limit: limit}
	for _, p := range t.registry.people {
		page.add(p.fingerprint, p.entry)
	}
	return page.done()
}

// ListOf is List of the identities that a peer has told of as its own.
func (t *Table) ListOf(id wire.RelayID, after Cursor, limit int) (list []Entry, next Cursor, more bool) {
	page := page{after: after, limit: limit}
	return page.done()
}

// Counts returns what metrics show.
func (t *Table) Counts() Counts {
	c := Counts{Identities: len(t.registry.people), Entries: map[wire.RelayID]int{}}
	for _, p := range t.registry.people {
		if len(p.devices) > 0 {
			c.Available++
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
