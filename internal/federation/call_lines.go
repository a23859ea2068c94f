package federation

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/internal/callpath"
	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/presence"
	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	lineInbox   = 16              // messages of a session that wait for run
	lineRate    = 40              // that a session may send a second,
	lineBurst   = 3 * time.Second // and at once, in time of that
	lineAliases = 28              // of a session's calls: those that travel shortest
)

// Line is the session of a client that makes or takes calls: a *link.Session.
type Line interface {
	Identity() identity.PublicKey
	Remote() netip.Addr
	Over() bool
	SendUrgent(kind wire.UrgentKind, body []byte) error
	SendUrgentThen(kind wire.UrgentKind, body []byte, done func(acked bool)) error
	SendMedia(tx *link.Tx, alias uint16, short, long []byte)
	SetAliasKnown(alias uint16, known bool)
}

// lines are the sessions of clients that make or take calls.
type lines struct {
	mu    sync.Mutex // guards what follows
	all   map[presence.SessionID]*line
	ready []*line // of which run has something to do: each once

	known map[presence.SessionID]*line // owned by run: those of which the table knows
}

// line is one of them.
type line struct {
	id     presence.SessionID
	to     Line
	group  budget.Group // whose share what it sends counts in
	origin room.Origin

	rate    budget.Bucket
	speaks  atomic.Pointer[wire.PathID] // which path its media frames are of; nil: of none
	aliases callAliases

	// Guarded by lines.mu:
	inbox  []inMessage
	queued bool
	over   bool
}

// LineOpened says that a session makes or takes calls, before it is told to be available: offers are sent to
// it from then on. The id is from 1. It waits for nothing, and may be said again.
func (f *Federation) LineOpened(id presence.SessionID, to Line) {
	f.openLine(id, to)
	f.wakeUp()
}

// openLine returns the line of a session. One that is over, of which LineEnded may have been said before,
// gets none that stays.
func (f *Federation) openLine(id presence.SessionID, to Line) *line {
	l, fresh := f.calls.lines.open(id, to)
	if fresh && to.Over() {
		f.calls.lines.end(id)
	}
	return l
}

// LineMessage takes an urgent message about a call of a client's session: a forward, message, end, the word
// that its media is of a path, or that it wants what was kept for it. It waits for nothing; what is not taken
// comes again.
func (f *Federation) LineMessage(id presence.SessionID, to Line, kind wire.UrgentKind,
	body []byte) (taken bool) {
	switch kind {
	case wire.UrgentCallForward, wire.UrgentCallMessage, wire.UrgentCallEnd, wire.UrgentCallMedia,
		wire.UrgentKeptWanted:
	default:
		return true
	}
	l := f.openLine(id, to)
	if !l.rate.Take(1, lineRate, lineBurst, time.Since(f.calls.start)) || !f.calls.lines.put(l, kind, body) {
		f.rooms.Drops.Add(drops.CallRate, 1)
		return false
	}
	f.wakeUp()
	return true
}

// LineEnded says that a session is over. It waits for nothing.
func (f *Federation) LineEnded(id presence.SessionID) {
	if f.calls.lines.end(id) {
		f.wakeUp()
	}
}

// LineAliasAcked says that the client of a session that is in no room knows what an alias stands for.
func (f *Federation) LineAliasAcked(id presence.SessionID, pair wire.AliasPair) {
	if l := f.calls.lines.get(id); l != nil {
		l.aliases.acked(l, pair)
	}
}

// LineBind returns what gets a stream of a session that is in no room, or nil: it is of no call.
func (f *Federation) LineBind(id presence.SessionID, m *wire.Media) link.Inbound {
	l := f.calls.lines.get(id)
	if l == nil {
		return nil
	}
	by := callLeg{line: l}
	return f.calls.media.of(by, wire.RoomHash{}).bind(f, by, m)
}

// speaksOf reports whether the media of the session is of a path.
func (l *line) speaksOf(id wire.PathID) bool {
	of := l.speaks.Load()
	return of != nil && *of == id
}

func (ls *lines) get(id presence.SessionID) *line {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.all[id]
}

