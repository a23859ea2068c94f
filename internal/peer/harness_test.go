package peer

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/simnet"
	"github.com/wzp-voice/wzp/internal/simnet/simtest"
	"github.com/wzp-voice/wzp/internal/udp"
	"github.com/wzp-voice/wzp/internal/wire"
)

// linkLab is some relays, of which only the links are there, on a simulated network, in virtual time.
//
//	Handlers (peerLog) ── links ── link.Endpoint ── simnet
type linkLab struct {
	t   *testing.T
	net *simnet.Network
}

// inLinkLab runs f in virtual time.
func inLinkLab(t *testing.T, f func(l *linkLab)) {
	t.Helper()
	simtest.Run(t, simnet.Profile{Delay: 10 * time.Millisecond}, func(t *testing.T, n *simnet.Network) {
		f(&linkLab{t: t, net: n})
	})
}

// testRelay is a relay at an address of its own, whose key the lab orders: the smaller number has the smaller
// key.
type testRelay struct {
	lab    *linkLab
	number int
	id     *identity.Identity
	addr   netip.AddrPort
	peers  []Config
	names  *lookups // nil: addresses only
	conn   *simnet.Conn
	ep     *link.Endpoint
	links  *Links
	events *peerLog
	logged *logText
	json   bool // what is logged
	stop   func()
}

// relay returns a relay that does not run yet. Numbers are from 1 to 9.
func (l *linkLab) relay(number int) *testRelay {
	return &testRelay{
		lab:    l,
		number: number,
		id:     orderedIdentities()[number],
		addr:   simtest.Relay(number),
		logged: new(logText),
	}
}

// orderedIdentities returns ten identities, the one with the smallest key first.
var orderedIdentities = sync.OnceValue(func() (list [10]*identity.Identity) {
	for i := range list {
		list[i] = identity.SeedFromBytes([identity.SeedSize]byte{byte(i)}).Identity()
	}
	for i := range list {
		for j := range i {
			a, b := list[i].Public(), list[j].Public()
			if bytes.Compare(a[:], b[:]) < 0 {
				list[i], list[j] = list[j], list[i]
			}
		}
	}
	return list
})

// knows configures others as peers; it dials them.
func (r *testRelay) knows(others ...*testRelay) *testRelay {
	for _, o := range others {
		r.peers = append(r.peers,
			Config{Address: o.addr.String(), Fingerprint: o.id.Fingerprint(), Label: o.name()})
	}
	return r
}

// trusts configures others as relays that may connect in.
func (r *testRelay) trusts(others ...*testRelay) *testRelay {
	for _, o := range others {
		r.peers = append(r.peers, Config{Fingerprint: o.id.Fingerprint(), Label: o.name()})
	}
	return r
}

func (r *testRelay) name() string { return fmt.Sprintf("relay %d", r.number) }

// up starts the relay, or starts it again, without memory.
func (r *testRelay) up() *testRelay {
	t := r.lab.t
	t.Helper()
	r.conn = simtest.Listen(t, r.lab.net, r.addr)
	r.events = &peerLog{t: t, up: make(map[wire.RelayID]*Link)}
	all := &slog.HandlerOptions{Level: slog.LevelDebug}
	handler := slog.Handler(slog.NewTextHandler(r.logged, all))
	if r.json {
		handler = slog.NewJSONHandler(r.logged, all)
	}
	r.links = New(slog.New(handler), r.events.linkUp)
	if r.names != nil {
		r.links.lookup = r.names.lookup
	}
	r.links.Configure(r.peers)
	var err error
	r.ep, err = link.NewEndpoint(udp.New(r.conn),
		link.Config{Identity: r.id, Version: "test relay", Accept: noClients{}, Peers: r.links})
	if err != nil {
		t.Fatal(err)
	}
	r.links.Start(r.ep, r.id)
	links, ep := r.links, r.ep
	r.stop = sync.OnceFunc(func() {
		links.Close()
		ep.Close()
	})
	t.Cleanup(r.stop)
	return r
}

// kill ends the relay without a word to anyone.
func (r *testRelay) kill() {
	r.conn.Close()
	r.stop()
}

// to returns the link that is up with another relay, or nil.
func (r *testRelay) to(o *testRelay) *Link {
	r.events.mu.Lock()
	defer r.events.mu.Unlock()
	return r.events.up[wire.RelayIDOf(o.id.Public())]
}

