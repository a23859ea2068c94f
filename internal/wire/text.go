package wire

import "github.com/wzp-voice/wzp/internal/names"

// Limits of texts, in bytes of UTF-8.
const (
	MaxRoomName = names.MaxLen
	MaxName     = names.MaxLen
	maxReason   = 256
)

// CheckName returns nil for a member's name as it is on the wire: valid UTF-8, at most 64 bytes, no control
// characters. It may be empty.
func CheckName(name string) error { return checkName("name", name) }

// checkRoom is CheckName for a room's name: not empty, in Unicode NFC, without a leading underscore.
func checkRoom(what, name string) error { return formatError(what, names.RoomFault(name)) }

func checkName(what, name string) error { return checkText(what, name, MaxName) }

func checkText(what, s string, limit int) error { return formatError(what, names.TextFault(s, limit)) }

func formatError(what string, fault names.Fault) error {
	switch fault {
	case "":
		return nil
	case names.TooLong:
		return &FormatError{what, ErrLimit, fault.Detail()}
	}
	return &FormatError{what, ErrInvalid, fault.Detail()}
}
