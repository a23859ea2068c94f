//go:build linux

package federation

import (
	"context"
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/udp"
	"github.com/wzp-voice/wzp/internal/wire"
)

// benchAlias is the alias of all media to separate receivers.
const benchAlias = 3

// benchRelay is a relay that only sends, as its side of all sessions sees it.
type benchRelay struct {
	key   *identity.Identity
	ep    *link.Endpoint
	mute  *muteConn // nil: it has a real socket
	peers chan *link.Session
	all   chan *link.Session // of clients
	trunk atomic.Pointer[trunk]
}

// muteConn is a socket that sends nothing more once it is mute.
type muteConn struct {
	net.PacketConn
	mute atomic.Bool
}

func (c *muteConn) WriteTo(p []byte, to net.Addr) (int, error) {
	if c.mute.Load() {
		return len(p), nil
	}
	return c.PacketConn.WriteTo(p, to)
}

func (r *benchRelay) Bind(*link.Session, *wire.Media) link.Inbound       { return nil }
func (r *benchRelay) Urgent(*link.Session, wire.UrgentKind, []byte) bool { return true }
func (r *benchRelay) Control(*link.Session, wire.Message) wire.Message {
	return &wire.Joined{Room: "bench", Members: 1}
}
func (r *benchRelay) Ended(*link.Session, wire.CloseCode)                {}
func (r *benchRelay) CheckPeer(identity.PublicKey, netip.AddrPort) error { return nil }
func (r *benchRelay) Accept(s *link.Session, _ netip.Addr) (link.AcceptedHandler, *wire.Refused) {
	r.all <- s
	return r, nil
}
func (r *benchRelay) AcceptPeer(s *link.Session) (link.PeerHandler, *wire.Refused) {
	r.peers <- s
	return r, nil
}
func (r *benchRelay) AliasAcked(s *link.Session, pair wire.AliasPair) {
	if t := r.trunk.Load(); t != nil && s.Peer() {
		t.aliasAcked(pair)
	} else {
		s.SetAliasKnown(pair.Alias, true)
	}
}

// benchReceiver is a client, or a peer, that counts what it gets.
type benchReceiver struct{ frames *atomic.Uint64 }

func (r benchReceiver) Opened(*link.Session) link.Handler { return r }
func (r benchReceiver) Bind(_ *link.Session, m *wire.Media) link.Inbound {
	return link.InboundFunc(m, r.media)
}
func (r benchReceiver) media(st *link.Stream, m *wire.Media, _ *link.Tx) {
	st.Seen(m.CTR)
	r.frames.Add(1)
}
func (r benchReceiver) AliasAcked(*link.Session, wire.AliasPair)           {}
func (r benchReceiver) Urgent(*link.Session, wire.UrgentKind, []byte) bool { return true }
func (r benchReceiver) Attached(*wire.Joined, bool)                        {}
func (r benchReceiver) Detached(string)                                    {}

// startBenchRelay starts one on loopback.
func startBenchRelay(b *testing.B, mute bool) *benchRelay {
	r := &benchRelay{key: identity.NewSeed().Identity(), peers: make(chan *link.Session, 1),
		all: make(chan *link.Session, 100)}
	var mux *udp.Mux
	var err error
	if mute {
		var conn net.PacketConn
		if conn, err = net.ListenPacket("udp4", "127.0.0.1:0"); err == nil {
			r.mute = &muteConn{PacketConn: conn}
			mux = udp.New(r.mute)
		}
	} else {
		mux, err = udp.Listen("127.0.0.1:0", 1)
	}
	if err != nil {
		b.Fatal(err)
	}
	r.ep, err = link.NewEndpoint(mux, link.Config{Identity: r.key, Accept: r, Peers: r, HelloRate: 1000})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { r.ep.Close() })
	return r
}

