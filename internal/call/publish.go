package call

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/internal/audio"
	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/opus"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	markers      = 3                      // silence payloads at the start of a silence
	markersEvery = 400 * time.Millisecond // later ones, while the microphone is open
	unitSamples  = audio.SampleRate / 400 // samples in a unit of a payload's timestamp
	// preroll is how many samples of before the key press push-to-talk sends: people press the key as they
	// start to speak, and sometimes after.
	preroll = audio.SampleRate / 5

	shortTagBelow = 8000 // bit/s of the codec, below which 4 bytes of tag a packet are heard
)

// What Publish returns.
var (
	ErrPublished = errors.New("wzp: something is being published in this room already")
	ErrRoomOver  = errors.New("wzp: the room is over")
)

// PublishConfig is described in the package at the root.
type PublishConfig struct {
	Bitrate       int
	FrameDuration time.Duration
	FEC           bool
	ExpectedLoss  int
	NoDTX         bool
	PushToTalk    bool
}

// Publication is what this client says in a room.
type Publication struct {
	keeper  *keeper
	sender  *sender
	source  audio.Source
	config  PublishConfig
	encoder *opus.Encoder

	talking, raised atomic.Bool

	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
	err    error // valid after done

	// Owned by run.
	samples  int64 // captured so far
	preroll  audio.Ring
	frame    []float32
	packet   []byte
	plain    []byte
	outlet   outlet
	silent   int64 // frames of silence so far; 0: talking
	wasMuted bool
	begun    bool // something was sent
	hand     hand
}

// Publish sends what source captures until it ends, the room does, or Stop. It closes the source.
func (r *Room) Publish(source audio.Source, config PublishConfig) (*Publication, error) {
	if config.FEC && config.ExpectedLoss == 0 {
		config.ExpectedLoss = 20
	}
	encoder, err := opus.NewEncoder(opus.Config{
		Bitrate:       config.Bitrate,
		FrameDuration: config.FrameDuration,
		InbandFEC:     config.FEC,
		ExpectedLoss:  config.ExpectedLoss,
		DTX:           !config.NoDTX,
	})
	if err != nil {
		return nil, err
	}
	p := &Publication{
		keeper: r.keeper, sender: r.sender, source: source, config: config, encoder: encoder,
		done: make(chan struct{}),
	}
	p.frame = make([]float32, encoder.FrameSamples())
	p.preroll = audio.NewRing((preroll + len(p.frame) - 1) / len(p.frame) * len(p.frame))
	p.packet = make([]byte, opus.MaxFrameBytes)
	p.talking.Store(!config.PushToTalk)
	p.wasMuted = config.PushToTalk
	number, err := r.reserve(p)
	if err != nil {
		return nil, err
	}
	if err := p.arm(number); err != nil {
		close(p.done) // the place is free
		p.cancel()
		r.wg.Done()
		return nil, err
	}
	go func() {
		defer r.wg.Done()
		p.err = p.run()
		r.keeper.handIs(wire.HandUnknown)
		r.keeper.disarm(p.outlet.sealer)
		source.Close()
		close(p.done)
		p.cancel()
	}()
	return p, nil
}

// reserve takes the room's place for a publication, and the next stream number; Leave waits for it now.
// Its keys are armed later: that takes other locks, and is not done with this one held.
func (r *Room) reserve(p *Publication) (stream uint8, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.left || r.ctx.Err() != nil:
		return 0, ErrRoomOver
	case r.publication != nil && !r.publication.ended():
		return 0, ErrPublished
	case r.published == 255:
		return 0, errors.New("wzp: too many publications: join again")
	}
	r.published++
	r.publication = p
	p.ctx, p.cancel = context.WithCancel(r.ctx)
	r.wg.Add(1)
	return r.published - 1, nil
}

// arm gets the keys of the publication's stream ready.
func (p *Publication) arm(stream uint8) (err error) {
	suite := e2ee.AES128CTRHMACSHA256Tag64
	if p.config.Bitrate != 0 && p.config.Bitrate < shortTagBelow {
		suite = e2ee.AES128CTRHMACSHA256Tag32
	}
	p.outlet.sealer, err = p.keeper.arm(suite, stream)
	return err
}

// SetTalking opens or closes the microphone. When it opens, the 200 ms before are sent, too.
func (p *Publication) SetTalking(on bool) { p.talking.Store(on) }

// Talking reports whether the microphone is open.
func (p *Publication) Talking() bool { return p.talking.Load() }

// SetHand raises or lowers the hand. It is down when the publication ends.
func (p *Publication) SetHand(up bool) { p.raised.Store(up) }

// Hand reports whether the hand is up.
func (p *Publication) Hand() bool { return p.raised.Load() }

// Start returns when the first sample was captured, zero before that.
func (p *Publication) Start() time.Time { return p.source.Start() }

// Done is closed when the publication has ended.
func (p *Publication) Done() <-chan struct{} { return p.done }

// Err returns why the publication ended; nil at the end of the source or after Stop.
func (p *Publication) Err() error {
	<-p.done
	return p.err
}

