package audio

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	reopenFirst = 250 * time.Millisecond // after a device was lost
	reopenMost  = 2 * time.Second        // between attempts to open it again
)

// reopener holds a device, and opens it again when it was lost, until that succeeds or it is closed. Its
// goroutine ends with close.
type reopener[D interface {
	comparable
	io.Closer
}] struct {
	open    func() (D, error)
	changed func(lost error) // nil: it is back. Called on the goroutine; may be nil

	mu     sync.Mutex // guards what follows
	device D
	lost   error // why device is closed; nil: it works
	closed bool

	failed chan struct{} // one token: lost is set
	stop   chan struct{}
	done   chan struct{}
}

func newReopener[D interface {
	comparable
	io.Closer
}](open func() (D, error), changed func(lost error)) (*reopener[D], error) {
	device, err := open()
	if err != nil {
		return nil, err
	}
	r := &reopener[D]{open: open, changed: changed, device: device, failed: make(chan struct{}, 1),
		stop: make(chan struct{}), done: make(chan struct{})}
	go r.run()
	return r, nil
}

// current returns the device; ok tells whether it works.
func (r *reopener[D]) current() (device D, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.device, r.lost == nil
}

// fail notes that a device was lost. It reports false for any other error.
func (r *reopener[D]) fail(device D, err error) bool {
	if !errors.Is(err, ErrDeviceLost) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.device == device && r.lost == nil {
		r.lost = err
		signal(r.failed)
	}
	return true
}

func (r *reopener[D]) run() {
	defer close(r.done)
	for {
		select {
		case <-r.failed:
		case <-r.stop:
			return
		}
		r.mu.Lock()
		device, lost := r.device, r.lost
		r.mu.Unlock()
		r.tell(lost)
		device.Close()
		if !r.reopen() {
			return
		}
		r.tell(nil)
	}
}

func (r *reopener[D]) tell(lost error) {
	if r.changed != nil {
		r.changed(lost)
	}
}

// reopen reports false if it was told to stop.
func (r *reopener[D]) reopen() bool {
	wait := time.NewTimer(reopenFirst)
	defer wait.Stop()
	for pause := reopenFirst; ; pause = min(2*pause, reopenMost) {
		select {
		case <-wait.C:
		case <-r.stop:
			return false
		}
		device, err := r.open()
		if err == nil {
			r.mu.Lock()
			r.device, r.lost = device, nil
			r.mu.Unlock()
			return true
		}
		wait.Reset(pause)
	}
}

// close ends the goroutine and closes the device.
func (r *reopener[D]) close() error {
	r.mu.Lock()
	again := r.closed
	r.closed = true
	r.mu.Unlock()
	if !again {
		close(r.stop)
	}
	<-r.done
	return r.device.Close()
}

// LastingSpeaker is a Speaker that outlives its device: what is written while that is lost (unplugged, or the
// sound server restarts) is not heard, and it plays on when the device is back.
type LastingSpeaker struct{ *reopener[*Speaker] }

// OpenLastingSpeaker is OpenSpeaker; changed, which may be nil, is called on another goroutine when the
// device is lost, with the reason, and with nil when it is back.
func OpenLastingSpeaker(d Device, changed func(lost error)) (*LastingSpeaker, error) {
	r, err := newReopener(func() (*Speaker, error) { return OpenSpeaker(d) }, changed)
	if err != nil {
		return nil, err
	}
	return &LastingSpeaker{r}, nil
}

// WriteFrame queues sound to be played.
func (s *LastingSpeaker) WriteFrame(pcm []float32) error {
	speaker, ok := s.current()
	if !ok {
		return nil
	}
	if err := speaker.WriteFrame(pcm); err != nil && !s.fail(speaker, err) {
		return err
	}
	return nil
}

// Close plays what is queued, for at most 0.4 s, and ends.
func (s *LastingSpeaker) Close() error { return s.close() }

// LastingMicrophone is a Microphone that outlives its device: while that is lost it is silent.
type LastingMicrophone struct {
	*reopener[*Microphone]

	start atomic.Pointer[time.Time] // set once

	// Owned by ReadFrame: the silence in place of the device.
	since time.Time
	quiet int64 // samples of it so far; 0: the device works
	timer *time.Timer
}

// OpenLastingMicrophone is OpenMicrophone; changed is that of OpenLastingSpeaker.
func OpenLastingMicrophone(d Device, changed func(lost error)) (*LastingMicrophone, error) {
	r, err := newReopener(func() (*Microphone, error) { return OpenMicrophone(d) }, changed)
	if err != nil {
		return nil, err
	}
	return &LastingMicrophone{reopener: r}, nil
}

// ReadFrame waits for len(dst) samples, at most half a second of them; see Source.
func (m *LastingMicrophone) ReadFrame(ctx context.Context, dst []float32) (n int, err error) {
	mic, ok := m.current()
	if ok {
		m.quiet = 0
		n, err = mic.ReadFrame(ctx, dst)
		if err == nil {
			m.begin(mic.Start())
			return n, nil
		}
		if !m.fail(mic, err) {
			return 0, err
		}
	}
	return m.silence(ctx, dst)
}

// silence takes as long as it would to record it, so that time goes on for whoever listens.
func (m *LastingMicrophone) silence(ctx context.Context, dst []float32) (n int, err error) {
	if m.quiet == 0 {
		m.since = time.Now()
	}
	m.begin(m.since)
	m.quiet += int64(len(dst))
	delay := time.Until(m.since.Add(durationOf(m.quiet)))
	if m.timer == nil {
		m.timer = time.NewTimer(delay)
	} else {
		m.timer.Reset(delay)
	}
	select {
	case <-m.timer.C:
		clear(dst)
		return len(dst), nil
	case <-m.stop:
		return 0, errSourceClosed
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (m *LastingMicrophone) begin(at time.Time) {
	if m.start.Load() == nil {
		m.start.Store(&at)
	}
}

// Start is when the first sample was captured; see Source.
func (m *LastingMicrophone) Start() time.Time {
	if t := m.start.Load(); t != nil {
		return *t
	}
	return time.Time{}
}

// Close ends the recording.
func (m *LastingMicrophone) Close() error { return m.close() }
