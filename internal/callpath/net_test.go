package callpath

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/internal/wire"
)

// network is relays with links and clients, in virtual time. What goes over a link arrives after a delay, in
// an order that differs from that in which it was sent.
type network struct {
	t      testing.TB
	now    time.Time
	delay  time.Duration
	nodes  []*node
	queue  []delivery
	number int
	limits Limits
}

type delivery struct {
	at     time.Time
	number int
	do     func()
}

// node is a relay: its table is nil while it does not run.
type node struct {
	net      *network
	name     string
	key      identity.PublicKey
	id       wire.RelayID
	table    *Table
	links    map[*node]bool
	sessions map[uint64]*end
	media    map[wire.PathID][2]Leg
	events   []Event
	problems []string
	drops    int
	acks     time.Duration                 // how long clients take to acknowledge; 0: as links do
	boot     int                           // what is under way to an earlier one is lost
	mute     bool                          // it takes and acknowledges all, and says nothing
	keeps    map[identity.Fingerprint]bool // who is away, and has offers kept here
	kept     []string
	untold   []wire.PathID // paths that were over before their offer went to the called
}

// end is a session of a client.
type end struct {
	node      *node
	session   uint64
	who       *identity.Identity
	available bool
	offers    []wire.CallForward
	states    []wire.CallState
	ends      []wire.CallEnd
	said      []string
	speaks    wire.PathID
}

var device = wire.DeviceID{1, 2, 3, 4, 5, 6, 7, 8}

func newNetwork(t testing.TB, n int, links string) *network {
	net := &network{t: t, now: time.Unix(1_800_000_000, 0), delay: 10 * time.Millisecond}
	for i := range n {
		key := identity.SeedFromBytes([32]byte{200, byte(i)}).Identity().Public()
		net.nodes = append(net.nodes, &node{net: net, name: string(rune('A' + i)), key: key,
			id: wire.RelayIDOf(key), links: make(map[*node]bool)})
	}
	for _, pair := range strings.Fields(links) {
		net.link(net.nodes[pair[0]-'A'], net.nodes[pair[1]-'A'])
	}
	for _, n := range net.nodes {
		n.start()
	}
	return net
}

func (net *network) link(a, b *node) { a.links[b], b.links[a] = true, true }

func (net *network) byID(id wire.RelayID) *node {
	for _, n := range net.nodes {
		if n.id == id {
			return n
		}
	}
	return nil
}

// start runs a relay that knows nothing yet; its neighbours have links with it.
func (n *node) start() {
	n.boot++
	n.mute = false
	n.sessions, n.media = make(map[uint64]*end), make(map[wire.PathID][2]Leg)
	n.table = New(Options{Self: n.key, Directory: n, Limits: n.net.limits}, n.net.now)
	for o := range n.links {
		if o.table != nil {
			n.table.Up(o.id)
			o.table.Up(n.id)
		}
	}
}

// kill ends a relay; neighbours notice it only by told.
func (n *node) kill() { n.table = nil }

// noticed has the neighbours notice that a relay is gone.
func (n *node) noticed() {
	for o := range n.links {
		if o.table != nil {
			o.table.Down(PeerLeg(n.id), n.net.now)
			o.carryOut()
		}
	}
}

// Device implements Directory.
func (n *node) Device(_ Leg, f identity.Fingerprint, d wire.DeviceID) (session uint64, found, known bool) {
	for id, e := range n.sessions {
		if e.available && e.who.Fingerprint() == f {
			known = true
			if d == device {
				return id, true, true
			}
		}
	}
	return 0, false, known
}

// NextHops implements Directory: neighbours that lead to where the device is, whether they run or not, as
// tables are late.
func (n *node) NextHops(_ Leg, f identity.Fingerprint, _ wire.DeviceID, _ time.Time) (list []wire.RelayID) {
	far := make(map[wire.RelayID]int)
	for o := range n.links {
		if d := o.distance(f, map[*node]bool{n: true}); d < 100 {
			far[o.id] = d
			list = append(list, o.id)
		}
	}
	slices.SortFunc(list, func(a, b wire.RelayID) int { return cmp.Or(far[a]-far[b], a.Compare(b)) })
	return list
}

// Keep implements Directory.
func (n *node) Keep(_ Leg, f *wire.CallForward, _ time.Time) bool {
	if !n.keeps[f.Target] {
		return false
	}
	n.kept = append(n.kept, string(f.Offer))
	return true
}