// Stop ends the publication and waits for that.
func (p *Publication) Stop() {
	p.cancel()
	<-p.done
}

func (p *Publication) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// run sends frame after frame.
func (p *Publication) run() error {
	select {
	case <-p.keeper.opened: // what is said before has no listeners
	case <-p.ctx.Done():
		return nil
	}
	for {
		n, err := p.source.ReadFrame(p.ctx, p.frame)
		if n > 0 {
			clear(p.frame[n:])
			if err := p.capture(); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			err := p.finish()
			p.keeper.out.wait(p.ctx) // or what was said last is lost if we leave now
			return err
		case p.ctx.Err() != nil:
			return p.sayEnd()
		case err != nil:
			return fmt.Errorf("cannot capture: %w", err)
		}
	}
}

// capture handles one frame of the source.
func (p *Publication) capture() error {
	start := p.samples
	p.samples += int64(len(p.frame))
	p.hand.set(p.raised.Load(), start)
	p.keeper.handIs(p.hand.says(start))
	if !p.talking.Load() {
		if !p.wasMuted {
			p.preroll.Drop(p.preroll.Len()) // it is of before the microphone was open
		}
		p.preroll.Push(p.frame)
		return p.muted(start)
	}
	if p.wasMuted {
		p.wasMuted, p.silent = false, 0
		if err := p.sendPreRoll(start); err != nil {
			return err
		}
	}
	return p.sendFrame(p.frame, start)
}

// muted sends what the encoder still holds of what was said, then tells a few times that the talker has
// stopped, and then nothing but that the hand is up. The frame's own sound only goes to the pre-roll.
func (p *Publication) muted(start int64) error {
	if !p.wasMuted {
		p.wasMuted = true
		p.silent = 0
		if p.begun {
			return p.sendFrame(make([]float32, len(p.frame)), start)
		}
	}
	p.silent++
	if p.begun && p.silent <= markers || p.hand.due(start) {
		return p.sendSilence(start, p.closed())
	}
	return nil
}

// sendPreRoll sends what was said just before the microphone opened at sample end.
func (p *Publication) sendPreRoll(end int64) error {
	start := end - int64(p.preroll.Len())
	frame := make([]float32, len(p.frame))
	for p.preroll.Pop(frame) == len(frame) {
		if err := p.sendFrame(frame, start); err != nil {
			return err
		}
		start += int64(len(frame))
	}
	return nil
}

// finish sends what the encoder still holds, and tells that this is the end.
func (p *Publication) finish() error {
	if p.begun && p.talking.Load() {
		clear(p.frame)
		if err := p.sendFrame(p.frame, p.samples); err != nil {
			return err
		}
		p.samples += int64(len(p.frame))
	}
	return p.sayEnd()
}

// sayEnd tells that nothing more comes, so that nobody waits for it, unless that was said before.
func (p *Publication) sayEnd() error {
	if !p.begun || p.wasMuted && !p.hand.up {
		return nil
	}
	p.hand.set(false, p.samples)
	for range markers {
		if err := p.sendSilence(p.samples, wire.MicNone); err != nil {
			return err
		}
	}
	return nil
}

// sendFrame encodes and sends the frame that begins at sample start, or tells of silence.
func (p *Publication) sendFrame(pcm []float32, start int64) error {
	n, dtx, err := p.encoder.Encode(p.packet, pcm)
	if err != nil {
		return err
	}
	if !dtx && (p.silent == 0 || voiced(p.packet[:n])) {
		p.silent = 0
		return p.send(wire.AppendPayload(p.plain[:0], timestamp(start), p.packet[:n]), n)
	}
	p.silent++
	again := p.silent%int64(markersEvery/p.encoder.FrameDuration()) == 0
	if p.silent <= markers || again || p.hand.due(start) {
		return p.sendSilence(start, wire.MicOpen)
	}
	return nil
}

// voiced tells speech from Opus's frame of background noise every 400 ms of silence: alone, that is a tick.
func voiced(packet []byte) bool {
	p, err := opus.Parse(packet)
	return err != nil || p.Voiced()
}

func (p *Publication) sendSilence(start int64, mic wire.Mic) error {
	size := p.encoder.PacketSize()
	p.hand.told(start)
	return p.send(wire.AppendSilence(p.plain[:0], timestamp(start), size, mic, p.hand.up), size)
}

// closed is how the microphone is while it is not open.
func (p *Publication) closed() wire.Mic {
	if p.config.PushToTalk {
		return wire.MicReleased
	}
	return wire.MicMuted
}

// timestamp is the media time of a sample.
func timestamp(sample int64) uint16 { return uint16(sample / unitSamples) }

// send encrypts a payload and sends it; codec of its bytes are the codec's.
func (p *Publication) send(payload []byte, codec int) error {
	p.plain = payload
	err := p.sender.send(&p.outlet, payload)
	if errors.Is(err, e2ee.ErrStreamClosed) { // the room is over, which run is about to see
		return nil
	}
	if err == nil {
		p.begun = true
		p.sender.count(codec)
	}
	return err
}
