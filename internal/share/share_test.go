package share

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const rest = 5 * time.Second

// rig is Slots whose owner notes who has which. A slot stands for when it was used.
type rig struct {
	t     *testing.T
	slots *Slots[string, *time.Time]
	who   map[int]string
	paths map[string][]string // by holder
}

func newRig(t *testing.T, limit int) *rig {
	r := &rig{t: t, who: make(map[int]string), paths: make(map[string][]string)}
	r.slots = NewSlots[string](limit, rest, func(at *time.Time) time.Time { return *at })
	return r
}

// get gets a slot for a holder; loser is who had it; empty: nobody.
func (r *rig) get(now time.Time, path ...string) (n int, loser string, ok bool) {
	r.t.Helper()
	r.paths[path[len(path)-1]] = path
	if n, ok = r.slots.Free(path, &now, now); !ok {
		if n, _, _, ok = r.slots.Take(path, &now, now); ok {
			loser = r.who[n]
		}
	} else if r.who[n] != "" {
		r.t.Fatalf("slot %d is given out twice", n)
	}
	if ok {
		r.who[n] = path[len(path)-1]
	}
	return n, loser, ok
}

func (r *rig) release(n int, now time.Time) {
	delete(r.who, n)
	r.slots.Release(n, false, now)
}

// check compares what is counted with what is so.
func (r *rig) check() {
	r.t.Helper()
	if n := r.slots.Used(); n != len(r.who) {
		r.t.Fatalf("%d are used, want %d", n, len(r.who))
	}
	counts := make(map[string]int)
	total := 0
	for i := range r.slots.slots {
		if r.slots.slots[i].holder == nil {
			continue
		}
		total++
		for g := r.slots.slots[i].holder; g != nil; g = g.parent {
			counts[fmt.Sprintf("%p", g)]++
			if g.parent != nil && g.parent.groups[g.key] != g {
				r.t.Fatal("a group is not in its group")
			}
		}
	}
	var count func(g *Group[string])
	count = func(g *Group[string]) {
		if g.held != counts[fmt.Sprintf("%p", g)] || g.held == 0 && g.parent != nil {
			r.t.Fatalf("%q holds %d, counted are %d", g.key, counts[fmt.Sprintf("%p", g)], g.held)
		}
		for _, o := range g.groups {
			count(o)
		}
	}
	count(&r.slots.tree.root)
	if r.slots.tree.Total() != total {
		r.t.Fatalf("%d in all, want %d", r.slots.tree.Total(), total)
	}
}

func TestLowestFirst(t *testing.T) {
	r := newRig(t, 3)
	for want := range 3 {
		if n, _, ok := r.get(epoch, "a", fmt.Sprint(want)); !ok || n != want {
			t.Errorf("slot %d, %v, want %d", n, ok, want)
		}
	}
	r.release(1, epoch)
	if n, ok := r.slots.Free([]string{"b", "x"}, new(time.Time), epoch.Add(rest-1)); ok {
		t.Errorf("slot %d has not rested", n)
	}
	if n, _, ok := r.get(epoch.Add(rest), "b", "x"); !ok || n != 1 {
		t.Errorf("slot %d, %v, want 1", n, ok)
	}
	r.slots.Release(0, true, epoch.Add(rest))
	delete(r.who, 0)
	if n, _, ok := r.get(epoch.Add(rest), "b", "x"); !ok || n != 0 {
		t.Errorf("slot %d, %v, want 0, which need not rest", n, ok)
	}
	r.check()
}

// TestWhoHoldsMostGivesWay fills a table from one group, then asks for others.
func TestWhoHoldsMostGivesWay(t *testing.T) {
	r := newRig(t, 64)
	for i := range 64 {
		r.get(epoch, "crowd", fmt.Sprint("ghost", i%16))
	}
	for i := range 32 {
		if _, loser, ok := r.get(epoch, "other", "one"); !ok || r.paths[loser][0] != "crowd" {
			t.Fatalf("slot %d: %q gives way, %v", i, loser, ok)
		}
	}
	if a, b := r.slots.Held([]string{"crowd"}), r.slots.Held([]string{"other"}); a != 32 || b != 32 {
		t.Errorf("they have %d and %d", a, b)
	}
	for i := range 16 {
		if n := r.slots.Held([]string{"crowd", fmt.Sprint("ghost", i)}); n != 2 {
			t.Errorf("a ghost has %d", n)
		}
	}
	if _, loser, ok := r.get(epoch, "other", "one"); !ok || loser != "one" {
		t.Errorf("beyond the share %q gives way, %v", loser, ok)
	}
	r.check()
}

