package callpath

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/internal/wire"
)

func seedOf(n int) (s wire.PathSeed) {
	binary.BigEndian.PutUint64(s[:], uint64(n)+1)
	return s
}

// TestThirdParty: who is no leg of a path ends, moves and hears nothing, and says nothing in it; be it a
// stranger, another peer, or another client, that knows all there is to know of the path but its seed.
func TestThirdParty(t *testing.T) {
	net := newNetwork(t, 5, ring)
	caller, called, seed, id := net.call(0, 2) // ABC
	spy := net.nodes[2].client(3, 33)
	legs := []Leg{PeerLeg(net.nodes[3].id), spy.leg(), PeerLeg(wire.RelayID{9}), SessionLeg(99), {}}
	forged := net.newForward(seed, 1, called.who.Fingerprint())
	forged.Generation = 2
	for _, from := range legs {
		for kind, m := range map[wire.UrgentKind]wire.UrgentMessage{
			wire.UrgentSessionEnd:     &wire.CallEnd{Path: id, Generation: 1},
			wire.UrgentCallEnd:        &wire.CallEnd{Path: id, Generation: 1},
			wire.UrgentSessionAnswer:  &wire.CallState{Path: id, Generation: 1, Code: wire.CallFailed},
			wire.UrgentSessionMessage: &wire.CallMessage{Path: id, Body: []byte("spy")},
			wire.UrgentCallMessage:    &wire.CallMessage{Path: id, Body: []byte("spy")},
			wire.UrgentCallMedia:      &wire.CallMedia{Path: id},
		} {
			net.nodes[2].receive(from, kind, wire.Append(nil, m))
		}
		f := *forged
		f.Source = from.Peer
		net.nodes[2].receive(from, wire.UrgentSessionForward, wire.Append(nil, &f))
	}
	spy.shows(wire.PathSeed{8}, 7) // of another path
	// A leg with another generation than the path's is none.
	called.says(wire.UrgentCallEnd, &wire.CallEnd{Path: id, Generation: 2})
	net.run(time.Second)
	net.connected(caller, called, id, "ABC")
	if len(caller.said)+len(called.said)+len(caller.ends)+len(called.ends) != 0 {
		t.Errorf("%q %q %q %q", caller.said, called.said, caller.reasons(), called.reasons())
	}
	if n := len(net.nodes[2].problems); n < 8 {
		t.Errorf("%d problems are named: %q", n, net.nodes[2].problems)
	}
}

// TestReplays: what was signed for one generation serves no other, and what is over stays over.
func TestReplays(t *testing.T) {
	net := newNetwork(t, 5, ring)
	caller, called, seed, id := net.call(0, 2) // ABC
	called.message(id, "here")                 // or the way that it came by counts as one that swallows
	net.run(time.Second)
	first := net.newForward(seed, 1, called.who.Fingerprint())
	caller.forward(seed, 2, called.who.Fingerprint())
	net.run(time.Second)
	second := net.newForward(seed, 2, called.who.Fingerprint())
	// D, which was not on the way, has both.
	d := net.nodes[3]
	for _, f := range []*wire.CallForward{first, second} {
		f.Source = d.id
		net.nodes[2].receive(PeerLeg(d.id), wire.UrgentSessionForward, wire.Append(nil, f))
	}
	net.run(time.Second)
	net.connected(caller, called, id, "ABC")
	var codes []wire.CallCode
	for _, e := range net.nodes[2].events {
		if e.What == Refused {
			codes = append(codes, e.Code)
		}
	}
	if !slices.Equal(codes, []wire.CallCode{wire.CallStale, wire.CallLoop}) {
		t.Errorf("refused with %v", codes)
	}
	// The same from the same leg is answered as before, and nothing is offered again.
	caller.forward(seed, 2, called.who.Fingerprint())
	net.run(time.Second)
	if caller.codes() != "1 set up, 2 set up, 2 set up" || len(called.offers) != 1 {
		t.Errorf("told %q, %d offers", caller.codes(), len(called.offers))
	}
	caller.says(wire.UrgentCallEnd, &wire.CallEnd{Path: id, Generation: 2})
	net.run(time.Second)
	for _, from := range []*node{net.nodes[1], d} {
		net.nodes[2].receive(PeerLeg(from.id), wire.UrgentSessionAnswer,
			wire.Append(nil, &wire.CallState{Path: id, Generation: 2}))
		net.nodes[2].receive(PeerLeg(from.id), wire.UrgentSessionEnd,
			wire.Append(nil, &wire.CallEnd{Path: id, Generation: 2}))
	}
	net.empty("after replays of what is over")
}

