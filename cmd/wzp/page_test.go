package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/relay"
	"github.com/wzp-voice/wzp/internal/wire"
	"github.com/wzp-voice/wzp/web"
)

func byKey(n byte) relayKeyFlags {
	return relayKeyFlags{RelayKey: testIdentity(n).Fingerprint().String()}
}

func inFile(known string) relayKeyFlags { return relayKeyFlags{KnownRelays: known} }

// testIdentity returns one of 256 identities.
func testIdentity(n byte) *identity.Identity {
	return identity.SeedFromBytes([identity.SeedSize]byte{0: n}).Identity()
}

// newPageRelay runs a relay for browsers until the test ends.
func newPageRelay(t *testing.T, id *identity.Identity, http string) (r *relay.Relay, stop func()) {
	t.Helper()
	r, err := relay.New(relay.Config{Identity: id, Version: "wzp test", Listen: "127.0.0.1:0", Sockets: 1,
		HTTP: http})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return r, stop
}

// servePage serves p until the test ends, and returns its address.
func servePage(t *testing.T, p *relayPage) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return "http://" + ln.Addr().String()
}

func getText(t *testing.T, address string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	r, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

// TestPage runs the command's page against a relay, which is then replaced by one with another key.
func TestPage(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, ignore) })
	r, stop := newPageRelay(t, testIdentity(1), "127.0.0.1:0")
	known := filepath.Join(t.TempDir(), "known_relays")
	cmd := pageCmd{Relay: "http://" + r.HTTPAddr().String(), relayKeyFlags: inFile(known)}
	p, err := cmd.page()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	address := servePage(t, p)
	if status, text := getText(t, address+"/tea"); status != http.StatusOK ||
		!strings.Contains(strings.ToLower(text), "<!doctype html>") {
		t.Errorf("the page: %d %q", status, text)
	}
	status, text := getText(t, address+web.ConnectPath)
	var connect web.Connect
	if err := json.Unmarshal([]byte(text), &connect); err != nil || status != http.StatusOK {
		t.Fatalf("%d %q: %v", status, text, err)
	}
	if connect.Relay != testIdentity(1).Public().String() ||
		connect.WebSocket != "ws://"+r.HTTPAddr().String()+"/ws" ||
		connect.Leave != "http://"+r.HTTPAddr().String()+"/leave" ||
		connect.WebTransport == nil || connect.WebTransport.URL != "https://"+r.Addr().String()+"/wt" ||
		connect.WebTransport.Port != 0 {
		t.Errorf("got %s", text)
	}
	relays, err := identity.OpenKnownRelays(known)
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range []string{r.Addr().String(), r.HTTPAddr().String()} {
		if is, err := relays.Verify(addr, testIdentity(1).Public()); !is || err != nil {
			t.Errorf("%s is not kept: %v", addr, err)
		}
	}

	http := r.HTTPAddr().String()
	stop()
	p.expire(connectFresh)
	if status, _ := getText(t, address+web.ConnectPath); status != 200 {
		t.Errorf("while the relay is away: %d", status)
	}
	p.expire(connectStale)
	if status, text := getText(t, address+web.ConnectPath); status != 502 ||
		!strings.Contains(text, "cannot reach") {
		t.Errorf("long after the relay went: %d %q", status, text)
	}
	newPageRelay(t, testIdentity(2), http)
	if status, text := getText(t, address+web.ConnectPath); status != 502 ||
		!strings.Contains(text, "cannot reach") {
		t.Errorf("a moment after the relay was asked: %d %q", status, text)
	}
	p.expire(0)
	if status, text := getText(t, address+web.ConnectPath); status != 409 ||
		!strings.Contains(text, "another key") {
		t.Errorf("another relay in its place: %d %q", status, text)
	}
	p.expire(-connectStale) // what is in memory is new enough, but somebody poses as the relay
	p.expire(connectFresh)
	if status, text := getText(t, address+web.ConnectPath); status != 409 ||
		!strings.Contains(text, "another key") {
		t.Errorf("another relay in its place of a moment ago: %d %q", status, text)
	}
}

// expire makes what a page knows older, and has it ask again.
func (p *relayPage) expire(by time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tried = time.Time{}
	if answer := p.latest.Load(); answer != nil {
		answer.at = answer.at.Add(-by)
	}
}

