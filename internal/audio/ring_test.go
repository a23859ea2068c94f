package audio_test

import (
	"testing"

	"github.com/wzp-voice/wzp/internal/audio"
	"github.com/wzp-voice/wzp/internal/audio/speech"
)

// preRoll is what push-to-talk keeps, samples.
const preRoll = audio.SampleRate / 5

// push feeds speech frame by frame to a Ring, presses the key at a sample, and
// returns what is sent from then on.
func push(pcm []float32, pressed int, keep int) []float32 {
	pre := audio.NewRing(keep)
	var sent []float32
	buf := make([]float32, 960)
	for at := 0; at+960 <= len(pcm); at += 960 {
		if at < pressed {
			pre.Push(pcm[at : at+960])
			continue
		}
		for n := pre.Pop(buf); n > 0; n = pre.Pop(buf) {
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
	if r := speech.Compare(pcm, push(pcm, pressed, preRoll)); len(r.Missing) > 0 {
		t.Errorf("with pre-roll, active frames are missing: %v of %d", r.Missing, r.Active)
	}
	r := speech.Compare(pcm, push(pcm, pressed, audio.SampleRate/1000))
	if len(r.Missing) < 7 || r.Missing[0] != onset/speech.FrameSamples {
		t.Errorf("without pre-roll, only these are missing: %v", r.Missing)
	}
}

func TestRingKeepsTheNewest(t *testing.T) {
	pre := audio.NewRing(480)
	next := float32(0)
	for _, n := range []int{1, 100, 479, 480, 481, 2000, 7} {
		pcm := make([]float32, n)
		for i := range pcm {
			pcm[i] = next
			next++
		}
		pre.Push(pcm)
	}
	if pre.Len() != 480 {
		t.Fatalf("keeps %d samples", pre.Len())
	}
	want := next - 480
	buf := make([]float32, 100)
	for n := pre.Pop(buf); n > 0; n = pre.Pop(buf) {
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
	pre.Push(buf)
	pre.Drop(pre.Len())
	if n := pre.Pop(buf); n != 0 {
		t.Errorf("%d samples after all were dropped", n)
	}
}

func BenchmarkRing(b *testing.B) {
	pre := audio.NewRing(preRoll)
	frame := make([]float32, 960)
	b.ReportAllocs()
	for b.Loop() {
		pre.Push(frame)
	}
}
