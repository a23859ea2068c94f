package speech_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/audio"
	"github.com/wzp-voice/wzp/internal/audio/speech"
	"github.com/wzp-voice/wzp/internal/opus"
)

// coded is what Opus makes of pcm at a bitrate, with silence for packets in drop.
func coded(t *testing.T, pcm []float32, bitrate int, drop ...int) []float32 {
	t.Helper()
	enc, err := opus.NewEncoder(opus.Config{Bitrate: bitrate, Complexity: 5})
	if err != nil {
		t.Fatal(err)
	}
	dec := opus.NewDecoder()
	var out []float32
	packet, frame := make([]byte, enc.PacketSize()), make([]float32, enc.FrameSamples())
	pcm = append(slices.Clone(pcm), make([]float32, len(frame))...) // flushes the encoder's delay
	for i := 0; (i+1)*len(frame) <= len(pcm); i++ {
		n, _, err := enc.Encode(packet, pcm[i*len(frame):][:len(frame)])
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(drop, i) {
			if err := dec.Conceal(frame); err != nil {
				t.Fatal(err)
			}
			clear(frame) // the decoder knows of the loss, the listener hears a gap
		} else if _, err := dec.Decode(frame, packet[:n]); err != nil {
			t.Fatal(err)
		}
		out = append(out, frame...)
	}
	return out
}

func TestRecordings(t *testing.T) {
	for name, seconds := range map[string]float64{
		speech.Congrats: 8, speech.Options: 8, speech.MoreInfo: 8, speech.Message: 8, speech.AboutToTry: 8,
		speech.Review: 7, speech.Keywords: 6, speech.Center: 1.4, speech.RearLeft: 1.3,
		speech.SideRight: 1.35,
	} {
		pcm := speech.Must(t, name, 8*time.Second)
		if got := float64(len(pcm)) / audio.SampleRate; math.Abs(got-seconds) > 1.2 {
			t.Errorf("%s: %.1f s", name, got)
		}
		active := 0
		for _, a := range speech.Active(pcm) {
			if a {
				active++
			}
		}
		if share := float64(active) * speech.FrameSamples / float64(len(pcm)); share < 0.3 || share > 0.98 {
			t.Errorf("%s: %.0f %% of it are speech", name, share*100)
		}
	}
	if pcm := speech.Must(t, speech.Congrats, 1500*time.Millisecond); len(pcm) != 72000 {
		t.Errorf("1.5 s have %d samples", len(pcm))
	}
	if _, err := speech.Load("no-such-recording", 0); err == nil ||
		!strings.Contains(err.Error(), "make test") {
		t.Errorf("got %v", err)
	}
}

func TestActiveOfSilence(t *testing.T) {
	if slices.Contains(speech.Active(make([]float32, 48000)), true) {
		t.Error("silence is speech")
	}
	if got := speech.Active(make([]float32, 959)); got != nil {
		t.Errorf("got %v", got)
	}
}

func TestAlign(t *testing.T) {
	pcm := speech.Must(t, speech.MoreInfo, 5*time.Second)
	noise := rand.New(rand.NewPCG(1, 2))
	for _, offset := range []int{0, 1, 777, 48000, 123456, -960, -50001} {
		got := make([]float32, len(pcm)+96000)
		for i := range got {
			if k := i - offset; k >= 0 && k < len(pcm) {
				got[i] = pcm[k] / 2
			}
			got[i] += float32(0.001 * noise.NormFloat64())
		}
		if at, c := speech.Align(pcm, got); at != offset || c < 0.98 {
			t.Errorf("offset %d: found %d with correlation %.3f", offset, at, c)
		}
	}
	other := speech.Must(t, speech.Keywords, 5*time.Second)
	if _, c := speech.Align(pcm, other); c > 0.4 {
		t.Errorf("other words correlate by %.2f", c)
	}
	for _, got := range [][]float32{nil, make([]float32, 3), make([]float32, 48000)} {
		if _, c := speech.Align(pcm, got); c != 0 {
			t.Errorf("%d samples of silence correlate by %v", len(got), c)
		}
	}
}

func TestNothingMissingAfterOpus(t *testing.T) {
	for name, bitrates := range map[string][]int{
		speech.Review: {12000, 24000}, speech.Message: {16000}, speech.Center: {12000, 16000},
		speech.SideRight: {24000},
	} {
		pcm := speech.Must(t, name, 5*time.Second)
		for _, bitrate := range bitrates {
			got := append(make([]float32, 12345), coded(t, pcm, bitrate)...)
			r := speech.Compare(pcm, got)
			if len(r.Missing) > 0 || r.Correlation < 0.8 || r.Active < 30 {
				t.Errorf("%s at %d bit/s: %+v", name, bitrate, r)
			}
		}
	}
}

// checkMissing asserts that what is missing is what was removed. Codec packets do
// not lie on ref's frame grid and a decoder needs a moment to recover: the frame
// before a removed one and reach after it may count too. One in ten of those removed
// may be so faint that what is beside it covers it.
func checkMissing(t *testing.T, name string, r speech.Report, removed []int, reach int) {
	t.Helper()
	near := func(list []int, i, reach int) bool {
		return slices.ContainsFunc(list, func(k int) bool { return k-i <= reach && i-k <= reach })
	}
	unseen := 0
	for _, i := range removed {
		if !near(r.Missing, i, 1) {
			unseen++
		}
	}
	if unseen > len(removed)/10 {
		t.Errorf("%s: %d of %d removed frames go unseen: removed %v, missing %v", name, unseen, len(removed),
			removed, r.Missing)
	}
	for _, i := range r.Missing {
		if !near(removed, i, reach) {
			t.Errorf("%s: frame %d is called missing: removed %v", name, i, removed)
		}
	}
}

