package test

import (
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/audio/speech"
)

// TestStaticBinary: the program needs nothing of the machine: no interpreter, which is what loads libraries,
// and none of those.
func TestStaticBinary(t *testing.T) {
	t.Parallel()
	file, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, part := range file.Progs {
		if part.Type == elf.PT_INTERP || part.Type == elf.PT_DYNAMIC {
			t.Errorf("the program has a part of type %v: it is not static", part.Type)
		}
	}
	if libraries, err := file.ImportedLibraries(); err != nil || len(libraries) > 0 {
		t.Errorf("the program needs %v, %v", libraries, err)
	}
}

// TestOtherSystems: the program is built for Windows and macOS, too.
func TestOtherSystems(t *testing.T) {
	t.Parallel()
	for _, system := range []struct {
		os, arch string
		check    func(path string) error
	}{
		{"windows", "amd64", func(path string) error { _, err := pe.Open(path); return err }},
		{"darwin", "arm64", func(path string) error { _, err := macho.Open(path); return err }},
	} {
		out := filepath.Join(t.TempDir(), "wzp")
		build := exec.Command("go", "build", "-o", out, "github.com/wzp-voice/wzp/cmd/wzp")
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system.os, "GOARCH="+system.arch)
		if text, err := build.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", system.os, err, text)
		} else if err := system.check(out); err != nil {
			t.Errorf("%s: %v", system.os, err)
		}
	}
}

// TestNoLibraries: relay and clients run, and speech is heard, where no library of the codec can be loaded.
func TestNoLibraries(t *testing.T) {
	t.Parallel()
	hidden := t.TempDir() // a linker would look here first, and an empty file is no library
	for _, name := range []string{"libopus.so.0", "libopus.so", "libc.so.6"} {
		if err := os.WriteFile(filepath.Join(hidden, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	start := func(args ...string) *process {
		cmd := command(t, "", args...)
		cmd.Env = append(cmd.Env, "LD_LIBRARY_PATH="+hidden)
		return launch(t, cmd)
	}
	relay := start("relay", "--listen", "127.0.0.1:0", "--admin", "", "--http", "", "--data", t.TempDir())
	listening := func(line string) bool { return strings.Contains(line, "listening") }
	line, ok := relay.stderr.after(0, listening, relay.done, soon)
	if !ok {
		t.Fatal("the relay does not start")
	}
	_, addr, _ := strings.Cut(relay.stderr.line(line), "udp=")
	addr, _, _ = strings.Cut(addr, " ")

	in, _ := sound(t, speech.Center, 2*time.Second)
	out := folder(t)
	listener := &client{start("join", "room", "--relay", addr, "--json", "--in", "none", "--out", out)}
	listener.await("joined", soon)
	talker := &client{start("join", "room", "--relay", addr, "--json", "--in", in, "--out", "none",
		"--name", "ana")}
	if sent := talker.finish(patience); sent.PacketsSent == 0 {
		t.Error("nothing was said")
	}
	listener.hears("ana")
	listener.leave()
	if wholeWAV(t, recordingOf(t, out, "ana")) == 0 {
		t.Error("nothing was heard")
	}
}
