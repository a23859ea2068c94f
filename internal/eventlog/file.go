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

// fileMode: who talks to whom and when is nobody else's business.
const fileMode = 0o600

// file is a log's file, which makes place for another when it is full:
//
//	FILE.2 -> FILE.3 (the one before is deleted), FILE.1 -> FILE.2, FILE -> FILE.1, a new FILE
type file struct {
	path string
	max  int64 // bytes, roughly
	keep int   // rotated files, FILE.1 being the newest

	f       *os.File // nil: it could not be opened again
	size    int64
	regular bool // not a pipe or a device, which cannot be renamed
	cut     bool // the last line has no end
}

func openFile(path string) (*file, error) {
	f := &file{path: path, max: 128 << 20, keep: 3}
	return f, f.open()
}

// errNotLog is about a file that exists and holds something else.
var errNotLog = errors.New("this is no event log, so nothing is added to it: give the name of another file")

// checkLog refuses a file that holds something else than a log: whose name was mistyped loses nothing. It
// reports whether the last line is cut off.
func checkLog(path string) (cut bool, err error) {
	// A pipe is not opened, which would wait for whoever writes to it.
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return false, nil // what is wrong with it is said when it is opened
	}
	r, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer r.Close()
	var last [1]byte
	if _, err := r.ReadAt(last[:], info.Size()-1); err != nil {
		return false, err
	}
	cut = last[0] != '\n'
	in := bufio.NewReaderSize(r, maxLine)
	for range 2 { // the first line may have been cut off, by a kill
		line, err := in.ReadSlice('\n')
		if _, bad := parseLine(line); bad == nil {
			return cut, nil
		}
		const begin = `{"ts":"`
		if !strings.HasPrefix(string(line), begin) && !strings.HasPrefix(begin, string(line)) {
			break
		}
		if errors.Is(err, io.EOF) {
			return cut, nil // it has no more than that
		}
	}
	return cut, &fs.PathError{Op: "append to", Path: path, Err: errNotLog}
}

// open opens the file to append to it. On an error all stays as it was.
func (f *file) open() error {
	cut, err := checkLog(f.path)
	if err != nil {
		return err
	}
	opened, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, fileMode)
	if err != nil {
		return err
	}
	info, err := opened.Stat()
	if err != nil {
		return errors.Join(err, opened.Close())
	}
	f.f, f.regular, f.size, f.cut = opened, info.Mode().IsRegular(), info.Size(), cut
	if f.regular && info.Mode().Perm()&^fileMode != 0 {
		// Some file systems have no modes, and somebody else's file is their decision.
		_ = opened.Chmod(fileMode)
	}
	return nil
}

// write appends whole lines. If they do not fit, the file makes place for a new one, which begins with start
// unless its Kind is empty.
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
	return f.begin(start)
}

// begin opens a file and writes into it who writes, which each begins with, if that is known.
func (f *file) begin(start *Event) error {
	if err := f.open(); err != nil || start.Kind != Start {
		return err
	}
	again := *start
	again.Time, again.Reason = time.Now().UnixMicro(), ReasonRotated
	return f.put(appendLine(nil, &again))
}

// reopen goes on in the file that has the log's name now, if somebody moved the one before away. That begins
// with start unless its Kind is empty. On an error all stays as it was.
func (f *file) reopen(start *Event) error {
	old := f.f
	here, err := os.Stat(f.path)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case err == nil && old != nil:
		own, err := old.Stat()
		if err != nil || os.SameFile(here, own) || !f.regular {
			return err
		}
		if !here.Mode().IsRegular() {
			return &fs.PathError{Op: "append to", Path: f.path, Err: errNotLog}
		}
	}
	if err = f.begin(start); f.f != old && old != nil {
		err = errors.Join(old.Close(), err)
	}
	return err
}

func (f *file) close() error {
	if f.f == nil {
		return nil
	}
	return f.f.Close()
}

// rotated is the name of the n-th rotated file of a log, 1 being the newest.
func rotated(path string, n int) string { return path + "." + strconv.Itoa(n) }
