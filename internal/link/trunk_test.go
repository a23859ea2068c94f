package link

import (
	"fmt"
	"testing"

	"github.com/wzp-voice/wzp/internal/udp"
	"github.com/wzp-voice/wzp/internal/wire"
)

// trunkPacket returns the frames of n talkers in short form, as one packet's.
func trunkPacket(n int) (frames []byte) {
	for i := range n {
		m := wire.Media{Alias: uint16(i), CTR: 1, Ciphertext: make([]byte, 80)}
		frames = wire.AppendMedia(frames, &m, i == n-1)
	}
	return frames
}

// peers returns both ends of a peer link, of which the accepting one knows aliases 0 to 31.
func peers(tb testing.TB) (dialled, accepted *side) {
	dialled, accepted = newSide(tb, true), newSide(tb, false)
	dialled.session.makePeer()
	accepted.session.makePeer()
	for i := range uint16(32) {
		m := wire.Media{Tagged: true, Alias: i, Room: wire.HashRoom("r"), KID: 2 + 2*wire.KID(i),
			Ciphertext: []byte{1}}
		dialled.session.SendPacket(dialled.tx, wire.AppendMedia(nil, &m, true), 1)
		accepted.ep.sealed(accepted.tx.batch, dialled.sent(), accepted.path)
	}
	if accepted.handler.media != 32 {
		tb.Fatalf("%d of 32 announcements came", accepted.handler.media)
	}
	return dialled, accepted
}

func TestSendPacketAllocatesNothing(t *testing.T) {
	dialled, accepted := peers(t)
	frames := trunkPacket(10)
	p := make([]byte, 0, udp.MaxPacket)
	if n := testing.AllocsPerRun(500, func() {
		dialled.session.SendPacket(dialled.tx, frames, 10)
		dialled.tx.batch.Flush()
		p = append(p[:0], dialled.conn.last...)
		accepted.ep.sealed(accepted.tx.batch, p, accepted.path)
		accepted.tx.batch.Flush()
	}); n > 0 && !raceDetector {
		t.Errorf("%v allocations a packet", n)
	}
	if accepted.handler.media != 32+10*501 || dialled.session.Counts().MediaSent != 32+501 {
		t.Errorf("%d frames came, %d packets were sent", accepted.handler.media,
			dialled.session.Counts().MediaSent)
	}
}

func TestSendPacketSizes(t *testing.T) {
	dialled, _ := peers(t)
	for size, sent := range map[int]uint64{0: 0, 1: 1, wire.MaxPlaintext: 1, wire.MaxPlaintext + 1: 0} {
		before := dialled.session.Counts()
		dialled.session.SendPacket(dialled.tx, make([]byte, size), 1)
		after := dialled.session.Counts()
		if after.PacketsSent-before.PacketsSent != sent || after.MediaSent-before.MediaSent != sent {
			t.Errorf("%d bytes: from %+v to %+v", size, before, after)
		}
	}
}

// BenchmarkSendPacket is what a packet of n talkers costs on a peer link, without the system calls. Compare
// it with n times BenchmarkFanOut's.
func BenchmarkSendPacket(b *testing.B) {
	for _, n := range []int{1, 5, 10} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			dialled, _ := peers(b)
			frames := trunkPacket(n)
			b.ReportAllocs()
			for b.Loop() {
				dialled.session.SendPacket(dialled.tx, frames, n)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/frame")
		})
	}
}
