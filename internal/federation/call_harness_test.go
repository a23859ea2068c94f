package federation

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/peer"
	"github.com/wzp-voice/wzp/internal/presence"
	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/internal/simnet"
	"github.com/wzp-voice/wzp/internal/simnet/simtest"
	"github.com/wzp-voice/wzp/internal/udp"
	"github.com/wzp-voice/wzp/internal/wire"
)

// callLab is relays with clients that make calls, on a simulated network, in virtual time. There is no more
// of a relay than calls need.
//
//	callClient ── link ── callRelay: Federation ── peer link ── callRelay ── link ── callClient
type callLab struct {
	t      *testing.T
	net    *simnet.Network
	relays []*callRelay
	hosts  int
}

// callRelay is one relay. It is its sessions' Acceptor.
type callRelay struct {
	lab    *callLab
	number int
	key    *identity.Identity
	addr   netip.AddrPort
	peers  []peer.Config
	next   map[identity.Fingerprint][]*callRelay // by whom somebody is reached
	logged *simtest.Log
	events string // path of its event log

	f      *Federation
	rooms  *room.Rooms
	ep     *link.Endpoint
	conn   *simnet.Conn
	stop   func()
	opened atomic.Uint64 // sessions
	mu     sync.Mutex    // guards next
}

// inCallLab runs f in virtual time, with n relays that are linked: "AB BC".
func inCallLab(t *testing.T, n int, pairs string, f func(l *callLab)) {
	t.Helper()
	simtest.Run(t, simnet.Profile{Delay: 10 * time.Millisecond}, func(t *testing.T, net *simnet.Network) {
		l := &callLab{t: t, net: net}
		dir := t.TempDir()
		for i := range n {
			l.relays = append(l.relays, &callRelay{lab: l, number: i, key: simtest.Identity(byte(200 + i)),
				addr: simtest.Relay(i + 1), next: make(map[identity.Fingerprint][]*callRelay),
				logged: new(simtest.Log), events: filepath.Join(dir, fmt.Sprint(i, ".log"))})
		}
		for _, pair := range strings.Fields(pairs) {
			a, b := l.relays[pair[0]-'A'], l.relays[pair[1]-'A']
			a.peers = append(a.peers, peer.Config{Address: b.addr.String(), Fingerprint: b.key.Fingerprint(),
				Label: b.name(), Presence: presence.Mesh})
			b.peers = append(b.peers, peer.Config{Fingerprint: a.key.Fingerprint(), Label: a.name(),
				Presence: presence.Mesh})
		}
		for _, r := range l.relays {
			r.up()
		}
		for _, r := range l.relays {
			l.eventually("all links are up", 20*time.Second, func() bool {
				return r.f.Totals().PeersUp == len(r.peers)
			})
		}
		f(l)
	})
}

func (l *callLab) eventually(what string, limit time.Duration, ok func() bool) time.Duration {
	l.t.Helper()
	return simtest.Eventually(l.t, what, limit, ok, func() {
		for _, r := range l.relays {
			l.t.Logf("log of %s:\n%s", r.name(), r.logged.String())
		}
	})
}

func (r *callRelay) name() string     { return string(rune('A' + r.number)) }
func (r *callRelay) id() wire.RelayID { return wire.RelayIDOf(r.key.Public()) }

