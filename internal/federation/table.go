package federation

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// effects is what a table does. It is called from inside the table's methods and must not call the table back.
type effects interface {
	// send queues an urgent message for a peer. Order need not be kept; what is sent to a peer whose link is up must arrive, or the link go down.
	send(p wire.RelayID, kind wire.UrgentKind, body []byte)
	// sendThen is send, and when p has acknowledged the message [table.delivered] is to be called with r, not from inside the table's methods.
	sendThen(p wire.RelayID, kind wire.UrgentKind, body []byte, r receipt)
	// participants says what changed of home's part of a room: entries that joined, all of them checked, and ids of who left. Both
	// are empty where only the label or the way changed. The entries must not be written to.
	participants(home identity.PublicKey, label string, by wayIn, room string, joined [][]byte, left []wire.MemberID)
	// way says by which peer a foreign part is reached now, if at all, and by which it was: media may come from them. It is told at once, before
	// any participants of the part are. The list in it must not be written to.
	way(part partKey, way toldWay)
	// trunks says to which peers the media of home's members in the room goes now; the zero home stands for our own
	// members. An empty list ends it.
	trunks(home wire.RelayID, room string, to []wire.RelayID)
	// problem says that something of a peer's was refused, or contained. What is one of the problem constants, reason a sentence without names that the peer chose.
	problem(p wire.RelayID, what string, reason string)
	// notGlobal says that a peer announces a room, which it may have made up, that is not global here. Operators name rooms
	// one after the other, so that is usual.
	notGlobal(p wire.RelayID, room string)
}

// table is the routing table of a relay: which parts of which rooms exist on which relays, who is in them, by which
// peer each is reached, and which peers want which media.
//
//	up, down, suspect ----> neighbour ---- adjacency (one for each part and link: what the peer said, what it was told)
//	                                           |
//	kind 32, 33 ----------> route.go ----------+--> part: best route ---> announced to the other peers (route_announce.go)
//	  its delta ----------> content.go ---------->  part: content ------> effects.participants
//	kind 36 --------------> content_fetch.go ---->    |
//	kind 34, local -------> wants.go -----------------+--> want to the best peer, effects.trunks, parent
//
// A part is one relay's part of one room, ours included. Whatever changes ends in update, which makes all of the
// part's consequences true again; so no path through this code has to remember them.
//
// The table is pure: no goroutine, no clock, no lock (its owner has one). Whatever it is given is hostile: nothing grows
// above tableLimits.
type table struct {
	self     wire.RelayID
	identity *identity.Identity
	boot     uint64 // of our own records
	sequence uint64 // of our newest record
	isGlobal func(room string) bool
	limits   tableLimits
	effects  effects

	neighbours map[wire.RelayID]*neighbour
	order      []*neighbour // the same, by id, so that equal inputs have equal outputs
	parts      map[partKey]*part
	homes      map[wire.RelayID]*homeState // of foreign parts
	floors     floors                      // of those that are gone
	due        map[partKey]*part           // parts that wait for a time
	met        map[wire.RelayID]string     // peers that were ever up, and the folded forms of their labels

	participants int // in foreign parts
	pending      int // news that wait, in all parts
	assembling   int // places in lists that are being fetched
	trails       int // steps of all trails

	verified uint64 // signatures of records that were checked
}

// wayIn is by which peer a part comes to us, and by which neighbour of that peer to it; via is zero for the peer's own.
type wayIn struct{ peer, via wire.RelayID }

// by returns the way of a route that q announces.
func (r *route) by(q *neighbour) wayIn {
	if len(r.path) == 1 {
		return wayIn{peer: q.id}
	}
	return wayIn{q.id, through(r.path)}
}

// partKey names one relay's part of one room.
type partKey struct {
	home wire.RelayID
	room wire.RoomHash
}

func (k partKey) compare(o partKey) int {
	if c := k.room.Compare(o.room); c != 0 {
		return c
	}
	return k.home.Compare(o.home)
}

// part is what is known of one relay's part of one room.
type part struct {
	key  partKey
	home identity.PublicKey
	room string
	own  bool // our own part: it has no route

	opener wire.RelayID // the peer that was first to bring it
	owners []floorOwner // all on whose account its version is remembered

	content content  // verified
	floor   version  // the least version that is taken
	highest version  // the highest one that the home signed
	bad     version  // up to here there is nothing to fetch: it is not to be had
	pending []*news  // by version, above content: they wait for what they change
	fetch   fetching // of content
	hidden  int      // how often there was no space for it

	best      *neighbour // nil: none, or own
	way       *route     // best's, as it was chosen
	passage   toldWay    // what effects.way was told
	shaky     bool       // way goes over a suspect link
	former    []former   // peers that were best a moment ago
	lingers   time.Time  // without a route: until then its participants stay
	shown     []participant
	showed    string    // the label that effects.participants was told
	showedBy  wayIn     // and the way
	showNext  time.Time // when the next ones are shown, if not all are yet
	trunks    []wire.RelayID
	trail     trail // for peers that are behind
	forgotten bool
	next      time.Time // when something is due; zero: never
}

