package federation

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/missed"
	"github.com/wzp-voice/wzp/internal/peer"
	"github.com/wzp-voice/wzp/internal/presence"
	"github.com/wzp-voice/wzp/internal/wire"
)

// sessionNews is what run does not know yet of our clients' sessions: of each the newest only, so there is
// never more than there are sessions. The zero value is empty.
type sessionNews struct {
	mu   sync.Mutex // guards what follows
	news map[presence.SessionID]*sessionChange
}

// sessionChange is what became of a session, in the order of its fields.
type sessionChange struct {
	connected *identity.PublicKey // it is new, and of this identity; nil: it is not
	says      bool                // it says whether it takes calls
	reach     *wire.Reach         // by this record; nil: it takes none
	record    []byte
	holder    missed.Holder // of what is kept for it, with reach
	left      bool          // without reach: it leaves, and wants what it misses kept
	over      bool
}

// note has run told what became of a session.
func (f *Federation) note(id presence.SessionID, what func(c *sessionChange)) {
	f.sessions.note(id, what)
	f.wakeUp()
}

func (n *sessionNews) note(id presence.SessionID, what func(c *sessionChange)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.news == nil {
		n.news = make(map[presence.SessionID]*sessionChange)
	}
	c := n.news[id]
	if c == nil {
		c = new(sessionChange)
		n.news[id] = c
	}
	what(c)
	if c.connected != nil && c.over {
		delete(n.news, id) // it came and went unseen
	}
}

func (n *sessionNews) drain() map[presence.SessionID]*sessionChange {
	n.mu.Lock()
	defer n.mu.Unlock()
	news := n.news
	n.news = nil
	return news
}

// Connect says that a session of a client, which no other one has had the id of, belongs to an identity. Like
// the next three it waits for nothing.
func (f *Federation) Connect(id presence.SessionID, who identity.PublicKey) {
	f.note(id, func(c *sessionChange) { c.connected = &who })
}

// Available says that a session takes calls: r was read from record, verified and fresh, and its identity is
// the session's and its home this relay. from is the address that it comes from.
func (f *Federation) Available(id presence.SessionID, from netip.Addr, r *wire.Reach, record []byte) {
	holder := holderOf(link.AddressGroup(from), r.Identity)
	record = slices.Clone(record)
	f.note(id, func(c *sessionChange) { c.says, c.reach, c.record, c.holder = true, r, record, holder })
}

// Unavailable says that a session takes no calls any more, nor wants to know of those that it misses.
func (f *Federation) Unavailable(id presence.SessionID) {
	f.note(id, func(c *sessionChange) { c.says, c.left, c.reach, c.record = true, false, nil, nil })
}

// Left says that the client of a session leaves, before the session is over.
func (f *Federation) Left(id presence.SessionID) {
	f.note(id, func(c *sessionChange) { c.says, c.left, c.reach, c.record = true, true, nil, nil })
}

// Disconnect says that a session is over.
func (f *Federation) Disconnect(id presence.SessionID) {
	f.note(id, func(c *sessionChange) { c.over = true })
}

// readSessions tells the table what became of our clients' sessions.
func (f *Federation) readSessions(now time.Time) {
	news := f.sessions.drain()
	if len(news) == 0 {
		return
	}
	f.decidePresence(func() {
		for id, c := range news {
			if c.connected != nil {
				f.who.Connect(id, *c.connected)
			}
			switch {
			case c.says && c.reach != nil && !c.over:
				f.who.Available(id, c.reach, c.record, now)
			case c.says && !c.over:
				f.who.Unavailable(id, now)
			}
			f.missed.changed(id, c)
			if c.over {
				f.who.Disconnect(id, now)
			}
		}
	})
}

// decidePresence has the table of who can be called told something, by tell, and carries out what follows.
// Only run calls it.
func (f *Federation) decidePresence(tell func()) {
	f.mu.Lock()
	tell()
	effects := f.who.Drain()
	f.mu.Unlock()
	for _, e := range effects {
		switch e := e.(type) {
		case presence.Send:
			f.sendPresence(e)
		case presence.Problem:
			f.problem(e.Peer, e.What, e.Reason)
		case presence.Home:
			f.logHome(e)
		case presence.Taking:
			f.logTaking(e)
		}
	}
}

func (f *Federation) sendPresence(e presence.Send) {
	to := f.live[e.To]
	if to == nil {
		return
	}
	var acked func()
	if e.Receipt != nil {
		acked = func() {
			f.later(func(now time.Time) {
				if f.live[to.id] == to {
					f.decidePresence(func() { f.who.Acked(to.id, *e.Receipt, now) })
				}
			})
		}
	}
	to.link.Send(e.Kind, e.Body, acked)
}

// word returns the operator's word for a peer.
func (f *Federation) word(id wire.RelayID) presence.Word {
	if word, known := f.words[id]; known {
		return word
	}
	return presence.None
}

// configurePresence notes the operator's words, and tells the table of those that changed.
func (f *Federation) configurePresence(peers []peer.Config, now time.Time) {
	f.words = make(map[wire.RelayID]presence.Word, len(peers))
	for _, p := range peers {
		f.words[wire.RelayID(p.Fingerprint[:len(wire.RelayID{})])] = p.Presence
	}
	f.decidePresence(func() {
		for id := range f.live {
			f.who.Word(id, f.word(id), now)
		}
	})
}

// LookUp returns what is known of an identity; ok: something is.
func (f *Federation) LookUp(who identity.Fingerprint) (e presence.Entry, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.who.LookUp(who)
}

// Presence returns at most limit identities after a cursor: see presence.Table.List.
func (f *Federation) Presence(after presence.Cursor, limit int) ([]presence.Entry, presence.Cursor, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.who.List(after, limit)
}

// PresenceOf is Presence of those that a peer has told of as its own.
func (f *Federation) PresenceOf(id wire.RelayID, after presence.Cursor,
	limit int) ([]presence.Entry, presence.Cursor, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.who.ListOf(id, after, limit)
}

// PresenceHashes returns at most limit of those of whom only hashes are known: see presence.Table.ListHashes.
func (f *Federation) PresenceHashes(after presence.Hashed, limit int) ([]presence.Hashed, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.who.ListHashes(after, limit)
}

// PresenceCounts returns what metrics show of presence.
func (f *Federation) PresenceCounts() presence.Counts {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.who.Counts()
}
