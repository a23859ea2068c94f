package audio

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"sync"
	"time"

	"github.com/jfreymuth/pulse/proto"
)

const (
	// speakerBuffer is what the sound server holds of ours: 30 ms.
	speakerBuffer = 3 * deviceFragment
	// speakerDrain is how long Close waits for the last words to be played.
	speakerDrain = 400 * time.Millisecond
	// speakerBehind is what the server may have gone without: after more it is opened anew.
	speakerBehind = 10 * SampleRate
)

// Speaker is a Sink that plays through a sound server. WriteFrame only queues; a goroutine, owned by the
// Speaker and ended by Close, feeds the server with what it asks for.
//
//	WriteFrame ──> playout (200 ms, drops the oldest) ──> feed ──> server, 30 ms
//	                                    requests: reading goroutine ──^
type Speaker struct {
	link   *pulseLink
	stream uint32

	mu     sync.Mutex // guards all below
	queue  playout
	wanted int   // samples that the server has asked for and not got
	err    error // why nothing more will be played
	closed bool

	changed chan struct{} // one token: wanted grew, err or closed is set
	done    chan struct{} // closed when feed has returned
}

// OpenSpeaker starts to play; silence until the first frame. It fails with *NoSoundServerError when there is
// no sound server.
func OpenSpeaker(d Device) (*Speaker, error) {
	s := &Speaker{queue: newPlayout(), changed: make(chan struct{}, 1), done: make(chan struct{})}
	link, err := dialPulse(d.Server, s.onMessage)
	if err != nil {
		return nil, err
	}
	s.link = link
	request := &proto.CreatePlaybackStream{
		SampleSpec:            proto.SampleSpec{Format: proto.FormatFloat32LE, Channels: 1, Rate: SampleRate},
		ChannelMap:            proto.ChannelMap{proto.ChannelMono},
		ChannelVolumes:        proto.ChannelVolumes{uint32(proto.VolumeNorm)},
		SinkIndex:             proto.Undefined,
		SinkName:              d.Name,
		BufferMaxLength:       4 * speakerBuffer * bytesPerSample,
		BufferTargetLength:    speakerBuffer * bytesPerSample,
		BufferPrebufferLength: 0, // play on through underruns
		BufferMinimumRequest:  deviceFragment * bytesPerSample,
		AdjustLatency:         true,
		NoMove:                d.Name != "", // nobody else is to hear what is for a headset
		Properties:            streamProps("voice"),
	}
	var reply proto.CreatePlaybackStreamReply
	if err := link.Request(request, &reply); err != nil {
		link.close()
		return nil, deviceError("loudspeaker", "--out", d, err)
	}
	s.stream = reply.StreamIndex
	s.demand(int(reply.Missing) / bytesPerSample)
	go s.feed()
	return s, nil
}

// onMessage runs on the link's reading goroutine.
func (s *Speaker) onMessage(message any) {
	switch message := message.(type) {
	case *proto.Request:
		s.demand(int(message.Length) / bytesPerSample)
	case *proto.PlaybackStreamKilled:
		s.fail(fmt.Errorf("%w: the sound server closed the loudspeaker", ErrDeviceLost))
	case *proto.ConnectionClosed:
		s.fail(fmt.Errorf("%w: the sound server ended", ErrDeviceLost))
	}
}

// demand adds to what the server wants. While we are held up it plays on, and asks for all of that: what it
// does not get, everything that follows is late by, and so is not played.
func (s *Speaker) demand(samples int) {
	s.mu.Lock()
	s.wanted += samples
	if s.wanted > speakerBehind && s.err == nil {
		s.err = fmt.Errorf("%w: the loudspeaker was not served for too long", ErrDeviceLost)
	}
	s.mu.Unlock()
	signal(s.changed)
}

func (s *Speaker) fail(err error) {
	s.mu.Lock()
	if s.err == nil {
		s.err = err
	}
	s.mu.Unlock()
	signal(s.changed)
}

// feed sends what the server asks for until the Speaker fails or is closed and all is played.
func (s *Speaker) feed() {
	defer close(s.done)
	pcm := make([]float32, deviceFragment)
	data := make([]byte, 0, deviceFragment*bytesPerSample)
	for range s.changed {
		for {
			n, over := s.next(pcm)
			if over {
				return
			}
			if n == 0 {
				break
			}
			data = data[:0]
			for _, x := range pcm[:n] {
				data = binary.LittleEndian.AppendUint32(data, math.Float32bits(x))
			}
			if err := s.link.Send(s.stream, data); err != nil {
				s.fail(fmt.Errorf("%w: %w", ErrDeviceLost, err))
				return
			}
		}
	}
}

// next takes the next sound to send: n samples, none if none is wanted. over means that nothing is left to
// do.
func (s *Speaker) next(pcm []float32) (n int, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil || (s.closed && s.queue.queue.Len() == 0) {
		return 0, true
	}
	if late := s.wanted - 4*speakerBuffer; late > 0 { // its time is over
		n = min(late, len(pcm))
		clear(pcm[:n])
	} else if n = min(s.wanted, len(pcm)); n > 0 {
		s.queue.pull(pcm[:n])
	}
	s.wanted -= n
	return n, false
}

// WriteFrame queues sound to be played. It fails with ErrDeviceLost once the device is gone.
func (s *Speaker) WriteFrame(pcm []float32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("loudspeaker: %w", os.ErrClosed)
	}
	if s.err != nil {
		return s.err
	}
	s.queue.write(pcm)
	return nil
}

// Close plays what is queued, for at most 0.4 s, and ends.
func (s *Speaker) Close() error {
	s.mu.Lock()
	again := s.closed
	s.closed = true
	s.mu.Unlock()
	signal(s.changed)
	timeout := time.NewTimer(speakerDrain)
	defer timeout.Stop()
	select {
	case <-s.done:
	case <-timeout.C: // the server asks for nothing
	}
	s.mu.Lock()
	alive := s.err == nil
	s.mu.Unlock()
	if alive && !again {
		time.Sleep(durationOf(speakerBuffer)) // what the server still holds
	}
	s.link.close()
	<-s.done
	return nil
}
