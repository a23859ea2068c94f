package opus

import (
	"errors"
	"testing"
	"time"

	"github.com/thesyncim/gopus"
)

// The durations of all 32 configurations, RFC 6716 section 3.1, table 2.
func TestParseConfigurations(t *testing.T) {
	ms := func(f float64) time.Duration { return time.Duration(f * float64(time.Millisecond)) }
	silk := []time.Duration{ms(10), ms(20), ms(40), ms(60)}
	hybrid := []time.Duration{ms(10), ms(20)}
	celt := []time.Duration{ms(2.5), ms(5), ms(10), ms(20)}
	for config := range 32 {
		var want time.Duration
		var mode gopus.Mode
		switch {
		case config < 12:
			want, mode = silk[config%4], gopus.ModeSILK
		case config < 16:
			want, mode = hybrid[config%2], gopus.ModeHybrid
		default:
			want, mode = celt[config%4], gopus.ModeCELT
		}
		p, err := Parse([]byte{byte(config << 3), 1, 2, 3})
		if err != nil || p.Duration() != want || p.Mode != mode || p.Frames != 1 {
			t.Errorf("config %d: got %v mode %d, %v; want %v mode %d",
				config, p.Duration(), p.Mode, err, want, mode)
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
	if n := testing.AllocsPerRun(100, func() { Parse(packet) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
