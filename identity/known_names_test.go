package identity

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// openNames opens the known names of somebody in a new directory.
func openNames(t *testing.T) (*KnownNames, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dir", "known_names")
	return namesAt(t, path, 0x2a), path
}

func namesAt(t *testing.T, path string, seed byte) *KnownNames {
	t.Helper()
	names, err := OpenKnownNames(path, repeated(seed).Identity())
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// checkOne reports whether somebody who calls itself name is known to have this key, from now on if nobody
// was.
func checkOne(names *KnownNames, name string, key PublicKey) (known bool, err error) {
	verdicts, err := names.Check([]NamedKey{{name, key}}, 1)
	return verdicts[0] == NameKnown || verdicts[0] == NameKept, err
}

// checkName fails the test when Check says something else.
func checkName(t *testing.T, names *KnownNames, name string, seed byte, want bool) {
	t.Helper()
	if known, err := checkOne(names, name, repeated(seed).Identity().Public()); known != want || err != nil {
		t.Errorf("%q with key %x: %v, %v; want %v", name, seed, known, err, want)
	}
}

func TestNamesAreTrustedOnFirstUse(t *testing.T) {
	names, path := openNames(t)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Error("opening makes a file")
	}
	checkName(t, names, "Ana", 1, true)
	checkName(t, names, "Ana", 1, true)
	checkName(t, names, "Ana", 2, false)
	checkName(t, names, "Ana", 2, false) // not remembered
	checkName(t, names, "Ben", 2, true)
	checkName(t, namesAt(t, path, 0x2a), "Ana", 2, false)

	if runtime.GOOS != "windows" {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the file's mode: %v, %v", info.Mode(), err)
		}
	}
	if known, _ := checkOne(names, "Zoe", PublicKey{}); known {
		t.Error("the zero key is known")
	}
}

func TestNamesThatLookAlikeAreOne(t *testing.T) {
	names, path := openNames(t)
	checkName(t, names, "Ana Straße", 1, true)
	for _, same := range []string{"ana strasse", " Ana  Straße ", "A\u200bna Straße", "\u202eAna Straße",
		"Ana\u00a0Straße", "ＡＮＡ Straße"} {
		checkName(t, names, same, 1, true)
		if same != "ana strasse" { // ß and ss are two spellings
			checkName(t, names, same, 2, false)
		}
	}
	checkName(t, names, "Ana Strasse", 1, true)
	checkName(t, names, "Ana Straßen", 2, true)

	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, empty := range []string{"", " ", "\u200b", "\x00\t"} {
		checkName(t, names, empty, 1, true)
		checkName(t, names, empty, 2, true)
		if err := names.Trust(empty, Fingerprint{1}); err == nil {
			t.Errorf("the empty name %q is trusted", empty)
		}
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("empty names are remembered: %q, %v", after, err)
	}
}

func TestTrustName(t *testing.T) {
	names, path := openNames(t)
	other := namesAt(t, path, 0x2a) // another process
	checkName(t, names, "Ana", 1, true)
	checkName(t, other, "Ana", 2, false)

	two, three := repeated(2).Identity().Fingerprint(), repeated(3).Identity().Fingerprint()
	for range 2 {
		if err := names.Trust("ana", two); err != nil {
			t.Fatal(err)
		}
	}
	checkName(t, other, "Ana", 1, true)
	checkName(t, other, "Ana", 2, true)
	checkName(t, other, "Ben", 4, true)
	if err := names.TrustOnly("Ana", three); err != nil {
		t.Fatal(err)
	}
	for seed, want := range map[byte]bool{1: false, 2: false, 3: true} {
		checkName(t, other, "Ana", seed, want)
		checkName(t, names, "Ana", seed, want)
	}
	checkName(t, names, "Ben", 5, false)
	if text, err := os.ReadFile(path); err != nil || bytes.Count(text, []byte("\n")) != 3 {
		t.Errorf("want a comment and two lines, not %q, %v", text, err)
	}
}

func TestKnownNamesFile(t *testing.T) {
	names, path := openNames(t)
	checkName(t, names, "Ana", 1, true)
	text, err := os.ReadFile(path)
	// Computed with another implementation of HKDF and HMAC.
	want := knownNamesHeader + "df31b7ff872e6c4643a27d28043ceb74 5dbb11421f4271401f6f531dd90f082e\n"
	if err != nil || string(text) != want {
		t.Errorf("the file is %q, %v; want %q", text, err, want)
	}

	// What people wrote stays, and a line of somebody else who keeps the same file.
	mine := "# mine\n\n" + strings.ToUpper(strings.Split(string(text), "\n")[1]) + "\r\n#end"
	if err := os.WriteFile(path, []byte(mine), 0o600); err != nil {
		t.Fatal(err)
	}
	checkName(t, names, "Ana", 2, false)
	checkName(t, namesAt(t, path, 0x63), "Ana", 2, true)
	checkName(t, names, "Ana", 1, true)
	if text, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(text), mine+"\n") ||
		len(text) != len(mine)+1+66 {
		t.Errorf("the file is %q, %v", text, err)
	}

	// Who removes the file forgets.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	checkName(t, names, "Ana", 2, true)
}

