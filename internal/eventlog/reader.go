package eventlog

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// maxLine is the longest line that is read, bytes; longer ones are malformed. Ours are below 2 KiB.
const maxLine = 16 << 10

// maxNamed is how many malformed lines of a log are named.
const maxNamed = 10

var (
	errNotObject = errors.New("not a JSON object with an event")
	errTooLong   = fmt.Errorf("longer than %d bytes", maxLine)
)

// LineError says which line of a log cannot be read.
type LineError struct {
	File string
	Line int // from 1
	Err  error
}

func (e LineError) Error() string { return fmt.Sprintf("%s, line %d: %v", e.File, e.Line, e.Err) }

func (e LineError) Unwrap() error { return e.Err }

// Reader reads the events of one file. Lines that cannot be read are skipped and counted; the last one may be cut off.
type Reader struct {
	name string
	in   *bufio.Reader
	line int
	text map[string]string // texts that occur often, so that each is held once

	Malformed int         // lines that could not be read
	Errors    []LineError // the first ten of them
	Cut       bool        // the last line has no end, and could not be read
}

// NewReader returns a Reader of what is in r; name is said in errors.
func NewReader(r io.Reader, name string) *Reader {
	return &Reader{name: name, in: bufio.NewReaderSize(r, maxLine), text: make(map[string]string)}
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
		if e, ok := r.quick(text); ok {
			return e, nil
		}
		e, err := parseLine(text)
		switch {
		case err == nil:
			return e, nil
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
		r.Errors = append(r.Errors, LineError{r.name, r.line, err})
	}
}

// line is an Event as JSON.
type line struct {
	Time         string `json:"ts"`
	Kind         Kind   `json:"event"`
	Room         string `json:"room"`
	RoomHash     string `json:"room_hash"`
	Src          string `json:"src"`
	Stream       uint8  `json:"stream"`
	Epoch        uint8  `json:"epoch"`
	Seq          uint64 `json:"seq"`
	Len          uint32 `json:"len"`
	ToCount      uint32 `json:"to_count"`
	Peer         string `json:"peer"`
	Reason       string `json:"reason"`
	Action       string `json:"action"`
	Participants uint32 `json:"participants"`
	Relay        string `json:"relay"`
	Name         string `json:"name"`
	Count        uint64 `json:"count"`
}

// parseLine reads one line.
func parseLine(text []byte) (Event, error) {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return Event{}, plain(err)
	}
	if l.Kind == "" {
		return Event{}, errNotObject
	}
	at, err := time.Parse(time.RFC3339Nano, l.Time)
	if err != nil {
		return Event{}, fmt.Errorf("ts is not a time: %s", strconv.Quote(l.Time))
	}
	e := Event{
		Time: at.UnixMicro(), Kind: l.Kind, Room: l.Room, Stream: l.Stream, Epoch: l.Epoch, Seq: l.Seq, Len: int(l.Len),
		ToCount: int(l.ToCount), Reason: l.Reason, Action: l.Action, Participants: int(l.Participants), Name: l.Name, Count: l.Count,
	}
	for _, id := range []struct {
		field, text string
		into        []byte
	}{
		{"room_hash", l.RoomHash, e.RoomHash[:]}, {"src", l.Src, e.Src[:]},
		{"peer", strings.ReplaceAll(l.Peer, ":", ""), e.Peer[:]}, {"relay", strings.ReplaceAll(l.Relay, ":", ""), e.Relay[:]},
	} {
		if id.text == "" {
			continue
		}
		if n, err := hex.Decode(id.into, limited(id.text, 2*len(id.into))); err != nil || n != len(id.into) {
			return Event{}, fmt.Errorf("%s is not %d hexadecimal digits", id.field, 2*len(id.into))
		}
	}
	return e, nil
}

// limited returns text, or nothing if it is longer than there is place for.
func limited(text string, most int) []byte {
	if len(text) > most {
		return nil
	}
	return []byte(text)
}

// plain is an error of encoding/json in one short line, without the names of our types.
func plain(err error) error {
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		if wrong.Field == "" {
			return errNotObject
		}
		return fmt.Errorf("%s cannot be a %s", wrong.Field, wrong.Value)
	}
	return fmt.Errorf("not JSON: %w", err)
}
