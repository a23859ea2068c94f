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
	want mediaVerdict
}

const (
	ms       = time.Millisecond
	farAhead = uint64(1)<<62 - 1
)

func TestDedup(t *testing.T) {
	for name, notes := range map[string][]dedupNote{
		"twice": {{5, 0, verdictForward}, {5, 0, verdictDuplicate}, {5, 1999 * ms, verdictDuplicate}},
		"after 2 s": {
			{5, 0, verdictForward}, {5, 2000 * ms, verdictForward}, {5, 2001 * ms, verdictDuplicate},
		},
		"a duplicate does not prolong": {{5, 0, verdictForward}, {5, 1500 * ms, verdictDuplicate}, {5, 2000 * ms, verdictForward}},
		"zero":                         {{0, 0, verdictForward}, {0, 0, verdictDuplicate}, {1, 0, verdictForward}},
		"late ones pass once": {
			{100, 0, verdictForward}, {99, 40 * ms, verdictForward}, {101, 40 * ms, verdictForward},
			{99, 41 * ms, verdictDuplicate}, {98, 41 * ms, verdictForward},
		},
		"the window": {
			{2000, 0, verdictForward}, {2000 - 1023, 0, verdictForward}, {2000 - 1024, 0, verdictLate}, {0, 0, verdictLate},
			{2000 - 1023, 1, verdictDuplicate}, {2001, 1, verdictForward}, {2000 - 1023, 1, verdictLate},
			{2000 - 1024, 2000 * ms, verdictLate}, // 2001 still counts
			{2000 - 1024, 2000*ms + 1, verdictForward},
		},
		"a hostile one far ahead": {
			{100, 0, verdictForward}, {farAhead, 10 * ms, verdictForward}, {101, 20 * ms, verdictLate},
			{farAhead, 20 * ms, verdictDuplicate}, {200, 2009 * ms, verdictLate}, {201, 2010 * ms, verdictForward},
			{202, 2030 * ms, verdictForward}, {201, 2030 * ms, verdictDuplicate},
		},
		"hostile ones that descend": {
			{100, 0, verdictForward}, {9000, 0, verdictForward}, {8999, 1000 * ms, verdictForward},
			{101, 2000 * ms, verdictLate}, {8999, 2000 * ms, verdictDuplicate}, {102, 3000 * ms, verdictForward},
		},
		"the largest": {{^uint64(0), 0, verdictForward}, {^uint64(0), 0, verdictDuplicate}, {0, 0, verdictLate}},
	} {
		t.Run(name, func(t *testing.T) {
			var d dedup
			for i, n := range notes {
				if got := d.take(n.ctr, dedupFor+n.at); got != n.want {
					t.Fatalf("%d: CTR %d at %v is %v, want %v", i, n.ctr, n.at, got, n.want)
				}
			}
		})
	}
}

// plainDedup is what a dedup should say, without a thought of memory.
type plainDedup map[uint64]time.Duration

func (p plainDedup) take(ctr uint64, now time.Duration) mediaVerdict {
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
		return verdictLate
	case came:
		return verdictDuplicate
	}
	p[ctr] = now
	return verdictForward
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
			want, got := plain.take(ctr, now), d.take(ctr, now)
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
		if d.take(ctr, now) != verdictForward || d.take(ctr, now) != verdictDuplicate {
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
		d.take(ctr, now)
	}); allocs > 0 {
		t.Errorf("%v allocations a frame", allocs)
	}
}
