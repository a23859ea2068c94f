package audio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/thesyncim/gopus/container/ogg"

	"github.com/wzp-voice/wzp/internal/opus"
)

// hum is a tone that comes and goes twice a second.
func hum(samples int) []float32 {
	pcm := make([]float32, samples)
	fillTone(pcm, 440, 0)
	for i := range pcm {
		if i/(SampleRate/4)%2 == 1 {
			pcm[i] = 0
		}
	}
	return pcm
}

func writeOpus(t *testing.T, path string, pcm []float32, frame int) {
	t.Helper()
	w, err := CreateOpus(path)
	if err != nil {
		t.Fatal(err)
	}
	for part := range slices.Chunk(pcm, frame) {
		if err := w.WriteFrame(part); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
}

// readOgg reads all of a file.
func readOgg(t *testing.T, data []byte) (pcm []float32, err error) {
	t.Helper()
	r, err := NewFileReader(bytes.NewReader(data), "file")
	if err != nil {
		return nil, err
	}
	for buf := make([]float32, 777); ; {
		n, err := r.Read(buf)
		pcm = append(pcm, buf[:n]...)
		if errors.Is(err, io.EOF) {
			return pcm, nil
		}
		if err != nil {
			return pcm, err
		}
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// alike wants got to be want, as far as a lossy codec keeps it.
func alike(t *testing.T, what string, want, got []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d samples, want %d", what, len(got), len(want))
		return
	}
	var signal, noise float64
	for i := range want {
		signal += float64(want[i]) * float64(want[i])
		noise += math.Pow(float64(want[i]-got[i]), 2)
	}
	if noise > signal/4 {
		t.Errorf("%s: it is another sound: signal %.1f, noise %.1f", what, signal, noise)
	}
}

// What is written is read with the same samples, whatever their number and the frames; and opusinfo has
// nothing to say against it.
func TestOggOpus(t *testing.T) {
	for _, samples := range []int{1, 648, 649, 960, 12 * 960, 12*960 - 312, 12*960 - 311, 24 * 960, 50000,
		200000} {
		path, pcm := filepath.Join(t.TempDir(), "hum.opus"), hum(samples)
		writeOpus(t, path, pcm, 441)
		got, err := readOgg(t, mustRead(t, path))
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != samples {
			t.Errorf("%d samples have become %d", samples, len(got))
		}
		if samples >= 50000 {
			alike(t, "hum", pcm, got)
		}
		opusinfo(t, path, durationOf(int64(samples)))
	}
}

// opusinfo is Debian's opinion of a file.
func opusinfo(t *testing.T, path string, length time.Duration) {
	t.Helper()
	out, err := exec.Command("opusinfo", path).CombinedOutput()
	if err != nil || bytes.Contains(bytes.ToUpper(out), []byte("WARNING")) ||
		bytes.Contains(out, []byte("ERROR")) {
		t.Errorf("%v: %v\n%s", length, err, out)
	}
	var minutes, seconds float64
	_, after, _ := strings.Cut(string(out), "Playback length: ")
	if _, err := fmt.Sscanf(after, "%fm:%fs", &minutes, &seconds); err != nil {
		t.Errorf("no length: %v\n%s", err, out)
	}
	if got := minutes*60 + seconds; length > 0 && math.Abs(got-length.Seconds()) > 0.01 {
		t.Errorf("opusinfo says %.3f s, it is %v", got, length)
	}
}

// disk is a file that can be full, and be looked at while it is written.
type disk struct {
	bytes.Buffer
	most int // bytes; 0: any number
}

func (d *disk) WriteAt(b []byte, at int64) (int, error) {
	if over := int(at) + len(b); d.most > 0 && over > d.most {
		return 0, syscall.ENOSPC
	}
	data := append([]byte(nil), d.Bytes()...)
	data = append(data, make([]byte, max(0, int(at)+len(b)-len(data)))...)
	copy(data[at:], b)
	d.Reset()
	d.Write(data)
	return len(b), nil
}

func (d *disk) Close() error { return nil }

// A recorder that is killed leaves a whole file, with all but the last quarter second.
func TestOggOpusIsWholeAtAnyTime(t *testing.T) {
	var d disk
	w, err := newOpusWriter(&d, "file")
	if err != nil {
		t.Fatal(err)
	}
	pcm := hum(3 * SampleRate)
	for at := 0; at < len(pcm); at += 480 {
		if err := w.WriteFrame(pcm[at : at+480]); err != nil {
			t.Fatal(err)
		}
		got, err := readOgg(t, d.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if missing := at + 480 - len(got); missing > SampleRate*3/10 {
			t.Fatalf("after %d samples %d are missing", at+480, missing)
		}
		if at%48000 == 0 {
			path := filepath.Join(t.TempDir(), "killed.opus")
			if err := os.WriteFile(path, d.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			if at > 0 {
				opusinfo(t, path, 0)
			}
		}
	}
}

func TestOggOpusOnAFullDisk(t *testing.T) {
	d := disk{most: 3000}
	w, err := newOpusWriter(&d, "file")
	if err != nil {
		t.Fatal(err)
	}
	pcm := hum(SampleRate)
	for err == nil {
		err = w.WriteFrame(pcm)
	}
	if !strings.Contains(err.Error(), "disk is full") || !errors.Is(w.WriteFrame(pcm), err) ||
		!errors.Is(w.Close(), err) {
		t.Error(err)
	}
	if got, err := readOgg(t, d.Bytes()); err != nil || len(got) < SampleRate/4 {
		t.Errorf("%d samples are left, %v", len(got), err)
	}
	if err := w.WriteFrame(pcm); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// Silence takes next to nothing.
func TestOggOpusOfSilence(t *testing.T) {
	path := filepath.Join(t.TempDir(), "silence.opus")
	writeOpus(t, path, append(hum(SampleRate), make([]float32, 60*SampleRate)...), 480)
	if n := len(mustRead(t, path)); n > 20_000 {
		t.Errorf("a minute of silence takes %d bytes", n)
	}
}

// Files of other programs: stereo, other rates and frame lengths, with a gain, chained.
func TestOggOpusOfOthers(t *testing.T) {
	dir := t.TempDir()
	pcm := hum(2 * SampleRate)
	stereo := filepath.Join(dir, "in.wav")
	data := []byte("RIFF\xff\xff\xff\xffWAVEfmt " +
		"\x10\x00\x00\x00\x01\x00\x02\x00\x80\xbb\x00\x00\x00\xee\x02\x00\x04\x00\x10\x00data\xff\xff\xff\xff")
	for _, x := range pcm {
		data = binary.LittleEndian.AppendUint16(data, uint16(toInt16(x)))
		data = binary.LittleEndian.AppendUint16(data, uint16(toInt16(x)))
	}
	if err := os.WriteFile(stereo, data, 0o600); err != nil {
		t.Fatal(err)
	}
	made := func(args ...string) []byte {
		out := filepath.Join(dir, "out.opus")
		if text, err := exec.Command("opusenc", append(args, "--quiet", "--ignorelength", stereo,
			out)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		return mustRead(t, out)
	}
	much := "X=" + strings.Repeat("x", 100_000)
	long := made("--framesize", "60", "--bitrate", "64")
	for name, data := range map[string][]byte{
		"stereo": made("--bitrate", "96"), "short frames": made("--framesize", "5", "--bitrate", "96"),
		"long frames": long,
		"mono, much said of it": made("--downmix-mono", "--bitrate", "48", "--comment", much, "--comment",
			much),
	} {
		got, err := readOgg(t, data)
		if err != nil {
			t.Fatal(name, err)
		}
		alike(t, name, pcm, got)
	}
	chained, err := readOgg(t, append(slices.Clone(long), made("--bitrate", "48")...))
	if err != nil {
		t.Fatal(err)
	}
	alike(t, "chained", append(slices.Clone(pcm), pcm...), chained)

	quiet := slices.Clone(long)
	page, n, err := ogg.ParsePage(quiet)
	if err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint16(page.Payload[16:], uint16(0x10000-6*256)) // -6 dB
	loud, err := readOgg(t, append(page.Encode(), quiet[n:]...))
	if err != nil {
		t.Fatal(err)
	}
	if change := Level(loud) - Level(pcm); math.Abs(change+6) > 0.5 {
		t.Errorf("a gain of -6 dB makes %.1f dB", change)
	}
}

// Damaged files are read as far as they go, and what is no Opus is said to be none.
func TestOggOpusDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hum.opus")
	writeOpus(t, path, hum(4*SampleRate), 480)
	whole := mustRead(t, path)
	for name, damage := range map[string]func(b []byte) []byte{
		"cut off":        func(b []byte) []byte { return b[:len(b)/2] },
		"a page damaged": func(b []byte) []byte { b[len(b)/2] ^= 0x40; return b },
		"a hole":         func(b []byte) []byte { return append(b[:len(b)/2], b[len(b)*2/3:]...) },
		"noise inside": func(b []byte) []byte {
			return slices.Insert(b, len(b)/2,
				[]byte("OggS, this is OggS noise OOOO")...)
		},
		"noise at the end": func(b []byte) []byte {
			return append(b,
				bytes.Repeat([]byte("OggS\xff"), 100)...)
		},
	} {
		got, err := readOgg(t, damage(slices.Clone(whole)))
		if err != nil || len(got) < SampleRate {
			t.Errorf("%s: %d samples, %v", name, len(got), err)
		}
	}
	page, n, err := ogg.ParsePage(whole)
	if err != nil {
		t.Fatal(err)
	}
	head := func(change func(p *ogg.Page)) []byte {
		p := *page
		p.Payload = slices.Clone(page.Payload)
		change(&p)
		return append(p.Encode(), whole[n:]...)
	}
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"a head alone":  {whole[:n-5], "damaged Ogg file: it ends before its head"},
		"a magic alone": {whole[:4], "damaged Ogg file"},
		"Vorbis":        {head(func(p *ogg.Page) { copy(p.Payload, "\x01vorbis.") }), "without Opus"},
		"version 99":    {head(func(p *ogg.Page) { p.Payload[8] = 99 }), "its head is not valid"},
		"six channels": {head(func(p *ogg.Page) {
			p.Payload = append(p.Payload[:18], 1, 4, 2, 0, 4, 1, 2, 3, 5)
			p.Payload[9], p.Segments = 6, []byte{27}
		}), "6 channels"},
	} {
		if _, err := readOgg(t, test.data); err == nil || !strings.Contains(err.Error(), test.want) ||
			!strings.HasPrefix(err.Error(), "file: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := OpenFile(filepath.Join(t.TempDir(), "none.opus")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	empty := filepath.Join(t.TempDir(), "empty.opus")
	writeOpus(t, empty, nil, 480)
	if _, err := OpenFile(empty); err == nil || !strings.Contains(err.Error(), "no sound") {
		t.Error(err)
	}
}

// FuzzOgg reads any bytes: it ends, and what it gives are numbers within bounds, no more than the packets can
// have.
func FuzzOgg(f *testing.F) {
	var d disk
	w, err := newOpusWriter(&d, "file")
	if err != nil {
		f.Fatal(err)
	}
	if err := errors.Join(w.WriteFrame(hum(20000)), w.Close()); err != nil {
		f.Fatal(err)
	}
	f.Add(d.Bytes())
	f.Add(append(slices.Clone(d.Bytes()), d.Bytes()...))
	f.Fuzz(func(t *testing.T, data []byte) {
		for at := 0; at+pageHead <= len(data); at++ { // valid sums, or nothing but them is found
			if string(data[at:at+4]) == "OggS" {
				data = repaired(data, at)
			}
		}
		pcm, err := readOgg(t, data)
		if err == nil && len(pcm) > len(data)*opus.MaxPacketSamples {
			t.Fatalf("%d samples of %d bytes", len(pcm), len(data))
		}
		for i, x := range pcm {
			if !(x >= -maxSample && x <= maxSample) {
				t.Fatalf("sample %d is %v", i, x)
			}
		}
	})
}

// repaired is data with the right CRC for the page at a place, if there is a whole one.
func repaired(data []byte, at int) []byte {
	size := pageHead + int(data[at+26])
	if at+size > len(data) {
		return data
	}
	for _, n := range data[at+pageHead : at+size] {
		size += int(n)
	}
	if at+size > len(data) {
		return data
	}
	head := data[at : at+size]
	page := ogg.Page{
		HeaderType: head[5], GranulePos: binary.LittleEndian.Uint64(head[6:]),
		SerialNumber: binary.LittleEndian.Uint32(head[14:]),
		PageSequence: binary.LittleEndian.Uint32(head[18:]),
		Segments:     head[pageHead : pageHead+int(head[26])],
		Payload:      head[pageHead+int(head[26]):],
	}
	data = slices.Clone(data)
	copy(data[at:], page.Encode())
	return data
}
