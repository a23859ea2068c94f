package relay

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/federation"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/presence"
	"github.com/wzp-voice/wzp/internal/wire"
)

// caller is somebody with a line, who asks for routes.
type caller struct {
	*person
	record []byte // of who can be called

	mu     sync.Mutex // guards what follows
	routes []wire.Route
}

// line returns somebody with a line, who can be called if available.
func (l *lab) line(available bool) *caller {
	l.t.Helper()
	c := &caller{person: l.person()}
	c.ears.news = func(kind wire.UrgentKind, body []byte) {
		if kind != wire.UrgentRoute {
			return
		}
		m, err := wire.Parse[wire.Route](body)
		if err != nil {
			l.t.Error(err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.routes = append(c.routes, m)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	client, err := c.ep.Dial(ctx, link.ClientConfig{
		Resolve:    func(context.Context) (netip.AddrPort, error) { return l.relay.Addr(), nil },
		Name:       "somebody",
		CheckRelay: func(identity.PublicKey) error { return nil },
		Line: func(relay identity.PublicKey) (*wire.Available, error) {
			if available {
				c.record = newRecord(c.id, relay, nil)
			}
			return &wire.Available{Record: c.record}, nil
		},
	})
	if err != nil {
		l.t.Fatal(err)
	}
	client.Start(c.ears)
	c.client = client
	return c
}

// ask asks for somebody, and returns the answer.
func (c *caller) ask(f identity.Fingerprint) wire.Route {
	c.lab.t.Helper()
	before := c.answers()
	c.want(f)
	c.lab.eventually("an answer", 3*time.Second, func() bool { return c.answers() > before })
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.routes[len(c.routes)-1]
}

func (c *caller) want(f identity.Fingerprint) {
	c.lab.t.Helper()
	body := wire.Append(nil, &wire.RouteWanted{Target: f})
	if err := c.client.Session().SendUrgent(wire.UrgentRouteWanted, body); err != nil {
		c.lab.t.Fatal(err)
	}
}

func (c *caller) answers() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.routes)
}

// TestRoutes wants a client at one end of a chain of five relays to be told the way to somebody at the other,
// with the record, and the HTTP API too; relays whose operators do not say mesh pass nothing on.
func TestRoutes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "events")
	inMesh(t, func(m *mesh) {
		for range 5 {
			m.node()
		}
		for i := range 4 {
			m.nodes[i].knows(m.nodes[i+1])
		}
		var chain []wire.RelayID
		for _, n := range m.nodes {
			chain = append(chain, n.id())
			for i := range n.peers {
				n.peers[i].Presence = presence.Mesh
			}
		}
		m.nodes[0].config.EventLog = file
		for _, n := range m.nodes {
			n.up()
		}
		for i := range 4 {
			m.linked(m.nodes[i], m.nodes[i+1])
		}
		a, e := m.nodes[0], m.nodes[4]
		called, other := e.line(true), e.line(false)
		me := a.line(true)
		time.Sleep(time.Second)

		target := called.id.Fingerprint()
		begun := time.Now()
		got := me.ask(target)
		want := wire.Route{Target: target, Located: wire.Located{Found: wire.FoundDevice, Of: 1, Chain: chain,
			Record: called.record}}
		if got.Target != want.Target || !slices.Equal(got.Chain, chain) ||
			string(got.Record) != string(want.Record) {
			t.Errorf("%+v, want %+v", got, want)
		}
		if took := time.Since(begun); took > 400*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		if got := me.ask(me.id.Fingerprint()); got.Found != wire.FoundDevice || !slices.Equal(got.Chain,
			chain[:1]) {
			t.Errorf("somebody here: %+v", got)
		}
		if got := me.ask(other.id.Fingerprint()); got.Found != wire.FoundNobody {
			t.Errorf("who takes no calls: %+v", got)
		}
		route, err := a.relay.federation.Route(m.t.Context(), target)
		if err != nil || route.Kind != presence.Chain || !slices.Equal(route.Chain, chain) {
			t.Errorf("%v, %v", route, err)
		}
		a.routesOfAPI(called.id.Fingerprint(), me.id.Fingerprint(), other.id.Fingerprint(), chain)
		if n := a.routesAsked("client", "chain"); n != 1 {
			t.Errorf("%v queries of clients were answered chain", n)
		}
		if n := m.nodes[1].routesAsked("peer", "chain"); n != 1 {
			t.Errorf("%v queries of peers were answered chain", n)
		}
		a.stop()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range []string{"route_query", "route_response", "route_resolved"} {
			if !strings.Contains(string(text), `"event":"`+kind+`"`) {
				t.Errorf("the event log has no %s", kind)
			}
		}
		if hash := wire.HashPresence(target).String(); strings.Contains(string(text), hash) ||
			!strings.Contains(string(text), hash[:8]) || strings.Contains(string(text), target.String()[:9]) {
			t.Error("the event log does not have half a hash, and no more")
		}
	})
}

