package eventlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	north, south, west = PeerID{1: 1}, PeerID{1: 2}, PeerID{1: 3}
	ana, ben, cy       = MemberID{1: 0xa}, MemberID{1: 0xb}, MemberID{1: 0xc}
)

// readAll returns the events of a log, the oldest first, and fails for malformed lines.
func readAll(t *testing.T, path string) (all []Event) {
	t.Helper()
	logs, err := Find([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range logs[0].Files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		r := NewReader(f, name)
		for {
			e, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, e)
		}
		if r.Malformed > 0 || r.Cut {
			t.Fatalf("%s: malformed: %v, cut: %v", name, r.Errors, r.Cut)
		}
	}
	return all
}

// options are what is another than usual; 0: nothing is.
type options struct {
	MaxBytes int64
	Keep     int
	Failed   func(error)
}

func mustOpen(t *testing.T, path string, o options, size int) *Writer {
	t.Helper()
	w, err := newWriter(path, o.Failed, size)
	if err != nil {
		t.Fatal(err)
	}
	if o.MaxBytes > 0 {
		w.file.max = o.MaxBytes
	}
	if o.Keep > 0 {
		w.file.keep = o.Keep
	}
	go w.run()
	t.Cleanup(func() { w.Close() })
	return w
}

func mustClose(t *testing.T, w *Writer) {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// full has a value in every field.
var full = Event{
	Time: 1_700_000_000_123_456, Kind: FederationEgress, Room: "tea", Src: ana, Stream: 1, Epoch: 16,
	Seq: 1 << 61, Len: 70, ToCount: 3,
	Peer: PeerID{0x99, 0x83, 0xc2, 0xce, 0x87, 0xf9, 0x61, 0xb7}, Reason: "because", Action: "none",
	Members: 4, Relay: north, Name: "Ana \"\n\u00e9", Count: 5, Who: [4]byte{0xd1, 0xd2}, Hops: 3,
}

func TestLine(t *testing.T) {
	const want = `{"ts":"2023-11-14T22:13:20.123456Z","event":"federation_egress","room":"tea",` +
		`"src":"000a00000000","stream":1,"epoch":16,"seq":2305843009213693952,"len":70,"to_count":3,` +
		`"peer":"9983:c2ce:87f9:61b7","reason":"because",` +
		`"action":"none","participants":4,"relay":"0001:0000:0000:0000","name":"Ana \"\né","count":5,` +
		`"who":"d1d20000","hops":3}` + "\n"
	got := string(appendLine(nil, &full))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for name, tc := range map[string]struct {
		event Event
		want  string
	}{
		"nothing": {Event{Kind: PeerUp}, `"event":"peer_up"}`},
		"hash": {Event{Kind: RoomActive, RoomHash: [8]byte{1}},
			`"event":"room_active","room_hash":"0100000000000000"}`},
		"packet": {Event{Kind: MediaIn, Src: ana},
			`"event":"media_in","src":"000a00000000","stream":0,"epoch":0,"seq":0}`},
		"no packet": {Event{Kind: MemberLeft, Src: ana, Seq: 9},
			`"event":"member_left","src":"000a00000000"}`},
		"negative":  {Event{Kind: Forward, Len: -1, ToCount: -1, Members: -1}, `"event":"forward"}`},
		"not UTF-8": {Event{Kind: PeerDown, Reason: "\xff"}, `"event":"peer_down","reason":"\ufffd"}`},
		"very long text": {Event{Kind: PeerDown, Reason: strings.Repeat("x", 300)},
			`"event":"peer_down","reason":"` + strings.Repeat("x", 256) + `"}`},
	} {
		t.Run(name, func(t *testing.T) {
			got := string(appendLine(nil, &tc.event))
			if want := `{"ts":"1970-01-01T00:00:00.000000Z",` + tc.want + "\n"; got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}

func TestManyWriters(t *testing.T) {
	const goroutines, each = 8, 2000
	path := filepath.Join(t.TempDir(), "log")
	w := mustOpen(t, path, options{}, waiting)
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range each {
				w.Log(Event{Kind: MediaIn, Src: MemberID{byte(g), 1}, Seq: uint64(i)})
			}
		})
	}
	wg.Wait()
	mustClose(t, w)
	next := make(map[MemberID]uint64)
	for _, e := range readAll(t, path) {
		if e.Seq != next[e.Src] {
			t.Fatalf("seq %d of %x, want %d", e.Seq, e.Src, next[e.Src])
		}
		next[e.Src]++
	}
	for g := range goroutines {
		if n := next[MemberID{byte(g), 1}]; n != each {
			t.Errorf("goroutine %d: %d events, want %d", g, n, each)
		}
	}
}

// What finds no place is counted where it is missing, also at the end.
func TestOverflow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	w, err := newWriter(path, nil, 4)
	if err != nil {
		t.Fatal(err)
	}
	seq := uint64(0)
	log := func(n int) {
		for range n {
			w.Log(Event{Kind: MediaIn, Src: ana, Seq: seq})
			seq++
		}
	}
	log(3)
	w.drain()
	log(6) // 7 and 8 find no place
	w.drain()
	log(1)
	w.drain()
	log(4)
	e := <-w.events // as run does
	w.encode(&e)
	log(2) // 15 finds no place
	w.drain()
	go w.run()
	mustClose(t, w)
	var got []string
	for _, e := range readAll(t, path) {
		if e.Kind == Dropped {
			got = append(got, fmt.Sprint(e.Count, " missing"))
		} else {
			got = append(got, fmt.Sprint(e.Seq))
		}
	}
	want := []string{"0", "1", "2", "3", "4", "5", "6", "2 missing", "9", "10", "11", "12", "13", "14",
		"1 missing"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestOverflowCounts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	w := mustOpen(t, path, options{}, 64)
	const n = 50_000
	for i := range n {
		w.Log(Event{Kind: MediaIn, Src: ana, Seq: uint64(i)})
	}
	mustClose(t, w)
	next, dropped := uint64(0), uint64(0)
	for _, e := range readAll(t, path) {
		if e.Kind == Dropped {
			next += e.Count
			dropped += e.Count
			continue
		}
		if e.Seq != next {
			t.Fatalf("seq %d where %d should be", e.Seq, next)
		}
		next++
	}
	if next != n {
		t.Errorf("%d events are written or told to be missing, want %d", next, n)
	}
	if dropped == 0 {
		t.Error("nothing was dropped, so nothing was tested")
	}
}

func TestAfterClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	w := mustOpen(t, path, options{}, 64)
	w.Log(Event{Kind: Start, Relay: north})
	mustClose(t, w)
	mustClose(t, w)
	w.Log(Event{Kind: PeerUp})
	// The log is continued, also behind a line that was cut off.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"ts":`); err != nil {
		t.Fatal(err)
	}
	f.Close()
	w = mustOpen(t, path, options{}, 64)
	w.Log(Event{Kind: Start, Relay: south})
	w.Log(Event{Kind: Stop})
	mustClose(t, w)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	for i, want := range []string{`"event":"start"`, `"event":"stop"`, `{"ts":`, `"event":"start"`,
		`"event":"stop"`} {
		if i >= len(lines) || !strings.Contains(lines[i], want) {
			t.Fatalf("line %d has no %s: %q", i+1, want, lines)
		}
	}
	if len(lines) != 5 {
		t.Errorf("%d lines, want 5: %q", len(lines), lines)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v (%v), want 600", info.Mode(), err)
	}
}

