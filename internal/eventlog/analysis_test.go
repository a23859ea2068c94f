package eventlog

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// madeUp are the logs of a call that never was: Ana on north talks; Ben is on south, Cy on west.
//
//	Ana ── north ── south ── Ben
//	                  └───── west ── Cy
type madeUp struct {
	logs map[string][]Event
}

const second = int64(1_000_000) // microseconds

func newMadeUp() *madeUp {
	m := &madeUp{logs: make(map[string][]Event)}
	for name, id := range map[string]PeerID{"north": north, "south": south, "west": west} {
		m.log(name, Event{Time: second, Kind: Start, Relay: id, Name: name})
	}
	for _, c := range []struct {
		name string
		id   MemberID
		home PeerID
	}{{"Ana", ana, north}, {"Ben", ben, south}, {"Cy", cy, west}} {
		m.log(c.name, Event{Time: 2 * second, Kind: Start, Room: "tea", Src: c.id, Relay: c.home,
			Name: c.name},
			Event{Time: 3 * second, Kind: Joined, Room: "tea", Src: c.id, Members: 3})
	}
	return m
}

func (m *madeUp) log(name string, events ...Event) { m.logs[name] = append(m.logs[name], events...) }

// step is a way that a packet takes: from one log to another.
type step struct {
	from, to  string
	out, in   Event
	transport int64 // microseconds
}

var steps = []step{
	{"Ana", "north", Event{Kind: MediaOut}, Event{Kind: MediaIn}, 10_000},
	{"north", "south", Event{Kind: FederationEgress, Peer: south},
		Event{Kind: FederationIngress, Peer: north}, 40_000},
	{"south", "west", Event{Kind: FederationEgress, Peer: west}, Event{Kind: FederationIngress, Peer: south},
		40_000},
	{"south", "Ben", Event{Kind: LocalDeliver, ToCount: 1}, Event{Kind: MediaIn}, 10_000},
	{"west", "Cy", Event{Kind: LocalDeliver, ToCount: 1}, Event{Kind: MediaIn}, 10_000},
}

// packet sends a packet of Ana along all ways. What happens on one is said by its name: "lost", "again"
// (arrives once more), "twice" (is sent once more), "late", "not sent".
func (m *madeUp) packet(seq uint64, epoch uint8, at int64, what map[string]string) {
	arrived := map[string]int64{"Ana": at}
	for _, s := range steps {
		at, came := arrived[s.from]
		fate := what[s.from+" "+s.to]
		if !came || fate == "not sent" {
			continue
		}
		out, in := s.out, s.in
		for _, e := range []*Event{&out, &in} {
			e.RoomHash, e.Src, e.Epoch, e.Seq, e.Len = HashRoom("tea"), ana, epoch, seq, 70
		}
		out.Time = at
		m.log(s.from, out)
		if fate == "twice" {
			m.log(s.from, out)
		}
		if fate == "lost" {
			continue
		}
		in.Time = at + s.transport
		if fate == "late" {
			in.Time += 200_000
		}
		m.log(s.to, in)
		if fate == "again" {
			m.log(s.to, in)
		}
		arrived[s.to] = in.Time
	}
}

