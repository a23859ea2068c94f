package names

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
)

// namesRule is how names of each kind are made of what people type, by the kinds of testdata/names.json,
// which the page is tested with, too.
var namesRule = map[string]func(string) (string, error){
	"room": Room, "member": Member, "pattern": RoomPattern, "host": Host,
}

// The examples of docs/protocol.md, section 5.2.
func TestNamesOfPeople(t *testing.T) {
	data, err := os.ReadFile("testdata/names.json")
	if err != nil {
		t.Fatal(err)
	}
	var examples []struct{ Kind, Typed, Name, Fault string }
	if err := json.Unmarshal(data, &examples); err != nil || len(examples) == 0 {
		t.Fatal(len(examples), err)
	}
	for _, x := range examples {
		name, err := namesRule[x.Kind](x.Typed)
		var wrong *Error
		switch {
		case x.Fault == "":
			if err != nil || name != x.Name {
				t.Errorf("%s %q: %q, %v; want %q", x.Kind, x.Typed, name, err, x.Name)
			}
		case x.Kind == "host":
			if err == nil {
				t.Errorf("host %q: %q", x.Typed, name)
			}
		case !errors.As(err, &wrong) || string(wrong.Fault) != x.Fault || name != x.Name:
			t.Errorf("%s %q: %q, %v; want the fault %s", x.Kind, x.Typed, name, err, x.Fault)
		}
		if err != nil && strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' }) {
			t.Errorf("%s %q: the error is not one line of text: %q", x.Kind, x.Typed, err)
		}
		if x.Kind == "room" && x.Fault == "" && RoomFault(name) != "" {
			t.Errorf("room %q is made as %q, which is none on the wire: %v", x.Typed, name,
				RoomFault(name))
		}
	}
	if _, err := Room("a\xff"); err == nil || err.Error() != `the room name "a\xff" is not UTF-8` {
		t.Error(err)
	}
	if _, err := Room(strings.Repeat("x", 80)); err == nil || !strings.Contains(err.Error(), "80 bytes") {
		t.Error(err)
	}
}

// What a name is made into stays as it is.
func FuzzNames(f *testing.F) {
	f.Add("  cafe\u0301 ")
	f.Add("_x")
	f.Add("B\u00fcCHER.example")
	f.Fuzz(func(t *testing.T, typed string) {
		for kind, rule := range namesRule {
			name, err := rule(typed)
			if err != nil {
				continue
			}
			if again, err := rule(name); again != name || err != nil {
				t.Errorf("%s %q is made into %q, and that into %q, %v", kind, typed, name, again, err)
			}
			if kind == "room" && RoomFault(name) != "" || kind == "member" &&
				TextFault(name, MaxLen) != "" {
				t.Errorf("%s %q is made into %q, which the wire refuses", kind, typed, name)
			}
		}
	})
}