func TestNil(t *testing.T) {
	var w *Writer
	w.Log(full)
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	const limit, keep, n = 4000, 2, 200
	synctest.Test(t, func(t *testing.T) {
		w := mustOpen(t, path, options{MaxBytes: limit, Keep: keep}, 64)
		w.Log(Event{Kind: Start, Relay: north, Name: "north"})
		for i := range n {
			w.Log(Event{Kind: MediaIn, Src: ana, Seq: uint64(i)})
			time.Sleep(20 * time.Millisecond)
		}
		mustClose(t, w)
	})
	names, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{path, path + ".1", path + ".2"}, names); diff != "" {
		t.Fatal(diff)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > limit {
			t.Errorf("%s has %d bytes", name, len(b))
		}
		first, _, _ := strings.Cut(string(b), "\n")
		if e, err := parseLine([]byte(first)); err != nil || e.Kind != Start || e.Relay != north ||
			e.Name != "north" || e.Reason != ReasonRotated {
			t.Errorf("%s begins with %s", name, first)
		}
	}
	next := uint64(0)
	for _, e := range readAll(t, path) {
		if e.Kind != MediaIn {
			continue
		}
		if next != 0 && e.Seq != next {
			t.Errorf("seq %d where %d should be", e.Seq, next)
		}
		next = e.Seq + 1
	}
	if next != n {
		t.Errorf("the last event is %d, want %d", next-1, n-1)
	}
}

