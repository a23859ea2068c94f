package eventlog

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Log is an event log with its rotated files.
type Log struct {
	Path  string
	Files []string // the oldest first
}

// Find returns the logs at some paths, each with its rotated files. A rotated file that is named is part of
// its log, if that is named too, else a log of its own. It is an error if a path does not exist.
func Find(paths []string) ([]Log, error) {
	paths = slices.Clone(paths)
	named := make(map[string]bool, len(paths))
	for i, path := range paths {
		path = filepath.Clean(path)
		if _, err := os.Stat(path); err != nil {
			return nil, err
		}
		named[path] = true
		paths[i] = path
	}
	var logs []Log
	for _, path := range paths {
		if base, ok := unrotated(path); !named[path] || ok && named[base] {
			continue
		}
		named[path] = false // once is enough
		files := []string{path}
		for n := 1; ; n++ {
			if _, err := os.Stat(rotated(path, n)); err != nil {
				break
			}
			files = append([]string{rotated(path, n)}, files...)
		}
		logs = append(logs, Log{path, files})
	}
	return logs, nil
}

// unrotated returns the log that a rotated file is of, by its name.
func unrotated(path string) (base string, ok bool) {
	dot := strings.LastIndexByte(path, '.')
	if dot < 0 {
		return "", false
	}
	n, err := strconv.Atoi(path[dot+1:])
	return path[:dot], err == nil && n > 0
}
