package wire

import (
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

// CheckRoomName returns nil for a room name: valid UTF-8 in Unicode NFC, 1 to 64 bytes, no control
// characters, no leading underscore (rooms of the relays themselves). Otherwise a [*FormatError] says
// which rule it breaks.
func CheckRoomName(name string) error { return checkRoom("room name", name) }

func checkRoom(part, name string) error {
	if err := checkText(part, name, MaxRoomName); err != nil {
		return err
	}
	switch {
	case name == "":
		return &FormatError{part, ErrInvalid, "is empty"}
	case name[0] == '_':
		return &FormatError{part, ErrInvalid, "begins with an underscore"}
	case !norm.NFC.IsNormalString(name):
		return &FormatError{part, ErrInvalid, "is not in Unicode NFC"}
	}
	return nil
}

// CheckName returns nil for a member's name: valid UTF-8, at most 64 bytes, no control characters. It
// may be empty.
func CheckName(name string) error { return checkText("name", name, MaxName) }

// checkText is the rule for every text that people see. Control characters (Unicode category Cc) are
// refused because logs and terminals obey some of them.
func checkText(part, s string, limit int) error {
	if len(s) > limit {
		return &FormatError{part, ErrLimit, "too many bytes"}
	}
	if !utf8.ValidString(s) {
		return &FormatError{part, ErrInvalid, "is not UTF-8"}
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return &FormatError{part, ErrInvalid, "contains a control character"}
		}
	}
	return nil
}
