package wire

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Limits of texts, in bytes of UTF-8.
const (
	MaxRoomName = 64
	MaxName     = 64
	maxReason   = 256
)

// RoomName makes a room name of what a person typed, or what stands in a file or link: in Unicode NFC,
// without the white space around it (docs/protocol.md, section 5.2). If that is none, the error is a
// [*NameError].
func RoomName(typed string) (string, error) {
	name := normalize(typed)
	return name, nameError("room name", name, roomFault(name))
}

// RoomPattern is RoomName for a pattern of room names, in which * stands for any text.
func RoomPattern(typed string) (string, error) {
	name := normalize(typed)
	// A star may stand for anything, so a pattern is right if it is with a letter in its place.
	return name, nameError("room name", name, roomFault(strings.ReplaceAll(name, "*", "x")))
}

// MemberName is RoomName for the name of a member or relay, which may be empty and begin with an underscore.
func MemberName(typed string) (string, error) {
	name := normalize(typed)
	return name, nameError("name", name, textFault(name, MaxName))
}

func normalize(typed string) string {
	isSpace := func(r rune) bool { return unicode.Is(unicode.White_Space, r) }
	return strings.TrimFunc(norm.NFC.String(typed), isSpace)
}

// NameFault is what is wrong with a name.
type NameFault string

// The faults of names. A name has one at a time, the first of these.
const (
	NameTooLong    NameFault = "long"
	NameNotUTF8    NameFault = "utf8"
	NameControl    NameFault = "control"    // a control character, Unicode category Cc
	NameEmpty      NameFault = "empty"      // rooms only
	NameUnderscore NameFault = "underscore" // rooms only: such are rooms of the relays themselves
	nameNotNFC     NameFault = "nfc"        // on the wire only
)

// details are said of faults in bytes that another program made.
var details = map[NameFault]string{
	NameTooLong:    "too many bytes",
	NameNotUTF8:    "is not UTF-8",
	NameControl:    "contains a control character",
	NameEmpty:      "is empty",
	NameUnderscore: "begins with an underscore",
	nameNotNFC:     "is not in Unicode NFC",
}

// NameError says what is wrong with a name that somebody typed.
type NameError struct {
	What  string // "room name" or "name"
	Name  string
	Fault NameFault
}

func (e *NameError) Error() string {
	switch e.Fault {
	case NameEmpty:
		return "the " + e.What + " is empty"
	case NameTooLong:
		return fmt.Sprintf("the %s %q has %d bytes in UTF-8; %d bytes are the most",
			e.What, e.Name, len(e.Name), MaxName)
	case NameControl:
		control := e.Name[strings.IndexFunc(e.Name, unicode.IsControl):]
		r, _ := utf8.DecodeRuneInString(control)
		return fmt.Sprintf("the %s %q contains the control character %U", e.What, e.Name, r)
	case NameUnderscore:
		return fmt.Sprintf("the %s %q begins with an underscore, as only rooms of relays themselves may",
			e.What, e.Name)
	}
	return fmt.Sprintf("the %s %q %s", e.What, e.Name, details[e.Fault])
}

func nameError(what, name string, fault NameFault) error {
	if fault == "" {
		return nil
	}
	return &NameError{what, name, fault}
}

// roomFault is what is wrong with the name of a room; "" if nothing is.
func roomFault(name string) NameFault {
	switch fault := textFault(name, MaxRoomName); {
	case fault != "":
		return fault
	case name == "":
		return NameEmpty
	case name[0] == '_':
		return NameUnderscore
	case !norm.NFC.IsNormalString(name):
		return nameNotNFC
	}
	return ""
}

// textFault is the rule for every text that people see. Control characters are refused because logs and
// terminals obey some of them.
func textFault(s string, limit int) NameFault {
	switch {
	case len(s) > limit:
		return NameTooLong
	case !utf8.ValidString(s):
		return NameNotUTF8
	case strings.ContainsFunc(s, unicode.IsControl):
		return NameControl
	}
	return ""
}

// checkRoom is CheckName for a room's name: not empty, in Unicode NFC, without a leading underscore.
func checkRoom(what, name string) error { return formatError(what, roomFault(name)) }

// CheckName returns nil for a member's name as it is on the wire: valid UTF-8, at most 64 bytes, no control
// characters. It may be empty.
func CheckName(name string) error { return checkName("name", name) }

func checkName(what, name string) error { return checkText(what, name, MaxName) }

func checkText(what, s string, limit int) error { return formatError(what, textFault(s, limit)) }

func formatError(what string, fault NameFault) error {
	switch fault {
	case "":
		return nil
	case NameTooLong:
		return &FormatError{what, ErrLimit, details[fault]}
	}
	return &FormatError{what, ErrInvalid, details[fault]}
}
