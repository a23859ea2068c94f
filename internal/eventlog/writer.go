package eventlog

import (
	"sync"
	"time"
)

const (
	ringSize  = 1 << 16               // events that wait to be written
	batchSize = 256                   // that are encoded before their places are free again
	gather    = 50 * time.Millisecond // for which events wait, so that many are written at once
	flushAt   = 64 << 10              // bytes that are written at once
)

// Options say how a log is kept. The zero value is good.
type Options struct {
	MaxBytes int64 // of one file, roughly; 0: 128 MiB
	Keep     int   // rotated files, FILE.1 being the newest; 0: 3; below 0: none

	// Failed is called with the first of errors that follow each other, of writing or rotating; nil: nobody is told. Events that
	// cannot be written count as dropped. It is called on the Writer's goroutine, and must not call Close.
	Failed func(error)
}

// Stats count the events of a Writer.
type Stats struct {
	Written uint64 // lines, without those of the log itself
	Dropped uint64 // came when the ring was full or the log closed, or could not be written
}

// Writer appends events to a file. Its methods are safe for concurrent use, and a nil Writer takes events and does nothing.
type Writer struct {
	wake chan struct{} // the ring is not empty any more, or filling up
	quit chan struct{}
	done chan struct{} // closed when run has ended

	reopening chan chan error // to run, with where the answer goes

	// Owned by run.
	file    *file
	start   Event // the newest Start without a Stop; its Kind is empty: none
	buf     []byte
	pending uint64 // events in buf
	told    uint64 // events that buf says are missing
	failed  func(error)
	failing bool

	mu      sync.Mutex // guards what follows; but the events from head on, count of them, belong to run
	ring    []slot
	head    int
	count   int
	lost    uint64 // events since the last one that found a place
	written uint64
	dropped uint64
	closed  bool
	err     error // the first of writing
}

// slot is an event in the ring.
type slot struct {
	Event
	lost uint64 // events that found no place just before it
}

// Open opens the log at path, which is made if it does not exist and continued if it does. The first event to log is a
// Start. The caller closes it.
func Open(path string, options Options) (*Writer, error) { return open(path, options, ringSize) }

func open(path string, options Options, size int) (*Writer, error) {
	w, err := newWriter(path, options, size)
	if err == nil {
		go w.run()
	}
	return w, err
}

// newWriter returns a Writer that nothing runs yet, with a ring for size events.
func newWriter(path string, options Options, size int) (*Writer, error) {
	f, err := openFile(path, options)
	if err != nil {
		return nil, err
	}
	return &Writer{
		wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}), reopening: make(chan chan error),
		file: f, buf: make([]byte, 0, flushAt+4096), failed: options.Failed,
		ring: make([]slot, size),
	}, nil
}

// Log adds an event. It never waits for the file and allocates nothing; when 65,536 events wait already it drops the event
// and the log says, in its place, how many are missing.
func (w *Writer) Log(e Event) {
	if w != nil {
		w.put(&e)
	}
}

func (w *Writer) put(e *Event) {
	if e.Time == 0 {
		e.Time = time.Now().UnixMicro()
	}
	w.mu.Lock()
	if w.closed || w.count == len(w.ring) {
		w.lost++
		w.dropped++
		w.mu.Unlock()
		return
	}
	at := w.head + w.count
	if at >= len(w.ring) {
		at -= len(w.ring)
	}
	s := &w.ring[at]
	s.Event, s.lost = *e, w.lost
	w.lost = 0
	w.count++
	wake := w.count == 1 || w.count == len(w.ring)/4
	w.mu.Unlock()
	if wake {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// Stats returns the counters so far.
func (w *Writer) Stats() Stats {
	if w == nil {
		return Stats{}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return Stats{Written: w.written, Dropped: w.dropped}
}

// Reopen writes what is waiting, and goes on in a new file if the log's was moved away, as logrotate does. If it cannot, it
// goes on in the one that there was.
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

// Close writes what is waiting, a Stop if there was none since the last Start, and closes the file. It returns the first
// error of all writing. Events that come later are dropped.
func (w *Writer) Close() error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	first := !w.closed
	w.closed = true
	w.mu.Unlock()
	if first {
		close(w.quit)
	}
	<-w.done
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// run writes until Close.
func (w *Writer) run() {
	defer close(w.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-w.wake:
		case answer := <-w.reopening:
			w.drain()
			answer <- w.file.reopen(&w.start)
			continue
		case <-w.quit:
			w.drain()
			w.finish()
			return
		}
		timer.Reset(gather)
		select {
		case <-timer.C:
		case <-w.wake: // a quarter of the ring is full
		case <-w.quit:
		}
		w.drain()
	}
}

// drain writes what is in the ring until nothing is.
func (w *Writer) drain() {
	for {
		w.mu.Lock()
		head, n := w.head, min(w.count, batchSize)
		var lost uint64
		if n == 0 { // nothing comes after those that were lost
			lost, w.lost = w.lost, 0
		}
		w.mu.Unlock()
		if n == 0 {
			w.missing(lost, time.Now().UnixMicro())
			w.flush()
			return
		}
		for i := range n {
			s := &w.ring[(head+i)%len(w.ring)]
			w.missing(s.lost, s.Time)
			w.encode(&s.Event)
		}
		w.mu.Lock()
		w.head = (head + n) % len(w.ring)
		w.count -= n
		w.mu.Unlock()
		if len(w.buf) >= flushAt {
			w.flush()
		}
	}
}

// missing writes that events were dropped, if some were.
func (w *Writer) missing(n uint64, at int64) {
	if n > 0 {
		w.buf = appendLine(w.buf, &Event{Time: at, Kind: Dropped, Count: n})
		w.told += n
	}
}

// encode adds an event to the buffer, and remembers who writes, which each file begins with.
func (w *Writer) encode(e *Event) {
	switch e.Kind {
	case Start:
		w.flush() // what is in the buffer is of the one before, and may begin another file
		w.start = *e
	case Stop:
		w.flush()
		w.start = Event{}
	}
	w.buf = appendLine(w.buf, e)
	w.pending++
}

// flush writes the buffer to the file.
func (w *Writer) flush() {
	if len(w.buf) == 0 {
		return
	}
	err := w.file.write(w.buf, &w.start)
	n, told := w.pending, w.told
	w.buf, w.pending, w.told = w.buf[:0], 0, 0
	w.mu.Lock()
	if err == nil {
		w.written += n
	} else {
		w.lost += n + told
		w.dropped += n
		if w.err == nil {
			w.err = err
		}
	}
	w.mu.Unlock()
	if err != nil && !w.failing && w.failed != nil {
		w.failed(err)
	}
	w.failing = err != nil
}

// finish ends the file.
func (w *Writer) finish() {
	if w.start.Kind == Start {
		w.buf = appendLine(w.buf, &Event{Time: time.Now().UnixMicro(), Kind: Stop})
		w.flush()
	}
	if err := w.file.close(); err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.err == nil {
			w.err = err
		}
	}
}
