package test

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// callThrough lets one talk and one listen while disturb runs, and fails the test unless one hears the other
// and a third can join meanwhile. That nothing of it is lost is tested in the root package, where time is
// virtual.
func callThrough(t *testing.T, r *relay, disturb func(ctx context.Context)) {
	t.Helper()
	listener := join(t, r.addr, "room", "--in", "none", "--out", "none")
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	wg.Go(func() { disturb(ctx) })
	talking := join(t, r.addr, "room", "--in", "tone", "--out", "none", "--no-dtx", "--name", "anna", "--for",
		"4s")
	listener.hears("anna")
	join(t, r.addr, "room", "--in", "none", "--out", "none", "--for", "100ms").finish(soon)
	sent := talking.finish(patience)
	stop()
	if s := listener.leave().talker(t, "anna"); sent.PacketsSent == 0 || s.Received == 0 || s.Forged > 0 {
		t.Errorf("%d packets were sent: %+v", sent.PacketsSent, s)
	}
	if !r.running() {
		t.Fatal("the relay has ended")
	}
	r.noPanic()
}

// stranger is a socket of another address than the clients', so that limits for one address are its own.
func stranger(t *testing.T) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// grew fails the test unless these counters of the relay are above zero.
func (r *relay) grew(names ...string) {
	r.t.Helper()
	for _, name := range names {
		v := r.metric(name)
		r.t.Logf("%s: %v", name, v)
		if v == 0 {
			r.t.Errorf("the relay does not count %s", name)
		}
	}
}

// TestGarbageFlood: noise on the relay's port does no harm to a call.
func TestGarbageFlood(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	conn := stranger(t)
	to, err := net.ResolveUDPAddr("udp4", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.NewChaCha8([32]byte{1})
	callThrough(t, r, func(ctx context.Context) {
		buf := make([]byte, 1500)
		ticker := time.NewTicker(10 * time.Millisecond)
		defer ticker.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			for i := range 20 {
				random.Read(buf)
				size := rand.N(len(buf))
				switch i % 4 {
				case 0:
					buf[0] = 0x10 // a sealed packet, as far as one can see
				case 1: // QUIC, the same
					copy(buf, []byte{0xc0, 0, 0, 0, 1, 8})
					size = 1200
				}
				conn.WriteToUDP(buf[:size], to)
			}
		}
	})
	r.grew(`dropped_total{reason="unknown_id",what="packet"}`,
		`dropped_total{reason="bad_header",what="packet"}`, "resets_sent_total")
}
