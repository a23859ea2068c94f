package routing

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// Table is a relay's routing table. It is not safe for concurrent use.
type Table struct {
	self     wire.RelayID
	identity *identity.Identity
	boot     uint64 // of our own records
	sequence uint64 // of our newest record
	isGlobal func(room string) bool
	limits   limits
	effects  []Effect // not taken yet

	peers  map[wire.RelayID]*peer
	order  []*peer // the same, by id, so that equal inputs have equal outputs
	parts  map[PartKey]*part
	homes  map[wire.RelayID]*homeState // of foreign parts
	floors floors                      // of those that are gone
	due    map[PartKey]*part           // parts that wait for a time
	named  map[wire.RelayID]string     // peers that were ever up, and the folded forms of their labels

	members    int // in foreign parts
	pending    int // news that wait, in all parts
	assembling int // places in lists that are being fetched
	trails     int // steps of all trails

	verified uint64 // signatures of records that were checked
}

// by returns the way of a route that q announces.
func (r *route) by(q *peer) Hop {
	if len(r.path) == 1 {
		return Hop{Peer: q.id}
	}
	return Hop{q.id, through(r.path)}
}

// PartKey names one relay's part of one room.
type PartKey struct {
	Home wire.RelayID
	Room wire.RoomHash
}

func (k PartKey) compare(o PartKey) int {
	if c := k.Room.Compare(o.Room); c != 0 {
		return c
	}
	return k.Home.Compare(o.Home)
}

