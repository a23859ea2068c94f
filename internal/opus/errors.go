package opus

import (
	"errors"
	"fmt"
)

// ErrClosed is returned by every method of a closed encoder or decoder.
var ErrClosed = errors.New("opus: codec is closed")

// Error is a refusal by libopus itself.
type Error struct {
	Op   string // what was asked, such as "decode"
	Code int    // negative, see opus_defines.h
	Text string // libopus's own words
}

func (e *Error) Error() string {
	return fmt.Sprintf("opus: %s: %s (%d)", e.Op, e.Text, e.Code)
}

// check turns a return code of libopus into an error; zero and above is success.
func (l *library) check(op string, code int) error {
	if code >= 0 {
		return nil
	}
	return &Error{Op: op, Code: code, Text: cString(call(l.strerror, uintptr(code)))}
}
