package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strconv"
)

// codec reads or writes the fields of one message; a message names them in the order in which they are
// written. It checks the same rules both ways. After the first error it does nothing.
type codec struct {
	message  string
	decoding bool
	in       map[string]json.RawMessage // decoding: what came
	out      []byte                     // encoding: what is written so far
	n        int                        // encoding: fields so far
	err      error
}

// fail notes what is wrong with a field, if nothing was before.
func (c *codec) fail(name string, err error, detail string) {
	if c.err == nil {
		c.err = &FormatError{c.message + "." + name, err, detail}
	}
}

// name writes a field's name and what goes before it.
func (c *codec) name(name string) {
	if c.n++; c.n == 1 {
		c.out = strconv.AppendQuote(append(c.out, '{'), c.message)
		c.out = append(c.out, ":{"...)
	} else {
		c.out = append(c.out, ',')
	}
	c.out = append(strconv.AppendQuote(c.out, name), ':')
}

// value returns a received field, or false after an error.
func (c *codec) value(name string) (json.RawMessage, bool) {
	raw, ok := c.in[name]
	if !ok {
		c.fail(name, ErrTruncated, "is missing")
	}
	return bytes.TrimSpace(raw), ok && c.err == nil
}

// has reports whether the optional field is there: as given if encoding.
func (c *codec) has(name string, given bool) bool {
	if !c.decoding {
		return given
	}
	_, ok := c.in[name]
	return ok
}

// unquote returns the JSON string that raw is.
func unquote(raw json.RawMessage) (s string, ok bool) {
	if len(raw) == 0 || raw[0] != '"' { // null would unmarshal, into ""
		return "", false
	}
	return s, json.Unmarshal(raw, &s) == nil
}

// quote appends s, valid UTF-8 without control characters, as a JSON string.
func quote(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}

// str is a field that is a JSON string: check is asked about what came, or what will go.
func (c *codec) str(name string, s *string, check func(what, s string) error) {
	if c.err != nil {
		return
	}
	if c.decoding {
		raw, ok := c.value(name)
		if !ok {
			return
		}
		if *s, ok = unquote(raw); !ok {
			c.fail(name, ErrInvalid, "is a string")
			return
		}
	}
	if c.err = check(c.message+"."+name, *s); c.err == nil && !c.decoding {
		c.name(name)
		c.out = quote(c.out, *s)
	}
}

// text is a text of at most limit bytes.
func (c *codec) text(name string, s *string, limit int) {
	c.str(name, s, func(what, s string) error { return checkText(what, s, limit) })
}

// hex is a string of hexadecimal digits, for exactly the bytes of b.
func (c *codec) hex(name string, b []byte) {
	s := ""
	if !c.decoding {
		s = hex.EncodeToString(b)
	}
	c.str(name, &s, func(what, s string) error {
		if c.decoding && !decodeHex(b, s) {
			return &FormatError{what, ErrInvalid, strconv.Itoa(2*len(b)) + " lower-case hexadecimal digits"}
		}
		return nil
	})
}

// integer is a number from low to high, written without fraction or exponent.
func (c *codec) integer(name string, v *uint32, low, high uint32) {
	if c.decoding {
		raw, ok := c.value(name)
		if !ok {
			return
		}
		n, err := strconv.ParseUint(string(raw), 10, 32)
		if err != nil {
			c.fail(name, ErrInvalid, "is an integer from "+between(low, high))
			return
		}
		*v = uint32(n)
	}
	if *v < low || *v > high {
		c.fail(name, ErrInvalid, "is an integer from "+between(low, high))
	}
	if c.err == nil && !c.decoding {
		c.name(name)
		c.out = strconv.AppendUint(c.out, uint64(*v), 10)
	}
}

func between(low, high uint32) string {
	return strconv.FormatUint(uint64(low), 10) + " to " + strconv.FormatUint(uint64(high), 10)
}

// list is an array of at most limit strings. When decoding, item gets each string; when encoding, n
// strings are written, which item returns by their index.
func (c *codec) list(name string, n, limit int, item func(i int, s string) (string, error)) {
	var got []json.RawMessage
	if c.decoding {
		raw, ok := c.value(name)
		if !ok {
			return
		}
		if err := json.Unmarshal(raw, &got); err != nil || got == nil {
			c.fail(name, ErrInvalid, "is an array of strings")
			return
		}
		n = len(got)
	}
	if n > limit {
		c.fail(name, ErrLimit, "at most "+strconv.Itoa(limit)+" elements")
	}
	if c.err != nil {
		return
	}
	if !c.decoding {
		c.name(name)
		c.out = append(c.out, '[')
		defer func() { c.out = append(c.out, ']') }()
	}
	for i := range n {
		s, ok := "", true
		if c.decoding {
			s, ok = unquote(got[i])
		}
		if !ok {
			c.fail(name, ErrInvalid, "is an array of strings")
			return
		}
		s, c.err = item(i, s)
		if c.err != nil {
			return
		}
		if !c.decoding {
			if i > 0 {
				c.out = append(c.out, ',')
			}
			c.out = quote(c.out, s)
		}
	}
}

// Limits of the feature lists in Hello and Welcome.
const (
	MaxFeatures = 32
	MaxFeature  = 32 // bytes of each
)

// features is the list of features, nil if empty.
func (c *codec) features(list *[]string) {
	c.list("features", len(*list), MaxFeatures, func(i int, s string) (string, error) {
		if c.decoding {
			*list = append(*list, s)
		}
		return (*list)[i], checkText(c.message+".features", (*list)[i], MaxFeature)
	})
}

// entry is one member entry, in base64; only its length is checked.
func (c *codec) entry(name string, b *[]byte) {
	s := ""
	if !c.decoding {
		s = base64.StdEncoding.EncodeToString(*b)
	}
	c.str(name, &s, func(what, s string) error { return c.entryText(what, s, b) })
}

// entries is a list of at most limit member entries.
func (c *codec) entries(name string, list *[][]byte, limit int) {
	c.list(name, len(*list), limit, func(i int, s string) (string, error) {
		if c.decoding {
			*list = append(*list, nil)
		} else {
			s = base64.StdEncoding.EncodeToString((*list)[i])
		}
		return s, c.entryText(c.message+"."+name, s, &(*list)[i])
	})
}

var strictBase64 = base64.StdEncoding.Strict()

// entryText reads s into b when decoding, and checks the length of b. Only one form of each value is
// taken, as for hexadecimal.
func (c *codec) entryText(what, s string, b *[]byte) error {
	if len(s) > base64.StdEncoding.EncodedLen(MaxEntry) {
		return &FormatError{what, ErrLimit, "an entry has at most 400 bytes"}
	}
	if c.decoding {
		p, err := strictBase64.DecodeString(s)
		if err != nil || strictBase64.EncodedLen(len(p)) != len(s) { // it skips line ends
			return &FormatError{what, ErrInvalid, "an entry is base64 with padding"}
		}
		*b = p
	}
	switch n := len(*b); {
	case n == 0:
		return &FormatError{what, ErrInvalid, "an entry is not empty"}
	case n > MaxEntry:
		return &FormatError{what, ErrLimit, "an entry has at most 400 bytes"}
	}
	return nil
}
