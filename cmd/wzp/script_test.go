package main

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/relay"
)

// The commands for scripts in which several members meet:
//
//	relay                     runs a relay until the script ends; its address is $RELAY
//	start NAME WZP-ARG...     runs wzp in the background; what it prints goes to the file NAME.out.
//	                          With $OPEN_FILES it may have so many files open
//	await NAME PATTERN...     waits until lines of NAME.out match, each after what the one before matched
//	stop NAME                 interrupts it, which must end it with exit status 0
//	flood NAME COUNT LEFT     see scriptFlood
//	hangup NAME               sends it SIGHUP
//	same-number FILE FILE     fails unless the last safety numbers in both are the same
//	trust FILE                runs the "wzp id trust" of a warning in FILE, in a shell
//
// Nothing is expected within a certain time, but for a limit at which a script gives up.
const scriptPatience = 2 * time.Minute

// background is a process that start started.
type background struct {
	cmd  *exec.Cmd
	out  string        // file with what it prints
	done chan struct{} // closed when it has ended
}

// backgroundKey is where a script keeps its processes, by name.
type backgroundKey struct{}

func backgrounds(ts *testscript.TestScript) map[string]*background {
	return ts.Value(backgroundKey{}).(map[string]*background)
}

func scriptRelay(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: relay")
	}
	r, err := relay.New(relay.Config{
		Identity: identity.NewSeed().Identity(),
		Version:  "wzp test",
		Log:      slog.New(slog.DiscardHandler),
		Listen:   "127.0.0.1:0",
		Sockets:  1,
	})
	ts.Check(err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	ts.Defer(func() {
		stop()
		ts.Check(<-ended)
	})
	ts.Setenv("RELAY", r.Addr().String())
	ts.Setenv("RELAY_PORT", strconv.Itoa(int(r.Addr().Port())))
}

func scriptStart(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || backgrounds(ts)[args[0]] != nil {
		ts.Fatalf("usage: start NAME WZP-ARG...")
	}
	cmd := exec.Command("wzp", args[1:]...)
	if files := ts.Getenv("OPEN_FILES"); files != "" {
		cmd = exec.Command("sh", append([]string{"-c", "ulimit -n " + files + ` && exec wzp "$@"`, "sh"},
			args[1:]...)...)
	}
	b := &background{cmd: cmd, out: ts.MkAbs(args[0] + ".out"), done: make(chan struct{})}
	out, err := os.Create(b.out)
	ts.Check(err)
	b.cmd.Stdout, b.cmd.Stderr, b.cmd.Dir = out, out, ts.MkAbs(".")
	b.cmd.Env = append(os.Environ(), "HOME="+ts.Getenv("HOME"),
		"XDG_CONFIG_HOME="+ts.Getenv("XDG_CONFIG_HOME"))
	if secret := ts.Getenv(envSecret); secret != "" {
		b.cmd.Env = append(b.cmd.Env, envSecret+"="+secret)
	}
	ts.Check(b.cmd.Start())
	go func() {
		defer close(b.done)
		b.cmd.Wait() // its status is in ProcessState
		out.Close()
	}()
	ts.Defer(func() {
		b.cmd.Process.Kill()
		<-b.done
	})
	backgrounds(ts)[args[0]] = b
}

func scriptAwait(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || backgrounds(ts)[args[0]] == nil {
		ts.Fatalf("usage: await NAME PATTERN...")
	}
	b := backgrounds(ts)[args[0]]
	offset := 0
	for _, arg := range args[1:] {
		pattern, err := regexp.Compile("(?m)" + arg)
		ts.Check(err)
		offset += b.await(ts, pattern, offset)
	}
}

// await returns where the first match ends, in what was printed from offset on.
func (b *background) await(ts *testscript.TestScript, pattern *regexp.Regexp, offset int) int {
	tick, deadline := time.NewTicker(20*time.Millisecond), time.After(scriptPatience)
	defer tick.Stop()
	for over := false; ; {
		text, err := os.ReadFile(b.out)
		ts.Check(err)
		if at := pattern.FindIndex(text[offset:]); at != nil {
			return at[1]
		}
		if over {
			ts.Fatalf("nothing matches %v in:\n%s", pattern, text)
		}
		select {
		case <-tick.C:
		case <-deadline:
			over = true
		case <-b.done:
			over = true // one last look
		}
	}
}

func scriptStop(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 || backgrounds(ts)[args[0]] == nil {
		ts.Fatalf("usage: stop NAME")
	}
	b := backgrounds(ts)[args[0]]
	delete(backgrounds(ts), args[0])
	b.cmd.Process.Signal(os.Interrupt)
	select {
	case <-b.done:
	case <-time.After(scriptPatience):
		ts.Fatalf("%s does not stop", args[0])
	}
	if code := b.cmd.ProcessState.ExitCode(); code != 0 {
		text, _ := os.ReadFile(b.out)
		ts.Fatalf("%s ended with status %d:\n%s", args[0], code, text)
	}
}

func scriptHangup(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 || backgrounds(ts)[args[0]] == nil {
		ts.Fatalf("usage: hangup NAME")
	}
	ts.Check(backgrounds(ts)[args[0]].cmd.Process.Signal(syscall.SIGHUP))
}

var safetyNumbers = regexp.MustCompile(`(?:Safety number: |"number":")([0-9 ]+)`)

func scriptSameNumber(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: same-number FILE FILE")
	}
	var last [2]string
	for i, file := range args {
		numbers := safetyNumbers.FindAllStringSubmatch(ts.ReadFile(file), -1)
		if len(numbers) == 0 {
			ts.Fatalf("%s has no safety number", file)
		}
		last[i] = numbers[len(numbers)-1][1]
	}
	if last[0] != last[1] {
		ts.Fatalf("%s and %s have different safety numbers: %s, %s", args[0], args[1], last[0], last[1])
	}
}

var trustCommand = regexp.MustCompile(`wzp id trust .*`)

func scriptTrust(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: trust FILE")
	}
	ts.Check(ts.Exec("sh", "-c", trustCommand.FindString(ts.ReadFile(args[0]))))
}
