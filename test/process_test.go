package test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// How long things may take before a test gives up. Nothing is proved by them, and only a failure takes so
// long: a machine may be busy with other things.
const (
	soon     = time.Minute     // what does not wait for sound
	patience = 3 * time.Minute // what does
)

// process is a running program whose output is kept line by line.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout transcript
	stderr transcript
	done   chan struct{} // closed when it has ended and all output is there
}

// newHome makes a home directory, in which identity and known relays are kept.
func newHome(t *testing.T) string {
	t.Helper()
	home := filepath.Join(t.TempDir(), "home")
	if err := os.Mkdir(home, 0o755); err != nil {
		t.Fatal(err)
	}
	return home
}

// environment is this process' own with another home, and without an invite secret.
func environment(home string) []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "XDG_") && !strings.HasPrefix(v, "HOME=") &&
			!strings.HasPrefix(v, "WZP_SECRET=") {
			env = append(env, v)
		}
	}
	return append(env, "HOME="+home)
}

// command is wzp with args, in a home of its own if home is "".
func command(t *testing.T, home string, args ...string) *exec.Cmd {
	t.Helper()
	if home == "" {
		home = newHome(t)
	}
	cmd := exec.Command(program, args...)
	cmd.Env = environment(home)
	cmd.Dir = home
	return cmd
}

// launch starts a command; the end of the test kills what is left of it.
func launch(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, cmd: cmd, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.stdout, &p.stderr
	if err := cmd.Start(); err != nil {
		t.Fatalf("cannot start %v: %v", cmd.Args, err)
	}
	go func() {
		defer close(p.done)
		cmd.Wait() // its status is in ProcessState
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("%v\nstdout:\n%s\nstderr:\n%s", cmd.Args[1:], p.stdout.brief(), p.stderr.brief())
		}
	})
	return p
}

// wait returns the exit status, and fails the test when the process does not end in time.
func (p *process) wait(timeout time.Duration) int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(timeout):
		p.t.Fatalf("%v still runs after %v", p.cmd.Args[1:], timeout)
	}
	return p.cmd.ProcessState.ExitCode()
}

// ends fails the test unless the process ends in time with this status.
func (p *process) ends(status int, timeout time.Duration) {
	p.t.Helper()
	if got := p.wait(timeout); got != status {
		p.t.Errorf("%v: exit status %d, want %d\n%s", p.cmd.Args[1:], got, status, p.stderr.tail(30))
	}
	p.noPanic()
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
}

// kill ends the process as kill -9 does.
func (p *process) kill() {
	p.t.Helper()
	p.signal(os.Kill)
	<-p.done
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

func (p *process) noPanic() {
	p.t.Helper()
	all := strings.Join(p.stderr.lines(), "\n")
	if strings.Contains(all, "goroutine ") || strings.Contains(all, "panic:") ||
		strings.Contains(all, "DATA RACE") {
		p.t.Errorf("%v crashed:\n%s", p.cmd.Args[1:], all)
	}
}

// failsInOneLine fails the test unless the process ended with this status and exactly one line on standard
// error, which holds all the words.
func (p *process) failsInOneLine(status int, timeout time.Duration, words ...string) {
	p.t.Helper()
	p.ends(status, timeout)
	lines := p.stderr.lines()
	if len(lines) != 1 {
		p.t.Errorf("%v: %d lines on standard error, want 1:\n%s", p.cmd.Args[1:], len(lines),
			strings.Join(lines, "\n"))
		return
	}
	for _, word := range words {
		if !strings.Contains(lines[0], word) {
			p.t.Errorf("%v says %q, which does not mention %q", p.cmd.Args[1:], lines[0], word)
		}
	}
}

// transcript collects what a process prints. The zero value is ready.
type transcript struct {
	mu      sync.Mutex // guards what follows
	text    []string   // whole lines
	part    []byte     // of the next one
	changed chan struct{}
}

// Write implements io.Writer.
func (tr *transcript) Write(b []byte) (int, error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.part = append(tr.part, b...)
	for {
		i := bytes.IndexByte(tr.part, '\n')
		if i < 0 {
			break
		}
		tr.text = append(tr.text, string(tr.part[:i]))
		tr.part = tr.part[i+1:]
	}
	if tr.changed != nil {
		close(tr.changed)
		tr.changed = nil
	}
	return len(b), nil
}

// lines returns all so far; an unfinished line counts.
func (tr *transcript) lines() []string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	lines := append([]string(nil), tr.text...)
	if len(tr.part) > 0 {
		lines = append(lines, string(tr.part))
	}
	return lines
}

func (tr *transcript) tail(n int) string {
	lines := tr.lines()
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// brief returns the last lines, cut short: of many processes, what a test says of its failure must still be
// found.
func (tr *transcript) brief() string {
	lines := tr.lines()
	lines = lines[max(0, len(lines)-5):]
	for i, line := range lines {
		lines[i] = line[:min(len(line), 160)]
	}
	return strings.Join(lines, "\n")
}

// after waits for a line, from number from on, of which match is true, and returns its number. ok is false
// when time is up or over is closed without one.
func (tr *transcript) after(from int, match func(string) bool, over <-chan struct{},
	timeout time.Duration) (number int, ok bool) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	last := false
	for {
		tr.mu.Lock()
		for ; from < len(tr.text); from++ {
			if match(tr.text[from]) {
				tr.mu.Unlock()
				return from, true
			}
		}
		if tr.changed == nil {
			tr.changed = make(chan struct{})
		}
		changed := tr.changed
		tr.mu.Unlock()
		if last {
			return 0, false
		}
		select {
		case <-changed:
		case <-over:
			last = true // output may have come since
		case <-timer.C:
			return 0, false
		}
	}
}

// line returns line number n.
func (tr *transcript) line(n int) string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.text[n]
}
