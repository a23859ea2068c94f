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
// What may not live here: networking, timing, jitter, mixing, resampling, files. The package imports nothing
// of this module. An Encoder or Decoder is for one goroutine at a time; any number of them run side by side.
//
// The network is never trusted: a packet reaches the decoder only after its framing has been checked, a
// rejected packet leaves the decoder as it was, and no packet makes it panic or return anything but bounded
// numbers.
//
// gopus reads packets in Go: framing, range decoder, parameters. On amd64 and arm64 some arithmetic is
// assembly. A decoder reaches on amd64 the FFT of CELT, and the products with which concealment looks for a
// pitch; on arm64 also CELT's rotations, windows and de-emphasis, and SILK's synthesis filter and resamplers;
// elsewhere nothing. That walks over slices whose lengths Go has set, and takes no index from a packet. The
// tag purego would leave it out, and is not used: it takes the AES instructions away from Go's own
// cryptography, too. What is left are tables whose timing depends on the key, and sealing a packet takes 1.2
// us instead of 0.27.
//
// Nothing is allocated for a frame, but where the bitrate, the frame length or the coding mode changes; gopus
// allocates some 13 KB for each 20 ms of concealment, or of encoding with in-band FEC. There are no frames of
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
)

// samplesOf converts a duration to samples at 48 kHz.
func samplesOf(d time.Duration) int { return int(d * SampleRate / time.Second) }

// durationOf converts samples at 48 kHz to a duration.
func durationOf(samples int) time.Duration {
	return time.Duration(samples) * time.Second / SampleRate
}
