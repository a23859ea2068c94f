package test

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/audio/speech"
)

// signals are those that ask a program to end; clientSignals has that of a terminal that closes and
// that of Ctrl-\, too.
var (
	signals       = []syscall.Signal{syscall.SIGTERM, syscall.SIGINT}
	clientSignals = append(signals, syscall.SIGHUP, syscall.SIGQUIT)
)

// TestStopWhileJoining: who gives up waiting for the relay is let go at once, and the recording of an earlier
// call is not touched.
func TestStopWhileJoining(t *testing.T) {
	t.Parallel()
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, s := range clientSignals {
		out := filepath.Join(t.TempDir(), "heard.wav")
		if err := os.WriteFile(out, []byte("an earlier call"), 0o600); err != nil {
			t.Fatal(err)
		}
		c := startJoin(t, silent.LocalAddr().String(), "room", "--in", "tone", "--out", out)
		silent.SetReadDeadline(time.Now().Add(soon))
		if _, _, err := silent.ReadFrom(make([]byte, 1500)); err != nil {
			t.Fatalf("the client does not try to join: %v", err)
		}
		begin := time.Now()
		c.signal(s)
		c.ends(0, soon)
		if lines := c.stderr.lines(); len(lines) > 0 {
			t.Errorf("after %v it says %q", s, lines)
		}
		t.Logf("%v ends joining after %v", s, time.Since(begin).Round(time.Millisecond))
		if b, err := os.ReadFile(out); err != nil || string(b) != "an earlier call" {
			t.Errorf("after %v the recording is %q, %v", s, b, err)
		}
		for len(buffered(silent)) > 0 { // what the next client sends must be its own
		}
	}
}

// buffered returns a datagram that is there already, if one is.
func buffered(conn net.PacketConn) []byte {
	buf := make([]byte, 1500)
	conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	n, _, _ := conn.ReadFrom(buf)
	return buf[:n]
}

// TestStopInACall: SIGTERM, SIGINT, SIGHUP and SIGQUIT leave the room, finish every file and end well.
func TestStopInACall(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	in, _ := sound(t, speech.Congrats, 0)
	for _, s := range clientSignals {
		file, dir := filepath.Join(t.TempDir(), "heard.wav"), folder(t)
		room := s.String()
		mix := join(t, r.addr, room, "--in", "none", "--out", file)
		each := join(t, r.addr, room, "--in", "none", "--out", dir)
		talking := join(t, r.addr, room, "--in", in, "--out", "none", "--name", "anna")
		mix.await("talker", soon)
		each.await("talker", soon)
		time.Sleep(time.Second) // so that there is something to write
		for _, c := range []*client{talking, mix, each} {
			member := c.await("joined", soon).Member
			c.signal(s)
			c.finish(soon)
			if lines := c.stderr.lines(); len(lines) > 0 {
				t.Errorf("after %v it says %q", s, lines)
			}
			if !r.logged(soon, `"msg":"left"`, member, `"why":"left"`) {
				t.Errorf("after %v the relay does not know that the client left", s)
			}
		}
		for _, path := range []string{file, recordingOf(t, dir, "anna")} {
			if wholeWAV(t, path) == 0 {
				t.Errorf("%s holds nothing", path)
			}
		}
	}
}

// TestNobodyReads: whoever reads what the client prints ends; the client leaves the room and says why.
func TestNobodyReads(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	out := filepath.Join(t.TempDir(), "heard.wav")
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := command(t, "", "join", "room", "--relay", r.addr, "--in", "tone", "--out", out, "--json")
	cmd.Stdout, cmd.Stderr = write, nil
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	write.Close()
	lines := bufio.NewScanner(read)
	for lines.Scan() && !strings.Contains(lines.Text(), `"event":"joined"`) {
	}
	var joined event
	if err := json.Unmarshal(lines.Bytes(), &joined); err != nil {
		t.Fatal(err)
	}
	read.Close()
	// there is something to print
	join(t, r.addr, "room", "--in", "tone", "--out", "none").await("joined", soon)
	words, err := io.ReadAll(said)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 1 ||
		string(words) != "wzp: nobody reads standard output any more\n" {
		t.Errorf("it ends with %v, and says %q", err, words)
	}
	if !r.logged(soon, `"msg":"left"`, joined.Member, `"why":"left"`) {
		t.Error("the relay does not know that the client left")
	}
	wholeWAV(t, out)
}

// wholeWAV fails the test unless the file's header tells its size, and returns how many samples it holds.
func wholeWAV(t *testing.T, path string) (samples int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) < 44 || string(b[:4]) != "RIFF" {
		t.Fatalf("%s is no WAV file", path)
	}
	if n := binary.LittleEndian.Uint32(b[4:]); int(n) != len(b)-8 {
		t.Errorf("the header of %s tells %d bytes of %d", path, n, len(b)-8)
	}
	return len(heard(t, path))
}

// TestRelayStops: SIGTERM to the relay tells everybody, who come back when it does.
func TestRelayStops(t *testing.T) {
	t.Parallel()
	for _, s := range signals {
		r := startRelay(t)
		a := join(t, r.addr, "room", "--in", "tone", "--out", "none")
		b := join(t, r.addr, "room", "--in", "none", "--out", "none")
		b.await("talker", soon)
		begin := time.Now()
		r.signal(s)
		r.ends(0, soon)
		t.Logf("%v ends the relay after %v", s, time.Since(begin).Round(time.Millisecond))
		for _, c := range []*client{a, b} {
			c.await("detached", soon)
			if _, ok := c.find(0, func(e event) bool {
				return e.Event == "warning" &&
					strings.Contains(e.Text, "shutting down")
			}); !ok {
				t.Errorf("the client was not told that the relay shuts down:\n%s", c.stdout.tail(5))
			}
			if !c.running() {
				t.Fatal("the client gave up")
			}
		}
		startRelayAt(t, r.addr, r.data)
		for _, c := range []*client{a, b} {
			c.await("attached", patience)
			c.leave()
		}
	}
}
