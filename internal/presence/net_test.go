package presence

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// network is relays and their links in virtual time. Messages come after delay and up to jitter more, so that
// some overtake others, and are acknowledged as late again.
type network struct {
	t      testing.TB
	now    time.Time
	delay  time.Duration
	jitter time.Duration
	random *rand.Rand
	events events
	serial int
	relays []*relay
	links  []*wireLink

	problems []string
}

type relay struct {
	n      *network
	number int
	id     *identity.Identity
	self   wire.RelayID
	boot   uint64
	table  *Table
	tickAt time.Time
	links  map[wire.RelayID]*wireLink
	stays  SessionID
	here   map[int]SessionID // who takes calls, by their numbers
}

// wireLink is a link that is up, or was.
type wireLink struct {
	ends [2]*relay
	up   bool
	sent [2]traffic // by the first end, and by the second
}

// traffic is what one end has sent on behalf of presence, in bytes with all headers.
type traffic struct {
	messages, bytes int
	ackedAt         time.Time
}

// Sizes of packets beside urgent messages' bodies: see docs/protocol.md, sections 3 and 4.
const (
	packetHeaders = 28 + 6 + 12
	urgentHeaders = 2 + 2 + 1
	ackPacket     = packetHeaders + 11
	idleSecond    = 2*57 + 60 // a ping, the answer to one, and a report
)

