package ordered

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

type (
	upper struct{}
	first struct{}
	last  struct{}
	pipe  struct{}
)

var (
	upperLock = Lock{Name: "upper.mu", Level: 2, Place: 7}
	firstLock = Lock{Name: "lower.first", Level: 1, Place: 1}
	lastLock  = Lock{Name: "lower.last", Level: 1, Place: 2}
	pipeLock  = Lock{Name: "lower.pipe", Level: 1, Place: 0, IO: true}
)

func (upper) Lock() *Lock { return &upperLock }
func (first) Lock() *Lock { return &firstLock }
func (last) Lock() *Lock  { return &lastLock }
func (pipe) Lock() *Lock  { return &pipeLock }

// scenes are what goroutines do, each in a process of its own, and what is said of it; "": nothing.
var scenes = map[string]struct {
	says string
	play func()
}{
	"in order": {"", func() {
		var u Mutex[upper]
		var a Mutex[first]
		var b Mutex[last]
		for range 3 {
			u.Lock()
			a.Lock()
			b.RLock()
			u.Unlock()
			b.RUnlock()
			b.Lock()
			a.Unlock()
			b.Unlock()
		}
	}},
	"another goroutine": {"", func() {
		var a Mutex[first]
		var b Mutex[last]
		b.Lock()
		var wg sync.WaitGroup
		wg.Go(func() {
			a.Lock()
			b.Unlock() // which whoever took it has asked for
			a.Unlock()
		})
		wg.Wait()
		a.Lock()
		defer a.Unlock()
	}},
	"many goroutines": {"", func() {
		var a Mutex[first]
		var wg sync.WaitGroup
		n := 0
		for range 64 {
			wg.Go(func() {
				var b Mutex[last]
				for range 1000 {
					a.Lock()
					b.Lock()
					n++
					b.Unlock()
					a.Unlock()
				}
			})
		}
		wg.Wait()
		if n != 64_000 {
			panic(n)
		}
	}},
	"waits": {"", func() {
		var mu Mutex[first]
		c := sync.NewCond(&mu)
		ready := false
		var wg sync.WaitGroup
		wg.Go(func() {
			mu.Lock()
			ready = true
			mu.Unlock()
			c.Signal()
		})
		mu.Lock()
		for !ready {
			c.Wait()
		}
		mu.Unlock()
		wg.Wait()
	}},
	"tries": {"", func() {
		var a Mutex[first]
		var b Mutex[last]
		b.Lock()
		if !a.TryLock() || a.TryLock() {
			panic("TryLock")
		}
		a.Unlock()
		b.Unlock()
	}},
	"sends": {"", func() {
		var p Mutex[pipe]
		p.Lock()
		IO("a letter")
		p.Unlock()
		IO("a letter")
	}},
	"inversion": {"holds\n\tlower.last\ntakes lower.first,", func() {
		var a Mutex[first]
		var b Mutex[last]
		b.Lock()
		a.Lock()
	}},
	"inversion of a reader": {"holds\n\tlower.first\n\tlower.last\ntakes lower.pipe,", func() {
		var a Mutex[first]
		var b Mutex[last]
		var p Mutex[pipe]
		a.Lock()
		b.RLock()
		p.Lock()
	}},
	"upwards": {"holds\n\tlower.last\ntakes upper.mu,", func() {
		var u Mutex[upper]
		var b Mutex[last]
		b.Lock()
		u.Lock()
	}},
	"two of a kind": {"holds\n\tlower.first\ntakes lower.first,", func() {
		var a, b Mutex[first]
		a.Lock()
		b.Lock()
	}},
	"tried before": {"holds\n\tlower.last\ntakes lower.first,", func() {
		var a Mutex[first]
		var b Mutex[last]
		b.TryLock()
		a.Lock()
	}},
	"I/O": {"holds\n\tlower.pipe\n\tlower.first\nbegins I/O (a letter),", func() {
		var p Mutex[pipe]
		var a Mutex[first]
		p.Lock()
		a.Lock()
		IO("a letter")
	}},
}

// TestScenes plays each in a process of its own, for a wrong one ends it.
func TestScenes(t *testing.T) {
	if name := os.Getenv("WZP_SCENE"); name != "" {
		scenes[name].play()
		return
	}
	for name, scene := range scenes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, status := playScene(t, "TestScenes", name)
			if scene.says == "" && status != 0 || scene.says != "" &&
				(status != 3 || !strings.Contains(out, scene.says) ||
					!strings.Contains(out, "ordered_test.go:")) {
				t.Errorf("status %d, want %q; it said:\n%s", status, scene.says, out)
			}
		})
	}
}

// playScene runs a test of this package in another process.
func playScene(t *testing.T, test, scene string) (out string, status int) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run", "^"+test+"$")
	cmd.Env = append(os.Environ(), "WZP_SCENE="+scene)
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &b
	if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	return b.String(), cmd.ProcessState.ExitCode()
}
