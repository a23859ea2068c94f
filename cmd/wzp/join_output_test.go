package main

import (
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wzp-voice/wzp"
	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/names"
)

// TestShellName wants commands that are suggested to mean the name, and to show all of it.
func TestShellName(t *testing.T) {
	for _, name := range []string{
		"Bob", "Ana B", "O'Neil", "-x", "José", "$(id) `id` \\101 %d", "!!",
		"Bo\u034fb", "Bob\u3164", "\u202e'boB\u2800", "-\u2060n", "%d \\101 $(id) `id` \"!!\" \u17b4",
		"\u00a0",
	} {
		word := shellName(name)
		if names.EscapeHidden(word) != word {
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

// TestPrintsNothingHidden: what others wrote, and what a relay says as a connection ends, reaches the
// terminal as text.
func TestPrintsNothingHidden(t *testing.T) {
	const orders = "\x1b]0;owned\a\x1b[2J\r\n\u009b2J\u202e\xff"
	var text strings.Builder
	out := &joinOutput{w: &text}
	events := []wzp.Event{
		wzp.Detached{Cause: orders}, wzp.Warning{Code: wzp.WarnRelay, Text: orders},
		wzp.MemberJoined{Member: wzp.Member{Name: orders, Relay: orders}},
		wzp.MemberLeft{Member: wzp.Member{Name: orders, Relay: orders}},
		wzp.HandChanged{Member: wzp.Member{Name: orders}, Raised: true},
	}
	nobody := func() []wzp.Member { return nil }
	if err := out.follow(slices.Values(events), nobody); err != nil {
		t.Fatal(err)
	}
	out.missed(orders, wzp.MissedCall{Name: orders})
	out.calling(&identity.Contact{Name: orders})
	lines := strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n")
	if len(lines) != 7 {
		t.Errorf("%d lines: %q", len(lines), lines)
	}
	for _, line := range lines {
		if line != names.EscapeHidden(line) || !strings.Contains(line,
			`\x1b]0;owned\a\x1b[2J\r\n\u009b2J\u202e\xff`) {
			t.Errorf("%q", line)
		}
	}
	if got := oneLine(errors.New(strings.Repeat("\u00e9", maxLine))); len(got) != maxLine+3 {
		t.Errorf("an error of %d bytes", len(got))
	}
}

// TestRescue: a crash leaves the room first, unless that takes too long, and stays a crash.
func TestRescue(t *testing.T) {
	for name, leave := range map[string]func(left chan struct{}){
		"leaves": func(left chan struct{}) { close(left) },
		"hangs":  func(chan struct{}) { time.Sleep(time.Hour) },
	} {
		synctest.Test(t, func(t *testing.T) {
			left := make(chan struct{})
			out := &joinOutput{close: func() error { leave(left); return nil }}
			begin := time.Now()
			func() {
				defer func() {
					if p := recover(); p != "lost my mind" {
						t.Errorf("%s: recovered %v", name, p)
					}
				}()
				defer out.rescue()
				panic("lost my mind")
			}()
			switch took := time.Since(begin); name {
			case "leaves":
				<-left
				if took != 0 {
					t.Errorf("it took %v", took)
				}
			default:
				if took != rescueTime {
					t.Errorf("it took %v", took)
				}
				time.Sleep(time.Hour) // until that is over, too
			}
		})
	}
}