func TestPageKey(t *testing.T) {
	r, _ := newPageRelay(t, testIdentity(1), "127.0.0.1:0")
	cmd := pageCmd{Relay: "http://" + r.HTTPAddr().String(), relayKeyFlags: byKey(1)}
	cmd.KnownRelays = t.TempDir()
	p, err := cmd.page()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.refresh(t.Context()); err != nil {
		t.Errorf("the given key: %v", err)
	}
	cmd.RelayKey = testIdentity(2).Fingerprint().String()
	if p, err = cmd.page(); err != nil {
		t.Fatal(err)
	}
	if err := p.refresh(t.Context()); err == nil || !strings.Contains(err.Error(), cmd.RelayKey) ||
		!strings.Contains(err.Error(), testIdentity(1).Fingerprint().String()) {
		t.Errorf("another key than the given one: %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestPageKnownToJoin: a key that "wzp join" has kept is expected here, too, and nothing is kept of another.
func TestPageKnownToJoin(t *testing.T) {
	r, _ := newPageRelay(t, testIdentity(1), "127.0.0.1:0")
	known := filepath.Join(t.TempDir(), "known_relays")
	relays, err := identity.OpenKnownRelays(known)
	if err != nil {
		t.Fatal(err)
	}
	if err := relays.Check(r.Addr().String(), testIdentity(9).Public()); err != nil {
		t.Fatal(err)
	}
	p, err := (&pageCmd{Relay: "http://" + r.HTTPAddr().String(), relayKeyFlags: inFile(known)}).page()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.refresh(t.Context()); !errors.As(err, new(*identity.RelayKeyChangedError)) {
		t.Errorf("another key than wzp join knows: %v", err)
	}
	if is, _ := relays.Verify(r.HTTPAddr().String(), testIdentity(1).Public()); is {
		t.Error("the key was kept all the same")
	}
}

// TestPageKeepsOnlyItsHost: a relay that names another host for its UDP port has no key kept for that.
func TestPageKeepsOnlyItsHost(t *testing.T) {
	for udp, kept := range map[string]bool{
		"127.0.0.1:4433": true, "voice.example.org:4433": false, "localhost:4433": false,
		"127.0.0.1.example.org:4433": false,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			c := goodConnect(testIdentity(1))
			c.WebTransport.Port, c.WebTransport.Path, c.WebTransport.URL = 0, "", "https://"+udp+"/wt"
			_ = json.NewEncoder(w).Encode(c)
		}))
		known := filepath.Join(t.TempDir(), "known_relays")
		p, err := (&pageCmd{Relay: server.URL, relayKeyFlags: inFile(known)}).page()
		if err != nil {
			t.Fatal(err)
		}
		if err := p.refresh(t.Context()); err != nil {
			t.Errorf("%s: %v", udp, err)
		}
		relays, err := identity.OpenKnownRelays(known)
		if err != nil {
			t.Fatal(err)
		}
		if is, err := relays.Verify(p.base.Host, testIdentity(1).Public()); !is || err != nil {
			t.Errorf("%s: the page's address is not kept: %v", udp, err)
		}
		if is, err := relays.Verify(udp, testIdentity(1).Public()); is != kept || err != nil {
			t.Errorf("%s: kept %v, %v, want %v", udp, is, err, kept)
		}
		p.client.CloseIdleConnections()
		server.Close()
	}
}

// swallow is a transport to a relay that does not answer any more.
type swallow struct{ asked atomic.Int32 }

func (s *swallow) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked.Add(1)
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// TestPageOfSilentRelay: while the relay swallows packets, browsers have the answer of before within their 5
// s, however many they are.
func TestPageOfSilentRelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := new(swallow)
		p := &relayPage{base: &url.URL{Scheme: "https", Host: "voice.example.org"},
			client: &http.Client{Transport: transport}}
		p.latest.Store(&relayAnswer{connect: *goodConnect(testIdentity(1)), at: time.Now()})
		h := p.handler(t.Context())
		round := func(status, asked int, patience time.Duration) {
			t.Helper()
			start := time.Now()
			for range 20 { // one after the other, as the mutex has those that come at once
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, web.ConnectPath,
					nil))
				if took := time.Since(start); w.Code != status || took > patience {
					t.Errorf("%d after %v, want %d within %v", w.Code, took, status, patience)
				}
			}
			if got := int(transport.asked.Load()); got != asked {
				t.Errorf("the relay was asked %d times, want %d", got, asked)
			}
		}
		time.Sleep(connectFresh)
		round(http.StatusOK, 1, connectAgain)
		round(http.StatusOK, 1, 0)
		time.Sleep(connectFresh)
		round(http.StatusOK, 2, connectAgain)
		time.Sleep(connectStale)
		round(http.StatusBadGateway, 3, connectLast)
		round(http.StatusBadGateway, 3, 0)
	})
}

