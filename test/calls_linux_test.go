package test

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/signalling"
)

// TestManyCalls: many calls at once go over a chain of three relays, and are forgotten; and so do rooms of
// two. While measuring there are a thousand calls of 5 packets a second an end, and it prints how long they
// take to be set up, what memory a call takes at each relay, and what CPU a packet, in a call and in a room.
func TestManyCalls(t *testing.T) {
	t.Parallel()
	const n = 3
	calls := 20
	if measuring {
		calls = 1000
	}
	straight := func(_ [2]int, addr string) string { return addr }
	u := federateBy(t, n, chain(n), "presence = \"mesh\"\n", straight, "--event-log", "", "--hello-rate",
		"100000", "--max-per-address", "100000", "--send-rate", "100000000")
	x := &exchange{t: t, u: u, began: time.Now()}
	x.every.Store(20)
	x.openLines(calls)
	var working sync.WaitGroup
	defer working.Wait()
	over := make(chan struct{})
	defer close(over)
	working.Go(func() { x.work(over) })

	before := x.memory()
	took := x.dial(calls)
	after := x.memory()
	x.measure("calls", x.lines(calls)...)
	x.hangUp()
	if measuring {
		t.Logf("%d calls were set up, half within %v, 99 %% within %v, all within %v", calls, took[calls/2],
			took[calls*99/100], took[calls-1])
		for i := range n {
			t.Logf("relay %d: %.2f KB a call", i, (after[i]-before[i])/float64(calls)/1024)
		}
	}

	// Of the 1,000 parts of rooms that a peer may announce, no more than 750 are other relays'. So there are
	// as many rooms as calls, which say as much as all the calls did.
	calls = calls * 3 / 4
	x.every.Store(15)
	x.joinRooms(calls)
	rooms := x.talkInRooms()
	x.dial(calls)
	inCalls := x.measure("calls", x.lines(calls)...)
	x.hangUp()
	if measuring {
		rooms = rooms.plus(x.talkInRooms(), 1) // before and after: the machine does other things meanwhile
		for i := range n {
			call, room := 1e6*inCalls.seconds[i]/inCalls.packets[i], 1e6*rooms.seconds[i]/rooms.packets[i]
			t.Logf("relay %d: %.1f us of CPU a packet of a call, %.1f of a room of two: ratio %.2f", i, call,
				room, call/room)
		}
	}
}

// exchange is many calls, and rooms of two.
type exchange struct {
	t               *testing.T
	u               *union
	began           time.Time
	callers, called []*scriptedLine
	members         atomic.Pointer[[]*scripted] // nil: there are no rooms yet
	ports           [][2]*link.Endpoint         // at the first relay and at the last
	every           atomic.Int64                // how far apart packets of an end are, in steps
}

// step is how far apart work says something.
const step = 10 * time.Millisecond

// work does what ends do by time: their packets, and what is due for their calls. When it was late it does
// more at once, so that all packets are sent.
func (x *exchange) work(over chan struct{}) {
	lines := slices.Concat(x.callers, x.called)
	next := time.Now()
	for i := 0; ; i++ {
		next = next.Add(step)
		select {
		case <-over:
			return
		case <-time.After(time.Until(next)):
		}
		every := int(x.every.Load())
		for j := i % every; j < len(lines); j += every {
			lines[j].step()
		}
		if members := x.members.Load(); members != nil {
			for j := i % every; j < len(*members); j += every {
				(*members)[j].step()
			}
		}
	}
}

func (x *exchange) openLines(n int) {
	x.t.Helper()
	first, last := x.u.relays[0], x.u.relays[len(x.u.relays)-1]
	for i := range n {
		here, there := x.portsOf(i)
		x.callers = append(x.callers, newLine(x.t, here, first.addr, false))
		x.called = append(x.called, newLine(x.t, there, last.addr, true))
	}
	x.u.until("the first relay knows of all", soon, func() bool {
		return !slices.ContainsFunc(x.called, func(s *scriptedLine) bool {
			return first.api("presence/"+s.id.Fingerprint().String(), nil) != http.StatusOK
		})
	})
}

func (x *exchange) joinRooms(n int) {
	x.t.Helper()
	var members []*scripted
	for i := range n {
		here, there := x.portsOf(i)
		room := fmt.Sprint("room ", i) // a global one
		members = append(members, newMember(x.t, here, x.u.relays[0].addr, room),
			newMember(x.t, there, x.u.relays[len(x.u.relays)-1].addr, room))
	}
	x.members.Store(&members)
}

// portsOf returns those of the two ends of a call or room. Ends share them: with one for each, most of the
// time would go to sockets and timers.
func (x *exchange) portsOf(i int) (here, there *link.Endpoint) {
	const share = 64
	if len(x.ports) <= i/share {
		x.ports = append(x.ports, [2]*link.Endpoint{newPort(x.t), newPort(x.t)})
	}
	return x.ports[i/share][0], x.ports[i/share][1]
}

