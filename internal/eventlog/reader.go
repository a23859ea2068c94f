package eventlog

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// maxLine is the longest line that is read, bytes; longer ones are malformed. Ours are below 2 KiB.
const maxLine = 16 << 10

// maxNamed is how many malformed lines of a log are named.
const maxNamed = 10

var (
	errNotObject = errors.New("not a JSON object with an event")
	errUnknown   = errors.New("is no field of an event")
	errTooLong   = fmt.Errorf("longer than %d bytes", maxLine)
)

// Reader reads the events of one file. Lines that cannot be read are skipped and counted; the last one may be
// cut off.
type Reader struct {
	name string
	in   *bufio.Reader
	line int

	event Event             // of the line
	texts map[string]string // texts that occur often, so that each is held once

	Malformed int      // lines that could not be read
	Errors    []string // which these are, and why: the first ten of them
	Cut       bool     // the last line has no end, and could not be read
}

// NewReader returns a Reader of what is in r; name is said in errors.
func NewReader(r io.Reader, name string) *Reader {
	return &Reader{name: name, in: bufio.NewReaderSize(r, maxLine), texts: make(map[string]string)}
}

// Next returns the next event, io.EOF at the end, or the error of reading.
func (r *Reader) Next() (Event, error) {
	for {
		text, whole, err := r.next()
		if err != nil {
			return Event{}, err
		}
		if text == nil {
			r.malformed(errTooLong)
			continue
		}
		if whole && len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		if r.quick(text) {
			return r.event, nil
		}
		switch err := r.parse(text); {
		case err == nil:
			return r.event, nil
		case !whole:
			r.Cut = true
		default:
			r.malformed(err)
		}
	}
}

// next returns the next line, nil if it is too long; whole: it has an end.
func (r *Reader) next() (text []byte, whole bool, err error) {
	text, err = r.in.ReadSlice('\n')
	r.line++
	switch {
	case err == nil:
		return text, true, nil
	case errors.Is(err, bufio.ErrBufferFull):
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = r.in.ReadSlice('\n')
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, false, err
		}
		return nil, err == nil, nil
	case errors.Is(err, io.EOF) && len(text) > 0:
		return text, false, nil
	}
	return nil, false, err
}

func (r *Reader) malformed(err error) {
	r.Malformed++
	if len(r.Errors) < maxNamed {
		r.Errors = append(r.Errors, fmt.Sprintf("%s, line %d: %v", r.name, r.line, err))
	}
}