// TestSameBeginning: of two paths whose ids begin alike, which frames could not tell apart, there is one.
func TestSameBeginning(t *testing.T) {
	net := newNetwork(t, 2, "AB")
	caller, called, _, id := net.call(0, 1)
	other := id
	other[15]++
	a := net.nodes[0].table
	a.paths[id.Room()].id = other // as if that one had been there first
	caller.states = nil
	caller.forward(wire.PathSeed{7}, 2, called.who.Fingerprint())
	if caller.codes() != "2 too many" {
		t.Errorf("told %q", caller.codes())
	}
	if a.find(id) != nil || a.find(other) == nil {
		t.Error("the one that was there is not there alone")
	}
}

// TestClientLimits: ten calls a minute, eight paths to one that is called, sixteen at once; others are not
// concerned.
func TestClientLimits(t *testing.T) {
	net := newNetwork(t, 1, "")
	caller, called := net.nodes[0].client(1, 11), net.nodes[0].client(2, 22)
	called.available = true
	for i := range 2 * maxToOne {
		caller.forward(seedOf(i), 1, called.who.Fingerprint())
	}
	count := func(e *end, code wire.CallCode) (n int) {
		for _, s := range e.states {
			if s.Code == code {
				n++
			}
		}
		return n
	}
	set, many := count(caller, wire.CallSetUp), count(caller, wire.CallTooMany)
	if set != maxToOne || many != maxToOne {
		t.Errorf("%d are set up, %d too many", set, many)
	}
	for i := range 20 { // each to another
		to := net.nodes[0].client(byte(30+i), uint64(300+i))
		to.available = true
		caller.forward(seedOf(100+i), 1, to.who.Fingerprint())
	}
	if set := count(caller, wire.CallSetUp); set != maxOwn {
		t.Errorf("%d are set up at once", set)
	}
	// A second session of the same identity gets no more, somebody else does.
	again, other := net.nodes[0].client(1, 12), net.nodes[0].client(9, 99)
	again.forward(seedOf(500), 1, called.who.Fingerprint())
	other.forward(seedOf(501), 1, called.who.Fingerprint())
	if again.codes() != "1 too many" || other.codes() != "1 set up" {
		t.Errorf("told %q and %q", again.codes(), other.codes())
	}
	caller.gone()
	again.gone()

	// Calls that end at once count, too.
	fast := net.nodes[0].client(5, 55)
	for i := range 30 {
		id := fast.forward(seedOf(600+i), 1, called.who.Fingerprint())
		fast.says(wire.UrgentCallEnd, &wire.CallEnd{Path: id, Generation: 1})
	}
	if set := count(fast, wire.CallSetUp); set != 10 {
		t.Errorf("%d calls in a moment", set)
	}
	net.run(time.Minute)
	fast.states = nil
	for i := range 30 {
		id := fast.forward(seedOf(700+i), 1, called.who.Fingerprint())
		fast.says(wire.UrgentCallEnd, &wire.CallEnd{Path: id, Generation: 1})
	}
	if set := count(fast, wire.CallSetUp); set != 10 {
		t.Errorf("%d calls in the next minute", set)
	}
}

// TestComesBack: an identity whose session is over and that comes back calls no more often than one that
// stays, also when thousands of others come and go. Who may do all again is forgotten.
func TestComesBack(t *testing.T) {
	net := newNetwork(t, 1, "")
	a := net.nodes[0]
	called := a.client(2, 22)
	called.available = true
	sessions, calls := uint64(1000), 0
	comes := func(seed byte, n int) (set int) {
		sessions++
		e := a.client(seed, sessions)
		for range n {
			calls++
			id := e.forward(seedOf(calls), 1, called.who.Fingerprint())
			e.says(wire.UrgentCallEnd, &wire.CallEnd{Path: id, Generation: 1})
		}
		for _, s := range e.states {
			if s.Code == wire.CallSetUp {
				set++
			}
		}
		e.gone()
		return set
	}
	if n := comes(5, 30); n != 10 {
		t.Errorf("%d calls in a moment", n)
	}
	if n := comes(5, 30); n != 0 {
		t.Errorf("%d calls after it came back", n)
	}
	for i := range 2 * maxSpent { // of one network, each with an identity of its own
		c := &caller{key: identity.PublicKey{1, byte(i), byte(i >> 8)}}
		c.calls.Take(callSeconds, 1, callsBurst, a.table.clock(net.now))
		a.table.callers[c.key] = c
		a.table.goes(c, holder{group: budget.Group{ID: 0xc000_0200}}, a.table.clock(net.now))
	}
	if n := a.table.spent.places.Total(); n != maxSpent || len(a.table.callers) != maxSpent+1 {
		t.Errorf("%d are remembered, of %d callers", n, len(a.table.callers))
	}
	if n := comes(5, 1); n != 0 {
		t.Error("it is nobody new by those who came after it")
	}
	net.run(callSeconds * time.Second)
	if n := comes(5, 30); n != 1 {
		t.Errorf("%d calls after 6 s", n)
	}
	net.run(2 * time.Minute)
	if n := len(a.table.callers); n != 1 {
		t.Errorf("%d callers are left", n)
	}
}