func (x *exchange) lines(calls int) (list []*scripted) {
	for _, s := range slices.Concat(x.callers[:calls], x.called[:calls]) {
		list = append(list, s.scripted)
	}
	return list
}

// dial has callers call, 30 a second: a relay answers its peers 50 queries a second. It returns how long it
// took until the caller had the answer, and the called the confirmation, sorted.
func (x *exchange) dial(calls int) (took []time.Duration) {
	x.t.Helper()
	for i, s := range x.callers[:calls] {
		s.up.Store(nil)
		x.called[i].up.Store(nil)
		key := x.called[i].id.Public()
		s.do(func(l *signalling.Line, now time.Time) {
			who := signalling.Callee{Fingerprint: key.Fingerprint(), Key: key}
			var err error
			s.began = now
			if s.call, err = l.Dial(who, now); err != nil {
				x.t.Error(err)
			}
		})
		time.Sleep(time.Second / 30)
	}
	x.u.until("all calls are up", soon, func() bool {
		return !slices.ContainsFunc(slices.Concat(x.callers[:calls], x.called[:calls]),
			func(s *scriptedLine) bool { return s.up.Load() == nil })
	})
	for i, s := range x.callers[:calls] {
		took = append(took, x.called[i].up.Load().Sub(s.began))
	}
	slices.Sort(took)
	return took
}

func (x *exchange) hangUp() {
	x.t.Helper()
	for _, s := range x.callers {
		s.do(func(l *signalling.Line, now time.Time) { _ = l.HangUp(s.call, now) })
	}
	for i, r := range x.u.relays {
		x.u.until(fmt.Sprintf("relay %d forgets all calls", i), soon, func() bool {
			return r.metric("call_paths") == 0
		})
	}
}

func (x *exchange) talkInRooms() usage {
	x.t.Helper()
	members := *x.members.Load()
	for _, s := range members {
		s.talks.Store(true)
		defer s.talks.Store(false)
	}
	return x.measure("rooms of two", members...)
}

// measure waits until all ends hear something. While measuring it has them talk for a while, and returns what
// that takes of the relays.
func (x *exchange) measure(what string, ends ...*scripted) (used usage) {
	x.t.Helper()
	for _, s := range ends {
		s.heard.Store(0)
	}
	x.u.until("all hear something in "+what, soon, func() bool {
		return !slices.ContainsFunc(ends, func(s *scripted) bool { return s.heard.Load() == 0 })
	})
	if measuring {
		before := x.usage()
		time.Sleep(15 * time.Second)
		used = x.usage().plus(before, -1)
		want := float64(len(ends)) / (float64(x.every.Load()) * step.Seconds())
		for i := range x.u.relays {
			x.t.Logf("%d %s: relay %d passes on %.0f packets/s of %.0f, with %.2f of a core", len(ends)/2, what,
				i, used.packets[i]/used.took, want, used.seconds[i]/used.took)
		}
	}
	return used
}

// usage is what the processes of relays have used of a core, and how many packets they have passed on.
type usage struct {
	took             float64 // seconds
	seconds, packets []float64
}

// plus returns both together, one of them times n.
func (u usage) plus(other usage, n float64) usage {
	sum := func(a, b []float64) (list []float64) {
		for i := range a {
			list = append(list, a[i]+n*b[i])
		}
		return list
	}
	return usage{u.took + n*other.took, sum(u.seconds, other.seconds), sum(u.packets, other.packets)}
}

// usage returns that of the relays so far.
func (x *exchange) usage() usage {
	return usage{
		took: time.Since(x.began).Seconds(),
		seconds: x.each(func(r *relay) (seconds float64) {
			_, rest, _ := strings.Cut(procFile(x.t, r, "stat"), ") ")
			for _, field := range strings.Fields(rest)[11:13] { // user, system
				seconds += must(strconv.ParseFloat(field, 64)) / 100
			}
			return seconds
		}),
		packets: x.each(func(r *relay) float64 {
			return r.metric("call_frames_total") + r.metric("media_in_packets_total") +
				r.metric("federation_frames_taken_total")
		}),
	}
}

// memory is that of the relays' processes, in bytes.
func (x *exchange) memory() []float64 {
	return x.each(func(r *relay) float64 {
		pages := must(strconv.ParseFloat(strings.Fields(procFile(x.t, r, "statm"))[1], 64))
		return pages * float64(os.Getpagesize())
	})
}

func (x *exchange) each(f func(r *relay) float64) (list []float64) {
	for _, r := range x.u.relays {
		list = append(list, f(r))
	}
	return list
}

func procFile(t *testing.T, r *relay, name string) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", r.cmd.Process.Pid, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
