// Package opus speaks to libopus, the reference implementation of the Opus
// codec (RFC 6716, RFC 8251), without cgo: the shared library is opened at run
// time, so that one binary runs with whatever version the machine has.
//
//	pcm, mono float32, 48 kHz          packet, RFC 6716 section 3
//	        │                                   │
//	        v                                   v
//	     Encoder ── opus_encode_float      Parse (pure Go, checks every length)
//	        │        hard CBR                   │ valid packets only
//	        v                                   v
//	   PacketSize() bytes                    Decoder ── opus_decode_float
//	   or "dtx: send nothing"                   │    ├─ DecodeFEC: LBRR copy of the frame before
//	                                            │    └─ Conceal: PLC for what never came
//	                                            v
//	                                   pcm, mono float32, 48 kHz
//
// What lives here: the encoder, the decoder, finding the library, and a parser
// of packet headers that needs no library. What may not: networking, timing,
// jitter, mixing, resampling. The package imports nothing of this module.
//
// The network is never trusted: a packet reaches libopus only after its framing
// has been checked in Go, and a rejected packet leaves the decoder as it was.
//
// Codec state lives in Go memory (libopus sizes and initialises it in place:
// opus_encoder_get_size, opus_encoder_init), so nothing can leak and no finalizer
// is needed; Close only gives it back early. An Encoder or Decoder is for one
// goroutine at a time; any number of them run side by side.
//
// The build tag noopus leaves the library loader out, which makes a fully static
// binary for relays (they need no codec); NewEncoder and NewDecoder then fail.
package opus

import "time"

const (
	// SampleRate of all PCM in this package, Hz.
	SampleRate = 48000

	// MaxPacketSamples is the longest packet (120 ms, RFC 6716 section 3.2.5) in
	// samples: a buffer of this many holds any packet decoded.
	MaxPacketSamples = 5760

	// MaxFrameBytes is the longest single frame (RFC 6716 section 3.2.1).
	MaxFrameBytes = 1275

	// plcQuantum is the unit in which libopus conceals: 2.5 ms.
	plcQuantum = SampleRate / 400
)

// samplesOf converts a duration to samples at 48 kHz.
func samplesOf(d time.Duration) int { return int(d * SampleRate / time.Second) }

// durationOf converts samples at 48 kHz to a duration.
func durationOf(samples int) time.Duration {
	return time.Duration(samples) * time.Second / SampleRate
}
