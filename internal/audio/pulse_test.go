package audio

import (
	"bytes"
	"context"
	"errors"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// startPulse runs a sound server of its own, with a sink that goes nowhere and
// whose monitor is the default source, and returns the server string.
func startPulse(t *testing.T) (server string, stop func()) {
	t.Helper()
	return startPulseIn(t, t.TempDir())
}

// startPulseIn is startPulse with its files in dir, where one may have run before.
func startPulseIn(t *testing.T, dir string) (server string, stop func()) {
	t.Helper()
	program, err := exec.LookPath("pulseaudio")
	if err != nil {
		t.Fatal("no pulseaudio: run `make test`, which installs it")
	}
	socket := filepath.Join(dir, "native")
	os.Remove(socket) // of one that was killed
	daemon := exec.Command(program, "-n", "--daemonize=no", "--system=false", "--use-pid-file=no",
		"--exit-idle-time=-1", "--disallow-exit", "--realtime=no", "--high-priority=no",
		"-L", "module-null-sink sink_name=speaker rate=48000 channels=1 "+
			"sink_properties=device.description=Desk",
		"-L", "module-native-protocol-unix auth-anonymous=1 socket="+socket)
	daemon.Env = []string{"HOME=" + dir, "XDG_RUNTIME_DIR=" + dir, "PULSE_RUNTIME_PATH=" + dir,
		"PULSE_STATE_PATH=" + dir, "PATH=" + os.Getenv("PATH")}
	var log bytes.Buffer
	daemon.Stdout, daemon.Stderr = &log, &log
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { daemon.Wait(); close(exited) }()
	stop = func() { daemon.Process.Kill(); <-exited }
	t.Cleanup(stop)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("unix", socket); err == nil { // the file is there before somebody listens
			conn.Close()
			return "unix:" + socket, stop
		}
		select {
		case <-exited:
			t.Fatalf("pulseaudio ended: %s", log.String())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal("pulseaudio makes no socket")
		}
	}
}

// toneShare is the part of pcm's energy that lies at a frequency, 0 to 1.
func toneShare(pcm []float32, hz float64) float64 {
	var re, im, all float64
	for i, x := range pcm {
		s, c := math.Sincos(2 * math.Pi * hz * float64(i) / SampleRate)
		re += float64(x) * c
		im += float64(x) * s
		all += float64(x) * float64(x)
	}
	if all == 0 {
		return 0
	}
	return 2 * (re*re + im*im) / (all * float64(len(pcm)))
}

// A tone played to the loudspeaker comes back from its monitor.
func TestSpeakerAndMicrophone(t *testing.T) {
	server, _ := startPulse(t)
	t.Setenv("PULSE_SERVER", server)
	mic, err := OpenMicrophone(Device{})
	if err != nil {
		t.Fatal(err)
	}
	defer mic.Close()
	speaker, err := OpenSpeaker(Device{Server: server, Name: "speaker"})
	if err != nil {
		t.Fatal(err)
	}
	defer speaker.Close()
	tone, err := NewTone(1000)
	if err != nil {
		t.Fatal(err)
	}
	defer tone.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()

	played, heard := make([]float32, frame20), make([]float32, frame20)
	best := 0.0
	for frame := 0; best < 0.95; frame++ {
		if _, err := tone.ReadFrame(ctx, played); err != nil {
			t.Fatalf("the tone did not come back: %.2f of what was heard at best, %v", best, err)
		}
		if err := speaker.WriteFrame(played); err != nil {
			t.Fatal(err)
		}
		if n, err := mic.ReadFrame(ctx, heard); n != frame20 || err != nil {
			t.Fatal(n, err)
		}
		if Level(heard) > -20 {
			best = max(best, toneShare(heard, 1000))
		}
	}
	if mic.Start().IsZero() || time.Since(mic.Start()) > 3*time.Minute {
		t.Errorf("sample 0 captured at %v", mic.Start())
	}
	if l := Level(heard); math.Abs(l-Level(played)) > 1 {
		t.Errorf("played at %.1f dBFS, heard at %.1f", Level(played), l)
	}
}

