// Command locks makes an overlay for go build and go test, in which the mutexes of this module know their
// place in the order of locks (package ordered). It prints the overlay's path:
//
//	go test -overlay "$(go run ./test/locks)" ./...
//
// The order is what the packages' documents say (list.go). A mutex that is not listed there, or a listed one
// that does not exist, is an error. Sources keep their lines: what a test or a stack says of them is true.
// Tests' own mutexes are left alone. One file of Go itself is mended, too, with which the race detector would
// fail at times (timers.go).
//
//	go list ── packages, those above first ──+
//	doc.go ── the list of locks ─────────────+──> rewrite ──> copies of the files with mutexes, overlay.json
//	*.go ── fields that are mutexes ─────────+
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	path, err := makeOverlay(".")
	if err != nil {
		fmt.Fprintln(os.Stderr, "locks:", err)
		os.Exit(1)
	}
	fmt.Println(path)
}

// pkg is what go list says of a package.
type pkg struct {
	ImportPath, Name, Dir string
	GoFiles, CgoFiles     []string
	IgnoredGoFiles        []string // of other systems: their locks are listed, too
	Imports               []string
}

// makeOverlay writes the overlay of the module at dir, and returns the path of its description. It is always
// the same, so that what was built with it is not built again.
func makeOverlay(dir string) (string, error) {
	packages, err := list(dir)
	if err != nil {
		return "", err
	}
	sources, err := readSources(packages)
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	root, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	out := filepath.Join(cache, "wzp-locks", strings.ReplaceAll(root, string(filepath.Separator), "-"))
	replace := make(map[string]string)
	for _, s := range sources {
		for name, text := range s.rewritten() {
			path := filepath.Join(out, s.pkg.ImportPath, name)
			replace[filepath.Join(s.pkg.Dir, name)] = path
			err = errors.Join(err, write(path, text))
		}
	}
	timers, text, failed := mendTimers()
	if timers == "" && failed == nil {
		fmt.Fprintln(os.Stderr, "locks: this Go is a module: its race detector may end tests with SIGSEGV "+
			"(https://go.dev/issue/78156). Install Go itself")
	}
	if text != nil {
		replace[timers] = filepath.Join(out, "runtime", "time.go")
		err = errors.Join(err, write(replace[timers], text))
	}
	description, _ := json.Marshal(map[string]any{"Replace": replace}) // texts only
	path := filepath.Join(out, "overlay.json")
	return path, errors.Join(err, failed, write(path, description))
}

// write leaves a file alone that is as wanted.
func write(path string, text []byte) error {
	if is, err := os.ReadFile(path); err == nil && bytes.Equal(is, text) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

// list returns the packages of the module, each after those that it imports.
func list(dir string) ([]pkg, error) {
	const fields = "ImportPath,Name,Dir,GoFiles,CgoFiles,IgnoredGoFiles,Imports,Module"
	cmd := exec.Command("go", "list", "-deps", "-json="+fields, "./...")
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var packages []pkg
	for in := json.NewDecoder(bytes.NewReader(out)); in.More(); {
		var p struct {
			pkg
			Module *struct{ Main bool }
		}
		if err := in.Decode(&p); err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		if p.Module != nil && p.Module.Main && p.ImportPath != orderedPath {
			packages = append(packages, p.pkg)
		}
	}
	return packages, nil
}
