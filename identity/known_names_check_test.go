package identity

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// called is somebody with the key of a seed.
func called(name string, seed byte) NamedKey {
	return NamedKey{name, repeated(seed).Identity().Public()}
}

// checkAll fails the test when Check says something else, or an error without want.
func checkAll(t *testing.T, names *KnownNames, people []NamedKey, limit int, wantErr string,
	want ...NameVerdict) {
	t.Helper()
	got, err := names.Check(people, limit)
	if !slices.Equal(got, want) {
		t.Errorf("verdicts %v, want %v", got, want)
	}
	if (err != nil) != (wantErr != "") || err != nil && !strings.Contains(err.Error(), wantErr) {
		t.Errorf("error %v, want %q", err, wantErr)
	}
}

func TestCheckNames(t *testing.T) {
	names, path := openNames(t)
	checkName(t, names, "Ana", 1, true)
	people := []NamedKey{
		called("ana", 1), called("Ana\u3164", 2), called("Ben", 3), called("BEN", 4), called("Ben", 3),
		called("", 5), called("Zoe", 6), called("Eve", 7), called("Zoe", 8), {"Max", PublicKey{}},
	}
	checkAll(t, names, people, 2, "", NameKnown, NameOther, NameKept, NameOther, NameKnown,
		NameKnown, NameKept, NameNotKept, NameOther, NameOther)
	checkAll(t, namesAt(t, path, 0x2a), people, 0, "", NameKnown, NameOther, NameKnown, NameOther, NameKnown,
		NameKnown, NameKnown, NameNotKept, NameOther, NameOther)
	checkAll(t, names, nil, 5, "")
	if text, err := os.ReadFile(path); err != nil || bytes.Count(text, []byte("\n")) != 4 {
		t.Errorf("want a comment and three lines, not %q, %v", text, err)
	}
}

// TestCheckNamesFull wants those who are known to stay known, and as many of the new ones kept as fit.
func TestCheckNamesFull(t *testing.T) {
	names, path := openNames(t)
	checkName(t, names, "Ana", 1, true)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, knownNamesText(maxKnownNames-2)...), 0o600); err != nil {
		t.Fatal(err)
	}
	people := []NamedKey{called("Ben", 2), called("Zoe", 3), called("Ana", 1), called("Zoe", 4),
		called("Ben", 5)}
	checkAll(t, names, people, 9, "10000 names already", NameKept, NameNotKept, NameKnown, NameNotKept,
		NameOther)
	checkAll(t, names, people, 9, "10000 names already", NameKnown, NameNotKept, NameKnown, NameNotKept,
		NameOther)

	if err := os.WriteFile(path, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	checkAll(t, names, people[2:], 9, "want two hashes", NameNotKept, NameNotKept, NameNotKept)
}

// TestCheckNamesUnwritten wants nobody to pass for remembered when the file cannot be written.
func TestCheckNamesUnwritten(t *testing.T) {
	dir := t.TempDir()
	names := namesAt(t, filepath.Join(dir, "sub", "known_names"), 0x2a)
	if err := os.WriteFile(filepath.Join(dir, "sub"), nil, 0o600); err != nil { // no directory
		t.Fatal(err)
	}
	checkAll(t, names, []NamedKey{called("Ben", 2), called("Ben", 3)}, 9, "known names", NameNotKept,
		NameNotKept)

	// A name for which there can be a lock, but no new file: it is found out after the new names were chosen.
	names = namesAt(t, filepath.Join(dir, strings.Repeat("n", 249)), 0x2a)
	checkAll(t, names, []NamedKey{called("Ben", 2), called("Ben", 3)}, 9, "too long", NameNotKept,
		NameNotKept)
}

// BenchmarkCheckNames is the first and the second visit to a room of 2,000.
func BenchmarkCheckNames(b *testing.B) {
	people := make([]NamedKey, 2000)
	for i := range people {
		people[i] = called(fmt.Sprintf("Member %d", i), byte(i))
	}
	for _, visits := range []int{1, 2} {
		b.Run(fmt.Sprintf("visits=%d", visits), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				names, err := OpenKnownNames(filepath.Join(b.TempDir(), "known_names"),
					repeated(1).Identity())
				if err != nil {
					b.Fatal(err)
				}
				for range visits {
					if _, err := names.Check(people, len(people)); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
