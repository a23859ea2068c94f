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
		p := New(&wildDecoder{}, Config{})
		var last Packet
		now := time.Duration(0)
		payload := make([]byte, 2000)
		for ; len(data) >= opSize; data = data[opSize:] {
			now += time.Duration(int32(binary.BigEndian.Uint32(data[12:]))) * 10 * time.Microsecond
			field := binary.BigEndian.Uint16(data[2:])
			if data[0]&1 != 0 {
				dst := make([]float32, field%1024)
				p.Read(dst, now)
				for _, v := range dst {
					if !(v >= -clip && v <= clip) {
						t.Fatalf("sample %v", v)
					}
				}
				continue
			}
			packet := Packet{Counter: binary.BigEndian.Uint64(data[4:]), Timestamp: field, Silence: data[0]&2 != 0}
			if data[0]&4 != 0 {
				packet.Counter, packet.Timestamp = last.Counter+1, last.Timestamp+field%64
			}
			durations := []time.Duration{10, 20, 40, 60, 0, -20, 1 << 40}
			packet.Duration = durations[int(data[1])%len(durations)] * time.Millisecond
			packet.Payload = payload[:int(data[1])*int(data[1])/40]
			if len(packet.Payload) > 0 {
				packet.Payload[0] = data[1]
			}
			last = packet
			p.Put(packet, now)
			if used := len(p.buf.list.order) + len(p.buf.list.free); used != len(p.buf.list.slots) {
				t.Fatalf("%d of %d slots accounted for", used, len(p.buf.list.slots))
			}
			if p.buf.list.held > p.buf.maxHeld+maxFrame || p.buf.list.held < 0 {
				t.Fatalf("%d samples held", p.buf.list.held)
			}
		}
		p.Stats()
		p.Active()
		// Whatever happened: a fresh talkspurt plays, within the greatest delay
		// and the time that what is still in the buffer takes.
		now = max(now, 0) + 40*time.Second
		dst := make([]float32, 960)
		played := p.Stats().Played + p.Stats().Undecodable
		for i := range 150 {
			p.Put(Packet{Counter: last.Counter + 1 + uint64(i), Timestamp: uint16(i * 8), Duration: 20 * time.Millisecond, Payload: []byte{1}}, now)
			p.Read(dst, now)
			now += 20 * time.Millisecond
		}
		if s := p.Stats(); s.Played+s.Undecodable < played+50 {
			t.Fatalf("wedged: %+v", s)
		}
	})
}
