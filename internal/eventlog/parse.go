package eventlog

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// maxTexts is how many texts a Reader holds once only.
const maxTexts = 1024

// quick reads a line as appendLine writes them, into r.event: some ten times faster than encoding/json. It
// returns false for all others, which parse reads or refuses.
func (r *Reader) quick(line []byte) bool {
	r.event = Event{}
	rest, ok := bytes.CutPrefix(bytes.TrimSuffix(line, []byte("\n")), []byte("{"))
	for ok {
		end := bytes.IndexByte(rest, ':')
		if end < 3 || rest[0] != '"' || rest[end-1] != '"' {
			return false
		}
		name, value := rest[1:end-1], rest[end+1:]
		if bytes.HasPrefix(value, []byte(`"`)) {
			end = 2 + bytes.IndexByte(value[1:], '"') // where a quote is escaped, unquote fails
		} else if end = bytes.IndexByte(value, ','); end < 0 {
			end = len(value) - 1
		}
		if end < 1 || r.set(string(name), value[:end]) != nil {
			return false
		}
		if string(value[end:]) == "}" {
			return r.event.Time != 0 && r.event.Kind != ""
		}
		rest, ok = bytes.CutPrefix(value[end:], []byte(","))
	}
	return false
}

// parse reads any line into r.event.
func (r *Reader) parse(line []byte) error {
	r.event = Event{}
	var values map[string]json.RawMessage
	err := json.Unmarshal(line, &values)
	if values == nil && (err == nil || errors.As(err, new(*json.UnmarshalTypeError))) {
		return errNotObject
	}
	if err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	maps.DeleteFunc(values, func(_ string, value json.RawMessage) bool { return string(value) == "null" })
	if values["ts"] == nil {
		values["ts"] = json.RawMessage(`""`)
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if err := r.set(name, values[name]); err != nil && !errors.Is(err, errUnknown) {
			return fmt.Errorf("%s %w", name, err)
		}
	}
	if r.event.Kind == "" {
		return errNotObject
	}
	return nil
}

// parseLine reads one line.
func parseLine(line []byte) (Event, error) {
	r := NewReader(nil, "")
	err := r.parse(line)
	return r.event, err
}

// set sets a field of the event to its value in JSON. An id may be empty.
func (r *Reader) set(name string, value []byte) error {
	e := &r.event
	switch name {
	case "stream":
		return parseNumber(&e.Stream, value, 8)
	case "epoch":
		return parseNumber(&e.Epoch, value, 8)
	case "seq":
		return parseNumber(&e.Seq, value, 64)
	case "count":
		return parseNumber(&e.Count, value, 64)
	case "len":
		return parseNumber(&e.Len, value, 32)
	case "to_count":
		return parseNumber(&e.ToCount, value, 32)
	case "participants":
		return parseNumber(&e.Members, value, 32)
	case "hops":
		return parseNumber(&e.Hops, value, 32)
	}
	text, err := unquote(value)
	switch name {
	case "ts":
		var at time.Time
		if err == nil && at.UnmarshalText(text) != nil {
			return fmt.Errorf("is not a time: %q", text)
		}
		e.Time = at.UnixMicro()
	case "event":
		e.Kind = Kind(r.once(text))
	case "room":
		e.Room = r.once(text)
	case "reason":
		e.Reason = r.once(text)
	case "action":
		e.Action = r.once(text)
	case "name":
		e.Name = r.once(text)
	case "room_hash":
		err = cmp.Or(err, parseHex(e.RoomHash[:], text))
	case "src":
		err = cmp.Or(err, parseHex(e.Src[:], text))
	case "peer":
		err = cmp.Or(err, parseHex(e.Peer[:], text))
	case "relay":
		err = cmp.Or(err, parseHex(e.Relay[:], text))
	case "who":
		err = cmp.Or(err, parseHex(e.Who[:], text))
	default:
		return errUnknown
	}
	return err
}

// once returns text as a string that is shared with those of other lines.
func (r *Reader) once(text []byte) string {
	if shared, ok := r.texts[string(text)]; ok {
		return shared
	}
	shared := string(text)
	if len(r.texts) < maxTexts {
		r.texts[shared] = shared
	}
	return shared
}

// unquote returns what a string of JSON says.
func unquote(value []byte) ([]byte, error) {
	if len(value) < 2 || value[0] != '"' {
		return nil, fmt.Errorf("cannot be %s", value)
	}
	for _, c := range value {
		if c < ' ' || c > '~' || c == '\\' {
			var text string
			err := json.Unmarshal(value, &text)
			return []byte(text), err
		}
	}
	return value[1 : len(value)-1], nil
}

func parseNumber[T uint8 | uint64 | int](into *T, value []byte, bits int) error {
	n, err := strconv.ParseUint(string(value), 10, bits)
	if err != nil || value[0] == '0' && len(value) > 1 {
		return fmt.Errorf("cannot be a number %s", value)
	}
	*into = T(n)
	return nil
}

// parseHex reads an id, which may be in groups between colons, or empty.
func parseHex(into, text []byte) error {
	if len(text) == 0 {
		return nil
	}
	var room [32]byte // more than any id takes
	digits := room[:0]
	for _, c := range text {
		if c != ':' && len(digits) < len(room) {
			digits = append(digits, c)
		}
	}
	if n, err := hex.Decode(room[:], digits); err != nil || n != len(into) {
		return fmt.Errorf("is not %d hexadecimal digits", 2*len(into))
	}
	copy(into, room[:])
	return nil
}
