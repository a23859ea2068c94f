package opus

import (
	"errors"
	"fmt"
	"time"

	"github.com/thesyncim/gopus"
)

// ErrMalformed is wrapped by every error about a packet that breaks RFC 6716 section 3.4. Such packets come
// from the network and are dropped and counted.
var ErrMalformed = errors.New("malformed opus packet")

// Packet is the parsed framing of one Opus packet.
//
//	 0 1 2 3 4 5 6 7
//	+-+-+-+-+-+-+-+-+   config: mode, bandwidth, frame length
//	| config  |s| c |   s: stereo
//	+-+-+-+-+-+-+-+-+   c: 0 one frame, 1 two equal, 2 two, 3 count byte follows
type Packet struct {
	Mode     gopus.Mode // SILK for speech, CELT for music, or both (hybrid)
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

// Empty tells that no frame carries sound (frames of at most one byte are concealed), which is how an encoder
// says that nothing need be sent (DTX).
func (p Packet) Empty() bool { return p.longest <= 1 }

// A SILK frame starts with one VAD bit for each 20 ms, then the LBRR flag, and the same for the second
// channel (RFC 6716 sections 4.2.3 and 4.2.4). All have probability 1/2, so that they lie as plain bits.
func (p Packet) vads() int { return max(1, p.FrameLen/(SampleRate/50)) }

// Voiced tells whether the encoder found speech in the packet's first frame: any of its VAD bits is set. CELT
// packets do not say, and count as voiced.
func (p Packet) Voiced() bool {
	return p.Mode == gopus.ModeCELT || len(p.first) == 0 || p.first[0]>>(8-p.vads()) != 0
}

// HasFEC tells whether the packet carries a low-bitrate copy of the frame before it (LBRR), so that
// Decoder.DecodeFEC can use it.
func (p Packet) HasFEC() bool {
	if p.Mode == gopus.ModeCELT || len(p.first) == 0 {
		return false
	}
	lbrr := p.first[0] >> (7 - p.vads())
	if p.Stereo {
		lbrr |= p.first[0] >> (6 - 2*p.vads())
	}
	return lbrr&1 != 0
}

// PacketDuration returns how much sound a packet holds, from its framing alone.
func PacketDuration(packet []byte) (time.Duration, error) {
	p, err := Parse(packet)
	return p.Duration(), err
}

// Parse checks the framing of a packet against the requirements R1 to R7 of RFC 6716 section 3.4. It
// allocates nothing when the packet is well formed and keeps no reference to it beyond the returned value.
func Parse(packet []byte) (Packet, error) {
	if len(packet) == 0 || len(packet) > maxPacketBytes { // R1
		return Packet{}, malformed("%d bytes", len(packet))
	}
	toc := gopus.ParseTOC(packet[0])
	p := Packet{Mode: toc.Mode, Stereo: toc.Stereo, FrameLen: toc.FrameSize, Frames: 2}
	body := packet[1:]
	switch toc.FrameCode {
	case 0:
		p.Frames = 1
	case 2:
		return p.sizedFrames(body)
	case 3:
		return p.countedFrames(body)
	}
	return p.equalFrames(body)
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrMalformed}, args...)...)
}

// countedFrames reads a code 3 packet (RFC 6716 section 3.2.5):
//
//	 0 1 2 3 4 5 6 7
//	+-+-+-+-+-+-+-+-+  v: frames have their own lengths   p: padding follows
//	|v|p|     M     |  M: frames
//	+-+-+-+-+-+-+-+-+
func (p Packet) countedFrames(body []byte) (Packet, error) {
	if len(body) == 0 {
		return Packet{}, malformed("no frame count")
	}
	count := body[0]
	body = body[1:]
	p.Frames = int(count & 0x3f)
	if p.Frames == 0 || p.Samples() > MaxPacketSamples { // R5
		return Packet{}, malformed("%d frames of %v", p.Frames, durationOf(p.FrameLen))
	}
	// The length of the padding: 255 means 254 bytes and another byte of length.
	for pad, more := 0, count&0x40 != 0; more; {
		if len(body) == 0 {
			return Packet{}, malformed("cut short in its padding length")
		}
		more = body[0] == 255
		pad += min(int(body[0]), 254)
		body = body[1:]
		if pad > len(body) { // R6, R7
			return Packet{}, malformed("%d bytes of padding in %d", pad, len(body))
		}
		if !more {
			body = body[:len(body)-pad]
		}
	}
	if count&0x80 != 0 {
		return p.sizedFrames(body)
	}
	return p.equalFrames(body)
}

// equalFrames divides the body evenly among the frames (codes 0, 1 and 3 CBR).
func (p Packet) equalFrames(body []byte) (Packet, error) {
	size := len(body) / p.Frames
	if size*p.Frames != len(body) { // R3, R6
		return Packet{}, malformed("%d bytes do not divide into %d frames", len(body), p.Frames)
	}
	return p.framed(body, size, size)
}

// sizedFrames reads the lengths of all frames but the last, whose length is what remains (codes 2 and 3 VBR).
func (p Packet) sizedFrames(body []byte) (Packet, error) {
	sum, first, longest := 0, -1, 0
	for range p.Frames - 1 {
		size, used := frameSize(body)
		if used == 0 { // R4, R7
			return Packet{}, malformed("cut short in its frame lengths")
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
		return Packet{}, malformed("frames of %d bytes in %d", sum, len(body))
	}
	if first < 0 {
		first = last
	}
	return p.framed(body, first, max(longest, last))
}

// framed completes p.
func (p Packet) framed(body []byte, first, longest int) (Packet, error) {
	if longest > MaxFrameBytes { // R2
		return Packet{}, malformed("a frame of %d bytes", longest)
	}
	p.first, p.longest = body[:first:first], longest
	return p, nil
}

// frameSize reads one length of RFC 6716 section 3.2.1: one byte up to 251, two above (4*second + first, at
// most 1275). used is 0 when the body is too short.
func frameSize(body []byte) (size, used int) {
	switch {
	case len(body) > 0 && body[0] < 252:
		return int(body[0]), 1
	case len(body) > 1:
		return 4*int(body[1]) + int(body[0]), 2
	}
	return 0, 0
}
