package wzp

import (
	"errors"

	"github.com/wzp-voice/wzp/internal/audio"
	"github.com/wzp-voice/wzp/internal/call"
	"github.com/wzp-voice/wzp/internal/names"
	"github.com/wzp-voice/wzp/internal/wire"
)

// Errors that errors.Is finds in what this package returns. The text of what is returned says more.
var (
	ErrName        = errors.New("the name is not allowed")
	ErrUnreachable = errors.New("the relay cannot be reached")
	ErrClosed      = errors.New("the client is closed")
	ErrRoomOver    = errors.New("the room is over")
	ErrPublished   = errors.New("something is being published in this room already")
	ErrNoDevice    = errors.New("there is no such sound device")
	ErrCallSelf    = errors.New("that is your own fingerprint")
	ErrInCall      = errors.New("there is a call already")
	ErrCallRate    = errors.New("too many calls in a minute")
	ErrCallState   = errors.New("the call is not in a state for that")
	ErrCallFailed  = errors.New("the call was lost")
)

// RefusedError says that the relay did not let the client in, or ended its stay.
type RefusedError struct {
	// Code is why: "room_full", "too_many_rooms", "too_many_sessions", "rate", "name", "room_name", "entry",
	// "signature", "protocol", "shutting_down", "replaced" (by another connection of the same session), or
	// what a later relay says.
	Code string
	Text string // the same in words, and what to do about it
}

// Error returns Text.
func (e *RefusedError) Error() string { return e.Text }

// kinds are the errors of other packages that callers tell apart.
var kinds = []struct{ inner, public error }{
	{call.ErrClosed, ErrClosed},
	{call.ErrRoomOver, ErrRoomOver},
	{call.ErrPublished, ErrPublished},
	{audio.ErrNoDevice, ErrNoDevice},
	{call.ErrSelf, ErrCallSelf},
	{call.ErrTalking, ErrInCall},
	{call.ErrAlready, ErrInCall},
	{call.ErrRate, ErrCallRate},
	{call.ErrCallState, ErrCallState},
	{call.ErrCallFailed, ErrCallFailed},
}

// public makes err one that this package documents. Its text stays.
func public(err error) error {
	if refused := new(wire.Refused); errors.As(err, &refused) {
		return &kindError{err, &RefusedError{string(refused.Code), refused.Error()}}
	}
	if bye := new(wire.Goodbye); errors.As(err, &bye) {
		return &kindError{err, &RefusedError{string(bye.Code), bye.Error()}}
	}
	if errors.As(err, new(*call.UnreachableError)) {
		return &kindError{err, ErrUnreachable}
	}
	if errors.As(err, new(*names.Error)) {
		return &kindError{err, ErrName}
	}
	for _, k := range kinds {
		if errors.Is(err, k.inner) {
			return &kindError{err, k.public}
		}
	}
	return err
}

// kindError is an error that is also one of a documented kind.
type kindError struct{ err, kind error }

// Error returns the text of the error, which says more than its kind.
func (e *kindError) Error() string { return e.err.Error() }

// Unwrap is for errors.Is and errors.As.
func (e *kindError) Unwrap() []error { return []error{e.kind, e.err} }
