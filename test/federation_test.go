package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/audio/speech"
)

// alike is how long lists of participants may take to be alike everywhere: a second, if the machine has time.
func alike() time.Duration { return latency(time.Second, 5*time.Second) }

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

// frames is how many media frames all relays have sent to their peers.
func (u *union) frames() (n float64) {
	for _, r := range u.relays {
		n += r.metric("federation_frames_out_total")
	}
	return n
}

// present waits until all of the clients see others, and only them.
func (u *union) present(clients []*client, names ...string) {
	u.t.Helper()
	for i, c := range clients {
		for _, name := range names {
			if name == nameOf(i) {
				continue
			}
			if _, ok := c.find(alike(), func(e event) bool { return e.Event == "member_joined" && e.Name == name }); !ok {
				u.t.Errorf("client %d is not told within %v that %s is here", i, alike(), name)
			}
		}
	}
}

// TestFederationTopologies: however relays are linked, every member hears every talker on every relay, each packet once,
// and no packet crosses a link twice.
func TestFederationTopologies(t *testing.T) {
	besideOthers(t)
	for _, net := range []struct {
		name   string
		relays int
		pairs  [][2]int
	}{
		{"chain", 3, chain(3)},
		{"triangle", 3, mesh(3)},
		{"mesh", 4, mesh(4)},
	} {
		if net.name == "triangle" && !measuring {
			continue // the mesh is four of them
		}
		t.Run(net.name, func(t *testing.T) { everybodyHears(t, net.relays, net.pairs) })
	}
}

func everybodyHears(t *testing.T, n int, pairs [][2]int) {
	const length = 3 * time.Second
	load := measureContention()
	u := federate(t, n, pairs, "delay=20ms,jitter=5ms")
	listeners := make([]*client, n)
	outs := make([]string, n)
	for i, r := range u.relays {
		outs[i] = folder(t)
		log := filepath.Join(outs[i], "client.jsonl")
		u.logs = append(u.logs, log)
		listeners[i] = join(t, r.addr, "room 1", "--in", "none", "--out", outs[i], "--name", nameOf(i), "--event-log", log)
	}
	names := make([]string, n)
	for i := range names {
		names[i] = nameOf(i)
	}
	u.present(listeners, names...)
	talkers, said := make([]*client, n), make([][]float32, n)
	for i, r := range u.relays {
		var in string
		in, said[i] = sound(t, voices[i], length)
		log := filepath.Join(outs[i], "talker.jsonl")
		u.logs = append(u.logs, log)
		talkers[i] = startJoin(t, r.addr, "room 1", "--in", in, "--out", "none", "--name", fmt.Sprintf("speaker%d", i), "--event-log", log)
	}
	sent := make([]event, n)
	for i, c := range talkers {
		sent[i] = c.finish(time.Minute)
	}
	time.Sleep(500 * time.Millisecond)
	before := u.frames()
	time.Sleep(time.Second)
	if after := u.frames(); after != before {
		t.Errorf("nobody talks, and %v frames cross the links", after-before)
	}
	var got []event
	for _, c := range listeners {
		got = append(got, c.leave())
	}
	excuses := load.stop(t)
	u.stop()
	for i, e := range got {
		for j := range n {
			name := fmt.Sprintf("speaker%d", j)
			arrived(t, sent[j], e.talker(t, name), speech.Compare(said[j], heard(t, recordingOf(t, outs[i], name))), excuses)
		}
	}
	u.onceEach(n * n)
}

// arrived fails the test unless all that a talker sent came, and is heard as far as the machine had time to play it.
func arrived(t *testing.T, sent event, s talker, report speech.Report, excuses func(int) int) {
	t.Helper()
	excused := 2 * excuses(report.Active)
	if late := int(sent.PacketsSent) - int(s.Received); s.Lost != 0 || s.Forged != 0 || late < 0 || late > excused {
		t.Errorf("%s sent %d packets, %d came, %d are lost, %d forged; the machine excuses %d", s.Name, sent.PacketsSent, s.Received, s.Lost, s.Forged, excused)
	}
	if report.Active < 20 || len(report.Missing) > excused {
		t.Errorf("%s: %d of %d spoken frames are missing, %d excused: %v", s.Name, len(report.Missing), report.Active, excused, report.Missing)
	}
}

// onceEach has the logs say that nothing was lost or delivered twice, to so many pairs of a talker and a listener who
// is no talker, and that no packet crossed a link twice.
func (u *union) onceEach(pairs int) {
	u.t.Helper()
	seen := 0
	for _, a := range analyze(u.t, u.logs) {
		switch a.Event {
		case "log":
			if a.Malformed > 0 || a.Dropped > 0 {
				u.t.Errorf("the log %s is not whole: %+v", a.Path, a)
			}
		case "delivery":
			if strings.HasPrefix(a.Listener.Name, "speaker") || a.Stream != 0 {
				continue // who came later than others began, and what members say about what they see
			}
			seen++
			if a.Delivered != a.Expected || a.Duplicated > 0 || a.Expected == 0 {
				u.t.Errorf("of %d packets of %s, %s got %d, %d twice: lost %s", a.Expected, a.Talker.Name, a.Listener.Name, a.Delivered, a.Duplicated, a.Where)
			}
		case "link":
			if a.Twice > 0 {
				u.t.Errorf("%d packets crossed the link from %s to %s twice", a.Twice, a.From.Name, a.To.Name)
			}
		}
	}
	if seen != pairs {
		u.t.Errorf("%d pairs of talker and listener are in the logs, want %d", seen, pairs)
	}
}

// TestSixInTurn: talkers who follow each other with counters that begin alike are not taken for one.
func TestSixInTurn(t *testing.T) {
	besideOthers(t)
	u := federate(t, 2, chain(2), "delay=20ms")
	out := folder(t)
	load := measureContention()
	listener := join(t, u.relays[1].addr, "room of six", "--in", "none", "--out", out, "--name", "listener")
	sent, said := make([]event, 6), make([][]float32, 6)
	for i := range sent {
		var in string
		in, said[i] = sound(t, voices[i], 2*time.Second)
		sent[i] = startJoin(t, u.relays[0].addr, "room of six", "--in", in, "--out", "none", "--name", nameOf(i)).finish(time.Minute)
	}
	time.Sleep(500 * time.Millisecond)
	got := listener.leave()
	excuses := load.stop(t)
	for i := range sent {
		arrived(t, sent[i], got.talker(t, nameOf(i)), speech.Compare(said[i], heard(t, recordingOf(t, out, nameOf(i)))), excuses)
	}
	if n := u.relays[1].metric(`peer_duplicates_total{peer="relay0"}`); n != 0 {
		t.Errorf("%v packets were taken for duplicates", n)
	}
}
