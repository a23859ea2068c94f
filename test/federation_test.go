package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/simnet"
)

// analysis is what `wzp analyze --json` prints, as far as these tests look at it.
type analysis struct {
	Event  string
	Talker struct{ ID, Name string }
	Stream int
	// Of a delivery:
	Listener                              struct{ ID, Name string }
	Sent, Expected, Delivered, Duplicated int
	Where                                 json.RawMessage
	// Of a link:
	From, To       struct{ ID, Name string }
	Packets, Twice int
	// Of a log:
	Path               string
	Malformed, Dropped int
}

// analyze has the logs analyzed by the program.
func analyze(t *testing.T, logs []string) (list []analysis) {
	t.Helper()
	cmd := command(t, "", append([]string{"analyze", "--json"}, logs...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("wzp analyze: %v\n%s", err, &stderr)
	}
	for line := range strings.Lines(string(out)) {
		var a analysis
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatalf("not JSON: %q: %v", line, err)
		}
		list = append(list, a)
	}
	return list
}

// stop ends the relays as SIGTERM does, so that their logs are whole.
func (u *union) stop() {
	u.t.Helper()
	for _, r := range u.relays {
		r.signal(syscall.SIGTERM)
	}
	for _, r := range u.relays {
		r.ends(0, soon)
	}
}

// present waits until all of the clients see others.
func (u *union) present(clients []*client, names ...string) {
	u.t.Helper()
	for i, c := range clients {
		for _, name := range names {
			if name != nameOf(i) {
				c.sees(name)
			}
		}
	}
}

// TestFederation: in a chain of relays every member hears every talker on every relay, in a file of its own;
// when nobody talks nothing crosses the links; and the event logs of all programs tell of it. That each
// packet comes, once, however relays are linked, is TestFederationTopologies in the root package.
func TestFederation(t *testing.T) {
	t.Parallel()
	const n = 3
	u := federate(t, n, chain(n), "delay=20ms,jitter=5ms")
	listeners, names := make([]*client, n), make([]string, n)
	outs := make([]string, n)
	for i, r := range u.relays {
		outs[i], names[i] = folder(t), nameOf(i)
		log := filepath.Join(outs[i], "client.jsonl")
		u.logs = append(u.logs, log)
		listeners[i] = join(t, r.addr, "room 1", "--in", "none", "--out", outs[i], "--name", nameOf(i),
			"--event-log", log)
	}
	u.present(listeners, names...)
	talkers := make([]*client, n)
	for i, r := range u.relays {
		in, _ := sound(t, voices[i], 3*time.Second)
		log := filepath.Join(outs[i], "talker.jsonl")
		u.logs = append(u.logs, log)
		talkers[i] = startJoin(t, r.addr, "room 1", "--in", in, "--out", "none", "--name",
			fmt.Sprintf("speaker%d", i), "--event-log", log)
	}
	for i, c := range talkers {
		if sent := c.finish(patience); sent.PacketsSent == 0 {
			t.Errorf("speaker%d sent nothing", i)
		}
	}
	for _, r := range u.relays {
		r.settled("federation_frames_out_total")
	}
	for i, c := range listeners {
		e := c.leave()
		for j := range n {
			name := fmt.Sprintf("speaker%d", j)
			if s := e.talker(t, name); s.Received == 0 || s.Forged > 0 {
				t.Errorf("client %d: %+v", i, s)
			}
			if wholeWAV(t, recordingOf(t, outs[i], name)) == 0 {
				t.Errorf("client %d: the recording of %s is empty", i, name)
			}
		}
	}
	u.stop()
	u.logged(n * n)
}