// TestPageIsLocal: a name that leads to this machine is not this page's (DNS rebinding).
func TestPageIsLocal(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(goodConnect(testIdentity(1)))
	}))
	defer server.Close()
	p, err := (&pageCmd{Relay: server.URL, relayKeyFlags: byKey(1)}).page()
	if err != nil {
		t.Fatal(err)
	}
	address := servePage(t, p)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for host, want := range map[string]int{
		"localhost": 200, "localhost:1": 200, "127.0.0.1:8081": 200, "[::1]:8081": 200, "[::1]": 200,
		"evil.example": 421, "evil.example:8081": 421, "localhost.evil.example": 421, "192.0.2.1:8081": 421,
	} {
		for _, path := range []string{"/", web.ConnectPath} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = host
			answer, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != want {
				t.Errorf("%s at %q: %d, want %d", path, host, answer.StatusCode, want)
			}
		}
	}
}

// TestTakenLocalhost: another program on [::1] would be of the page's origin.
func TestTakenLocalhost(t *testing.T) {
	other, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return // no [::1] here, so nobody can take it
	}
	defer other.Close()
	_, port, _ := net.SplitHostPort(other.Addr().String())
	for _, host := range []string{"127.0.0.1", "localhost"} {
		addr := host + ":" + port
		page := &pageCmd{Relay: "http://127.0.0.1:1", Listen: addr,
			relayKeyFlags: byKey(1)}
		want := "cannot listen on --listen " + addr + ": on [::1], where browsers look for localhost " +
			"first, a program has this port already"
		if err := page.Run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("wzp page: %v", err)
		}
		_, err := relay.New(relay.Config{Identity: testIdentity(1), Listen: "127.0.0.1:0", Sockets: 1,
			HTTP: addr})
		want = strings.Replace(want, "--listen", "--http", 1)
		if err = (&relayCmd{Config: relay.Config{HTTP: addr}}).listenError(err); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("wzp relay: %v", err)
		}
	}
}

func TestParseRelayURL(t *testing.T) {
	for text, want := range map[string]string{
		"voice.example.org":             "https://voice.example.org",
		"voice.example.org:8443":        "https://voice.example.org:8443",
		"VOICE.example.org.":            "https://voice.example.org",
		"https://voice.example.org/":    "https://voice.example.org",
		"http://localhost:8080":         "http://localhost:8080",
		"voice.example.org//":           "https://voice.example.org",
		"example.org/voice/":            "https://example.org/voice/",
		"https://example.org:8443/a/b/": "https://example.org:8443/a/b/",
		"127.0.0.1:8443":                "https://127.0.0.1:8443",
		"::1":                           "https://[::1]",
		"[::1]:8443":                    "https://[::1]:8443",
		"http://[::1]":                  "http://[::1]",
		"bücher.example":                "https://xn--bcher-kva.example",
		"":                              "",
		":8080":                         "",
		"voice.example.org:":            "",
		"voice.example.org:0":           "",
		"voice.example.org:65536":       "",
		"voice.example.org:x":           "",
		"voice example.org":             "",
		"voice.example.org/room":        "",
		"https://voice.example.org/?a":  "",
		"https://voice.example.org/#a":  "",
		"https://a@voice.example.org":   "",
		"ftp://voice.example.org":       "",
		"https://":                      "",
		"\x00":                          "",
	} {
		u, err := parsePageURL("--relay", text)
		switch {
		case want == "" && (err == nil || !errors.As(err, new(usageError))):
			t.Errorf("%q: %v, %v, want wrong usage", text, u, err)
		case want != "" && (err != nil || u.String() != want):
			t.Errorf("%q: %v, %v, want %s", text, u, err, want)
		}
	}
}

