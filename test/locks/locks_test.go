package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestModule wants every mutex of the module in the list of its package.
func TestModule(t *testing.T) {
	if _, err := makeOverlay("../.."); err != nil {
		t.Error(err)
	}
}

const listed = `// Package p is made for a test.
//
// Locks, in the order in which they are taken:
//
//	T.outer  (I/O) a letter is written at a time
//	T.inner
//	global
//
// More is said later.
//
//	T.none
package p

import "sync"

type T struct {
	outer sync.Mutex
	inner sync.Mutex
	other int
}

var global sync.RWMutex

func (t *T) write() {
	log.Info("a letter", "to", t)
	t.log().Warn("another")
	t.other.Info("nothing")
}
`

// TestRewrite wants a file to be what it was but for its mutexes and what goes into the log, line by line.
func TestRewrite(t *testing.T) {
	s := &source{pkg: pkg{Name: "p"}, level: 4, first: 10, files: make(map[string]*file)}
	if err := s.add("p.go", []byte(listed)); err != nil {
		t.Fatal(err)
	}
	if problems := s.check(); len(problems) > 0 {
		t.Error(problems)
	}
	got := string(s.rewritten()["p.go"])
	want := strings.NewReplacer(
		"package p\n", "package p; import \""+orderedPath+"\"\n",
		"outer sync.Mutex", "outer ordered.Mutex[lockOf_T_outer]",
		"inner sync.Mutex", "inner ordered.Mutex[lockOf_T_inner]",
		"global sync.RWMutex", "global ordered.Mutex[lockOf_global]",
		"log.Info(", "ordered.Log(log).Info(",
		"t.log().Warn(", "ordered.Log(t.log()).Warn(",
	).Replace(listed)
	if head, _, _ := strings.Cut(got, "\nvar _ sync.Locker"); head != want {
		t.Errorf("rewritten:\n%s\nwant:\n%s", head, want)
	}
	for _, line := range []string{
		`var lockOf_T_outer_ = ordered.Lock{Name: "p.T.outer", Level: 4, Place: 10, IO: true}`,
		`var lockOf_global_ = ordered.Lock{Name: "p.global", Level: 4, Place: 12, IO: false}`,
	} {
		if !strings.Contains(got, line) {
			t.Errorf("missing %s in:\n%s", line, got)
		}
	}
}

// TestLevels has a package whose locks come before those of one that it does not import.
func TestLevels(t *testing.T) {
	_, before := parseList("P.\n\nLocks, in the order in which they are taken, before those of b, " +
		"c/d:\n\n\tT.mu\n")
	if len(before) != 2 || before[0] != "b" || before[1] != "c/d" {
		t.Errorf("before %q", before)
	}
	a, b, c := &source{pkg: pkg{ImportPath: "a"}}, &source{pkg: pkg{ImportPath: "b"}},
		&source{pkg: pkg{ImportPath: "c", Imports: []string{"b", "fmt"}}}
	a.before = []string{"c"}
	if err := setLevels([]*source{a, b, c}); err != nil || a.level != 2 || b.level != 0 || c.level != 1 {
		t.Errorf("%v; levels %d, %d, %d", err, a.level, b.level, c.level)
	}
	b.before = []string{"a"}
	if err := setLevels([]*source{a, b, c}); err == nil {
		t.Error("a circle is no problem")
	}
}

// TestProblems has lists that are not those of the mutexes.
func TestProblems(t *testing.T) {
	for _, test := range []struct{ name, from, to, problem string }{
		{"not listed", "//\tglobal\n", "", "p.go: global is not in the list"},
		{"no list", "Locks, in", "Locks in", "p.go: T.outer is not in the list"},
		{"gone", "var global sync.RWMutex", "", "global is in the list of locks, but does not exist"},
		{"twice", "//\tglobal\n", "//\tglobal\n//\tT.inner\n", "T.inner is twice"},
		{"local", "	log.Info", "	var mu sync.Mutex\n	log.Info", "a mutex is neither a field"},
		{"pointer", "other int", "other *sync.Mutex", "a mutex is neither a field"},
		{"two", "inner sync.Mutex", "inner, third sync.Mutex", "a mutex is neither a field"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &source{files: make(map[string]*file)}
			if err := s.add("p.go", []byte(strings.Replace(listed, test.from, test.to, 1))); err != nil {
				t.Fatal(err)
			}
			problems := s.check()
			if !strings.Contains(errors.Join(problems...).Error(), test.problem) {
				t.Errorf("%v, want %q", problems, test.problem)
			}
		})
	}
}

// injected is a test that does what it must not.
const injected = `package room

import "testing"

func TestInjected(t *testing.T) {
	var room Room
	var rooms Rooms
	room.mu.Lock()
	rooms.mu.Lock()
}
`

// TestInjected puts an inversion into a package of the module, which has to end its tests.
func TestInjected(t *testing.T) {
	out, err := runInjected(t, "internal/room", injected)
	if err == nil || !strings.Contains(out, "holds\n\troom.Room.mu\ntakes room.Rooms.mu,") ||
		!strings.Contains(out, "injected_test.go:9") {
		t.Errorf("%v, it said:\n%s", err, out)
	}
}

// dueTimers is a test of many goroutines in a bubble that receive from timers which are due.
const dueTimers = `package ordered

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestInjected(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				timer := time.NewTimer(time.Hour)
				for i := range 20000 {
					timer.Reset(-1)
					<-timer.C
					if i%100 == 0 {
						fired := make(chan struct{})
						time.AfterFunc(time.Millisecond, func() { close(fired) })
						<-fired
					}
				}
			})
		}
		wg.Wait()
	})
}
`

// TestDueTimers has the race detector survive timers in bubbles: that of 1.26 ends the test each time, unless
// that is mended.
func TestDueTimers(t *testing.T) {
	if path, _, err := mendTimers(); path == "" && err == nil {
		t.Log("this Go is a module, and cannot be mended")
		return
	}
	if out, err := runInjected(t, "test/locks/ordered", dueTimers, "-race"); err != nil {
		t.Errorf("%v (see timers.go), it said:\n%s", err, out)
	}
}

// runInjected runs the TestInjected that text has in a package of the module, with the overlay.
func runInjected(t *testing.T, dir, text string, flags ...string) (out string, err error) {
	t.Helper()
	path, err := makeOverlay("../..")
	if err != nil {
		t.Fatal(err)
	}
	var overlay struct{ Replace map[string]string }
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &overlay)
	}
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir()
	file := filepath.Join(temp, "injected_test.go")
	overlay.Replace[filepath.Join(root, dir, "injected_test.go")] = file
	if b, err = json.Marshal(overlay); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(temp, "overlay.json")
	for name, text := range map[string][]byte{file: []byte(text), path: b} {
		if err := os.WriteFile(name, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	args := append([]string{"test", "-vet=off", "-overlay", path, "-run", "^TestInjected$"}, flags...)
	cmd := exec.CommandContext(t.Context(), "go", append(args, "./"+dir)...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=1")
	b, err = cmd.CombinedOutput()
	return string(b), err
}
