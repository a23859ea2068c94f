package opus_test

import (
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/audio"
	"github.com/wzp-voice/wzp/internal/audio/speech"
	"github.com/wzp-voice/wzp/internal/opus"
)

func newEncoder(tb testing.TB, c opus.Config) *opus.Encoder {
	tb.Helper()
	e, err := opus.NewEncoder(c)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

func newDecoder(tb testing.TB) *opus.Decoder {
	tb.Helper()
	return opus.NewDecoder()
}

// encodeAll codes whole frames; a DTX frame is an empty packet.
func encodeAll(tb testing.TB, e *opus.Encoder, pcm []float32) [][]byte {
	tb.Helper()
	var packets [][]byte
	size := e.FrameSamples()
	for ; len(pcm) >= size; pcm = pcm[size:] {
		buf := make([]byte, e.PacketSize())
		n, dtx, err := e.Encode(buf, pcm[:size])
		if err != nil {
			tb.Fatal(err)
		}
		if dtx {
			n = 0
		}
		packets = append(packets, buf[:n])
	}
	return packets
}

func decodeAll(tb testing.TB, d *opus.Decoder, packets [][]byte, frame int) []float32 {
	tb.Helper()
	var pcm []float32
	buf := make([]float32, frame)
	for _, p := range packets {
		if len(p) == 0 {
			if err := d.Conceal(buf); err != nil {
				tb.Fatal(err)
			}
		} else if n, err := d.Decode(buf, p); err != nil || n != frame {
			tb.Fatal(n, err)
		}
		pcm = append(pcm, buf...)
	}
	return pcm
}

var frameDurations = []time.Duration{
	10 * time.Millisecond, 20 * time.Millisecond, 40 * time.Millisecond, 60 * time.Millisecond,
}

// Over real speech with its pauses, every packet of a configuration has the same
// length, whatever is said (RFC 6562).
func TestHardCBR(t *testing.T) {
	pcm := append(speech.Must(t, speech.Review, time.Second), speech.Must(t, speech.Center, 0)...)
	pcm = append(pcm, make([]float32, audio.SampleRate*12/10)...)
	for _, bitrate := range []int{6000, 12000, 24000, 64000} {
		for _, d := range frameDurations {
			checkCBR(t, pcm, opus.Config{Bitrate: bitrate, FrameDuration: d, Complexity: 1})
			checkCBR(t, pcm, opus.Config{
				Bitrate: bitrate, FrameDuration: d, Complexity: 7, DTX: true,
				InbandFEC: true, ExpectedLoss: 20,
			})
		}
	}
}

func checkCBR(t *testing.T, pcm []float32, c opus.Config) {
	t.Helper()
	e := newEncoder(t, c)
	if want := int(math.Round(float64(c.Bitrate) * c.FrameDuration.Seconds() / 8)); e.PacketSize() != want {
		t.Errorf("%+v: packet size %d, want %d", c, e.PacketSize(), want)
	}
	silent := 0
	for i, p := range encodeAll(t, e, pcm) {
		if len(p) == 0 && c.DTX {
			silent++
			continue
		}
		if len(p) != e.PacketSize() {
			t.Fatalf("%+v: packet %d has %d bytes, not %d", c, i, len(p), e.PacketSize())
		}
		if got, err := opus.Parse(p); err != nil || got.Duration() != c.FrameDuration {
			t.Fatalf("%+v: packet %d lasts %v, %v", c, i, got.Duration(), err)
		}
	}
	if c.DTX && silent == 0 {
		t.Errorf("%+v: all of the silence was transmitted", c)
	}
}

func TestSpeechSurvives(t *testing.T) {
	pcm := speech.Must(t, speech.Review, 4*time.Second)
	for _, bitrate := range []int{8000, 16000, 24000} {
		e, d := newEncoder(t, opus.Config{Bitrate: bitrate}), newDecoder(t)
		got := decodeAll(t, d, encodeAll(t, e, pcm), e.FrameSamples())
		r := speech.Compare(pcm, got)
		if len(r.Missing) > 0 || r.Correlation < 0.7 {
			t.Errorf("%d bit/s: correlation %.2f, %d of %d active frames missing: %v",
				bitrate, r.Correlation, len(r.Missing), r.Active, r.Missing)
		}
		if late := r.Offset - e.Lookahead(); late < -48 || late > 480 {
			t.Errorf("%d bit/s: comes out %d samples late, lookahead is %d", bitrate, r.Offset, e.Lookahead())
		}
	}
}

// Rate, frame length and FEC change between frames without losing sound.
func TestChangesBetweenFrames(t *testing.T) {
	pcm := speech.Must(t, speech.Review, 8*time.Second)
	e, d := newEncoder(t, opus.Config{}), newDecoder(t)
	rates := []int{32000, 16000, 64000, 24000}
	buf, out := make([]byte, opus.MaxFrameBytes), make([]float32, opus.MaxPacketSamples)
	var got []float32
	rest := pcm
	for i := 0; ; i++ {
		if i%10 == 0 {
			step := i / 10
			e.SetFEC(step%2 == 0)
			err := errors.Join(e.SetBitrate(rates[step%4]), e.SetFrameDuration(frameDurations[step%3+1]),
				e.SetExpectedLoss(step%3*5))
			if err != nil {
				t.Fatal(err)
			}
		}
		if len(rest) < e.FrameSamples() {
			break
		}
		n, _, err := e.Encode(buf, rest[:e.FrameSamples()])
		if err != nil || n != e.PacketSize() {
			t.Fatalf("frame %d: %d bytes, %v; want %d", i, n, err, e.PacketSize())
		}
		rest = rest[e.FrameSamples():]
		n, err = d.Decode(out, buf[:n])
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, out[:n]...)
	}
	if r := speech.Compare(pcm[:len(got)], got); len(r.Missing) > r.Active/50 {
		t.Errorf("%d of %d active frames missing: %v", len(r.Missing), r.Active, r.Missing)
	}
}

