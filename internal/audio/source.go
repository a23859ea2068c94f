package audio

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// maxLate is how far a paced source may fall behind (a stopped process, a paused machine) and still catch up;
// beyond, the missed time is gone, as it would be for a microphone, and no burst of old sound follows.
const maxLate = time.Second

// pacer releases samples at the instant at which they would have been captured. The instant is computed from
// sample 0, never from the one before, so that no error adds up.
//
//	start           start+k/48000                 now
//	  |---------------|-----------------------------|-->
//	sample 0        sample k is released          sample k would be late
type pacer struct {
	beginning
	next    int64         // sample to be read next
	skipped time.Duration // given up by falling behind
	timer   *time.Timer

	closed    chan struct{}
	closeOnce sync.Once
}

func newPacer() *pacer { return &pacer{timer: time.NewTimer(0), closed: make(chan struct{})} }

// pace returns n when the samples of dst, of which it makes those after n silent, have been captured.
func (p *pacer) pace(ctx context.Context, dst []float32, n int) (int, error) {
	clear(dst[n:])
	p.next += int64(len(dst))
	select {
	case <-p.closed:
		return 0, errSourceClosed
	default:
	}
	delay := time.Until(p.due())
	if delay < -maxLate {
		p.skipped -= delay
	}
	if delay > 0 {
		p.timer.Reset(delay)
		select {
		case <-p.timer.C:
		case <-ctx.Done():
		case <-p.closed:
			return 0, errSourceClosed
		}
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return n, nil
}

// due is when the next sample is released.
func (p *pacer) due() time.Time { return p.Start().Add(durationOf(p.next) + p.skipped) }

// beginning is when sample 0 was captured, which is set once.
type beginning struct{ at atomic.Pointer[time.Time] }

func (b *beginning) begin(at time.Time) {
	if b.at.Load() == nil {
		first := at // so that only this allocates
		b.at.Store(&first)
	}
}

// Start is when sample 0 was captured; zero before the first ReadFrame.
func (b *beginning) Start() time.Time {
	if at := b.at.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

func (p *pacer) close() { p.closeOnce.Do(func() { close(p.closed) }) }

// errSourceClosed is what a reader gets whose source was closed.
var errSourceClosed = fmt.Errorf("audio source is closed: %w", io.ErrClosedPipe)

// PacedSource plays a file once, or a tone, in real time, from the first ReadFrame on.
type PacedSource struct {
	*pacer

	mu    sync.Mutex // guards what follows: Close may come from elsewhere
	file  *os.File   // nil: there is none
	sound Reader
	err   error // what ended the sound

	first   [1]float32 // read when the file was opened
	pending []float32  // the part of first that is not played yet
}

// OpenFile opens a WAV or Ogg Opus file as a source. Errors name the file and what is wrong. A file without a
// single sample is refused: whoever plays it would wonder why nothing is heard.
func OpenFile(path string) (*PacedSource, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err // already names the file
	}
	s := &PacedSource{pacer: newPacer(), file: f}
	if s.sound, err = NewFileReader(f, path); err == nil {
		_, err = s.sound.Read(s.first[:])
	}
	if err == nil {
		s.pending = s.first[:]
		return s, nil
	}
	f.Close()
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("%s: there is no sound in it", path)
	}
	return nil, err
}

// NewFileReader reads a WAV or Ogg Opus file from r. name is for errors.
func NewFileReader(r io.Reader, name string) (Reader, error) {
	in := bufio.NewReaderSize(r, 4<<10)
	if head, _ := in.Peek(4); string(head) == "OggS" {
		return newOggReader(in, name)
	}
	return NewWAVReader(in, name)
}

// ReadFrame returns the next samples when they are due; see Source.
func (s *PacedSource) ReadFrame(ctx context.Context, dst []float32) (n int, err error) {
	s.begin(time.Now())
	if n, err = s.read(dst); err != nil {
		return 0, err
	}
	return s.pace(ctx, dst, n)
}

// read returns an error only with n == 0.
func (s *PacedSource) read(dst []float32) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		n = copy(dst, s.pending)
		s.pending = s.pending[n:]
		var more int
		more, s.err = s.sound.Read(dst[n:])
		n += more
	}
	if n == 0 {
		return 0, s.err
	}
	return n, nil
}

// Close ends the source and closes the file.
func (s *PacedSource) Close() error {
	s.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	closed := errors.Is(s.err, errSourceClosed)
	s.err = errSourceClosed
	if closed || s.file == nil {
		return nil
	}
	return s.file.Close()
}

// toneLevel is the amplitude of a tone: -12 dB of full scale, a comfortable level.
const toneLevel = 0.25

// tone is a sine that never ends.
type tone struct {
	hz   float64
	next int64
}

// NewTone returns a source that plays a sine without end; hz lies above 0 and below 24000.
func NewTone(hz float64) (*PacedSource, error) {
	if !(hz > 0 && hz < SampleRate/2) {
		return nil, fmt.Errorf("tone of %g Hz: use more than 0 and less than %d", hz, SampleRate/2)
	}
	return &PacedSource{pacer: newPacer(), sound: &tone{hz: hz}}, nil
}

func (t *tone) Read(dst []float32) (n int, err error) {
	fillTone(dst, t.hz, t.next)
	t.next += int64(len(dst))
	return len(dst), nil
}

// fillTone writes samples first, first+1, ... of a sine. The phase is computed from the sample number, whole
// cycles left out, so that it never drifts.
func fillTone(dst []float32, hz float64, first int64) {
	seconds, rest := float64(first/SampleRate), float64(first%SampleRate)
	cycles := math.Mod(math.Mod(hz, 1)*seconds+hz*rest/SampleRate, 1)
	for i := range dst {
		phase := cycles + hz*float64(i)/SampleRate
		dst[i] = float32(toneLevel * math.Sin(2*math.Pi*phase))
	}
}
