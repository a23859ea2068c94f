package audio_test

import (
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/audio"
	"github.com/wzp-voice/wzp/internal/audio/speech"
)

// push feeds speech frame by frame to a PreRoll, presses the key at a sample, and
// returns what is sent from then on.
func push(pcm []float32, pressed int, keep time.Duration) []float32 {
	pre := audio.NewPreRoll(keep)
	var sent []float32
	buf := make([]float32, 960)
	for at := 0; at+960 <= len(pcm); at += 960 {
		if at < pressed {
			pre.Write(pcm[at : at+960])
			continue
		}
		for n := pre.Drain(buf); n > 0; n = pre.Drain(buf) {
			sent = append(sent, buf[:n]...)
		}
		sent = append(sent, pcm[at:at+960]...)
	}
	return sent
}

// The key goes down 180 ms after the first word has begun: with the pre-roll the
// word is whole, without it its first syllable is gone.
func TestFirstSyllableIsWhole(t *testing.T) {
	pcm := append(make([]float32, audio.SampleRate), speech.Must(t, speech.Center, 0)...)
	onset := -1
	for i, active := range speech.Active(pcm) {
		if active {
			onset = i * speech.FrameSamples
			break
		}
	}
	pressed := onset + 180*audio.SampleRate/1000
	if r := speech.Compare(pcm, push(pcm, pressed, audio.DefaultPreRoll)); len(r.Missing) > 0 {
		t.Errorf("with pre-roll, active frames are missing: %v of %d", r.Missing, r.Active)
	}
	r := speech.Compare(pcm, push(pcm, pressed, time.Millisecond))
	if len(r.Missing) < 7 || r.Missing[0] != onset/speech.FrameSamples {
		t.Errorf("without pre-roll, only these are missing: %v", r.Missing)
	}
}

func TestPreRollKeepsTheNewest(t *testing.T) {
	pre := audio.NewPreRoll(10 * time.Millisecond) // 480 samples
	next := float32(0)
	for _, n := range []int{1, 100, 479, 480, 481, 2000, 7} {
		pcm := make([]float32, n)
		for i := range pcm {
			pcm[i] = next
			next++
		}
		pre.Write(pcm)
	}
	if pre.Len() != 480 {
		t.Fatalf("keeps %d samples", pre.Len())
	}
	want := next - 480
	buf := make([]float32, 100)
	for n := pre.Drain(buf); n > 0; n = pre.Drain(buf) {
		for _, x := range buf[:n] {
			if x != want {
				t.Fatalf("got sample %v, want %v", x, want)
			}
			want++
		}
	}
	if want != next || pre.Len() != 0 {
		t.Errorf("ended at %v of %v, %d left", want, next, pre.Len())
	}
	pre.Write(buf)
	pre.Reset()
	if n := pre.Drain(buf); n != 0 {
		t.Errorf("%d samples after Reset", n)
	}
}

func BenchmarkPreRoll(b *testing.B) {
	pre := audio.NewPreRoll(audio.DefaultPreRoll)
	frame := make([]float32, 960)
	b.ReportAllocs()
	for b.Loop() {
		pre.Write(frame)
	}
}