// part is what is known of one relay's part of one room.
type part struct {
	key  PartKey
	home identity.PublicKey
	room string
	own  bool // our own part: it has no route

	opener wire.RelayID // the peer that was first to bring it
	owners []floorOwner // all on whose account its version is remembered

	content content  // verified
	floor   version  // the least version that is taken
	highest version  // the highest one that the home signed
	bad     version  // Up to here there is nothing to fetch: it is not to be had
	pending []*news  // by version, above content: they wait for what they change
	fetch   fetching // of content
	hidden  int      // how often there was no space for it

	best      *peer     // nil: none, or own
	way       *route    // best's, as it was chosen
	reach     Way       // the last Reach
	shaky     bool      // way goes over a suspect link
	former    []Former  // peers that were best a moment ago
	lingers   time.Time // without a route: until then its members stay
	shown     []member
	showed    string    // the label that Members had last
	showedBy  Hop       // and the way
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

// peer is a peer whose link is up.
type peer struct {
	id         wire.RelayID
	label      string
	suspect    bool
	upSince    time.Time
	settledAt  time.Time // from then on, while it is not suspect, it has told us of its own parts
	serial     uint64    // of the last message to it
	parts      map[PartKey]*adjacency
	turnedAway bool      // something was refused for want of space
	askAt      time.Time // it is asked for everything again then, or was
	askPause   time.Duration
	swept      time.Time // when dead adjacencies were last looked for
	told       time.Time // when it was last told everything because it asked
	askedAll   bool      // it is to be told everything again
	fetches    int       // under way
	assembling int       // of table.assembling
	members    int       // of table.members, that came from it
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
	return a.route == nil && !a.wants && a.out == nil && !a.asked && !a.announcing.busy() && !a.wanting.busy()
}

// New returns a Table without peers. boot is above that of every earlier start of this relay.
func New(self *identity.Identity, boot uint64, isGlobal func(room string) bool) *Table {
	return newTable(self, boot, isGlobal, defaultLimits())
}

// newTable returns a table without peers.
func newTable(self *identity.Identity, boot uint64, isGlobal func(room string) bool, limits limits) *Table {
	return &Table{
		self:     wire.RelayIDOf(self.Public()),
		identity: self,
		boot:     boot,
		isGlobal: isGlobal,
		limits:   limits,
		peers:    map[wire.RelayID]*peer{},
		parts:    map[PartKey]*part{},
		homes:    map[wire.RelayID]*homeState{},
		floors:   newFloors(limits.parts),
		due:      map[PartKey]*part{},
		named:    map[wire.RelayID]string{},
	}
}

// Up says that a link to p is ready and that p knows nothing of ours. The label is what our configuration
// calls p.
func (t *Table) Up(p wire.RelayID, label string, now time.Time) {
	if p == t.self {
		return
	}
	t.Down(p, now)
	q := &peer{id: p, label: label, parts: map[PartKey]*adjacency{}, swept: now, upSince: now,
		settledAt: now.Add(settleFor)}
	t.peers[p] = q
	t.nameTaken(p, label, now)
	t.order = append(t.order, q)
	slices.SortFunc(t.order, func(a, b *peer) int { return a.id.Compare(b.id) })
	t.announceAll(q, now)
	for _, pt := range t.partsOf(q) {
		t.update(pt, now) // of its own parts: detours to it end later
	}
}

// Down says that the link to p is gone, and with it all that p said.
func (t *Table) Down(p wire.RelayID, now time.Time) {
	q := t.peers[p]
	if q == nil {
		return
	}
	delete(t.peers, p)
	t.order = slices.DeleteFunc(t.order, func(n *peer) bool { return n == q })
	for _, pt := range t.partsOf(q) {
		if pt.fetch.from == q {
			t.endFetch(pt)
		}
		t.update(pt, now)
		t.planFetch(pt, false, now)
	}
}

// Suspect says whether p has not been heard of for a while.
func (t *Table) Suspect(p wire.RelayID, suspect bool, now time.Time) {
	q := t.peers[p]
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

// Receive takes an urgent message of kind 32 to 36. It is not taken, and to be delivered again, when p is not
// up.
func (t *Table) Receive(p wire.RelayID, kind wire.UrgentKind, body []byte, now time.Time) (taken bool) {
	q := t.peers[p]
	if q == nil {
		return false
	}
	q.sweep(now)
	var err error
	switch kind {
	case wire.UrgentFederationRoom:
		err = with(body, func(m *wire.FederationRoom) { t.roomMessage(q, m, now) })
	case wire.UrgentFederationLeave:
		err = with(body, func(m *wire.FederationLeave) { t.leaveMessage(q, m, now) })
	case wire.UrgentFederationWant:
		err = with(body, func(m *wire.FederationWant) { t.wantMessage(q, m, now) })
	case wire.UrgentFederationFetch:
		err = with(body, func(m *wire.FederationFetch) { t.fetchMessage(q, m, now) })
	case wire.UrgentFederationMembers:
		err = with(body, func(m *wire.FederationMembers) { t.membersMessage(q, m, now) })
	}
	if err != nil {
		t.do(Problem{p, problemMalformed, err.Error()})
	}
	return true
}

// with parses body and gives what it says to f.
func with[T any, M interface {
	*T
	wire.UrgentMessage
}](body []byte, f func(M)) error {
	m, err := wire.Parse[T, M](body)
	if err == nil {
		f(&m)
	}
	return err
}

// update makes all consequences of what is known of a part true: the best route, the members, what peers were
// told, which media is wanted and where it goes.
func (t *Table) update(pt *part, now time.Time) {
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

// tellWay says by which peer the part is reached, and was, if that has changed.
func (t *Table) tellWay(pt *part) {
	if pt.own {
		return
	}
	var now Way
	if !pt.forgotten {
		now.Former = pt.former
		if pt.best != nil {
			now.Best = pt.best.id
		}
	}
	if now.Best == pt.reach.Best && slices.Equal(now.Former, pt.reach.Former) {
		return
	}
	now.Former = slices.Clone(now.Former)
	pt.reach = now
	t.do(Reach{pt.key, now})
}

// present reports whether the part has members and a way to them.
func (pt *part) present() bool { return len(pt.content.members) > 0 && (pt.own || pt.best != nil) }

// lingering reports whether members without a route stay for a moment, as another route may be on its way.
func (pt *part) lingering(now time.Time) bool {
	return len(pt.content.members) > 0 && now.Before(pt.lingers)
}

const (
	showMost  = 128                   // joins that are shown at a time: packets wait meanwhile
	showPause = 10 * time.Millisecond // before the next ones
)

// show tells who joined and left a foreign part since the last call, the first joins if there are many: then
// it is called again soon.
func (t *Table) show(pt *part, now time.Time) {
	if pt.own {
		return
	}
	label, by, members := pt.showed, pt.showedBy, []member(nil)
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
		t.do(Members{pt.home, label, by, pt.room, entriesOf(joined), idsOf(left)})
	}
	pt.shown, pt.showed, pt.showedBy = members, label, by
}