// TestWaitingIsShared: who waits takes few places, and a customer with many addresses gives way to others.
func TestWaitingIsShared(t *testing.T) {
	net := newNetwork(t, 1, "")
	net.limits = Limits{Waiting: 64}
	a := net.nodes[0]
	a.start()
	for i := range 20 { // of two networks of a /48
		e := a.client(byte(i+1), uint64(i+1))
		network := 0x2001_0db8_0000_0000 + uint64(i/10)
		a.table.clients[e.session].group = budget.Group{Address: true, ID: network}
		for j := range 6 {
			e.shows(seedOf(100*i+j), 1)
		}
		if n := a.table.clients[e.session].caller.waiting; n > maxWaiting || i == 0 && n != maxWaiting {
			t.Errorf("%d legs of an identity wait", n)
		}
	}
	if n := len(a.table.waiting); n != 64 {
		t.Errorf("%d legs wait", n)
	}
	for i := range 8 {
		other := a.client(byte(50+i), uint64(50+i))
		for j := range 6 {
			other.shows(seedOf(5000+10*i+j), 1)
		}
		if n := a.table.clients[other.session].caller.waiting; n != maxWaiting {
			t.Errorf("%d legs of another one wait", n)
		}
	}
	if n := len(a.table.waiting); n != 64 {
		t.Errorf("%d legs wait", n)
	}
	net.run(2 * waitFor)
	net.empty("after nobody came")
}

// TestFailedMayComeAgain: a path that a relay broke is no new call when it comes again, as often as the rate
// of forwards lets it; one that its ends ended is.
func TestFailedMayComeAgain(t *testing.T) {
	net := newNetwork(t, 3, "AB BC")
	caller, called, seed, _ := net.call(0, 2)
	for i := range uint64(30) {
		net.nodes[1].noticed()
		net.nodes[1].start()
		net.run(100 * time.Millisecond)
		caller.states = nil
		id := caller.forward(seed, i+2, called.who.Fingerprint())
		net.run(100 * time.Millisecond)
		if len(caller.states) != 1 || caller.states[0].Code != wire.CallSetUp {
			t.Fatalf("try %d: told %q", i, caller.codes())
		}
		net.connected(caller, called, id, "ABC")
	}
}

// TestMillionForwards: a peer sends a million forwards in 100 s, each of another path. The table stays small,
// the peer is refused, and callers of others are served as before.
func TestMillionForwards(t *testing.T) {
	net := newNetwork(t, 4, "AB BC DB")
	net.limits = Limits{Paths: 2000, Forwards: 20}
	b := net.nodes[1]
	b.start()
	d, victim := net.nodes[3], net.nodes[2].client(2, 22)
	victim.available = true
	seed := seedOf(0)
	f := net.newForward(seed, 1, victim.who.Fingerprint())
	f.Source = d.id
	body := wire.Append(nil, f)
	random := rand.New(rand.NewPCG(1, 2))
	served, most := 0, 0
	for second := range 100 {
		for i := range 10_000 {
			// Most are not signed, for that takes the test long; the relay finds out by the same work.
			if i%1000 == 0 {
				f = net.newForward(seedOf(second*10_000+i), 1, victim.who.Fingerprint())
				f.Source = d.id
				body = wire.Append(body[:0], f)
			} else {
				binary.BigEndian.PutUint64(body, random.Uint64())
			}
			b.table.Receive(PeerLeg(d.id), wire.UrgentSessionForward, body, net.now)
			b.table.Drain() // nobody answers
			most = max(most, len(b.table.paths))
			net.now = net.now.Add(100 * time.Microsecond)
		}
		b.table.Tick(net.now)
		if second%10 != 5 {
			continue
		}
		for _, n := range net.nodes {
			n.events = nil
		}
		caller := net.nodes[0].client(byte(100+second), uint64(100+second))
		id := caller.forward(seedOf(-second-2), 1, victim.who.Fingerprint())
		net.run(300 * time.Millisecond)
		if caller.codes() == "1 set up" {
			served++
		}
		caller.says(wire.UrgentCallEnd, &wire.CallEnd{Path: id, Generation: 1})
		victim.offers = nil
	}
	if served != 10 {
		t.Errorf("%d of 10 others were served", served)
	}
	if most > net.limits.Paths {
		t.Errorf("%d paths at once", most)
	}
	net.run(time.Minute)
	net.empty("after the flood")
}

