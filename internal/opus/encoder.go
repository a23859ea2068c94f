package opus

import (
	"fmt"
	"time"
)

// Limits of Config.
const (
	MinBitrate = 6000  // bit/s
	MaxBitrate = 64000 // bit/s
)

// Requests of opus_encoder_ctl and opus_decoder_ctl (opus_defines.h).
const (
	setBitrate        = 4002
	setVBR            = 4006
	setComplexity     = 4010
	setInbandFEC      = 4012
	setPacketLossPerc = 4014
	setDTX            = 4016
	setSignal         = 4024
	getLookahead      = 4027

	applicationVoIP  = 2048
	applicationAudio = 2049
	signalVoice      = 3001
)

// Application is what the encoder is tuned for.
type Application int

const (
	VoIP  Application = iota // speech first; the default
	Audio                    // fidelity first: music
)

// Config describes an encoder. The zero value is speech at 24 kbit/s in 20 ms
// frames.
type Config struct {
	Bitrate       int           // bit/s of codec payload, 6000 to 64000; 0 means 24000
	FrameDuration time.Duration // 10, 20, 40 or 60 ms; 0 means 20 ms
	Application   Application
	Complexity    int  // 1 to 10: CPU time for quality; 0 means 9
	InbandFEC     bool // add a low-bitrate copy of the frame before (LBRR); takes effect with ExpectedLoss > 0
	ExpectedLoss  int  // percent, 0 to 100: makes frames depend less on those before
	DTX           bool // let Encode report frames that need no transmission; wants Complexity of at least 7
}

func (c *Config) setDefaults() {
	if c.Bitrate == 0 {
		c.Bitrate = 24000
	}
	if c.FrameDuration == 0 {
		c.FrameDuration = 20 * time.Millisecond
	}
	if c.Complexity == 0 {
		c.Complexity = 9
	}
}

func (c *Config) check() error {
	if err := checkBitrate(c.Bitrate); err != nil {
		return err
	}
	if err := checkFrameDuration(c.FrameDuration); err != nil {
		return err
	}
	if c.Complexity < 1 || c.Complexity > 10 {
		return fmt.Errorf("opus: complexity %d: use 1 to 10", c.Complexity)
	}
	if c.Application != VoIP && c.Application != Audio {
		return fmt.Errorf("opus: application %d: use VoIP or Audio", c.Application)
	}
	return checkLoss(c.ExpectedLoss)
}

func checkBitrate(bps int) error {
	if bps < MinBitrate || bps > MaxBitrate {
		return fmt.Errorf("opus: bitrate %d bit/s: use %d to %d", bps, MinBitrate, MaxBitrate)
	}
	return nil
}

func checkFrameDuration(d time.Duration) error {
	switch d {
	case 10 * time.Millisecond, 20 * time.Millisecond, 40 * time.Millisecond, 60 * time.Millisecond:
		return nil
	}
	return fmt.Errorf("opus: frame duration %v: use 10ms, 20ms, 40ms or 60ms", d)
}

func checkLoss(percent int) error {
	if percent < 0 || percent > 100 {
		return fmt.Errorf("opus: expected loss %d %%: use 0 to 100", percent)
	}
	return nil
}

// Encoder codes mono speech in hard CBR: every packet of one bitrate and frame
// duration has the same length, so that lengths tell nothing about what is said
// (RFC 6562). One goroutine at a time.
type Encoder struct {
	lib       *library
	state     codecState // ptr is nil when closed
	dtx       bool
	bitrate   int
	frame     time.Duration
	size      int // bytes of every packet
	lookahead int
}

// NewEncoder makes an encoder. It fails with *LibraryError when libopus is not
// installed, and names the field that is out of range.
func NewEncoder(c Config) (*Encoder, error) {
	c.setDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	lib, err := loaded()
	if err != nil {
		return nil, err
	}
	application := applicationVoIP
	if c.Application == Audio {
		application = applicationAudio
	}
	state, err := lib.newEncoderState(application)
	if err != nil {
		return nil, err
	}
	e := &Encoder{lib: lib, state: state, dtx: c.DTX, frame: c.FrameDuration}
	if err := e.configure(c); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *Encoder) configure(c Config) error {
	steps := []struct {
		name           string
		request, value int
	}{
		{"set hard CBR", setVBR, 0},
		{"set complexity", setComplexity, c.Complexity},
		{"set DTX", setDTX, flag(c.DTX)},
		{"set in-band FEC", setInbandFEC, flag(c.InbandFEC)},
		{"set expected loss", setPacketLossPerc, c.ExpectedLoss},
	}
	for _, s := range steps {
		if err := e.set(s.name, s.request, s.value); err != nil {
			return err
		}
	}
	if c.Application == VoIP {
		if err := e.set("set signal", setSignal, signalVoice); err != nil {
			return err
		}
	}
	lookahead, code := e.lib.getEncoder(e.state, getLookahead)
	if err := e.lib.check("get lookahead", code); err != nil {
		return err
	}
	e.lookahead = lookahead
	return e.SetBitrate(c.Bitrate)
}

