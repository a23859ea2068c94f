package identity

import (
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
	"time"
)

var contactsDay = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func openContacts(t *testing.T) (*Contacts, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dir", "contacts")
	contacts, err := OpenContacts(path)
	if err != nil {
		t.Fatal(err)
	}
	return contacts, path
}

// seeded is a contact with the key of a seed, added on contactsDay.
func seeded(name string, seed byte) Contact {
	key := repeated(seed).Identity().Public()
	return Contact{Name: name, Fingerprint: key.Fingerprint(), Key: key, Added: contactsDay}
}

// only is a contact of whom only the fingerprint is known.
func only(c Contact) Contact {
	c.Key = PublicKey{}
	return c
}

func addAll(t *testing.T, contacts *Contacts, people ...Contact) {
	t.Helper()
	for _, c := range people {
		if err := contacts.Add(c); err != nil {
			t.Fatal(err)
		}
	}
}

// wantAll fails the test unless these are all contacts.
func wantAll(t *testing.T, contacts *Contacts, want ...Contact) {
	t.Helper()
	got, err := contacts.All()
	if err != nil || len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
		t.Errorf("contacts %v, %v; want %v", got, err, want)
	}
}

func TestContactsAreKept(t *testing.T) {
	contacts, path := openContacts(t)
	wantAll(t, contacts)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Error("opening makes a file")
	}
	ana, ben := seeded("Ana  Straße", 0x2a), only(seeded("Ben", 0x63))
	ben.Compared = contactsDay.Add(time.Hour)
	addAll(t, contacts, ana, ben)
	other, err := OpenContacts(path) // another process
	if err != nil {
		t.Fatal(err)
	}
	wantAll(t, other, ana, ben)
	text, err := os.ReadFile(path)
	want := contactsHeader +
		"d335301856dc5f763fb71fbec9728840d3feb078855e184dce5b0769fcda04bc 2026-01-31T12:00:00Z - Ana  Straße\n" +
		"7f92:a8cf:0814:393c:3bfb:4d48:cc2e:80f8 2026-01-31T12:00:00Z 2026-01-31T13:00:00Z Ben\n"
	if err != nil || string(text) != want {
		t.Errorf("the file is %q, %v; want %q", text, err, want)
	}
	if runtime.GOOS != "windows" {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the file's mode: %v, %v", info.Mode(), err)
		}
	}

	before := time.Now().Add(-time.Second)
	addAll(t, contacts, Contact{Name: " Zoe ", Key: repeated(3).Identity().Public()})
	zoe, err := contacts.Find("zoe")
	if err != nil || zoe.Name != "Zoe" || zoe.Fingerprint != repeated(3).Identity().Fingerprint() ||
		zoe.Added.Before(before) || !zoe.Compared.IsZero() {
		t.Errorf("Zoe is %v, %v", zoe, err)
	}
}

