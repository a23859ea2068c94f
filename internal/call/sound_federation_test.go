package call

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/audio/speech"
	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/presence"
	"github.com/wzp-voice/wzp/internal/relay"
	"github.com/wzp-voice/wzp/internal/simnet"
	"github.com/wzp-voice/wzp/internal/simnet/simtest"
)

// union is some relays that share the rooms called "room..." on one network.
type union struct {
	*lab   // of the first
	relays []*lab
	pairs  [][2]int
	logs   []string // the relays' event logs, and clients'
}

// inUnion runs f in virtual time with n relays, linked by pairs of their numbers: the larger dials the
// smaller, over paths of their own.
func inUnion(t *testing.T, n int, pairs [][2]int, paths simnet.Profile, f func(u *union)) {
	t.Helper()
	inUnionOf(t, n, pairs, paths, presence.None, f)
}

// inUnionOf is inUnion, with what all operators say of presence.
func inUnionOf(
	t *testing.T, n int, pairs [][2]int, paths simnet.Profile, word presence.Word, f func(u *union),
) {
	t.Helper()
	dir := t.TempDir()
	inNetwork(t, func(l *lab) {
		u := &union{lab: l, pairs: pairs}
		for i := range n {
			r := &lab{t: l.t, net: l.net, key: newIdentity(byte(200 + i)), hosts: 40 * i}
			r.addr = simtest.Relay(i + 1)
			r.config.Federation.GlobalRooms = []string{"room*"}
			r.config.EventLog = filepath.Join(dir, fmt.Sprint("relay", i))
			u.relays, u.logs = append(u.relays, r), append(u.logs, r.config.EventLog)
		}
		u.lab = u.relays[0]
		for _, pair := range pairs {
			a, b := u.relays[pair[0]], u.relays[pair[1]]
			a.config.Federation.Peers = append(a.config.Federation.Peers, relay.FederationPeer{
				Fingerprint: b.key.Fingerprint(), Label: fmt.Sprint("relay", pair[1]), Presence: word})
			b.config.Federation.Peers = append(b.config.Federation.Peers, relay.FederationPeer{
				Address: a.addr.String(), Fingerprint: a.key.Fingerprint(),
				Label: fmt.Sprint("relay", pair[0]), Presence: word})
			if err := l.net.SetPaths(a.addr.Addr(), b.addr.Addr(), paths); err != nil {
				t.Fatal(err)
			}
		}
		for _, r := range u.relays {
			r.startRelay()
			l.t.Cleanup(func() { r.stop() })
		}
		time.Sleep(2 * time.Second) // until they have links
		f(u)
	})
}

// chain and mesh are the pairs that link relays so.
func chain(n int) (pairs [][2]int) {
	for i := range n - 1 {
		pairs = append(pairs, [2]int{i, i + 1})
	}
	return pairs
}

func mesh(n int) (pairs [][2]int) {
	for i := range n {
		for j := range i {
			pairs = append(pairs, [2]int{j, i})
		}
	}
	return pairs
}

// agree waits until everybody sees everybody else, once, under the same id, and nobody besides.
func (u *union) agree(what string, limit time.Duration, people ...*person) time.Duration {
	u.t.Helper()
	begin := time.Now()
	u.eventually(what+": the lists agree", limit, func() bool {
		for _, p := range people {
			var want, got []string
			for _, q := range people {
				if q != p {
					want = append(want, fmt.Sprint(q.room.ID(), q.client.config.Name))
				}
			}
			for _, m := range p.room.Members() {
				got = append(got, fmt.Sprint(m.ID, m.Name))
			}
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				return false
			}
		}
		return true
	})
	return time.Since(begin)
}

// speakers has somebody on each relay say something at the same time, with event logs unless dir is "".
func (u *union) speakers(room string, length time.Duration, dir string) (list []*speaker) {
	for i, r := range u.relays {
		s := r.speaker(fmt.Sprint("speaker", i), speech.Must(u.t, voices[i], length))
		if dir != "" {
			u.logs = append(u.logs, filepath.Join(dir, s.name))
			s.logging(u.logs[len(u.logs)-1])
		}
		list = append(list, s.speaks(room))
	}
	return list
}

