package audio

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	// streamQueue is what a stream may be ahead of the clock: half a second. Whoever writes faster waits.
	streamQueue = SampleRate / 2
	// streamGrace is how late sound may come before silence takes its place.
	streamGrace = 200 * time.Millisecond
	streamChunk = SampleRate / 100
)

// StreamSource plays once what comes through a pipe, in real time: a WAV or Ogg Opus file, or, if it does not
// begin as one, raw samples of 16 bit, little-endian, mono, 48 kHz. Nothing is opened or read before the
// first ReadFrame.
//
//	pipe ──10 ms──> reading goroutine ──> ring (500 ms, then the writer waits) ──> ReadFrame, paced
//
// Once it has begun, what is not there in time is silence, so that a writer may pause.
type StreamSource struct {
	*pacer
	path string
	open func() (io.ReadCloser, error)
	late *time.Timer   // for the sound that is due
	done chan struct{} // closed when the reading goroutine has returned
	once sync.Once     // starts it

	mu    sync.Mutex // guards what follows
	queue Ring
	file  io.Closer // nil until it is open
	err   error     // why no more will come

	grew  chan struct{} // one token: the queue grew, or err is set
	space chan struct{} // one token: the queue shrank, or err is set
}

// OpenStream makes a source of a pipe or device, "-" being standard input.
func OpenStream(path string) (*StreamSource, error) {
	if path != "-" {
		if _, err := os.Stat(path); err != nil {
			return nil, err
		}
	}
	return newStream(path, func() (io.ReadCloser, error) { return os.Open(path) }), nil
}

func newStream(path string, open func() (io.ReadCloser, error)) *StreamSource {
	return &StreamSource{pacer: newPacer(), path: path, open: open, queue: NewRing(streamQueue),
		late: time.NewTimer(0), done: make(chan struct{}),
		grew: make(chan struct{}, 1), space: make(chan struct{}, 1)}
}

// ReadFrame returns the next samples when they are due; see Source.
func (s *StreamSource) ReadFrame(ctx context.Context, dst []float32) (n int, err error) {
	if len(dst) > streamQueue {
		return 0, fmt.Errorf("frame of %d samples: use at most %d", len(dst), streamQueue)
	}
	s.once.Do(func() { go s.read() })
	if n, err = s.await(ctx, dst); err != nil {
		return 0, err
	}
	s.begin(time.Now())
	return s.pace(ctx, dst, n)
}

