package relay

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/udp"
	"github.com/wzp-voice/wzp/internal/wire"
)

// announced is how many parts a peer announces at once in the benchmark.
const announced = 1000

// BenchmarkLatencyWhileAPeerAnnounces measures how long packets take through a relay, over loopback, while a
// peer announces 1,000 parts as fast as it may: those of a local talker, and those of one on another relay.
// Quiet is the same without announcements. One iteration is one time that all parts are announced.
//
//	talker ──┐
//	         ├── relay ── listener
//	talker ── far relay ──┘ │
//	                    peer: 1,000 parts
func BenchmarkLatencyWhileAPeerAnnounces(b *testing.B) {
	var relay, far, peer = newBenchHost(b, 1), newBenchHost(b, 2), newBenchHost(b, 3)
	relay.serve(FederationConfig{GlobalRooms: []string{"ops-*"}, Peers: []FederationPeer{
		{Fingerprint: far.key.Fingerprint(), Label: "far"}, {Fingerprint: peer.key.Fingerprint(),
			Label: "peer"},
	}})
	far.serve(FederationConfig{GlobalRooms: []string{globalRoom}, Peers: []FederationPeer{
		{Address: relay.addr().String(), Fingerprint: relay.key.Fingerprint(), Label: "relay"},
	}})
	announcer := peer.announcer(relay)
	listener, local, remote := relay.member(4), relay.member(5), far.member(6)
	talkers := []*benchTalker{{benchClient: local}, {benchClient: remote}}
	measure := func(during func()) [2]latencies {
		listener.clear()
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for _, t := range talkers {
			wg.Go(func() { t.talk(stop) })
		}
		during()
		close(stop)
		wg.Wait()
		time.Sleep(100 * time.Millisecond)
		return [2]latencies{listener.of(local.member), listener.of(remote.member)}
	}
	measure(func() { // until the far member is heard
		for len(listener.of(remote.member)) == 0 {
			time.Sleep(10 * time.Millisecond)
		}
	})
	var quiet, busy [2]latencies
	var took time.Duration
	for b.Loop() {
		add(&quiet, measure(func() { time.Sleep(3 * time.Second) }))
		messages := announcer.round()
		add(&busy, measure(func() {
			start := time.Now()
			announcer.announce(messages)
			for !relay.reaches(announcer) {
				time.Sleep(50 * time.Millisecond)
			}
			took += time.Since(start)
		}))
	}
	for i, who := range []string{"local", "federated"} {
		quiet[i].report(b, who+"-quiet")
		busy[i].report(b, who)
	}
	b.ReportMetric(took.Seconds()/float64(b.N), "s/round")
}

// latencies are those of packets.
type latencies []time.Duration

func add(sum *[2]latencies, more [2]latencies) {
	for i := range sum {
		sum[i] = append(sum[i], more[i]...)
	}
}

func (l latencies) report(b *testing.B, name string) {
	slices.Sort(l)
	for _, q := range []struct {
		name  string
		share float64
	}{{"p50", 0.5}, {"p99", 0.99}, {"p999", 0.999}, {"max", 1}} {
		b.ReportMetric(float64(l[int(q.share*float64(len(l)-1))].Nanoseconds())/1000, name+"-"+q.name+"-µs")
	}
}

// benchHost is a machine on loopback: a relay, or a peer that is none.
type benchHost struct {
	b     *testing.B
	key   *identity.Identity
	relay *Relay
}

func newBenchHost(b *testing.B, n byte) *benchHost { return &benchHost{b: b, key: newIdentity(n)} }

func (h *benchHost) addr() netip.AddrPort { return h.relay.Addr() }

func (h *benchHost) mux(sockets int) *udp.Mux {
	h.b.Helper()
	m, err := udp.Listen("127.0.0.1:0", sockets)
	if err != nil {
		h.b.Fatal(err)
	}
	return m
}

// serve starts a relay, with one goroutine that receives.
func (h *benchHost) serve(config FederationConfig) {
	h.b.Helper()
	var err error
	if h.relay, err = NewOn(h.mux(1),
		Config{Identity: h.key, Version: "benchmark", Federation: config, MediaRate: 10_000,
			MaxRooms: 10_000}); err != nil {
		h.b.Fatal(err)
	}
	h.b.Cleanup(run(h.b, h.relay))
}

// reaches reports whether the relay has all parts of a peer.
func (h *benchHost) reaches(a *announcer) bool {
	for _, s := range h.relay.federation.Peers() {
		if s.Label == "peer" {
			return s.Rooms == announced && a.session().UrgentPending() == 0
		}
	}
	return false
}

// announcer is a peer that announces parts.
type announcer struct {
	host     *benchHost
	client   *link.Client
	boot     uint64
	sequence uint64
	serial   uint64
	entries  [][]byte
}

