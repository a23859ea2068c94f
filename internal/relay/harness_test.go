package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/quic-go/quic-go"
	"go.uber.org/goleak"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/simnet"
	"github.com/wzp-voice/wzp/internal/simnet/simtest"
	"github.com/wzp-voice/wzp/internal/udp"
	"github.com/wzp-voice/wzp/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var relayAddr = simtest.Relay(1)

// lab is a running relay on a simulated network, in virtual time.
//
//	person: link.Client ──┐
//	                      ├── simnet ── Relay
//	raw: QUIC by hand ────┘
type lab struct {
	t     testing.TB
	net   *simnet.Network
	key   *identity.Identity // the relay's
	relay *Relay
	stop  func() // ends the relay; may be called again
	hosts int
}

// inLab runs f in virtual time.
func inLab(t *testing.T, config Config, f func(l *lab)) {
	t.Helper()
	simtest.Run(t, simnet.Profile{Delay: 10 * time.Millisecond}, func(t *testing.T, n *simnet.Network) {
		l := &lab{t: t, net: n, key: newIdentity(200)}
		l.start(config)
		t.Cleanup(func() { l.stop() })
		f(l)
	})
}

// newIdentity returns one of 256 identities.
func newIdentity(n byte) *identity.Identity { return simtest.Identity(n) }

func (l *lab) start(config Config) { l.startAt(relayAddr, config) }

func (l *lab) startAt(addr netip.AddrPort, config Config) {
	l.t.Helper()
	conn, err := l.net.Listen(addr)
	if err != nil {
		l.t.Fatal(err)
	}
	config.Identity, config.Version = l.key, "test relay"
	if l.relay, err = NewOn(udp.New(conn), config); err != nil {
		l.t.Fatal(err)
	}
	stop := run(l.t, l.relay)
	l.stop = sync.OnceFunc(stop)
}

// run runs a relay, and returns what ends it.
func run(t testing.TB, r *Relay) (stop func()) { return simtest.Start(t, r.Run) }

// metric returns the value of one of the relay's own metrics, without the prefix; "media late" is that of
// what was dropped.
func (l *lab) metric(name string) float64 {
	if what, reason, labelled := strings.Cut(name, " "); labelled {
		return l.metricOf("dropped_total", what, reason)
	}
	return l.metricOf(name, "", "")
}

// dropped returns how often the relay dropped something for a reason.
func (l *lab) dropped(why drops.Reason) float64 {
	return l.metricOf("dropped_total", why.What(), why.Label())
}