// logged has the program say of the logs that they are whole and tell of so many pairs of a talker and a
// listener who is no talker. What became of each packet it prints, while measuring.
func (u *union) logged(pairs int) {
	u.t.Helper()
	seen := 0
	for _, a := range analyze(u.t, u.logs) {
		switch {
		case a.Event == "log" && (a.Malformed > 0 || a.Dropped > 0):
			u.t.Errorf("the log %s is not whole: %+v", a.Path, a)
		case a.Event == "delivery" && a.Stream == 0 && !strings.HasPrefix(a.Listener.Name, "speaker"):
			seen++
			if a.Expected == 0 || a.Delivered == 0 {
				u.t.Errorf("of %d packets of %s, %s got %d", a.Expected, a.Talker.Name, a.Listener.Name,
					a.Delivered)
			}
			if measuring {
				u.t.Logf("of %d packets of %s, %s got %d, %d twice: lost %s", a.Expected, a.Talker.Name,
					a.Listener.Name, a.Delivered, a.Duplicated, a.Where)
			}
		case a.Event == "link" && measuring:
			u.t.Logf("%d of %d packets crossed the link from %s to %s twice", a.Twice, a.Packets, a.From.Name,
				a.To.Name)
		}
	}
	if seen != pairs {
		u.t.Errorf("%d pairs of talker and listener are in the logs, want %d", seen, pairs)
	}
}

// TestFederationRestarts: relays are killed and stopped and started again, and one is cut off for a while.
// Afterwards everybody sees exactly who is there, and who comes then hears everybody. More of that is
// TestFederationChaos in the root package.
func TestFederationRestarts(t *testing.T) {
	t.Parallel()
	const n = 3
	u := federate(t, n, mesh(n), "delay=10ms")
	people := make(map[string]*client)
	enter := func(relay int, name string, args ...string) {
		people[name] = startJoin(t, u.relays[relay].addr, "room of chaos",
			append(args, "--name", name, "--out", "none")...)
	}
	for i := range n {
		enter(i, fmt.Sprintf("listener%d", i), "--in", "none")
		enter(i, nameOf(i), "--in", "tone", "--no-dtx")
	}
	u.agree(people)
	for i, end := range []func(r *relay){
		func(r *relay) { r.kill(); r.noPanic() },
		func(r *relay) { r.signal(syscall.SIGTERM); r.ends(0, soon) },
	} {
		old := u.relays[i]
		end(old)
		u.relays[i] = startRelayAt(t, old.addr, old.data, old.args...)
	}
	for _, on := range []bool{true, false} {
		for pair, road := range u.roads {
			if pair[1] == 2 {
				road.Block(simnet.Both, on)
			}
		}
		time.Sleep(2 * time.Second)
	}
	u.agree(people)
	for i := range n {
		enter(i, fmt.Sprintf("late%d", i), "--in", "none")
		for j := range n {
			people[fmt.Sprintf("late%d", i)].hears(nameOf(j))
		}
	}
	u.agree(people)
	for _, p := range people {
		p.leave()
	}
}

// agree waits until everybody sees everybody else, once, under the same id, and nobody besides, and all
// relays count that many.
func (u *union) agree(people map[string]*client) {
	u.t.Helper()
	for _, p := range people {
		p.await("joined", soon)
	}
	var wrong []string
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		if wrong = u.disagreements(people); len(wrong) == 0 {
			return
		}
		if time.Now().After(deadline) {
			u.t.Fatalf("not within %v all are agreed:\n%s", patience, strings.Join(wrong, "\n"))
		}
	}
}

// disagreements says who sees something else than what is.
func (u *union) disagreements(people map[string]*client) (wrong []string) {
	var all []string
	for name, p := range people {
		all = append(all, p.await("joined", soon).Member+" "+name)
	}
	slices.Sort(all)
	for name, p := range people {
		own := p.await("joined", soon).Member + " " + name
		want := slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == own })
		if got := p.present(); !slices.Equal(got, want) {
			wrong = append(wrong, fmt.Sprintf("%s sees %q, not %q", name, got, want))
		}
	}
	here := float64(len(people) / len(u.relays))
	for i, r := range u.relays {
		for metric, want := range map[string]float64{
			"members": here, "remote_members": float64(len(all)) - here, "bridged_rooms": 1,
			"peers_up": float64(len(u.relays) - 1),
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
