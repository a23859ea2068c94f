package signalling

import (
	"bytes"
	"container/heap"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/callpath"
	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/wire"
)

// world is some people with one line each, and relays between them that do with paths what section 13 of
// docs/protocol.md says, in virtual time. What a client and its relay tell each other arrives late and in any
// order; what crosses a path that is cut is lost.
type world struct {
	t       *testing.T
	rng     *rand.Rand
	now     time.Time
	queue   events
	serial  int
	delay   time.Duration // one way, from end to end
	jitter  time.Duration // and up to so much more
	loss    float64       // of packets: urgent messages are repeated every 100 ms until one arrives
	people  []*person
	routes  map[wire.PathID]*route
	swallow int                        // so many forwards are set up by a relay that passes nothing on
	tap     func(from *person, s Send) // sees what goes to relays
}

type person struct {
	w       *world
	name    string
	id      *identity.Identity
	stay    *e2ee.StayKey
	line    *Line
	known   map[identity.PublicKey]bool
	away    bool          // nobody finds it
	offline bool          // it has no session
	refused wire.CallCode // what its relay answers all its forwards, if not 0
	talks   bool          // it sends media whenever it may
	keeps   bool          // and then its relay keeps offers for it
	kept    []wire.KeptCall
	to      *Media
	sent    int // media frames
	heard   int
	session int
	got     []Effect // but for sends
	sends   map[wire.UrgentKind]int
	relay   identity.PublicKey
	due     time.Time // when the line is ticked
	ticks   int       // so often it was

	node *node  // its relay, in a mesh
	at   uint64 // its session there
}

// route is a path at the relays.
type route struct {
	generation     uint64
	caller, called *person
	sessions       [2]int // of both, by which the path goes
	cut            bool
	waits          bool // the called's leg waits for a generation
	used           time.Time
}

type event struct {
	at     time.Time
	serial int
	do     func()
}

type events []event

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || q[i].at.Equal(q[j].at) && q[i].serial < q[j].serial
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *events) Push(x any)   { *q = append(*q, x.(event)) }
func (q *events) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

var epoch = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

func testIdentity(name string) *identity.Identity {
	return identity.SeedFromBytes(sha256.Sum256([]byte("wzp test identity " + name))).Identity()
}

func newWorld(t *testing.T, seed uint64, names ...string) *world {
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 1)), now: epoch, delay: 50 * time.Millisecond,
		routes: map[wire.PathID]*route{}}
	for _, name := range names {
		w.add(name, testIdentity(name))
	}
	for _, p := range w.people {
		for _, q := range w.people {
			p.known[q.id.Public()] = p != q
		}
	}
	return w
}

// add adds somebody, or one more device.
func (w *world) add(name string, id *identity.Identity) *person {
	stay, err := e2ee.NewStayKey()
	if err != nil {
		w.t.Fatal(err)
	}
	p := &person{w: w, name: name, id: id, stay: stay, known: map[identity.PublicKey]bool{},
		sends: map[wire.UrgentKind]int{}, relay: testIdentity("relay of " + name).Public()}
	p.line = New(Config{Identity: id, Name: name, StayKey: stay,
		Known: func(k identity.PublicKey) bool { return p.known[k] }})
	w.people = append(w.people, p)
	p.do(func() { p.line.SessionFresh(p.relay, w.now) })
	return p
}

func (p *person) device() wire.DeviceID { return (&wire.Reach{StayKey: p.stay.Public()}).Device() }

func (w *world) person(name string) *person {
	i := slices.IndexFunc(w.people, func(p *person) bool { return p.name == name })
	return w.people[i]
}

func (w *world) at(d time.Duration, do func()) {
	w.serial++
	heap.Push(&w.queue, event{w.now.Add(d), w.serial, do})
}

// run lets time pass.
func (w *world) run(d time.Duration) {
	end := w.now.Add(d)
	for len(w.queue) > 0 && !w.queue[0].at.After(end) {
		e := heap.Pop(&w.queue).(event)
		w.now = e.at
		e.do()
	}
	w.now = end
}

// until lets time pass until ok, at most a minute and a half.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	for range 9000 {
		if ok() {
			return
		}
		w.run(10 * time.Millisecond)
	}
	w.t.Fatalf("never: %s%s", what, w.log())
}

