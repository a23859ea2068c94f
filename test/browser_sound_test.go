package test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/wzp-voice/wzp/internal/audio"
)

// soundCard is that of a browser, of which nothing is faked:
//
//	beeps ──> sink "mouth" ── its monitor, as source "voice" ──> page ──> relay ──> page or wzp join
//	                                                              '──> sink "desk" ── its monitor ──> played
type soundCard struct {
	dir string // of the sound server, and the browser's home

	mu    sync.Mutex // guards heard
	heard []float32
}

// voice is what a sound server needs besides a loudspeaker: a microphone that hears what "mouth" plays.
var voice = []string{
	"-L", "module-null-sink sink_name=mouth rate=48000 channels=1",
	"-L", "module-remap-source master=mouth.monitor source_name=voice source_properties=device.description=Voice",
}

// environment is that of the browser.
func (s *soundCard) environment() []string {
	return []string{"HOME=" + s.dir, "XDG_RUNTIME_DIR=" + s.dir, "TMPDIR=" + s.dir, "PATH=" + os.Getenv("PATH"),
		"PULSE_SERVER=unix:" + filepath.Join(s.dir, "native")}
}

func (s *soundCard) played() ([]float32, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	heard := s.heard
	s.heard = nil
	return heard, nil
}

// plugIn starts the sound server, beeps into the microphone, as Chromium's fake one does, and records the
// loudspeaker.
func (s *soundCard) plugIn(t *testing.T) {
	t.Helper()
	server, _ := startSoundServer(t, s.dir, voice...)
	mouth, err := audio.OpenSpeaker(audio.Device{Server: server, Name: "mouth"})
	if err != nil {
		t.Fatal(err)
	}
	desk, err := audio.OpenMicrophone(audio.Device{Server: server, Name: "desk.monitor"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	// What is recorded is the clock of what is said, too.
	running.Go(func() {
		frame := make([]float32, audio.SampleRate/50)
		for at := 0; ; at += len(frame) {
			n, err := desk.ReadFrame(ctx, frame)
			if err != nil {
				return
			}
			s.mu.Lock()
			s.heard = append(s.heard, frame[:n]...)
			s.mu.Unlock()
			if mouth.WriteFrame(beep(at, n)) != nil {
				return
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
		mouth.Close()
		desk.Close()
	})
}

// beep returns n samples from one on: 200 ms of a tone in each second.
func beep(at, n int) []float32 {
	pcm := make([]float32, n)
	for i := range pcm {
		if second := (at + i) % audio.SampleRate; second < audio.SampleRate/5 {
			pcm[i] = 0.3 * float32(math.Sin(2*math.Pi*440*float64(at+i)/audio.SampleRate))
		}
	}
	return pcm
}
