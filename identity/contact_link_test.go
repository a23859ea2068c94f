package identity

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
)

// contactVectors is testdata/vectors/contact.json, which the page's tests read, too.
type contactVectors struct {
	Good []struct {
		Key         PublicKey
		Fingerprint Fingerprint
		Name, Text  string
	}
	Forms []string
	Bad   []struct {
		Fault     ContactLinkFault
		Link, Why string
	}
}

func readContactVectors(t testing.TB) (v contactVectors) {
	t.Helper()
	data, err := os.ReadFile("../testdata/vectors/contact.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestContactLinkVectors(t *testing.T) {
	v := readContactVectors(t)
	if len(v.Good) < 6 || len(v.Forms) < 8 || len(v.Bad) < 26 {
		t.Fatalf("%d good, %d forms, %d bad: vectors are missing", len(v.Good), len(v.Forms), len(v.Bad))
	}
	for _, g := range v.Good {
		key, name, err := ParseContactLink("#c=" + g.Text)
		if key != g.Key || name != g.Name || err != nil || key.Fingerprint() != g.Fingerprint {
			t.Errorf("%q: %v, %q, %v", g.Name, key, name, err)
		}
		link, err := ContactLink(g.Key, g.Name)
		if trimmed := g.Name != strings.TrimSpace(g.Name); (link == "#c="+g.Text) == trimmed || err != nil {
			t.Errorf("%q is made into %s, %v; want %s", g.Name, link, err, g.Text)
		}
		f, key, name, err := ParseContact("https://localhost/#c=" + g.Text)
		if f != g.Fingerprint || key != g.Key || name != g.Name || err != nil {
			t.Errorf("%q: %v, %v, %q, %v", g.Name, f, key, name, err)
		}
	}
	for _, form := range v.Forms {
		if key, name, err := ParseContactLink(form); key != v.Good[0].Key || name != v.Good[0].Name ||
			err != nil {
			t.Errorf("%q: %v, %q, %v", form, key, name, err)
		}
	}
	for _, b := range v.Bad {
		key, name, err := ParseContactLink(b.Link)
		at := (*ContactLinkError)(nil)
		if !errors.As(err, &at) || at.Fault != b.Fault || key != (PublicKey{}) || name != "" ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, %q, %v; want the fault %s", b.Why, key, name, err, b.Fault)
		}
	}
}

// TestContactLinkCut wants every link that misses some of its end, or some of its start, to be refused.
func TestContactLinkCut(t *testing.T) {
	for _, g := range readContactVectors(t).Good {
		for n := range len(g.Text) {
			for _, cut := range []string{g.Text[:n], g.Text[len(g.Text)-n:]} {
				if _, _, err := ParseContactLink("#c=" + cut); err == nil {
					t.Errorf("%q of %q is taken", cut, g.Text)
				}
			}
		}
	}
}

func TestContactLinkIsNotMadeOfWhatCannotBe(t *testing.T) {
	ana := repeated(0x2a).Identity().Public()
	for _, name := range []string{strings.Repeat("x", 65), "a\nb", "\xff"} {
		if link, err := ContactLink(ana, name); err == nil {
			t.Errorf("%q becomes %s", name, link)
		}
	}
	if link, err := ContactLink(PublicKey{}, "Ana"); err == nil {
		t.Errorf("the zero key becomes %s", link)
	}
}

func TestParseContact(t *testing.T) {
	f, key, name, err := ParseContact("9983:c2ce:87f9:61b7:7931:d7c1:fd7f:864c")
	if f != repeated(0x2a).Identity().Fingerprint() || key != (PublicKey{}) || name != "" || err != nil {
		t.Errorf("a fingerprint: %v, %v, %q, %v", f, key, name, err)
	}
	for text, want := range map[string]string{
		"":                                     "a fingerprint has 39 characters",
		"9983:c2ce":                            "a fingerprint has 39 characters",
		"Ana":                                  "a fingerprint has 39 characters",
		"https://voice.example.org/tea":        "no #c=",
		"#c=AQ":                                "copy all of it",
		readContactVectors(t).Good[0].Text[1:]: "copy all of it",
	} {
		if _, _, _, err := ParseContact(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func FuzzParseContactLink(f *testing.F) {
	v := readContactVectors(f)
	for _, g := range v.Good {
		f.Add(g.Text)
	}
	for _, b := range v.Bad {
		f.Add(b.Link)
	}
	f.Fuzz(func(t *testing.T, link string) {
		key, name, err := ParseContactLink(link)
		if err != nil {
			if at := (*ContactLinkError)(nil); !errors.As(err, &at) || at.Fault == "" {
				t.Errorf("%q: %v", link, err)
			}
			return
		}
		again, err := ContactLink(key, name)
		if err != nil {
			t.Fatalf("%q has the name %q, of which no link is made: %v", link, name, err)
		}
		if _, _, err := ParseContactLink(again); err != nil {
			t.Errorf("%q, made of %q: %v", again, link, err)
		}
	})
}
