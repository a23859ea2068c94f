package audio

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// changes is what was told of a device: nil when it was back.
type changes chan error

func (c changes) told(lost error) { c <- lost }

// expect waits for the next change.
func (c changes) expect(t *testing.T, lost bool) {
	t.Helper()
	select {
	case err := <-c:
		if errors.Is(err, ErrDeviceLost) != lost || lost != (err != nil) {
			t.Fatalf("told %v, want lost: %v", err, lost)
		}
	case <-time.After(time.Minute):
		t.Fatalf("nothing is told, want lost: %v", lost)
	}
}

// lasting are a microphone that hears a loudspeaker, and what is told of both.
type lasting struct {
	mic        *LastingMicrophone
	speaker    *LastingSpeaker
	ears, lips changes
}

func openLasting(t *testing.T, mic, speaker Device) *lasting {
	t.Helper()
	l := &lasting{ears: make(changes, 9), lips: make(changes, 9)}
	var err error
	if l.mic, err = OpenLastingMicrophone(mic, l.ears.told); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.mic.Close() })
	if l.speaker, err = OpenLastingSpeaker(speaker, l.lips.told); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.speaker.Close() })
	return l
}

// play plays a tone until it is heard, or, if lost, until both devices were told to be.
func (l *lasting) play(t *testing.T, lost bool) {
	t.Helper()
	tone, err := NewTone(1000)
	if err != nil {
		t.Fatal(err)
	}
	defer tone.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	played, heard := make([]float32, frame20), make([]float32, frame20)
	loudest := -200.0
	for {
		if lost && len(l.ears) > 0 && len(l.lips) > 0 {
			return
		}
		if _, err := tone.ReadFrame(ctx, played); err != nil {
			t.Fatalf("the tone is not heard, or the loss not told (%v): %v; the loudest was %.0f dB", lost,
				err, loudest)
		}
		if err := l.speaker.WriteFrame(played); err != nil {
			t.Fatal(err)
		}
		if n, err := l.mic.ReadFrame(ctx, heard); n != frame20 || err != nil {
			t.Fatal(n, err)
		}
		// On a busy machine the sound has gaps, so it is not looked at whether all of it comes: a sink that
		// nothing plays to is silent.
		if loudest = max(loudest, float64(Level(heard))); !lost && loudest > -40 {
			return
		}
	}
}

// A sound server that is restarted is told of, and taken again; sound goes on by itself.
func TestSoundServerRestarts(t *testing.T) {
	dir := t.TempDir()
	server, stop := startPulseIn(t, dir)
	l := openLasting(t, Device{Server: server}, Device{Server: server})
	for range 2 {
		l.play(t, false)
		stop()
		l.play(t, true)
		l.ears.expect(t, true)
		l.lips.expect(t, true)
		_, stop = startPulseIn(t, dir)
		l.ears.expect(t, false)
		l.lips.expect(t, false)
	}
	l.play(t, false)
	if l.mic.Start().IsZero() {
		t.Error("no start")
	}
}