type event struct {
	at     time.Time
	serial int
	do     func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at.Before(e[j].at) || e[i].at.Equal(e[j].at) && e[i].serial < e[j].serial
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

func newNetwork(t testing.TB, relays int, delay, jitter time.Duration) *network {
	n := &network{t: t, now: start, delay: delay, jitter: jitter, random: rand.New(rand.NewPCG(1, 2))}
	for i := range relays {
		r := &relay{n: n, number: i, id: relayNumber(byte(i))}
		r.self = wire.RelayIDOf(r.id.Public())
		n.relays = append(n.relays, r)
		r.begin()
	}
	return n
}

// begin starts a relay, with nobody.
func (r *relay) begin() {
	r.boot++
	r.table = New(Options{Identity: r.id, Boot: r.boot, Address: fmt.Sprintf("relay-%d:4433", r.number),
		Random: r.n.fill})
	r.links, r.here = map[wire.RelayID]*wireLink{}, map[int]SessionID{}
	r.tickAt = time.Time{}
	r.act(func() {})
}

func (n *network) fill(b []byte) {
	for i := range b {
		b[i] = byte(n.random.Uint32())
	}
}

func (n *network) after(d time.Duration, do func()) {
	n.serial++
	heap.Push(&n.events, event{n.now.Add(d), n.serial, do})
}

// run lets so much time pass.
func (n *network) run(d time.Duration) {
	end := n.now.Add(d)
	for len(n.events) > 0 && !n.events[0].at.After(end) {
		e := heap.Pop(&n.events).(event)
		n.now = e.at
		e.do()
	}
	n.now = end
}

// act has something done to a relay's table, and carries out what follows.
func (r *relay) act(do func()) {
	do()
	next := r.table.Tick(r.n.now)
	for _, e := range r.table.Drain() {
		switch e := e.(type) {
		case Send:
			r.send(e)
		case Problem:
			r.n.problems = append(r.n.problems, fmt.Sprintf("%d: %s: %s", r.number, e.What, e.Reason))
		}
	}
	if !next.IsZero() && (r.tickAt.IsZero() || next.Before(r.tickAt)) {
		r.tickAt = next
		table := r.table
		r.n.after(max(next.Sub(r.n.now), time.Millisecond), func() {
			if r.table == table && r.tickAt == next {
				r.tickAt = time.Time{}
				r.act(func() {})
			}
		})
	}
}

func (r *relay) send(e Send) {
	l := r.links[e.To]
	if l == nil {
		return
	}
	if len(e.Body) > wire.MaxUrgent {
		r.n.t.Fatalf("a message of %d bytes", len(e.Body))
	}
	side := 0
	if l.ends[1] == r {
		side = 1
	}
	far := l.ends[1-side]
	l.sent[side].messages++
	l.sent[side].bytes += packetHeaders + urgentHeaders + len(e.Body)
	late := r.n.delay
	if r.n.jitter > 0 {
		late += time.Duration(r.n.random.Int64N(int64(r.n.jitter)))
	}
	r.n.after(late, func() {
		if !l.up {
			return
		}
		far.act(func() { far.table.Receive(r.self, e.Kind, e.Body, r.n.now) })
		if back := &l.sent[1-side]; back.ackedAt != r.n.now { // one acknowledges all that come at once
			back.bytes += ackPacket
			back.ackedAt = r.n.now
		}
		r.n.after(r.n.delay, func() {
			if l.up && e.Receipt != nil {
				r.act(func() { r.table.Acked(far.self, *e.Receipt, r.n.now) })
			}
		})
	})
}

// connect brings a link up, with each side's word for the other.
func (n *network) connect(a, b int, words ...Word) *wireLink {
	for len(words) < 2 {
		words = append(words, Mesh)
	}
	l := &wireLink{ends: [2]*relay{n.relays[a], n.relays[b]}, up: true}
	n.links = append(n.links, l)
	for i, r := range l.ends {
		far := l.ends[1-i]
		if old := r.links[far.self]; old != nil {
			old.up = false
		}
		r.links[far.self] = l
		r.act(func() {
			r.table.Up(far.self, far.id.Public(), fmt.Sprintf("relay %d", far.number), words[i], n.now)
		})
	}
	return l
}

// cut brings a link down.
func (n *network) cut(a, b int) {
	r := n.relays[a]
	l := r.links[n.relays[b].self]
	if l == nil {
		return
	}
	l.up = false
	for i, r := range l.ends {
		far := l.ends[1-i]
		if delete(r.links, far.self); r.table != nil {
			r.act(func() { r.table.Down(far.self, n.now) })
		}
	}
}

// kill ends a relay without a word; the others notice after a while.
func (n *network) kill(i int, notice time.Duration) {
	r := n.relays[i]
	for _, l := range r.links {
		l.up = false
		far := l.ends[0]
		if far == r {
			far = l.ends[1]
		}
		table := far.table
		n.after(notice, func() {
			if far.table == table && far.links[r.self] == l {
				delete(far.links, r.self)
				far.act(func() { far.table.Down(r.self, n.now) })
			}
		})
	}
	r.table, r.links = New(Options{Identity: r.id, Boot: r.boot}), map[wire.RelayID]*wireLink{}
	r.tickAt = time.Time{}
}

// join has somebody take calls at a relay, and leave has them not do so any more.
func (n *network) join(relay, who int) {
	r := n.relays[relay]
	if _, here := r.here[who]; here {
		return
	}
	r.stays++
	session := r.stays
	r.here[who] = session
	key := personNumber(who)
	r.act(func() {
		r.table.Connect(session, key)
		record := reach(key, byte(relay), uint64(session), n.now.Add(24*time.Hour))
		record.Expiry = n.now.Add(wire.MaxReach).Unix()
		r.table.Available(session, record, nil, n.now)
	})
}

func (n *network) leave(relay, who int) {
	r := n.relays[relay]
	session, here := r.here[who]
	if !here {
		return
	}
	delete(r.here, who)
	r.act(func() { r.table.Disconnect(session, n.now) })
}

// knows reports whether a relay knows a way to somebody at another one.
func (n *network) knows(relay, who, home int) bool {
	want := n.relays[home].self
	return slices.ContainsFunc(n.relays[relay].table.Ways(personNumber(who).Fingerprint()), func(w Way) bool {
		return w.Home == want
	})
}

// within reports after how long something holds, at most.
func (n *network) within(most time.Duration, what string, holds func() bool) time.Duration {
	n.t.Helper()
	begun := n.now
	for !holds() {
		if n.now.Sub(begun) > most {
			n.t.Fatalf("%s: not within %v; problems %q", what, most, n.problems)
		}
		n.run(20 * time.Millisecond)
	}
	return n.now.Sub(begun)
}

// check compares what each relay holds of the others with what is true.
func (n *network) check() {
	n.t.Helper()
	for _, r := range n.relays {
		for _, far := range n.relays {
			if r == far || r.table.homes[far.id.Public()] == nil {
				continue
			}
			h := r.table.homes[far.id.Public()]
			if h.best == nil {
				continue
			}
			if !h.exact || h.hashes.sum() != far.table.own.hashes.sum() || h.hashes.n != len(far.here) {
				n.t.Errorf("relay %d holds %d of relay %d, there are %d; exact %v, version %d of %d", r.number,
					h.hashes.n, far.number, len(far.here), h.exact, h.version, far.table.own.version)
			}
		}
		if r.table.mismatches > 0 {
			n.t.Errorf("relay %d: %d states of others did not fit", r.number, r.table.mismatches)
		}
		total := 0
		for _, h := range r.table.homes {
			total += h.hashes.n
		}
		if total != r.table.entries {
			n.t.Errorf("relay %d counts %d entries, there are %d", r.number, r.table.entries, total)
		}
	}
}