// TestFederationTopologies: however relays are linked, every member hears every talker on every relay, whole,
// each packet once, and no packet crosses a link twice.
func TestFederationTopologies(t *testing.T) {
	for _, net := range []struct {
		name   string
		relays int
		pairs  [][2]int
	}{
		{"chain", 3, chain(3)},
		{"triangle", 3, mesh(3)},
		{"mesh", 4, mesh(4)},
	} {
		t.Run(net.name, func(t *testing.T) {
			paths := simnet.Profile{Delay: 20 * time.Millisecond, Jitter: 5 * time.Millisecond, Seed: 1}
			var logs []string
			inUnion(t, net.relays, net.pairs, paths, func(u *union) {
				everybodyHears(t, u)
				logs = u.logs
			})
			onceEach(t, logs, net.relays)
		})
	}
}

func everybodyHears(t *testing.T, u *union) {
	dir := t.TempDir()
	var ears []*listener
	var people []*person
	for i, r := range u.relays {
		u.logs = append(u.logs, filepath.Join(dir, fmt.Sprint("listener", i)))
		ears = append(ears, r.listener(fmt.Sprint("listener", i), "room 1", u.logs[len(u.logs)-1]))
		people = append(people, ears[i].person)
	}
	if took := u.agree("all are there", 10*time.Second, people...); took > 8*time.Second {
		t.Errorf("it took %v until everybody knew of everybody", took)
	}
	speakers := u.speakers("room 1", 3*time.Second, dir)
	ended(speakers...)
	for _, ear := range ears {
		for _, s := range speakers {
			ear.whole(s)
		}
		ear.leave()
	}
	time.Sleep(time.Second)
}

// onceEach has the logs say that nothing was lost or delivered twice, to each of n listeners from each of n
// talkers, and that no packet crossed a link twice.
func onceEach(t *testing.T, paths []string, n int) {
	t.Helper()
	logs, err := eventlog.Find(paths)
	if err != nil {
		t.Fatal(err)
	}
	a := eventlog.NewAnalysis(100*time.Millisecond, time.Second)
	for _, log := range logs {
		if err := a.AddLog(log); err != nil {
			t.Fatal(err)
		}
	}
	r, seen := a.Report(), 0
	if v := r.Verdict; v.Twice > 0 || v.Malformed > 0 || v.Missing > 0 {
		t.Errorf("%+v", v)
	}
	for _, d := range r.Deliveries {
		if d.Stream != 0 || strings.HasPrefix(d.Listener.Name, "speaker") {
			continue // what members say about what they see, and who came later than others began
		}
		seen++
		if d.Delivered != d.Expected || d.Duplicated > 0 || d.Expected < 50 {
			t.Errorf("of %d packets of %s, %s got %d, %d twice: lost %+v", d.Expected, d.Talker.Name,
				d.Listener.Name, d.Delivered, d.Duplicated, d.Where)
		}
	}
	if seen != n*n {
		t.Errorf("%d pairs of talker and listener are in the logs, want %d", seen, n*n)
	}
}

// TestSixInTurn: talkers who follow each other with counters that begin alike are not taken for one.
func TestSixInTurn(t *testing.T) {
	inUnion(t, 2, chain(2), simnet.Profile{Delay: 20 * time.Millisecond}, func(u *union) {
		ear := u.relays[1].listener("listener", "room of six", "")
		for i := range 6 {
			s := u.speaker(fmt.Sprint("speaker", i), speech.Must(t, voices[i],
				2*time.Second)).speaks("room of six")
			ended(s)
			ear.whole(s)
		}
	})
}

// chaos is a full mesh of relays that are killed, started again and parted from each other.
type chaos struct {
	*union
	random *rand.Rand
	begin  time.Time
}

// TestFederationChaos: relays are killed and started again, they or paths between them are cut off and come
// back, one after the other and at once, while people talk. Afterwards everybody sees exactly who is there,
// everybody is heard everywhere, and nothing is left of what was.
func TestFederationChaos(t *testing.T) {
	const relays = 4
	seeds := []uint64{1}
	length := time.Minute
	if measuring {
		seeds, length = []uint64{uint64(time.Now().UnixNano()), 2, 3}, 5*time.Minute
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			paths := simnet.Profile{Delay: 10 * time.Millisecond, Jitter: 3 * time.Millisecond, Seed: seed}
			inUnion(t, relays, mesh(relays), paths, func(u *union) {
				c := &chaos{union: u, random: rand.New(rand.NewPCG(seed, seed))}
				var people []*person
				var mics []*Publication
				for i, r := range u.relays {
					for _, name := range []string{"talker", "listener"} {
						p := r.person(fmt.Sprint(name, i))
						p.deaf = true
						if err := p.join("room of chaos"); err != nil {
							t.Fatal(err)
						}
						people = append(people, p)
					}
					mics = append(mics, people[2*i].say(&drone{hz: annas}, PublishConfig{PushToTalk: true}))
				}
				c.agree("before", 15*time.Second, people...)
				goroutines, heap := use()
				c.rage(length, mics)
				t.Logf("all lists agree after %v", c.agree("after", 5*time.Minute, people...))
				time.Sleep(time.Minute) // what was is forgotten
				if g, h := use(); g > goroutines+10 || h > 2*heap {
					t.Errorf("%d goroutines, before %d; heap %.1f MB, before %.1f", g, goroutines,
						float64(h)/1e6, float64(heap)/1e6)
				}
				c.speechFlows(people)
			})
		})
	}
}

