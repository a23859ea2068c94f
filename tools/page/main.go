// Command page builds what the relay serves as its page, from the sources in web/, into web/dist, which is
// committed and embedded: so the program is built, and installed, without this tool.
//
//	web/*/*.js ── esbuild ──> door, room, sheets, worker, worklet ───┐
//	style.css, index.html, words/*.js ─────────────> door-LANG.html ─┼─> brotli, gzip ──> web/dist/*, list.json
//	icon.svg ───────── drawn ──────────────────────> icon-*.png     ─┘
//
// The same sources make the same bytes. "bash tools/page.sh" builds, "bash tools/page.sh --check" fails when
// web/dist is not what the sources make.
package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/andybalholm/brotli"
)

func main() {
	check := flag.Bool("check", false, "fail when web/dist is stale, and write nothing")
	web := flag.String("web", "web", "folder with the sources")
	flag.Parse()
	if err := run(*web, *check); err != nil {
		fmt.Fprintln(os.Stderr, "page: "+err.Error())
		os.Exit(1)
	}
}

// run builds, and writes or compares.
func run(web string, check bool) error {
	web, err := filepath.Abs(web)
	if err != nil {
		return err
	}
	made, err := build(web)
	if err != nil {
		return err
	}
	folder := filepath.Join(web, "dist")
	if check {
		return compare(folder, made)
	}
	return replace(folder, made)
}

// replace writes what is new or different, and removes what is not made any more.
func replace(folder string, made map[string][]byte) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	old, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, entry := range old {
		if _, ok := made[entry.Name()]; !ok {
			if err := os.Remove(filepath.Join(folder, entry.Name())); err != nil {
				return err
			}
		}
	}
	for name, b := range made {
		path := filepath.Join(folder, name)
		if same(path, b) {
			continue // also if another release of the compressor made other bytes of it
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// compare returns an error that names what is stale.
func compare(folder string, made map[string][]byte) error {
	var stale []string
	old, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, entry := range old {
		if _, ok := made[entry.Name()]; !ok {
			stale = append(stale, entry.Name())
		}
	}
	for name, b := range made {
		if !same(filepath.Join(folder, name), b) {
			stale = append(stale, name)
		}
	}
	if len(stale) == 0 {
		return nil
	}
	slices.Sort(stale)
	return fmt.Errorf("web/dist is not what web/ makes (%d files, such as %s): run bash tools/page.sh, and commit it",
		len(stale), stale[0])
}

// same reports whether a file has these bytes, or is compressed and holds the same.
func same(path string, b []byte) bool {
	have, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	if bytes.Equal(have, b) {
		return true
	}
	one, err := expand(path, have)
	if err != nil {
		return false
	}
	other, err := expand(path, b)
	return err == nil && bytes.Equal(one, other)
}

// expand undoes what the end of a name says was done; errors.ErrUnsupported: it says nothing.
func expand(name string, b []byte) ([]byte, error) {
	switch filepath.Ext(name) {
	case ".br":
		return io.ReadAll(brotli.NewReader(bytes.NewReader(b)))
	case ".gz":
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(z)
	}
	return nil, errors.ErrUnsupported
}