// routesOfAPI asks the HTTP API for routes to somebody at the end of a chain, here, and nowhere.
func (n *node) routesOfAPI(far, here, nowhere identity.Fingerprint, chain []wire.RelayID) {
	n.t.Helper()
	o := n.operator("127.0.0.1", "")
	for f, want := range map[identity.Fingerprint]route{
		far:     {far, "chain", nil},
		here:    {here, "local", nil},
		nowhere: {nowhere, "not_found", []string{}},
	} {
		for _, id := range chain {
			if want.Route == "chain" || want.Route == "local" && len(want.RelayChain) == 0 {
				want.RelayChain = append(want.RelayChain, id.String())
			}
		}
		var got route
		r := o.get("/route/"+f.String(), &got)
		if r.status != http.StatusOK || got.Fingerprint != f || got.Route != want.Route ||
			!slices.Equal(got.RelayChain, want.RelayChain) || got.RelayChain == nil {
			n.t.Errorf("/route: %d %s, want %+v", r.status, r.body, want)
		}
	}
	o.ask(http.MethodGet, "/route/x").refused(n.t, "/route/x", http.StatusBadRequest, "fingerprint")
}

// routesAsked returns how many queries were answered so.
func (n *node) routesAsked(by, answer string) float64 {
	return n.metricOf("route_queries_total", by, answer)
}