// use returns what the test's process uses.
func use() (goroutines int, heap uint64) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return runtime.NumGoroutine(), m.HeapAlloc
}

// rage does harm until time is up, and then no more. Somebody says something between harms.
func (c *chaos) rage(length time.Duration, mics []*Publication) {
	c.begin = time.Now()
	for time.Since(c.begin) < length {
		victim, outage := c.random.IntN(len(c.relays)), c.outage()
		mic := mics[c.random.IntN(len(mics))]
		mic.SetTalking(true)
		switch c.random.IntN(5) {
		case 0:
			c.die(victim, outage/4)
		case 1:
			c.cut(fmt.Sprint("relay", victim), c.pairsOf(victim), outage, nil)
		case 2:
			pair := c.pairs[c.random.IntN(len(c.pairs))]
			c.cut(fmt.Sprint("the path ", pair), [][2]int{pair}, outage, nil)
		case 3:
			other := (victim + 1 + c.random.IntN(len(c.relays)-1)) % len(c.relays)
			c.cut(fmt.Sprint("relay", other), c.pairsOf(other), outage, func() { c.die(victim, 0) })
		case 4:
			c.die(victim, 0)
			c.die((victim+1)%len(c.relays), outage/4)
		}
		mic.SetTalking(false)
		if c.random.IntN(3) > 0 { // else the next harm follows at once
			time.Sleep(c.outage() / 2)
		}
	}
}

// outage is a random time: one of four is so long that links are given up.
func (c *chaos) outage() time.Duration {
	outage := time.Duration(500+c.random.IntN(4500)) * time.Millisecond
	if c.random.IntN(4) == 0 {
		outage += 14 * time.Second
	}
	return outage
}

// die ends a relay, by force or with time to say goodbye, and starts it again after a while.
func (c *chaos) die(victim int, away time.Duration) {
	r := c.relays[victim]
	if c.random.IntN(3) == 0 {
		c.note("relay%d is stopped for %v", victim, away)
		r.stop()
	} else {
		c.note("relay%d is killed for %v", victim, away)
		r.kill()
	}
	time.Sleep(away)
	r.startRelay()
}

// pairsOf returns those that a relay is in.
func (c *chaos) pairsOf(relay int) [][2]int {
	return slices.DeleteFunc(slices.Clone(c.pairs), func(pair [2]int) bool {
		return pair[0] != relay &&
			pair[1] != relay
	})
}

// cut lets nothing pass between pairs of relays for a while, in whose midst something happens.
func (c *chaos) cut(what string, pairs [][2]int, outage time.Duration, midst func()) {
	c.note("%s is cut off for %v", what, outage)
	part := func(on bool) {
		for _, pair := range pairs {
			c.net.Partition(c.relays[pair[0]].addr.Addr(), c.relays[pair[1]].addr.Addr(), on)
		}
	}
	part(true)
	time.Sleep(outage / 2)
	if midst != nil {
		midst()
	}
	time.Sleep(outage / 2)
	part(false)
}

func (c *chaos) note(format string, args ...any) {
	c.t.Logf("%.1f s: %s", time.Since(c.begin).Seconds(), fmt.Sprintf(format, args...))
}

// speechFlows has somebody new on each relay heard by somebody new on each, whole.
func (c *chaos) speechFlows(people []*person) {
	c.t.Helper()
	var ears []*listener
	for i, r := range c.relays {
		ears = append(ears, r.listener(fmt.Sprint("late", i), "room of chaos", ""))
		people = append(people, ears[i].person)
	}
	c.agree("with newcomers", 15*time.Second, people...)
	speakers := c.speakers("room of chaos", 3*time.Second, "")
	ended(speakers...)
	for _, ear := range ears {
		for _, s := range speakers {
			ear.whole(s)
		}
	}
	c.agree("at the end", 15*time.Second, people...)
}