// TestPlacesAreShared: when all places are taken by who comes by one peer, callers here and by another get
// theirs.
func TestPlacesAreShared(t *testing.T) {
	net := newNetwork(t, 4, "AB BC DB")
	net.limits.Paths = 60
	b := net.nodes[1]
	b.start()
	victims := make([]*end, 20)
	for i := range victims {
		victims[i] = net.nodes[2].client(byte(20+i), uint64(20+i))
		victims[i].available = true
	}
	d := net.nodes[3]
	flood := func(n int) {
		for i := range n {
			f := net.newForward(seedOf(i), 1, victims[i%len(victims)].who.Fingerprint())
			f.Source = d.id
			b.receive(PeerLeg(d.id), wire.UrgentSessionForward, wire.Append(nil, f))
			if i%100 == 0 {
				net.run(500 * time.Millisecond)
			}
		}
	}
	flood(100)
	for i := range 10 {
		from := []*node{net.nodes[0], b}[i%2]
		caller := from.client(byte(100+i), uint64(100+i))
		caller.forward(seedOf(5000+i), 1, victims[i].who.Fingerprint())
		net.run(200 * time.Millisecond)
		if caller.codes() != "1 set up" {
			t.Errorf("caller %d was told %q", i, caller.codes())
		}
		flood(20)
		if len(caller.ends) != 0 {
			t.Errorf("caller %d was told %q", i, caller.reasons())
		}
	}
}

// TestNothingGoesRound: where nobody is, a forward goes over each link a few times at most, not in circles.
func TestNothingGoesRound(t *testing.T) {
	net := newNetwork(t, 6, "AB AC AD AE AF BC BD BE BF CD CE CF DE DF EF")
	called := net.nodes[5].client(2, 22)
	called.available = true
	for _, n := range net.nodes[:5] {
		n.table.directory = misled{n} // all believe that all others lead there
	}
	net.nodes[5].table.limits.Paths = -1 // and where it is, there is no place
	caller := net.nodes[0].client(1, 11)
	caller.forward(wire.PathSeed{1}, 1, called.who.Fingerprint())
	net.run(20 * time.Second)
	forwards := 0
	for _, n := range net.nodes {
		for _, e := range n.events {
			if e.What == Forwarded {
				forwards++
			}
		}
	}
	if forwards > 5*maxTries || len(caller.states) != 1 {
		t.Errorf("%d forwards, the caller was told %q", forwards, caller.codes())
	}
	net.empty("after nobody was found")
}

// misled is a directory for which every neighbour leads to everybody.
type misled struct{ *node }

func (m misled) NextHops(Leg, identity.Fingerprint, wire.DeviceID, time.Time) (list []wire.RelayID) {
	for o := range m.links {
		list = append(list, o.id)
	}
	return list
}

