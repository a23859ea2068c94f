//go:build linux

package opus_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/audio/speech"
	"github.com/wzp-voice/wzp/internal/opus"
)

// The tests of this file hold the codec against libopus 1.3.1, as Debian 12 has it, on real speech. Bounds
// are what was measured (in comments), with a margin.

type encoder interface {
	Encode(dst []byte, pcm []float32) (n int, dtx bool, err error)
}

type decoder interface {
	Decode(dst []float32, packet []byte) (int, error)
	DecodeFEC(dst []float32, next []byte) error
	Conceal(dst []float32) error
}

// coded codes whole frames; DTX frames are what the encoder made of them.
func coded(t *testing.T, e encoder, pcm []float32, frame int) (packets [][]byte) {
	t.Helper()
	for ; len(pcm) >= frame; pcm = pcm[frame:] {
		packet := make([]byte, opus.MaxFrameBytes)
		n, _, err := e.Encode(packet, pcm[:frame])
		if err != nil {
			t.Fatal(err)
		}
		packets = append(packets, packet[:n])
	}
	return packets
}

// played decodes what is not lost, and fills gaps from the copy in the next packet, if that came and fec says
// so.
func played(
	t *testing.T, d decoder, packets [][]byte, frame int, lost func(i int) bool, fec bool,
) (pcm []float32) {
	t.Helper()
	for i, packet := range packets {
		var err error
		dst, n := make([]float32, frame), frame
		switch {
		case !lost(i):
			n, err = d.Decode(dst, packet)
		case fec && i+1 < len(packets) && !lost(i+1):
			err = d.DecodeFEC(dst, packets[i+1])
		default:
			err = d.Conceal(dst)
		}
		if err != nil || n != frame {
			t.Fatalf("packet %d: %d samples, %v", i, n, err)
		}
		pcm = append(pcm, dst...)
	}
	return pcm
}

// losing is the same loss for everybody.
func losing(share float64) func(i int) bool {
	return func(i int) bool { return rand.New(rand.NewPCG(uint64(i), 1)).Float64() < share }
}

// snr is how far the difference lies below want, dB.
func snr(want, got []float32) float64 {
	var signal, noise float64
	for i, x := range want {
		signal += float64(x) * float64(x)
		noise += math.Pow(float64(x-got[i]), 2)
	}
	return 10 * math.Log10((signal+1e-12)/(noise+1e-12))
}

// The same packets sound the same, whoever made them: every frame length and rate, with silence (DTX), loss,
// in-band FEC, and concealment. Of frames of 10 ms, which nobody sends, concealment differs at 6 and 8
// kbit/s: 6 to 14 dB.
func TestDecodesAsLibopus(t *testing.T) {
	pcm := append(speech.Must(t, speech.Keywords, 2*time.Second), make([]float32, 24000)...)
	for i, rate := range []int{6000, 8000, 9000, 12000, 16000, 24000, 40000, 64000} {
		for k, d := range frameDurations[1:] {
			c := opus.Config{
				Bitrate: rate, FrameDuration: d, Complexity: 7, DTX: true,
				InbandFEC: k%2 == 1, ExpectedLoss: 20,
			}
			var e encoder = newEncoder(t, c)
			if (i+k)%2 == 0 {
				e = newCEncoder(t, c)
			}
			frame := int(d * opus.SampleRate / time.Second)
			packets := coded(t, e, pcm, frame)
			for share, least := range map[float64]float64{0: 50, 0.1: 30, 0.4: 30} { // 76, 42, 41 dB
				ours := played(t, newDecoder(t), packets, frame, losing(share), c.InbandFEC)
				theirs := played(t, newCDecoder(t), packets, frame, losing(share), c.InbandFEC)
				if db := snr(theirs, ours); db < least {
					t.Errorf("%+v: with a loss of %.1f libopus is %.1f dB away", c, share, db)
				}
			}
		}
	}
}