// open returns the line of a session, which is made if need be: then it is fresh.
func (ls *lines) open(id presence.SessionID, to Line) (l *line, fresh bool) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l = ls.all[id]; l == nil {
		fresh = true
		from := to.Remote()
		l = &line{id: id, to: to, group: link.AddressGroup(from),
			origin: room.FromAddress(link.AddressNet(from), link.AddressBlock(from))}
		if ls.all == nil {
			ls.all = make(map[presence.SessionID]*line)
		}
		ls.all[id] = l
		ls.queueLocked(l)
	}
	return l, fresh
}

// put queues a message, which is copied, unless too many wait.
func (ls *lines) put(l *line, kind wire.UrgentKind, body []byte) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l.over || len(l.inbox) >= lineInbox {
		return l.over
	}
	l.inbox = append(l.inbox, inMessage{kind, slices.Clone(body)})
	ls.queueLocked(l)
	return true
}

// end reports whether there was one.
func (ls *lines) end(id presence.SessionID) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.all[id]
	if l == nil {
		return false
	}
	delete(ls.all, id)
	l.over, l.inbox = true, nil
	ls.queueLocked(l)
	return true
}

// queueLocked has run see to a line. The caller holds ls.mu.
func (ls *lines) queueLocked(l *line) {
	if !l.queued {
		l.queued = true
		ls.ready = append(ls.ready, l)
	}
}

// next returns a line of which there is something to do, and its oldest message: lines take turns.
func (ls *lines) next() (l *line, m inMessage, over, more bool) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if len(ls.ready) == 0 {
		return nil, m, false, false
	}
	l = ls.ready[0]
	ls.ready[0] = nil
	ls.ready = ls.ready[1:]
	l.queued = false
	if len(l.inbox) > 0 {
		m, l.inbox = l.inbox[0], l.inbox[1:]
	}
	if len(l.inbox) > 0 {
		ls.queueLocked(l)
	}
	return l, m, l.over, len(ls.ready) > 0
}

// readLines gives the table of paths what clients say. It reports whether more waits.
func (f *Federation) readLines(now time.Time) (more bool) {
	ls := &f.calls.lines
	for range readMost {
		l, m, over, more := ls.next()
		if l == nil {
			return false
		}
		if m.kind == wire.UrgentKeptWanted {
			f.keptWanted(l, m.body)
			m.body = nil
		}
		leg := callpath.SessionLeg(uint64(l.id))
		f.decideCalls(func(t *callpath.Table) {
			if ls.known[l.id] == nil && !over {
				ls.known[l.id] = l
				t.Connect(leg.Session, l.to.Identity(), l.group)
			}
			if m.body != nil {
				t.Receive(leg, m.kind, m.body, now)
			}
			if over && ls.known[l.id] == l {
				delete(ls.known, l.id)
				t.Down(leg, now)
			}
		})
		if !more {
			return false
		}
	}
	return true
}

// callAliases are the aliases of the streams of calls that go to one session, which is in no room and has
// them to itself. The zero value is ready.
type callAliases struct {
	mu   sync.Mutex // guards what follows
	used [lineAliases]callAlias
}

// callAlias is what an alias stands for.
type callAlias struct {
	stream *callStream
	at     time.Time // when it was given
}

// give gives a stream an alias: one that nobody has, or that of a stream that is over, else the oldest.
func (a *callAliases) give(l *line, st *callStream, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if name := st.name.Load(); name != nil && name.line == l {
		return // another goroutine was faster
	}
	best, least := 0, time.Duration(-1)
	for i := range a.used {
		e := &a.used[i]
		age := now.Sub(e.at)
		if e.stream == nil {
			best = i
			break
		}
		if e.stream.Dropped() && age >= aliasRest {
			age += 24 * time.Hour
		}
		if age > least {
			best, least = i, age
		}
	}
	if old := a.used[best].stream; old != nil {
		if name := old.name.Load(); name != nil && name.line == l {
			old.name.Store(nil)
		}
	}
	a.used[best] = callAlias{st, now}
	l.to.SetAliasKnown(uint16(best), false)
	st.name.Store(&callName{l, uint16(best)})
}

// acked notes that the client knows what an alias stands for, if it still does.
func (a *callAliases) acked(l *line, pair wire.AliasPair) {
	if pair.Alias >= lineAliases {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if st := a.used[pair.Alias].stream; st != nil && st.kid == pair.KID {
		l.to.SetAliasKnown(pair.Alias, true)
	}
}
