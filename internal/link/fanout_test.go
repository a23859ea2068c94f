package link

import (
	"fmt"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/seal"
	"github.com/wzp-voice/wzp/internal/wire"
)

// crowd returns a relay's end of n sessions with keys of their own, and the relay.
func crowd(tb testing.TB, n int) (*side, []*Session) {
	tb.Helper()
	relay := newSide(tb, false)
	sessions := make([]*Session, n)
	for i := range sessions {
		s := relay.ep.newSession(relay.handler, [16]byte{2, byte(i >> 8), byte(i)}, newIdentity(2).Public())
		keys := exported{toRelay: seal.Secret{1, byte(i >> 8), byte(i)},
			toClient: seal.Secret{2, byte(i >> 8), byte(i)}}
		s.install(&attachment{session: s, local: wire.ConnID(i + 2), remote: wire.ConnID(i + 2)}, &keys,
			relay.path, time.Now())
		sessions[i] = s
	}
	return relay, sessions
}

// TestFanOutAllocatesNothing also checks that every session gets its packet.
func TestFanOutAllocatesNothing(t *testing.T) {
	const n = 3*lookAhead + 5 // several rounds of looking ahead, and a part of one
	relay, sessions := crowd(t, n)
	short, long := mediaFrames(1)
	if allocs := testing.AllocsPerRun(100, func() {
		SendMediaAll(relay.tx, sessions, 3, short, long)
		relay.tx.batch.Flush()
	}); allocs > 0 {
		t.Errorf("%v allocations for %d packets", allocs, n)
	}
	for i, s := range sessions {
		if got := s.Counts().MediaSent; got != 101 { // AllocsPerRun warms up once
			t.Errorf("session %d got %d packets", i, got)
		}
	}
}

// BenchmarkFanOut is a relay's cost for a packet to each of n listeners, without the system calls.
func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{50, 200, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			relay, sessions := crowd(b, n)
			short, long := mediaFrames(1)
			b.ReportAllocs()
			for b.Loop() {
				SendMediaAll(relay.tx, sessions, 3, short, long)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/packet")
		})
	}
}
