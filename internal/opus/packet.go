package opus

import (
	"errors"
	"fmt"
	"time"
)

// ErrMalformed is wrapped by every error about a packet that breaks RFC 6716
// section 3.4. Such packets come from the network and are dropped and counted.
var ErrMalformed = errors.New("malformed opus packet")

// Mode is the coding mode of a packet (RFC 6716 section 3.1, table 2).
type Mode uint8

const (
	ModeSILK   Mode = iota // speech, linear prediction; configurations 0-11
	ModeHybrid             // SILK below 8 kHz, CELT above; 12-15
	ModeCELT               // transform coding; 16-31
)

// Packet is the parsed framing of one Opus packet.
//
//	 0 1 2 3 4 5 6 7
//	+-+-+-+-+-+-+-+-+   config: mode, bandwidth, frame length
//	| config  |s| c |   s: stereo
//	+-+-+-+-+-+-+-+-+   c: 0 one frame, 1 two equal, 2 two, 3 count byte follows
type Packet struct {
	Mode     Mode
	Stereo   bool
	Frames   int // 1 to 48
	FrameLen int // samples at 48 kHz of one frame: 120 to 2880

	first   []byte // the first frame's bytes, aliasing the packet
	longest int    // bytes of the longest frame
}

// Samples is the length of the packet, at 48 kHz: at most MaxPacketSamples.
func (p Packet) Samples() int { return p.Frames * p.FrameLen }

// Duration is the length of the packet: 2.5 to 120 ms.
func (p Packet) Duration() time.Duration { return durationOf(p.Samples()) }

// Empty tells that no frame carries sound (frames of at most one byte are
// concealed), which is how an encoder says that nothing need be sent (DTX).
func (p Packet) Empty() bool { return p.longest <= 1 }

// Voiced tells whether the encoder found speech in the packet's first frame: any of its VAD bits is set (RFC 6716
// section 4.2.3). CELT packets do not say, and count as voiced.
func (p Packet) Voiced() bool {
	if p.Mode == ModeCELT || len(p.first) == 0 {
		return true
	}
	vads := max(1, p.FrameLen/(SampleRate/50))
	return p.first[0]>>(8-vads) != 0
}

// HasFEC tells whether the packet carries a low-bitrate copy of the frame before
// it (LBRR, RFC 6716 section 4.2.4), so that Decoder.DecodeFEC can use it.
func (p Packet) HasFEC() bool {
	if p.Mode == ModeCELT || len(p.first) == 0 {
		return false
	}
	// A SILK frame starts with one VAD bit per 20 ms, then the LBRR flag, per
	// channel; all have probability 1/2, so that they lie as plain bits.
	vads := max(1, p.FrameLen/(SampleRate/50))
	lbrr := p.first[0]>>(7-vads)&1 != 0
	if p.Stereo {
		lbrr = lbrr || p.first[0]>>(6-2*vads)&1 != 0
	}
	return lbrr
}

// PacketDuration returns how much sound a packet holds, from its framing alone.
func PacketDuration(packet []byte) (time.Duration, error) {
	p, err := Parse(packet)
	if err != nil {
		return 0, err
	}
	return p.Duration(), nil
}

// Parse checks the framing of a packet against the requirements R1 to R7 of
// RFC 6716 section 3.4. It allocates nothing when the packet is well formed and
// keeps no reference to it beyond the returned value.
func Parse(packet []byte) (Packet, error) {
	if len(packet) == 0 { // R1
		return Packet{}, fmt.Errorf("%w: empty", ErrMalformed)
	}
	p := parseTOC(packet[0])
	body := packet[1:]
	switch packet[0] & 3 {
	case 0:
		p.Frames = 1
		return p.equalFrames(body)
	case 1:
		p.Frames = 2
		return p.equalFrames(body)
	case 2:
		p.Frames = 2
		return p.sizedFrames(body)
	}
	return p.countedFrames(body)
}

