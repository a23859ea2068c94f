package opus

import (
	"bytes"
	"errors"
	"testing"
	"time"
	"unsafe"
)

// The durations of all 32 configurations, RFC 6716 section 3.1, table 2.
func TestParseConfigurations(t *testing.T) {
	ms := func(f float64) time.Duration { return time.Duration(f * float64(time.Millisecond)) }
	silk := []time.Duration{ms(10), ms(20), ms(40), ms(60)}
	hybrid := []time.Duration{ms(10), ms(20)}
	celt := []time.Duration{ms(2.5), ms(5), ms(10), ms(20)}
	for config := range 32 {
		var want time.Duration
		var mode Mode
		switch {
		case config < 12:
			want, mode = silk[config%4], ModeSILK
		case config < 16:
			want, mode = hybrid[config%2], ModeHybrid
		default:
			want, mode = celt[config%4], ModeCELT
		}
		p, err := Parse([]byte{byte(config << 3), 1, 2, 3})
		if err != nil || p.Duration() != want || p.Mode != mode || p.Frames != 1 {
			t.Errorf("config %d: got %v mode %d, %v; want %v mode %d", config, p.Duration(), p.Mode, err, want, mode)
		}
	}
}

func TestParseFraming(t *testing.T) {
	const celt20 = 31 << 3
	const silk60 = 3 << 3
	body := func(head []byte, n int) []byte { return append(head, make([]byte, n)...) }
	tests := []struct {
		name   string
		packet []byte
		frames int // 0: malformed
	}{
		{"empty", nil, 0},
		{"toc only", []byte{celt20}, 1},
		{"one frame of 1275", body([]byte{celt20}, 1275), 1},
		{"one frame of 1276", body([]byte{celt20}, 1276), 0},
		{"two equal", body([]byte{celt20 | 1}, 8), 2},
		{"two equal of odd length", body([]byte{celt20 | 1}, 9), 0},
		{"two equal of 1276", body([]byte{celt20 | 1}, 2552), 0},
		{"two sized", body([]byte{celt20 | 2, 3}, 8), 2},
		{"two sized, no length", []byte{celt20 | 2}, 0},
		{"two sized, half a length", []byte{celt20 | 2, 252}, 0},
		{"two sized, first too long", body([]byte{celt20 | 2, 9}, 8), 0},
		{"two sized, long length", body([]byte{celt20 | 2, 252, 1}, 300), 2},
		{"two sized, second of 1276", body([]byte{celt20 | 2, 0}, 1276), 0},
		{"counted, no count", []byte{celt20 | 3}, 0},
		{"counted, none", []byte{celt20 | 3, 0}, 0},
		{"counted, six", body([]byte{celt20 | 3, 6}, 12), 6},
		{"counted, seven are 140 ms", body([]byte{celt20 | 3, 7}, 14), 0},
		{"counted, two of 60 ms", body([]byte{silk60 | 3, 2}, 14), 2},
		{"counted, three of 60 ms", body([]byte{silk60 | 3, 3}, 15), 0},
		{"counted, uneven", body([]byte{celt20 | 3, 3}, 4), 0},
		{"counted, sized", body([]byte{celt20 | 3, 0x83, 2, 3}, 9), 3},
		{"counted, sized, cut short", []byte{celt20 | 3, 0x83, 2}, 0},
		{"padding", body([]byte{celt20 | 3, 0x41, 2}, 5), 1},
		{"padding is all", body([]byte{celt20 | 3, 0x41, 2}, 2), 1},
		{"padding longer than the packet", body([]byte{celt20 | 3, 0x41, 3}, 2), 0},
		{"padding of 254 and more", body([]byte{celt20 | 3, 0x41, 255, 1}, 256), 1},
		{"padding length cut short", []byte{celt20 | 3, 0x41, 255}, 0},
	}
	for _, test := range tests {
		p, err := Parse(test.packet)
		if test.frames == 0 {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("%s: got %+v, %v; want ErrMalformed", test.name, p, err)
			}
			continue
		}
		if err != nil || p.Frames != test.frames {
			t.Errorf("%s: got %d frames, %v; want %d", test.name, p.Frames, err, test.frames)
		}
	}
}

func TestParseEmpty(t *testing.T) {
	for _, test := range []struct {
		packet []byte
		want   bool
	}{
		{[]byte{0x08}, true},
		{[]byte{0x08, 1}, true},
		{[]byte{0x08, 1, 2}, false},
		{[]byte{0x0b, 0x83, 0, 0}, true},
		{[]byte{0x0a, 0, 1, 2}, false},
	} {
		p, err := Parse(test.packet)
		if err != nil || p.Empty() != test.want {
			t.Errorf("% x: got %v, %v; want %v", test.packet, p.Empty(), err, test.want)
		}
	}
}

func TestParseDoesNotAllocate(t *testing.T) {
	packet := append([]byte{31<<3 | 3, 0x83, 2, 3}, make([]byte, 9)...)
	if n := testing.AllocsPerRun(100, func() { PacketDuration(packet) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// parseFrames is opus_packet_parse: the frames in a packet or a negative code.
func (l *library) parseFrames(packet []byte) int {
	const maxFrames = 48 // of 2.5 ms in 120 ms
	var frames [maxFrames]unsafe.Pointer
	var sizes [maxFrames]int16
	return int(int32(call(l.packetParse,
		uintptr(unsafe.Pointer(&packet[0])), uintptr(len(packet)), 0,
		uintptr(unsafe.Pointer(&frames)), uintptr(unsafe.Pointer(&sizes)), 0)))
}

// FuzzPacketDuration holds the parser against libopus's own: both must agree on
// what is a packet and on how many frames it has, and the decoder must decode
// every packet that passes, to just the announced length.
func FuzzPacketDuration(f *testing.F) {
	f.Add([]byte{31 << 3, 1, 2, 3})
	f.Add([]byte{31<<3 | 1, 1, 2, 3, 4})
	f.Add([]byte{31<<3 | 2, 1, 2, 3, 4})
	f.Add([]byte{31<<3 | 3, 0xc3, 1, 1, 2, 1, 2, 3, 4, 5})
	f.Add(append([]byte{8, 252, 0}, bytes.Repeat([]byte{0xa5}, 60)...))
	lib, err := loaded()
	if err != nil {
		f.Fatal(err)
	}
	dec, err := NewDecoder()
	if err != nil {
		f.Fatal(err)
	}
	dst := make([]float32, MaxPacketSamples)
	f.Fuzz(func(t *testing.T, packet []byte) {
		p, err := Parse(packet)
		frames := -1
		if len(packet) > 0 {
			frames = lib.parseFrames(packet)
		}
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
		if p.Frames != frames || p.Samples() > MaxPacketSamples {
			t.Fatalf("% x: %d frames, libopus says %d", packet, p.Frames, frames)
		}
		p.HasFEC()
		if decErr != nil || n != p.Samples() {
			t.Fatalf("% x: decoded %d samples, %v; want %d", packet, n, decErr, p.Samples())
		}
	})
}