// distance returns over how many links somebody is, without some relays.
func (n *node) distance(f identity.Fingerprint, but map[*node]bool) int {
	for _, e := range n.sessions {
		if e.available && e.who.Fingerprint() == f {
			return 0
		}
	}
	if n.keeps[f] {
		return 0
	}
	but = maps.Clone(but)
	but[n] = true
	best := 100
	for o := range n.links {
		if !but[o] {
			best = min(best, o.distance(f, but)+1)
		}
	}
	return best
}

// client opens a session.
func (n *node) client(seed byte, session uint64) *end {
	e := &end{node: n, session: session, who: identity.SeedFromBytes([32]byte{seed}).Identity()}
	n.sessions[session] = e
	n.table.Connect(session, e.who.Public(), budget.Group{Address: true, ID: uint64(seed) << 8})
	return e
}

func (e *end) leg() Leg { return SessionLeg(e.session) }

// gone ends the session.
func (e *end) gone() {
	delete(e.node.sessions, e.session)
	e.node.table.Down(e.leg(), e.node.net.now)
	e.node.carryOut()
}

// says gives the relay a message of the client.
func (e *end) says(kind wire.UrgentKind, m wire.UrgentMessage) {
	e.node.receive(e.leg(), kind, wire.Append(nil, m))
}

// forward has the client call somebody.
func (e *end) forward(seed wire.PathSeed, generation uint64, target identity.Fingerprint) wire.PathID {
	f := e.node.net.newForward(seed, generation, target)
	e.says(wire.UrgentCallForward, f)
	return f.Path()
}

func (net *network) newForward(seed wire.PathSeed, generation uint64,
	target identity.Fingerprint) *wire.CallForward {
	f := &wire.CallForward{Generation: generation, Expiry: uint64(net.now.Add(time.Minute).Unix()),
		Target: target, Device: device, Hops: wire.MaxHops, Offer: []byte("sealed")}
	f.Sign(seed)
	return f
}

// shows has the client show that it is an end of a path.
func (e *end) shows(seed wire.PathSeed, generation uint64) {
	p := &wire.CallProof{Generation: generation, Expiry: uint64(e.node.net.now.Add(time.Minute).Unix())}
	p.Sign(seed, e.node.key, e.who.Public())
	e.says(wire.UrgentCallMedia, &wire.CallMedia{Path: wire.PathIDOf(p.Key), Proof: p})
}

func (n *node) receive(from Leg, kind wire.UrgentKind, body []byte) {
	if n.table == nil || n.mute {
		return
	}
	n.table.Receive(from, kind, body, n.net.now)
	n.carryOut()
}

func (n *node) carryOut() {
	for _, e := range n.table.Drain() {
		switch e := e.(type) {
		case Send:
			n.send(e)
		case Media:
			if n.media[e.Path] = e.Legs; e.Legs == [2]Leg{} {
				delete(n.media, e.Path)
			}
		case Speaks:
			n.sessions[e.Session].speaks = e.Path
		case Event:
			n.events = append(n.events, e)
		case Problem:
			n.problems = append(n.problems, e.What)
		case Drop:
			n.drops++
		case Untold:
			f, err := wire.Parse[wire.CallForward](e.Offer)
			if err != nil {
				n.net.t.Error(err)
			}
			n.untold = append(n.untold, f.Path())
		}
	}
}

// send delivers a message after the link's delay and some more.
func (n *node) send(s Send) {
	net := n.net
	if s.To.Session != 0 {
		if e := n.sessions[s.To.Session]; e != nil {
			e.hears(s)
		}
		if boot := n.boot; s.Turn {
			net.later(max(net.delay, n.acks), func() {
				if n.table != nil && n.boot == boot {
					n.table.Taken(s.To.Session)
					n.carryOut()
				}
			})
		}
		return
	}
	to := net.byID(s.To.Peer)
	boot, own := to.boot, n.boot
	net.later(net.delay+time.Duration(net.number%7)*time.Millisecond, func() {
		if to.table == nil || to.boot != boot || n.boot != own { // a new link knows nothing of the old one's
			return
		}
		if s.Receipt != nil {
			net.later(net.delay, func() {
				if n.table != nil && n.boot == own {
					n.table.Acked(to.id, *s.Receipt)
				}
			})
		}
		to.receive(PeerLeg(n.id), s.Kind, s.Body)
	})
}

