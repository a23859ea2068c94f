package audio

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// piped is a source of what is written to a pipe.
func piped() (*StreamSource, *io.PipeWriter) {
	r, w := io.Pipe()
	return newStream("pipe", func() (io.ReadCloser, error) { return r, nil }), w
}

// drain reads a source to its end, and returns all of it.
func drain(t *testing.T, s Source) (pcm []float32) {
	t.Helper()
	frame := make([]float32, frame20)
	for {
		n, err := s.ReadFrame(t.Context(), frame)
		if errors.Is(err, io.EOF) {
			return pcm
		}
		if err != nil {
			t.Fatal(err)
		}
		pcm = append(pcm, frame[:n]...)
	}
}

// A pipe carries a WAV file or raw samples, in real time, however fast they are written.
func TestStreamSource(t *testing.T) {
	want := sine(3*SampleRate/2, 440, 0.5)
	stored := make([]float64, len(want))
	for i, x := range want {
		stored[i] = float64(x)
	}
	raw := store(mono16, stored)
	for name, file := range map[string][]byte{
		"WAV": riff(fmtChunk(formatPCM, mono16), chunk("data", raw), chunk("LIST", make([]byte, 100))),
		"raw": append(bytes.Clone(raw), 7),
	} {
		synctest.Test(t, func(t *testing.T) {
			s, w := piped()
			go func() {
				w.Write(file)
				w.Close()
			}()
			start := time.Now()
			got := drain(t, s)
			if took := time.Since(start); took != 1500*time.Millisecond {
				t.Errorf("%s: took %v", name, took)
			}
			if len(got) != len(want) || Level(difference(got, want)) > -80 {
				t.Errorf("%s: %d samples, wrong by %.1f dBFS", name, len(got), Level(difference(got, want)))
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func difference(a, b []float32) []float32 {
	d := make([]float32, min(len(a), len(b)))
	for i := range d {
		d[i] = a[i] - b[i]
	}
	return d
}

// A writer that pauses is silent meanwhile, and then heard at once.
func TestStreamSourcePauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, w := piped()
		loud := store(mono16, slices.Repeat([]float64{0.5}, frame20))
		go func() {
			time.Sleep(3 * time.Second) // before anything is said, nothing is
			w.Write(loud)
			time.Sleep(10*time.Second - 20*time.Millisecond)
			w.Write(loud)
			w.Close()
		}()
		began := time.Now()
		got := drain(t, s)
		if took := time.Since(began); took > 13*time.Second+streamGrace {
			t.Errorf("took %v", took)
		}
		if at := s.Start().Sub(began); at != 3*time.Second {
			t.Errorf("sample 0 came after %v", at)
		}
		silent := slices.IndexFunc(got[frame20:], func(x float32) bool { return x != 0 })
		if got[0] == 0 || silent < 0 || got[len(got)-1] == 0 {
			t.Fatalf("%d samples, %d of silence", len(got), silent)
		}
		if d := durationOf(int64(silent)); d < 9*time.Second || d > 10*time.Second {
			t.Errorf("silent for %v of 10 s", d)
		}
		s.Close()
	})
}

func TestStreamSourceEnds(t *testing.T) {
	for name, test := range map[string]struct {
		file []byte
		want string
	}{
		"empty":   {nil, "pipe: there is no sound in it"},
		"no data": {riff(fmtChunk(formatPCM, mono16)), "pipe: damaged WAV header"},
		"MP3": {[]byte("ID3\x04\x00\x00\x00\x00\x00\x21TSSE"),
			"pipe: this is MP3: give WAV, Ogg Opus, or raw"},
		"M4A": {[]byte("\x00\x00\x00\x20ftypM4A \x00\x00"),
			"pipe: this is MP4: give WAV, Ogg Opus, or raw"},
		"FLAC": {[]byte("fLaC\x00\x00\x00\x22\x10\x00\x10\x00"),
			"pipe: this is FLAC: give WAV, Ogg Opus, or raw"},
		"nothing": {riff(fmtChunk(formatPCM, mono16), chunk("data", nil)), "pipe: there is no sound in it"},
	} {
		s, w := piped()
		go func() {
			w.Write(test.file)
			w.Close()
		}()
		if n, err := s.ReadFrame(t.Context(), make([]float32, frame20)); n != 0 || err == nil ||
			!strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %d, %v", name, n, err)
		}
		s.Close()
	}
	s, _ := piped()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.ReadFrame(ctx, make([]float32, frame20)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	s.Close()
	if _, err := s.ReadFrame(t.Context(), make([]float32, frame20)); !errors.Is(err, errSourceClosed) {
		t.Errorf("closed: %v", err)
	}
	s, _ = piped()
	s.Close() // before anything was read
}

// fifo makes a named pipe.
func fifo(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "pipe.wav")
	if out, err := exec.Command("mkfifo", path).CombinedOutput(); err != nil {
		t.Fatalf("mkfifo: %v %s", err, out)
	}
	return path
}

// A named pipe is opened once, and need not have anybody at the other end.
func TestNamedPipes(t *testing.T) {
	path := fifo(t)
	source, err := OpenStream(path)
	if err != nil {
		t.Fatal(err)
	}
	sink, err := CreateStream(path)
	if err != nil {
		t.Fatal(err)
	}
	want := sine(SampleRate/10, 440, 0.5)
	if err := sink.WriteFrame(want); err != nil {
		t.Fatal(err)
	}
	var got []float32
	frame := make([]float32, frame20)
	for len(got) < len(want) {
		n, err := source.ReadFrame(t.Context(), frame)
		if err != nil {
			t.Fatal(err)
		}
		if Level(frame[:n]) > Silence { // else silence of a busy machine
			got = append(got, frame[:n]...)
		}
	}
	if l := Level(difference(got, want)); l > -80 {
		t.Errorf("wrong by %.1f dBFS", l)
	}
	source.Close()
	for err = nil; err == nil; {
		err = sink.WriteFrame(frame)
	}
	if !strings.Contains(err.Error(), path+": nobody reads it any more") {
		t.Error(err)
	}
	sink.Close()

	for range 20 { // nobody at the other end
		if source, err = OpenStream(path); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		source.ReadFrame(ctx, frame)
		source.Close()
		if sink, err = CreateStream(path); err != nil {
			t.Fatal(err)
		}
		sink.WriteFrame(frame)
		sink.Close()
	}
	if _, err := OpenStream(path + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if _, err := CreateStream(path + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// What nobody reads is dropped, the oldest first, and counted; what is read is a WAV file without an end.
func TestStreamSink(t *testing.T) {
	path := fifo(t)
	sink, err := CreateStream(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 * SampleRate / frame20 {
		frame := slices.Repeat([]float32{float32(i) / (1 << 10)}, frame20)
		if err := sink.WriteFrame(frame); err != nil {
			t.Fatal(err)
		}
	}
	sink.mu.Lock()
	n := sink.dropped
	sink.mu.Unlock()
	if n != SampleRate {
		t.Errorf("%d samples dropped, want %d", n, SampleRate)
	}
	pipe, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	out := make(chan []byte)
	go func() {
		data, _ := io.ReadAll(pipe)
		out <- data
	}()
	sink.Close()
	data := <-out
	got := parseWAV(t, data)
	if len(got) != streamSinkQueue || got[0] != 50./(1<<10) || got[len(got)-1] != 149./(1<<10) {
		t.Errorf("%d samples", len(got))
	}
	if err := sink.WriteFrame(got[:1]); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

// A file is opened once, for some can be only once.
func TestFileOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.wav")
	want := []float64{0.5, 0.25, -0.5}
	if err := os.WriteFile(path, riff(fmtChunk(formatPCM, mono16), chunk("data", store(mono16, want))),
		0o600); err != nil {
		t.Fatal(err)
	}
	s, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got := drain(t, s)
	for i := range want {
		if len(got) != 3 || Level([]float32{got[i] - float32(want[i])}) > -80 {
			t.Fatalf("%v, want %v", got, want)
		}
	}
}