// Speech is understood as well as with the encoder of libopus, whatever is lost. That has no ExpectedLoss, as
// it was used.
func TestEncodesAsLibopus(t *testing.T) {
	pcm := speech.Must(t, speech.Review, 0)
	l := newListener(pcm)
	ms := time.Millisecond
	for _, test := range []struct {
		opus.Config
		least float64 // STOI, of what comes without loss
	}{
		// Measured with gopus and with libopus, without loss and with half of all packets lost:
		// .990 .990   .638 .610
		{opus.Config{Bitrate: 24000, FrameDuration: 20 * ms}, .98},
		// .947 .895   .759 .739
		{opus.Config{Bitrate: 24000, FrameDuration: 20 * ms, InbandFEC: true, ExpectedLoss: 20}, .93},
		// .986 .965   .606 .572
		{opus.Config{Bitrate: 16000, FrameDuration: 40 * ms}, .97},
		// .968 .967   .614 .610
		{opus.Config{Bitrate: 9000, FrameDuration: 40 * ms}, .96},
		// .962 .961   .519 .535
		{opus.Config{Bitrate: 8000, FrameDuration: 60 * ms}, .95},
		// .919 .923   .478 .512
		{opus.Config{Bitrate: 6000, FrameDuration: 60 * ms}, .90},
	} {
		c := test.Config
		c.Complexity = 9
		frame := int(c.FrameDuration * opus.SampleRate / time.Second)
		e := newEncoder(t, c)
		ours, theirs := coded(t, e, pcm, frame), coded(t, newCEncoder(t, c), pcm, frame)
		for _, share := range []float64{0, 0.05, 0.1, 0.3, 0.5} {
			understood := func(packets [][]byte) float64 {
				got := played(t, newDecoder(t), packets, frame, losing(share), c.InbandFEC)
				return l.stoi(got[e.Lookahead():])
			}
			got, want := understood(ours), understood(theirs)
			if got < want-0.01-0.08*share || share == 0 && got < test.least {
				t.Errorf("%+v: with a loss of %.2f STOI is %.3f, with libopus %.3f", c, share, got, want)
			}
		}
	}
}

// As much is left out of silence as by libopus, and all of speech is there.
func TestDTXAsLibopus(t *testing.T) {
	said := speech.Must(t, speech.Keywords, 3*time.Second)
	pcm := append(append(make([]float32, 48000), said...), make([]float32, 3*48000)...)
	for _, d := range frameDurations[1:] {
		c := opus.Config{Bitrate: 24000, FrameDuration: d, Complexity: 9, DTX: true}
		frame := int(d * opus.SampleRate / time.Second)
		silent := func(e encoder) (n int, packets [][]byte) {
			packets = coded(t, e, pcm, frame)
			for _, p := range packets {
				if parsed, err := opus.Parse(p); err == nil && parsed.Empty() { // some of libopus are padded
					n++
				}
			}
			return n, packets
		}
		ours, packets := silent(newEncoder(t, c))
		theirs, _ := silent(newCEncoder(t, c))
		if ours < theirs*9/10 || ours > theirs*11/10+1 {
			t.Errorf("%v: %d of %d frames are silent, with libopus %d", d, ours, len(packets), theirs)
		}
		got := played(t, newDecoder(t), packets, frame, losing(0), false)
		if r := speech.Compare(pcm, got); len(r.Missing) > 0 || r.Active < 50 {
			t.Errorf("%v: %d of %d spoken frames are missing: %v", d, len(r.Missing), r.Active, r.Missing)
		}
	}
}

// What hostile talkers and bad networks send is decoded or refused as by libopus: random packets, and real
// ones with bits, lengths and headers changed.
func TestHostilePackets(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	pcm := speech.Must(t, speech.Center, 0)
	var real [][]byte
	for _, rate := range []int{6000, 16000, 24000, 64000} {
		for _, d := range frameDurations {
			e := newEncoder(t, opus.Config{Bitrate: rate, FrameDuration: d, Complexity: 1, InbandFEC: true})
			real = append(real, coded(t, e, pcm, e.FrameSamples())...)
		}
	}
	for range 40 {
		var data []byte
		for range 100 {
			packet := append([]byte(nil), real[rng.IntN(len(real))]...)
			switch rng.IntN(4) {
			case 0:
				packet = make([]byte, rng.IntN(200))
				for i := range packet {
					packet[i] = byte(rng.Uint32())
				}
			case 1:
				for range 1 + rng.IntN(8) {
					packet[rng.IntN(len(packet))] ^= 1 << rng.IntN(8)
				}
			case 2:
				packet[0] = byte(rng.Uint32())
			}
			data = addStep(data, byte(rng.Uint32()), packet)
		}
		hostile(t, data)
	}
}
