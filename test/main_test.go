package test

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
)

// The scenarios run the program as its users do: several processes of one binary over real UDP sockets.
//
//	wzp join ──> tap ──> simnet.Proxy ──> tap ──> wzp relay <── wzp join, browser
//
// They are for what only processes, sockets, terminals and browsers can show, and must pass on a machine that
// has other things to do: so they assert what happens, and never how soon it does or how it sounds. What
// compares sound, time or shares of packets is tested in virtual time, in the packages. With WZP_MEASURE=1 in
// the environment they print what they measured.

// program is the path of the program, built once for all scenarios.
var program string

// measuring says that figures are to be printed. No test fails by them.
var measuring = os.Getenv("WZP_MEASURE") == "1"

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "wzp-test-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "wzp")
	build := exec.Command("go", "build", "-o", program, "github.com/wzp-voice/wzp/cmd/wzp")
	if signal.Ignored(syscall.SIGHUP) { // by nohup; what this process catches, its children do not ignore
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as released, and never with the race detector
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("cannot build the program: %w\n%s", err, out)
	}
	return m.Run(), nil
}
