package eventlog

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// events reads everything and returns the kinds, and the error that ended it.
func kinds(r *Reader) (list []Kind, err error) {
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return list, err
		}
		list = append(list, e.Kind)
	}
}

func TestReadWhatIsWritten(t *testing.T) {
	odd := full
	odd.Room, odd.Reason = "", "\u2028 \\ \x01"
	odd.RoomHash = HashRoom("tea")
	zero := Event{Kind: MediaIn, Src: ana}
	for _, want := range []Event{full, odd, zero, {Kind: Dropped, Count: 1<<63 - 1},
		{Kind: Start, Src: ana, Relay: north}} {
		line := appendLine(nil, &want)
		got, err := NewReader(bytes.NewReader(line), "x").Next()
		if err != nil {
			t.Errorf("%s: %v", line, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", line, diff)
		}
	}
}

func TestReadTolerantly(t *testing.T) {
	const ts = `"ts":"2026-01-02T03:04:05.000006Z"`
	text := strings.Join([]string{
		`{` + ts + `,"event":"start"}`,
		``,
		`{"event":"peer_up", ` + ts + `, "later": [1, {"x": 2}], "room": "t\u00e9a"}` + "\r",
		`{` + ts + `}`,
		`null`,
		`[]`,
		`{`,
		`{"ts":"yesterday","event":"stop"}`,
		`{` + ts + `,"event":"stop","src":"00"}`,
		`{` + ts + `,"event":"stop","peer":"00000000000000000000"}`,
		`{` + ts + `,"event":"stop","seq":-1}`,
		`{` + ts + `,"event":"stop","stream":256}`,
		`{` + ts + `,"event":"stop","name":"` + strings.Repeat("x", 2*maxLine) + `"}`,
		`{"ts":"2026-01-02T03:04:05+01:00","event":"stop"}`,
		`{` + ts + `,"event":"media_i`,
	}, "\n")
	for name, in := range map[string]io.Reader{"at once": strings.NewReader(text),
		"in bits": iotest.OneByteReader(strings.NewReader(text))} {
		t.Run(name, func(t *testing.T) {
			r := NewReader(in, "x.log")
			got, err := kinds(r)
			if diff := cmp.Diff([]Kind{Start, PeerUp, Stop}, got); diff != "" || err != nil {
				t.Error(diff, err)
			}
			want := []string{
				"x.log, line 4: not a JSON object with an event",
				"x.log, line 5: not a JSON object with an event",
				"x.log, line 6: not a JSON object with an event",
				"x.log, line 7: not JSON: unexpected end of JSON input",
				`x.log, line 8: ts is not a time: "yesterday"`,
				"x.log, line 9: src is not 12 hexadecimal digits",
				"x.log, line 10: peer is not 16 hexadecimal digits",
				"x.log, line 11: seq cannot be a number -1",
				"x.log, line 12: stream cannot be a number 256",
				"x.log, line 13: longer than 16384 bytes",
			}
			if diff := cmp.Diff(want, r.Errors); diff != "" {
				t.Error(diff)
			}
			if r.Malformed != len(want) || !r.Cut {
				t.Errorf("malformed %d, cut %v", r.Malformed, r.Cut)
			}
		})
	}
}

func TestReadMany(t *testing.T) {
	r := NewReader(strings.NewReader(strings.Repeat("x\n", 1000)), "x")
	if got, err := kinds(r); len(got) > 0 || err != nil || r.Malformed != 1000 || len(r.Errors) != maxNamed ||
		r.Cut {
		t.Error(got, err, r.Malformed, len(r.Errors), r.Cut)
	}
	failing := NewReader(io.MultiReader(strings.NewReader("x\n"), iotest.ErrReader(io.ErrUnexpectedEOF)), "x")
	if _, err := kinds(failing); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v: a file that cannot be read to its end is an error", err)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"a", "a.1", "a.2", "a.4", "b.7", "c", "d.x"} {
		if err := os.WriteFile(path(name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Find([]string{path("a.1"), path("b.7"), path("a"), dir + "/./c", path("c"), path("d.x")})
	if err != nil {
		t.Fatal(err)
	}
	want := []Log{
		{path("b.7"), []string{path("b.7")}}, {path("a"), []string{path("a.2"), path("a.1"), path("a")}},
		{path("c"), []string{path("c")}}, {path("d.x"), []string{path("d.x")}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := Find([]string{path("a"), path("nothing")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// FuzzReader feeds any bytes, and compares the quick way to read with the thorough one.
func FuzzReader(f *testing.F) {
	f.Add(appendLine(nil, &full))
	f.Add(slices.Concat(appendLine(nil, &Event{Kind: MediaIn, Src: ana, Seq: 1}), []byte("{\n\n"),
		appendLine(nil, &Event{Kind: Stop})))
	f.Add([]byte(`{"ts":"2026-02-29T00:00:00.000000Z","event":"stop","stream":255}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(bytes.NewReader(b), "fuzz")
		lines := 0
		for {
			e, err := r.Next()
			if err != nil {
				break
			}
			lines++
			if e.Kind == "" {
				t.Fatal("an event without a kind")
			}
		}
		if n := bytes.Count(b, []byte("\n")) + 1; lines+r.Malformed > n {
			t.Errorf("%d events and %d malformed lines of %d", lines, r.Malformed, n)
		}
		for line := range bytes.Lines(b) {
			if !r.quick(line) {
				continue
			}
			slow, err := parseLine(line)
			if err != nil {
				t.Fatalf("%q is read, but refused: %v", line, err)
			}
			if diff := cmp.Diff(slow, r.event); diff != "" {
				t.Errorf("%q: %s", line, diff)
			}
		}
	})
}