// goodConnect is what a relay says, with a signature.
func goodConnect(id *identity.Identity) *web.Connect {
	hash := [32]byte{1, 2, 3}
	return &web.Connect{Relay: id.Public().String(), Version: "wzp test", WebSocket: "/ws",
		WebTransport: &web.WebTransport{
			Port: 4433, Path: "/wt", Hashes: []string{hex.EncodeToString(hash[:])},
			Signature: hex.EncodeToString(wire.SignWebCertificates(id, [][32]byte{hash})),
		}}
}

func TestParseConnect(t *testing.T) {
	base := &url.URL{Scheme: "https", Host: "voice.example.org"}
	parse := func(edit func(c *web.Connect)) (*relayAnswer, error) {
		c := goodConnect(testIdentity(1))
		edit(c)
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return parseConnect(base, b)
	}
	for name, test := range map[string]struct {
		edit                       func(c *web.Connect)
		transport, socket, addrUDP string
	}{
		"ports": {func(*web.Connect) {}, "https://voice.example.org:4433/wt",
			"wss://voice.example.org/ws", "voice.example.org:4433"},
		"relative": {func(c *web.Connect) { c.WebSocket = "ws" }, "https://voice.example.org:4433/wt",
			"wss://voice.example.org/ws", "voice.example.org:4433"},
		"no socket": {func(c *web.Connect) { c.WebSocket = "" }, "https://voice.example.org:4433/wt", "",
			"voice.example.org:4433"},
		"URLs": {func(c *web.Connect) {
			c.WebTransport.Port, c.WebTransport.Path, c.WebTransport.URL = 0, "", "https://udp.example.org/wt"
			c.WebSocket = "wss://tcp.example.org:8443/ws"
		}, "https://udp.example.org/wt", "wss://tcp.example.org:8443/ws", "udp.example.org:443"},
	} {
		a, err := parse(test.edit)
		if err != nil || a.connect.WebTransport.URL != test.transport || a.connect.WebSocket != test.socket ||
			a.addr != test.addrUDP || a.key != testIdentity(1).Public() ||
			a.connect.Page != "https://voice.example.org/" {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	base = &url.URL{Scheme: "https", Host: "example.org:8443", Path: "/voice/"}
	a, err := parse(func(c *web.Connect) { c.WebSocket = "ws" })
	if err != nil || a.connect.WebTransport.URL != "https://example.org:4433/wt" ||
		a.connect.WebSocket != "wss://example.org:8443/voice/ws" ||
		a.connect.Page != "https://example.org:8443/voice/" {
		t.Errorf("under a path: %+v, %v", a, err)
	}
	here := base
	base = &url.URL{Scheme: "http", Host: "localhost:8080"}
	a, err = parse(func(c *web.Connect) { c.Page = "https://voice.example.org/" })
	if err != nil || a.connect.Page != "https://voice.example.org/" {
		t.Errorf("of a relay on this machine: %+v, %v", a, err)
	}
	base = here
	for name, edit := range map[string]func(c *web.Connect){
		"no key":              func(c *web.Connect) { c.Relay = "" },
		"another key":         func(c *web.Connect) { c.Relay = testIdentity(2).Public().String() },
		"key of low order":    func(c *web.Connect) { c.Relay = strings.Repeat("00", 32) },
		"long version":        func(c *web.Connect) { c.Version = strings.Repeat("v", 65) },
		"version with escape": func(c *web.Connect) { c.Version = "\x1b[2J" },
		"no hashes":           func(c *web.Connect) { c.WebTransport.Hashes = nil },
		"many hashes":         func(c *web.Connect) { c.WebTransport.Hashes = make([]string, 9) },
		"another hash":        func(c *web.Connect) { c.WebTransport.Hashes[0] = strings.Repeat("ab", 32) },
		"one hash more": func(c *web.Connect) {
			c.WebTransport.Hashes = append(c.WebTransport.Hashes, c.WebTransport.Hashes[0])
		},
		"short hash":     func(c *web.Connect) { c.WebTransport.Hashes[0] = "ab" },
		"no signature":   func(c *web.Connect) { c.WebTransport.Signature = "" },
		"bad signature":  func(c *web.Connect) { c.WebTransport.Signature = strings.Repeat("00", 64) },
		"port 0":         func(c *web.Connect) { c.WebTransport.Port = 0 },
		"port 65536":     func(c *web.Connect) { c.WebTransport.Port = 65536 },
		"no path":        func(c *web.Connect) { c.WebTransport.Path = "" },
		"http":           func(c *web.Connect) { c.WebTransport.URL = "http://voice.example.org/wt" },
		"wss":            func(c *web.Connect) { c.WebTransport.URL = "wss://voice.example.org/wt" },
		"no host":        func(c *web.Connect) { c.WebTransport.URL = "https:///wt" },
		"script":         func(c *web.Connect) { c.WebSocket = "javascript:alert(1)" },
		"plain socket":   func(c *web.Connect) { c.WebSocket = "ws://voice.example.org/ws" },
		"no path at all": func(c *web.Connect) { c.WebSocket = "?ws" },
		"user":           func(c *web.Connect) { c.WebSocket = "wss://a@voice.example.org/ws" },
		"neither":        func(c *web.Connect) { c.WebTransport, c.WebSocket = nil, "" },
	} {
		if a, err := parse(edit); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}

// TestHostileRelayPage gives the command pages that are no relay's.
func TestHostileRelayPage(t *testing.T) {
	var answer atomic.Pointer[func(w http.ResponseWriter)]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		(*answer.Load())(w)
	}))
	defer server.Close()
	for name, test := range map[string]struct {
		serve func(w http.ResponseWriter)
		want  string
	}{
		"a web site": {func(w http.ResponseWriter) { io.WriteString(w, "<!doctype html>") },
			"not the JSON of a relay"},
		"endless": {func(w http.ResponseWriter) {
			for range 1000 {
				io.WriteString(w, strings.Repeat(" ", 1000))
			}
		}, "longer than"},
		"nothing there": {func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) },
			"is it the page of a relay?"},
		"elsewhere": {func(w http.ResponseWriter) {
			w.Header().Set("Location", "http://evil.example/\n")
			w.WriteHeader(http.StatusFound)
		}, "give its address to --relay"},
		"broken": {func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }, "has a problem"},
		"unproved": {func(w http.ResponseWriter) {
			c := goodConnect(testIdentity(1))
			c.WebTransport = nil
			_ = json.NewEncoder(w).Encode(c)
		}, "does not prove its key"},
	} {
		answer.Store(&test.serve)
		known := filepath.Join(t.TempDir(), "known")
		p, err := (&pageCmd{Relay: server.URL, relayKeyFlags: inFile(known)}).page()
		if err != nil {
			t.Fatal(err)
		}
		err = p.refresh(t.Context())
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(oneLine(err), "\n") {
			t.Errorf("%s: %v", name, err)
		}
		p.client.CloseIdleConnections()
	}
}