// TestNobodyToGiveWay has as many holders as slots: who comes later gets what was not used for long, or
// nothing.
func TestNobodyToGiveWay(t *testing.T) {
	r := newRig(t, 8)
	for i := range 8 {
		r.get(epoch.Add(time.Duration(i)), fmt.Sprint("group", i), "one")
	}
	if n, loser, ok := r.get(epoch.Add(rest-1), "late", "x"); ok {
		t.Errorf("slot %d of %q", n, loser)
	}
	if n, _, ok := r.get(epoch.Add(rest), "late", "x"); !ok || n != 0 {
		t.Errorf("slot %d, %v", n, ok)
	}
	r.check()
}

// TestShares has holders of many groups, all of whom use what they have, ask and give back at random. Whoever
// has less than the guarantee of the package's comment takes a slot of another, and only who has more than
// that gives way.
func TestShares(t *testing.T) {
	const limit, groups, subgroups, holders = 256, 5, 3, 4
	const share = limit / (groups * subgroups * holders)
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 3))
		r := newRig(t, limit)
		now := epoch
		r.slots.last = func(*time.Time) time.Time { return now }
		for step := range 3000 {
			now = now.Add(time.Duration(random.IntN(20)) * time.Millisecond)
			if n := random.IntN(limit); r.who[n] != "" && random.IntN(4) == 0 {
				r.release(n, now)
				continue
			}
			a, b := random.IntN(groups), random.IntN(subgroups)
			path := []string{fmt.Sprint(a), fmt.Sprint(a, b), fmt.Sprint(a, b, random.IntN(holders))}
			if random.IntN(3) > 0 { // a crowd wants more than others
				path = []string{"0", "0 0", fmt.Sprint("0 0 ghost", random.IntN(100))}
			}
			had := r.slots.Held(path)
			_, loser, ok := r.get(now, path...)
			if path[0] != "0" && (!ok || loser == path[2] && had <= share-3) {
				t.Fatalf("seed %d, step %d: one with %d gets nothing of others, but of %q", seed, step, had,
					loser)
			}
			if loser != "" && loser != path[2] && r.paths[loser][0] != "0" {
				if has := r.slots.Held(r.paths[loser]); has < share {
					t.Fatalf("seed %d, step %d: one with %d has to give way", seed, step, has+1)
				}
			}
			if step%100 == 0 {
				r.check()
			}
		}
		r.check()
	}
}

func BenchmarkTake(b *testing.B) {
	s := NewSlots[[2]int](4096, rest, func(at *time.Time) time.Time { return *at })
	now := epoch
	for i := range 4096 {
		s.Free([][2]int{{0, 9}, {1, i % 512}}, new(time.Time), now)
	}
	spare := new(time.Time)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		now = now.Add(time.Millisecond)
		if _, old, _, ok := s.Take([][2]int{{0, 9}, {1, i % 512}}, spare, now); ok {
			*spare, spare = now, old
		}
	}
}

// TestPlaces: when none is free, the oldest of whoever holds most gives way; of a holder that has its share
// its own; nobody if each has one.
func TestPlaces(t *testing.T) {
	p := Places[string, int]{Most: 3}
	places := make([]Place[string], 10)
	add := func(n int, holder string) { p.Add([]string{holder}, &places[n], n) }
	want := func(holder string, gives int, own, full bool) {
		t.Helper()
		if a, b, c := p.Full([]string{holder}); a != gives || b != own || c != full {
			t.Errorf("for %s %d gives way, own %v, full %v; want %d, %v, %v", holder, a, b, c, gives, own, full)
		}
	}
	add(1, "a")
	add(2, "a")
	want("a", 0, false, false)
	add(3, "b")
	want("c", 1, false, true)
	want("a", 1, true, true)
	p.Remove(&places[1], 1)
	add(4, "c")
	want("d", 0, false, true)
	for n := range p.All() {
		p.Remove(&places[n], n)
	}
	if p.Total() != 0 || p.Holders() != 0 || places[2].Taken() {
		t.Errorf("%d places of %d holders are left", p.Total(), p.Holders())
	}
}
