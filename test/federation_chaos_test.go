package test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/audio/speech"
	"github.com/wzp-voice/wzp/internal/simnet"
)

// chaos is a full mesh of relays, on each of which somebody listens and somebody talks, that are killed, started again
// and parted from each other.
type chaos struct {
	*union
	random *rand.Rand
	begin  time.Time
	pairs  [][2]int
	people map[string]*client // by name
	all    []*process         // that were ever started
	spared int                // this relay is never killed, so that its memory can be compared
}

// usage is what a relay uses of the machine.
type usage struct {
	goroutines float64
	heap       float64 // bytes at which the next collection begins: twice what was alive after the last one
	resident   float64 // bytes
}

// What a relay may use more than before, when all is over.
const (
	moreGoroutines = 30
	moreHeap       = 1    // of what it was, which differs by half from relay to relay
	moreResident   = 30e6 // bytes; how much of what was freed the system has back is chance
)

// chaosLength is how long the chaos lasts.
func chaosLength() time.Duration { return latency(5*time.Minute, 10*time.Second) }

// backTime is how long links may take to come back when all roads are open. Who was not to be reached several times in
// a row is dialled less and less often.
func backTime() time.Duration { return latency(330*time.Second, 30*time.Second) }

// settled is how long lists may take to be alike everywhere when all links are up.
const settled = 15 * time.Second

