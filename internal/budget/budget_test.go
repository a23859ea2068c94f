package budget

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

// sender is somebody who offers packets of size bytes at a steady rate.
type sender struct {
	source Source
	size   int
	rate   float64 // bytes a second

	next           time.Duration
	offered, taken int // bytes, since count began
}

// offer has senders offer for a time, in the order of their packets, and counts from a time on.
func offer(p *Pool, senders []*sender, from, counted, to time.Duration) {
	rng := rand.New(rand.NewPCG(uint64(len(senders)), uint64(from)))
	for _, s := range senders {
		s.next, s.offered, s.taken = from+time.Duration(rng.Int64N(int64(20*time.Millisecond))), 0, 0
	}
	for {
		s := slices.MinFunc(senders, func(a, b *sender) int { return int(a.next - b.next) })
		if s.next >= to {
			return
		}
		taken := p.Take(s.source, s.size, s.next)
		if s.next >= counted {
			s.offered += s.size
			if taken {
				s.taken += s.size
			}
		}
		s.next += time.Duration(float64(s.size) / s.rate * float64(time.Second))
	}
}

func local(block, member uint64) Source { return Source{Group{ID: block}, member} }

// fair returns the max-min fair rates of demands.
func fair(demands []float64, rate float64) []float64 {
	got := make([]float64, len(demands))
	order := make([]int, len(demands))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return int(math.Copysign(1, demands[a]-demands[b])) })
	for n, i := range order {
		got[i] = min(demands[i], rate/float64(len(order)-n))
		rate -= got[i]
	}
	return got
}

const roomRate = 250_000

func newRoomPool() *Pool {
	return NewPool(Config{Rate: roomRate, Burst: time.Second, Least: 1200})
}

// TestBelowRate wants nobody to lose anything while all together send what the pool gives.
func TestBelowRate(t *testing.T) {
	p := newRoomPool()
	var all []*sender
	for i := range uint64(7) {
		all = append(all, &sender{source: local(i/3, i), size: 1100, rate: 32_000})
	}
	offer(p, all, 0, 0, 10*time.Second)
	for i, s := range all {
		if s.taken != s.offered {
			t.Errorf("sender %d: %d of %d bytes", i, s.taken, s.offered)
		}
	}
	if p.members != 0 {
		t.Errorf("%d members were noted without need", p.members)
	}
}

// TestMaxMin compares what loud and quiet ones in groups get with what they should.
func TestMaxMin(t *testing.T) {
	for round := range 100 {
		rng := rand.New(rand.NewPCG(uint64(round), 0))
		p := newRoomPool()
		var all []*sender
		var groups []float64 // demands
		var members [][]float64
		for g := range 2 + rng.IntN(8) {
			var group float64
			var demands []float64
			for m := range 1 + rng.IntN(8) {
				rate := 3000 * math.Exp(3*rng.Float64())
				size := 150
				if rate > 20_000 {
					size = 1100
				}
				all = append(all, &sender{source: local(uint64(g), uint64(m)), size: size, rate: rate})
				demands = append(demands, rate)
				group += rate
			}
			groups, members = append(groups, group), append(members, demands)
		}
		offer(p, all, 0, 5*time.Second, 25*time.Second)
		var want []float64
		for g, share := range fair(groups, roomRate) {
			want = append(want, fair(members[g], share)...)
		}
		for i, s := range all {
			got := float64(s.taken) / 20
			if math.Abs(got-want[i]) > 0.05*want[i]+200 {
				t.Errorf("round %d, %v of %.0f B/s: got %.0f, want %.0f", round, s.source, s.rate, got,
					want[i])
			}
			if want[i] >= s.rate*.999 &&
				want[i] < 0.9*roomRate/float64(len(groups)*len(members[s.source.Group.ID])) &&
				s.taken != s.offered {
				t.Errorf("round %d: a quiet one lost %d of %d bytes", round, s.offered-s.taken, s.offered)
			}
		}
	}
}

