package test

import (
	"context"
	"crypto/tls"
	"math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/wzp-voice/wzp/internal/audio/speech"
)

// callThrough lets one talk and one listen at the given addresses of relay r while disturb runs, and fails
// the test unless all was heard and a third can join meanwhile.
func callThrough(t *testing.T, r *relay, talkAt, listenAt string, disturb func(ctx context.Context)) {
	t.Helper()
	in, said := sound(t, speech.Keywords, 5*time.Second)
	out := filepath.Join(t.TempDir(), "heard.wav")
	load := measureContention()
	listener := join(t, listenAt, "room", "--in", "none", "--out", out)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	wg.Go(func() { disturb(ctx) })
	talking := join(t, talkAt, "room", "--in", in, "--out", "none", "--name", "anna")
	time.Sleep(3 * time.Second)
	join(t, r.addr, "room", "--in", "none", "--out", "none", "--for", "100ms").finish(soon)
	sent := talking.finish(time.Minute)
	time.Sleep(500 * time.Millisecond)
	got := listener.leave()
	excuses := load.stop(t)
	stop()
	whole(t, sent, got.talker(t, "anna"), speech.Compare(said, heard(t, out)), excuses)
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
	r := startRelay(t)
	conn := stranger(t)
	to, err := net.ResolveUDPAddr("udp4", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.NewChaCha8([32]byte{1})
	callThrough(t, r, r.addr, r.addr, func(ctx context.Context) {
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
	r.grew("unknown_id_packets_total", "bad_header_packets_total", "resets_sent_total")
}

// TestConnectionFlood: connections that never say who they are keep nobody out.
func TestConnectionFlood(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	to, err := net.ResolveUDPAddr("udp4", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	transport := &quic.Transport{Conn: stranger(t)}
	defer transport.Close()
	callThrough(t, r, r.addr, r.addr, func(ctx context.Context) {
		var wg sync.WaitGroup
		defer wg.Wait()
		for range 400 {
			wg.Go(func() {
				conn, err := transport.Dial(ctx, to, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"wzp"}}, nil)
				if err != nil {
					return // refused
				}
				defer conn.CloseWithError(0, "")
				select {
				case <-ctx.Done():
				case <-conn.Context().Done():
				}
			})
			time.Sleep(10 * time.Millisecond)
		}
	})
	r.grew("hellos_refused_total")
}

// TestMalformedPackets: who repeats, cuts and alters what passes, both ways, does no harm to a call.
func TestMalformedPackets(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	meddle := func(b []byte) [][]byte {
		if b[0] >= 0x40 {
			return [][]byte{b} // QUIC looks after itself
		}
		flipped := slices.Clone(b)
		flipped[rand.N(len(flipped))] ^= 1 << rand.N(8)
		return [][]byte{flipped, b[:rand.N(len(b))], append(slices.Clone(b), 0), b, b}
	}
	mouth, ear := newMeddlingTap(t, r.addr, meddle), newMeddlingTap(t, r.addr, meddle)
	callThrough(t, r, mouth.addr(), ear.addr(), func(context.Context) {})
	r.grew("replayed_packets_total", "forged_packets_total", "bad_header_packets_total")
}
