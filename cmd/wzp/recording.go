package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/wzp-voice/wzp"
)

// formatOf is the format of a file of sound by its name, wav or opus; else empty.
func formatOf(path string) string {
	switch format := strings.ToLower(filepath.Ext(path)); format {
	case ".wav", ".opus":
		return format[1:]
	}
	return ""
}

// createSound creates a file of the format that its name ends with.
func createSound(path string) (wzp.Sink, error) {
	if formatOf(path) == "opus" {
		return wzp.CreateOpus(path)
	}
	return wzp.CreateWAV(path)
}

// recording is a file of sound that is made with its first sample: what was there before is safe until the
// room has been joined.
type recording struct {
	path string
	file wzp.Sink // nil until then
}

// newRecording checks what can be checked of path without touching it. in is what is being said.
func newRecording(path, in string) (*recording, error) {
	if dir, err := os.Stat(filepath.Dir(path)); err != nil || !dir.IsDir() {
		return nil, fmt.Errorf("cannot write --out %s: there is no directory %s", path, filepath.Dir(path))
	}
	if out, err := os.Stat(path); err == nil { // else it is not there yet, or writing will say what is wrong
		if said, err := os.Stat(in); err == nil && os.SameFile(said, out) {
			return nil, usagef("--in and --out are the same file: %s", path)
		}
		if out.IsDir() {
			return nil, usagef("--out %s is a directory: end it with a slash", path)
		}
	}
	return &recording{path: path}, nil
}

// WriteFrame implements wzp.Sink.
func (r *recording) WriteFrame(pcm []float32) error {
	if r.file == nil {
		file, err := createSound(r.path)
		if err != nil {
			return fileError("write --out", r.path, err)
		}
		r.file = file
	}
	return r.file.WriteFrame(pcm)
}

// Close implements wzp.Sink.
func (r *recording) Close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}