func TestDeviceLost(t *testing.T) {
	server, stop := startPulse(t)
	mic, err := OpenMicrophone(Device{Server: server})
	if err != nil {
		t.Fatal(err)
	}
	defer mic.Close()
	speaker, err := OpenSpeaker(Device{Server: server})
	if err != nil {
		t.Fatal(err)
	}
	defer speaker.Close()
	stop()
	frame := make([]float32, frame20)
	deadline := time.Now().Add(time.Minute)
	for err = nil; err == nil && time.Now().Before(deadline); {
		_, err = mic.ReadFrame(t.Context(), frame)
	}
	if !errors.Is(err, ErrDeviceLost) {
		t.Errorf("microphone: %v", err)
	}
	for err = nil; err == nil && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		err = speaker.WriteFrame(frame)
	}
	if !errors.Is(err, ErrDeviceLost) || strings.Contains(err.Error(), "\n") {
		t.Errorf("loudspeaker: %v", err)
	}
}

func TestClosedDevices(t *testing.T) {
	server, _ := startPulse(t)
	mic, err := OpenMicrophone(Device{Server: server})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	frame := make([]float32, micQueue)
	for err == nil { // until the queue is empty
		_, err = mic.ReadFrame(ctx, frame)
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := mic.ReadFrame(t.Context(), make([]float32, micQueue+1)); err == nil {
		t.Error("a frame that never fits was waited for")
	}
	time.AfterFunc(10*time.Millisecond, func() { mic.Close() })
	for err = nil; err == nil; {
		_, err = mic.ReadFrame(t.Context(), frame)
	}
	if !errors.Is(err, errSourceClosed) {
		t.Errorf("closed: %v", err)
	}
	if err := mic.Close(); err != nil {
		t.Error(err)
	}
	speaker, err := OpenSpeaker(Device{Server: server})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(speaker.WriteFrame(frame[:frame20]), speaker.Close(), speaker.Close()); err != nil {
		t.Error(err)
	}
	if err := speaker.WriteFrame(frame); !errors.Is(err, os.ErrClosed) {
		t.Errorf("write after Close: %v", err)
	}
}

func TestNoSuchDevice(t *testing.T) {
	server, _ := startPulse(t)
	d := Device{Server: server, Name: "nothing-of-this-name"}
	if _, err := OpenMicrophone(d); err == nil || !strings.Contains(err.Error(),
		`no microphone named "nothing-of-this-name"`) {
		t.Errorf("microphone: %v", err)
	}
	if _, err := OpenSpeaker(d); err == nil || !strings.Contains(err.Error(),
		`no loudspeaker named "nothing-of-this-name"`) {
		t.Errorf("loudspeaker: %v", err)
	}
}

func TestNoSoundServer(t *testing.T) {
	dir := t.TempDir()
	for _, server := range []string{"unix:" + filepath.Join(dir, "none"), "tcp:127.0.0.1:1", "nonsense://",
		"{elsewhere}unix:/x"} {
		_, err := OpenMicrophone(Device{Server: server})
		var missing *NoSoundServerError
		if !errors.As(err, &missing) {
			t.Fatalf("%s: %v", server, err)
		}
		if want := "no sound server found: start PulseAudio or PipeWire, or use --in FILE.wav / --out " +
			"FILE.wav"; err.Error() != want {
			t.Errorf("%s: %v", server, err)
		}
		if _, err := OpenSpeaker(Device{Server: server}); !errors.As(err, &missing) {
			t.Errorf("%s: loudspeaker: %v", server, err)
		}
	}
}

func TestPulseServerStrings(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	got := parsePulseServer("/run/a unix:/run/b tcp:h:1 tcp6:[::1] {" + host +
		"}tcp:h {other}/run/c {broken plain what:ever")
	want := []pulseAddress{
		{"unix", "/run/a"}, {"unix", "/run/b"}, {"tcp", "h:1"}, {"tcp6", "[::1]:4713"}, {"tcp", "h:4713"},
		{"tcp", "plain:4713"},
	}
	if len(got) != len(want) {
		t.Fatalf("got %v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%d: %v, want %v", i, got[i], want[i])
		}
	}
	t.Setenv("PULSE_SERVER", "")
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/77")
	if got := pulseAddresses(""); len(got) < 3 || got[0].address != "/run/user/77/pulse/native" {
		t.Errorf("defaults: %v", got)
	}
}