// analyze writes the logs and reads them.
func (m *madeUp) analyze(t *testing.T, grace time.Duration) *Report {
	t.Helper()
	dir := t.TempDir()
	a := NewAnalysis(100*time.Millisecond, grace)
	var paths []string
	for name, events := range m.logs {
		var b []byte
		for _, e := range events {
			b = appendLine(b, &e)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	slices.Sort(paths)
	logs, err := Find(paths)
	if err != nil {
		t.Fatal(err)
	}
	for _, log := range logs {
		if err := a.AddLog(log); err != nil {
			t.Fatal(err)
		}
	}
	return a.Report()
}

// hopText is a hop in short: who, epoch, sent, arrived, lost, repeated, duplicated, late.
func hopTexts(r *Report) (list []string) {
	for _, h := range r.Hops {
		list = append(list, fmt.Sprintf("%s %d: %s-%s %v %v %v %v %v %v", h.Kind, h.Epoch, name(h.From),
			name(h.To),
			h.Sent, h.Arrived, h.Lost, h.Repeated, h.Duplicated, h.Late))
	}
	return list
}

// deliveryTexts are deliveries in short: who, sent, expected, delivered, lost, duplicated, late, where.
func deliveryTexts(r *Report) (list []string) {
	for _, d := range r.Deliveries {
		text := fmt.Sprintf("%s-%s %d %d %d %d %d %d", name(d.Talker), name(d.Listener), d.Sent, d.Expected,
			d.Delivered, d.Lost, d.Duplicated, d.Late)
		for _, p := range d.Where {
			text += fmt.Sprintf(" [%s-%s %s %d]", name(p.From), name(p.To), p.Reason, p.Count)
		}
		list = append(list, text)
	}
	return list
}

func name(p Party) string {
	if p.Name != "" {
		return p.Name
	}
	return p.ID
}

// stop ends all logs some time after what was sent last.
func (m *madeUp) stop(at int64) {
	for name := range m.logs {
		m.log(name, Event{Time: at, Kind: Stop})
	}
}

func TestAllIsWell(t *testing.T) {
	m := newMadeUp()
	for i := range 100 {
		m.packet(uint64(i), uint8(i/50), 5*second+int64(i)*20_000, nil)
	}
	m.stop(20 * second)
	r := m.analyze(t, time.Second)
	want := []string{
		"up 0: Ana-north 50 50 0 0 0 0", "link 0: north-south 50 50 0 0 0 0",
		"link 0: south-west 50 50 0 0 0 0",
		"down 0: south-Ben 50 50 0 0 0 0", "down 0: west-Cy 50 50 0 0 0 0",
		"up 1: Ana-north 50 50 0 0 0 0", "link 1: north-south 50 50 0 0 0 0",
		"link 1: south-west 50 50 0 0 0 0",
		"down 1: south-Ben 50 50 0 0 0 0", "down 1: west-Cy 50 50 0 0 0 0",
	}
	if diff := cmp.Diff(want, hopTexts(r)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"Ana-Ben 100 100 100 0 0 0", "Ana-Cy 100 100 100 0 0 0"},
		deliveryTexts(r)); diff != "" {
		t.Error(diff)
	}
	verdict := Verdict{ExactlyOnce: true, Talkers: 1, Listeners: 2, Sent: 100, Expected: 200, Delivered: 200,
		TailMS: 100}
	if diff := cmp.Diff(verdict, r.Verdict); diff != "" {
		t.Error(diff)
	}
	for _, l := range r.Links {
		if l.Packets != 100 || l.Twice != 0 || l.Last-l.First < 99*20_000 {
			t.Errorf("%+v", l)
		}
	}
	if len(r.Links) != 2 || len(r.Drops) != 0 {
		t.Errorf("%d links, %d drops", len(r.Links), len(r.Drops))
	}
}

// Everything that goes wrong is found where it went wrong.
func TestTroubleIsLocated(t *testing.T) {
	m := newMadeUp()
	trouble := map[int]map[string]string{
		10: {"Ana north": "lost"},
		20: {"north south": "lost"},
		21: {"north south": "lost"},
		30: {"south west": "lost"},
		40: {"south Ben": "lost"},
		41: {"west Cy": "lost"},
		50: {"south west": "not sent"},
		60: {"west Cy": "not sent"},
		70: {"north south": "twice"},
		71: {"south west": "again"},
		72: {"south Ben": "again"},
		80: {"north south": "late"},
		81: {"west Cy": "late"},
	}
	for i := range 100 {
		m.packet(uint64(i), 0, 5*second+int64(i)*20_000, trouble[i])
	}
	m.log("south", Event{Time: 9 * second, Kind: RateLimitDrop, Room: "tea", Src: ana, Seq: 50, Peer: north,
		Reason: "too many packets"})
	m.log("west", Event{Time: 9 * second, Kind: DedupDrop, Room: "tea", Src: ana, Seq: 71, Peer: south},
		Event{Time: 9 * second, Kind: FederationIngressMalformed, Peer: south, Len: 3})
	m.stop(20 * second)
	r := m.analyze(t, time.Second)
	want := []string{
		"up 0: Ana-north 100 99 1 0 0 0",
		"link 0: north-south 99 97 2 1 0 1",
		"link 0: south-west 96 95 1 0 1 0",
		"down 0: south-Ben 97 96 1 0 1 0",
		"down 0: west-Cy 94 93 1 0 0 1",
	}
	if diff := cmp.Diff(want, hopTexts(r)); diff != "" {
		t.Error(diff)
	}
	wantDeliveries := []string{
		"Ana-Ben 100 100 96 4 1 1 [north-south  2] [Ana-north  1] [south-Ben  1]",
		"Ana-Cy 100 100 93 7 0 2 [north-south  2] [Ana-north  1] [south-south rate_limit_drop 1] " +
			"[south-west  1] [west-west  1] [west-Cy  1]",
	}
	if diff := cmp.Diff(sortedPlaces(wantDeliveries), sortedPlaces(deliveryTexts(r))); diff != "" {
		t.Error(diff)
	}
	verdict := Verdict{
		Talkers: 1, Listeners: 2, Sent: 100, Expected: 200, Delivered: 189, Lost: 11, Duplicated: 1, Late: 3,
		Twice:  2,
		TailMS: float64(9*second-(5*second+99*20_000)) / 1000,
	}
	if diff := cmp.Diff(verdict, r.Verdict); diff != "" {
		t.Error(diff)
	}
	var drops []string
	for _, d := range r.Drops {
		drops = append(drops, fmt.Sprintf("%s %s %s from %s: %d", name(d.Relay), d.Kind, d.Reason,
			name(*d.Peer), d.Count))
	}
	if diff := cmp.Diff([]string{
		"south rate_limit_drop too many packets from north: 1", "west dedup_drop  from south: 1",
		"west federation_ingress_malformed  from south: 1",
	}, drops); diff != "" {
		t.Error(diff)
	}
}

// sortedPlaces puts the places of each delivery in order, for those of equal counts are ordered by ids.
func sortedPlaces(list []string) (sorted []string) {
	for _, text := range list {
		parts := strings.Split(text, " [")
		slices.Sort(parts[1:])
		sorted = append(sorted, strings.Join(parts, " ["))
	}
	return sorted
}

// Six talkers one after another, whose counters begin alike, are six.
func TestEqualCounters(t *testing.T) {
	m := newMadeUp()
	for n := range 6 {
		id := MemberID{9, byte(n)}
		at := int64(5+n) * second
		talker := fmt.Sprint("talker ", n)
		m.log(talker, Event{Time: 4 * second, Kind: Start, Room: "tea", Src: id, Relay: north})
		for seq := range uint64(10) {
			packet := Event{Time: at + int64(seq), Room: "tea", Src: id, Seq: seq}
			for _, place := range []struct {
				log  string
				kind Kind
			}{{talker, MediaOut}, {"north", MediaIn}, {"Ana", MediaIn}} {
				packet.Kind = place.kind
				m.log(place.log, packet)
			}
			packet.Kind, packet.ToCount = LocalDeliver, 1
			m.log("north", packet)
		}
	}
	delete(m.logs, "Ben")
	delete(m.logs, "Cy")
	m.stop(20 * second)
	r := m.analyze(t, time.Second)
	if v := r.Verdict; !v.ExactlyOnce || v.Talkers != 6 || v.Listeners != 1 || v.Delivered != 60 {
		t.Errorf("%+v", v)
	}
}

// Who comes while somebody talks gets no key from before, and who leaves does not get what is under way.
func TestComesAndGoes(t *testing.T) {
	for name, tc := range map[string]struct {
		joined, left int64
		// of packets 0 to 99, every 20 ms from 5 s on; epoch 1 from packet 50 on
		heard func(i int) bool
		want  string
	}{
		"was there":                {3, 20, func(int) bool { return true }, "Ana-Ben 100 100 100 0 0 0"},
		"comes in the middle":      {5, 20, func(i int) bool { return i >= 50 }, "Ana-Ben 100 50 50 0 0 0"},
		"misses the first":         {5, 20, func(i int) bool { return i >= 60 }, "Ana-Ben 100 50 40 10 0 0"},
		"hears what it should not": {5, 20, func(i int) bool { return i >= 40 }, "Ana-Ben 100 60 60 0 0 0"},
		"leaves":                   {3, 6, func(i int) bool { return i < 48 }, "Ana-Ben 100 48 48 0 0 0"},
		"hears nothing":            {3, 20, func(int) bool { return false }, "Ana-Ben 100 100 0 100 0 0"},
		"comes later":              {10, 20, func(int) bool { return false }, ""},
		"never joins":              {0, 20, func(int) bool { return false }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := &madeUp{logs: make(map[string][]Event)}
			m.log("Ana", Event{Time: second, Kind: Start, Room: "tea", Src: ana, Relay: north, Name: "Ana"})
			m.log("Ben", Event{Time: second, Kind: Start, Room: "tea", Src: ben, Relay: north, Name: "Ben"})
			if tc.joined > 0 {
				m.log("Ben", Event{Time: tc.joined*second + 1, Kind: Joined, Room: "tea", Src: ben})
			}
			for i := range 100 {
				e := Event{Time: 5*second + int64(i)*20_000, Kind: MediaOut, Room: "tea", Src: ana,
					Seq: uint64(i), Epoch: uint8(i / 50)}
				m.log("Ana", e)
				if e.Kind = MediaIn; tc.heard(i) {
					m.log("Ben", e)
				}
			}
			m.log("Ben", Event{Time: tc.left * second, Kind: Stop})
			r := m.analyze(t, 100*time.Millisecond)
			got := strings.Join(deliveryTexts(r), ";")
			got, _, _ = strings.Cut(got, " [")
			if got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// Without a log of one end nobody knows what was lost, and an outsider is not expected to hear anything.
func TestWhatIsNotKnown(t *testing.T) {
	m := newMadeUp()
	for i := range 10 {
		m.packet(uint64(i), 0, 5*second, nil)
	}
	m.log("Ana", Event{Time: 4 * second, Kind: MemberJoined, Room: "tea", Src: cy, Reason: ReasonOutside})
	delete(m.logs, "south")
	m.logs["Cy"] = slices.DeleteFunc(m.logs["Cy"], func(e Event) bool { return e.Kind == MediaIn })
	m.stop(20 * second)
	r := m.analyze(t, time.Second)
	want := []string{
		"up 0: Ana-north 10 10 0 0 0 0", "link 0: north-0002:0000 10 - - 0 - -",
		"link 0: 0002:0000-west - 10 - - 0 -",
		"down 0: 0002:0000-Ben - 10 - - 0 -",
	}
	got := hopTexts(r)
	for i := range got {
		got[i] = strings.ReplaceAll(got[i], "0002:0000:0000:0000", "0002:0000")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"Ana-Ben 10 10 10 0 0 0"}, deliveryTexts(r)); diff != "" {
		t.Error(diff)
	}
}

// A relay whose path is not known, for nothing ever came, is no reason to fail.
func TestNothingComes(t *testing.T) {
	for name, tc := range map[string]struct{ way, fate, want string }{
		"not sent to a peer": {"north south", "not sent", "[north-north  10]"},
		"lost on the link":   {"north south", "lost", "[north-south  10]"},
		"lost further on":    {"south west", "lost", "[north-west  10]"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMadeUp()
			for i := range 10 {
				m.packet(uint64(i), 0, 5*second, map[string]string{tc.way: tc.fate})
			}
			m.stop(20 * second)
			last := deliveryTexts(m.analyze(t, time.Second))[1]
			if tc.way == "north south" {
				last = deliveryTexts(m.analyze(t, time.Second))[0]
			}
			if !strings.HasSuffix(last, tc.want) {
				t.Errorf("%q, want %s", last, tc.want)
			}
		})
	}
}

// Logs with holes prove nothing.
func TestHoles(t *testing.T) {
	for name, hole := range map[string]Event{
		"dropped":        {Time: 6 * second, Kind: Dropped, Count: 7},
		"no start":       {},
		"nameless start": {Time: 6 * second, Kind: Start},
		"no hole":        {Time: 6 * second, Kind: "of a later version"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMadeUp()
			m.packet(0, 0, 5*second, nil)
			if name == "no start" {
				m.logs["north"] = m.logs["north"][1:]
			} else {
				m.log("north", hole)
			}
			m.stop(20 * second)
			r := m.analyze(t, time.Second)
			if want := name == "no hole"; r.Verdict.ExactlyOnce != want {
				t.Errorf("%+v", r.Verdict)
			}
			if name == "dropped" && r.Verdict.Missing != 7 {
				t.Errorf("%d missing", r.Verdict.Missing)
			}
		})
	}
}

func TestMalformedLinesAreInTheReport(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	start := appendLine(nil, &Event{Kind: Start, Relay: north})
	if err := os.WriteFile(path, append(start, "x\ny\n{"...), 0o600); err != nil {
		t.Fatal(err)
	}
	a := NewAnalysis(100*time.Millisecond, time.Second)
	if err := a.AddLog(Log{path, []string{path}}); err != nil {
		t.Fatal(err)
	}
	r := a.Report()
	if l := r.Logs[0]; l.Malformed != 2 || len(l.Errors) != 2 ||
		!strings.HasPrefix(l.Errors[1], path+", line 3: not JSON") || !l.Cut || l.Events != 1 {
		t.Errorf("%+v", l)
	}
	if r.Verdict.Malformed != 2 {
		t.Errorf("%+v", r.Verdict)
	}
	if err := a.AddLog(Log{path, []string{path + ".gone"}}); err == nil {
		t.Error("a file that cannot be read is an error")
	}
}
