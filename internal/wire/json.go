package wire

import (
	"bytes"
	"encoding/json"
	"io"
	"unicode/utf8"
)

// Only JSON that every parser reads alike is accepted, and little of it: encoding/json alone would take
// the last of two equal names, match names in any case and replace what is not UTF-8.

// maxDepth is how deep arrays and objects may lie in each other; known messages need 3.
const maxDepth = 16

var (
	errJSON          = &FormatError{"control message", ErrInvalid, "is not one JSON value in UTF-8"}
	errJSONDepth     = &FormatError{"control message", ErrLimit, "is nested too deeply"}
	errJSONDuplicate = &FormatError{"control message", ErrInvalid, "has a name twice in an object"}
)

// checkJSON reports whether b is one JSON value in UTF-8, without a name twice in any object, and at
// most maxDepth deep.
func checkJSON(b []byte) error {
	if !utf8.Valid(b) {
		return errJSON
	}
	if err := checkNesting(b); err != nil {
		return err
	}
	if !json.Valid(b) { // the walk takes more
		return errJSON
	}
	return nil
}

// checkNesting walks JSON and looks for a name twice in one object, and for what is nested too deeply.
func checkNesting(b []byte) error {
	type level struct {
		names map[string]bool // nil in an array
		value bool            // the next token of an object is a value, not a name
	}
	var stack []level
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber() // some valid numbers fit no float64, and would end the walk
	for {
		t, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return errJSON
		}
		if t == json.Delim('}') || t == json.Delim(']') {
			stack = stack[:len(stack)-1]
			continue
		}
		if n := len(stack); n > 0 && stack[n-1].names != nil {
			top := &stack[n-1]
			if !top.value {
				name, _ := t.(string)
				if top.names[name] {
					return errJSONDuplicate
				}
				top.names[name] = true
			}
			top.value = !top.value
		}
		switch t {
		case json.Delim('{'):
			stack = append(stack, level{names: map[string]bool{}})
		case json.Delim('['):
			stack = append(stack, level{})
		}
		if len(stack) > maxDepth {
			return errJSONDepth
		}
	}
}

// splitTag takes a message apart: {"Name": body}, or "Name", which is short for {"Name": {}}.
func splitTag(b []byte) (name string, body []byte, err error) {
	if b = bytes.TrimSpace(b); len(b) > 0 && b[0] == '"' {
		name, _ = decode[string](b)
		return name, []byte("{}"), nil
	}
	tagged, ok := decode[map[string]json.RawMessage](b)
	if !ok || len(tagged) != 1 {
		return "", nil, errMessageTag
	}
	for name, body = range tagged {
	}
	return name, body, nil
}
