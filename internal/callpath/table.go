package callpath

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/internal/share"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	maxTries   = 3                      // candidates for the next hop
	ackFor     = 700 * time.Millisecond // without its acknowledgement another candidate is asked, too
	answerLast = 500 * time.Millisecond // likewise without its answer, and
	answerHop  = 400 * time.Millisecond // for each hop that is left: so those near the end try others first
	setUpFor   = 35 * time.Second       // an attempt, and a path over which nothing ever went
	idleFor    = 60 * time.Second       // a path over which nothing goes any more
	refusedFor = 4 * time.Second        // a refused forward is remembered, so that it does not go round
	waitFor    = 60 * time.Second       // a leg waits for a forward
	idleEvery  = 2 * time.Second        // looks for idle paths

	// Forwards and proofs are signed for a minute; clocks may be two minutes off.
	maxAhead = 60 * time.Second
	maxOff   = 120 * time.Second
)

// Directory says where devices are.
type Directory interface {
	// Device returns the session by which a device is available here. known: somebody with that fingerprint
	// has some device here.
	Device(from Leg, f identity.Fingerprint, device wire.DeviceID) (session uint64, found, known bool)
	// NextHops returns the peers by which the device's home is reached, the best first.
	NextHops(from Leg, f identity.Fingerprint, device wire.DeviceID, now time.Time) []wire.RelayID
	// Keep keeps the offer of a forward whose device is away from this relay, its home, and wants that. It
	// reports whether that is so.
	Keep(from Leg, f *wire.CallForward, now time.Time) bool
}

// Options say what a Table is of.
type Options struct {
	Self      identity.PublicKey // the relay's
	Directory Directory
	Limits    Limits
}

// Table is the paths that go through a relay. The zero value is not usable.
type Table struct {
	self      identity.PublicKey
	id        wire.RelayID
	directory Directory
	limits    Limits
	start     time.Time // of the table's clock

	paths   map[wire.RoomHash]*path // by the beginning of their ids, which frames have
	pending pending                 // those with an attempt
	waiting map[wire.PathID]*waiting
	waits   share.Tree[holder] // who has them
	peers   map[wire.RelayID]*neighbour
	clients map[uint64]*client
	callers map[identity.PublicKey]*caller
	spent   spent

	forwards *budget.Pool // how many a second
	shares   share.Tree[holder]
	held     map[*share.Group[holder]][]*path
	open     int

	due     time.Duration // when Tick has something to do beside what is pending
	idleAt  time.Duration // when idle paths are looked for
	effects []Effect
}

// neighbour is a peer whose link is up.
type neighbour struct {
	suspect bool
	out     *budget.Pool // messages to it a second
}

// New returns a table without paths.
func New(o Options, now time.Time) *Table {
	limits := o.Limits.withDefaults()
	return &Table{
		self: o.Self, id: wire.RelayIDOf(o.Self), directory: o.Directory, limits: limits,
		start:   now.Add(-time.Hour), // so that 0 is long ago
		due:     never,
		spent:   spent{places: share.Places[holder, *caller]{Most: maxSpent}},
		paths:   make(map[wire.RoomHash]*path),
		waiting: make(map[wire.PathID]*waiting),
		peers:   make(map[wire.RelayID]*neighbour),
		clients: make(map[uint64]*client),
		callers: make(map[identity.PublicKey]*caller),
		held:    make(map[*share.Group[holder]][]*path),
		forwards: budget.NewPool(budget.Config{Rate: limits.Forwards, Burst: forwardBurst,
			Least: forwardLeast}),
	}
}

func (t *Table) clock(now time.Time) time.Duration { return now.Sub(t.start) }

// Up says that the link with a peer is up.
func (t *Table) Up(peer wire.RelayID) {
	out := budget.Config{Rate: outRate, Burst: outBurst, Least: outLeast}
	t.peers[peer] = &neighbour{out: budget.NewPool(out)}
}

// Suspect says that nothing is heard of a peer, or something again.
func (t *Table) Suspect(peer wire.RelayID, suspect bool) {
	if p := t.peers[peer]; p != nil {
		p.suspect = suspect
	}
}

// Connect says that there is a client's session, whose it is, and whose share its paths count in. Messages of
// others are refused.
func (t *Table) Connect(session uint64, who identity.PublicKey, group budget.Group) {
	if t.clients[session] != nil || session == 0 {
		return
	}
	c := t.callers[who]
	if c == nil {
		c = &caller{fingerprint: who.Fingerprint(), key: who}
		t.callers[who] = c
	}
	if c.spent.Taken() {
		t.spent.places.Remove(&c.spent, c)
	}
	c.sessions++
	t.clients[session] = &client{caller: c, group: group}
}