// With every fifth packet lost, the in-band copy brings back more of the speech
// than concealment does, and concealment more than silence.
func TestLossRecovery(t *testing.T) {
	pcm := speech.Must(t, speech.Review, 8*time.Second)
	e := newEncoder(t, opus.Config{Bitrate: 24000, InbandFEC: true, ExpectedLoss: 25})
	packets := encodeAll(t, e, pcm)
	lost := func(i int) bool { return i%5 == 2 }
	error := func(recover func(d *opus.Decoder, dst []float32, next []byte)) float64 {
		clean, d := newDecoder(t), newDecoder(t)
		var sum float64
		want, got := make([]float32, 960), make([]float32, 960)
		for i, p := range packets[:len(packets)-1] {
			clean.Decode(want, p)
			if lost(i) {
				recover(d, got, packets[i+1])
			} else {
				d.Decode(got, p)
			}
			for k := range want {
				sum += math.Pow(float64(want[k]-got[k]), 2)
			}
		}
		return sum
	}
	copies := 0
	fec := error(func(d *opus.Decoder, dst []float32, next []byte) {
		if p, _ := opus.Parse(next); p.HasFEC() {
			copies++
		}
		if err := d.DecodeFEC(dst, next); err != nil {
			t.Fatal(err)
		}
	})
	plc := error(func(d *opus.Decoder, dst []float32, next []byte) {
		if err := d.Conceal(dst); err != nil {
			t.Fatal(err)
		}
	})
	silence := error(func(d *opus.Decoder, dst []float32, next []byte) { clear(dst) })
	if copies == 0 || !(fec < plc/2 && plc < silence) {
		t.Errorf("squared error: fec %.2f, plc %.2f, silence %.2f; %d copies", fec, plc, silence, copies)
	}
}

// A gap longer than the packet behind it is concealed, then filled from the copy.
func TestDecodeFECLongGap(t *testing.T) {
	pcm := speech.Must(t, speech.Center, 0)
	e, d := newEncoder(t, opus.Config{InbandFEC: true, ExpectedLoss: 30}), newDecoder(t)
	packets := encodeAll(t, e, pcm)
	decodeAll(t, d, packets[:45], 960)
	gap := make([]float32, 3*960)
	if err := d.DecodeFEC(gap, packets[48]); err != nil {
		t.Fatal(err)
	}
	now, was := audio.Level(gap[2*960:]), audio.Level(pcm[47*960-e.Lookahead():][:960])
	if math.Abs(now-was) > 6 {
		t.Errorf("the copied frame has %.0f dBFS, the original %.0f", now, was)
	}
}

func TestNoFECWithoutAsking(t *testing.T) {
	e := newEncoder(t, opus.Config{Bitrate: 16000})
	for i, p := range encodeAll(t, e, speech.Must(t, speech.Center, 0)) {
		if parsed, err := opus.Parse(p); err != nil || parsed.HasFEC() {
			t.Fatalf("packet %d: FEC %v, %v", i, parsed.HasFEC(), err)
		}
	}
}

// What the decoder refuses leaves no trace: it goes on as one that never saw it.
func TestMalformedPacketsChangeNothing(t *testing.T) {
	packets := encodeAll(t, newEncoder(t, opus.Config{}), speech.Must(t, speech.Center, 0))
	clean, d := newDecoder(t), newDecoder(t)
	want, got := make([]float32, 960), make([]float32, 960)
	tooLong := append([]byte{31 << 3}, make([]byte, 1276)...)
	for i, p := range packets {
		for _, bad := range [][]byte{nil, {}, {31<<3 | 3, 0}, {31<<3 | 1, 0}, tooLong} {
			if _, err := d.Decode(got, bad); !errors.Is(err, opus.ErrMalformed) {
				t.Fatalf("% .4x: %v", bad, err)
			}
			if err := d.DecodeFEC(got, bad); !errors.Is(err, opus.ErrMalformed) {
				t.Fatalf("fec % .4x: %v", bad, err)
			}
		}
		if _, err := d.Decode(got[:959], p); err == nil {
			t.Fatal("decoded into too small a buffer")
		}
		clean.Decode(want, p)
		if _, err := d.Decode(got, p); err != nil {
			t.Fatal(err)
		}
		for k := range want {
			if want[k] != got[k] {
				t.Fatalf("packet %d differs at sample %d", i, k)
			}
		}
	}
}

