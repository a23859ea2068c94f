package jitter

import "time"

const (
	// SampleRate is the rate of all PCM in this package, in Hz.
	SampleRate = 48000
	// MaxPayload is the longest codec packet that is taken, in bytes: the
	// longest Opus frame (RFC 6716, section 3.4).
	MaxPayload = 1275
	// TimestampUnit is the unit of Packet.Timestamp.
	TimestampUnit = 2500 * time.Microsecond
)

const (
	ms     = SampleRate / 1000 // samples in a millisecond
	second = SampleRate        // samples in a second
	unit   = 5 * ms / 2        // samples in one step of Packet.Timestamp
	// samples made by one call of Decoder.Conceal: SILK conceals whole 10 ms
	concealStep = 10 * ms
	maxFrame    = 60 * ms                // samples in the longest frame
	maxTime     = int64(1) << 53         // times are clamped to this many samples, so sums stay exact
	clip        = float32(4)             // decoders that emit more than this are broken
	noGap       = int64(concealStep)     // a smaller jump of media time is a correction, not silence
	overlap     = int64(concealStep) / 2 // a frame that starts further in the past than this is late
)

// Packet is one packet of the stream, after decryption.
type Packet struct {
	// Counter counts the talker's packets, markers included, without gaps:
	// a number that never comes was lost.
	Counter uint64
	// Timestamp is the media time of the frame's first sample in units of 2.5 ms; it wraps every 164 s.
	Timestamp uint16
	// Duration is the frame's length: 10, 20, 40 or 60 ms. Ignored in a marker.
	Duration time.Duration
	// Payload is the codec's packet, 1 to MaxPayload bytes; it is copied. Ignored in a marker.
	Payload []byte
	// Silence marks a packet without a frame: the talker is silent from
	// Timestamp on (DTX, or push-to-talk released). Markers may be repeated.
	Silence bool
}

// valid reports whether the packet can be played at all.
func (p *Packet) valid() bool {
	if p.Silence {
		return true
	}
	switch p.Duration {
	case 10 * time.Millisecond, 20 * time.Millisecond, 40 * time.Millisecond, 60 * time.Millisecond:
		return len(p.Payload) > 0 && len(p.Payload) <= MaxPayload
	}
	return false
}

// toSamples turns a duration into samples, without overflow for any input.
func toSamples(d time.Duration) int64 {
	n := int64(d/time.Second)*second + int64(d%time.Second)*second/int64(time.Second)
	return max(-maxTime, min(n, maxTime))
}

// toDuration is the inverse of toSamples; far values saturate.
func toDuration(n int64) time.Duration {
	const limit = int64(1<<63-1) / int64(time.Second) * second
	n = max(-limit, min(n, limit))
	return time.Duration(n/second)*time.Second + time.Duration(n%second)*time.Second/second
}
