package test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// startSoundServer runs a sound server in dir, whose one loudspeaker goes nowhere; what that plays is the
// microphone. It may be given more modules.
func startSoundServer(t *testing.T, dir string, more ...string) (server string, stop func()) {
	t.Helper()
	socket := filepath.Join(dir, "native")
	os.Remove(socket) // of one that was killed
	daemon := exec.Command("pulseaudio", append([]string{"-n", "--daemonize=no", "--system=false", "--use-pid-file=no",
		"--exit-idle-time=-1",
		"--disallow-exit", "--realtime=no", "--high-priority=no",
		"-L", "module-null-sink sink_name=desk rate=48000 channels=1 sink_properties=device.description=Desk",
		"-L", "module-native-protocol-unix auth-anonymous=1 socket=" + socket}, more...)...)
	daemon.Env = []string{"HOME=" + dir, "XDG_RUNTIME_DIR=" + dir, "PULSE_RUNTIME_PATH=" + dir,
		"PULSE_STATE_PATH=" + dir, "PATH=" + os.Getenv("PATH")}
	if err := daemon.Start(); err != nil {
		t.Fatalf("pulseaudio: %v: run `make test`, which installs it", err)
	}
	exited := make(chan struct{})
	go func() { daemon.Wait(); close(exited) }()
	stop = func() { daemon.Process.Kill(); <-exited }
	t.Cleanup(stop)
	for deadline := time.Now().Add(soon); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("unix", socket); err == nil {
			conn.Close()
			return "unix:" + socket, stop
		}
	}
	t.Fatal("nobody listens for sound")
	return "", stop
}

// devices waits until n times a device was said to be lost, or to be back.
func (c *client) devices(n int, lost bool) {
	c.t.Helper()
	seen := 0
	if _, ok := c.find(soon, func(e event) bool {
		if e.Event == "device" && e.Lost != nil && *e.Lost == lost {
			seen++
		}
		return seen == n
	}); !ok {
		c.t.Fatalf("%d of %d devices are said to be lost: %v", seen, n, lost)
	}
}

// TestSoundServerRestarts: whoever loses microphone and loudspeaker stays in the room, and gets them back.
func TestSoundServerRestarts(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	dir := t.TempDir()
	server, stop := startSoundServer(t, dir)
	with := func(args ...string) *client {
		cmd := command(t, "", args...)
		cmd.Env = append(cmd.Env, "PULSE_SERVER="+server)
		return &client{launch(t, cmd)}
	}
	list := with("join", "--devices", "--json")
	list.ends(0, soon)
	text := strings.Join(list.stdout.lines(), "\n")
	if !strings.Contains(text, `"device":"loudspeaker","name":"desk","title":"Desk","default":true}`) ||
		!strings.Contains(text, `"device":"microphone","name":"desk.monitor"`) {
		t.Errorf("--devices lists %s", text)
	}
	c := with("join", "room", "--relay", r.addr, "--json", "--mic", "desk", "--speaker", "DESK")
	c.await("joined", soon)
	stop()
	c.devices(2, true)
	_, stop = startSoundServer(t, dir)
	c.devices(2, false)
	stop()
	c.devices(4, true)
	other := join(t, r.addr, "room", "--in", "none", "--out", "none")
	other.await("member_joined", soon)
	other.leave()
	c.leave()
}