// log is what everybody was told.
func (w *world) log() (s string) {
	for _, p := range w.people {
		s += fmt.Sprintf("\n%s (%d calls):", p.name, len(p.line.calls))
		for _, e := range p.got {
			s += fmt.Sprintf(" %T", e)
			switch e := e.(type) {
			case Ended:
				s += " " + e.Outcome.String()
			case Refused:
				s += " " + e.Why.Error()
			}
		}
	}
	return s
}

// latency is how long something is on its way.
func (w *world) latency() time.Duration {
	d := w.delay + time.Duration(w.rng.Int64N(int64(w.jitter)+1))
	for w.rng.Float64() < w.loss {
		d += 100 * time.Millisecond
	}
	return d
}

// do does something with p's line, and what follows.
func (p *person) do(f func()) {
	f()
	p.tick()
}

// tick is what whoever owns a line does: it calls Tick after every input, and when that wants it.
func (p *person) tick() {
	next := p.line.Tick(p.w.now)
	for _, e := range p.line.Drain() {
		p.effect(e)
	}
	if next.IsZero() || !p.due.IsZero() && !next.Before(p.due) {
		return
	}
	p.due = next
	p.w.at(next.Sub(p.w.now), func() {
		if p.due.Equal(next) {
			p.due = time.Time{}
			p.ticks++
			p.tick()
		}
	})
}

func (p *person) effect(e Effect) {
	if s, ok := e.(Send); ok {
		p.sends[s.Kind]++
		if p.w.tap != nil {
			p.w.tap(p, s)
		}
		p.send(s)
		return
	}
	p.got = append(p.got, e)
	if m, ok := e.(Media); ok {
		p.to = &m
		if m.On && p.talks {
			p.speak(m.Path)
		}
	}
}

// speak sends a frame each 100 ms for as long as it may.
func (p *person) speak(path wire.PathID) {
	if p.to == nil || !p.to.On || p.to.Path != path || !p.talks {
		return
	}
	p.sent++
	p.do(func() { p.line.MediaSent(path, p.w.now) })
	if n, at := p.node, p.at; n != nil && !p.offline {
		p.w.at(p.w.latency(), func() {
			if n.speaks[at] == path {
				n.frame(callpath.SessionLeg(at), path)
			}
		})
	} else if r := p.w.routes[path]; r != nil && !p.offline {
		p.w.cross(r, p, func(other *person) {
			other.heard++
			other.line.MediaHeard(path, p.w.now)
		})
	}
	p.w.at(100*time.Millisecond, func() { p.speak(path) })
}

// cross brings something to the other end of a path, if that stands when it arrives.
func (w *world) cross(r *route, from *person, arrive func(other *person)) {
	to := r.called
	if from == r.called {
		to = r.caller
	}
	session, generation := to.session, r.generation
	r.used = w.now
	if !r.stands(from) || !r.stands(to) {
		return
	}
	w.at(w.latency(), func() {
		if r.stands(to) && to.session == session && r.generation >= generation && !to.offline {
			to.do(func() { arrive(to) })
		}
	})
}

// stands reports whether the path goes by p's session of now.
func (r *route) stands(p *person) bool {
	end := 0
	if p == r.called {
		end = 1
	}
	return !r.cut && r.sessions[end] == p.session
}

// tell brings an urgent message to p, if its session is still the one of now.
func (p *person) tell(f func()) {
	session := p.session
	p.w.at(p.w.latency(), func() {
		if p.session == session && !p.offline {
			p.do(f)
		}
	})
}

