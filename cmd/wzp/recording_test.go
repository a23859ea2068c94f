package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRecordingKeepsWhatWasThere(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "old.wav")
	if err := os.WriteFile(path, []byte("an old recording"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := newRecording(path, "none")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil { // the room was never joined
		t.Error(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "an old recording" {
		t.Errorf("the file is now %q, %v", b, err)
	}
	if err := r.WriteFrame(make([]float32, 480)); err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(path); err != nil || len(b) != 44+960 {
		t.Errorf("%d bytes after 480 samples, %v", len(b), err)
	}
}

func TestRecordingThatCannotBeWritten(t *testing.T) {
	r, err := newRecording(filepath.Join(t.TempDir(), "heard.wav"), "none")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Dir(r.path)); err != nil { // since then
		t.Fatal(err)
	}
	if err := r.WriteFrame(make([]float32, 480)); err == nil ||
		!strings.HasPrefix(err.Error(), "cannot write --out "+r.path) {
		t.Errorf("a sample for a file that cannot be made: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestRecordingRefuses(t *testing.T) {
	dir := t.TempDir()
	said := filepath.Join(dir, "said.wav")
	if err := os.WriteFile(said, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "dir.wav"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		path  string
		usage bool
	}{
		"the file that is said": {filepath.Join(dir, ".", "said.wav"), true},
		"a directory":           {filepath.Join(dir, "dir.wav"), true},
		"no directory":          {filepath.Join(dir, "none", "heard.wav"), false},
	} {
		_, err := newRecording(tc.path, said)
		if err == nil || errors.As(err, new(usageError)) != tc.usage {
			t.Errorf("%s: %v", name, err)
		}
	}
}
