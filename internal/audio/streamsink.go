package audio

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

const (
	// streamSinkQueue is what a reader of a pipe may be behind: two seconds. Then the oldest sound is
	// dropped.
	streamSinkQueue = 2 * SampleRate
	// streamSinkDrain is how long Close waits for what is queued to be read.
	streamSinkDrain = 2 * time.Second
)

// StreamSink is a Sink that writes a WAV file to a pipe, as sound comes: 16 bit, mono, 48 kHz, with sizes
// that say that it has no known end. WriteFrame only queues; a goroutine, owned by the StreamSink and ended
// by Close, writes.
//
//	WriteFrame ──> ring (2 s, drops the oldest) ──> writing goroutine ──> pipe
type StreamSink struct {
	path string
	done chan struct{} // closed when the writing goroutine has returned

	mu      sync.Mutex // guards what follows
	queue   Ring
	dropped int64
	file    *os.File // nil until it is open
	err     error    // why nothing more will be written
	closed  bool

	changed chan struct{} // one token: the queue grew, or closed is set
}

// CreateStream makes a sink of a pipe or device, "-" being standard output.
func CreateStream(path string) (*StreamSink, error) {
	if path != "-" {
		if _, err := os.Stat(path); err != nil {
			return nil, err
		}
	}
	s := &StreamSink{path: path, queue: NewRing(streamSinkQueue), done: make(chan struct{}),
		changed: make(chan struct{}, 1)}
	go s.write()
	return s, nil
}

// WriteFrame queues sound. It fails once nobody reads any more.
func (s *StreamSink) WriteFrame(pcm []float32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return fmt.Errorf("%s: %w", s.path, os.ErrClosed)
	case s.err != nil:
		return s.err
	}
	s.dropped += int64(s.queue.Push(pcm))
	signal(s.changed)
	return nil
}

// write is the writing goroutine.
func (s *StreamSink) write() {
	defer close(s.done)
	f, err := s.open()
	if err == nil {
		err = s.copy(f)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil && !s.closed {
		s.err = streamError(s.path, err)
	}
}

func (s *StreamSink) open() (*os.File, error) {
	if s.path == "-" {
		return os.Stdout, nil
	}
	f, err := os.OpenFile(s.path, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.file = f
	return f, nil
}

// copy writes what is queued, until the sink is closed and nothing is left.
func (s *StreamSink) copy(w io.Writer) error {
	header := wavHeaderBytes(unknownDataSize, unknownDataSize)
	if _, err := w.Write(header[:]); err != nil {
		return err
	}
	pcm, data := make([]float32, streamChunk), make([]byte, 0, 2*streamChunk)
	for range s.changed {
		for {
			s.mu.Lock()
			n, closed := s.queue.Pop(pcm), s.closed
			s.mu.Unlock()
			if n == 0 && closed {
				return nil
			}
			if n == 0 {
				break
			}
			data = data[:0]
			for _, x := range pcm[:n] {
				data = binary.LittleEndian.AppendUint16(data, uint16(toInt16(x)))
			}
			if _, err := w.Write(data); err != nil {
				return err
			}
		}
	}
	return nil
}

// Close waits for what is queued to be read, for at most 2 s, and ends. A write to standard output cannot be
// interrupted: that goroutine may live until the process ends.
func (s *StreamSink) Close() error {
	s.mu.Lock()
	s.closed = true
	f := s.file
	s.mu.Unlock()
	signal(s.changed)
	if f == nil && s.path != "-" {
		releaseOpen(s.path, os.O_RDONLY, s.done)
	}
	timeout := time.NewTimer(streamSinkDrain)
	defer timeout.Stop()
	select {
	case <-s.done:
	case <-timeout.C: // nobody reads
	}
	s.mu.Lock()
	f, s.file = s.file, nil
	s.mu.Unlock()
	if f != nil {
		f.Close()
		<-s.done
	}
	return nil
}