// dial opens a session with the relay from a socket of its own, and returns the relay's end of it.
func (r *benchRelay) dial(b *testing.B, peer bool, frames *atomic.Uint64) *link.Session {
	b.Helper()
	mux, err := udp.Listen("127.0.0.1:0", 1)
	if err != nil {
		b.Fatal(err)
	}
	id := identity.NewSeed().Identity()
	ep, err := link.NewEndpoint(mux, link.Config{Identity: id})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { ep.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	to := netip.MustParseAddrPort(r.ep.LocalAddr().String())
	client, err := ep.Dial(ctx, link.ClientConfig{
		Resolve:    func(context.Context) (netip.AddrPort, error) { return to, nil },
		CheckRelay: func(identity.PublicKey) error { return nil },
		Peer:       peer,
		Join: func(relay identity.PublicKey) (*wire.Join, error) {
			entry, err := wire.SignEntry(id, wire.MemberEntry{Room: "bench", HomeRelay: relay})
			return &wire.Join{Room: "bench", Entry: entry}, err
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	client.Start(benchReceiver{frames})
	if peer {
		return <-r.peers
	}
	return <-r.all
}

// benchLink is the trunkLink of a session.
type benchLink struct {
	*link.Session
	*link.Endpoint
}

func (l benchLink) SendPacket(tx *link.Tx, frames []byte, media int) {
	l.Session.SendPacket(tx, frames, media)
}
func (l benchLink) AtEnd(tx *link.Tx, f func(tx *link.Tx)) { tx.AtEnd(f) }
func (l benchLink) WithTx(f func(tx *link.Tx))             { l.Endpoint.WithTx(f) }

// threadCPU returns the CPU time of this thread.
func threadCPU(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkPeerLink is the CPU time that a relay's sending thread takes for a media frame: 20 streams, a
// frame of each every 20 ms, to as many members with a session each, or over one peer link. The streams'
// frames come together, so that one system call may send them all, or 1 ms apart. "mute" leaves the system
// calls away.
func BenchmarkPeerLink(b *testing.B) {
	const streams, size = 20, 80
	for _, way := range []string{"separate", "trunk"} {
		for _, together := range []bool{true, false} {
			for _, mute := range []bool{false, true} {
				name := way
				name += map[bool]string{true: "/together", false: "/apart"}[together]
				name += map[bool]string{true: "/mute", false: "/sent"}[mute]
				b.Run(name, func(b *testing.B) {
					r := startBenchRelay(b, mute)
					var frames atomic.Uint64
					var send func(tx *link.Tx, stream int, m *wire.Media, now time.Time)
					if way == "trunk" {
						send = r.overTrunk(b, streams, &frames)
					} else {
						send = r.toEach(b, streams, &frames)
					}
					r.measure(b, send, streams, size, together, &frames)
				})
			}
		}
	}
}

// overTrunk opens a peer link.
func (r *benchRelay) overTrunk(b *testing.B, streams int, frames *atomic.Uint64) func(*link.Tx, int,
	*wire.Media, time.Time) {
	tr := newTrunk(benchLink{r.dial(b, true, frames), r.ep})
	b.Cleanup(tr.close)
	r.trunk.Store(tr)
	list := fakeStreams(streams)
	return func(tx *link.Tx, stream int, m *wire.Media,
		now time.Time) {
		tr.put(tx, list[stream], m, nil, now)
	}
}

// toEach opens as many sessions as there are streams: each gets one.
func (r *benchRelay) toEach(b *testing.B, streams int, frames *atomic.Uint64) func(*link.Tx, int,
	*wire.Media, time.Time) {
	sessions := make([]*link.Session, streams)
	for i := range sessions {
		sessions[i] = r.dial(b, false, frames)
	}
	return func(tx *link.Tx, stream int, m *wire.Media, _ time.Time) {
		media := wire.Media{Alias: benchAlias, KID: wire.KID(stream), CTR: m.CTR, Ciphertext: m.Ciphertext}
		tx.Short = wire.AppendMedia(tx.Short[:0], &media, true)
		media.Long = true
		tx.Long = wire.AppendMedia(tx.Long[:0], &media, true)
		sessions[stream].SendMedia(tx, benchAlias, tx.Short, tx.Long)
	}
}

// measure sends rounds of a frame of each stream, on a clock of its own: time between frames costs nothing.
func (r *benchRelay) measure(b *testing.B, send func(*link.Tx, int, *wire.Media, time.Time), streams,
	size int, together bool, frames *atomic.Uint64) {
	m := wire.Media{Ciphertext: make([]byte, size)}
	now := time.Now()
	gap := 20 * time.Millisecond / time.Duration(streams)
	stream := 0
	one := func(tx *link.Tx) { send(tx, stream, &m, now) }
	all := func(tx *link.Tx) {
		for stream = range streams {
			one(tx)
		}
	}
	round := func() {
		m.CTR++
		if together {
			now = now.Add(20 * time.Millisecond)
			r.ep.WithTx(all)
			return
		}
		for stream = range streams {
			now = now.Add(gap)
			r.ep.WithTx(one)
		}
	}
	for range 50 { // until the aliases are known
		round()
		time.Sleep(time.Millisecond)
	}
	if r.mute != nil {
		r.mute.mute.Store(true)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	got, before, rounds := frames.Load(), threadCPU(b), uint64(0)
	for b.Loop() {
		round()
		rounds++
	}
	cpu := threadCPU(b) - before
	sent := rounds * uint64(streams)
	b.ReportMetric(float64(cpu.Nanoseconds())/float64(sent), "cpu-ns/frame")
	if r.mute == nil {
		time.Sleep(100 * time.Millisecond)
		b.ReportMetric(100*float64(frames.Load()-got)/float64(sent), "%arrived")
	}
}
