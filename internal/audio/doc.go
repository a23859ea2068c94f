// Package audio is where sound enters and leaves wzp: files, tones, microphones and loudspeakers, and the
// arithmetic on samples between them.
//
//	   Source                                               Sink
//	PacedSource ──┐                                         ┌─> WAVWriter, OpusWriter
//	StreamSource ─┼─> pre-roll ─> encoder ... decoders ─> Mixer ─> StreamSink, Speaker
//	Microphone ───┘                                         └─> Discard
//
// PCM is everywhere mono float32, full scale [-1, 1], at SampleRate. A Source sets the pace of what it
// captures; a Sink follows the pace of its caller (one tick of the call engine a frame), and a Speaker makes
// up for the difference between that clock and its device's.
//
// What lives here: WAV and Ogg Opus files, resampling, mixing, levels, sound servers. What may not:
// networking, jitter buffers; no server package imports this one.
//
// Microphone and Speaker end with their device; LastingMicrophone and LastingSpeaker open it again when it is
// back.
//
// No method on the path of a frame allocates, but for Ogg Opus files, which take a page at a time. Queues to
// and from devices and pipes are bounded, drop the oldest sound and count it; a pipe that is read is not, its
// writer waits.
//
// Locks, in the order in which they are taken:
//
//	PacedSource.mu    (I/O) Close waits for a read of the file, which is a plain one
//	StreamSource.mu
//	StreamSink.mu
//	reopener.mu
//	Microphone.mu
//	Speaker.mu
package audio

import (
	"context"
	"time"
)

// SampleRate of all PCM inside wzp, Hz.
const SampleRate = 48000

// A Source captures sound in real time. One goroutine reads at a time; Close may come from another and
// unblocks it.
type Source interface {
	// ReadFrame blocks until len(dst) more samples are captured and fills dst. n < len(dst) only when the
	// source ended inside dst: the rest is silence. After the last sample it returns 0, io.EOF; when ctx
	// ends, ctx's error; when a device is lost, an error that says so.
	ReadFrame(ctx context.Context, dst []float32) (n int, err error)
	Start() time.Time // when sample 0 was captured; zero until the first ReadFrame has returned
	Close() error     // ends the capture and frees what it holds. It may be called again
}

// A Sink takes sound at the caller's pace: the caller writes a frame whenever one is due. It never waits for
// a device. One goroutine writes at a time.
type Sink interface {
	WriteFrame(pcm []float32) error // pcm is the caller's again afterwards
	Close() error                   // finishes what was written; it may be called again
}

// durationOf converts samples to a duration, without rounding until the last.
func durationOf(samples int64) time.Duration {
	seconds := samples / SampleRate
	rest := samples % SampleRate
	return time.Duration(seconds)*time.Second + time.Duration(rest)*time.Second/SampleRate
}

// Discard is the Sink that throws sound away (`--out none`).
type Discard struct{}

// WriteFrame forgets pcm.
func (Discard) WriteFrame([]float32) error { return nil }

// Close does nothing.
func (Discard) Close() error { return nil }