func TestWrongUse(t *testing.T) {
	bad := []opus.Config{
		{Bitrate: 5999}, {Bitrate: 64001}, {FrameDuration: 30 * time.Millisecond},
		{Complexity: 11}, {Complexity: -1}, {ExpectedLoss: 101}, {ExpectedLoss: -1},
	}
	for _, c := range bad {
		if _, err := opus.NewEncoder(c); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: %v", c, err)
		}
	}
	e, d := newEncoder(t, opus.Config{}), newDecoder(t)
	if _, _, err := e.Encode(make([]byte, 100), make([]float32, 959)); err == nil {
		t.Error("encoded half a frame")
	}
	if _, _, err := e.Encode(make([]byte, e.PacketSize()-1), make([]float32, 960)); err == nil {
		t.Error("encoded into too small a buffer")
	}
	for _, n := range []int{0, 1, 119, 121, 5761, 5880} {
		if d.Conceal(make([]float32, n)) == nil {
			t.Errorf("concealed %d samples", n)
		}
	}
	for _, n := range []int{120, 960, 5760} {
		if err := d.Conceal(make([]float32, n)); err != nil {
			t.Errorf("%d samples: %v", n, err)
		}
	}
}

// Nothing is allocated for a frame. Concealment of speech and in-band FEC are exceptions of gopus: some
// pieces for each 20 ms.
func TestAllocations(t *testing.T) {
	pcm := speech.Must(t, speech.Review, 4*time.Second)
	for _, c := range []opus.Config{
		{FrameDuration: 20 * time.Millisecond, DTX: true},
		{FrameDuration: 40 * time.Millisecond, Bitrate: 9000},
		{FrameDuration: 60 * time.Millisecond, Bitrate: 6000},
		{FrameDuration: 20 * time.Millisecond, Bitrate: 64000},
		{FrameDuration: 60 * time.Millisecond, InbandFEC: true},
	} {
		e, d := newEncoder(t, c), newDecoder(t)
		size := e.FrameSamples()
		packets := encodeAll(t, newEncoder(t, c), pcm)
		dst, out, i := make([]byte, opus.MaxFrameBytes), make([]float32, size), 0
		for what, step := range map[string]func(packet []byte) error{
			"encode": func([]byte) (err error) {
				_, _,
					err = e.Encode(dst, pcm[i*size:][:size])
				return err
			},
			"decode": func(packet []byte) (err error) { _, err = d.Decode(out, packet); return err },
			"conceal": func(packet []byte) error {
				return errors.Join(d.Conceal(out),
					d.DecodeFEC(out, packet))
			},
		} {
			next := func() {
				for i = (i + 1) % len(packets); len(packets[i]) == 0; i = (i + 1) % len(packets) {
				}
				if err := step(packets[i]); err != nil {
					t.Fatal(what, err)
				}
			}
			for range 50 { // buffers grow
				next()
			}
			most := 0
			if what == "conceal" || what == "encode" && c.InbandFEC {
				most = 12 * max(1, size/960)
			}
			if got := testing.AllocsPerRun(100, next); got > float64(most) {
				t.Errorf("%s, %+v: %v allocations a frame", what, c, got)
			}
		}
	}
}

func TestSideBySide(t *testing.T) {
	pcm := speech.Must(t, speech.Center, 0)
	want := decodeAll(t, newDecoder(t), encodeAll(t, newEncoder(t, opus.Config{}), pcm), 960)
	var wg sync.WaitGroup
	for range 4 {
		e, d := newEncoder(t, opus.Config{}), newDecoder(t)
		wg.Go(func() {
			got := decodeAll(t, d, encodeAll(t, e, pcm), 960)
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("differs from a run alone at sample %d", i)
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkEncode(b *testing.B) {
	pcm := speech.Must(b, speech.Review, 8*time.Second)
	for _, d := range frameDurations[1:] {
		b.Run(d.String(), func(b *testing.B) {
			e := newEncoder(b, opus.Config{FrameDuration: d, InbandFEC: true, ExpectedLoss: 10})
			size := e.FrameSamples()
			dst := make([]byte, e.PacketSize())
			b.ReportAllocs()
			at := 0
			for b.Loop() {
				if _, _, err := e.Encode(dst, pcm[at:at+size]); err != nil {
					b.Fatal(err)
				}
				if at += size; at+size > len(pcm) {
					at = 0
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	packets := encodeAll(b, newEncoder(b, opus.Config{}), speech.Must(b, speech.Review, 8*time.Second))
	d := newDecoder(b)
	dst := make([]float32, opus.MaxPacketSamples)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := d.Decode(dst, packets[i%len(packets)]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkConceal(b *testing.B) {
	d := newDecoder(b)
	dst := make([]float32, 960)
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Conceal(dst); err != nil {
			b.Fatal(err)
		}
	}
}