// up starts the relay, or starts it again, without memory.
func (r *callRelay) up() {
	t := r.lab.t
	t.Helper()
	log := slog.New(slog.NewTextHandler(r.logged, nil))
	r.rooms = room.NewRooms(room.Limits{Rooms: 100, RemoteRooms: 100, Members: 100,
		MemberRate: 32_000, RoomRate: 250_000, SendRate: 100_000})
	o := Options{Identity: r.key, Boot: uint64(time.Now().UnixMilli()), Rooms: r.rooms, Log: log,
		Tell: func(*room.Member) {}}
	events, err := eventlog.Open(r.events, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	events.Log(eventlog.Event{Kind: eventlog.Start, Relay: r.id(), Name: r.name()})
	o.Events = events
	r.f = New(o)
	r.f.calls.nextHops = r.nextHops
	r.conn = simtest.Listen(t, r.lab.net, r.addr)
	r.ep, err = link.NewEndpoint(udp.New(r.conn), link.Config{Identity: r.key, Version: "test relay",
		Accept: r, Peers: r.f.Acceptor(), HelloRate: 1000})
	if err != nil {
		t.Fatal(err)
	}
	r.f.Configure(Config{Peers: r.peers, IsGlobal: func(string) bool { return false }})
	r.f.Start(r.ep)
	f, ep := r.f, r.ep
	r.stop = sync.OnceFunc(func() {
		f.Close()
		ep.Close()
		events.Close()
	})
	t.Cleanup(r.stop)
}

// kill ends the relay without a word to anyone.
func (r *callRelay) kill() {
	r.conn.Close()
	r.stop()
}

// nextHops is for calls.nextHops: what the test says.
func (r *callRelay) nextHops(who identity.Fingerprint, _ wire.DeviceID, _ time.Time) (list []wire.RelayID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range r.next[who] {
		list = append(list, o.id())
	}
	return list
}

// leads says by whom somebody is reached: "A:B" is from A by B, "A:BE" by B or else by E.
func (l *callLab) leads(to *callClient, ways string) {
	for _, way := range strings.Fields(ways) {
		r := l.relays[way[0]-'A']
		r.mu.Lock()
		r.next[to.key.Fingerprint()] = nil
		for _, c := range way[2:] {
			r.next[to.key.Fingerprint()] = append(r.next[to.key.Fingerprint()], l.relays[c-'A'])
		}
		r.mu.Unlock()
	}
}

// Accept implements link.Acceptor.
func (r *callRelay) Accept(s *link.Session, _ netip.Addr) (link.AcceptedHandler, *wire.Refused) {
	id := presence.SessionID(r.opened.Add(1))
	r.f.Connect(id, s.Identity())
	return &callSession{r.f, s, id}, nil
}

// callSession is a client's session at a relay, as internal/relay will have it.
type callSession struct {
	f  *Federation
	s  *link.Session
	id presence.SessionID
}

func (c *callSession) Control(_ *link.Session, m wire.Message) wire.Message {
	a, ok := m.(*wire.Available)
	if !ok {
		return nil
	}
	c.f.LineOpened(c.id, c.s)
	if r, err := wire.ParseReach(a.Record); err == nil {
		c.f.Available(c.id, c.s.Remote(), r, a.Record)
	}
	return &wire.Line{}
}

func (c *callSession) Bind(_ *link.Session, m *wire.Media) link.Inbound { return c.f.LineBind(c.id, m) }
func (c *callSession) AliasAcked(_ *link.Session, pair wire.AliasPair) {
	c.f.LineAliasAcked(c.id, pair)
}
func (c *callSession) Urgent(s *link.Session, kind wire.UrgentKind, body []byte) bool {
	if kind == wire.UrgentLeave {
		s.End(wire.CloseLeft)
		return true
	}
	return c.f.LineMessage(c.id, s, kind, body)
}
func (c *callSession) Ended(*link.Session, wire.CloseCode) {
	c.f.LineEnded(c.id)
	c.f.Disconnect(c.id)
}

// callClient is somebody with a line. It is its link.ClientHandler.
type callClient struct {
	lab    *callLab
	relay  *callRelay
	key    *identity.Identity
	stay   [32]byte
	client *link.Client
	ep     *link.Endpoint

	mu     sync.Mutex // guards what follows
	offers []wire.CallForward
	told   []string
	said   []string
	heard  map[wire.KID]map[uint64]string // ciphertext by CTR
}

// client opens a line with a relay.
func (r *callRelay) client(n byte) *callClient {
	r.lab.t.Helper()
	return r.clientOf(simtest.Identity(n), [32]byte{n})
}

func (r *callRelay) clientOf(key *identity.Identity, stay [32]byte) *callClient {
	l := r.lab
	l.t.Helper()
	c := &callClient{lab: l, relay: r, key: key, stay: stay, heard: make(map[wire.KID]map[uint64]string)}
	l.hosts++
	var err error
	conn := simtest.Listen(l.t, l.net, simtest.Host(l.hosts))
	c.ep, err = link.NewEndpoint(udp.New(conn), link.Config{Identity: c.key, Version: "test client"})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { c.ep.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c.client, err = c.ep.Dial(ctx, link.ClientConfig{
		Resolve:    func(context.Context) (netip.AddrPort, error) { return r.addr, nil },
		CheckRelay: func(identity.PublicKey) error { return nil },
		Line: func(relay identity.PublicKey) (*wire.Available, error) {
			now := time.Now()
			return &wire.Available{Record: wire.SignReach(c.key, wire.Reach{StayKey: c.stay, HomeRelay: relay,
				Sequence: uint64(now.UnixMilli()), Expiry: now.Add(4 * time.Minute).Unix()})}, nil
		},
	})
	if err != nil {
		l.t.Fatal(err)
	}
	c.client.Start(c)
	return c
}

func (c *callClient) Opened(*link.Session) link.Handler { return c }
func (c *callClient) Attached(*wire.Joined, bool)       {}
func (c *callClient) Detached(string)                   {}
func (c *callClient) AliasAcked(s *link.Session, pair wire.AliasPair) {
	s.SetAliasKnown(pair.Alias, true)
}
func (c *callClient) Bind(_ *link.Session, m *wire.Media) link.Inbound {
	return link.InboundFunc(m, c.media)
}
func (c *callClient) media(st *link.Stream, m *wire.Media, _ *link.Tx) {
	c.mu.Lock()
	defer c.mu.Unlock()
	st.Seen(m.CTR)
	if c.heard[m.KID] == nil {
		c.heard[m.KID] = make(map[uint64]string)
	}
	if _, twice := c.heard[m.KID][m.CTR]; twice {
		c.lab.t.Errorf("frame %d comes twice", m.CTR)
	}
	c.heard[m.KID][m.CTR] = string(m.Ciphertext)
}

func (c *callClient) Urgent(_ *link.Session, kind wire.UrgentKind, body []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch kind {
	case wire.UrgentCallOffer:
		f, err := wire.Parse[wire.CallForward](slices.Clone(body))
		c.check(err)
		c.offers = append(c.offers, f)
	case wire.UrgentCallState:
		m, err := wire.Parse[wire.CallState](body)
		c.check(err)
		c.told = append(c.told, fmt.Sprint(m.Generation, " ", m.Code))
	case wire.UrgentCallEnd:
		m, err := wire.Parse[wire.CallEnd](body)
		c.check(err)
		c.told = append(c.told, fmt.Sprint("end ", m.Generation, " ", m.Reason))
	case wire.UrgentCallMessage:
		m, err := wire.Parse[wire.CallMessage](body)
		c.check(err)
		c.said = append(c.said, string(m.Body))
	}
	return true
}

func (c *callClient) check(err error) {
	if err != nil {
		c.lab.t.Error(err)
	}
}

// says sends an urgent message to the relay.
func (c *callClient) says(kind wire.UrgentKind, m wire.UrgentMessage) {
	if err := c.client.Session().SendUrgent(kind, wire.Append(nil, m)); err != nil {
		c.lab.t.Error(err)
	}
}

// forward asks for a path to somebody.
func (c *callClient) forward(seed wire.PathSeed, generation uint64, to *callClient) wire.PathID {
	reach := wire.Reach{StayKey: to.stay}
	f := &wire.CallForward{Generation: generation, Expiry: uint64(time.Now().Add(time.Minute).Unix()),
		Target: to.key.Fingerprint(), Device: reach.Device(), Hops: wire.MaxHops,
		Offer: []byte("sealed offer")}
	f.Sign(seed)
	c.says(wire.UrgentCallForward, f)
	return f.Path()
}

// wasTold waits until the client was told something.
func (c *callClient) wasTold(what string, limit time.Duration) time.Duration {
	c.lab.t.Helper()
	return c.lab.eventually("told "+what, limit, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return slices.Contains(c.told, what)
	})
}

// kid is that of the client's first stream in a call.
func (c *callClient) kid() wire.KID { return wire.MakeKID(wire.MemberID(c.stay[:6]), 1, 0) }

// say sends n frames, 20 ms apart, from CTR first on.
func (c *callClient) say(first, n int) {
	for ctr := first; ctr < first+n; ctr++ {
		c.client.Session().SendMediaNow(3, &wire.Media{KID: c.kid(), CTR: uint64(ctr),
			Ciphertext: []byte(fmt.Sprint("frame ", ctr))})
		time.Sleep(20 * time.Millisecond)
	}
}

// heardOf returns how many frames came of another, and checks that they are as they were sent.
func (c *callClient) heardOf(o *callClient) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for ctr, text := range c.heard[o.kid()] {
		if text != fmt.Sprint("frame ", ctr) {
			c.lab.t.Errorf("frame %d is %q", ctr, text)
		}
	}
	return len(c.heard[o.kid()])
}