// TestReopen has the log moved away, as logrotate does: from Reopen on it goes on under its name, and each
// file says who writes. Nothing is lost, and what cannot be opened changes nothing.
func TestReopen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "log")
	synctest.Test(t, func(t *testing.T) {
		w := mustOpen(t, path, options{}, 64)
		seq := uint64(0)
		log := func() {
			seq++
			w.Log(Event{Kind: MediaIn, Src: ana, Seq: seq})
		}
		w.Log(Event{Kind: Start, Relay: north, Name: "north"})
		log()
		if err := w.Reopen(); err != nil { // nobody moved it
			t.Error(err)
		}
		log()
		mustMove(t, path, path+"-old")
		if err := os.WriteFile(path, []byte("something else\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		log()
		if err := w.Reopen(); !errors.Is(err, errNotLog) {
			t.Errorf("over another file: %v", err)
		}
		log()
		mustMove(t, path, path+"-other")
		if err := w.Reopen(); err != nil {
			t.Error(err)
		}
		log()
		mustClose(t, w)
		if err := w.Reopen(); err != nil { // and is of no consequence
			t.Error(err)
		}
	})
	for name, want := range map[string][]uint64{path + "-old": {1, 2, 3, 4}, path: {5}} {
		var got []uint64
		events := readAll(t, name)
		if len(events) == 0 || events[0].Kind != Start || events[0].Relay != north {
			t.Errorf("%s does not begin with who writes: %v", name, events)
		}
		for _, e := range events {
			if e.Kind == MediaIn {
				got = append(got, e.Seq)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func mustMove(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// A log that cannot be written loses events, says so once, and goes on when it can.
func TestWriteFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "dir")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		var failures []error
		w := mustOpen(t, filepath.Join(dir, "log"), options{MaxBytes: 1,
			Failed: func(err error) { failures = append(failures, err) }}, 64)
		one := func(seq uint64) {
			w.Log(Event{Kind: MediaIn, Src: ana, Seq: seq})
			time.Sleep(time.Second)
		}
		one(0)
		if err := os.Rename(dir, dir+"-gone"); err != nil {
			t.Fatal(err)
		}
		one(1)
		one(2)
		if err := os.Rename(dir+"-gone", dir); err != nil {
			t.Fatal(err)
		}
		one(3)
		if err := w.Close(); err == nil {
			t.Error("Close does not say that writing failed")
		}
		if len(failures) != 1 {
			t.Errorf("told of %v, want one error", failures)
		}
		written, missing := 0, uint64(0)
		for _, e := range readAll(t, filepath.Join(dir, "log")) {
			missing += e.Count
			if e.Kind == MediaIn {
				written++
			}
		}
		if missing != 2 || written != 2 {
			t.Errorf("%d are written and the log says that %d are missing, want 2 and 2", written, missing)
		}
	})
}

func TestOpenFails(t *testing.T) {
	if _, err := Open(t.TempDir(), nil); err == nil {
		t.Error("a directory is no log")
	}
}

// A file that is no log stays as it is; one that a kill left with a part of a line, or with nothing, is
// continued.
func TestOpenOtherFiles(t *testing.T) {
	line := string(appendLine(nil, &full))
	for name, tc := range map[string]struct {
		content string
		log     bool
	}{
		"empty":               {"", true},
		"log":                 {line + line, true},
		"one line cut":        {line[:40], true},
		"start of a line":     {line[:3], true},
		"first line cut":      {line[:40] + "\n" + line, true},
		"only cut lines":      {line[:40] + "\n", true},
		"text":                {"data_dir = \"data\"\n", false},
		"text without an end": {"secret", false},
		"empty line":          {"\n", false},
		"no event": {`{"ts":"2026-01-02T03:04:05Z","msg":"stopped"}` + "\n" +
			`{"ts":"2026-01-02T03:04:05Z"}` + "\n", false},
		"no ts":                {`{"event":"start"}` + "\n", false},
		"ts that is no time":   {`{"ts":1.5,"event":"start"}` + "\n", false},
		"a log in second line": {"notes\n" + line, false},
		"very long line":       {`{"ts":"` + strings.Repeat("x", 3*maxLine) + "\n" + line, false},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(path, []byte(tc.content), 0o600); err != nil {
				t.Fatal(err)
			}
			w, err := Open(path, nil)
			if err == nil {
				mustClose(t, w)
			}
			if (err == nil) != tc.log || err != nil && !errors.Is(err, errNotLog) {
				t.Errorf("Open: %v; want a log: %v", err, tc.log)
			}
			if after, err := os.ReadFile(path); err != nil || string(after) != tc.content {
				t.Errorf("the file is now %q, %v", after, err)
			}
		})
	}
}

