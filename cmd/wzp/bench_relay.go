package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/udp"
	"github.com/wzp-voice/wzp/internal/wire"
)

// benchOverhead is what a media packet has beside its ciphertext: header, tag, frame byte, CTR.
const benchOverhead = wire.HeaderSize + wire.TagSize + 1 + 2

// benchRoom is the listeners and the talker of a measurement.
type benchRoom struct {
	relay     netip.AddrPort
	start     time.Time
	endpoints []benchEndpoint
	counting  atomic.Bool
	received  atomic.Uint64

	mu        sync.Mutex // guards what follows
	latencies []time.Duration
}

// benchEndpoint is a socket that several clients of one identity share.
type benchEndpoint struct {
	*link.Endpoint
	id *identity.Identity
}

// benchMember is one client: a listener, or the talker.
type benchMember struct {
	room   *benchRoom
	id     wire.MemberID
	client *link.Client
}

// relay measures a relay with so many listeners.
func (c *benchRelayCmd) relay(ctx context.Context, listeners int, result *benchResult) error {
	dir, err := os.MkdirTemp("", "wzp-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	child, err := startProcess(ctx, // for more clients of one address than usual
		"relay", "--listen", "127.0.0.1:0", "--admin", "", "--http", "", "--data", dir,
		"--log-json", "--log-level", "info", "--hello-rate", "100000", "--max-per-address", "100000",
		"--max-members", "20000", "--media-rate", "100000", "--member-rate", "1000000",
		"--room-rate", "100000000", "--send-rate", "100000000")
	if err != nil {
		return err
	}
	defer child.stop()
	relay, err := netip.ParseAddrPort(child.addr)
	if err != nil {
		return err
	}
	room := &benchRoom{relay: relay, start: time.Now()}
	defer room.close()
	talker, memory, err := room.fill(ctx, child, listeners)
	if err != nil {
		return err
	}
	result.KBPerMember = float64(memory) / 1024 / float64(listeners)
	return c.talk(ctx, child, room, talker, result)
}

// talk lets the talker talk, and reads what that costs.
func (c *benchRelayCmd) talk(
	ctx context.Context, child *process, room *benchRoom, talker *benchMember, result *benchResult,
) (err error) {
	ciphertext := make([]byte, c.Size-benchOverhead)
	ctr := uint64(0)
	send := func() {
		talker.say(ctr, ciphertext)
		ctr++
	}
	// Until everybody has acknowledged the alias, packets are longer.
	if err := pace(ctx, c.Rate, time.Second, send); err != nil {
		return err
	}
	time.Sleep(200 * time.Millisecond)
	var expected uint64
	result.US, err = child.cost(func() (uint64, error) {
		first := ctr
		room.counting.Store(true)
		defer room.counting.Store(false)
		err := pace(ctx, c.Rate, c.For, send)
		time.Sleep(200 * time.Millisecond)
		expected = (ctr - first) * uint64(result.Listeners)
		return expected, err
	})
	if err != nil {
		return err
	}
	result.Forwarded = room.received.Load()
	result.Lost = expected - min(expected, result.Forwarded)
	room.mu.Lock()
	defer room.mu.Unlock()
	slices.Sort(room.latencies)
	if n := len(room.latencies); n > 0 {
		result.P50, result.P99 = ms(room.latencies[n/2]), ms(room.latencies[n*99/100])
	}
	return nil
}