// calls sets a call up, and has both say that their media is of it.
func (l *callLab) call(caller, called *callClient, seed wire.PathSeed) wire.PathID {
	l.t.Helper()
	id := caller.forward(seed, 1, called)
	caller.wasTold("1 set up", 5*time.Second)
	for _, c := range []*callClient{caller, called} {
		c.says(wire.UrgentCallMedia, &wire.CallMedia{Path: id})
	}
	time.Sleep(200 * time.Millisecond)
	return id
}

// talk has both ends talk at once, and returns how many frames each got of the other.
func (l *callLab) talk(a, b *callClient, first, n int) (atA, atB int) {
	beforeA, beforeB := a.heardOf(b), b.heardOf(a)
	var wg sync.WaitGroup
	wg.Go(func() { a.say(first, n) })
	wg.Go(func() { b.say(first, n) })
	wg.Wait()
	time.Sleep(200 * time.Millisecond)
	return a.heardOf(b) - beforeA, b.heardOf(a) - beforeB
}

// analyze ends all relays, and returns what their event logs say.
func (l *callLab) analyze() *eventlog.Report {
	l.t.Helper()
	var paths []string
	for _, r := range l.relays {
		r.stop()
		paths = append(paths, r.events)
	}
	logs, err := eventlog.Find(paths)
	if err != nil {
		l.t.Fatal(err)
	}
	a := eventlog.NewAnalysis(100*time.Millisecond, time.Second)
	for _, log := range logs {
		if err := a.AddLog(log); err != nil {
			l.t.Fatal(err)
		}
	}
	return a.Report()
}

// callWays are the ways of calls in a report: "1 ABC hung up".
func callWays(r *eventlog.Report) (list []string) {
	for _, c := range r.Calls {
		by := ""
		for _, relay := range c.Relays {
			by += relay.Name
		}
		list = append(list, strings.TrimSpace(fmt.Sprint(c.Generation, " ", by, " ", c.Reason)))
	}
	return list
}

// empty checks that no relay knows of any path.
func (l *callLab) empty(within time.Duration) {
	l.t.Helper()
	l.eventually("all is forgotten", within, func() bool {
		for _, r := range l.relays {
			n := r.f.Calls().Counts
			paths := 0
			r.f.calls.media.paths.Range(func(any, any) bool { paths++; return true })
			if n.Open+n.SettingUp+n.Waiting+paths != 0 {
				return false
			}
		}
		return true
	})
}
