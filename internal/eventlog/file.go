package eventlog

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	defaultMaxBytes = 128 << 20
	defaultKeep     = 3
	// fileMode: who talks to whom and when is nobody else's business.
	fileMode = 0o600
)

// file is a log's file, which makes place for another when it is full:
//
//	FILE.2 -> FILE.3 (the one before is deleted), FILE.1 -> FILE.2, FILE -> FILE.1, a new FILE
type file struct {
	path string
	max  int64
	keep int

	f       *os.File // nil: it could not be opened again
	size    int64
	regular bool // not a pipe or a device, which cannot be renamed
	cut     bool // the last line has no end
}

func openFile(path string, options Options) (*file, error) {
	f := &file{path: path, max: options.MaxBytes, keep: options.Keep}
	if f.max <= 0 {
		f.max = defaultMaxBytes
	}
	switch {
	case f.keep == 0:
		f.keep = defaultKeep
	case f.keep < 0:
		f.keep = 0
	}
	if err := checkLog(path); err != nil {
		return nil, err
	}
	return f, f.open()
}

// errNotLog is about a file that exists and holds something else.
var errNotLog = errors.New("this is no event log, so nothing is added to it: give the name of another file")

// checkLog refuses a file that holds something else than a log: whose name was mistyped loses nothing.
func checkLog(path string) error {
	// A pipe is not opened, which would wait for whoever writes to it.
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil // what is wrong with it is said when it is opened
	}
	r, err := os.Open(path)
	if err != nil {
		return err
	}
	defer r.Close()
	in := bufio.NewReaderSize(r, maxLine)
	for range 2 { // the first line may have been cut off, by a kill
		line, err := in.ReadSlice('\n')
		if _, bad := parseLine(line); bad == nil {
			return nil
		}
		const begin = `{"ts":"`
		if !strings.HasPrefix(string(line), begin) && !strings.HasPrefix(begin, string(line)) {
			break
		}
		if errors.Is(err, io.EOF) {
			return nil // it has no more than that, or nothing at all
		}
	}
	return &fs.PathError{Op: "append to", Path: path, Err: errNotLog}
}

// open opens the file to append to it.
func (f *file) open() error {
	opened, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, fileMode)
	if err != nil {
		return err
	}
	info, err := opened.Stat()
	if err != nil {
		return errors.Join(err, opened.Close())
	}
	f.f, f.regular, f.size = opened, info.Mode().IsRegular(), info.Size()
	if f.regular && info.Mode().Perm()&^fileMode != 0 {
		_ = opened.Chmod(fileMode) // some file systems have no modes, and somebody else's file is their decision
	}
	f.cut = f.regular && f.size > 0 && !f.ended()
	return nil
}

// ended reports whether the last byte of the file ends a line.
func (f *file) ended() bool {
	r, err := os.Open(f.path)
	if err != nil {
		return false
	}
	defer r.Close()
	var last [1]byte
	_, err = r.ReadAt(last[:], f.size-1)
	return err == nil && last[0] == '\n'
}

// write appends whole lines. If they do not fit, the file makes place for a new one, which begins with start unless its
// Kind is empty.
func (f *file) write(lines []byte, start *Event) error {
	if f.f == nil {
		if err := f.open(); err != nil {
			return err
		}
	}
	if f.regular && f.size > 0 && f.size+int64(len(lines)) > f.max {
		if err := f.rotate(start); err != nil {
			return err
		}
	}
	if f.cut { // a write that failed, or a program that was killed
		if err := f.put([]byte{'\n'}); err != nil {
			return err
		}
		f.cut = false
	}
	return f.put(lines)
}

func (f *file) put(b []byte) error {
	n, err := f.f.Write(b)
	f.size += int64(n)
	if err != nil {
		f.cut = f.cut || n > 0
	}
	return err
}

// rotate makes the file FILE.1 and opens a new one.
func (f *file) rotate(start *Event) error {
	err := f.f.Close()
	f.f = nil
	if err != nil {
		return err
	}
	if f.keep == 0 {
		err = os.Remove(f.path)
	}
	for n := f.keep; n > 0 && err == nil; n-- {
		from := f.path
		if n > 1 {
			from = rotated(f.path, n-1)
		}
		if err = os.Rename(from, rotated(f.path, n)); errors.Is(err, fs.ErrNotExist) {
			err = nil // there were not so many yet
		}
	}
	if err != nil {
		return err
	}
	if err := f.open(); err != nil {
		return err
	}
	return f.begin(start)
}

// begin writes who writes, which each file begins with.
func (f *file) begin(start *Event) error {
	if start.Kind != Start {
		return nil
	}
	again := *start
	again.Time, again.Reason = time.Now().UnixMicro(), ReasonRotated
	return f.put(appendLine(nil, &again))
}

// reopen goes on in the file that has the log's name now, if somebody moved the one before away. That begins with start
// unless its Kind is empty. On an error all stays as it was.
func (f *file) reopen(start *Event) error {
	if f.f == nil {
		if err := f.open(); err != nil {
			return err
		}
		return f.begin(start)
	}
	here, err := os.Stat(f.path)
	switch {
	case err == nil:
		own, err := f.f.Stat()
		if err != nil || os.SameFile(here, own) || !f.regular {
			return err
		}
		if !here.Mode().IsRegular() {
			return &fs.PathError{Op: "append to", Path: f.path, Err: errNotLog}
		}
		if err := checkLog(f.path); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	old := *f
	if err := f.open(); err != nil {
		*f = old
		return err
	}
	return errors.Join(old.f.Close(), f.begin(start))
}

func (f *file) close() error {
	if f.f == nil {
		return nil
	}
	return f.f.Close()
}

// rotated is the name of the n-th rotated file of a log, 1 being the newest.
func rotated(path string, n int) string { return path + "." + strconv.Itoa(n) }