func flag(on bool) int {
	if on {
		return 1
	}
	return 0
}

func (e *Encoder) set(name string, request, value int) error {
	if e.state.ptr == nil {
		return ErrClosed
	}
	return e.lib.check(name, e.lib.setEncoder(e.state, request, value))
}

// Encode codes one frame. pcm holds exactly FrameSamples samples; dst has room
// for at least PacketSize bytes. n is PacketSize, except that with dtx true it
// may be 1 or 2: the packet says "nothing here" and may be left out, or sent where
// silence has to be heard of. dtx is only ever true when Config.DTX is set.
func (e *Encoder) Encode(dst []byte, pcm []float32) (n int, dtx bool, err error) {
	if e.state.ptr == nil {
		return 0, false, ErrClosed
	}
	if len(pcm) != e.FrameSamples() {
		return 0, false, fmt.Errorf("opus: encode: %d samples: a frame of %v has %d", len(pcm), e.frame, e.FrameSamples())
	}
	if len(dst) < e.size {
		return 0, false, fmt.Errorf("opus: encode: room for %d bytes: a packet has %d", len(dst), e.size)
	}
	n = e.lib.encode(e.state, dst[:e.size], pcm)
	if n < 0 {
		return 0, false, e.lib.check("encode", n)
	}
	return e.outcome(dst[:n])
}

// outcome tells silence from sound. libopus may pad an empty packet to full size
// when it changes its mode.
func (e *Encoder) outcome(packet []byte) (n int, dtx bool, err error) {
	n = len(packet)
	if e.dtx {
		if n <= 2 {
			return n, true, nil
		}
		if p, err := Parse(packet); err == nil && p.Empty() {
			return n, true, nil
		}
	}
	if n != e.size {
		// A length of its own would leak; libopus in CBR does not do this.
		return 0, false, fmt.Errorf("opus: encode: packet of %d bytes instead of %d: update libopus", n, e.size)
	}
	return n, false, nil
}

// SetBitrate changes the rate, and PacketSize with it, from the next frame on.
func (e *Encoder) SetBitrate(bps int) error {
	if err := checkBitrate(bps); err != nil {
		return err
	}
	return e.resize(bps, e.frame)
}

// SetFrameDuration changes the frame length, and PacketSize with it, from the
// next frame on; the signal goes on without a gap.
func (e *Encoder) SetFrameDuration(d time.Duration) error {
	if err := checkFrameDuration(d); err != nil {
		return err
	}
	return e.resize(e.bitrate, d)
}

// resize sets the bitrate that makes packets exactly size bytes long.
func (e *Encoder) resize(bps int, frame time.Duration) error {
	bitsPerFrame := int64(bps) * frame.Milliseconds()
	size := int((bitsPerFrame + 4000) / 8000) // rounded to bytes
	exact := size * 8000 / int(frame.Milliseconds())
	if err := e.set("set bitrate", setBitrate, exact); err != nil {
		return err
	}
	e.bitrate, e.frame, e.size = bps, frame, size
	return nil
}

// SetExpectedLoss tells how many percent of the packets get lost, 0 to 100.
func (e *Encoder) SetExpectedLoss(percent int) error {
	if err := checkLoss(percent); err != nil {
		return err
	}
	return e.set("set expected loss", setPacketLossPerc, percent)
}

// SetFEC switches the low-bitrate copy of the frame before on or off.
func (e *Encoder) SetFEC(on bool) error {
	return e.set("set in-band FEC", setInbandFEC, flag(on))
}

// PacketSize is the length in bytes of every packet that Encode makes.
func (e *Encoder) PacketSize() int { return e.size }

// FrameSamples is how many samples Encode takes.
func (e *Encoder) FrameSamples() int { return samplesOf(e.frame) }

// FrameDuration is the length of a frame.
func (e *Encoder) FrameDuration() time.Duration { return e.frame }

// Bitrate is what was asked for, bit/s.
func (e *Encoder) Bitrate() int { return e.bitrate }

// Lookahead is the encoder's delay in samples: sample i goes in, and comes out
// of the decoder as sample i+Lookahead.
func (e *Encoder) Lookahead() int { return e.lookahead }

// Close gives the memory back. It may be called again.
func (e *Encoder) Close() error {
	e.state = codecState{}
	return nil
}
