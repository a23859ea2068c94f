package names

import (
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestFold(t *testing.T) {
	for name, want := range map[string]string{
		"":                  "",
		"Bob":               "bob",
		"Bob\u1160":         "bob", // hangul fillers, of all three kinds
		"Bob\u3164":         "bob",
		"B\u115fob\uffa0":   "bob",
		"Bo\u034fb":         "bob", // combining grapheme joiner
		"Bob\u2800":         "bob", // braille blank
		"Bob\u17b4\u17b5":   "bob", // khmer inherent vowels
		"Bo\u200db\u2060":   "bob",
		"\u202eBob\u202c":   "bob",
		"Bob\ufe0f":         "bob",
		"B\u180bo\u180fb":   "bob",
		"Bob\U000e0041":     "bob", // tag
		"Bob\U000e0100":     "bob",
		"Bob\U000e0fff":     "bob",
		"Bob\U0001d159":     "bob",
		"Bob\U0001d173":     "bob",
		"Bob\u2065\ufff0":   "bob", // not assigned, and ignorable
		"José":              "josé",
		"Jose\u0301":        "josé",
		"Jose\u034f\u0301":  "josé",
		"Jose\u200d\u0301":  "josé",
		"JOSE\u3164\u0301":  "josé",
		"Ａｎａ　Ｂｅｎ":           "ana ben",
		" Ana\u2028\t Ben ": "ana ben",
		"\u212bke":          "åke",
		"\u3164 \u2800":     "",
		"a\xffb":            "a\ufffdb",
		"Anna\u3164Lena":    "annalena", // as it shows
	} {
		if got := Fold(name); got != want {
			t.Errorf("%+q folds to %+q, want %+q", name, got, want)
		}
	}
}

// TestFoldIsItsOwn goes through all characters but ideographs, syllables and private ones, alone and between
// letters that some of them compose with.
func TestFoldIsItsOwn(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) || unicode.In(r, unicode.Han, unicode.Hangul, unicode.Co) || r > 0x20000 &&
			r>>12 != 0xe0 {
			continue
		}
		for _, name := range []string{string(r), "a" + string(r) + "\u0301I"} {
			once := Fold(name)
			if again := Fold(once); again != once {
				t.Errorf("%+q folds to %+q, and that to %+q", name, once, again)
			}
			for _, r := range once {
				if printsNothing(r) {
					t.Errorf("%+q folds to %+q, which has what cannot be seen", name, once)
				}
			}
		}
	}
}

func FuzzFold(f *testing.F) {
	f.Add("Jose\u034f\u0301")
	f.Add("\u1e9e \u0130\u3164\u0345")
	f.Fuzz(func(t *testing.T, name string) {
		once := Fold(name)
		if again := Fold(once); again != once {
			t.Errorf("%+q folds to %+q, and that to %+q", name, once, again)
		}
		quoted := Quote(name)
		if back, err := strconv.Unquote(quoted); err != nil || back != name {
			t.Errorf("%+q is quoted as %s, which says %+q, %v", name, quoted, back, err)
		}
		for _, text := range []string{quoted, EscapeHidden(name)} {
			if strings.ContainsFunc(text, func(r rune) bool { return printsNothing(r) || r < ' ' }) {
				t.Errorf("%+q is shown as %+q", name, text)
			}
		}
	})
}

func TestQuote(t *testing.T) {
	for name, want := range map[string]string{
		`Ana "B" C:\`:     `"Ana \"B\" C:\\"`,
		"José 🙂 日本":       `"José 🙂 日本"`,
		"Bo\u034fb\u1160": `"Bo\u034fb\u1160"`,
		"\u202eboB\u2800": `"\u202eboB\u2800"`,
		"Bob\U000e0001\n": `"Bob\U000e0001\n"`,
		"\x00\xff\ufffd":  `"\x00\xff` + "\ufffd\"",
	} {
		if got := Quote(name); got != want {
			t.Errorf("%+q is quoted as %s, want %s", name, got, want)
		}
	}
	if got, want := EscapeHidden("\"Bo\\u034fb\u3164\" is here\x1b"),
		`"Bo\u034fb\u3164" is here\x1b`; got != want {
		t.Errorf("shown as %s, want %s", got, want)
	}
}

func TestShellQuote(t *testing.T) {
	for s, want := range map[string]string{"": "''", "/a/b-c_1.x": "/a/b-c_1.x", "a b": "'a b'",
		"a'b": `'a'\''b'`, "$(x)": "'$(x)'", "ä": "'ä'", "-x": "'-x'"} {
		if got := ShellQuote(s); got != want {
			t.Errorf("%q is quoted as %s, want %s", s, got, want)
		}
	}
}
