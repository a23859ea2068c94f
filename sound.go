package wzp

import "github.com/wzp-voice/wzp/internal/audio"

// SampleRate of all sound, Hz. It is mono, float32, full scale -1 to 1.
const SampleRate = audio.SampleRate

// Source captures sound in real time:
//
//	ReadFrame(ctx, dst []float32) (n int, err error)  // blocks until dst is full; io.EOF at the end
//	Start() time.Time                                 // when sample 0 was captured
//	Close() error
type Source = audio.Source

// Sink takes sound at the pace of whoever writes:
//
//	WriteFrame(pcm []float32) error // does not block
//	Close() error
type Sink = audio.Sink

// Discard is the Sink that throws sound away.
type Discard = audio.Discard

// OpenWAV returns a source that plays a WAV file once, in real time.
func OpenWAV(path string) (Source, error) { return source(audio.OpenFile(path)) }

// OpenStream returns a source that plays once, in real time, what comes through a pipe, "-" being standard input: a WAV
// file, or raw samples of 16 bit, little-endian, mono, 48 kHz. Where a writer pauses it is silent. It reads nothing before
// it is asked for sound.
func OpenStream(path string) (Source, error) { return source(audio.OpenStream(path)) }

// NewTone returns a source that plays a sine of hz without end.
func NewTone(hz float64) (Source, error) { return source(audio.NewTone(hz)) }

// OpenMicrophone returns the default microphone of PulseAudio or PipeWire.
func OpenMicrophone() (Source, error) { return source(audio.OpenMicrophone(audio.Device{})) }

// CreateWAV returns a sink that writes a WAV file: 16 bit, mono, 48 kHz. The file is whole at any time.
func CreateWAV(path string) (Sink, error) { return sink(audio.CreateWAV(path)) }

// CreateStream returns a sink that writes a WAV file to a pipe, as sound comes, "-" being standard output. What nobody reads
// for 2 s is dropped.
func CreateStream(path string) (Sink, error) { return sink(audio.CreateStream(path)) }

// OpenSpeaker returns the default loudspeaker of PulseAudio or PipeWire.
func OpenSpeaker() (Sink, error) { return sink(audio.OpenSpeaker(audio.Device{})) }

// source is s as a Source: nil after an error, and not an interface that holds nil.
func source[S Source](s S, err error) (Source, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// sink is s as a Sink, likewise.
func sink[S Sink](s S, err error) (Sink, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}
