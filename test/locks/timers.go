package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Go 1.26 has one context of the race detector for all timers of a bubble of testing/synctest, and goroutines
// that receive from timers which are due use it at the same time: once in some dozens of runs that ends the
// tests with a segmentation violation (https://go.dev/issue/78156). These are the lines of runtime/time.go,
// and what they are instead: each processor has a context, as it has for timers outside of bubbles.
var bubbleTimers = [][2]string{
	{"\t\t\ttsLocal = &bubble.timers\n", "\t\t\ttsLocal = &gp.m.p.ptr().timers\n"},
	{"\t\t\tgp.racectx = bubble.timers.raceCtx\n", "\t\t\tgp.racectx = gp.m.p.ptr().timers.raceCtx\n"},
}

// mendTimers returns the path of runtime/time.go and its text with the lines replaced, or nil if this Go has
// not exactly these lines. If this Go lies among the modules, where nothing can be replaced, the path is
// empty.
func mendTimers() (path string, text []byte, err error) {
	out, err := exec.Command("go", "env", "GOROOT", "GOMODCACHE").Output()
	if err != nil {
		return "", nil, fmt.Errorf("go env: %w", err)
	}
	root, modules, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	path = filepath.Join(root, "src", "runtime", "time.go")
	if rel, err := filepath.Rel(modules, path); err == nil && filepath.IsLocal(rel) {
		return "", nil, nil
	}
	if text, err = os.ReadFile(path); err != nil {
		return "", nil, err
	}
	for _, line := range bubbleTimers {
		if bytes.Count(text, []byte(line[0])) != 1 {
			return path, nil, nil
		}
		text = bytes.Replace(text, []byte(line[0]), []byte(line[1]), 1)
	}
	return path, text, nil
}
