package jitter

import (
	"encoding/binary"
	"math"
	"testing"
	"time"
)

// wildDecoder returns what no decoder should.
type wildDecoder struct{ n int }

func (d *wildDecoder) Decode(dst []float32, payload []byte) (int, error) {
	d.Conceal(dst)
	if payload[0]%16 == 0 {
		return len(dst) - 1, nil
	}
	return len(dst), nil
}

func (d *wildDecoder) DecodeFEC(dst []float32, _ []byte) error {
	d.Conceal(dst)
	return nil
}

func (d *wildDecoder) Conceal(dst []float32) {
	wild := []float32{0, 1, -1, float32(math.NaN()), float32(math.Inf(1)), math.MaxFloat32, -0.5}
	for i := range dst {
		d.n++
		dst[i] = wild[d.n/700%len(wild)]
	}
}

// The fuzzer's bytes are a list of operations of 16 bytes:
//
//	0    kind: bit 0 read, bit 1 silence, bit 2 continue the counter and timestamp
//	1    index of the duration, or of the payload length
//	2-3  timestamp, or length of the read (below 1024)
//	4-11 counter (bit 2 clear)
//	12-15 time step in 10 us, signed
const opSize = 16

func FuzzPlayer(f *testing.F) {
	f.Add([]byte{})
	talk := []byte{}
	for range 20 {
		talk = append(talk, 4, 1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
		talk = append(talk, 1, 0, 1, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0xe8)
	}
	f.Add(talk)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 200*opSize {
			return
		}
		w := &wildRun{player: New(&wildDecoder{}, Config{}), payload: make([]byte, 2000)}
		for ; len(data) >= opSize; data = data[opSize:] {
			w.operate(t, data[:opSize])
		}
		w.player.Active()
		w.talk(t)
	})
}

// wildRun carries out the fuzzer's operations.
type wildRun struct {
	player  *Player
	now     time.Duration
	last    Packet
	payload []byte
}

func (w *wildRun) operate(t *testing.T, op []byte) {
	w.now += time.Duration(int32(binary.BigEndian.Uint32(op[12:]))) * 10 * time.Microsecond
	field := binary.BigEndian.Uint16(op[2:])
	if op[0]&1 != 0 {
		w.read(t, make([]float32, field%1024))
		return
	}
	packet := Packet{Counter: binary.BigEndian.Uint64(op[4:]), Timestamp: field, Silence: op[0]&2 != 0}
	if op[0]&4 != 0 {
		packet.Counter, packet.Timestamp = w.last.Counter+1, w.last.Timestamp+field%64
	}
	durations := []time.Duration{10, 20, 40, 60, 0, -20, 1 << 40}
	packet.Duration = durations[int(op[1])%len(durations)] * time.Millisecond
	packet.Payload = w.payload[:int(op[1])*int(op[1])/40]
	if len(packet.Payload) > 0 {
		packet.Payload[0] = op[1]
	}
	w.last = packet
	w.player.Put(packet, w.now)
	l := &w.player.buf.list
	if all := len(l.order) + len(l.free); all > l.most {
		t.Fatalf("%d slots, at most %d are needed", all, l.most)
	}
	if l.held > maxHeld+maxFrame || l.held < 0 {
		t.Fatalf("%d samples held", l.held)
	}
}

func (w *wildRun) read(t *testing.T, dst []float32) {
	w.player.Read(dst, w.now)
	for _, v := range dst {
		if !(v >= -clip && v <= clip) {
			t.Fatalf("sample %v", v)
		}
	}
}

// talk checks that, whatever happened before, a new talkspurt plays.
func (w *wildRun) talk(t *testing.T) {
	w.now = max(w.now, 0) + 40*time.Second
	before := w.player.Stats()
	dst := make([]float32, 960)
	for i := range 150 {
		w.player.Put(Packet{
			Counter: w.last.Counter + 1 + uint64(i), Timestamp: uint16(i * 8),
			Duration: 20 * time.Millisecond, Payload: []byte{1},
		}, w.now)
		w.read(t, dst)
		w.now += 20 * time.Millisecond
	}
	if s := w.player.Stats(); s.Played < before.Played+50 {
		t.Fatalf("wedged: %+v, then %+v", before, s)
	}
}
