package audio

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

const (
	reopenFirst = 250 * time.Millisecond // after a device was lost
	reopenMost  = 2 * time.Second        // between attempts to open it again
)

// device is a Microphone or Speaker.
type device interface {
	comparable
	io.Closer
}

// reopener holds a device, and opens it again when it was lost, until that succeeds or it is closed.
type reopener[D device] struct {
	open    func() (D, error)
	changed func(lost error) // nil: it is back. Called on a goroutine that Close waits for

	mu     sync.Mutex // guards what follows
	device D
	lost   error // why device is closed; nil: it works
	closed bool

	stop   chan struct{}
	reopen sync.WaitGroup // the goroutine, while the device is lost
}

func newReopener[D device](open func() (D, error), changed func(lost error)) (*reopener[D], error) {
	if changed == nil {
		changed = func(error) {}
	}
	device, err := open()
	return &reopener[D]{open: open, changed: changed, device: device, stop: make(chan struct{})}, err
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
	if r.device == device && r.lost == nil && !r.closed {
		r.lost = err
		r.reopen.Go(func() { r.replace(device, err) })
	}
	return true
}

// replace opens a device in place of one that was lost.
func (r *reopener[D]) replace(device D, lost error) {
	r.changed(lost)
	device.Close()
	for pause := reopenFirst; ; pause = min(2*pause, reopenMost) {
		select {
		case <-time.After(pause):
		case <-r.stop:
			return
		}
		if device, err := r.open(); err == nil {
			r.changed(nil) // before it can be lost again
			r.mu.Lock()
			defer r.mu.Unlock()
			r.device, r.lost = device, nil
			return
		}
	}
}

// Close ends the device: a loudspeaker plays what is queued first, for at most 0.4 s.
func (r *reopener[D]) Close() error {
	r.mu.Lock()
	if !r.closed {
		r.closed = true
		close(r.stop)
	}
	r.mu.Unlock()
	r.reopen.Wait()
	return r.device.Close()
}

// LastingSpeaker is a Speaker that outlives its device: what is written while that is lost (unplugged, or the
// sound server restarts) is not heard, and it plays on when the device is back.
type LastingSpeaker struct{ *reopener[*Speaker] }

// OpenLastingSpeaker is OpenSpeaker; changed, which may be nil, is called on another goroutine when the
// device is lost, with the reason, and with nil when it is back.
func OpenLastingSpeaker(d Device, changed func(lost error)) (*LastingSpeaker, error) {
	r, err := newReopener(func() (*Speaker, error) { return OpenSpeaker(d) }, changed)
	return &LastingSpeaker{r}, err
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

// LastingMicrophone is a Microphone that outlives its device: while that is lost it is silent.
type LastingMicrophone struct {
	*reopener[*Microphone]
	beginning
	quiet *pacer // owned by ReadFrame: of the silence in place of the device; nil: that works
}

// OpenLastingMicrophone is OpenMicrophone; changed is that of OpenLastingSpeaker.
func OpenLastingMicrophone(d Device, changed func(lost error)) (*LastingMicrophone, error) {
	r, err := newReopener(func() (*Microphone, error) { return OpenMicrophone(d) }, changed)
	return &LastingMicrophone{reopener: r}, err
}

// ReadFrame waits for len(dst) samples, at most half a second of them; see Source.
func (m *LastingMicrophone) ReadFrame(ctx context.Context, dst []float32) (n int, err error) {
	mic, ok := m.current()
	if ok {
		m.quiet = nil
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
	if m.quiet == nil {
		m.quiet = newPacer()
		m.quiet.closed = m.stop
		m.quiet.begin(time.Now())
	}
	m.begin(m.quiet.Start())
	clear(dst)
	return m.quiet.pace(ctx, dst, len(dst))
}