// await takes len(dst) samples, or what is left at the end. Once the stream has begun, it takes silence for
// what is late.
func (s *StreamSource) await(ctx context.Context, dst []float32) (n int, err error) {
	var late <-chan time.Time
	for {
		if n, err = s.take(dst); !errors.Is(err, errNotYet) {
			return n, err
		}
		if late == nil && s.next > 0 {
			s.late.Reset(time.Until(s.due()) + streamGrace)
			late = s.late.C
		}
		select {
		case <-s.grew:
		case <-late:
			clear(dst)
			return len(dst), nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

var errNotYet = errors.New("not enough sound so far")

// take returns errNotYet unless there is enough, or the end.
func (s *StreamSource) take(dst []float32) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queue.Len() < len(dst) && s.err == nil {
		return 0, errNotYet
	}
	if n = s.queue.Pop(dst); n == 0 {
		return 0, s.err
	}
	signal(s.space)
	return n, nil
}

// read is the reading goroutine.
func (s *StreamSource) read() {
	defer close(s.done)
	f, err := s.opened()
	if err != nil {
		s.fail(err)
		return
	}
	name := s.path
	if name == "-" {
		name = "standard input"
	}
	pcm, err := streamReader(f, name)
	if err != nil {
		s.fail(err)
		return
	}
	chunk := make([]float32, streamChunk)
	for heard := false; ; heard = true {
		n, err := pcm.Read(chunk)
		if err != nil {
			if errors.Is(err, io.EOF) && !heard {
				err = fmt.Errorf("%s: there is no sound in it", name)
			}
			s.fail(err)
			return
		}
		if !s.put(chunk[:n]) {
			return
		}
	}
}

// opened opens the stream. A named pipe takes until somebody writes to it.
func (s *StreamSource) opened() (io.Reader, error) {
	if s.path == "-" {
		return os.Stdin, nil
	}
	f, err := s.open()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil { // closed meanwhile
		f.Close()
		return nil, s.err
	}
	s.file = f
	return f, nil
}

// streamReader finds out what comes.
func streamReader(r io.Reader, name string) (Reader, error) {
	in := bufio.NewReaderSize(r, 4<<10)
	head, err := in.Peek(12)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, err
	case len(head) == 12 && isWAV(head):
		return NewWAVReader(in, name)
	case bytes.HasPrefix(head, []byte("OggS")):
		return newOggReader(in, name)
	}
	if kind := packed(head); kind != "" {
		return nil, fmt.Errorf("%s: this is %s: give WAV, Ogg Opus, or raw 16 bit mono 48 kHz, such as "+
			"ffmpeg -i FILE -f wav - makes", name, kind)
	}
	return newFrameReader(in, WAVFormat{Channels: 1, SampleRate: SampleRate, Bits: 16}), nil
}

// packed names the format of a file that begins so, if it is one that people send into pipes by mistake. As
// raw samples it would be noise, as loud as can be. What begins with zeros or arbitrary bytes may be raw.
func packed(head []byte) string {
	for begin, kind := range map[string]string{"ID3": "MP3", "fLaC": "FLAC", "FORM": "AIFF", "caff": "CAF",
		"\x1aE\xdf\xa3": "Matroska or WebM"} {
		if bytes.HasPrefix(head, []byte(begin)) {
			return kind
		}
	}
	if len(head) >= 8 && string(head[4:8]) == "ftyp" {
		return "MP4"
	}
	return ""
}

// put waits for space. It reports false if nobody reads any more.
func (s *StreamSource) put(pcm []float32) bool {
	for {
		s.mu.Lock()
		closed := s.err != nil
		fits := s.queue.Len()+len(pcm) <= streamQueue
		if fits && !closed {
			s.queue.Push(pcm)
		}
		s.mu.Unlock()
		switch {
		case closed:
			return false
		case fits:
			signal(s.grew)
			return true
		}
		<-s.space
	}
}

func (s *StreamSource) fail(err error) {
	s.mu.Lock()
	if s.err == nil {
		s.err = err
	}
	s.mu.Unlock()
	signal(s.grew)
	signal(s.space)
}

// Close ends the source. A read from standard input cannot be interrupted: that goroutine may live until the
// process ends, or somebody writes.
func (s *StreamSource) Close() error {
	s.close()
	s.fail(errSourceClosed)
	s.once.Do(func() { close(s.done) }) // nothing was begun
	s.mu.Lock()
	f := s.file
	s.mu.Unlock()
	switch {
	case s.path == "-":
		return nil
	case f != nil:
		f.Close()
		<-s.done
	default:
		releaseOpen(s.path, os.O_WRONLY, s.done)
	}
	return nil
}

// releaseOpen ends an open of a named pipe that waits for the other end, by being that for a moment.
func releaseOpen(path string, flag int, done <-chan struct{}) {
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); {
		if info, err := os.Stat(path); err == nil && info.Mode()&os.ModeNamedPipe != 0 {
			if f, err := os.OpenFile(path, flag|syscall.O_NONBLOCK, 0); err == nil {
				f.Close()
			}
		}
		select {
		case <-done:
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// signal leaves a token, unless there is one.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// streamError says what is the matter with a pipe that takes nothing.
func streamError(path string, err error) error {
	if errors.Is(err, syscall.EPIPE) {
		if path == "-" {
			path = "standard output"
		}
		return fmt.Errorf("%s: nobody reads it any more: %w", path, err)
	}
	return err
}