// Down says that a peer link or a session is over.
func (t *Table) Down(leg Leg, now time.Time) {
	at := t.clock(now)
	if leg.isPeer() {
		if t.peers[leg.Peer] == nil {
			return
		}
		delete(t.peers, leg.Peer)
		for _, p := range t.paths {
			t.lost(p, leg, at)
		}
		return
	}
	c := t.clients[leg.Session]
	if c == nil {
		return
	}
	for _, id := range slices.Clone(c.waits) {
		t.unwait(id)
	}
	for _, p := range c.list() {
		t.lost(p, leg, at)
	}
	delete(t.clients, leg.Session)
	if c.caller.sessions--; c.caller.sessions == 0 {
		t.goes(c.caller, holder{group: c.group.Customer()}, at)
	}
}

// Kind reports whether an urgent message between relays is about paths of calls.
func Kind(kind wire.UrgentKind) bool {
	return wire.UrgentSessionForward <= kind && kind <= wire.UrgentSessionEnd
}

// Receive takes an urgent message of a peer or a client. Of an unknown leg it takes none.
func (t *Table) Receive(from Leg, kind wire.UrgentKind, body []byte, now time.Time) {
	if from.isPeer() && t.peers[from.Peer] == nil || !from.isPeer() && t.clients[from.Session] == nil {
		return
	}
	at := t.clock(now)
	switch kind {
	case wire.UrgentSessionForward, wire.UrgentCallForward:
		receive(t, from, body, func(m *wire.CallForward) { t.forward(from, m, now, at) })
	case wire.UrgentSessionAnswer:
		receive(t, from, body, func(m *wire.CallState) { t.answer(from, m, at) })
	case wire.UrgentSessionMessage, wire.UrgentCallMessage:
		receive(t, from, body, func(m *wire.CallMessage) { t.message(from, m, body, at) })
	case wire.UrgentSessionEnd, wire.UrgentCallEnd:
		receive(t, from, body, func(m *wire.CallEnd) { t.ended(from, m, at) })
	case wire.UrgentCallMedia:
		receive(t, from, body, func(m *wire.CallMedia) { t.media(from, m, now, at) })
	}
}

// receive reads a message, and hands it on if that can be done.
func receive[T any, M interface {
	*T
	wire.UrgentMessage
}](t *Table, from Leg, body []byte, take func(*T)) {
	m, err := wire.Parse[T, M](body)
	if err != nil {
		t.do(Problem{from, ProblemMalformed, err.Error()})
		return
	}
	take(&m)
}

// Used says that media of a leg went over a path.
func (t *Table) Used(id wire.PathID, by Leg, now time.Time) {
	p := t.find(id)
	if p == nil {
		return
	}
	if side := p.open.side(by); side >= 0 {
		t.heard(p, side, t.clock(now))
	}
}

// heard notes that something of one side of a path was passed on.
func (t *Table) heard(p *path, side int, at time.Duration) {
	if side == 1 {
		p.noteHeard()
		if !p.spoken {
			p.spoken = true
			t.flush(p)
		}
	}
	if p.spoken {
		p.used = at
	}
}

// find returns the path with that id, or nil.
func (t *Table) find(id wire.PathID) *path {
	if p := t.paths[id.Room()]; p != nil && p.id == id {
		return p
	}
	return nil
}

// Open returns how many paths are open.
func (t *Table) Open() int { return t.open }

// Counts is how much a table holds.
type Counts struct{ Open, SettingUp, Waiting int }

// Counts returns how much it holds.
func (t *Table) Counts() Counts {
	n := Counts{Open: t.open, Waiting: len(t.waiting)}
	for _, p := range t.pending {
		if p.next.pending() {
			n.SettingUp++
		}
	}
	return n
}

// Tick does what is due, and returns when there is something again; zero: never, by time alone.
func (t *Table) Tick(now time.Time) (next time.Time) {
	at := t.clock(now)
	for p := t.pending.due(at); p != nil; p = t.pending.due(at) {
		t.advance(p, at)
	}
	if at >= t.due {
		t.due = never
		for id, w := range t.waiting {
			if at >= w.until {
				t.unwait(id)
			} else {
				t.wakeAt(w.until)
			}
		}
		t.sweep(at)
		t.forgetSpent(at)
	}
	if due := min(t.due, t.pending.first()); due != never {
		return t.start.Add(due)
	}
	return time.Time{}
}

// wakeAt has Tick look for legs and paths whose time is over.
func (t *Table) wakeAt(at time.Duration) { t.due = min(t.due, at) }

// sweep ends paths over which nothing goes.
func (t *Table) sweep(at time.Duration) {
	if t.open == 0 {
		return
	}
	if at >= t.idleAt {
		t.idleAt = at + idleEvery
		for _, p := range t.paths {
			limit := idleFor
			if !p.spoken {
				limit = setUpFor
			}
			if p.open.generation != 0 && at-p.used >= limit {
				t.close(p, Leg{}, wire.EndIdle, at)
			}
		}
	}
	if t.open > 0 {
		t.wakeAt(t.idleAt)
	}
}
