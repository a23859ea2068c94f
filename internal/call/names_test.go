package call

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// stay returns what checks the names in a room of a client that keeps them in a file, "" for none.
func stay(t *testing.T, file string) *arrivals {
	t.Helper()
	self := newIdentity(1)
	book := &nameBook{own: "Ana", self: self.Public(), met: make(map[string]identity.PublicKey)}
	if file != "" {
		var err error
		if book.file, err = identity.OpenKnownNames(file, self); err != nil {
			t.Fatal(err)
		}
	}
	return &arrivals{book: book, events: newEvents(), log: slog.New(slog.DiscardHandler),
		here: func(wire.MemberID) bool { return true }}
}

// strangers are n people with names of their own.
func strangers(from, n int) (list []Member) {
	key := newIdentity(2).Public()
	for i := from; i < from+n; i++ {
		list = append(list, Member{Name: fmt.Sprintf("Member %d", i), Identity: key})
	}
	return list
}

// meets returns what people are warned of when these come, as codes and names.
func (g *arrivals) meets(list ...Member) (words []string) {
	g.check(list)
	for {
		select {
		case e := <-g.events.out:
			w := e.(Warning)
			words = append(words, strings.TrimSpace(string(w.Code)+" "+w.Member.Name))
		default:
			return words
		}
	}
}

func wantWarned(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: warned of %q, want %q", what, got, want)
	}
}

// TestNamesLookedAt goes through who may come, with and without a file of known names.
func TestNamesLookedAt(t *testing.T) {
	for _, file := range []string{"", filepath.Join(t.TempDir(), "known_names")} {
		g := stay(t, file)
		ben := Member{Name: "Ben", Identity: newIdentity(2).Public()}
		other := Member{Name: "BE\u034fN\u3164", Identity: newIdentity(3).Public()}
		wantWarned(t, "first", g.meets(ben, Member{Identity: newIdentity(3).Public()},
			Member{Name: "\u2800", Identity: newIdentity(4).Public()}))
		wantWarned(t, "again", g.meets(ben))
		here := g.here
		g.here = func(wire.MemberID) bool { return false }
		wantWarned(t, "another, the first has left", g.meets(other), "name "+other.Name)
		g.here = here
		wantWarned(t, "our device", g.meets(Member{Name: "ana", Identity: newIdentity(1).Public()}))
		wantWarned(t, "our name", g.meets(Member{Name: "A\u200dna", Identity: newIdentity(3).Public()}),
			"alike A\u200dna")
		unnamed := stay(t, file)
		unnamed.book.own = ""
		wantWarned(t, "nobody has a name", unnamed.meets(Member{Identity: newIdentity(3).Public()},
			Member{Name: "\u2800", Identity: newIdentity(4).Public()}))
		other.Outside = true
		wantWarned(t, "outside", g.meets(other, other), "outside "+other.Name)
		both := []Member{{Name: "Eve", Identity: newIdentity(5).Public()},
			{Name: "eve", Identity: newIdentity(6).Public()}}
		wantWarned(t, "at once", g.meets(both...), "alike eve")
		wantWarned(t, "at once, again", g.meets(both...))
		if file == "" {
			continue
		}
		g = stay(t, file)
		wantWarned(t, "another stay", g.meets(both...), "alike eve")
		wantWarned(t, "a third", g.meets(Member{Name: "Eve", Identity: newIdentity(7).Public()}), "name Eve")
		wantWarned(t, "another, again", g.meets(Member{Name: "Ben", Identity: other.Identity}), "name Ben")
	}
}

// TestCrowdOfOneName wants many strangers with one name to be no alarm, and not to fill the file.
func TestCrowdOfOneName(t *testing.T) {
	file := filepath.Join(t.TempDir(), "known_names")
	g := stay(t, file)
	var crowd []Member
	for i := range byte(20) {
		crowd = append(crowd, Member{Name: "Ben", Identity: newIdentity(10 + i).Public()})
	}
	wantWarned(t, "a crowd", g.meets(crowd...), "alike Ben")
	text, err := os.ReadFile(file)
	if n := strings.Count(string(text), "\n") - 1; err != nil || n != maxNamesakes {
		t.Errorf("%d names are kept, want %d (%v)", n, maxNamesakes, err)
	}
}

// TestOneStayAddsFewNames wants a room of many strangers to leave room in the file, people to be warned of
// that once, and who has whose name to be noticed all the same.
func TestOneStayAddsFewNames(t *testing.T) {
	file := filepath.Join(t.TempDir(), "known_names")
	lines := func() int {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(text), "\n") - 1
	}
	g := stay(t, file)
	wantWarned(t, "as many as may be", g.meets(strangers(0, maxNewNames)...))
	wantWarned(t, "more", g.meets(strangers(maxNewNames-10, 2000)...), "names")
	wantWarned(t, "still more", g.meets(strangers(5000, 10)...))
	if n := lines(); n != maxNewNames {
		t.Errorf("%d names are kept, want %d", n, maxNewNames)
	}
	g.here = func(wire.MemberID) bool { return false }
	wantWarned(t, "somebody posing", g.meets(Member{Name: "member 1000", Identity: newIdentity(3).Public()}),
		"name member 1000")

	// The next stay begins anew, and known names do not count.
	g = stay(t, file)
	wantWarned(t, "another stay", g.meets(strangers(0, 2*maxNewNames)...))
	if n := lines(); n != 2*maxNewNames {
		t.Errorf("%d names are kept, want %d", n, 2*maxNewNames)
	}
}

// TestUnusableNamesFile wants people to be told, once, that names are not kept, and why.
func TestUnusableNamesFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "known_names")
	g := stay(t, file)
	if err := os.WriteFile(file, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.check(strangers(0, 2))
	w := (<-g.events.out).(Warning)
	if w.Code != WarnNames || !strings.Contains(w.Text, file+", line 1: want two hashes") {
		t.Errorf("warned of %v", w)
	}
	wantWarned(t, "again", g.meets(strangers(1, 2)...))
	g.here = func(wire.MemberID) bool { return false }
	wantWarned(t, "somebody posing", g.meets(Member{Name: "MEMBER 1", Identity: newIdentity(3).Public()}),
		"name MEMBER 1")
}

func TestCalled(t *testing.T) {
	m := Member{Name: "Bo\u034fb\u3164\"", Identity: newIdentity(1).Public()}
	if got, want := called(m), `"Bo\u034fb\u3164\""`; got != want {
		t.Errorf("called %s, want %s", got, want)
	}
}
