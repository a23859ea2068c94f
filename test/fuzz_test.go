package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestFuzzScript: the end of a target's time, which Go reports as an error when the machine is busy, is no
// finding; anything else is.
func TestFuzzScript(t *testing.T) {
	const up = "fuzz: elapsed: 21s, execs: 4023 (0/sec), new interesting: 0 (total: 12)\n" +
		"--- FAIL: FuzzOne (21.01s)\n    context deadline exceeded\nFAIL\nexit status " +
		"1\nFAIL\texample\t21.2s\n"
	for name, test := range map[string]struct {
		output string
		fails  bool
	}{
		"time is up": {up, false},
		"finding": {"--- FAIL: FuzzOne (2s)\n    --- FAIL: FuzzOne (0.00s)\n        one_test.go:5: " +
			"bad\n\n    Failing input written to testdata/fuzz/FuzzOne/1\nFAIL\n", true},
		"at the end": {"--- FAIL: FuzzOne (2s)\n    context deadline exceeded\n    Failing input " +
			"written to testdata/fuzz/FuzzOne/1\nFAIL\n", true},
		"its own words": {"--- FAIL: FuzzOne (2s)\n    one_test.go:5: context deadline exceeded\nFAIL\n",
			true},
		"seed":  {"failure while testing seed corpus entry: FuzzOne/1\n" + up, true},
		"build": {"# example\none_test.go:5: undefined: x\nFAIL\texample [build failed]\n", true},
	} {
		dir := t.TempDir()
		// What the script calls in the place of go: one package with two targets, of which the first one ends
		// so.
		fake := "#!/bin/sh\ncase \"$*\" in\nlist*) echo example ;;\n*-list*) echo FuzzOne; echo FuzzTwo; " +
			"echo ok ;;\n" +
			"*FuzzOne*) cat '" + dir + "/output'; exit 1 ;;\n*) echo fuzzed the second ;;\nesac\n"
		write(t, filepath.Join(dir, "output"), test.output)
		if err := os.WriteFile(filepath.Join(dir, "go"), []byte(fake), 0o700); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("bash", filepath.Join("..", "tools", "fuzz.sh"), "1s")
		cmd.Env = append(os.Environ(), "GO="+filepath.Join(dir, "go"))
		out, err := cmd.CombinedOutput()
		if failed := err != nil; failed != test.fails ||
			failed == strings.Contains(string(out), "fuzzed the second") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