// TestFederationChaos: relays are killed and started again, they or roads between them are cut off and come back, one
// after the other and at once, while people talk. Afterwards everybody sees exactly who is there, everybody is heard
// everywhere, and no relay uses more than before.
func TestFederationChaos(t *testing.T) {
	besideOthers(t)
	const relays = 4
	seed := uint64(1)
	if measuring {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("the seed is %d", seed)
	c := &chaos{random: rand.New(rand.NewPCG(seed, seed)), pairs: mesh(relays), people: make(map[string]*client)}
	c.union = federate(t, relays, c.pairs, "delay=10ms,jitter=3ms")
	for _, r := range c.relays {
		c.all = append(c.all, r.process)
	}
	t.Cleanup(c.keepLogs)
	c.spared = c.random.IntN(relays)
	c.enter()
	c.agree(settled)
	before := c.usage()
	c.rage()
	from := time.Now()
	for i := range c.relays {
		c.linked(i, backTime()-time.Since(from))
	}
	t.Logf("all links are up after %v", time.Since(from).Round(time.Millisecond))
	from = time.Now()
	c.agree(settled)
	t.Logf("all lists are alike after %v more", time.Since(from).Round(time.Millisecond))
	c.compare(before)
	c.speechFlows()
}

// enter has everybody join: a listener and a talker on each relay.
func (c *chaos) enter() {
	for i := range c.relays {
		c.join(i, fmt.Sprintf("listener%d", i), "--in", "none", "--out", "none")
		c.join(i, nameOf(i), "--in", fmt.Sprintf("tone:%d", 300+100*i), "--out", "none", "--no-dtx")
	}
	for _, p := range c.people {
		p.await("joined", soon)
	}
}

// join has somebody join on a relay.
func (c *chaos) join(relay int, name string, args ...string) *client {
	p := startJoin(c.t, c.relays[relay].addr, "room of chaos", append(args, "--name", name)...)
	c.people[name] = p
	c.all = append(c.all, p.process)
	return p
}

// rage does harm until time is up, and then no more.
func (c *chaos) rage() {
	c.begin = time.Now()
	for time.Since(c.begin) < chaosLength() {
		victim, outage := c.random.IntN(len(c.relays)), c.outage()
		switch c.random.IntN(5) {
		case 0:
			c.kill(victim, outage/4)
		case 1:
			c.cut(fmt.Sprintf("relay %d", victim), c.roadsOf(victim), outage, nil)
		case 2:
			pair := c.pairs[c.random.IntN(len(c.pairs))]
			c.cut(fmt.Sprintf("the road %v", pair), []*road{c.roads[pair]}, outage, nil)
		case 3:
			other := (victim + 1 + c.random.IntN(len(c.relays)-1)) % len(c.relays)
			c.cut(fmt.Sprintf("relay %d", other), c.roadsOf(other), outage, func() { c.kill(victim, 0) })
		case 4:
			c.kill(victim, 0)
			c.kill((victim+1)%len(c.relays), outage/4)
		}
		if c.random.IntN(3) > 0 { // else the next harm follows at once
			time.Sleep(c.outage() / 2)
		}
	}
}

// outage is a random time: of four one is so long, while measuring, that links are given up.
func (c *chaos) outage() time.Duration {
	outage := time.Duration(500+c.random.IntN(4500)) * time.Millisecond
	if !measuring {
		return outage / 2
	}
	if c.random.IntN(4) == 0 {
		outage += 14 * time.Second
	}
	return outage
}

// kill ends a relay, by force or with time to say goodbye, unless it is the spared one, and starts it again after a while.
func (c *chaos) kill(relay int, away time.Duration) {
	if relay == c.spared {
		return
	}
	old := c.relays[relay]
	if c.random.IntN(3) == 0 {
		c.note("relay %d is stopped for %v", relay, away)
		old.signal(syscall.SIGTERM)
		old.ends(0, soon)
	} else {
		c.note("relay %d is killed for %v", relay, away)
		old.kill()
		old.noPanic()
	}
	time.Sleep(away)
	c.relays[relay] = startRelayAt(c.t, old.addr, old.data, old.args...)
	c.all = append(c.all, c.relays[relay].process)
}

// roadsOf returns the roads that a relay has.
func (c *chaos) roadsOf(relay int) (roads []*road) {
	for pair, r := range c.roads {
		if pair[0] == relay || pair[1] == relay {
			roads = append(roads, r)
		}
	}
	return roads
}

// cut lets nothing pass on roads for a while, in whose midst something happens.
func (c *chaos) cut(what string, roads []*road, outage time.Duration, midst func()) {
	c.note("%s is cut off for %v", what, outage)
	for _, r := range roads {
		r.Block(simnet.Both, true)
	}
	time.Sleep(outage / 2)
	if midst != nil {
		midst()
	}
	time.Sleep(outage / 2)
	for _, r := range roads {
		r.Block(simnet.Both, false)
	}
}

func (c *chaos) note(format string, args ...any) {
	c.t.Logf("%s, %.1f s: %s", time.Now().UTC().Format("15:04:05.000"), time.Since(c.begin).Seconds(), fmt.Sprintf(format, args...))
}

// keepLogs keeps all that the programs printed, for who looks for the cause of a failure with go test -artifacts.
func (c *chaos) keepLogs() {
	if !c.t.Failed() {
		return
	}
	for i, p := range c.all {
		text := strings.Join(append(append([]string{strings.Join(p.cmd.Args, " ")}, p.stdout.lines()...), p.stderr.lines()...), "\n")
		if err := os.WriteFile(filepath.Join(c.t.ArtifactDir(), fmt.Sprintf("process%d.log", i)), []byte(text), 0o600); err != nil {
			c.t.Log(err)
		}
	}
}

// linked waits until a relay has all its links.
func (c *chaos) linked(relay int, timeout time.Duration) {
	c.t.Helper()
	c.until(fmt.Sprintf("relay %d has all its links", relay), timeout, func() bool {
		return c.relays[relay].metric("peers_up") == float64(len(c.roadsOf(relay)))
	})
}

// agree waits until everybody sees everybody else, once, under the same id, and nobody besides, and all relays count
// that many.
func (c *chaos) agree(timeout time.Duration) {
	c.t.Helper()
	var wrong []string
	for deadline := time.Now().Add(timeout); ; time.Sleep(100 * time.Millisecond) {
		if wrong = c.disagreements(); len(wrong) == 0 {
			return
		}
		if time.Now().After(deadline) {
			c.t.Errorf("not within %v all are agreed:\n%s", timeout, strings.Join(wrong, "\n"))
			return
		}
	}
}

// disagreements says who sees something else than what is.
func (c *chaos) disagreements() (wrong []string) {
	var all []string
	for name, p := range c.people {
		all = append(all, p.await("joined", soon).Member+" "+name)
	}
	slices.Sort(all)
	for name, p := range c.people {
		own := p.await("joined", soon).Member + " " + name
		want := slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == own })
		if got := p.present(); !slices.Equal(got, want) {
			wrong = append(wrong, fmt.Sprintf("%s sees %q, not %q", name, got, want))
		}
	}
	here := float64(len(c.people) / len(c.relays))
	for i, r := range c.relays {
		for metric, want := range map[string]float64{
			"members": here, "remote_members": float64(len(all)) - here, "bridged_rooms": 1, "peers_up": float64(len(c.roadsOf(i))),
		} {
			if got := r.metric(metric); got != want {
				wrong = append(wrong, fmt.Sprintf("relay %d has %s %v, not %v", i, metric, got, want))
			}
		}
	}
	return wrong
}