// homeState is what is known of another relay that parts come from.
type homeState struct {
	boot   uint64
	parts  int
	owners []floorOwner // on whose account the boot is remembered
}

// neighbour is a peer whose link is up.
type neighbour struct {
	id         wire.RelayID
	label      string
	suspect    bool
	upSince    time.Time
	settledAt  time.Time // from then on, while it is not suspect, it has told us of its own parts
	serial     uint64    // of the last message to it
	parts      map[partKey]*adjacency
	routes     int                  // of parts
	passed     int                  // of them: not its own parts
	passedBy   map[wire.RelayID]int // of those: by which neighbour of it they come
	turnedAway bool                 // something was refused for want of space
	askAt      time.Time            // it is asked for everything again then, or was
	askPause   time.Duration
	swept      time.Time // when dead adjacencies were last looked for
	told       time.Time // when it was last told everything because it asked
	askedAll   bool      // it is to be told everything again
	fetches    int       // under way
	assembling int       // of table.assembling
	members    int       // of table.participants, that came from it
	outgoing   outgoing
}

// adjacency is the state of one part on one link.
type adjacency struct {
	route       *route // by which the peer reaches the part; nil: it does not
	routeSerial uint64 // of the newest message about the route
	away        bool   // which took it back
	wants       bool   // the peer wants the part's media from us
	wantSerial  uint64
	offer       offering

	out      *announced // what the peer was told; nil: nothing, or that we do not reach it
	asked    bool       // we want its media from the peer
	unwantAt time.Time  // when we stop

	served        time.Time // when the list was last sent to the peer
	servedVersion version
	fetched       time.Time // when it was last asked for the list
	tries         int       // fetches since the content last changed

	telling // what is under way to the peer

	touched time.Time
}

func (a *adjacency) dead() bool {
	return a.route == nil && !a.wants && a.out == nil && !a.asked && !a.busy()
}

// newTable returns a table without peers. Boot is above that of every earlier start of this relay.
func newTable(self *identity.Identity, boot uint64, isGlobal func(room string) bool, limits tableLimits, effects effects) *table {
	return &table{
		self:       wire.RelayIDOf(self.Public()),
		identity:   self,
		boot:       boot,
		isGlobal:   isGlobal,
		limits:     limits,
		effects:    effects,
		neighbours: map[wire.RelayID]*neighbour{},
		parts:      map[partKey]*part{},
		homes:      map[wire.RelayID]*homeState{},
		floors:     newFloors(limits.parts),
		due:        map[partKey]*part{},
		met:        map[wire.RelayID]string{},
	}
}

// up says that a link to p is ready and that p knows nothing of ours. The label is what our configuration calls p.
func (t *table) up(p wire.RelayID, label string, now time.Time) {
	if p == t.self {
		return
	}
	t.down(p, now)
	q := &neighbour{id: p, label: label, parts: map[partKey]*adjacency{}, passedBy: map[wire.RelayID]int{}, swept: now, upSince: now, settledAt: now.Add(settleFor)}
	t.neighbours[p] = q
	t.meet(p, label, now)
	i, _ := slices.BinarySearchFunc(t.order, p, func(n *neighbour, id wire.RelayID) int { return n.id.Compare(id) })
	t.order = slices.Insert(t.order, i, q)
	t.announceAll(q, now)
	for _, pt := range t.partsOf(q) {
		t.update(pt, now) // of its own parts: detours to it end later
	}
}

// down says that the link to p is gone, and with it all that p said.
func (t *table) down(p wire.RelayID, now time.Time) {
	q := t.neighbours[p]
	if q == nil {
		return
	}
	delete(t.neighbours, p)
	t.order = slices.DeleteFunc(t.order, func(n *neighbour) bool { return n == q })
	for _, pt := range t.partsOf(q) {
		if pt.fetch.from == q {
			t.endFetch(pt)
		}
		t.update(pt, now)
		t.planFetch(pt, false, now)
	}
}

// suspect says whether p has not been heard of for a while.
func (t *table) suspect(p wire.RelayID, suspect bool, now time.Time) {
	q := t.neighbours[p]
	if q == nil || q.suspect == suspect {
		return
	}
	q.suspect = suspect
	if !suspect {
		q.settledAt = laterOf(q.settledAt, now.Add(settleFor)) // what it said meanwhile may be on its way
	}
	for _, pt := range t.partsOf(q) {
		t.update(pt, now)
	}
}

