//go:build linux

package opus_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/wzp-voice/wzp/internal/audio/speech"
	"github.com/wzp-voice/wzp/internal/opus"
)

// FuzzPacketDuration holds the parser against libopus's own: both must agree on what is a packet and on how
// many frames it has, and the decoder must decode every packet that passes, to just the announced length.
func FuzzPacketDuration(f *testing.F) {
	f.Add([]byte{31 << 3, 1, 2, 3})
	f.Add([]byte{31<<3 | 1, 1, 2, 3, 4})
	f.Add([]byte{31<<3 | 2, 1, 2, 3, 4})
	f.Add([]byte{31<<3 | 3, 0xc3, 1, 1, 2, 1, 2, 3, 4, 5})
	f.Add(append([]byte{8, 252, 0}, bytes.Repeat([]byte{0xa5}, 60)...))
	lib := reference(f)
	dec := newDecoder(f)
	dst := make([]float32, opus.MaxPacketSamples)
	f.Fuzz(func(t *testing.T, packet []byte) {
		if len(packet) > 8<<10 {
			return // nobody makes such packets: they are refused
		}
		p, err := opus.Parse(packet)
		frames := lib.frames(packet)
		if (err == nil) != (frames > 0) {
			t.Fatalf("% x: Parse says %v, libopus %d", packet, err, frames)
		}
		n, decErr := dec.Decode(dst, packet)
		if err != nil {
			if decErr == nil {
				t.Fatalf("% x: decoded though %v", packet, err)
			}
			return
		}
		if p.Frames != frames || p.Samples() > opus.MaxPacketSamples {
			t.Fatalf("% x: %d frames, libopus says %d", packet, p.Frames, frames)
		}
		p.HasFEC()
		if decErr != nil || n != p.Samples() {
			t.Fatalf("% x: decoded %d samples, %v; want %d", packet, n, decErr, p.Samples())
		}
	})
}

// steps cuts fuzzed bytes into what a hostile talker and a bad network do to a decoder, one after the other:
// a byte that says what, two that say how long, and a packet.
func steps(data []byte, do func(what byte, packet []byte)) {
	for len(data) >= 3 {
		what, n := data[0], int(data[1])|int(data[2]&7)<<8
		data = data[3:]
		n = min(n, len(data))
		do(what, data[:n])
		data = data[n:]
	}
}

func addStep(data []byte, what byte, packet []byte) []byte {
	data = append(data, what, byte(len(packet)), byte(len(packet)>>8))
	return append(data, packet...)
}

// FuzzDecode gives a decoder, and one of libopus, any packets and gaps in any order: both decode, or both
// refuse, and what comes out are numbers, within bounds.
func FuzzDecode(f *testing.F) {
	e := newEncoder(f, opus.Config{Bitrate: 16000, InbandFEC: true, ExpectedLoss: 20})
	var talk []byte
	for i, p := range encodeAll(f, e, speech.Must(f, speech.Center, 0)) {
		talk = addStep(talk, byte(i%4), p)
	}
	f.Add(talk)
	f.Add(addStep(talk[:2000], 0, append([]byte{31<<3 | 4}, bytes.Repeat([]byte{0xff}, 200)...)))
	f.Add(addStep(talk[:2000], 1, append([]byte{15 << 3}, bytes.Repeat([]byte{0x5a}, 200)...)))
	f.Add(addStep(addStep(nil, 2, nil), 0, []byte{3<<3 | 3, 0x42, 0, 1, 2, 3, 4}))
	f.Fuzz(func(t *testing.T, data []byte) { hostile(t, data) })
}

func hostile(t *testing.T, data []byte) {
	ours, theirs := newDecoder(t), newCDecoder(t)
	got, want := make([]float32, opus.MaxPacketSamples), make([]float32, opus.MaxPacketSamples)
	steps(data, func(what byte, packet []byte) {
		n, err := 0, error(nil)
		m, other := 0, error(nil)
		gap := 120 * (1 + int(what>>2)%48)
		switch what & 3 {
		case 0, 1:
			n, err = ours.Decode(got, packet)
			m, other = theirs.Decode(want, packet)
		case 2:
			n, err = gap, ours.DecodeFEC(got[:gap], packet)
			m, other = gap, theirs.DecodeFEC(want[:gap], packet)
		case 3:
			n, err = gap, ours.Conceal(got[:gap])
			m, other = gap, theirs.Conceal(want[:gap])
		}
		if (err == nil) != (other == nil) || err == nil && n != m {
			t.Fatalf("% x: %d samples, %v; libopus has %d, %v", packet, n, err, m, other)
		}
		for i, x := range got[:n] {
			if !(math.Abs(float64(x)) <= 8) {
				t.Fatalf("% x: sample %d is %v", packet, i, x)
			}
		}
	})
}