// present returns whom a client sees, by what it was told of who came and left: ids and names, sorted.
func (c *client) present() (list []string) {
	c.t.Helper()
	for _, line := range c.stdout.lines() {
		var e event
		if json.Unmarshal([]byte(line), &e) != nil {
			continue // a line that is being written
		}
		switch who := e.Member + " " + e.Name; e.Event {
		case "member_joined":
			list = append(list, who)
		case "member_left":
			if i := slices.Index(list, who); i >= 0 {
				list = slices.Delete(list, i, i+1)
			} else {
				c.t.Errorf("%v was told that %s has left, who was not there", c.cmd.Args[1:], who)
			}
		}
	}
	slices.Sort(list)
	return list
}

// speechFlows has everybody heard by new listeners, and then somebody new on each relay by everybody, whole.
func (c *chaos) speechFlows() {
	c.t.Helper()
	outs := make([]string, len(c.relays))
	for i := range c.relays {
		outs[i] = folder(c.t)
		c.join(i, fmt.Sprintf("late%d", i), "--in", "none", "--out", outs[i])
	}
	for i := range c.relays {
		for j := range c.relays {
			c.people[fmt.Sprintf("late%d", i)].hears(nameOf(j))
		}
	}
	c.agree(settled)
	for i := range c.relays { // silence is easier on the machine
		c.people[nameOf(i)].leave()
		delete(c.people, nameOf(i))
	}
	c.agree(settled)
	load := measureContention()
	sent, said := make([]event, len(c.relays)), make([][]float32, len(c.relays))
	speakers := make([]*client, len(c.relays))
	for i, r := range c.relays {
		var in string
		in, said[i] = sound(c.t, voices[i], 3*time.Second)
		speakers[i] = startJoin(c.t, r.addr, "room of chaos", "--in", in, "--out", "none", "--name", fmt.Sprintf("speaker%d", i))
	}
	for i, p := range speakers {
		sent[i] = p.finish(time.Minute)
	}
	c.agree(settled)
	load.stop(c.t)
	// So many programs share the machine that some frames are played too late. That all packets came is what counts.
	excuses := func(frames int) int { return frames / 16 }
	for i := range c.relays {
		got, late := c.people[fmt.Sprintf("listener%d", i)].leave(), c.people[fmt.Sprintf("late%d", i)].leave()
		for j := range c.relays {
			name := fmt.Sprintf("speaker%d", j)
			report := speech.Compare(said[j], heard(c.t, recordingOf(c.t, outs[i], name)))
			arrived(c.t, sent[j], late.talker(c.t, name), report, excuses)
			arrived(c.t, sent[j], got.talker(c.t, name), report, excuses)
		}
	}
	clear(c.people)
}

// usage reads what each relay uses.
func (c *chaos) usage() []usage {
	list := make([]usage, len(c.relays))
	for i, r := range c.relays {
		list[i] = usage{r.gauge("go_goroutines"), r.gauge("go_memstats_next_gc_bytes"), r.gauge("process_resident_memory_bytes")}
	}
	return list
}

// compare fails the test when relays go on using more than they did with the same people before. Of those that were
// killed the resident memory is that of another process.
func (c *chaos) compare(before []usage) {
	c.t.Helper()
	var now []usage
	defer func() {
		for i, b := range before {
			c.t.Logf("relay %d: %v goroutines, before %v; heap %.1f MB, before %.1f; resident %.1f MB, before %.1f", i,
				now[i].goroutines, b.goroutines, now[i].heap/1e6, b.heap/1e6, now[i].resident/1e6, b.resident/1e6)
		}
	}()
	c.until("all relays use as little as before", settled, func() bool {
		now = c.usage()
		for i, b := range before {
			if now[i].goroutines > b.goroutines+moreGoroutines || now[i].heap > b.heap*(1+moreHeap) {
				return false
			}
		}
		return now[c.spared].resident <= before[c.spared].resident+moreResident
	})
}

// gauge reads a metric that is not the relay's own.
func (r *relay) gauge(name string) float64 {
	r.t.Helper()
	answer, err := http.Get("http://" + r.admin + "/metrics")
	if err != nil {
		r.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	for line := range strings.Lines(string(body)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				r.t.Fatal(err)
			}
			return v
		}
	}
	r.t.Fatalf("no metric is called %s", name)
	return 0
}
