package wzp

import (
	"context"
	"time"

	"github.com/wzp-voice/wzp/internal/audio"
)

// SampleRate of all sound, Hz. It is mono, float32, full scale -1 to 1.
const SampleRate = 48000

// Source captures sound in real time. One goroutine reads; Close may come from another and unblocks it.
type Source interface {
	// ReadFrame blocks until dst is full, but n < len(dst) when the source ended inside dst: the rest is
	// silence. After the last sample it returns 0, io.EOF; when ctx ends, ctx's error.
	ReadFrame(ctx context.Context, dst []float32) (n int, err error)

	// Start is when sample 0 was captured; zero until the first ReadFrame has returned.
	Start() time.Time

	// Close ends the capture and frees what it holds. It may be called again.
	Close() error
}

// Sink takes sound at the pace of whoever writes, one goroutine at a time.
type Sink interface {
	// WriteFrame takes len(pcm) samples; pcm is the caller's again afterwards. It does not block.
	WriteFrame(pcm []float32) error

	// Close finishes what was written: files are complete afterwards. It may be called again.
	Close() error
}

// OpenFile returns a source that plays a WAV or Ogg Opus file once, in real time.
func OpenFile(path string) (Source, error) { return orNil[Source](audio.OpenFile(path)) }

// OpenStream returns a source that plays once, in real time, what comes through a pipe, "-" being standard
// input: a WAV or Ogg Opus file, or raw samples of 16 bit, little-endian, mono, 48 kHz. Where a writer pauses
// it is silent. It reads nothing before it is asked for sound.
func OpenStream(path string) (Source, error) { return orNil[Source](audio.OpenStream(path)) }

// NewTone returns a source that plays a sine of hz without end.
func NewTone(hz float64) (Source, error) { return orNil[Source](audio.NewTone(hz)) }

// CreateWAV returns a sink that writes a WAV file: 16 bit, mono, 48 kHz. The file is whole at any time.
func CreateWAV(path string) (Sink, error) { return orNil[Sink](audio.CreateWAV(path)) }

// CreateOpus returns a sink that writes an Ogg Opus file: 32 kbit/s, and next to nothing while it is silent.
// The file is whole at any time.
func CreateOpus(path string) (Sink, error) { return orNil[Sink](audio.CreateOpus(path)) }

// CreateStream returns a sink that writes WAV to a pipe, "-" being standard output; what is not read, it
// drops.
func CreateStream(path string) (Sink, error) { return orNil[Sink](audio.CreateStream(path)) }

// SoundDevice is a microphone or loudspeaker.
type SoundDevice struct {
	Name    string // for SoundConfig
	Title   string // for people; may be empty
	Default bool   // what is taken without a name
	Monitor bool   // a microphone that hears what a loudspeaker plays
}

// SoundDevices lists what PulseAudio or PipeWire has, the default first.
func SoundDevices() (microphones, speakers []SoundDevice, err error) {
	mics, sinks, err := audio.Devices("")
	for _, d := range mics {
		microphones = append(microphones, SoundDevice(d))
	}
	for _, d := range sinks {
		speakers = append(speakers, SoundDevice(d))
	}
	return microphones, speakers, public(err)
}

// SoundConfig says which device to take. The zero value is the default one.
type SoundConfig struct {
	// Name is the name or title of a device, or a part of either that no other has.
	Name string
	// Changed is called when the device is lost, with the reason (it is unplugged, or the sound server has
	// ended), and with nil when it is back, which it is by itself: meanwhile a microphone is silent, and a
	// loudspeaker forgets. May be nil; it is called on another goroutine, and must not close the device.
	Changed func(lost error)
}

// FindMicrophone returns the microphone with a name (see [SoundConfig]), or the default one for "", without
// opening it.
func FindMicrophone(name string) (SoundDevice, error) {
	info, err := audio.FindMicrophone("", name)
	return SoundDevice(info), public(err)
}

// OpenMicrophone returns a microphone of PulseAudio or PipeWire.
func OpenMicrophone(config SoundConfig) (Source, error) {
	device, err := config.find("microphone")
	if err != nil {
		return nil, public(err)
	}
	return orNil[Source](audio.OpenLastingMicrophone(device, config.Changed))
}

// OpenSpeaker returns a loudspeaker of PulseAudio or PipeWire.
func OpenSpeaker(config SoundConfig) (Sink, error) {
	device, err := config.find("loudspeaker")
	if err != nil {
		return nil, public(err)
	}
	return orNil[Sink](audio.OpenLastingSpeaker(device, config.Changed))
}

func (c SoundConfig) find(kind string) (device audio.Device, err error) {
	if c.Name == "" {
		return device, nil
	}
	mics, speakers, err := audio.Devices("")
	if err != nil {
		return device, err
	}
	if kind == "microphone" {
		speakers = mics
	}
	device.Name, err = audio.FindDevice(kind, c.Name, speakers)
	return device, err
}

// orNil is v as an interface I: nil after an error, and not an interface that holds nil.
func orNil[I any](v any, err error) (none I, _ error) {
	if err != nil {
		return none, public(err)
	}
	return v.(I), nil
}
