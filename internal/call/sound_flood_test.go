package call

import (
	"context"
	"crypto/tls"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/wzp-voice/wzp/internal/audio/speech"
	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/simnet"
)

// callThrough lets one talk and one listen while disturb runs, and fails the test unless all was heard and a
// third can join meanwhile.
func callThrough(l *lab, ear *listener, said []float32, disturb func(ctx context.Context)) {
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	wg.Go(func() { disturb(ctx) })
	time.Sleep(500 * time.Millisecond)
	s := l.speaker("anna", said).speaks("r")
	time.Sleep(2 * time.Second)
	l.joined("carl", "r").leave()
	ended(s)
	stop()
	ear.whole(s)
}

// strangersHost is a host that is nobody's.
var strangersHost = netip.MustParseAddr("10.0.9.9")

// TestGarbageFlood: noise on the relay's port does no harm to a call.
func TestGarbageFlood(t *testing.T) {
	said := speech.Must(t, speech.Keywords, 4*time.Second)
	inLab(t, func(l *lab) {
		random := rand.NewChaCha8([32]byte{1})
		callThrough(l, l.listener("bert", "r", ""), said, func(ctx context.Context) {
			dice := rand.New(random)
			for n := 0; ctx.Err() == nil; n++ {
				b := make([]byte, 1+dice.IntN(1400))
				random.Read(b)
				switch n % 4 {
				case 0:
					b[0] = 0x10 // a sealed packet, as far as one can see
				case 1: // QUIC, the same
					b = append([]byte{0xc0, 0, 0, 0, 1, 8}, make([]byte, 1194)...)
					random.Read(b[6:])
				}
				if err := l.net.Inject(netip.AddrPortFrom(strangersHost, 999), relayAddr, b); err != nil {
					t.Error(err)
				}
				if n%20 == 0 {
					time.Sleep(10 * time.Millisecond)
				}
			}
		})
	})
}

// TestConnectionFlood: connections that never say who they are keep nobody out.
func TestConnectionFlood(t *testing.T) {
	said := speech.Must(t, speech.Keywords, 4*time.Second)
	inLab(t, func(l *lab) {
		conn := l.conn(netip.AddrPortFrom(strangersHost, 999))
		transport := &quic.Transport{Conn: conn}
		defer conn.Close()
		defer transport.Close()
		callThrough(l, l.listener("bert", "r", ""), said, func(ctx context.Context) {
			var wg sync.WaitGroup
			defer wg.Wait()
			for range 300 {
				wg.Go(func() {
					to := net.UDPAddrFromAddrPort(relayAddr)
					conn, err := transport.Dial(ctx, to,
						&tls.Config{InsecureSkipVerify: true, NextProtos: []string{"wzp"}}, nil)
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
	})
}

// TestMalformedPackets: who alters, cuts and repeats what passes, both ways, does no harm to a call.
func TestMalformedPackets(t *testing.T) {
	said := speech.Must(t, speech.Keywords, 4*time.Second)
	inLab(t, func(l *lab) {
		l.stop()
		l.meddle = newMeddler
		l.startRelay()
		ear := l.listener("bert", "r", "")
		callThrough(l, ear, said, func(context.Context) {})
		if d := ear.client.endpoint.Drops(); d.Count(drops.Replayed) < 200 || d.Count(drops.Forged) < 200 ||
			d.Count(drops.BadHeader) == 0 {
			t.Errorf("little was altered: %s", d)
		}
	})
}

// meddler is a socket that hears each sealed packet altered, cut and too long before it hears it, and then
// hears it again.
type meddler struct {
	*simnet.Conn
	dice *rand.Rand
	next [][]byte
	from netip.AddrPort
}

func newMeddler(c *simnet.Conn) packetConn {
	return &meddler{Conn: c, dice: rand.New(rand.NewPCG(1, 2))}
}

func (m *meddler) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	if len(m.next) == 0 {
		n, from, err := m.Conn.ReadFromUDPAddrPort(b)
		if err != nil || n == 0 || b[0] >= 0x40 { // QUIC looks after itself
			return n, from, err
		}
		p, flipped := slices.Clone(b[:n]), slices.Clone(b[:n])
		flipped[m.dice.IntN(n)] ^= 1 << m.dice.IntN(8)
		m.next, m.from = [][]byte{flipped, p[:m.dice.IntN(n)], append(slices.Clone(p), 0), p, p}, from
	}
	p := m.next[0]
	m.next = m.next[1:]
	return copy(b, p), m.from, nil
}

func (m *meddler) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := m.ReadFromUDPAddrPort(b)
	if err != nil {
		return n, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}