// urgent takes an urgent message of kind 32 to 36. It is not taken, and to be delivered again, when p is not up.
func (t *table) urgent(p wire.RelayID, kind wire.UrgentKind, body []byte, now time.Time) (taken bool) {
	q := t.neighbours[p]
	if q == nil {
		return false
	}
	q.sweep(now)
	var err error
	switch kind {
	case wire.UrgentFederationRoom:
		err = with(wire.ParseFederationRoom, body, func(m *wire.FederationRoom) { t.roomMessage(q, m, now) })
	case wire.UrgentFederationLeave:
		err = with(wire.ParseFederationLeave, body, func(m *wire.FederationLeave) { t.leaveMessage(q, m, now) })
	case wire.UrgentFederationWant:
		err = with(wire.ParseFederationWant, body, func(m *wire.FederationWant) { t.wantMessage(q, m, now) })
	case wire.UrgentFederationFetch:
		err = with(wire.ParseFederationFetch, body, func(m *wire.FederationFetch) { t.fetchMessage(q, m, now) })
	case wire.UrgentFederationMembers:
		err = with(wire.ParseFederationMembers, body, func(m *wire.FederationMembers) { t.participantsMessage(q, m, now) })
	}
	if err != nil {
		t.effects.problem(p, problemMalformed, err.Error())
	}
	return true
}

// with parses body and gives what it says to f.
func with[M any](parse func([]byte) (*M, error), body []byte, f func(*M)) error {
	m, err := parse(body)
	if err == nil {
		f(m)
	}
	return err
}

// update makes all consequences of what is known of a part true: the best route, the participants, what peers were
// told, which media is wanted and where it goes.
func (t *table) update(pt *part, now time.Time) {
	if pt.forgotten {
		return
	}
	t.choose(pt, now)
	if !pt.own && pt.best == nil && !pt.lingering(now) && !t.disowned(pt, now) {
		t.forget(pt, now)
	}
	t.tellWay(pt)
	t.show(pt, now)
	t.announce(pt, now)
	t.updateWants(pt, now)
	t.updateTrunks(pt, now)
	t.plan(pt, now)
}

// toldWay is what effects.way was told of a part. The zero value: nothing.
type toldWay struct {
	best    wire.RelayID
	reached bool
	former  []former
}

// tellWay says by which peer the part is reached, and was, if that has changed.
func (t *table) tellWay(pt *part) {
	if pt.own {
		return
	}
	var now toldWay
	if !pt.forgotten {
		now.former = pt.former
		if pt.best != nil {
			now.best, now.reached = pt.best.id, true
		}
	}
	told := &pt.passage
	if now.reached == told.reached && now.best == told.best && slices.Equal(now.former, told.former) {
		return
	}
	now.former = slices.Clone(now.former)
	*told = now
	t.effects.way(pt.key, now)
}

// present reports whether the part has participants and a way to them.
func (pt *part) present() bool {
	return len(pt.content.members) > 0 && (pt.own || pt.best != nil)
}

// lingering reports whether participants without a route stay for a moment, as another route may be on its way.
func (pt *part) lingering(now time.Time) bool {
	return len(pt.content.members) > 0 && now.Before(pt.lingers)
}

const (
	showMost  = 128                   // joins that are shown at a time: each costs its room work, and packets wait meanwhile
	showPause = 10 * time.Millisecond // before the next ones
)

// show tells who joined and left a foreign part since the last call, the first joins if there are many: then it is
// called again soon.
func (t *table) show(pt *part, now time.Time) {
	if pt.own {
		return
	}
	label, by, members := pt.showed, pt.showedBy, []participant(nil)
	switch {
	case pt.present():
		label, by, members = pt.way.label, pt.way.by(pt.best), pt.content.members
	case pt.lingering(now):
		members = pt.content.members
	}
	left, joined := difference(pt.shown, members)
	switch {
	case now.Before(pt.showNext):
		joined = nil
		members = edited(pt.shown, nil, idsOf(left))
	case len(joined) > showMost:
		joined = joined[:showMost]
		members = edited(pt.shown, joined, idsOf(left))
		pt.showNext = now.Add(showPause)
	default:
		pt.showNext = time.Time{}
	}
	if len(left)+len(joined) > 0 || len(members) > 0 && (label != pt.showed || by != pt.showedBy) {
		t.effects.participants(pt.home, label, by, pt.room, entriesOf(joined), idsOf(left))
	}
	pt.shown, pt.showed, pt.showedBy = members, label, by
}