// TestPageOverHTTPS trusts a certificate authority of the test.
func TestPageOverHTTPS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(goodConnect(testIdentity(1)))
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	server.StartTLS()
	defer server.Close()
	cmd := &pageCmd{Relay: strings.TrimPrefix(server.URL, "https://"),
		relayKeyFlags: byKey(1)}
	p, err := cmd.page()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.refresh(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate that nobody signed: %v", err)
	}
	p.client = server.Client()
	p.expire(0)
	err = p.refresh(t.Context())
	if got := p.latest.Load(); err != nil || got.connect.WebSocket != "wss://"+cmd.Relay+"/ws" {
		t.Errorf("%+v, %v", got, err)
	}
	w := httptest.NewRecorder()
	p.handler(t.Context()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/tea", nil))
	want := "connect-src 'self' https://127.0.0.1:4433/wt wss://" + cmd.Relay + "/ws;"
	if policy := w.Header().Get("Content-Security-Policy"); !strings.Contains(policy, want) {
		t.Errorf("the policy is %q, without %q", policy, want)
	}
}

func FuzzConnect(f *testing.F) {
	b, err := json.Marshal(goodConnect(testIdentity(1)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"relay":"","webtransport":null}`))
	f.Add([]byte(`{"websocket":"/ws"}`))
	base := &url.URL{Scheme: "https", Host: "voice.example.org"}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := parseConnect(base, b)
		if err != nil {
			return
		}
		if s := a.connect.WebSocket; s != "" && !strings.HasPrefix(s, "wss://") {
			t.Errorf("WebSocket %q", s)
		}
		if w := a.connect.WebTransport; w != nil && (!strings.HasPrefix(w.URL, "https://") || a.addr == "") {
			t.Errorf("WebTransport %q at %q", w.URL, a.addr)
		}
	})
}
