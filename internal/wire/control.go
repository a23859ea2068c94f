package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strconv"
)

// MaxMessage is the length limit of a control message's JSON in bytes.
const MaxMessage = 65536

// Message is a control message: a pointer to one of those in the list below, or an *[UnknownMessage]. No
// other package can add one.
type Message interface {
	// fields names the message's fields, one after the other, to a codec, which reads or writes
	// them: one list serves both directions.
	fields(*codec)
}

// messages are all control messages. Each has a file of its own, and is tagged in the JSON with its type's
// name.
var messages = map[string]func() Message{
	"Greeting":   func() Message { return new(Greeting) },
	"Hello":      func() Message { return new(Hello) },
	"Welcome":    func() Message { return new(Welcome) },
	"Join":       func() Message { return new(Join) },
	"Joined":     func() Message { return new(Joined) },
	"Members":    func() Message { return new(Members) },
	"MemberPage": func() Message { return new(MemberPage) },
	"Available":  func() Message { return new(Available) },
	"Line":       func() Message { return new(Line) },
	"Leave":      func() Message { return new(Leave) },
	"Goodbye":    func() Message { return new(Goodbye) },
	"Refused":    func() Message { return new(Refused) },
}

// MessageName returns the tag of a message.
func MessageName(m Message) string {
	if u, ok := m.(*UnknownMessage); ok {
		return u.Name
	}
	return reflect.TypeOf(m).Elem().Name()
}

// UnknownMessage stands for a message whose name this version does not know: log and skip it.
type UnknownMessage struct {
	// Name is the received tag, cut after 64 bytes. Anything may be in it: print it quoted.
	Name string
}

func (m *UnknownMessage) fields(c *codec) { c.err = errMessageUnknown }

var (
	errMessageEmpty = &FormatError{"control message", ErrInvalid, "is empty"}
	errMessageLimit = &FormatError{"control message", ErrLimit,
		"at most 65536 bytes, or what the receiver takes"}
	errMessageUnknown = &FormatError{"control message", ErrUnknown, "cannot be sent"}
	errMessageTag     = &FormatError{"control message", ErrInvalid, `is a name, or an object of one field`}
)

// AppendMessage appends a control message. It fails, and returns dst as it was, with a
// [*FormatError] if a field breaks its rules or the whole is too long.
//
//	length (4) || JSON: {"Join":{"room":"x"}}, or "Leave" if no field is there
func AppendMessage(dst []byte, m Message) ([]byte, error) {
	name := strconv.Quote(MessageName(m))
	c := codec{message: MessageName(m), out: append(append(dst, 0, 0, 0, 0), "{"+name+":{"...)}
	if m.fields(&c); c.err != nil {
		return dst, c.err
	}
	if c.out[len(c.out)-1] == '{' {
		c.out = append(c.out[:len(dst)+4], name...)
	} else {
		c.out = append(c.out, "}}"...)
	}
	n := len(c.out) - len(dst) - 4
	if n > MaxMessage {
		return dst, errMessageLimit
	}
	binary.BigEndian.PutUint32(c.out[len(dst):], uint32(n))
	return c.out, nil
}

// ReadMessage reads one control message. A message of an unknown name is no error but an [*UnknownMessage].
//
// At the end of the stream it returns [io.EOF], inside of a message [io.ErrUnexpectedEOF], and
// otherwise the error of r or a [*FormatError], after which the stream is of no use. Memory is taken
// as bytes arrive, not as the length promises. Nothing is kept of r's buffers.
func ReadMessage(r io.Reader) (Message, error) { return ReadMessageUpTo(r, MaxMessage) }

// ReadMessageUpTo is ReadMessage for who takes no longer messages than limit, at most [MaxMessage] bytes.
func ReadMessageUpTo(r io.Reader, limit int) (Message, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	switch {
	case n == 0:
		return nil, errMessageEmpty
	case int64(n) > int64(min(limit, MaxMessage)):
		return nil, errMessageLimit
	}
	var body bytes.Buffer
	if _, err := io.CopyN(&body, r, int64(n)); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return parseMessage(body.Bytes())
}

// parseMessage reads the JSON of a control message.
func parseMessage(b []byte) (Message, error) {
	if err := checkJSON(b); err != nil {
		return nil, err
	}
	name, body, err := splitTag(b)
	if err != nil {
		return nil, err
	}
	known := messages[name]
	if known == nil {
		return &UnknownMessage{Name: name[:min(len(name), 64)]}, nil
	}
	in, ok := decode[map[string]json.RawMessage](body)
	if !ok {
		return nil, &FormatError{name, ErrInvalid, "its fields are an object"}
	}
	m, c := known(), codec{message: name, in: in, decoding: true}
	if m.fields(&c); c.err != nil {
		return nil, c.err
	}
	return m, nil
}