// metricOf is metric with labels, if there are any.
func (l *lab) metricOf(name, what, reason string) float64 {
	l.t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(&collector{relay: l.relay})
	families, err := registry.Gather()
	if err != nil {
		l.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := m.GetLabel() // by name
			if f.GetName() == "wzp_relay_"+name && (len(labels) == 0 || labels[0].GetValue() == reason &&
				labels[1].GetValue() == what) {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	l.t.Fatalf("no metric is called %s %s %s", name, what, reason)
	return 0
}

// want compares metrics: name, value, and so on.
func (l *lab) want(what string, metrics map[string]float64) {
	l.t.Helper()
	for name, value := range metrics {
		if got := l.metric(name); got != value {
			l.t.Errorf("%s: %s is %v, want %v", what, name, got, value)
		}
	}
}

// eventually waits until ok, for at most limit of virtual time.
func (l *lab) eventually(what string, limit time.Duration, ok func() bool) {
	l.t.Helper()
	simtest.Eventually(l.t, what, limit, ok)
}

// host returns the address of another machine.
func (l *lab) host() netip.AddrPort {
	l.hosts++
	return simtest.Host(l.hosts)
}

// ears is a link.ClientHandler that notes what it hears.
type ears struct {
	mu       sync.Mutex // guards what follows
	media    map[wire.KID]int
	joined   []wire.MemberID
	left     []wire.MemberID
	urgent   []wire.UrgentKind
	detached []string
	keys     []heardKey
	wanted   []wire.MemberID
	told     []uint32 // keys of its own that were delivered
	deaf     bool     // takes no urgent message

	attached func(fresh bool)                        // unless nil, called by Attached
	news     func(kind wire.UrgentKind, body []byte) // unless nil, called by Urgent
}

func (e *ears) Bind(_ *link.Session, m *wire.Media) link.Inbound { return link.InboundFunc(m, e.hear) }

func (e *ears) hear(st *link.Stream, m *wire.Media, _ *link.Tx) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.media == nil {
		e.media = make(map[wire.KID]int)
	}
	st.Seen(m.CTR)
	e.media[m.KID]++
}

func (e *ears) AliasAcked(s *link.Session, pair wire.AliasPair) { s.SetAliasKnown(pair.Alias, true) }

func (e *ears) Urgent(_ *link.Session, kind wire.UrgentKind, body []byte) bool {
	e.mu.Lock()
	news := e.news
	e.mu.Unlock()
	if news != nil {
		news(kind, body)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.deaf {
		return false
	}
	e.hearKey(kind, body)
	e.urgent = append(e.urgent, kind)
	entries, _ := wire.ParseMembersJoined(body)
	if kind == wire.UrgentMembersJoined {
		for _, b := range entries {
			e.joined = append(e.joined, wire.EntryID(b))
		}
	}
	if kind == wire.UrgentMembersLeft {
		ids, _ := wire.ParseMembersLeft(body)
		e.left = append(e.left, ids...)
	}
	return true
}

func (e *ears) Opened(*link.Session) link.Handler { return e }

func (e *ears) Attached(_ *wire.Joined, fresh bool) {
	if e.attached != nil {
		e.attached(fresh)
	}
}

func (e *ears) Detached(cause string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.detached = append(e.detached, cause)
}

// heard returns how many frames came of a stream.
func (e *ears) heard(kid wire.KID) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.media[kid]
}

// person is somebody with a client.
type person struct {
	lab    *lab
	id     *identity.Identity
	addr   netip.AddrPort
	conn   *simnet.Conn
	ep     *link.Endpoint
	client *link.Client
	ears   *ears
	entry  []byte // of the last join
	member wire.MemberID
	edit   func(p *person, j *wire.Join) // changes what is asked for, if not nil
}

// person returns somebody who has not joined, at a host of their own or at addr.
func (l *lab) person(addr ...netip.AddrPort) *person {
	l.t.Helper()
	addr = append(addr, l.host())
	return l.personAt(addr[0], newIdentity(byte(l.hosts)))
}

// personAt is person with an identity, at a host.
func (l *lab) personAt(addr netip.AddrPort, id *identity.Identity) *person {
	l.t.Helper()
	p := &person{lab: l, addr: addr, id: id, ears: new(ears)}
	var err error
	if p.conn, err = l.net.Listen(p.addr); err != nil {
		l.t.Fatal(err)
	}
	if p.ep, err = link.NewEndpoint(udp.New(p.conn), link.Config{Identity: p.id,
		Version: "test client"}); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { p.ep.Close() })
	return p
}

// join joins a room.
func (p *person) join(room string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	client, err := p.ep.Dial(ctx, link.ClientConfig{
		Resolve:    func(context.Context) (netip.AddrPort, error) { return p.lab.relay.Addr(), nil },
		Name:       "somebody",
		CheckRelay: func(identity.PublicKey) error { return nil },
		Join: func(relay identity.PublicKey) (*wire.Join, error) {
			j := &wire.Join{Room: room, Entry: newEntry(p.lab.t, p.id, room, relay)}
			if p.edit != nil {
				p.edit(p, j)
			}
			p.entry, p.member = j.Entry, wire.EntryID(j.Entry)
			return j, nil
		},
	})
	if err == nil {
		client.Start(p.ears)
		p.client = client
	}
	return err
}