func (h *benchHost) announcer(relay *benchHost) *announcer {
	h.b.Helper()
	a := &announcer{host: h, boot: uint64(time.Now().UnixMilli())}
	for i := range announced {
		a.entries = append(a.entries, newEntry(h.b, h.key, fmt.Sprint("ops-many-", i), h.key.Public()))
	}
	ep, err := link.NewEndpoint(h.mux(1),
		link.Config{Identity: h.key, Version: "benchmark", Accept: noClients{}})
	if err != nil {
		h.b.Fatal(err)
	}
	h.b.Cleanup(func() { ep.Close() })
	a.client, err = ep.Dial(h.b.Context(), link.ClientConfig{
		Peer:       true,
		Resolve:    func(context.Context) (netip.AddrPort, error) { return relay.addr(), nil },
		CheckRelay: func(identity.PublicKey) error { return nil },
	})
	if err != nil {
		h.b.Fatal(err)
	}
	a.client.Start(benchDeaf{})
	return a
}

func (a *announcer) session() *link.Session { return a.client.Session() }

// round signs the next version of all parts.
func (a *announcer) round() (messages [][]byte) {
	a.sequence++
	id := wire.RelayIDOf(a.host.key.Public())
	for i := range announced {
		a.serial++
		room := fmt.Sprint("ops-many-", i)
		record := wire.RoomRecord{Room: room, Boot: a.boot, Sequence: a.sequence, Members: 1,
			Digest: wire.MemberDigest([]wire.EntryHash{wire.HashEntry(a.entries[i])})}
		record.Sign(a.host.key)
		m := wire.FederationRoom{Record: record, Serial: a.serial, Path: []wire.RelayID{id},
			Joined: [][]byte{a.entries[i]}}
		messages = append(messages, wire.Append(nil, &m))
	}
	return messages
}

func (a *announcer) announce(messages [][]byte) {
	for _, m := range messages {
		for a.session().SendUrgent(wire.UrgentFederationRoom, m) != nil {
			time.Sleep(time.Millisecond)
		}
	}
}

// benchDeaf takes everything and does nothing.
type benchDeaf struct{}

func (benchDeaf) Bind(_ *link.Session, m *wire.Media) link.Inbound {
	return link.InboundFunc(m, func(st *link.Stream, m *wire.Media, _ *link.Tx) { st.Seen(m.CTR) })
}
func (benchDeaf) AliasAcked(s *link.Session, pair wire.AliasPair) {
	s.SetAliasKnown(pair.Alias, true)
}
func (benchDeaf) Urgent(*link.Session, wire.UrgentKind, []byte) bool { return true }
func (h benchDeaf) Opened(*link.Session) link.Handler                { return h }
func (benchDeaf) Attached(*wire.Joined, bool)                        {}
func (benchDeaf) Detached(string)                                    {}

// benchClient is a member that measures what it hears.
type benchClient struct {
	benchDeaf
	client *link.Client
	member wire.MemberID

	mu    sync.Mutex // guards heard
	heard map[wire.MemberID]latencies
}

var benchStart = time.Now()

func (c *benchClient) Opened(*link.Session) link.Handler { return c }

func (c *benchClient) Bind(_ *link.Session, m *wire.Media) link.Inbound {
	return link.InboundFunc(m, c.media)
}

func (c *benchClient) media(st *link.Stream, m *wire.Media, _ *link.Tx) {
	st.Seen(m.CTR)
	took := time.Since(benchStart) - time.Duration(binary.BigEndian.Uint64(m.Ciphertext))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard[m.KID.Member()] = append(c.heard[m.KID.Member()], took)
}

func (c *benchClient) of(id wire.MemberID) latencies {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.heard[id])
}

func (c *benchClient) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard = make(map[wire.MemberID]latencies)
}

// member joins the room that is measured.
func (h *benchHost) member(n byte) *benchClient {
	h.b.Helper()
	id := newIdentity(n)
	ep, err := link.NewEndpoint(h.mux(1), link.Config{Identity: id, Version: "benchmark"})
	if err != nil {
		h.b.Fatal(err)
	}
	h.b.Cleanup(func() { ep.Close() })
	c := &benchClient{heard: make(map[wire.MemberID]latencies)}
	c.client, err = ep.Dial(h.b.Context(), link.ClientConfig{
		Resolve:    func(context.Context) (netip.AddrPort, error) { return h.addr(), nil },
		CheckRelay: func(identity.PublicKey) error { return nil },
		Join: func(relay identity.PublicKey) (*wire.Join, error) {
			entry := newEntry(h.b, id, globalRoom, relay)
			c.member = wire.EntryID(entry)
			return &wire.Join{Room: globalRoom, Entry: entry}, nil
		},
	})
	if err != nil {
		h.b.Fatal(err)
	}
	c.client.Start(c)
	return c
}

// benchTalker says one packet every 5 ms.
type benchTalker struct {
	*benchClient
	ctr atomic.Uint64
}

func (t *benchTalker) talk(stop <-chan struct{}) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		now := binary.BigEndian.AppendUint64(nil, uint64(time.Since(benchStart)))
		t.client.Session().SendMediaNow(1,
			&wire.Media{KID: wire.MakeKID(t.member, 0, 0), CTR: t.ctr.Add(1) - 1,
				Ciphertext: append(now, 0, 0)})
	}
}