// TestRandom: relays are killed and return, links end, callers move and hang up at random. Then, when all
// calls are over, nothing is left, and nothing was sent that cannot be read.
func TestRandom(t *testing.T) {
	for seed := range uint64(12) {
		random := rand.New(rand.NewPCG(seed, 5))
		net := newNetwork(t, 5, []string{chain, ring, "AB BC CD DE EA AC BD"}[random.IntN(3)])
		next, generation := uint64(1000), uint64(0)
		for range 300 {
			n := net.nodes[random.IntN(5)]
			switch step := random.IntN(12); {
			case n.table == nil:
				if step < 6 {
					n.start()
				}
			case step == 0:
				if n.kill(); random.IntN(2) == 0 {
					n.noticed()
				}
			case step < 4 || len(n.sessions) == 0:
				next++
				n.client(byte(1+random.IntN(6)), next).available = random.IntN(2) == 0
			default:
				var keys []uint64
				for id := range n.sessions {
					keys = append(keys, id)
				}
				slices.Sort(keys)
				e := n.sessions[keys[random.IntN(len(keys))]]
				s := seedOf(random.IntN(8))
				id := wire.PathIDOf(s.Key())
				switch {
				case step < 7:
					to := identity.SeedFromBytes([32]byte{byte(1 + random.IntN(6))}).Identity()
					generation++
					e.forward(s, generation, to.Fingerprint())
				case step == 7:
					e.shows(s, 1+random.Uint64N(generation+1))
				case step == 8:
					any := 1 + random.Uint64N(generation+1)
					e.says(wire.UrgentCallEnd, &wire.CallEnd{Path: id, Generation: any})
				case step == 9:
					e.gone()
				default:
					e.says(wire.UrgentCallMessage, &wire.CallMessage{Path: id, Body: []byte("x")})
				}
			}
			net.run(time.Duration(random.IntN(400)) * time.Millisecond)
		}
		for _, n := range net.nodes {
			if n.table == nil {
				n.start()
			} else {
				n.noticed()
				n.start()
			}
		}
		net.run(3 * time.Minute)
		net.empty("after all")
	}
}

// heapNow returns how many bytes are in use.
func heapNow() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestMemory: a path costs a relay at most 1 KB, open or while it is set up with an offer as a client makes
// it, each of another client or of a peer.
func TestMemory(t *testing.T) {
	const n = 1000
	for _, tc := range []struct {
		name  string
		open  bool
		local bool
	}{{"transit, open", true, false}, {"transit, set up", false, false}, {"of clients, open", true, true}} {
		net := newNetwork(t, 3, "AB BC")
		b := net.nodes[1]
		b.table = New(Options{Self: b.key, Directory: b, Limits: Limits{Forwards: 1e6}}, net.now)
		a, c := net.nodes[0], net.nodes[2]
		b.table.Up(a.id)
		b.table.Up(c.id)
		called := c.client(2, 22)
		called.available = true
		bodies, from := make([][]byte, n), make([]Leg, n)
		ids := make([]wire.PathID, n)
		for i := range n {
			f := &wire.CallForward{Generation: 1, Target: called.who.Fingerprint(), Device: device,
				Expiry: uint64(net.now.Unix()), Hops: wire.MaxHops, Offer: make([]byte, 400)}
			f.Sign(seedOf(i))
			ids[i] = f.Path()
			if from[i] = PeerLeg(a.id); tc.local {
				from[i] = SessionLeg(uint64(i + 1))
				who := identity.PublicKey{1}
				binary.BigEndian.PutUint64(who[8:], uint64(i))
				b.table.Connect(uint64(i+1), who, budget.Group{Address: true, ID: uint64(i / 4)})
			} else {
				f.Source = a.id
			}
			bodies[i] = wire.Append(nil, f)
		}
		before := heapNow()
		for i, body := range bodies {
			b.table.Receive(from[i], wire.UrgentSessionForward, body, net.now)
			if tc.open {
				b.table.Receive(PeerLeg(c.id), wire.UrgentSessionAnswer,
					wire.Append(nil, &wire.CallState{Path: ids[i], Generation: 1}), net.now)
			}
			b.table.Drain()
		}
		each := (heapNow() - before) / n
		if len(b.table.paths) != n || tc.open != (b.table.open == n) {
			t.Fatalf("%s: %d paths, %d open", tc.name, len(b.table.paths), b.table.open)
		}
		t.Logf("%s: %d bytes a path", tc.name, each)
		if each > 1024 {
			t.Errorf("%s: %d bytes a path", tc.name, each)
		}
		runtime.KeepAlive(bodies)
	}
}

