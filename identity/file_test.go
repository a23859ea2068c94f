package identity

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// The test binary runs itself, with one of these variables set, to be another process.
const (
	envLoadOrCreate = "WZP_TEST_LOAD_OR_CREATE" // a seed file: print the public key
	// a known relays file: trust the relays named by the arguments
	envKnownRelays = "WZP_TEST_KNOWN_RELAYS"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(envLoadOrCreate); path != "" {
		seed, err := LoadOrCreate(path)
		exitOn(err)
		os.Stdout.WriteString(seed.Identity().Public().String())
		os.Exit(0)
	}
	if path := os.Getenv(envKnownRelays); path != "" {
		relays, err := OpenKnownRelays(path)
		exitOn(err)
		for _, addr := range os.Args[1:] {
			exitOn(relays.Check(addr, repeated(1).Identity().Public()))
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func exitOn(err error) {
	if err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
}

// runOthers runs n processes at once, each with env set and the arguments that args makes, and returns
// what each printed.
func runOthers(t *testing.T, n int, env string, args func(i int) []string) []string {
	t.Helper()
	commands, outputs := make([]*exec.Cmd, n), make([]bytes.Buffer, n)
	for i := range commands {
		commands[i] = exec.Command(os.Args[0], args(i)...)
		commands[i].Env = append(os.Environ(), env)
		commands[i].Stdout, commands[i].Stderr = &outputs[i], &outputs[i]
		if err := commands[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	texts := make([]string, n)
	for i, c := range commands {
		if err := c.Wait(); err != nil {
			t.Errorf("process %d: %v: %s", i, err, &outputs[i])
		}
		texts[i] = outputs[i].String()
	}
	return texts
}

func TestSaveAndLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "dir", "identity")
	seed := repeated(0x2a)
	if err := SaveFile(path, seed); err != nil {
		t.Fatal(err)
	}
	if got, err := LoadFile(path); err != nil || !got.Equal(seed) {
		t.Errorf("the seed does not come back: %v", err)
	}
	text, err := os.ReadFile(path)
	want := "# wzp identity: keep this secret\n" + strings.Repeat("2a", 32) + "\n"
	if err != nil || string(text) != want {
		t.Errorf("the file is %q, %v; want %q", text, err, want)
	}
	if runtime.GOOS != "windows" {
		for name, want := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
			if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
				t.Errorf("%s has mode %v, %v; want %v", name, info.Mode(), err, want)
			}
		}
	}
	onlyFile(t, path)
}

// onlyFile fails when anything is left beside path.
func onlyFile(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("the directory holds %v, %v", entries, err)
	}
}

func TestSaveNeverOverwrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "identity")
	if err := SaveFile(path, repeated(1)); err != nil {
		t.Fatal(err)
	}
	if err := SaveFile(path, repeated(2)); !errors.Is(err, fs.ErrExist) ||
		!strings.Contains(err.Error(), path) {
		t.Errorf("SaveFile over a file: %v", err)
	}
	if got, err := LoadFile(path); err != nil || !got.Equal(repeated(1)) {
		t.Errorf("the seed changed: %v", err)
	}
	if err := ReplaceFile(path, repeated(2)); err != nil {
		t.Error(err)
	}
	if got, err := LoadFile(path); err != nil || !got.Equal(repeated(2)) {
		t.Errorf("the seed was not replaced: %v", err)
	}
	onlyFile(t, path)
}

func TestSaveRefusesSeedsThatAreNotSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "identity")
	for _, seed := range []Seed{{}, repeated(0)} {
		if SaveFile(path, seed) == nil || ReplaceFile(path, seed) == nil {
			t.Error("a seed that is no secret was saved")
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file was made: %v", err)
	}
}

func TestCreateWithoutHardLinks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "identity")
	noLinks := func(string, string) error { return errors.ErrUnsupported }
	if err := createFileWith(noLinks, path, []byte("one")); err != nil {
		t.Fatal(err)
	}
	if err := createFileWith(noLinks, path, []byte("two")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("creating a file that exists: %v", err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "one" {
		t.Errorf("the file holds %q, %v", data, err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*.tmp")); left != nil {
		t.Errorf("files are left: %v", left)
	}
}

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "identity")
	if _, err := LoadFile(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := LoadFile(dir); err == nil || !strings.Contains(err.Error(), "directory") {
		t.Errorf("a directory: %v", err)
	}
	good := strings.Repeat("2a", 32)
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "holds no seed"},
		{"only comments", "# a\n\n", "holds no seed"},
		{"short", "#\n" + good[:62], "line 2 has 62 characters"},
		{"long", good + "00", "line 1 has 66 characters"},
		{"not hex", "zz" + good[2:], "line 1 has a character"},
		{"two seeds", good + "\n" + good, "line 2 follows the seed"},
		{"zeros", strings.Repeat("0", 64), "all zeros"},
		{"too large", strings.Repeat("#", maxSeedFileSize+1), "larger than 4096"},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := LoadFile(path)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "2a2a") {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestLoadRefusesOpenModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // there the mode says nothing
	}
	path := filepath.Join(t.TempDir(), "it's mine")
	if err := SaveFile(path, repeated(1)); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []fs.FileMode{0o644, 0o640, 0o604, 0o620, 0o601} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := LoadFile(path)
		want := "chmod 600 '" + strings.ReplaceAll(path, "'", `'\''`) + "'"
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("mode %o: %v, want %s", mode, err, want)
		}
	}
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadFile(path); err != nil {
		t.Errorf("mode 400: %v", err)
	}
}

func TestLoadOrCreateRace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dir", "identity")
	keys := runOthers(t, 8, envLoadOrCreate+"="+path, func(int) []string { return nil })
	seed, err := LoadOrCreate(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, key := range keys {
		if want := seed.Identity().Public().String(); key != want {
			t.Errorf("process %d has key %s, the file %s", i, key, want)
		}
	}
	onlyFile(t, path)
}

func TestLoadOrCreateKeepsABrokenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "identity")
	if err := os.WriteFile(path, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOrCreate(path); err == nil {
		t.Error("a broken file gives an identity")
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "broken" {
		t.Errorf("the file holds %q, %v", data, err)
	}
}

func FuzzParseSeedFile(f *testing.F) {
	f.Add([]byte(seedFileHeader + strings.Repeat("2a", 32) + "\n"))
	f.Add([]byte("#\r\n\r\n" + strings.Repeat("AB", 32)))
	f.Fuzz(func(t *testing.T, data []byte) {
		seed, err := parseSeedFile(data)
		if err != nil {
			return
		}
		b := seed.reveal()
		if !bytes.Contains(bytes.ToLower(data), []byte(hex.EncodeToString(b[:]))) {
			t.Errorf("%q gives a seed that is not in it", data)
		}
	})
}