// removable picks every n-th active frame.
func removable(pcm []float32, n int) []int {
	var list []int
	count := 0
	for i, active := range speech.Active(pcm) {
		if active {
			if count++; count%n == 0 {
				list = append(list, i)
			}
		}
	}
	return list
}

func TestRemovedFramesAreMissing(t *testing.T) {
	for name, every := range map[string][]int{speech.Message: {12}, speech.Review: {12, 50}} {
		pcm := speech.Must(t, name, 5*time.Second)
		for _, n := range every {
			removed := removable(pcm, n)
			got := slices.Clone(pcm)
			for _, i := range removed {
				clear(got[i*speech.FrameSamples:][:speech.FrameSamples])
			}
			r := speech.Compare(pcm, got)
			checkMissing(t, name, r, removed, 2)
			if len(r.Missing) > len(removed)+2 {
				t.Errorf("%s: removed %v, missing %v", name, removed, r.Missing)
			}
			checkMissing(t, name+" coded", speech.Compare(pcm, coded(t, pcm, 16000, removed...)), removed, 3)
		}
	}
}

// A jitter buffer that grows and shrinks shifts words without losing them.
func TestShiftedWordsAreNotMissing(t *testing.T) {
	pcm := speech.Must(t, speech.Message, 6*time.Second)
	active := speech.Active(pcm)
	got := coded(t, pcm, 24000)
	var shifted []float32
	shifts := 0
	for i := range active {
		frame := got[min(i*960, len(got)):min((i+1)*960, len(got))]
		shifted = append(shifted, frame...)
		// In pauses, play 60 ms more, or leave 20 ms out.
		pause := i > 3 && i+3 < len(active) && !slices.Contains(active[i-3:i+4], true)
		if pause && i%5 == 0 {
			shifts++
			shifted = append(shifted, make([]float32, 2880)...)
		}
	}
	r := speech.Compare(pcm, shifted)
	if shifts < 3 || len(r.Missing) > r.Active/50 {
		t.Errorf("after %d shifts %d of %d active frames are missing: %v", shifts, len(r.Missing), r.Active,
			r.Missing)
	}
}

// A word cut out with the time it took is missing too.
func TestCutWordIsMissing(t *testing.T) {
	pcm := speech.Must(t, speech.Review, 5*time.Second)
	const from, to = 100, 130
	got := slices.Concat(pcm[:from*960], pcm[to*960:])
	r := speech.Compare(pcm, got)
	inside, outside := 0, 0
	for _, i := range r.Missing {
		if i >= from-1 && i <= to {
			inside++
		} else {
			outside++
		}
	}
	removed := 0
	for _, a := range speech.Active(pcm)[from:to] {
		if a {
			removed++
		}
	}
	if inside < removed/2 || outside > 12 {
		t.Errorf("%d of %d cut frames missing, and %d others: %v", inside, removed, outside, r.Missing)
	}
}

// Another talker on top, or another volume, hides nothing.
func TestExtraSoundIsNoLoss(t *testing.T) {
	pcm, other := speech.Must(t, speech.Review, 5*time.Second), speech.Must(t, speech.Keywords, 0)
	got := slices.Clone(pcm)
	for i := range got {
		got[i] *= 0.5
		if i < len(other) {
			got[i] += 0.25 * other[i]
		}
	}
	if r := speech.Compare(pcm, got); len(r.Missing) > r.Active/50 {
		t.Errorf("mixed: %d of %d missing: %v", len(r.Missing), r.Active, r.Missing)
	}
}

func TestAllMissingInSilenceAndOtherWords(t *testing.T) {
	pcm := speech.Must(t, speech.Review, 5*time.Second)
	for _, got := range [][]float32{nil, make([]float32, len(pcm))} {
		if r := speech.Compare(pcm, got); len(r.Missing) != r.Active || r.Active == 0 {
			t.Errorf("%d samples of silence: %d of %d missing", len(got), len(r.Missing), r.Active)
		}
	}
	if r := speech.Compare(pcm, speech.Must(t, speech.MoreInfo,
		5*time.Second)); len(r.Missing) < r.Active/3 || r.Correlation > 0.4 {
		t.Errorf("other words: %d of %d missing, correlation %.2f", len(r.Missing), r.Active, r.Correlation)
	}
}

func TestLoadFile(t *testing.T) {
	path, err := speech.Path(speech.Center)
	if err != nil {
		t.Fatal(err)
	}
	pcm, err := speech.LoadFile(path, 0)
	if err != nil || len(pcm) != 68545 {
		t.Errorf("%d samples, %v", len(pcm), err)
	}
}

func BenchmarkCompare10s(b *testing.B) {
	pcm := speech.Must(b, speech.Congrats, 10*time.Second)
	b.ReportAllocs()
	for b.Loop() {
		speech.Compare(pcm, pcm)
	}
}
