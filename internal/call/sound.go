package call

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
	return microphones, speakers, err
}

// SoundConfig says which device to take. The zero value is the default one.
type SoundConfig struct {
	// Name is the name or title of a device, or a part of either that no other has. No other device takes its place.
	Name string
	// Changed is called when the device is lost, with the reason (it is unplugged, or the sound server has ended), and with nil when
	// it is back, which it is by itself: meanwhile a microphone is silent, and a loudspeaker forgets. May be nil; it
	// is called on another goroutine, and must not close the device.
	Changed func(lost error)
}

// OpenMicrophone returns a microphone of PulseAudio or PipeWire.
func OpenMicrophone(config SoundConfig) (Source, error) {
	device, err := config.find("microphone")
	if err != nil {
		return nil, err
	}
	return source(audio.OpenLastingMicrophone(device, config.Changed))
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

// CreateWAV returns a sink that writes a WAV file: 16 bit, mono, 48 kHz. The file is whole at any time.
func CreateWAV(path string) (Sink, error) { return sink(audio.CreateWAV(path)) }

// CreateStream returns a sink that writes a WAV file to a pipe, as sound comes, "-" being standard output. What nobody reads
// for 2 s is dropped.
func CreateStream(path string) (Sink, error) { return sink(audio.CreateStream(path)) }

// OpenSpeaker returns a loudspeaker of PulseAudio or PipeWire.
func OpenSpeaker(config SoundConfig) (Sink, error) {
	device, err := config.find("loudspeaker")
	if err != nil {
		return nil, err
	}
	return sink(audio.OpenLastingSpeaker(device, config.Changed))
}

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
