package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the test binary be the command "wzp" for the scripts.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"wzp": main})
}

// TestScripts runs testdata/*.txtar: the command line as users and scripts see it. Beside testscript's own
// commands (see its documentation) there is
//
//	exits STATUS COMMAND [ARG...]
//
// which is exec for a command that must end with this exit status, and those of script_test.go. Each script
// has a home directory of its own, $HOME, which is empty.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			home := filepath.Join(env.WorkDir, "home")
			env.Values[backgroundKey{}] = make(map[string]*background)
			env.Setenv("HOME", home)
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(home, ".config"))
			return os.Mkdir(home, 0o755)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "relay": scriptRelay, "start": scriptStart, "await": scriptAwait,
			"stop":   scriptStop,
			"hangup": scriptHangup, "flood": scriptFlood, "same-number": scriptSameNumber,
			"trust": scriptTrust,
		},
	})
}

// exits is the script command described at TestScripts.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	status := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("cannot run %s: %v", args[1], err)
		}
		status = exit.ExitCode()
	}
	if status != want {
		ts.Fatalf("exit status %d, want %d", status, want)
	}
}
