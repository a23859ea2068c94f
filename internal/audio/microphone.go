package audio

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/jfreymuth/pulse/proto"
)

// micQueue bounds what waits for a slow reader: half a second.
const micQueue = SampleRate / 2

// Microphone is a Source that records from a sound server, in fragments of 10 ms.
//
//	server ──10 ms──> reading goroutine ──> ring (500 ms, drops the oldest) ──> ReadFrame
//
// While the server suspends the device, ReadFrame waits.
type Microphone struct {
	link *pulseLink

	mu      sync.Mutex // guards all below
	queue   Ring
	start   time.Time
	err     error // why no more sound will come
	scratch []float32

	changed chan struct{} // one token: the queue grew, or err is set
}

// OpenMicrophone starts to record. It fails with *NoSoundServerError when there is no sound server.
func OpenMicrophone(d Device) (*Microphone, error) {
	m := &Microphone{
		queue:   NewRing(micQueue),
		scratch: make([]float32, micQueue),
		changed: make(chan struct{}, 1),
	}
	link, err := dialPulse(d.Server, m.onMessage)
	if err != nil {
		return nil, err
	}
	m.link = link
	request := &proto.CreateRecordStream{
		SampleSpec:         proto.SampleSpec{Format: proto.FormatFloat32LE, Channels: 1, Rate: SampleRate},
		ChannelMap:         proto.ChannelMap{proto.ChannelMono},
		ChannelVolumes:     proto.ChannelVolumes{uint32(proto.VolumeNorm)},
		SourceIndex:        proto.Undefined,
		SourceName:         d.Name,
		BufferMaxLength:    micQueue * bytesPerSample,
		BufferFragSize:     deviceFragment * bytesPerSample,
		AdjustLatency:      true,
		NoMove:             d.Name != "", // no other microphone is to listen
		DirectOnInputIndex: proto.Undefined,
		Properties:         streamProps("microphone"),
	}
	if err := link.Request(request, &proto.CreateRecordStreamReply{}); err != nil {
		link.close()
		return nil, deviceError("microphone", "--in", d, err)
	}
	return m, nil
}

// deviceError words the refusal of a stream.
func deviceError(kind, flag string, d Device, err error) error {
	if !errors.Is(err, proto.ErrNoSuchEntity) {
		return fmt.Errorf("%s cannot be opened: %w", kind, err)
	}
	if d.Name != "" {
		return noDevice(kind, d.Name)
	}
	return noDeviceError(fmt.Sprintf("no %s found: plug one in, or use %s FILE.wav", kind, flag))
}

// onMessage runs on the link's reading goroutine.
func (m *Microphone) onMessage(message any) {
	switch message := message.(type) {
	case *proto.DataPacket:
		m.receive(message.Data)
	case *proto.RecordStreamKilled:
		m.fail(fmt.Errorf("%w: the sound server closed the microphone", ErrDeviceLost))
	case *proto.ConnectionClosed:
		m.fail(fmt.Errorf("%w: the sound server ended", ErrDeviceLost))
	}
}

// receive queues recorded sound.
func (m *Microphone) receive(data []byte) {
	now := time.Now()
	m.mu.Lock()
	for len(data) >= bytesPerSample {
		n := min(len(data)/bytesPerSample, len(m.scratch))
		if m.start.IsZero() {
			m.start = now.Add(-durationOf(int64(len(data) / bytesPerSample)))
		}
		for i := range m.scratch[:n] {
			m.scratch[i] = sanitize(math.Float32frombits(binary.LittleEndian.Uint32(data[i*bytesPerSample:])))
		}
		m.queue.Push(m.scratch[:n])
		data = data[n*bytesPerSample:]
	}
	m.mu.Unlock()
	signal(m.changed)
}

func (m *Microphone) fail(err error) {
	m.mu.Lock()
	if m.err == nil {
		m.err = err
	}
	m.mu.Unlock()
	signal(m.changed)
}

// ReadFrame waits for len(dst) samples, at most half a second of them.
func (m *Microphone) ReadFrame(ctx context.Context, dst []float32) (n int, err error) {
	if len(dst) > micQueue {
		return 0, fmt.Errorf("microphone: frame of %d samples: use at most %d", len(dst), micQueue)
	}
	for {
		ok, err := m.take(dst)
		if err != nil {
			return 0, err
		}
		if ok {
			return len(dst), nil
		}
		select {
		case <-m.changed:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// take fills dst if there is enough. What was recorded before a failure is still delivered, in whole frames.
func (m *Microphone) take(dst []float32) (ok bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.queue.Len() >= len(dst) {
		m.queue.Pop(dst)
		return true, nil
	}
	return false, m.err
}

// Start is when the first sample was captured, as near as its arrival tells.
func (m *Microphone) Start() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.start
}

// Close ends the recording.
func (m *Microphone) Close() error {
	m.fail(errSourceClosed)
	m.link.close()
	return nil
}