// newEntry signs an entry that is unlike every other.
func newEntry(t testing.TB, id *identity.Identity, room string, relay identity.PublicKey) []byte {
	t.Helper()
	e := wire.MemberEntry{Room: room, Name: "somebody", HomeRelay: relay}
	entryMu.Lock()
	entryCount++
	e.Commitment[0], e.Commitment[1] = byte(entryCount>>8), byte(entryCount)
	entryMu.Unlock()
	b, err := wire.SignEntry(id, e)
	if err != nil {
		t.Error(err)
	}
	return b
}

var (
	entryMu    sync.Mutex
	entryCount int // guarded by entryMu
)

// joined returns somebody who is in a room.
func (l *lab) joined(room string) *person {
	l.t.Helper()
	p := l.person()
	if err := p.join(room); err != nil {
		l.t.Fatal(err)
	}
	return p
}

func (p *person) kid(stream uint8) wire.KID { return wire.MakeKID(p.member, stream, 0) }

// say sends n frames with some key id, from CTR first on.
func (p *person) say(kid wire.KID, alias uint16, first, n int) {
	for ctr := first; ctr < first+n; ctr++ {
		p.client.Session().SendMediaNow(alias, &wire.Media{KID: kid, CTR: uint64(ctr),
			Ciphertext: []byte("ciphertext")})
	}
}

func code(err error) wire.Code {
	if r := new(wire.Refused); errors.As(err, &r) {
		return r.Code
	}
	return ""
}

// raw is a client made by hand, which can say anything.
type raw struct {
	lab    *lab
	id     *identity.Identity
	conn   *quic.Conn
	stream *quic.Stream
}

// raw connects, as somebody with a certain identity.
func (l *lab) raw(id *identity.Identity) *raw {
	l.t.Helper()
	c, err := l.net.Listen(l.host())
	if err != nil {
		l.t.Fatal(err)
	}
	transport := &quic.Transport{Conn: c}
	l.t.Cleanup(func() {
		transport.Close()
		c.Close()
	})
	config := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"wzp"}, MinVersion: tls.VersionTLS13}
	r := &raw{lab: l, id: id}
	if r.conn, err = transport.Dial(context.Background(), net.UDPAddrFromAddrPort(relayAddr), config,
		nil); err != nil {
		l.t.Fatal(err)
	}
	if r.stream, err = r.conn.OpenStreamSync(context.Background()); err != nil {
		l.t.Fatal(err)
	}
	r.stream.SetReadDeadline(time.Now().Add(time.Minute))
	return r
}

// hello says a valid Hello for a session.
func (r *raw) hello(session byte) *wire.Welcome {
	r.lab.t.Helper()
	state := r.conn.ConnectionState().TLS
	exporter, err := state.ExportKeyingMaterial(wire.ExporterLabel, nil, wire.ExporterSize)
	if err != nil {
		r.lab.t.Fatal(err)
	}
	hello := &wire.Hello{Name: "raw", Client: "raw", Session: [16]byte{session}, ConnID: 7}
	hello.Sign(r.id, exporter, r.lab.key.Public())
	r.send(hello)
	welcome, ok := r.read().(*wire.Welcome)
	if !ok {
		r.lab.t.Fatal("not welcome")
	}
	return welcome
}

func (r *raw) send(m wire.Message) {
	r.lab.t.Helper()
	b, err := wire.AppendMessage(nil, m)
	if err != nil {
		r.lab.t.Fatal(err)
	}
	r.write(b)
}

func (r *raw) write(b []byte) {
	r.lab.t.Helper()
	if _, err := r.stream.Write(b); err != nil {
		r.lab.t.Fatal(err)
	}
}

// read returns the next message, nil at the end of the connection.
func (r *raw) read() wire.Message {
	m, err := wire.ReadMessage(r.stream)
	if err != nil {
		return nil
	}
	return m
}

// wantRefused reads until a refusal.
func (r *raw) wantRefused(want wire.Code) {
	r.lab.t.Helper()
	for {
		switch m := r.read().(type) {
		case nil:
			r.lab.t.Errorf("the connection ended, want refusal %q", want)
			return
		case *wire.Refused:
			if m.Code != want {
				r.lab.t.Errorf("refused: %v, want %q", m, want)
			}
			return
		}
	}
}