// TestRouteFloods wants a client that asks without end to be answered no more than its share, and HTTP
// callers to be bounded, and neither to be in the way of others.
func TestRouteFloods(t *testing.T) {
	inLab(t, Config{}, func(l *lab) {
		hostile, me, called := l.line(false), l.line(false), l.line(true)
		for n := range 200 {
			hostile.want(identity.Fingerprint{byte(n), 1})
			if n%16 == 0 {
				time.Sleep(50 * time.Millisecond)
			}
		}
		if got := me.ask(called.id.Fingerprint()); got.Found != wire.FoundDevice {
			t.Errorf("during a flood: %+v", got)
		}
		l.eventually("all came", time.Minute,
			func() bool { return hostile.client.Session().UrgentPending() == 0 })
		time.Sleep(time.Second)
		if n := l.metricOf("route_queries_total", "client", "not_found"); n != 30 {
			t.Errorf("%v of 200 queries were answered", n)
		}
		if unsure, dropped := l.metricOf("route_queries_total", "client", "unsure"),
			l.dropped(drops.RouteRate); unsure+
			dropped != 170 {
			t.Errorf("%v were answered unsure, %v dropped", unsure, dropped)
		}
		ctx, cancel := context.WithCancel(l.t.Context())
		cancel()
		if _, err := l.relay.federation.Route(ctx, identity.Fingerprint{}); err != nil && !errors.Is(err,
			context.Canceled) {
			t.Error(err)
		}
		var wg sync.WaitGroup
		var mu sync.Mutex // guards refused
		refused := 0
		for range 500 {
			wg.Go(func() {
				_, err := l.relay.federation.Route(l.t.Context(), called.id.Fingerprint())
				mu.Lock()
				defer mu.Unlock()
				if errors.Is(err, federation.ErrRouteCallers) {
					refused++
				} else if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		t.Logf("%d of 500 callers were refused", refused)
		if _, err := l.relay.federation.Route(l.t.Context(), called.id.Fingerprint()); err != nil {
			t.Error(err)
		}
	})
}

// TestRogueRoutes wants a peer that answers every query with itself, floods queries and answers what nobody
// asked, to be named, and in nobody's way.
func TestRogueRoutes(t *testing.T) {
	inMesh(t, func(m *mesh) {
		a, b, rogue := m.node(), m.node(), m.rogue()
		a.knows(b)
		a.trusts(rogue)
		for _, n := range m.nodes {
			for i := range n.peers {
				n.peers[i].Presence = presence.Mesh
			}
			n.up()
		}
		m.linked(a, b)
		rogue.linked(a)
		called, me := b.line(true), a.line(false)
		time.Sleep(time.Second)

		target, flood := called.id.Fingerprint(), 0
		path := []wire.RelayID{rogue.id()}
		for i := range 8 {
			for range 300 {
				flood++
				rogue.urge(wire.UrgentRouteQuery, wire.Append(nil, &wire.RouteQuery{Hops: 7, Path: path,
					ID: wire.QueryID{byte(flood), byte(flood >> 8)}, Target: identity.Fingerprint{byte(flood),
						byte(flood >> 8)}}))
			}
			me.want(target)
			time.Sleep(5 * time.Millisecond)
			for n := range uint8(40) { // whatever the number of the query is, it comes
				rogue.urge(wire.UrgentRouteResponse, wire.Append(nil,
					&wire.RouteResponse{ID: wire.QueryID{7: n},
						Located: wire.Located{Found: wire.FoundDevice, Of: 1, Chain: path,
							Record: called.record}}))
			}
			m.eventually("an answer", 3*time.Second, func() bool { return me.answers() > i })
			me.mu.Lock()
			got := me.routes[i]
			me.mu.Unlock()
			if want := []wire.RelayID{a.id(), b.id()}; got.Found != wire.FoundDevice ||
				!slices.Equal(got.Chain, want) {
				t.Errorf("%d: %+v", i, got)
			}
			time.Sleep(6 * time.Second) // so that it is asked for again, now and then
		}
		text := a.logged.String()
		for _, why := range []string{"what=route", "what=queries"} {
			if !strings.Contains(text, why) || !strings.Contains(text, "peer=rogue") {
				t.Errorf("the log does not have %s: %s", why, text)
			}
		}
		if strings.Contains(text, target.String()[:9]) {
			t.Error("the log has a fingerprint")
		}
	})
}

// TestRoutesAround wants the way around a relay that has died, in a ring of five, to be found within 5 s.
func TestRoutesAround(t *testing.T) {
	inMesh(t, func(m *mesh) {
		for range 5 {
			m.node()
		}
		for i, n := range m.nodes {
			n.knows(m.nodes[(i+1)%5])
		}
		for _, n := range m.nodes {
			for i := range n.peers {
				n.peers[i].Presence = presence.Mesh
			}
			n.up()
		}
		for i, n := range m.nodes {
			m.linked(n, m.nodes[(i+1)%5])
		}
		a, b, c, d, e := m.nodes[0], m.nodes[1], m.nodes[2], m.nodes[3], m.nodes[4]
		called, me := c.line(true), a.line(false)
		time.Sleep(2 * time.Second)
		target := called.id.Fingerprint()
		if got := me.ask(target); !slices.Equal(got.Chain, []wire.RelayID{a.id(), b.id(), c.id()}) {
			t.Fatalf("%+v", got)
		}
		m.cut(a, b, true)
		m.cut(b, c, true)
		died := time.Now()
		around := []wire.RelayID{a.id(), e.id(), d.id(), c.id()}
		for {
			if got := me.ask(target); slices.Equal(got.Chain, around) {
				break
			}
			if took := time.Since(died); took > 5*time.Second {
				t.Fatalf("the way around was not found within %v", took)
			}
			time.Sleep(500 * time.Millisecond)
		}
		t.Logf("the way around was found after %v", time.Since(died))
	})
}
