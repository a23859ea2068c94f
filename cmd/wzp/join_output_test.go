package main

import (
	"os/exec"
	"testing"

	"github.com/wzp-voice/wzp/identity"
)

// TestShellName wants commands that are suggested to mean the name, and to show all of it.
func TestShellName(t *testing.T) {
	for _, name := range []string{
		"Bob", "Ana B", "O'Neil", "-x", "José", "$(id) `id` \\101 %d", "!!",
		"Bo\u034fb", "Bob\u3164", "\u202e'boB\u2800", "-\u2060n", "%d \\101 $(id) `id` \"!!\" \u17b4", "\u00a0",
	} {
		word := shellName(name)
		if identity.EscapeHidden(word) != word {
			t.Errorf("%+q: %+q does not show everything", name, word)
		}
		out, err := exec.Command("sh", "-c", "printf %s. "+word).Output() // the name and a dot
		if err != nil || string(out) != name+"." {
			t.Errorf("%+q: %s means %+q, %v", name, word, out, err)
		}
	}
}

func TestShownName(t *testing.T) {
	for name, want := range map[string]string{
		"":                   "(no name)",
		"José":               `"José"`,
		"Bo\u034fb\u1160":    `"Bo\u034fb\u1160"`,
		"\u202eboB\u2800":    `"\u202eboB\u2800"`,
		"\u3164\u17b4\u200d": `"\u3164\u17b4\u200d"`,
		`Ana" is here (you)`: `"Ana\" is here (you)"`,
	} {
		if got := shownName(name); got != want {
			t.Errorf("%+q is shown as %s, want %s", name, got, want)
		}
	}
}
