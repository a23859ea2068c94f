package audio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func readFile(t testing.TB, path string) []float32 {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewFileReader(bytes.NewReader(data), path)
	if err != nil {
		t.Fatal(err)
	}
	return readAll(t, r)
}

func TestWriteReadsBackExactly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.wav")
	w, err := CreateWAV(path)
	if err != nil {
		t.Fatal(err)
	}
	var want []float32
	rng := rand.New(rand.NewPCG(1, 2))
	for range 101 {
		frame := make([]float32, rng.IntN(3000))
		for i := range frame {
			frame[i] = float32(int16(rng.Uint32())) / (1 << 15)
		}
		want = append(want, frame...)
		if err := w.WriteFrame(frame); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	got := readFile(t, path)
	if len(got) != len(want) {
		t.Fatalf("%d samples, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("sample %d: %v, want %v", i, got[i], want[i])
		}
	}
	if err := w.WriteFrame(want[:1]); !errors.Is(err, os.ErrClosed) {
		t.Errorf("write after Close: %v", err)
	}
	info, _ := os.Stat(path)
	if info.Size() != int64(wavHeaderSize+2*len(want)) {
		t.Errorf("%d bytes", info.Size())
	}
}

func TestWriteClips(t *testing.T) {
	for x, want := range map[float32]int16{
		1: math.MaxInt16, -1: math.MinInt16, 7: math.MaxInt16, -7: math.MinInt16,
		0: 0, 0.5: 1 << 14, float32(math.Inf(1)): math.MaxInt16, float32(math.NaN()): 0,
	} {
		if got := toInt16(x); got != want {
			t.Errorf("%v became %d, want %d", x, got, want)
		}
	}
}

// checkWhole asserts that a file is valid as it is: the header tells exactly the
// samples that are there, except for those written just after.
func checkWhole(t *testing.T, path string) (samples int) {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(file) < wavHeaderSize {
		t.Fatalf("%d bytes: no header", len(file))
	}
	data := int(binary.LittleEndian.Uint32(file[40:]))
	if total := int(binary.LittleEndian.Uint32(file[4:])); total != data+wavHeaderSize-8 ||
		data > len(file)-wavHeaderSize {
		t.Fatalf("header says %d and %d, file has %d bytes", total, data, len(file))
	}
	return data / 2
}

func TestWrittenFileIsWholeAtAnyMoment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.wav")
	w, err := CreateWAV(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	frame := make([]float32, 960)
	for i := range 120 {
		if got, taken := checkWhole(t, path), i*960; got > taken || got < taken-flushSamples {
			t.Fatalf("after %d samples the file has %d", taken, got)
		}
		if err := w.WriteFrame(frame); err != nil {
			t.Fatal(err)
		}
	}
}

// writeForever is the child of TestKilledWriter.
func writeForever(path string) {
	w, err := CreateWAV(path)
	if err != nil {
		os.Exit(1)
	}
	for {
		if w.WriteFrame(sine(960, 440, 0.5)) != nil {
			os.Exit(1)
		}
		time.Sleep(100 * time.Microsecond)
	}
}

func TestKilledWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "killed.wav")
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), helperEnv+"="+path)
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Millisecond) {
		if info, err := os.Stat(path); err == nil && info.Size() > 5*SampleRate {
			break
		}
		if time.Now().After(deadline) {
			t.Error("the child wrote nothing")
			break
		}
	}
	child.Process.Kill()
	child.Wait()
	samples := checkWhole(t, path)
	pcm := readFile(t, path)
	if len(pcm) != samples || samples < 2*SampleRate {
		t.Errorf("%d samples of %d", len(pcm), samples)
	}
	if l := Level(pcm); math.Abs(l - -9.03) > 0.1 {
		t.Errorf("level %.2f dBFS: not the tone that was written", l)
	}
}

// smallDisk is a file on a disk of limited size.
type smallDisk struct {
	*os.File
	limit int64
}

func (d *smallDisk) WriteAt(b []byte, at int64) (int, error) {
	if at+int64(len(b)) <= d.limit {
		return d.File.WriteAt(b, at)
	}
	n := max(0, d.limit-at)
	if _, err := d.File.WriteAt(b[:n], at); err != nil {
		return 0, err
	}
	return int(n), &os.PathError{Op: "write", Path: d.Name(), Err: syscall.ENOSPC}
}

func TestFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "full.wav")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	const limit = 100_001
	w, err := newWAVWriter(&smallDisk{f, limit}, path)
	if err != nil {
		t.Fatal(err)
	}
	tone := sine(SampleRate, 440, 0.5)
	var first error
	for i := 0; first == nil && i < 10; i++ {
		first = w.WriteFrame(tone)
	}
	if first == nil || !strings.Contains(first.Error(), path+": the disk is full: free some space") ||
		strings.Contains(first.Error(), "\n") {
		t.Fatalf("got %v", first)
	}
	if err := w.WriteFrame(tone); err != first {
		t.Errorf("next write: %v", err)
	}
	if err := w.Close(); err != first {
		t.Errorf("Close: %v", err)
	}
	if got := checkWhole(t, path); got != (limit-wavHeaderSize)/2 {
		t.Errorf("%d samples kept of %d that fitted", got, (limit-wavHeaderSize)/2)
	}
}

func TestCreateFails(t *testing.T) {
	if _, err := CreateWAV(filepath.Join(t.TempDir(), "no", "out.wav")); err == nil ||
		!strings.Contains(err.Error(), "out.wav") {
		t.Errorf("no folder: %v", err)
	}
	if _, err := os.Stat("/dev/full"); err == nil {
		if _, err := CreateWAV("/dev/full"); err == nil || !strings.Contains(err.Error(), "disk is full") {
			t.Errorf("/dev/full: %v", err)
		}
	}
}

func TestSizeLimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "long.wav")
	w, err := CreateWAV(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	w.written = maxDataBytes - 1000
	if err := w.WriteFrame(make([]float32, SampleRate)); err == nil ||
		!strings.Contains(err.Error(), "4 GB limit") {
		t.Errorf("got %v", err)
	}
}

func BenchmarkWAVWrite(b *testing.B) {
	w, err := CreateWAV(filepath.Join(b.TempDir(), "bench.wav"))
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	frame := sine(960, 440, 0.5)
	b.ReportAllocs()
	for b.Loop() {
		if w.written > 1<<24 {
			w.written = 0 // overwrite rather than fill the disk
		}
		if err := w.WriteFrame(frame); err != nil {
			b.Fatal(err)
		}
	}
}
