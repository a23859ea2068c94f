package opus

import "fmt"

// decoderComplexity switches on neural concealment (deep PLC) in libopus 1.5 and
// later where it was built in: losses sound better for some CPU time. Older
// versions refuse the request, which does no harm.
const decoderComplexity = 5

// Decoder turns packets into mono sound. Packets may change mode, bandwidth and
// length from one to the next; stereo is mixed down. One goroutine at a time.
type Decoder struct {
	lib   *library
	state codecState // ptr is nil when closed
}

// NewDecoder makes a decoder. It fails with *LibraryError when libopus is not
// installed.
func NewDecoder() (*Decoder, error) {
	lib, err := loaded()
	if err != nil {
		return nil, err
	}
	state, err := lib.newDecoderState()
	if err != nil {
		return nil, err
	}
	lib.setDecoder(state, setComplexity, decoderComplexity)
	return &Decoder{lib, state}, nil
}

// Decode decodes one packet into dst and returns how many samples it held. dst
// needs room for the packet's duration; MaxPacketSamples always suffices. A
// packet that is malformed (ErrMalformed) or does not fit leaves the decoder as
// it was. Sound may exceed full scale a little, as the codec is lossy.
func (d *Decoder) Decode(dst []float32, packet []byte) (samples int, err error) {
	if d.state.ptr == nil {
		return 0, ErrClosed
	}
	p, err := Parse(packet)
	if err != nil {
		return 0, err
	}
	want := p.Samples()
	if len(dst) < want {
		return 0, fmt.Errorf("opus: decode: room for %d samples: the packet has %d", len(dst), want)
	}
	n := d.lib.decode(d.state, dst[:want], packet, 0)
	if n < 0 {
		return 0, d.lib.check("decode", n)
	}
	return n, nil
}

// DecodeFEC fills dst with the sound that came just before next, a packet that
// did arrive: its low-bitrate copy where Packet.HasFEC tells that there is one,
// and concealment for the rest. dst covers the whole gap, a multiple of 2.5 ms.
// next itself is to be decoded afterwards.
func (d *Decoder) DecodeFEC(dst []float32, next []byte) error {
	if d.state.ptr == nil {
		return ErrClosed
	}
	if _, err := Parse(next); err != nil {
		return err
	}
	return d.fill("decode fec", dst, next, 1)
}

// Conceal fills dst with what may have been there (PLC): the sound goes on for a
// moment and fades to background noise. len(dst) is a multiple of 2.5 ms.
func (d *Decoder) Conceal(dst []float32) error {
	if d.state.ptr == nil {
		return ErrClosed
	}
	return d.fill("conceal", dst, nil, 0)
}

// fill decodes until dst is full; concealment may come in pieces.
func (d *Decoder) fill(op string, dst []float32, packet []byte, fec uintptr) error {
	if len(dst) == 0 || len(dst)%plcQuantum != 0 || len(dst) > MaxPacketSamples {
		return fmt.Errorf("opus: %s: %d samples: use a multiple of %d up to %d", op, len(dst), plcQuantum, MaxPacketSamples)
	}
	n := d.lib.decode(d.state, dst, packet, fec)
	if n < 0 {
		return d.lib.check(op, n)
	}
	clear(dst[n:]) // libopus fills all of it; never hand out old sound
	return nil
}

// Close gives the memory back. It may be called again.
func (d *Decoder) Close() error {
	d.state = codecState{}
	return nil
}
