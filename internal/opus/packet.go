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

// Parse checks the framing of a packet against the requirements R1 to R7 of RFC 6716 section 3.4. It
// allocates nothing when the packet is well formed and keeps no reference to it beyond the returned value.
func Parse(packet []byte) (Packet, error) {
	if len(packet) == 0 || len(packet) > maxPacketBytes { // R1
		return Packet{}, malformed("%d bytes", len(packet))
	}
	toc := gopus.ParseTOC(packet[0])
	p := Packet{Mode: toc.Mode, Stereo: toc.Stereo, FrameLen: toc.FrameSize, Frames: 2}
	body, sized := packet[1:], toc.FrameCode == 2
	switch toc.FrameCode {
	case 0:
		p.Frames = 1
	case 3:
		var err error
		if body, sized, err = p.readCount(body); err != nil {
			return Packet{}, err
		}
	}
	first, last, longest := 0, len(body)/p.Frames, 0
	if sized { // the lengths of all frames but the last; its own is what remains
		sum := 0
		for i := range p.Frames - 1 {
			n, used := frameSize(body)
			if used == 0 { // R4, R7
				return Packet{}, malformed("cut short in its frame lengths")
			}
			body, sum, longest = body[used:], sum+n, max(longest, n)
			if i == 0 {
				first = n
			}
		}
		last = len(body) - sum
	} else if last*p.Frames != len(body) { // R3, R6
		return Packet{}, malformed("%d bytes do not divide into %d frames", len(body), p.Frames)
	}
	if p.Frames == 1 || !sized {
		first = last
	}
	if p.longest = max(longest, last); last < 0 || p.longest > MaxFrameBytes { // R2
		return Packet{}, malformed("frames of %d to %d bytes", last, p.longest)
	}
	p.first = body[:first:first]
	return p, nil
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrMalformed}, args...)...)
}

// readCount reads the beginning of a code 3 packet, and takes its padding away (RFC 6716 section 3.2.5):
//
//	 0 1 2 3 4 5 6 7
//	+-+-+-+-+-+-+-+-+  v: frames have their own lengths   p: padding follows
//	|v|p|     M     |  M: frames
//	+-+-+-+-+-+-+-+-+
func (p *Packet) readCount(body []byte) (rest []byte, sized bool, err error) {
	if len(body) == 0 {
		return nil, false, malformed("no frame count")
	}
	count := body[0]
	body = body[1:]
	p.Frames = int(count & 0x3f)
	if p.Frames == 0 || p.Samples() > MaxPacketSamples { // R5
		return nil, false, malformed("%d frames of %v", p.Frames, durationOf(p.FrameLen))
	}
	pad := 0 // 255 means 254 bytes and another byte of length
	for more := count&0x40 != 0; more; body = body[1:] {
		if len(body) == 0 {
			return nil, false, malformed("cut short in its padding length")
		}
		more = body[0] == 255
		pad += min(int(body[0]), 254)
	}
	if pad > len(body) { // R6, R7
		return nil, false, malformed("%d bytes of padding in %d", pad, len(body))
	}
	return body[:len(body)-pad], count&0x80 != 0, nil
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