// parseTOC reads mode and frame length (RFC 6716 section 3.1, table 2).
func parseTOC(toc byte) Packet {
	p := Packet{Stereo: toc&4 != 0}
	config := int(toc >> 3)
	switch {
	case config < 12: // 10, 20, 40, 60 ms
		p.Mode = ModeSILK
		p.FrameLen = [4]int{480, 960, 1920, 2880}[config&3]
	case config < 16: // 10, 20 ms
		p.Mode = ModeHybrid
		p.FrameLen = 480 << (config & 1)
	default: // 2.5, 5, 10, 20 ms
		p.Mode = ModeCELT
		p.FrameLen = 120 << (config & 3)
	}
	return p
}

// countedFrames reads a code 3 packet (RFC 6716 section 3.2.5):
//
//	 0 1 2 3 4 5 6 7
//	+-+-+-+-+-+-+-+-+  v: frames have their own lengths   p: padding follows
//	|v|p|     M     |  M: frames
//	+-+-+-+-+-+-+-+-+
func (p Packet) countedFrames(body []byte) (Packet, error) {
	if len(body) == 0 {
		return Packet{}, fmt.Errorf("%w: no frame count", ErrMalformed)
	}
	count := body[0]
	body = body[1:]
	p.Frames = int(count & 0x3f)
	if p.Frames == 0 || p.Samples() > MaxPacketSamples { // R5
		return Packet{}, fmt.Errorf("%w: %d frames of %v", ErrMalformed, p.Frames, durationOf(p.FrameLen))
	}
	if count&0x40 != 0 {
		var err error
		if body, err = stripPadding(body); err != nil {
			return Packet{}, err
		}
	}
	if count&0x80 != 0 {
		return p.sizedFrames(body)
	}
	return p.equalFrames(body)
}

// stripPadding removes the padding that the length bytes at the front announce:
// 255 means 254 bytes and another length byte.
func stripPadding(body []byte) ([]byte, error) {
	pad := 0
	for {
		if len(body) == 0 {
			return nil, fmt.Errorf("%w: cut short in its padding length", ErrMalformed)
		}
		b := int(body[0])
		body = body[1:]
		if b < 255 {
			pad += b
			break
		}
		pad += 254
	}
	if pad > len(body) { // R6, R7
		return nil, fmt.Errorf("%w: %d bytes of padding in %d", ErrMalformed, pad, len(body))
	}
	return body[:len(body)-pad], nil
}

// equalFrames divides the body evenly among the frames (codes 0, 1 and 3 CBR).
func (p Packet) equalFrames(body []byte) (Packet, error) {
	size := len(body) / p.Frames
	if size*p.Frames != len(body) { // R3, R6
		return Packet{}, fmt.Errorf("%w: %d bytes do not divide into %d frames", ErrMalformed, len(body), p.Frames)
	}
	if size > MaxFrameBytes { // R2
		return Packet{}, fmt.Errorf("%w: a frame of %d bytes", ErrMalformed, size)
	}
	p.first, p.longest = body[:size:size], size
	return p, nil
}

// sizedFrames reads the lengths of all frames but the last, whose length is what
// remains (codes 2 and 3 VBR).
func (p Packet) sizedFrames(body []byte) (Packet, error) {
	sum, first, longest := 0, -1, 0
	for range p.Frames - 1 {
		size, used := frameSize(body)
		if used == 0 { // R4, R7
			return Packet{}, fmt.Errorf("%w: cut short in its frame lengths", ErrMalformed)
		}
		body = body[used:]
		if first < 0 {
			first = size
		}
		sum += size
		longest = max(longest, size)
	}
	last := len(body) - sum
	if last < 0 {
		return Packet{}, fmt.Errorf("%w: frames of %d bytes in %d", ErrMalformed, sum, len(body))
	}
	if last > MaxFrameBytes { // R2
		return Packet{}, fmt.Errorf("%w: a frame of %d bytes", ErrMalformed, last)
	}
	if first < 0 {
		first = last
	}
	p.first, p.longest = body[:first:first], max(longest, last)
	return p, nil
}

// frameSize reads one length of RFC 6716 section 3.2.1: one byte up to 251, two
// above (4*second + first, at most 1275). used is 0 when the body is too short.
func frameSize(body []byte) (size, used int) {
	if len(body) == 0 {
		return 0, 0
	}
	if body[0] < 252 {
		return int(body[0]), 1
	}
	if len(body) < 2 {
		return 0, 0
	}
	return 4*int(body[1]) + int(body[0]), 2
}
