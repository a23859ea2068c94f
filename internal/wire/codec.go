package wire

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
)

// codec reads or writes the fields of one control message; a message names them in the order in which they
// are written. It checks the same rules both ways. After the first error it does nothing.
type codec struct {
	message  string
	decoding bool
	in       map[string]json.RawMessage // decoding: what came
	out      []byte                     // encoding: what is written so far
	err      error
}

// fail notes what is wrong with a field, if nothing was before.
func (c *codec) fail(name string, err error, detail string) {
	if c.err == nil {
		c.err = &FormatError{c.message + "." + name, err, detail}
	}
}

// write begins a field, if nothing was wrong: the caller appends its value.
func (c *codec) write(name string) bool {
	if c.decoding || c.err != nil {
		return false
	}
	if c.out[len(c.out)-1] != '{' { // the message's own
		c.out = append(c.out, ',')
	}
	c.out = append(strconv.AppendQuote(c.out, name), ':')
	return true
}

// decode returns the JSON value as a T; null is none.
func decode[T any](raw []byte) (v T, ok bool) {
	var p *T
	if json.Unmarshal(raw, &p) != nil || p == nil {
		return v, false
	}
	return *p, true
}

// field returns the received field of that name.
func field[T any](c *codec, name, right string) (v T) {
	raw, ok := c.in[name]
	if !ok {
		c.fail(name, ErrTruncated, "is missing")
	} else if v, ok = decode[T](raw); !ok {
		c.fail(name, ErrInvalid, right)
	}
	return v
}

// has reports whether the optional field is there: as given if encoding.
func (c *codec) has(name string, given bool) bool {
	if !c.decoding {
		return given
	}
	_, ok := c.in[name]
	return ok
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
	if c.decoding {
		*s = field[string](c, name, "is a string")
	}
	if c.err == nil {
		c.err = check(c.message+"."+name, *s)
	}
	if c.write(name) {
		c.out = quote(c.out, *s)
	}
}

// text is a text of at most limit bytes.
func (c *codec) text(name string, s *string, limit int) {
	c.str(name, s, func(what, s string) error { return checkText(what, s, limit) })
}

// hex is a string of hexadecimal digits, for exactly the bytes of b.
func (c *codec) hex(name string, b []byte) {
	s := hex.EncodeToString(b)
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
		*v = field[uint32](c, name, "is an integer below 2^32")
	}
	if *v < low || *v > high {
		c.fail(name, ErrInvalid, fmt.Sprintf("is an integer from %d to %d", low, high))
	}
	if c.write(name) {
		c.out = strconv.AppendUint(c.out, uint64(*v), 10)
	}
}

// list is an array of at most limit strings, each of which check is asked about.
func (c *codec) list(name string, list *[]string, limit int, check func(what, s string) error) {
	if c.decoding {
		for _, s := range field[[]*string](c, name, "is an array of strings") {
			if s == nil {
				c.fail(name, ErrInvalid, "is an array of strings")
				return
			}
			*list = append(*list, *s)
		}
	}
	if len(*list) > limit {
		c.fail(name, ErrLimit, "at most "+strconv.Itoa(limit)+" elements")
	}
	for i := 0; i < len(*list) && c.err == nil; i++ {
		c.err = check(c.message+"."+name, (*list)[i])
	}
	if !c.write(name) {
		return
	}
	c.out = append(c.out, '[')
	for i, s := range *list {
		if i > 0 {
			c.out = append(c.out, ',')
		}
		c.out = quote(c.out, s)
	}
	c.out = append(c.out, ']')
}

// Limits of the feature lists in Hello and Welcome.
const (
	MaxFeatures = 32
	MaxFeature  = 32 // bytes of each
)

// features is the list of features, nil if empty.
func (c *codec) features(list *[]string) {
	check := func(what, s string) error { return checkText(what, s, MaxFeature) }
	c.list("features", list, MaxFeatures, check)
}

// entry is one member entry, in base64; only its length is checked.
func (c *codec) entry(name string, b *[]byte) {
	s := base64.StdEncoding.EncodeToString(*b)
	c.str(name, &s, func(what, s string) error { return c.entryText(what, s, b) })
}

// entries is a list of at most limit member entries.
func (c *codec) entries(name string, list *[][]byte, limit int) {
	var texts []string
	for _, b := range *list {
		texts = append(texts, base64.StdEncoding.EncodeToString(b))
	}
	i := -1
	c.list(name, &texts, limit, func(what, s string) error {
		if i++; c.decoding {
			*list = append(*list, nil)
		}
		return c.entryText(what, s, &(*list)[i])
	})
}

var strictBase64 = base64.StdEncoding.Strict()

// entryText reads s into b when decoding, and checks the length of b. Only one form of each value is
// taken, as for hexadecimal.
func (c *codec) entryText(what, s string, b *[]byte) (err error) {
	if c.decoding && len(s) <= base64.StdEncoding.EncodedLen(MaxEntry) {
		*b, err = strictBase64.DecodeString(s)
	}
	switch {
	case len(*b) > MaxEntry || len(s) > base64.StdEncoding.EncodedLen(MaxEntry):
		return &FormatError{what, ErrLimit, "an entry has at most 420 bytes"}
	case err != nil || len(*b) == 0 || strictBase64.EncodedLen(len(*b)) != len(s): // it skips line ends
		return &FormatError{what, ErrInvalid, "an entry is base64 with padding, and not empty"}
	}
	return nil
}
