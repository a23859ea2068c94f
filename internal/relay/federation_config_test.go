package relay

import (
	"strings"
	"testing"
)

func TestIsGlobal(t *testing.T) {
	for _, test := range []struct {
		pattern, room string
		want          bool
	}{
		{"ops", "ops", true},
		{"ops", "ops2", false},
		{"ops", "Ops", false},
		{"ops-*", "ops-north", true},
		{"ops-*", "ops-", true},
		{"ops-*", "ops", false},
		{"ops-*", "dev-ops-north", false},
		{"*", "ops", true},
		{"*-ops", "north-ops", true},
		{"*-ops", "north-ops-2", false},
		{"a*c", "abc", true},
		{"a*c", "ac", true},
		{"a*c", "acb", false},
		{"aa*aa", "aaa", false}, // no byte is matched twice
		{"aa*aa", "aaaa", true},
		{"a*b*c", "a-b-b-c", true},
		{"a*b*c", "a-c-b", false},
		{"a*bc*bc", "abc", false},
		{"a*bc*bc", "abcbcbc", true},
		{"a**b", "ab", true},
		{"**", "x", true},
		{"caf\u00e9*", "caf\u00e9 2", true},
		{"o?s", "ops", false}, // only * is special
		{"o[p]s", "ops", false},
		{`o\*`, `o\x`, true},
	} {
		c := FederationConfig{GlobalRooms: []string{"elsewhere", test.pattern}}
		if got := c.IsGlobal(test.room); got != test.want {
			t.Errorf("with global room %q, IsGlobal(%q) = %v, want %v", test.pattern, test.room, got,
				test.want)
		}
	}
	if (FederationConfig{}).IsGlobal("ops") {
		t.Error("a room is global on a relay that has none")
	}
}

// TestMatchRoomBrute compares with the plain definition, for all short patterns and names over two letters.
func TestMatchRoomBrute(t *testing.T) {
	var plain func(pattern, name string) bool
	plain = func(pattern, name string) bool {
		switch {
		case pattern == "":
			return name == ""
		case pattern[0] == '*':
			return plain(pattern[1:], name) || name != "" && plain(pattern, name[1:])
		}
		return name != "" && name[0] == pattern[0] && plain(pattern[1:], name[1:])
	}
	names := words("ab", 5)
	for _, pattern := range words("ab*", 5) {
		for _, name := range names {
			if got, want := matchRoom(pattern, name), plain(pattern, name); got != want {
				t.Fatalf("matchRoom(%q, %q) = %v, want %v", pattern, name, got, want)
			}
		}
	}
}

// TestMatchRoomWorst is the pattern that makes a naive matcher take exponential time.
func TestMatchRoomWorst(t *testing.T) {
	if matchRoom(strings.Repeat("a*", 31)+"b", strings.Repeat("a", 64)) {
		t.Error("it matches")
	}
}

// words are all texts over the letters of up to n letters.
func words(letters string, n int) []string {
	all, last := []string{""}, []string{""}
	for range n {
		var next []string
		for _, word := range last {
			for _, letter := range letters {
				next = append(next, word+string(letter))
			}
		}
		all, last = append(all, next...), next
	}
	return all
}
