package test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/audio"
	"github.com/wzp-voice/wzp/internal/audio/speech"
)

// TestPipes: sound comes from a named pipe and from standard input, and goes to standard output, which has no
// words in it.
func TestPipes(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	file, _ := sound(t, speech.Congrats, 2*time.Second)
	wav, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(t.TempDir(), "pipe.wav")
	if out, err := exec.Command("mkfifo", pipe).CombinedOutput(); err != nil {
		t.Fatalf("mkfifo: %v %s", err, out)
	}

	cmd := command(t, "", "join", "room", "--relay", r.addr, "--in", "none", "--out", "/dev/stdout")
	var heard, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &heard, &words
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	cmd.Stderr = write
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	write.Close()
	for !strings.Contains(words.String(), "You are in") {
		b := make([]byte, 1000)
		n, err := read.Read(b)
		if words.Write(b[:n]); err != nil {
			t.Fatalf("%v after %q", err, words.String())
		}
	}

	anna := startJoin(t, r.addr, "room", "--in", pipe, "--out", "none", "--name", "anna")
	anna.await("joined", soon)
	if err := os.WriteFile(pipe, wav, 0); err != nil {
		t.Fatal(err)
	}
	if sent := anna.finish(soon); sent.PacketsSent < 50 {
		t.Errorf("%d packets were sent from a named pipe", sent.PacketsSent)
	}
	raw := command(t, "", "join", "room", "--relay", r.addr, "--json", "--in", "-", "--out", "none", "--name",
		"ben")
	raw.Stdin = bytes.NewReader(wav[44:])
	ben := &client{launch(t, raw)}
	if sent := ben.finish(soon); sent.PacketsSent < 50 {
		t.Errorf("%d packets were sent from standard input", sent.PacketsSent)
	}

	cmd.Process.Signal(os.Interrupt)
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v, after %q", err, words.String())
	}
	w, err := audio.NewWAVReader(&heard, "standard output")
	if err != nil {
		t.Fatal(err)
	}
	pcm := make([]float32, 60*audio.SampleRate)
	n, err := w.Read(pcm)
	if err != nil || slices.Max(pcm[:n]) < 0.03 {
		t.Errorf("%d samples on standard output, of %.3f at most, %v", n, slices.Max(pcm[:n]), err)
	}
}
