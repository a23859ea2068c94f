package eventlog

import (
	"sync/atomic"
	"time"
)

const (
	waiting = 1 << 16               // events that may wait to be written
	gather  = 50 * time.Millisecond // for which events wait, so that many are written at once
	flushAt = 64 << 10              // bytes that are written at once
)

// Writer appends events to a file. Its methods are safe for concurrent use, and a nil Writer does nothing.
type Writer struct {
	events    chan entry
	lost      atomic.Uint64 // events so far that found no place, or could not be written
	full      chan struct{} // a quarter of events is full
	reopening chan chan error
	closed    atomic.Bool
	quit      chan struct{}
	done      chan struct{} // closed when run has ended

	// Owned by run, but for err: Close reads it afterwards.
	file    *file
	start   Event // the newest Start without a Stop; its Kind is empty: none
	buf     []byte
	pending uint64 // events in buf, and those that it says are missing
	told    uint64 // of lost: those that the log says are missing
	failed  func(error)
	failing bool
	err     error // the first of writing
}

// entry is an event that waits to be written.
type entry struct {
	Event
	lost uint64 // Writer.lost when it came
}

// Open opens the log at path, which is made if it does not exist and continued if it does. The first event to
// log is a Start. The caller closes it.
//
// failed is called with the first of errors that follow each other, of writing or rotating; nil: nobody is
// told. Events that cannot be written count as dropped. It is called on the Writer's goroutine, and must not
// call Close.
func Open(path string, failed func(error)) (*Writer, error) {
	w, err := newWriter(path, failed, waiting)
	if err == nil {
		go w.run()
	}
	return w, err
}

// newWriter returns a Writer that nothing runs yet, with places for size events.
func newWriter(path string, failed func(error), size int) (*Writer, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	return &Writer{
		events: make(chan entry, size), full: make(chan struct{}, 1), reopening: make(chan chan error),
		quit: make(chan struct{}), done: make(chan struct{}),
		file: f, buf: make([]byte, 0, flushAt+4096), failed: failed,
	}, nil
}

// Log adds an event. It never waits for the file and allocates nothing; when 65,536 events wait already it
// drops the event and the log says, in its place, how many are missing.
func (w *Writer) Log(e Event) {
	if w != nil { // inlined
		w.add(&e)
	}
}

func (w *Writer) add(e *Event) {
	if w.closed.Load() {
		return
	}
	if e.Time == 0 {
		e.Time = time.Now().UnixMicro()
	}
	select {
	case w.events <- entry{*e, w.lost.Load()}:
	default:
		w.lost.Add(1)
	}
	if len(w.events) >= cap(w.events)/4 {
		select {
		case w.full <- struct{}{}:
		default:
		}
	}
}

// Reopen writes what is waiting, and goes on in a new file if the log's was moved away, as logrotate does. If
// it cannot, it goes on in the one that there was.
func (w *Writer) Reopen() error {
	if w == nil {
		return nil
	}
	answer := make(chan error, 1)
	select {
	case w.reopening <- answer:
		return <-answer
	case <-w.done:
		return nil
	}
}

// Close writes what is waiting, a Stop if there was none since the last Start, and closes the file. It
// returns the first error of all writing. Events that come later are dropped.
func (w *Writer) Close() error {
	if w == nil {
		return nil
	}
	if !w.closed.Swap(true) {
		close(w.quit)
	}
	<-w.done
	return w.err
}

// run writes until Close.
func (w *Writer) run() {
	defer close(w.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case e := <-w.events:
			w.encode(&e)
			timer.Reset(gather)
			select {
			case <-timer.C:
			case <-w.full:
			case <-w.quit:
			}
			w.drain()
		case answer := <-w.reopening:
			w.drain()
			answer <- w.file.reopen(&w.start)
		case <-w.quit:
			w.drain()
			w.finish()
			return
		}
	}
}

// drain writes what is waiting until nothing is.
func (w *Writer) drain() {
	for {
		lost := w.lost.Load() // first: what was in time before those is written when nothing waits
		select {
		case e := <-w.events:
			w.encode(&e)
		default:
			w.missing(lost, time.Now().UnixMicro())
			w.flush()
			return
		}
	}
}

// missing notes that so many events were lost until now, unless the log says so already.
func (w *Writer) missing(lost uint64, at int64) {
	if lost > w.told {
		w.buf = appendLine(w.buf, &Event{Time: at, Kind: Dropped, Count: lost - w.told})
		w.pending += lost - w.told
		w.told = lost
	}
}

// encode adds an event to the buffer, and remembers who writes, which each file begins with.
func (w *Writer) encode(e *entry) {
	w.missing(e.lost, e.Time)
	switch e.Kind {
	case Start:
		w.flush() // what is in the buffer is of the one before, and may begin another file
		w.start = e.Event
	case Stop:
		w.flush()
		w.start = Event{}
	}
	w.buf = appendLine(w.buf, &e.Event)
	if w.pending++; len(w.buf) >= flushAt {
		w.flush()
	}
}

// flush writes the buffer to the file.
func (w *Writer) flush() {
	if len(w.buf) == 0 {
		return
	}
	err := w.file.write(w.buf, &w.start)
	if err != nil {
		w.lost.Add(w.pending)
		if !w.failing && w.failed != nil {
			w.failed(err)
		}
	}
	w.fail(err)
	w.buf, w.pending, w.failing = w.buf[:0], 0, err != nil
}

// finish ends the file.
func (w *Writer) finish() {
	if w.start.Kind == Start {
		w.buf = appendLine(w.buf, &Event{Time: time.Now().UnixMicro(), Kind: Stop})
		w.flush()
	}
	w.fail(w.file.close())
}

// fail keeps the first error.
func (w *Writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}