// TestQuietLosesNothing puts one talker beside floods: many addresses, many members behind one, a link.
func TestQuietLosesNothing(t *testing.T) {
	flood := func(n uint64, source func(i uint64) Source) (all []*sender) {
		for i := range n {
			all = append(all, &sender{source: source(i), size: 1150, rate: 32_000})
		}
		return all
	}
	for name, all := range map[string][]*sender{
		"40 addresses":       flood(40, func(i uint64) Source { return local(1000+i, i) }),
		"300 of one address": flood(300, func(i uint64) Source { return local(1000, i) }),
		"300 behind a link": flood(300,
			func(i uint64) Source { return Source{Group{Link: true, ID: 1}, i} }),
	} {
		p := newRoomPool()
		quiet := &sender{source: local(1, 1), size: 150, rate: 5500}
		offer(p, append(all, quiet), 0, 0, 10*time.Second)
		if quiet.taken != quiet.offered {
			t.Errorf("%s: %d of %d bytes of the quiet one", name, quiet.taken, quiet.offered)
		}
		sum := 0
		for _, s := range all {
			sum += s.taken
		}
		// Each begins with what Burst has for as many as were there before: ln(n) times Burst, and Least each
		// at least.
		if most := 10*roomRate + int(slack.Seconds()*roomRate) +
			int(math.Log(float64(len(all)))+1)*roomRate/4 + len(all)*1200; sum > most {
			t.Errorf("%s: %d bytes went through, want %d at most", name, sum, most)
		}
		if sum < 9*roomRate {
			t.Errorf("%s: only %d bytes of the loud ones went through: what the quiet one leaves is theirs",
				name, sum)
		}
	}
}

// TestManyNetworksOfOne has one customer send from many networks, one or many members in each. It takes as
// much from others as from a single one.
func TestManyNetworksOfOne(t *testing.T) {
	address := func(id uint64) Source { return Source{Group{Address: true, ID: id}, id} }
	for name, test := range map[string]struct {
		quiet Source
		loud  func(i uint64) Source
	}{
		"/64s of a /48, other provider": {address(0x2a00_0000_0001_0000),
			func(i uint64) Source { return address(0x2001_0db8_0001_0000 + i) }},
		"/64s of a /56, same /48": {address(0x2001_0db8_0001_ff00),
			func(i uint64) Source { return address(0x2001_0db8_0001_0000 + i) }},
		"/64s of a /56, IPv4": {address(0xc000_0201),
			func(i uint64) Source { return address(0x2001_0db8_0001_0000 + i) }},
		"IPv4 /24, IPv6": {address(0x2001_0db8_0001_ff00),
			func(i uint64) Source { return address(0xc000_0200 + i) }},
		"IPv4 /24, next /24": {address(0xc000_0301),
			func(i uint64) Source { return address(0xc000_0200 + i) }},
	} {
		p := newRoomPool()
		quiet := &sender{source: test.quiet, size: 150, rate: 7500}
		all := []*sender{quiet}
		for i := range uint64(200) {
			all = append(all, &sender{source: test.loud(i), size: 1150, rate: 32_000})
		}
		offer(p, all, 0, 0, 10*time.Second)
		if quiet.taken != quiet.offered {
			t.Errorf("%s: %d of %d bytes of the quiet one", name, quiet.taken, quiet.offered)
		}
	}
}

// TestAllAtOnce wants many who send for the first time not to have a whole Burst each.
func TestAllAtOnce(t *testing.T) {
	p := newRoomPool()
	sum := 0
	for i := range uint64(100) { // one after the other, with as much as goes through
		for p.Take(local(i, i), 1000, time.Duration(i)*time.Microsecond) {
			sum += 1000
		}
	}
	if most := roomRate/10 + int(most*roomRate) + 100*1200; sum > most {
		t.Errorf("%d bytes at once, want %d at most", sum, most)
	}
}

// TestQuietFirst wants a link that is too narrow for anybody to carry the quietest one, and equal ones
// equally.
func TestQuietFirst(t *testing.T) {
	const rate = 1250 // 10 kbit/s
	p := NewPool(Config{Rate: rate, Burst: 500 * time.Millisecond, Least: 600, QuietFirst: true})
	quiet := &sender{source: local(1, 1), size: 120, rate: 2000}
	all := []*sender{quiet}
	for i := range uint64(7) {
		all = append(all, &sender{source: local(2+i/2, i), size: 1150, rate: 32_000})
	}
	offer(p, all, 0, 5*time.Second, 25*time.Second)
	if got := float64(quiet.taken) / 20; got < 0.85*rate {
		t.Errorf("the quiet one got %.0f of %d bytes a second", got, rate)
	}
	one := &sender{source: local(1, 1), size: 120, rate: 2000}
	other := &sender{source: local(2, 1), size: 120, rate: 2000}
	offer(p, []*sender{one, other}, 60*time.Second, 65*time.Second, 105*time.Second)
	for i, s := range []*sender{one, other} {
		if got := float64(s.taken) / 40; math.Abs(got-rate/2) > 0.1*rate {
			t.Errorf("of two equal ones %d got %.0f of %d bytes a second", i, got, rate)
		}
	}
}

