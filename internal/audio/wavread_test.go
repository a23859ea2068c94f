package audio

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// chunk is a RIFF chunk with its pad byte.
func chunk(id string, body []byte) []byte {
	out := binary.LittleEndian.AppendUint32([]byte(id), uint32(len(body)))
	out = append(out, body...)
	if len(body)%2 == 1 {
		out = append(out, 0)
	}
	return out
}

func riff(chunks ...[]byte) []byte {
	body := append([]byte("WAVE"), bytes.Join(chunks, nil)...)
	return chunk("RIFF", body)
}

func fmtChunk(code int, f WAVFormat) []byte {
	le := binary.LittleEndian
	b := le.AppendUint16(nil, uint16(code))
	b = le.AppendUint16(b, uint16(f.Channels))
	b = le.AppendUint32(b, uint32(f.SampleRate))
	b = le.AppendUint32(b, uint32(f.SampleRate*f.frameBytes()))
	b = le.AppendUint16(b, uint16(f.frameBytes()))
	return chunk("fmt ", le.AppendUint16(b, uint16(f.Bits)))
}

func codeOf(f WAVFormat) int {
	if f.Float {
		return formatFloat
	}
	return formatPCM
}

// extensible is a format chunk of 40 bytes.
func extensible(f WAVFormat) []byte {
	le := binary.LittleEndian
	b := fmtChunk(formatExtensible, f)[8:]
	b = le.AppendUint16(b, 22)
	b = le.AppendUint16(b, uint16(f.Bits))
	b = le.AppendUint32(b, f.Mask)
	b = le.AppendUint16(b, uint16(codeOf(f)))
	return chunk("fmt ", append(b, waveGUID[:]...))
}

// store encodes interleaved samples.
func store(f WAVFormat, pcm []float64) []byte {
	var out []byte
	le := binary.LittleEndian
	for _, x := range pcm {
		switch {
		case f.Float:
			out = le.AppendUint32(out, math.Float32bits(float32(x)))
		case f.Bits == 8:
			out = append(out, byte(math.Round(x*127)+128))
		case f.Bits == 16:
			out = le.AppendUint16(out, uint16(int16(math.Round(x*32767))))
		case f.Bits == 24:
			out = append(out, le.AppendUint32(nil, uint32(int32(math.Round(x*8388607))))[:3]...)
		default:
			out = le.AppendUint32(out, uint32(int32(math.Round(x*2147483647))))
		}
	}
	return out
}