// A log that others may read, as touch makes it, is closed to them.
func TestOpenMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	mustClose(t, mustOpen(t, path, options{}, 64))
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v (%v), want 600", info.Mode(), err)
	}
}

func TestLogAllocatesNothing(t *testing.T) {
	w := mustOpen(t, filepath.Join(t.TempDir(), "log"), options{}, waiting)
	var off *Writer
	seq := uint64(0)
	if n := testing.AllocsPerRun(1000, func() {
		seq++
		e := Event{Kind: MediaIn, Room: "tea", Src: ana, Seq: seq, Len: 70}
		w.Log(e)
		off.Log(e)
	}); n >= 1 { // below 1: run may allocate beside it
		t.Errorf("%v allocations an event", n)
	}
}

func BenchmarkLog(b *testing.B) {
	w, err := Open(filepath.Join(b.TempDir(), "log"), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	b.ReportAllocs()
	for i := range b.N {
		w.Log(Event{Kind: MediaIn, Room: "tea", Src: ana, Seq: uint64(i), Len: 70})
	}
}

func BenchmarkLogNil(b *testing.B) {
	var w *Writer
	for i := range b.N {
		w.Log(Event{Kind: MediaIn, Room: "tea", Src: ana, Seq: uint64(i), Len: 70})
	}
}

// usual is an event as most are.
var usual = Event{Time: full.Time, Kind: FederationIngress, Room: "tea", Src: ana, Epoch: 16, Seq: 12345,
	Len: 70, Peer: north}

func BenchmarkLine(b *testing.B) {
	var buf []byte
	for b.Loop() {
		buf = appendLine(buf[:0], &usual)
	}
}

func BenchmarkRead(b *testing.B) {
	line := appendLine(nil, &usual)
	r := NewReader(bytes.NewReader(bytes.Repeat(line, b.N)), "x")
	b.ResetTimer()
	for range b.N {
		if _, err := r.Next(); err != nil {
			b.Fatal(err)
		}
	}
}