func TestBucket(t *testing.T) {
	var b Bucket
	taken := 0
	// 500 packets of 1150 bytes a second
	for at := time.Duration(0); at < 10*time.Second; at += 2 * time.Millisecond {
		if b.Take(1150, 32_000, 500*time.Millisecond, at) {
			taken += 1150
		}
	}
	if taken < 10*32_000 || taken > 10*32_000+17_000 {
		t.Errorf("%d bytes in 10 s", taken)
	}
	for at := 20 * time.Second; at < 30*time.Second; at += 20 * time.Millisecond {
		if !b.Take(640, 32_000, 500*time.Millisecond, at) {
			t.Fatalf("refused at its rate, at %v", at)
		}
	}
	if !new(Bucket).Take(1<<20, 1000, time.Second, 0) {
		t.Error("a full bucket refused a packet")
	}
}

// TestPoolForgets wants nothing to be kept of those who have gone.
func TestPoolForgets(t *testing.T) {
	for _, quietFirst := range []bool{false, true} {
		p := NewPool(Config{Rate: 10_000, Burst: time.Second, Least: 1200, QuietFirst: quietFirst})
		for i := range uint64(1000) {
			p.Take(local(i%10, i), 1000, 0)
		}
		for at := range time.Duration(600) {
			p.Take(local(1, 1), 100, at*time.Second)
			p.Take(local(1, 1), 100, at*time.Second)
			p.Take(local(1, 1), 3000, at*time.Second)
		}
		if all := &p.all; len(all.nodes) != 1 || p.members != 1 || len(all.index) != 1 ||
			len(all.nodes[0].index) != 1 {
			t.Errorf("quiet first %v: %d groups, %d members", quietFirst, len(p.all.nodes), p.members)
		}
	}
}

// TestPoolConcurrent is for the race detector.
func TestPoolConcurrent(t *testing.T) {
	for _, quietFirst := range []bool{false, true} {
		p := NewPool(Config{Rate: 100_000, Burst: 100 * time.Millisecond, Least: 1200,
			QuietFirst: quietFirst})
		var wg sync.WaitGroup
		var mu sync.Mutex
		sum := 0
		for g := range uint64(4) {
			wg.Go(func() {
				n := 0
				for i := range 2000 {
					if p.Take(local(g, uint64(i%7)), 1000, time.Duration(i)*time.Millisecond) {
						n += 1000
					}
				}
				mu.Lock()
				defer mu.Unlock()
				sum += n
			})
		}
		wg.Wait()
		if sum < 100_000 || sum > 300_000 {
			t.Errorf("quiet first %v: %d bytes in 2 s", quietFirst, sum)
		}
	}
}

func TestTakeAllocatesNothing(t *testing.T) {
	p, at := newRoomPool(), time.Duration(0)
	flood := func() {
		at += 100 * time.Microsecond
		for i := range uint64(10) {
			p.Take(local(i%3, i), 1000, at)
		}
	}
	for range 1000 {
		flood()
	}
	if n := testing.AllocsPerRun(1000, flood); n > 0 {
		t.Errorf("%v allocations for ten packets of a flood", n)
	}
}

func BenchmarkTake(b *testing.B) {
	b.Run("calm", func(b *testing.B) {
		p, at := newRoomPool(), time.Duration(0)
		b.ReportAllocs()
		for b.Loop() {
			at += time.Millisecond
			p.Take(local(1, 1), 150, at)
		}
	})
	for _, n := range []uint64{10, 1000} {
		b.Run(fmt.Sprint("flood of ", n), func(b *testing.B) { // each sends 30 packets of 1150 bytes a second
			p, at, i := newRoomPool(), time.Duration(0), uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				at += time.Second / time.Duration(30*n)
				i++
				p.Take(local(i%7, i%n), 1150, at)
			}
		})
	}
}
