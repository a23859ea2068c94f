package opus

import (
	"fmt"

	"github.com/thesyncim/gopus"
)

// maxSample bounds decoded sound: 18 dB above full scale. Speech stays far below; a packet that was made to
// can decode to anything.
const maxSample = 8

// Decoder turns packets into mono sound. Packets may change mode, bandwidth and length from one to the next;
// stereo is mixed down. One goroutine at a time.
type Decoder struct{ codec *gopus.Decoder }

// NewDecoder makes a decoder, of some 220 KiB.
func NewDecoder() *Decoder {
	codec, err := gopus.NewDecoder(gopus.DecoderConfig{
		SampleRate: SampleRate,
		Channels:   1,
		// One more than there can be: asked to conceal as much as this, gopus conceals one packet instead.
		MaxPacketSamples: MaxPacketSamples + 1,
		MaxPacketBytes:   maxPacketBytes,
	})
	if err != nil {
		panic(err) // of another configuration
	}
	return &Decoder{codec}
}

// Decode decodes one packet into dst and returns how many samples it held. dst needs room for the packet's
// duration; MaxPacketSamples always suffices. A packet that is malformed (ErrMalformed) or does not fit
// leaves the decoder as it was. Samples lie within -8 and 8: beyond full scale, for the codec is lossy.
func (d *Decoder) Decode(dst []float32, packet []byte) (samples int, err error) {
	p, err := Parse(packet)
	if err != nil {
		return 0, err
	}
	want := p.Samples()
	if len(dst) < want {
		return 0, fmt.Errorf("opus: decode: room for %d samples: the packet has %d", len(dst), want)
	}
	n, err := d.codec.Decode(packet, dst[:want])
	return n, finish(dst[:want], n, err)
}

// DecodeFEC fills dst with the sound that came just before next, a packet that did arrive: its low-bitrate
// copy where Packet.HasFEC tells that there is one, and concealment for the rest. dst covers the whole gap, a
// multiple of 2.5 ms. next itself is to be decoded afterwards.
func (d *Decoder) DecodeFEC(dst []float32, next []byte) error {
	p, err := Parse(next)
	if err != nil {
		return err
	}
	if !p.HasFEC() {
		next = nil // gopus would conceal, too, but refuses packets with an empty frame
	}
	return d.fill(dst, next)
}

// Conceal fills dst with what may have been there (PLC): the sound goes on for a moment and fades to
// background noise. len(dst) is a multiple of 2.5 ms.
func (d *Decoder) Conceal(dst []float32) error { return d.fill(dst, nil) }

func (d *Decoder) fill(dst []float32, next []byte) error {
	const unit = SampleRate / 400
	if len(dst) == 0 || len(dst)%unit != 0 || len(dst) > MaxPacketSamples {
		return fmt.Errorf("opus: a gap of %d samples: use a multiple of %d up to %d",
			len(dst), unit, MaxPacketSamples)
	}
	n, err := d.codec.DecodeWithFEC(next, dst, next != nil)
	return finish(dst, n, err)
}

// finish bounds the n samples that were decoded, and never lets old sound out.
func finish(dst []float32, n int, err error) error {
	clear(dst[n:])
	for i, x := range dst[:n] {
		if x != x {
			x = 0
		}
		dst[i] = max(-maxSample, min(x, maxSample))
	}
	switch {
	case err != nil:
		return fmt.Errorf("opus: decode: %w", err)
	case n != len(dst):
		return fmt.Errorf("opus: decode: %d samples instead of %d", n, len(dst))
	}
	return nil
}
