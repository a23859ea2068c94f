package federation

import (
	"math/rand/v2"
	"testing"
	"time"
)

// dedupNote is a counter that comes, and what has to be said of it.
type dedupNote struct {
	ctr  uint64
	at   time.Duration
	want verdict
}

const (
	ms       = time.Millisecond
	farAhead = uint64(1)<<62 - 1
)

func TestDedup(t *testing.T) {
	for name, notes := range map[string][]dedupNote{
		"twice": {{5, 0, forwarded}, {5, 0, duplicate}, {5, 1999 * ms, duplicate}},
		"after 2 s": {
			{5, 0, forwarded}, {5, 2000 * ms, forwarded}, {5, 2001 * ms, duplicate},
		},
		"a duplicate does not prolong": {{5, 0, forwarded}, {5, 1500 * ms, duplicate},
			{5, 2000 * ms, forwarded}},
		"zero": {{0, 0, forwarded}, {0, 0, duplicate}, {1, 0, forwarded}},
		"late ones pass once": {
			{100, 0, forwarded}, {99, 40 * ms, forwarded}, {101, 40 * ms, forwarded},
			{99, 41 * ms, duplicate}, {98, 41 * ms, forwarded},
		},
		"the window": {
			{2000, 0, forwarded}, {2000 - 1023, 0, forwarded}, {2000 - 1024, 0, late}, {0, 0, late},
			{2000 - 1023, 1, duplicate}, {2001, 1, forwarded}, {2000 - 1023, 1, late},
			{2000 - 1024, 2000 * ms, late}, // 2001 still counts
			{2000 - 1024, 2000*ms + 1, forwarded},
		},
		"a hostile one far ahead": {
			{100, 0, forwarded}, {farAhead, 10 * ms, forwarded}, {101, 20 * ms, late},
			{farAhead, 20 * ms, duplicate}, {200, 2009 * ms, late}, {201, 2010 * ms, forwarded},
			{202, 2030 * ms, forwarded}, {201, 2030 * ms, duplicate},
		},
		"hostile ones that descend": {
			{100, 0, forwarded}, {9000, 0, forwarded}, {8999, 1000 * ms, forwarded},
			{101, 2000 * ms, late}, {8999, 2000 * ms, duplicate}, {102, 3000 * ms, forwarded},
		},
		"the largest": {{^uint64(0), 0, forwarded}, {^uint64(0), 0, duplicate}, {0, 0, late}},
	} {
		t.Run(name, func(t *testing.T) {
			var d dedup
			for i, n := range notes {
				if got := d.judge(n.ctr, dedupFor+n.at); got != n.want {
					t.Fatalf("%d: CTR %d at %v is %v, want %v", i, n.ctr, n.at, got, n.want)
				}
			}
		})
	}
}

// plainDedup is what a dedup should say, without a thought of memory.
type plainDedup map[uint64]time.Duration

func (p plainDedup) judge(ctr uint64, now time.Duration) verdict {
	highest, any := uint64(0), false
	for c, at := range p {
		if now-at >= dedupFor {
			delete(p, c)
		} else {
			highest, any = max(highest, c), true
		}
	}
	switch _, came := p[ctr]; {
	case any && ctr < highest && highest-ctr >= dedupWindow:
		return late
	case came:
		return duplicate
	}
	p[ctr] = now
	return forwarded
}

func TestDedupAsThePlainOne(t *testing.T) {
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 1))
		var d dedup
		plain := plainDedup{}
		next, now := uint64(5000), dedupFor
		spread := []int{3, 150, 2500}[seed%3]
		for i := range 4000 {
			now += time.Duration(random.IntN(40)) * ms / 2
			next++
			ctr := next - uint64(random.IntN(spread))
			switch random.IntN(200) {
			case 0:
				now += time.Duration(random.IntN(3000)) * ms
			case 1:
				ctr = random.Uint64()
			case 2:
				ctr = next + uint64(random.IntN(10_000))
			}
			want, got := plain.judge(ctr, now), d.judge(ctr, now)
			if got != want {
				t.Fatalf("seed %d, note %d: CTR %d at %v is %v, want %v", seed, i, ctr, now, got, want)
			}
		}
		if n := len(d.slots); n > dedupWindow {
			t.Errorf("%d slots", n)
		}
	}
}

func TestDedupTakesLittleMemory(t *testing.T) {
	var d dedup
	now := dedupFor
	for ctr := range uint64(10_000) { // a talker, and each frame twice
		now += 20 * ms
		if d.judge(ctr, now) != forwarded || d.judge(ctr, now) != duplicate {
			t.Fatalf("CTR %d", ctr)
		}
	}
	if n := len(d.slots); n != dedupFirst {
		t.Errorf("%d slots, want %d", n, dedupFirst)
	}
	ctr := uint64(10_000)
	if allocs := testing.AllocsPerRun(1000, func() {
		ctr++
		now += 20 * ms
		d.judge(ctr, now)
	}); allocs > 0 {
		t.Errorf("%v allocations a frame", allocs)
	}
}