// cutOff makes no packet pass between two relays, or lets them pass again.
func (l *linkLab) cutOff(a, b *testRelay, on bool) { l.net.Partition(a.addr.Addr(), b.addr.Addr(), on) }

// eventually waits until ok, for at most limit of virtual time, and returns how long it took.
func (l *linkLab) eventually(what string, limit time.Duration, ok func() bool) time.Duration {
	l.t.Helper()
	return simtest.Eventually(l.t, what, limit, ok)
}

// joined waits until two relays use the same link, and returns it as the first sees it.
func (l *linkLab) joined(a, b *testRelay, limit time.Duration) *Link {
	l.t.Helper()
	l.eventually(a.name()+" and "+b.name()+" have a link", limit, func() bool {
		at, bt := a.to(b), b.to(a)
		return at != nil && bt != nil && at.dialled != bt.dialled
	})
	return a.to(b)
}

// talk checks that an urgent message gets from a to b and back.
func (l *linkLab) talk(a, b *testRelay) {
	l.t.Helper()
	for _, way := range [][2]*testRelay{{a, b}, {b, a}} {
		before := way[1].events.count("urgent")
		way[0].to(way[1]).Send(wire.UrgentFederationRoom, []byte("hello"), nil)
		l.eventually("an urgent message arrives", 3*time.Second,
			func() bool { return way[1].events.count("urgent") > before })
	}
}

// noClients is the Acceptor of relays without members.
type noClients struct{}

func (noClients) Accept(*link.Session, netip.Addr) (link.AcceptedHandler, *wire.Refused) {
	return nil, &wire.Refused{Code: wire.CodeTooManySessions}
}

// peerLog is who uses the links of a relay. It notes what comes, and holds the links to their promises.
type peerLog struct {
	t *testing.T

	mu     sync.Mutex // guards what follows
	up     map[wire.RelayID]*Link
	events []string
	deaf   bool          // takes no urgent message
	onUp   func(l *Link) // called by linkUp, unless nil
}

func (e *peerLog) note(event string) { e.events = append(e.events, event) }

// count returns how often events came that begin so.
func (e *peerLog) count(prefix string) (n int) {
	for _, event := range e.list() {
		if strings.HasPrefix(event, prefix) {
			n++
		}
	}
	return n
}

func (e *peerLog) list() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.events...)
}

func (e *peerLog) linkUp(l *Link) Handler {
	e.mu.Lock()
	if e.up[l.ID] != nil {
		e.t.Error("linkUp though a link with that peer is up")
	}
	e.up[l.ID] = l
	e.note("up " + l.Label)
	onUp := e.onUp
	e.mu.Unlock()
	if onUp != nil {
		onUp(l)
	}
	return &peerLogLink{e, l}
}

// peerLogLink is the Handler of one link.
type peerLogLink struct {
	*peerLog
	link *Link
}

func (e *peerLogLink) Down(why string) {
	l := e.link
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.up[l.ID] != l {
		e.t.Error("linkDown of a link that is not up")
	}
	delete(e.up, l.ID)
	e.note("down " + l.Label + ": " + why)
}

func (e *peerLogLink) Suspect(suspect bool) {
	l := e.link
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.up[l.ID] != l {
		e.t.Error("linkSuspect of a link that is not up")
	}
	e.note(fmt.Sprintf("suspect %v", suspect))
}

func (e *peerLogLink) Bind(m *wire.Media) link.Inbound { return link.InboundFunc(m, e.media) }

func (e *peerLogLink) media(st *link.Stream, m *wire.Media, _ *link.Tx) {
	st.Seen(m.CTR)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.note("media")
}

func (e *peerLogLink) AliasAcked(wire.AliasPair) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.note("alias acked")
}

func (e *peerLogLink) Urgent(_ wire.UrgentKind, body []byte) bool {
	l := e.link
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.deaf || e.up[l.ID] != l { // it had begun before the link was down
		return false
	}
	e.note("urgent " + string(body))
	return true
}

// logText keeps what was logged.
type logText struct{ simtest.Log }

// lines returns the lines that hold text.
func (w *logText) lines(text string) []string { return w.Lines(text) }

// lookups is a name server that counts.
type lookups struct {
	mu    sync.Mutex // guards what follows
	addr  netip.Addr
	asked int
}

func (n *lookups) lookup(context.Context, string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked++
	return []netip.Addr{n.addr}, nil
}

// wantTexts fails for each text that is not in a line of the log.
func wantTexts(t *testing.T, line string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(line, text) {
			t.Errorf("the log does not say %q: %q", text, line)
		}
	}
}