// fill joins the listeners and a talker, and returns the memory in bytes that they cost the relay.
func (r *benchRoom) fill(
	ctx context.Context, child *process, listeners int,
) (talker *benchMember, memory int64, err error) {
	for range min(listeners, benchSockets) + 1 {
		if err := r.open(); err != nil {
			return nil, 0, err
		}
	}
	if talker, err = r.join(ctx, 0); err != nil {
		return nil, 0, err
	}
	before, err := child.resident()
	if err != nil {
		return nil, 0, err
	}
	var wg sync.WaitGroup
	errs := make([]error, listeners)
	places := make(chan struct{}, 8)
	for i := range listeners {
		places <- struct{}{}
		wg.Go(func() {
			_, errs[i] = r.join(ctx, 1+i%(len(r.endpoints)-1))
			<-places
		})
	}
	wg.Wait()
	if err := cmp.Or(errs...); err != nil {
		return nil, 0, err
	}
	time.Sleep(time.Second)
	after, err := child.resident()
	return talker, after - before, err
}

// open makes a socket with an identity of its own.
func (r *benchRoom) open() error {
	mux, err := udp.Listen("127.0.0.1:0", 1)
	if err != nil {
		return err
	}
	id := identity.NewSeed().Identity()
	ep, err := link.NewEndpoint(mux, link.Config{Identity: id, Version: "wzp bench"})
	if err == nil {
		r.endpoints = append(r.endpoints, benchEndpoint{ep, id})
	}
	return err
}

// join makes a client, on one of the endpoints.
func (r *benchRoom) join(ctx context.Context, endpoint int) (*benchMember, error) {
	const room = "bench"
	m, ep := &benchMember{room: r}, r.endpoints[endpoint]
	client, err := ep.Dial(ctx, link.ClientConfig{
		Resolve:    func(context.Context) (netip.AddrPort, error) { return r.relay, nil },
		CheckRelay: func(identity.PublicKey) error { return nil }, // our own child
		Join: func(key identity.PublicKey) (*wire.Join, error) {
			e := wire.MemberEntry{Room: room, HomeRelay: key}
			rand.Read(e.Commitment[:])
			entry, err := wire.SignEntry(ep.id, e)
			m.id = wire.EntryID(entry)
			return &wire.Join{Room: room, Entry: entry}, err
		},
	})
	if err != nil {
		return nil, fmt.Errorf("a client could not join: %w", err)
	}
	client.Start(m)
	m.client = client
	return m, nil
}

// say sends a packet. It writes the time into ciphertext.
func (m *benchMember) say(ctr uint64, ciphertext []byte) {
	binary.BigEndian.PutUint64(ciphertext, uint64(time.Since(m.room.start)))
	media := &wire.Media{KID: wire.MakeKID(m.id, 0, 0), CTR: ctr, Ciphertext: ciphertext}
	m.client.Session().SendMediaNow(0, media)
}

// close ends all clients at once; the relay is about to end anyway.
func (r *benchRoom) close() {
	for _, ep := range r.endpoints {
		ep.Close()
	}
}

// Opened implements link.ClientHandler.
func (m *benchMember) Opened(*link.Session) link.Handler { return m }

// Bind implements link.Handler.
func (m *benchMember) Bind(_ *link.Session, media *wire.Media) link.Inbound {
	return link.InboundFunc(media, m.media)
}

// media notes how long a packet took.
func (m *benchMember) media(st *link.Stream, media *wire.Media, _ *link.Tx) {
	st.Seen(media.CTR)
	if !m.room.counting.Load() {
		return
	}
	m.room.received.Add(1)
	took := time.Since(m.room.start) - time.Duration(binary.BigEndian.Uint64(media.Ciphertext))
	m.room.mu.Lock()
	defer m.room.mu.Unlock()
	m.room.latencies = append(m.room.latencies, took)
}

// AliasAcked implements link.Handler.
func (m *benchMember) AliasAcked(s *link.Session, pair wire.AliasPair) {
	s.SetAliasKnown(pair.Alias, true)
}

// Urgent implements link.Handler.
func (m *benchMember) Urgent(*link.Session, wire.UrgentKind, []byte) bool { return true }

// Attached implements link.ClientHandler.
func (m *benchMember) Attached(*wire.Joined, bool) {}

// Detached implements link.ClientHandler.
func (m *benchMember) Detached(string) {}