// send is p's relay.
func (p *person) send(s Send) {
	w := p.w
	if p.offline {
		return
	}
	if p.node != nil && s.Kind != wire.UrgentRouteWanted {
		n, at := p.node, p.at
		w.at(w.latency(), func() { n.receive(callpath.SessionLeg(at), s.Kind, s.Body) })
		return
	}
	switch s.Kind {
	case wire.UrgentRouteWanted:
		p.route(must(wire.Parse[wire.RouteWanted](s.Body)))
	case wire.UrgentKeptWanted:
		p.wantKept(must(wire.Parse[wire.KeptWanted](s.Body)))
	case wire.UrgentCallForward:
		p.forward(must(wire.Parse[wire.CallForward](s.Body)))
	case wire.UrgentCallMessage:
		m := must(wire.Parse[wire.CallMessage](s.Body))
		if r := w.routes[m.Path]; r != nil && (p == r.caller || p == r.called) {
			w.cross(r, p, func(other *person) { other.line.MessageCame(m, w.now) })
		}
	case wire.UrgentCallMedia:
		m := must(wire.Parse[wire.CallMedia](s.Body))
		r := w.routes[m.Path]
		if m.Proof != nil && r != nil && r.called == p {
			if !m.Verify(p.relay, p.id.Public()) {
				w.t.Error("a proof does not verify")
			}
			r.waits = true
		}
	case wire.UrgentCallEnd:
		m := must(wire.Parse[wire.CallEnd](s.Body))
		r := w.routes[m.Path]
		if r == nil || m.Generation < r.generation {
			return
		}
		other := r.caller
		if p == r.caller {
			other = r.called
		}
		if r.stands(p) && r.stands(other) {
			other.tell(func() { other.line.EndCame(m, w.now) })
		}
		w.at(0, func() { r.cut = true })
		if r.generation == m.Generation {
			w.at(w.delay+w.jitter, func() { delete(w.routes, m.Path) })
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (p *person) route(m wire.RouteWanted) {
	w := p.w
	var there []*person
	for _, q := range w.people {
		if q.id.Fingerprint() == m.Target && !q.away && !q.offline {
			there = append(there, q)
		}
	}
	if len(there) == 0 {
		answer := wire.Route{Target: m.Target}
		for _, q := range w.people {
			if q.id.Fingerprint() == m.Target && q.keeps {
				record := wire.SignReach(q.id, wire.Reach{StayKey: q.stay.Public(), HomeRelay: q.relay,
					Sequence: uint64(w.now.UnixMilli()), Expiry: w.now.Add(-time.Hour).Unix(), Keep: true})
				answer.Located = wire.Located{Found: wire.FoundAway, Of: 1, Chain: []wire.RelayID{{1}},
					Record: record}
			}
		}
		p.tell(func() { p.line.RouteCame(answer, w.now) })
	}
	for i, q := range there {
		record := wire.SignReach(q.id, wire.Reach{StayKey: q.stay.Public(), HomeRelay: q.relay,
			Sequence: uint64(w.now.UnixMilli()), Expiry: w.now.Add(wire.MaxReach).Unix()})
		m := wire.Route{Target: m.Target, Located: wire.Located{Found: wire.FoundDevice, Index: uint8(i),
			Of: uint8(len(there)), Chain: []wire.RelayID{{1}}, Record: record}}
		p.tell(func() { p.line.RouteCame(m, w.now) })
	}
}

func (p *person) forward(m wire.CallForward) {
	w := p.w
	answer := func(code wire.CallCode) {
		state := wire.CallState{Path: m.Path(), Generation: m.Generation, Code: code}
		p.tell(func() { p.line.StateCame(state, w.now) })
	}
	if !m.Verify() {
		w.t.Error("a forward does not verify")
	}
	i := slices.IndexFunc(w.people, func(q *person) bool {
		return q.device() == m.Device && !q.offline && !q.away
	})
	r := w.routes[m.Path()]
	switch {
	case p.refused != 0:
		answer(p.refused)
		return
	case i < 0:
		answer(w.keep(m))
		return
	case r != nil && m.Generation <= r.generation:
		answer(wire.CallStale)
		return
	}
	q := w.people[i]
	offer := r == nil || !r.waits && !r.stands(q)
	r = &route{generation: m.Generation, caller: p, called: q, used: w.now,
		sessions: [2]int{p.session, q.session}}
	w.routes[m.Path()] = r
	w.idle(m.Path(), r)
	if w.swallow > 0 {
		w.swallow--
		r.cut, offer = true, false
	}
	if offer {
		m.Hops = 1
		m.Offer = bytes.Clone(m.Offer)
		q.tell(func() { q.line.OfferCame(m, w.now) })
	}
	answer(wire.CallSetUp)
}

// keep is what the home of a device does that is not there.
func (w *world) keep(m wire.CallForward) wire.CallCode {
	for _, q := range w.people {
		if q.device() == m.Device && q.keeps {
			q.kept = append(q.kept, wire.KeptCall{Device: m.Device, Key: m.Key, Offer: bytes.Clone(m.Offer)})
			return wire.CallKept
		}
	}
	return wire.CallNotThere
}

// wantKept tells p what its relay has kept for devices, in any order.
func (p *person) wantKept(m wire.KeptWanted) {
	for _, id := range m.Devices {
		list := []wire.KeptCall{}
		for _, q := range p.w.people {
			if q.device() == id && q.id == p.id {
				list, q.kept = q.kept, nil
			}
		}
		for i := range list {
			list[i].Of, list[i].Index = uint8(len(list)), uint8(i)
			p.tell(func() { p.line.KeptCame(list[i], p.w.now) })
		}
		if len(list) == 0 {
			p.tell(func() { p.line.KeptCame(wire.KeptCall{Device: id}, p.w.now) })
		}
	}
}

// idle forgets a path by which nothing went for a minute.
func (w *world) idle(id wire.PathID, r *route) {
	left := time.Minute - w.now.Sub(r.used)
	switch {
	case w.routes[id] != r:
	case left <= 0:
		delete(w.routes, id)
	default:
		w.at(left, func() { w.idle(id, r) })
	}
}

// fresh gives p a new session.
func (p *person) fresh() {
	p.session++
	p.offline = false
	p.do(func() { p.line.SessionFresh(p.relay, p.w.now) })
}

// dial calls somebody.
func (p *person) dial(q *person) (id ID) {
	p.w.t.Helper()
	p.do(func() {
		var err error
		if id, err = p.line.Dial(Callee{Fingerprint: q.id.Fingerprint()}, p.w.now); err != nil {
			p.w.t.Fatal(err)
		}
	})
	return id
}

// act does what a user does, which must be possible.
func (p *person) act(f func(now time.Time) error) {
	p.w.t.Helper()
	p.do(func() {
		if err := f(p.w.now); err != nil {
			p.w.t.Fatal(err)
		}
	})
}

// all returns the effects of one type that p got, in order.
func all[T Effect](p *person) (list []T) {
	for _, e := range p.got {
		if e, ok := e.(T); ok {
			list = append(list, e)
		}
	}
	return list
}

// last returns the newest of them, zero if there is none.
func last[T Effect](p *person) (e T) {
	if list := all[T](p); len(list) > 0 {
		e = list[len(list)-1]
	}
	return e
}

// ended returns the outcome of a call, 0: it goes on.
func (p *person) ended(id ID) Outcome {
	n := Outcome(0)
	for _, e := range all[Ended](p) {
		if e.Call == id {
			if n != 0 {
				p.w.t.Errorf("%s: call %d ended twice", p.name, id)
			}
			n = e.Outcome
		}
	}
	return n
}

// talk makes a call from p to q that is up, and returns both ends' ids.
func (w *world) talk(p, q *person) (at, to ID) {
	w.t.Helper()
	rang := len(all[Incoming](q))
	at = p.dial(q)
	w.until("it rings", func() bool { return len(all[Incoming](q)) > rang })
	to = last[Incoming](q).Call
	q.act(func(now time.Time) error { return q.line.Answer(to, now) })
	w.until("both are up", func() bool { return p.line.State(at) == Open && q.line.State(to) == Open })
	return at, to
}

// quiet fails unless nobody has a call, and nothing is remembered a minute later.
func (w *world) quiet() {
	w.t.Helper()
	w.run(time.Minute)
	for _, p := range w.people {
		if l := p.line; len(l.calls)+len(l.closing)+len(l.paths) > 0 || l.media != nil || l.transfer != nil {
			w.t.Errorf("%s: %d calls, %d closing, %d paths, media %v%s", p.name, len(l.calls), len(l.closing),
				len(l.paths), l.media, w.log())
		}
		if !l0(p) {
			w.t.Errorf("%s still sends", p.name)
		}
	}
	if len(w.routes) > 0 {
		w.t.Errorf("relays still know %d paths", len(w.routes))
	}
}

func l0(p *person) bool { return p.to == nil || !p.to.On }
