package opus

import (
	"cmp"
	"fmt"
	"time"

	"github.com/thesyncim/gopus"
)

// Limits of Config.Bitrate.
const (
	MinBitrate = 6000
	MaxBitrate = 64000
)

// Config describes an encoder. The zero value is speech at 24 kbit/s in 20 ms frames.
type Config struct {
	Bitrate       int           // bit/s of codec payload, 6000 to 64000; 0 means 24000
	FrameDuration time.Duration // 10, 20, 40 or 60 ms; 0 means 20 ms
	Complexity    int           // 1 to 10: CPU time for quality; 0 means 9
	InbandFEC     bool          // add a low-bitrate copy of the frame before (LBRR)
	ExpectedLoss  int           // percent, 1 to 100: makes frames depend less on those before; 0 means 10
	DTX           bool          // let Encode report frames that need not be sent; Complexity is 7 at least
}

// Encoder codes mono speech in hard CBR: every packet of one bitrate and frame duration has the same length,
// so that lengths tell nothing about what is said (RFC 6562). One goroutine at a time.
type Encoder struct {
	codec   *gopus.Encoder
	dtx     bool
	bitrate int
	frame   time.Duration
	size    int // bytes of every packet
}

// NewEncoder makes an encoder. Its error names the field that is out of range.
func NewEncoder(c Config) (*Encoder, error) {
	c.Complexity = cmp.Or(c.Complexity, 9)
	// On a path without loss this takes .001 of the intelligibility (STOI) at most; with 30 % lost it gives
	// .01 to .03.
	c.ExpectedLoss = cmp.Or(c.ExpectedLoss, 10)
	if c.Complexity < 1 || c.Complexity > 10 {
		return nil, fmt.Errorf("opus: complexity %d: use 1 to 10", c.Complexity)
	}
	codec, err := gopus.NewEncoder(gopus.EncoderConfig{
		SampleRate: SampleRate, Channels: 1, Application: gopus.ApplicationVoIP,
	})
	if err != nil {
		return nil, err
	}
	e := &Encoder{codec: codec, dtx: c.DTX, bitrate: 24000, frame: 20 * time.Millisecond}
	codec.SetVBR(false)
	codec.SetDTX(c.DTX)
	e.SetFEC(c.InbandFEC)
	for _, err := range []error{
		codec.SetComplexity(c.Complexity), codec.SetSignal(gopus.SignalVoice),
		e.SetFrameDuration(cmp.Or(c.FrameDuration, e.frame)), e.SetBitrate(cmp.Or(c.Bitrate, e.bitrate)),
		e.SetExpectedLoss(c.ExpectedLoss),
	} {
		if err != nil {
			return nil, err
		}
	}
	return e, nil
}

// Encode codes one frame. pcm holds exactly FrameSamples samples; dst has room for at least PacketSize bytes.
// n is PacketSize, except that with dtx true it may be 1 or 2: the packet says "nothing here" and may be left
// out, or sent where silence has to be heard of. dtx is only ever true when Config.DTX is set.
func (e *Encoder) Encode(dst []byte, pcm []float32) (n int, dtx bool, err error) {
	if len(pcm) != e.FrameSamples() {
		return 0, false, fmt.Errorf("opus: encode: %d samples: a frame has %d", len(pcm), e.FrameSamples())
	}
	if len(dst) < e.size {
		return 0, false, fmt.Errorf("opus: encode: room for %d bytes: a packet has %d", len(dst), e.size)
	}
	if n, err = e.codec.Encode(pcm, dst[:e.size]); err != nil {
		return 0, false, fmt.Errorf("opus: encode: %w", err)
	}
	if e.dtx && n > 0 {
		// An empty packet may be padded to full size when the codec changes its mode.
		if p, err := Parse(dst[:n]); n <= 2 || err == nil && p.Empty() {
			return n, true, nil
		}
	}
	if n != e.size { // a length of its own would leak
		return 0, false, fmt.Errorf("opus: encode: packet of %d bytes instead of %d", n, e.size)
	}
	return n, false, nil
}

// SetBitrate changes the rate, and PacketSize with it, from the next frame on.
func (e *Encoder) SetBitrate(bps int) error {
	if bps < MinBitrate || bps > MaxBitrate {
		return fmt.Errorf("opus: bitrate %d bit/s: use %d to %d", bps, MinBitrate, MaxBitrate)
	}
	return e.resize(bps, e.frame)
}

// SetFrameDuration changes the frame length, and PacketSize with it, from the next frame on; the signal goes
// on without a gap.
func (e *Encoder) SetFrameDuration(d time.Duration) error {
	switch d {
	case 10 * time.Millisecond, 20 * time.Millisecond, 40 * time.Millisecond, 60 * time.Millisecond:
	default:
		return fmt.Errorf("opus: frame duration %v: use 10ms, 20ms, 40ms or 60ms", d)
	}
	if err := e.codec.SetFrameSize(samplesOf(d)); err != nil {
		return err
	}
	return e.resize(e.bitrate, d)
}

// resize sets the bitrate that makes packets exactly size bytes long: half bytes are rounded up.
func (e *Encoder) resize(bps int, frame time.Duration) error {
	ms := int(frame.Milliseconds())
	e.bitrate, e.frame, e.size = bps, frame, (bps*ms+4000)/8000
	return e.codec.SetBitrate(e.size * 8000 / ms)
}

// SetExpectedLoss tells how many percent of the packets get lost, 0 to 100.
func (e *Encoder) SetExpectedLoss(percent int) error {
	if percent < 0 || percent > 100 {
		return fmt.Errorf("opus: expected loss %d %%: use 0 to 100", percent)
	}
	return e.codec.SetPacketLoss(percent)
}

// SetFEC switches the low-bitrate copy of the frame before on or off.
func (e *Encoder) SetFEC(on bool) { e.codec.SetFEC(on) }

// PacketSize is the length in bytes of every packet that Encode makes.
func (e *Encoder) PacketSize() int { return e.size }

// FrameSamples is how many samples Encode takes.
func (e *Encoder) FrameSamples() int { return samplesOf(e.frame) }

// FrameDuration is the length of a frame.
func (e *Encoder) FrameDuration() time.Duration { return e.frame }

// Lookahead is the encoder's delay in samples: sample i goes in, and comes out of the decoder as sample
// i+Lookahead.
func (e *Encoder) Lookahead() int { return e.codec.Lookahead() }