// pactl changes a running sound server.
func pactl(t *testing.T, server string, args ...string) string {
	t.Helper()
	out, err := exec.Command("pactl", append([]string{"--server", server}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("pactl %v: %v %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// A headset that is unplugged is waited for; another device is not taken for one that was chosen.
func TestDeviceUnplugged(t *testing.T) {
	server, _ := startPulse(t)
	plug := func() string {
		return pactl(t, server, "load-module", "module-null-sink", "sink_name=headset", "rate=48000",
			"channels=1", "sink_properties=device.description=Blue_Headset")
	}
	module := plug()
	l := openLasting(t, Device{Server: server, Name: "headset.monitor"},
		Device{Server: server, Name: "headset"})
	l.play(t, false)
	pactl(t, server, "unload-module", module)
	l.play(t, true)
	l.ears.expect(t, true)
	l.lips.expect(t, true)
	plug()
	l.ears.expect(t, false)
	l.lips.expect(t, false)
	l.play(t, false)
}

// A loudspeaker that was held up, as by a machine that is busy or was asleep, is heard again: the server has
// played on meanwhile, and takes what comes for late until it got all that it asked for.
func TestSpeakerIsHeldUp(t *testing.T) {
	server, _ := startPulse(t)
	l := openLasting(t, Device{Server: server}, Device{Server: server})
	l.play(t, false)
	speaker, _ := l.speaker.current()
	for range 3 {
		speaker.mu.Lock()
		time.Sleep(time.Second)
		speaker.mu.Unlock()
		l.play(t, false)
	}
}

// What a server asks for, it gets, whatever has become late.
func TestSpeakerServesAllDemand(t *testing.T) {
	s := &Speaker{queue: newPlayout(), changed: make(chan struct{}, 1)}
	if err := s.WriteFrame(make([]float32, frame20)); err != nil {
		t.Fatal(err)
	}
	pcm, sum := make([]float32, deviceFragment), 0
	for _, samples := range []int{480, SampleRate, 7} {
		s.demand(samples)
		for {
			n, over := s.next(pcm)
			if sum += n; over || n == 0 {
				break
			}
		}
	}
	if want := 480 + SampleRate + 7; sum != want {
		t.Errorf("got %d of %d samples", sum, want)
	}
	if s.demand(speakerBehind + 1); !errors.Is(s.err, ErrDeviceLost) {
		t.Errorf("after more than %d samples: %v", speakerBehind, s.err)
	}
}

// A device that is lost for good holds nobody up.
func TestLostDeviceCloses(t *testing.T) {
	server, stop := startPulse(t)
	l := openLasting(t, Device{Server: server}, Device{Server: server})
	stop()
	l.play(t, true)
	frame := make([]float32, frame20)
	begin := time.Now()
	const frames = 25
	for range frames {
		if n, err := l.mic.ReadFrame(t.Context(), frame); n != frame20 || err != nil ||
			Level(frame) != Silence {
			t.Fatal(n, err)
		}
	}
	if took := time.Since(begin); took < (frames-1)*20*time.Millisecond {
		t.Errorf("%d frames of silence took %v", frames, took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.mic.ReadFrame(ctx, make([]float32, micQueue)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	for range 2 {
		if err := errors.Join(l.mic.Close(), l.speaker.Close()); err != nil {
			t.Error(err)
		}
	}
	if _, err := l.mic.ReadFrame(t.Context(), frame); !errors.Is(err, errSourceClosed) {
		t.Errorf("closed: %v", err)
	}
}

func TestDevices(t *testing.T) {
	server, _ := startPulse(t)
	pactl(t, server, "load-module", "module-null-sink", "sink_name=headset",
		"sink_properties=device.description=Blue_Headset")
	mics, speakers, err := Devices(server)
	if err != nil {
		t.Fatal(err)
	}
	want := []DeviceInfo{{"speaker", "Desk", true, false}, {"headset", "Blue_Headset", false, false}}
	if len(speakers) != 2 || speakers[0] != want[0] || speakers[1] != want[1] {
		t.Errorf("loudspeakers %+v, want %+v", speakers, want)
	}
	if len(mics) != 2 || !mics[0].Monitor || mics[1].Name != "headset.monitor" {
		t.Errorf("microphones %+v", mics)
	}
	for meant, want := range map[string]string{
		"speaker": "speaker", "headset": "headset", "BLUE_HEADSET": "headset", "blue": "headset",
		"desk": "speaker", "Head": "headset",
		"e": "", "ship": "", "": "",
	} {
		if got, err := FindDevice("loudspeaker", meant, speakers); got != want ||
			(err == nil) != (want != "") {
			t.Errorf("%q is %q, %v; want %q", meant, got, err, want)
		}
	}
	for meant, want := range map[string]string{"": mics[0].Name, "headset": "headset.monitor", "none": ""} {
		if got, err := FindMicrophone(server, meant); got.Name != want ||
			errors.Is(err, ErrNoDevice) != (want == "") {
			t.Errorf("the microphone %q is %+v, %v; want %q", meant, got, err, want)
		}
	}
	if _, _, err := Devices("unix:/nowhere"); !errors.As(err, new(*NoSoundServerError)) {
		t.Error(err)
	}
	if _, err := FindMicrophone("unix:/nowhere", ""); !errors.As(err, new(*NoSoundServerError)) {
		t.Error(err)
	}
}