func TestKnownNamesPrintNothing(t *testing.T) {
	names, _ := openNames(t)
	key := fmt.Sprintf("%x", names.key())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		if text := fmt.Sprintf(verb, names); strings.Contains(text, key) || text != redactedText {
			t.Errorf("%s prints %q", verb, text)
		}
	}
}

func TestKnownNamesAtOnce(t *testing.T) {
	_, path := openNames(t)
	const openers, each = 4, 8
	var wg sync.WaitGroup
	for i := range openers {
		names := namesAt(t, path, 0x2a)
		wg.Go(func() {
			for j := range each {
				checkName(t, names, fmt.Sprintf("%d-%d", i, j), 1, true)
				checkName(t, names, fmt.Sprintf("shared %d", j), 2, true)
			}
		})
		wg.Go(func() { // the same one from two goroutines
			for j := range each {
				checkName(t, names, fmt.Sprintf("shared %d", j), 2, true)
			}
		})
	}
	wg.Wait()
	text, err := os.ReadFile(path)
	if want := 1 + openers*each + each; err != nil || bytes.Count(text, []byte("\n")) != want {
		t.Errorf("%d lines, %v; want %d", bytes.Count(text, []byte("\n")), err, want)
	}
	if files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*.tmp")); err != nil ||
		len(files) != 0 {
		t.Errorf("files are left: %v, %v", files, err)
	}
}

func TestKnownNamesErrors(t *testing.T) {
	names, path := openNames(t)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	tag := strings.Repeat("ab", 16)
	full := knownNamesText(maxKnownNames)
	for _, c := range []struct{ name, text, want string }{
		{"one word", "#\n" + tag + "\n", "line 2: want two hashes, found 1 words: correct or remove it"},
		{"three words", tag + " " + tag + " x", "line 1: want two hashes, found 3 words"},
		{"short", tag + " " + tag[2:], "line 1: word 2 is not 32 hexadecimal digits"},
		{"not hexadecimal", tag[1:] + "x " + tag, "line 1: word 1 is not 32 hexadecimal digits"},
		{"torn", full + tag, "line 10001: want two hashes"},
		{"too many", full + tag + " " + tag, "line 10001: there are more than 10000 names"},
		{"too large", strings.Repeat("#\n", maxKnownNamesSize/2+1), "larger than"},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, openErr := OpenKnownNames(path, repeated(1).Identity())
		known, checkErr := checkOne(names, "new", repeated(1).Identity().Public())
		for _, err := range []error{openErr, checkErr, names.Trust("new", Fingerprint{1}),
			names.TrustOnly("new", Fingerprint{1})} {
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: %v, want %q", c.name, err, c.want)
			}
		}
		if known {
			t.Errorf("%s: somebody is known", c.name)
		}
		if text, err := os.ReadFile(path); err != nil || string(text) != c.text {
			t.Errorf("%s: the file was changed", c.name)
		}
	}
}

func TestKnownNamesFull(t *testing.T) {
	names, path := openNames(t)
	checkName(t, names, "Ana", 1, true)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	full := string(text) + knownNamesText(maxKnownNames-1)
	for _, c := range []struct{ text, want string }{
		{full, "there are 10000 names already"},
		{string(text) + strings.Repeat("#\n", (maxKnownNamesSize-len(text))/2), "is full"},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if known, err := checkOne(names, "Ben", repeated(2).Identity().Public()); known || err == nil ||
			!strings.Contains(err.Error(), c.want) {
			t.Errorf("a new name in a full file: %v, %v; want %q", known, err, c.want)
		}
		checkName(t, names, "Ana", 1, true) // who is known stays known
		checkName(t, names, "Ana", 2, false)
	}
	if err := os.WriteFile(path, []byte(full), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := names.TrustOnly("Ana", repeated(2).Identity().Fingerprint()); err != nil {
		t.Errorf("one for one in a full file: %v", err)
	}
}

// knownNamesText returns n lines of different names.
func knownNamesText(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "%032x %032x\n", i, i)
	}
	return text.String()
}

func FuzzParseKnownNames(f *testing.F) {
	tag := strings.Repeat("ab", 16)
	f.Add([]byte(knownNamesHeader + tag + " " + tag + "\n" + tag + " " + strings.Repeat("cd", 16) + "\n"))
	f.Add([]byte("# mine\r\n\n " + strings.ToUpper(tag) + "\t" + tag))
	f.Add([]byte(tag + " " + tag[1:]))
	f.Fuzz(func(t *testing.T, data []byte) {
		names, err := parseKnownNames(data)
		if err != nil {
			return
		}
		who, person := nameTag{1, 2, 3}, nameTag{4, 5, 6}
		before := len(names[who])
		more, err := addKnownName(data, names, names.count(), knownName{who, person})
		if err != nil {
			t.Fatal(err) // 10,000 lines are more than the fuzzer makes
		}
		again, err := parseKnownNames(more)
		if err != nil || len(again[who]) != 1 && before == 0 {
			t.Errorf("%q with one more is %v, %v", data, again, err)
		}
		again, err = parseKnownNames(withoutName(more, who))
		delete(names, who)
		if err != nil || !reflect.DeepEqual(again, names) {
			t.Errorf("%q without the one more is %v, %v", data, again, err)
		}
	})
}