func (e *end) hears(s Send) {
	switch s.Kind {
	case wire.UrgentCallOffer:
		f, err := wire.Parse[wire.CallForward](s.Body)
		e.check(err)
		e.offers = append(e.offers, f)
	case wire.UrgentCallState:
		m, err := wire.Parse[wire.CallState](s.Body)
		e.check(err)
		e.states = append(e.states, m)
	case wire.UrgentCallMessage:
		m, err := wire.Parse[wire.CallMessage](s.Body)
		e.check(err)
		e.said = append(e.said, string(m.Body))
	case wire.UrgentCallEnd:
		m, err := wire.Parse[wire.CallEnd](s.Body)
		e.check(err)
		e.ends = append(e.ends, m)
	default:
		e.node.net.t.Errorf("a client is sent %v", s.Kind)
	}
}

func (e *end) check(err error) {
	if err != nil {
		e.node.net.t.Error(err)
	}
}

func (net *network) later(after time.Duration, do func()) {
	net.number++
	net.queue = append(net.queue, delivery{net.now.Add(after), net.number, do})
}

// run lets time pass.
func (net *network) run(d time.Duration) {
	end := net.now.Add(d)
	for {
		next := end
		for _, n := range net.nodes {
			if n.table == nil {
				continue
			}
			if at := n.table.Tick(net.now); !at.IsZero() && at.Before(next) {
				next = at
			}
			n.carryOut()
		}
		for _, q := range net.queue {
			if q.at.Before(next) {
				next = q.at
			}
		}
		if next.After(net.now) {
			net.now = next
		}
		due := slices.Clone(net.queue)
		due = slices.DeleteFunc(due, func(q delivery) bool { return q.at.After(net.now) })
		net.queue = slices.DeleteFunc(net.queue, func(q delivery) bool { return !q.at.After(net.now) })
		slices.SortFunc(due, func(a, b delivery) int { return cmp.Or(a.at.Compare(b.at), a.number-b.number) })
		for _, q := range due {
			q.do()
		}
		if len(due) == 0 && !net.now.Before(end) {
			return
		}
	}
}

// trace follows the media of a path from one session, and returns where it goes: "ABC" if it arrives at the
// other.
func (net *network) trace(from, to *end, id wire.PathID) string {
	at, in, names := from.node, from.leg(), ""
	for range 20 {
		names += at.name
		legs := at.media[id]
		var out Leg
		switch in {
		case legs[0]:
			out = legs[1]
		case legs[1]:
			out = legs[0]
		default:
			return names + "?"
		}
		if out.Session != 0 {
			if out == to.leg() && at == to.node {
				return names
			}
			return names + "!"
		}
		next := net.byID(out.Peer)
		if next == nil || next.table == nil {
			return names + "x"
		}
		at, in = next, PeerLeg(at.id)
	}
	return names + "..."
}

// connected checks that media of a path goes both ways.
func (net *network) connected(a, b *end, id wire.PathID, want string) {
	net.t.Helper()
	back := []byte(want)
	slices.Reverse(back)
	if there, here := net.trace(a, b, id), net.trace(b, a, id); there != want || here != string(back) {
		net.t.Errorf("media goes by %s and back by %s, want %s", there, here, want)
	}
}

// empty checks that relays know nothing of any path.
func (net *network) empty(what string) {
	net.t.Helper()
	for _, n := range net.nodes {
		if n.table == nil {
			continue
		}
		t := n.table
		held := len(t.held) + t.shares.Total() + t.waits.Total()
		if len(t.paths)+len(t.pending)+len(t.waiting)+held+t.open+len(n.media) != 0 {
			net.t.Errorf("%s: %s knows %d paths, %d attempts, %d that wait, %d media", what, n.name,
				len(t.paths), len(t.pending), len(t.waiting), len(n.media))
		}
		for _, c := range t.clients {
			if c.early.busy || len(c.early.served) != 0 {
				net.t.Errorf("%s: at %s something is under way to a client", what, n.name)
			}
			if len(c.paths)+len(c.waits)+c.caller.paths+len(c.caller.callees)+c.caller.waiting != 0 {
				net.t.Errorf("%s: %s counts something of a client", what, n.name)
			}
		}
	}
}

// codes are what a client was told.
func (e *end) codes() string {
	var list []string
	for _, s := range e.states {
		list = append(list, fmt.Sprint(s.Generation, " ", s.Code))
	}
	return strings.Join(list, ", ")
}

func (e *end) reasons() string {
	var list []string
	for _, s := range e.ends {
		list = append(list, fmt.Sprint(s.Generation, " ", s.Reason))
	}
	return strings.Join(list, ", ")
}
