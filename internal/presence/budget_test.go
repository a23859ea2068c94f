package presence

import (
	"os"
	"testing"
	"time"
)

// mesh connects relays in a ring with chords, so that each has four peers, and returns over how many links
// the farthest two are apart.
func (n *network) mesh() (diameter int) {
	relays := len(n.relays)
	next := make([][]int, relays)
	link := func(a, b int) {
		n.connect(a, b)
		next[a], next[b] = append(next[a], b), append(next[b], a)
	}
	for i := range relays {
		link(i, (i+1)%relays)
		link(i, (i+max(2, relays/8))%relays)
	}
	for from := range relays {
		hops := map[int]int{from: 0}
		for queue := []int{from}; len(queue) > 0; queue = queue[1:] {
			for _, to := range next[queue[0]] {
				if _, seen := hops[to]; !seen {
					hops[to] = hops[queue[0]] + 1
					diameter = max(diameter, hops[to])
					queue = append(queue, to)
				}
			}
		}
	}
	return diameter
}

// load is what presence costs.
type load struct {
	relays, people, changes int // changes: a second, in all
}

// measure returns how many bits a second the busiest direction of a link carries, and the mean of all, with
// all headers and acknowledgements, pings and reports.
func (l load) measure(t *testing.T, d time.Duration) (most, mean float64, slowest time.Duration) {
	n := newNetwork(t, l.relays, hop, 0)
	for who := range l.people {
		n.join(who%l.relays, who)
	}
	n.run(time.Second) // so that all are there at once
	diameter := n.mesh()
	n.within(90*time.Second, "everybody knows everybody", func() bool {
		n.run(time.Second)
		for _, r := range n.relays {
			if r.table.entries != l.people-r.table.own.hashes.n || r.table.Counts().Homes != l.relays-1 {
				return false
			}
		}
		return true
	})
	n.run(15 * time.Second)
	before := n.sent()
	begun, who := n.now, l.people
	for i := range int(d.Seconds() * float64(l.changes)) {
		at := begun.Add(time.Duration(i) * time.Second / time.Duration(l.changes))
		n.run(at.Sub(n.now))
		relay, round := i%l.relays, i/l.relays
		if round%2 == 0 {
			n.join(relay, who+i)
		} else { // who came some time ago
			n.leave(relay, who+i-9*l.relays)
		}
	}
	seconds := n.now.Sub(begun).Seconds()
	for i, bytes := range n.sent() {
		rate := 8 * (float64(bytes-before[i])/seconds + idleSecond)
		most = max(most, rate)
		mean += rate / float64(len(before))
	}
	n.join(0, 10*who)
	slowest = n.within(3*time.Second, "a change is known everywhere", func() bool {
		for i := 1; i < l.relays; i++ {
			if !n.knows(i, 10*who, 0) {
				return false
			}
		}
		return true
	})
	n.run(12 * time.Second)
	n.check()
	if len(n.problems) > 0 {
		t.Error(n.problems)
	}
	t.Logf("%d relays, diameter %d, %d people, %d changes a second: at most %.1f kbit/s a link and direction, "+
		"%.1f in the mean; known everywhere after %v", l.relays, diameter, l.people, l.changes, most/1000,
		mean/1000, slowest)
	return most, mean, slowest
}

// sent returns how many bytes each direction of each link has carried.
func (n *network) sent() (bytes []int) {
	for _, l := range n.links {
		for _, sent := range l.sent {
			bytes = append(bytes, sent.bytes)
		}
	}
	return bytes
}

// 100,000 people at 20 relays, of whom 50 a second come and go: at most 16 kbit/s.
func TestBudget(t *testing.T) {
	l := load{relays: 20, people: 100_000, changes: 50}
	if most, _, slowest := l.measure(t, 20*time.Second); most > 16_000 || slowest > 2*time.Second {
		t.Errorf("%.1f kbit/s, known after %v", most/1000, slowest)
	}
}

func TestBudgetGrows(t *testing.T) {
	if os.Getenv("WZP_MEASURE") == "" {
		return // it prints figures only
	}
	for _, l := range []load{
		{relays: 20, people: 100_000, changes: 1},
		{relays: 20, people: 100_000, changes: 10},
		{relays: 20, people: 100_000, changes: 25},
		{relays: 20, people: 100_000, changes: 50},
		{relays: 20, people: 100_000, changes: 100},
		{relays: 20, people: 100_000, changes: 200},
		{relays: 5, people: 100_000, changes: 50},
		{relays: 10, people: 100_000, changes: 50},
		{relays: 40, people: 100_000, changes: 50},
		{relays: 60, people: 100_000, changes: 50},
		{relays: 20, people: 1000, changes: 50},
	} {
		l.measure(t, 60*time.Second)
	}
}
