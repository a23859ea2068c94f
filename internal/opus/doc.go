// Package opus is the codec (RFC 6716, RFC 8251): what wzp needs of github.com/thesyncim/gopus, which is Opus
// in Go.
//
//	pcm, mono float32, 48 kHz          packet, RFC 6716 section 3
//	        │                                   │
//	        v                                   v
//	     Encoder, hard CBR              Parse (checks every length)
//	        │                                   │ valid packets only
//	        v                                   v
//	   PacketSize() bytes                    Decoder
//	   or "dtx: send nothing"                   │    ├─ DecodeFEC: LBRR copy of the frame before
//	                                            │    └─ Conceal: PLC for what never came
//	                                            v
//	                                   pcm, mono float32, 48 kHz, within [-8, 8]
//
// What lives here: the encoder, the decoder, and a parser of packet headers. What may not: networking,
// timing, jitter, mixing, resampling, files. The package imports nothing of this module.
//
// The network is never trusted: a packet reaches the decoder only after its framing has been checked, a
// rejected packet leaves the decoder as it was, and no packet makes it panic or return anything but numbers
// within bounds.
//
// gopus is Go, and on amd64 and arm64 assembly where the same arithmetic is done on many numbers. All that
// reads a packet, its framing and the range decoder, is Go everywhere. What a decoder reaches on amd64 is
// CELT's FFT (radix 3, 4 and 5), and the inner product and the correlation that concealment looks for a pitch
// with; on arm64 also CELT's rotations, windows and de-emphasis, and SILK's synthesis filter and resamplers;
// elsewhere nothing. They walk over slices from end to end whose lengths Go has set, and take no index from a
// packet. The tag purego would leave them out, and is not used: it also takes the AES instructions away from
// Go's own cryptography, which leaves tables whose timing depends on the key. Sealing and opening a packet of
// internal/seal then takes 1.2 and 1.0 us instead of 0.27 and 0.19.
//
// An Encoder or Decoder is for one goroutine at a time; any number of them run side by side. Neither
// allocates anything for a frame, but where the bitrate, the frame length or the coding mode changes; gopus
// does for concealment and for encoding with in-band FEC, some 13 KB for each 20 ms. There are no frames of
// 120 ms: with in-band FEC gopus 0.1.1 makes some of them longer than the rate allows.
package opus

import "time"

const (
	// SampleRate of all PCM in this package, Hz.
	SampleRate = 48000

	// MaxPacketSamples is the longest packet (120 ms, RFC 6716 section 3.2.5) in samples: a buffer of this
	// many holds any packet decoded.
	MaxPacketSamples = 5760

	// MaxFrameBytes is the longest single frame (RFC 6716 section 3.2.1); Encode makes no longer packet.
	MaxFrameBytes = 1275

	// maxPacketBytes is the longest packet that is accepted: six frames of the longest kind, and padding.
	maxPacketBytes = 8 << 10

	// plcQuantum is the unit in which Opus conceals: 2.5 ms.
	plcQuantum = SampleRate / 400
)

// samplesOf converts a duration to samples at 48 kHz.
func samplesOf(d time.Duration) int { return int(d * SampleRate / time.Second) }

// durationOf converts samples at 48 kHz to a duration.
func durationOf(samples int) time.Duration {
	return time.Duration(samples) * time.Second / SampleRate
}