func TestContactsAreFoundByNameAndFingerprint(t *testing.T) {
	contacts, _ := openContacts(t)
	ana, ben := seeded("Ana Straße", 1), only(seeded("Ben", 2))
	addAll(t, contacts, ana, ben)
	for text, want := range map[string]Contact{
		"Ana Straße": ana, " ana  STRAßE\u200b": ana, ana.Fingerprint.String(): ana,
		"ＢＥＮ": ben, ben.Fingerprint.String(): ben,
	} {
		if got, err := contacts.Find(text); got != want || err != nil {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	for _, nobody := range []string{"", " ", "Be", "Bern", "Ana", seeded("", 3).Fingerprint.String(), "\x00"} {
		if got, err := contacts.Find(nobody); !errors.Is(err, ErrNoContact) {
			t.Errorf("%q is %v, %v", nobody, got, err)
		}
		if _, err := contacts.Remove(nobody); !errors.Is(err, ErrNoContact) {
			t.Errorf("%q was removed: %v", nobody, err)
		}
	}
	if got, err := contacts.ByFingerprint(ana.Fingerprint); got != ana || err != nil {
		t.Errorf("Ana by fingerprint is %v, %v", got, err)
	}
	if got, err := contacts.Remove("ANA straße"); got != ana || err != nil {
		t.Errorf("removed %v, %v", got, err)
	}
	wantAll(t, contacts, ben)
	addAll(t, contacts, seeded("ana straße", 3)) // the name is free again
}

func TestContactsLearnMore(t *testing.T) {
	contacts, _ := openContacts(t)
	ben := seeded("Ben", 2)
	addAll(t, contacts, only(ben), seeded("Zoe", 3))
	if known, err := contacts.Meet(seeded("", 4).Key); known || err != nil {
		t.Errorf("a stranger: %v, %v", known, err)
	}
	if known, err := contacts.Meet(PublicKey{}); known || err == nil {
		t.Errorf("the zero key: %v, %v", known, err)
	}
	wantAll(t, contacts, only(ben), seeded("Zoe", 3))
	for range 2 {
		if known, err := contacts.Meet(ben.Key); !known || err != nil {
			t.Errorf("Ben: %v, %v", known, err)
		}
	}
	wantAll(t, contacts, ben, seeded("Zoe", 3))

	compared := ben
	compared.Compared = contactsDay
	if err := contacts.Compare(ben.Fingerprint, contactsDay.Add(time.Millisecond)); err != nil {
		t.Error(err)
	}
	addAll(t, contacts, only(ben)) // again, with less: nothing is lost
	again := ben
	again.Name, again.Added = "BEN", contactsDay.Add(time.Hour)
	addAll(t, contacts, again)
	wantAll(t, contacts, compared, seeded("Zoe", 3))
	if err := contacts.Compare(ben.Fingerprint, time.Time{}); err != nil {
		t.Error(err)
	}
	wantAll(t, contacts, ben, seeded("Zoe", 3))
	if err := contacts.Compare(Fingerprint{9}, contactsDay); !errors.Is(err, ErrNoContact) {
		t.Error(err)
	}
	addAll(t, contacts, compared)
	wantAll(t, contacts, compared, seeded("Zoe", 3))
}

func TestContactsRefuse(t *testing.T) {
	contacts, path := openContacts(t)
	addAll(t, contacts, seeded("Ana", 1), only(seeded("Ben", 2)))
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	wrongKey := seeded("Zoe", 3)
	wrongKey.Key = repeated(4).Identity().Public()
	for name, c := range map[string]struct {
		contact Contact
		want    string
	}{
		"another key for a name":  {seeded("ANA", 3), "there is a contact \"Ana\" already"},
		"another name for a key":  {seeded("Zoe", 2), "among your contacts already, as \"Ben\""},
		"nobody":                  {Contact{Name: "Zoe"}, "neither a key nor a fingerprint"},
		"a key of small order":    {Contact{Name: "Zoe", Key: PublicKey{1}}, "anybody can sign"},
		"key and fingerprint":     {wrongKey, "another fingerprint"},
		"no name":                 {seeded(" \u200b", 3), "nothing of it can be seen"},
		"a long name":             {seeded(strings.Repeat("x", 65), 3), "65 bytes"},
		"a control character":     {seeded("Z\noe", 3), "control character"},
		"a fingerprint as a name": {seeded(seeded("", 3).Fingerprint.String(), 3), "a fingerprint"},
	} {
		if err := contacts.Add(c.contact); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("the file became %q, %v", after, err)
	}
}

func TestContactsFileOfPeople(t *testing.T) {
	contacts, path := openContacts(t)
	addAll(t, contacts, seeded("Ana", 1), seeded("Ben", 2))
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	mine := "\ufeff# mine\r\n\n\t" + strings.TrimSuffix(lines[2], "\n") + " \r\n# Ana\n" + lines[1] + "#end"
	if err := os.WriteFile(path, []byte(mine), 0o600); err != nil {
		t.Fatal(err)
	}
	wantAll(t, contacts, seeded("Ben", 2), seeded("Ana", 1))
	addAll(t, contacts, seeded("Zoe", 3))
	if _, err := contacts.Remove("Ben"); err != nil {
		t.Fatal(err)
	}
	want := "\ufeff# mine\r\n\n# Ana\n" + lines[1] + "#end\n" + seeded("Zoe", 3).line() + "\n"
	if text, err := os.ReadFile(path); err != nil || string(text) != want {
		t.Errorf("the file is %q, %v; want %q", text, err, want)
	}
}

func TestContactsErrors(t *testing.T) {
	contacts, path := openContacts(t)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	good, key := seeded("Ana", 1).line(), seeded("", 1).Key.String()
	const at = "2026-01-31T12:00:00Z"
	for _, c := range []struct{ name, text, want string }{
		{"one word", "#\n" + key, "line 2: want a key or fingerprint, two times and a name: correct"},
		{"no name", key + " " + at + " -", "line 1: want a key or fingerprint"},
		{"empty name", key + " " + at + " - \u200b", "line 1: the name"},
		{"long name", good + strings.Repeat("x", 64), "line 1: the name"},
		{"no time", key + " yesterday - Ana", `line 1: "yesterday" is not a time such as`},
		{"no time of comparison", key + " " + at + " 0 Ana", `line 1: "0" is not a time such as`},
		{"short key", key[1:] + " " + at + " - Ana", "line 1: a public key has 64 characters"},
		{"zero key", strings.Repeat("0", 64) + " " + at + " - Ana", "line 1: the key is one of the few"},
		{"short fingerprint", "7f92:a8cf " + at + " - Ana", "line 1: a fingerprint has 39 characters"},
		{"the same name", good + "\n\n" + seeded("ANA", 2).line(), "line 3: the name or the key is that of line 1"},
		{"the same key", good + "\n" + only(seeded("Ben", 1)).line(), "line 2: the name or the key is that of line 1"},
		{"too many", contactsText(maxContacts) + good, "line 1001: there are more than 1000 contacts"},
		{"too large", strings.Repeat("#\n", maxContactsSize/2+1), "larger than"},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, openErr := OpenContacts(path)
		_, allErr := contacts.All()
		_, findErr := contacts.Find("Ana")
		_, removeErr := contacts.Remove("Ana")
		_, meetErr := contacts.Meet(seeded("", 9).Key)
		for _, err := range []error{openErr, allErr, findErr, removeErr, meetErr,
			contacts.Add(seeded("Zoe", 9)), contacts.Compare(seeded("", 9).Fingerprint, contactsDay)} {
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: %v, want %q", c.name, err, c.want)
			}
		}
		if text, err := os.ReadFile(path); err != nil || string(text) != c.text {
			t.Errorf("%s: the file was changed", c.name)
		}
	}
}

func TestContactsFull(t *testing.T) {
	contacts, path := openContacts(t)
	addAll(t, contacts, seeded("Ana", 1))
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ text, want string }{
		{string(text) + contactsText(maxContacts-1), "there are 1000 contacts already: remove some"},
		{string(text) + strings.Repeat("#\n", (maxContactsSize-len(text))/2), "is full"},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := contacts.Add(seeded("Ben", 2)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
		addAll(t, contacts, seeded("ana", 1)) // who is there stays
		if _, err := contacts.Find("Ana"); err != nil {
			t.Error(err)
		}
	}
}

// contactsText is n lines of different people.
func contactsText(n int) string {
	var text strings.Builder
	for i := range n {
		f := Fingerprint{1, byte(i >> 8), byte(i)}
		text.WriteString(Contact{Name: fmt.Sprintf("p%d", i), Fingerprint: f, Added: contactsDay}.line() + "\n")
	}
	return text.String()
}

func TestContactsAtOnce(t *testing.T) {
	contacts, path := openContacts(t)
	const openers, each = 4, 8
	var wg sync.WaitGroup
	for i := range openers {
		other, err := OpenContacts(path)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for j := range each {
				f := Fingerprint{byte(i + 1), byte(j)}
				if err := other.Add(Contact{Name: fmt.Sprintf("%d-%d", i, j), Fingerprint: f}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if all, err := contacts.All(); err != nil || len(all) != openers*each {
		t.Errorf("%d contacts, %v", len(all), err)
	}
	if files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*.tmp")); err != nil || len(files) != 0 {
		t.Errorf("files are left: %v, %v", files, err)
	}
}

func FuzzParseContacts(f *testing.F) {
	f.Add([]byte(contactsHeader + seeded("Ana", 1).line() + "\n" + only(seeded("Ben", 2)).line() + "\n"))
	f.Add([]byte("\ufeff# mine\r\n\n\t" + seeded("Ana  Straße", 1).line() + " \r\n#end"))
	f.Add([]byte(seeded("Ana", 1).line() + "\n" + seeded("ANA", 2).line()))
	f.Fuzz(func(t *testing.T, data []byte) {
		contacts, err := parseContacts(data)
		if err != nil {
			return
		}
		for _, c := range contacts {
			again, err := parseContactLine(c.line())
			if err != nil || again != c {
				t.Errorf("%v is written as %q, which is %v, %v", c, c.line(), again, err)
			}
			changed := c
			changed.Compared = contactsDay
			after, err := parseContacts(withContact(data, c.Fingerprint, &changed))
			if err != nil || len(after) != len(contacts) ||
				after[indexOf(contacts, c.Fingerprint)] != changed {
				t.Errorf("%q with %q compared is %v, %v", data, c.Name, after, err)
			}
			after, err = parseContacts(withContact(data, c.Fingerprint, nil))
			if err != nil || len(after) != len(contacts)-1 || indexOf(after, c.Fingerprint) >= 0 {
				t.Errorf("%q without %q is %v, %v", data, c.Name, after, err)
			}
		}
	})
}
