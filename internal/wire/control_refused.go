package wire

import (
	"errors"
	"strings"
)

// Refused says that the relay does not do what it was asked, and closes:
//
//	{"Refused":{"code":text, "reason":text}}
//
// It is an error; [errors.Is] with &Refused{Code: c} asks for the code alone.
type Refused struct {
	Code   Code
	Reason string // for people, at most 256 bytes; may be empty
}

func (m *Refused) fields(c *codec) {
	c.code(&m.Code)
	c.text("reason", &m.Reason, maxReason)
}

func (m *Refused) Error() string { return m.Code.sentence("the relay refused", m.Reason) }

// Is reports whether target is a Refused with the same code.
func (m *Refused) Is(target error) bool {
	t, ok := target.(*Refused)
	return ok && t.Code == m.Code
}

// Code is why a relay refuses or ends something: at most 32 lower-case letters and underscores. A newer
// relay may send one that is not listed here.
type Code string

const (
	CodeProtocol        Code = "protocol"
	CodeSignature       Code = "signature"
	CodeName            Code = "name"
	CodeRoomName        Code = "room_name"
	CodeEntry           Code = "entry"
	CodeRecord          Code = "record"
	CodeRoomFull        Code = "room_full"
	CodeTooManyRooms    Code = "too_many_rooms"
	CodeTooManySessions Code = "too_many_sessions"
	CodeRate            Code = "rate"
	CodeShuttingDown    Code = "shutting_down" // also in Goodbye
	CodeReplaced        Code = "replaced"      // in Goodbye
)

// advice says what a code means, and what to do about it.
var advice = map[Code]string{
	CodeProtocol: "it does not understand this client; use a version of wzp that fits the relay's",
	CodeSignature: "the proof of identity does not fit; connect again, " +
		"and check that it is the relay you mean",
	CodeName: "the name is not allowed; use at most 64 bytes without control characters",
	CodeRoomName: "the room name is not allowed; use 1 to 64 bytes in Unicode NFC, " +
		"no control characters, no leading underscore",
	CodeEntry: "the member entry is not valid; join again",
	CodeRecord: "the reach record is not valid; " +
		"see that the clock of this machine is right, and try again",
	CodeRoomFull:        "the room is full; try again when somebody has left",
	CodeTooManyRooms:    "it has too many rooms; try again later or use another relay",
	CodeTooManySessions: "it has too many sessions; try again later or use another relay",
	CodeRate:            "too many attempts; wait a minute and try again",
	CodeShuttingDown:    "it is shutting down; try again in a minute or use another relay",
	CodeReplaced:        "another connection took this session's place; end the other one and join again",
}

// sentence makes an error's text: who did what, why, and the relay's own words. These were checked to
// hold no control characters.
func (c Code) sentence(what, reason string) string {
	why, ok := advice[c]
	if !ok {
		why = string(c)
	}
	s := what + ": " + why
	if reason != "" {
		s += " (" + reason + ")"
	}
	return s
}

const maxCode = 32

// code is a field that is a Code, known or not.
func (c *codec) code(v *Code) {
	c.str("code", (*string)(v), func(what, s string) error {
		if s == "" || len(s) > maxCode || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") != "" {
			return &FormatError{what, ErrInvalid, "1 to 32 lower-case letters and underscores"}
		}
		return nil
	})
}

// CodeOf returns the code with which a relay refuses a message that [ReadMessage] or [ParseEntry] failed on.
func CodeOf(err error) Code {
	var f *FormatError
	if !errors.As(err, &f) {
		return CodeProtocol
	}
	switch f.What {
	case "Hello.name", "name":
		return CodeName
	case "Join.room", "entry room", "room name":
		return CodeRoomName
	case "Join.entry", "entry", "entry name", "entry signature":
		return CodeEntry
	case "Available.record", "reach record", "reach record signature":
		return CodeRecord
	}
	return CodeProtocol
}
