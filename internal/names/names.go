package names

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// MaxLen is how long a name may be, in bytes of UTF-8.
const MaxLen = 64

// Room makes a room name of what a person typed, or what stands in a file or link: in Unicode NFC, without
// the white space around it (docs/protocol.md, section 5.2). If that is none, the error is a [*Error].
func Room(typed string) (string, error) {
	name := normalize(typed)
	return name, nameError("room name", name, RoomFault(name))
}

// RoomPattern is Room for a pattern of room names, in which * stands for any text.
func RoomPattern(typed string) (string, error) {
	name := normalize(typed)
	// A star may stand for anything, so a pattern is right if it is with a letter in its place.
	return name, nameError("room name", name, RoomFault(strings.ReplaceAll(name, "*", "x")))
}

// Member is Room for the name of a member or relay, which may be empty and begin with an underscore.
func Member(typed string) (string, error) {
	name := normalize(typed)
	return name, nameError("name", name, TextFault(name, MaxLen))
}

func normalize(typed string) string {
	isSpace := func(r rune) bool { return unicode.Is(unicode.White_Space, r) }
	return strings.TrimFunc(norm.NFC.String(typed), isSpace)
}

// Fault is what is wrong with a name.
type Fault string

// The faults of names. A name has one at a time, the first of these.
const (
	TooLong    Fault = "long"
	NotUTF8    Fault = "utf8"
	Control    Fault = "control"    // a control character, Unicode category Cc
	Empty      Fault = "empty"      // rooms only
	Underscore Fault = "underscore" // rooms only: such are rooms of the relays themselves
	notNFC     Fault = "nfc"        // on the wire only
)

var details = map[Fault]string{
	TooLong:    "too many bytes",
	NotUTF8:    "is not UTF-8",
	Control:    "contains a control character",
	Empty:      "is empty",
	Underscore: "begins with an underscore",
	notNFC:     "is not in Unicode NFC",
}

// Detail says it of bytes that another program made.
func (f Fault) Detail() string { return details[f] }

// Error says what is wrong with a name that somebody typed.
type Error struct {
	What  string // "room name" or "name"
	Name  string
	Fault Fault
}

func (e *Error) Error() string {
	switch e.Fault {
	case Empty:
		return "the " + e.What + " is empty"
	case TooLong:
		return fmt.Sprintf("the %s %q has %d bytes in UTF-8; %d bytes are the most",
			e.What, e.Name, len(e.Name), MaxLen)
	case Control:
		control := e.Name[strings.IndexFunc(e.Name, unicode.IsControl):]
		r, _ := utf8.DecodeRuneInString(control)
		return fmt.Sprintf("the %s %q contains the control character %U", e.What, e.Name, r)
	case Underscore:
		return fmt.Sprintf("the %s %q begins with an underscore, as only rooms of relays themselves may",
			e.What, e.Name)
	}
	return fmt.Sprintf("the %s %q %s", e.What, e.Name, details[e.Fault])
}

func nameError(what, name string, fault Fault) error {
	if fault == "" {
		return nil
	}
	return &Error{what, name, fault}
}

// RoomFault is what is wrong with the name of a room as it is on the wire; "" if nothing is.
func RoomFault(name string) Fault {
	switch fault := TextFault(name, MaxLen); {
	case fault != "":
		return fault
	case name == "":
		return Empty
	case name[0] == '_':
		return Underscore
	case !norm.NFC.IsNormalString(name):
		return notNFC
	}
	return ""
}

// TextFault is the rule for every text that people see. Control characters are refused because logs and
// terminals obey some of them.
func TextFault(s string, limit int) Fault {
	switch {
	case len(s) > limit:
		return TooLong
	case !utf8.ValidString(s):
		return NotUTF8
	case strings.ContainsFunc(s, unicode.IsControl):
		return Control
	}
	return ""
}