func readAll(t testing.TB, r Reader) []float32 {
	t.Helper()
	var pcm []float32
	buf := make([]float32, 777)
	for {
		n, err := r.Read(buf)
		pcm = append(pcm, buf[:n]...)
		if err == io.EOF {
			return pcm
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func parseWAV(t testing.TB, file []byte) []float32 {
	t.Helper()
	r, err := NewWAVReader(bytes.NewReader(file), "test.wav")
	if err != nil {
		t.Fatal(err)
	}
	return readAll(t, r)
}

// Every format gives back a tone, mixed down from all channels.
func TestReadFormats(t *testing.T) {
	formats := []WAVFormat{
		{Bits: 8}, {Bits: 16}, {Bits: 24}, {Bits: 32}, {Bits: 32, Float: true},
	}
	for _, f := range formats {
		for _, f.Channels = range []int{1, 2, 6} {
			f.SampleRate = SampleRate
			var stored []float64
			for i := range 4800 {
				x := 0.5 * math.Sin(2*math.Pi*440*float64(i)/SampleRate)
				for c := range f.Channels {
					stored = append(stored, x*float64(c%2*2-1)*-1/2+0.02*float64(f.Channels-1))
				}
			}
			for _, header := range [][]byte{fmtChunk(codeOf(f), f), extensible(f)} {
				got := parseWAV(t, riff(chunk("LIST", []byte("odd")), header, chunk("fact", make([]byte, 4)),
					chunk("data", store(f, stored))))
				if len(got) != 4800 {
					t.Fatalf("%+v: %d samples", f, len(got))
				}
				for i := range got {
					var want, most float64
					for c, x := range stored[i*f.Channels:][:f.Channels] {
						want += x * usualWeights[f.Channels][c]
						most += usualWeights[f.Channels][c]
					}
					if math.Abs(float64(got[i])-want) > most*1.5/math.Pow(2, float64(min(f.Bits, 20)-1)) {
						t.Fatalf("%+v: sample %d is %v, want %v", f, i, got[i], want)
					}
				}
			}
		}
	}
}

// usualWeights are of one voice, of stereo and of 5.1 (left, right, centre, LFE, two of surround).
var usualWeights = map[int][]float64{1: {1}, 2: {0.5, 0.5},
	6: {math.Sqrt2 / 2, math.Sqrt2 / 2, 1, 0, 0.5, 0.5}}

// TestReadSurround wants a voice to be as loud as its place says, wherever the file has it.
func TestReadSurround(t *testing.T) {
	const front, back = math.Sqrt2 / 2, 0.5
	for _, test := range []struct {
		name string
		mask uint32
		want []float64
	}{
		{"5.1, not said", 0, []float64{front, front, 1, 0, back, back}},
		{"5.1 of the back", 0x3f, []float64{front, front, 1, 0, back, back}},
		{"5.1 of the side", 0x60f, []float64{front, front, 1, 0, back, back}},
		{"7.1", 0x63f, []float64{front, front, 1, 0, back, back, back, back}},
		{"3.0", 0x7, []float64{front, front, 1}},
		{"3.0, not said", 0, []float64{front, front, 1}},
		{"2.1", 0xb, []float64{front, front, 0}},
		{"4.0 with one of surround", 0x107, []float64{front, front, 1, front}},
		{"quadro", 0x33, []float64{front, front, back, back}},
		{"stereo", 0x3, []float64{0.5, 0.5}},
		{"centre and LFE", 0xc, []float64{1, 0}},
		{"more channels than places", 0x7, []float64{front, front, 1, 0.5}},
		{"nowhere", 0, []float64{0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25,
			0.25, 0.25, 0.25}},
		{"effects alone", 0x8, []float64{1}},
	} {
		f := WAVFormat{Channels: len(test.want), SampleRate: SampleRate, Bits: 16, Mask: test.mask}
		for c, want := range test.want {
			frame := make([]float64, f.Channels)
			frame[c] = 0.25
			got := parseWAV(t, riff(extensible(f), chunk("data", store(f, frame))))
			if len(got) != 1 || math.Abs(float64(got[0])-0.25*want) > 1e-4 {
				t.Errorf("%s: 0.25 in channel %d is %v, want %v", test.name, c, got, 0.25*want)
			}
		}
	}
}

// All channels at once are limited, not cut.
func TestReadLoudSurround(t *testing.T) {
	f := WAVFormat{Channels: 6, SampleRate: SampleRate, Bits: 16}
	var stored []float64
	for _, x := range sine(9600, 440, 0.9) {
		for range f.Channels {
			stored = append(stored, float64(x))
		}
	}
	got := parseWAV(t, riff(fmtChunk(formatPCM, f), chunk("data", store(f, stored))))
	if share := toneShare(got[4800:], 440); slices.Max(got) > 1 || slices.Min(got) < -1 || share < 0.99 {
		t.Errorf("the peak is %.2f, %.3f of it is the tone", slices.Max(got), share)
	}
}

// large is a file whose sizes are in its chunk "ds64".
func large(id string, data []byte, size uint64) []byte {
	le := binary.LittleEndian
	sizes := le.AppendUint64(nil, 1<<33)
	sizes = le.AppendUint64(sizes, size)
	sizes = le.AppendUint64(sizes, size/2)
	sizes = le.AppendUint32(sizes, 0)
	file := riff(chunk("ds64", sizes), fmtChunk(formatPCM, mono16),
		append([]byte("data\xff\xff\xff\xff"), data...), chunk("LIST", make([]byte, 50)))
	return append([]byte(id+"\xff\xff\xff\xff"), file[8:]...)
}

// What follows the sound of a file with 64-bit sizes is not played.
func TestReadLargeFiles(t *testing.T) {
	sound := store(mono16, make([]float64, 100))
	for _, id := range []string{"RF64", "BW64"} {
		if got := parseWAV(t, large(id, sound, 200)); len(got) != 100 {
			t.Errorf("%s: %d samples of 100", id, len(got))
		}
		if got := parseWAV(t, large(id, sound, 0)); len(got) < 100 {
			t.Errorf("%s, written to a pipe: %d samples of 100 at least", id, len(got))
		}
		if got := parseWAV(t, large(id, sound, math.MaxUint64)); len(got) < 100 {
			t.Errorf("%s, longer than can be: %d samples of 100 at least", id, len(got))
		}
	}
	if got := parseWAV(t, append([]byte("RF64"), riff(fmtChunk(formatPCM, mono16), chunk("data", sound),
		chunk("LIST", sound))[4:]...)); len(got) != 100 {
		t.Errorf("RF64 without sizes: %d samples", len(got))
	}
	for name, file := range map[string][]byte{
		"short": append([]byte("RF64\x00\x00\x00\x00WAVE"), chunk("ds64", make([]byte, sizesHead-1))...),
		"long":  append([]byte("RF64\x00\x00\x00\x00WAVE"), chunk("ds64", make([]byte, maxSizes+1))...),
		"cut": append([]byte("RF64\x00\x00\x00\x00WAVE"),
			chunk("ds64", make([]byte, sizesHead))[:20]...),
	} {
		if _, err := NewWAVReader(bytes.NewReader(file), name); err == nil ||
			!strings.Contains(err.Error(), "chunk of sizes") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A tone at any rate comes out as the same tone at 48 kHz, in time and unchanged
// in level, with nothing added above -70 dB.
func TestReadRates(t *testing.T) {
	for _, rate := range []int{8000, 11025, 16000, 22050, 32000, 44100, 47999, 48000, 96000, 192000} {
		f := WAVFormat{Channels: 1, SampleRate: rate, Bits: 32, Float: true}
		for _, hz := range []float64{100, 3200} {
			stored := make([]float64, rate/4)
			for i := range stored {
				stored[i] = 0.5 * math.Sin(2*math.Pi*hz*float64(i)/float64(rate))
			}
			got := parseWAV(t, riff(fmtChunk(formatFloat, f), chunk("data", store(f, stored))))
			if want := (len(stored)*SampleRate + rate - 1) / rate; len(got) != want {
				t.Errorf("%d Hz: %d samples, want %d", rate, len(got), want)
			}
			want := sine(len(got), hz, 0.5)
			var wrong []float32
			for i := 2400; i < len(got)-2400; i++ {
				wrong = append(wrong, got[i]-want[i])
			}
			if l := Level(wrong); l > -70 {
				t.Errorf("%d Hz: a tone of %g Hz is wrong by %.1f dBFS", rate, hz, l)
			}
		}
	}
}

// What 48 kHz cannot carry is not folded into what it can.
func TestReadRateRemovesAliases(t *testing.T) {
	f := WAVFormat{Channels: 1, SampleRate: 192000, Bits: 32, Float: true}
	stored := make([]float64, f.SampleRate/2)
	for i := range stored {
		stored[i] = 0.9 * math.Sin(2*math.Pi*30000*float64(i)/float64(f.SampleRate))
	}
	got := parseWAV(t, riff(fmtChunk(formatFloat, f), chunk("data", store(f, stored))))
	if l := Level(got[2400 : len(got)-2400]); l > -70 {
		t.Errorf("30 kHz left %.1f dBFS", l)
	}
}

var mono16 = WAVFormat{Channels: 1, SampleRate: SampleRate, Bits: 16}

// Files from programs that could not finish the header, or that are cut off, play
// what is there.
func TestReadUnfinishedFiles(t *testing.T) {
	data := chunk("data", store(mono16, make([]float64, 100)))
	for name, size := range map[string]uint32{"zero": 0, "unknown": unknownDataSize, "too long": 5000} {
		file := riff(fmtChunk(formatPCM, mono16), data)
		binary.LittleEndian.PutUint32(file[40:], size)
		if got := parseWAV(t, file); len(got) != 100 {
			t.Errorf("%s: %d samples", name, len(got))
		}
		if got := parseWAV(t, file[:len(file)-1]); len(got) != 99 {
			t.Errorf("%s, half a sample: %d samples", name, len(got))
		}
	}
	file := riff(fmtChunk(formatPCM, mono16), data, chunk("LIST", make([]byte, 50)))
	if got := parseWAV(t, file); len(got) != 100 {
		t.Errorf("chunk behind the data was played: %d samples", len(got))
	}
}

func TestReadDamagedHeaders(t *testing.T) {
	with := func(change func(f *WAVFormat)) []byte {
		f := mono16
		change(&f)
		return riff(fmtChunk(codeOf(f), f), chunk("data", make([]byte, 8)))
	}
	align := with(func(*WAVFormat) {})
	align[32] = 7
	badGUID := riff(extensible(mono16), chunk("data", make([]byte, 8)))
	badGUID[50]++
	tests := []struct {
		name, says string
		file       []byte
	}{
		{"empty", "not a WAV file", nil},
		{"text", "not a WAV file", []byte("this is not a WAV file at all")},
		{"only riff", "ends before any data", riff()},
		{"no data", "ends before any data", riff(fmtChunk(formatPCM, mono16))},
		{"data first", "data before its format", riff(chunk("data", nil), fmtChunk(formatPCM, mono16))},
		{"short format", "format chunk of 14 bytes", riff(chunk("fmt ", make([]byte, 14)))},
		{"huge format", "format chunk of", riff([]byte("fmt \xff\xff\xff\x7f"))},
		{"cut format", "cut off in its format", riff(fmtChunk(formatPCM, mono16))[:30]},
		{"huge chunk", "ends before any data", riff([]byte("junk\xff\xff\xff\xff"))},
		{"many chunks", "too many chunks", riff(bytes.Repeat(chunk("junk", nil), maxChunks))},
		{"mu-law", "codec 0x0007 is not supported", riff(fmtChunk(7, mono16), chunk("data", nil))},
		{"no channels", "0 channels", with(func(f *WAVFormat) { f.Channels = 0 })},
		{"many channels", "65 channels", with(func(f *WAVFormat) { f.Channels = 65 })},
		{"slow", "7999 Hz", with(func(f *WAVFormat) { f.SampleRate = 7999 })},
		{"fast", "192001 Hz", with(func(f *WAVFormat) { f.SampleRate = 192001 })},
		{"12 bits", "12-bit", with(func(f *WAVFormat) { f.Bits = 12 })},
		{"half float", "16-bit float", with(func(f *WAVFormat) { f.Float = true })},
		{"alignment", "7 bytes a frame", align},
		{"guid", "bad extensible", badGUID},
	}
	for _, test := range tests {
		path := filepath.Join(t.TempDir(), "in.wav")
		if err := os.WriteFile(path, test.file, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := OpenFile(path)
		if err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), path) ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v; want one line with %q and the file's name", test.name, err, test.says)
		}
	}
}

func TestOpenNoFile(t *testing.T) {
	for _, path := range []string{filepath.Join(t.TempDir(), "none.wav"), t.TempDir()} {
		if _, err := OpenFile(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestReadWildFloats(t *testing.T) {
	f := WAVFormat{Channels: 1, SampleRate: SampleRate, Bits: 32, Float: true}
	wild := []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e30, 0.5}
	got := parseWAV(t, riff(fmtChunk(formatFloat, f), chunk("data", store(f, wild))))
	want := []float32{0, maxSample, -maxSample, maxSample, 0.5}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v became %v, want %v", wild[i], got[i], want[i])
		}
	}
}

func FuzzWAVReader(f *testing.F) {
	stereo := WAVFormat{Channels: 2, SampleRate: 44100, Bits: 24}
	f.Add(riff(fmtChunk(formatPCM, mono16), chunk("data", make([]byte, 32))))
	f.Add(riff(extensible(stereo), chunk("LIST", []byte("abc")), chunk("data", make([]byte, 60))))
	f.Add(riff(fmtChunk(formatFloat, WAVFormat{Channels: 1, SampleRate: 8000, Bits: 32, Float: true}),
		chunk("data", make([]byte, 40))))
	f.Add(large("RF64", make([]byte, 32), 32))
	f.Add([]byte("RIFF\x00\x00\x00\x00WAVEdata\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := NewWAVReader(bytes.NewReader(file), "fuzz.wav")
		if err != nil {
			return
		}
		pcm := readAll(t, r)
		if most := (len(file) + 1) * SampleRate / minWAVRate; len(pcm) > most {
			t.Fatalf("%d samples from %d bytes", len(pcm), len(file))
		}
		for i, x := range pcm {
			if x != x {
				t.Fatalf("sample %d is no number", i)
			}
		}
	})
}

func BenchmarkReadResampled(b *testing.B) {
	f := WAVFormat{Channels: 1, SampleRate: 44100, Bits: 16}
	file := riff(fmtChunk(formatPCM, f), chunk("data", make([]byte, 2*60*f.SampleRate)))
	dst := make([]float32, 960)
	var r *WAVReader
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if n%2900 == 0 {
			b.StopTimer()
			r, _ = NewWAVReader(bytes.NewReader(file), "bench.wav")
			b.StartTimer()
		}
		if _, err := r.Read(dst); err != nil {
			b.Fatal(err)
		}
		n++
	}
}