// BenchmarkForward is what a transit relay does for a path: forward, answer, end. 60 µs of it are the
// signature.
func BenchmarkForward(b *testing.B) {
	net := newNetwork(b, 3, "AB BC")
	n := net.nodes[1]
	n.table = New(Options{Self: n.key, Directory: n, Limits: Limits{Forwards: 1e9}}, net.now)
	from, to := net.nodes[0].id, net.nodes[2].id
	n.table.Up(from)
	n.table.Up(to)
	called := net.nodes[2].client(2, 22)
	called.available = true
	f := net.newForward(seedOf(1), 1, called.who.Fingerprint())
	f.Source = from
	forward := wire.Append(nil, f)
	answer := wire.Append(nil, &wire.CallState{Path: f.Path(), Generation: 1})
	end := wire.Append(nil, &wire.CallEnd{Path: f.Path(), Generation: 1})
	b.ReportAllocs()
	for b.Loop() {
		n.table.Receive(PeerLeg(from), wire.UrgentSessionForward, forward, net.now)
		n.table.Receive(PeerLeg(to), wire.UrgentSessionAnswer, answer, net.now)
		n.table.Receive(PeerLeg(from), wire.UrgentSessionEnd, end, net.now)
		n.table.Drain()
	}
}

// BenchmarkUnanswered is what a forward costs that nobody answers, when so many come in a second.
func BenchmarkUnanswered(b *testing.B) {
	for _, rate := range []int{30, 300, 3000} {
		b.Run(fmt.Sprintf("%d a second", rate), func(b *testing.B) {
			net := newNetwork(b, 3, "AB BC")
			n := net.nodes[1]
			n.table = New(Options{Self: n.key, Directory: n, Limits: Limits{Forwards: 1e9}}, net.now)
			from := net.nodes[0].id
			n.table.Up(from)
			n.table.Up(net.nodes[2].id)
			called := net.nodes[2].client(2, 22)
			called.available = true
			forwards := make([][]byte, 20*rate) // so many seconds later each is forgotten
			for i := range forwards {
				f := net.newForward(seedOf(i), 1, called.who.Fingerprint())
				f.Source, f.Expiry = from, uint64(net.now.Unix()+60)
				f.Sign(seedOf(i))
				forwards[i] = wire.Append(nil, f)
			}
			start, i := net.now, 0
			for b.Loop() {
				n.table.Receive(PeerLeg(from), wire.UrgentSessionForward, forwards[i%len(forwards)], net.now)
				n.table.Drain()
				at := start.Add(time.Duration(i%len(forwards)+1) * time.Second / time.Duration(rate))
				if i++; i%len(forwards) == 0 { // all that was due, and the same again
					n.table.Tick(at.Add(time.Minute))
					n.table = New(Options{Self: n.key, Directory: n, Limits: Limits{Forwards: 1e9}}, start)
					n.table.Up(from)
					n.table.Up(net.nodes[2].id)
					at = start
				}
				for due := n.table.Tick(net.now); !due.IsZero() && !due.After(at); due = n.table.Tick(due) {
					n.table.Drain()
				}
				net.now = at
			}
		})
	}
}

// TestSwallowed: relays that say that a path is set up, and drop what comes, are passed by: the next
// generation goes by another way, be the call a new one or one that is up.
func TestSwallowed(t *testing.T) {
	for _, up := range []bool{false, true} {
		net := newNetwork(t, 5, "AB BC AE EC AD DC")
		caller, called := net.nodes[0].client(1, 11), net.nodes[2].client(2, 22)
		called.available = true
		id, generation := wire.PathID{}, uint64(0)
		forward := func() {
			generation++
			id = caller.forward(seedOf(1), generation, called.who.Fingerprint())
			net.run(20 * time.Millisecond)
			for _, n := range net.nodes {
				if a := net.nodes[0]; n.mute {
					a.receive(PeerLeg(n.id), wire.UrgentSessionAnswer,
						wire.Append(nil, &wire.CallState{Path: id, Generation: generation}))
				}
			}
			net.run(3 * time.Second)
		}
		if up {
			forward()
			called.message(id, "here")
			net.run(time.Second)
		}
		best := net.byID(net.nodes[0].NextHops(Leg{}, called.who.Fingerprint(), device, net.now)[0])
		other := net.byID(net.nodes[0].NextHops(Leg{}, called.who.Fingerprint(), device, net.now)[1])
		best.mute, other.mute = true, true
		for range 4 {
			forward()
			called.message(id, "here")
			net.run(time.Second)
		}
		if len(called.offers) != 1 || len(caller.said) == 0 {
			t.Errorf("up %v: told %q, %d offers", up, caller.codes(), len(called.offers))
		}
		for _, n := range net.nodes[1:] {
			if n != best && n != other && n != net.nodes[2] {
				net.connected(caller, called, id, "A"+n.name+"C")
			}
		}
	}
}
