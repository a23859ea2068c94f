package relay

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/wire"
	"github.com/wzp-voice/wzp/web"
)

// fetch gets an address of a relay's page with a client of its own.
func fetch(t *testing.T, config *tls.Config, url string) (*http.Response, string) {
	t.Helper()
	client := &http.Client{
		Transport:     &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	answer, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

func TestHTTP(t *testing.T) {
	r, stop := start(t, Config{HTTP: "127.0.0.1:0", Version: "wzp test"})
	defer stop()
	url := "http://" + r.HTTPAddr().String()
	if want := url + "/"; r.PageURL() != want {
		t.Errorf("the page is at %s, want %s", r.PageURL(), want)
	}
	for _, path := range []string{"/", "/tea"} {
		policy := "connect-src 'self' https://127.0.0.1:" + strconv.Itoa(int(r.Addr().Port())) +
			"/wt wss://" + r.HTTPAddr().String() + " ws://" +
			r.HTTPAddr().String() + ";"
		if answer, _ := fetch(t, nil,
			url+path); !strings.Contains(answer.Header.Get("Content-Security-Policy"), policy) {
			t.Errorf("%s: the policy is %q, without %q", path, answer.Header.Get("Content-Security-Policy"),
				policy)
		}
		answer, body := fetch(t, nil, url+path)
		if answer.StatusCode != http.StatusOK || !strings.Contains(strings.ToLower(body),
			"<!doctype html>") ||
			answer.Header.Get("Content-Security-Policy") == "" ||
			answer.Header.Get("Strict-Transport-Security") != "" {
			t.Errorf("%s: %s %v", path, answer.Status, answer.Header)
		}
	}
	if answer, _ := fetch(t, nil, url+"/no/thing"); answer.StatusCode != http.StatusNotFound {
		t.Errorf("/no/thing: %s", answer.Status)
	}
	_, body := fetch(t, nil, url+web.ConnectPath)
	var connect web.Connect
	if err := json.Unmarshal([]byte(body), &connect); err != nil {
		t.Fatal(err)
	}
	key := r.config.Identity.Public()
	if connect.Relay != key.String() || connect.Version != "wzp test" || connect.WebSocket != "ws" ||
		connect.WebTransport == nil ||
		connect.WebTransport.Port != int(r.Addr().Port()) || connect.WebTransport.Path != "/wt" ||
		connect.WebTransport.URL != "" {
		t.Fatalf("connect.json: %s", body)
	}
	var hashes [][32]byte
	for _, text := range connect.WebTransport.Hashes {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, [32]byte(b))
	}
	signature, err := hex.DecodeString(connect.WebTransport.Signature)
	if err != nil || len(hashes) == 0 || !wire.VerifyWebCertificates(key, hashes, signature) {
		t.Errorf("the signature does not verify: %s, %v", body, err)
	}
}

// TestHTTPHost: at plain http on loopback a name that leads here is not the relay's, but that of its proxy
// is.
func TestHTTPHost(t *testing.T) {
	files := newTestCertificate(t, "voice.example.org")
	for name, test := range map[string]struct {
		config Config
		want   map[string]int
	}{
		"loopback": {Config{HTTP: "127.0.0.1:0", WebOrigins: []string{"https://front.example.org"}},
			map[string]int{
				"localhost:8080": 200, "127.0.0.1": 200, "[::1]:8080": 200, "front.example.org": 200,
				"FRONT.example.org:443": 200,
				"evil.example":          421, "evil.example:8080": 421, "localhost.evil.example": 421,
			}},
		"international": {Config{HTTP: "127.0.0.1:0", WebOrigins: []string{"https://B\u00fccher.example"}},
			map[string]int{
				"xn--bcher-kva.example": 200, "xn--bcher-kva.example:443": 200, "xn--bucher-kva.example": 421,
			}},
		"everywhere": {Config{HTTP: ":0"}, map[string]int{"voice.example.org": 200}},
		"https": {Config{HTTP: "127.0.0.1:0", TLSCert: files.cert, TLSKey: files.key},
			map[string]int{"other.example.org": 200}},
	} {
		r, stop := start(t, test.config)
		for host, want := range test.want {
			for _, path := range []string{"/", web.ConnectPath} {
				q := httptest.NewRequest(http.MethodGet, path, nil)
				q.Host = host
				w := httptest.NewRecorder()
				if r.site.server.Handler.ServeHTTP(w, q); w.Code != want {
					t.Errorf("%s: %s at %q: %d, want %d", name, path, host, w.Code, want)
				}
			}
		}
		stop()
	}
}

// TestNoHTTP wants nothing for browsers where there is no page.
func TestNoHTTP(t *testing.T) {
	r, stop := start(t, Config{})
	defer stop()
	if r.HTTPAddr().IsValid() || r.PageURL() != "" || len(r.endpoint.WebCertificates()) != 0 {
		t.Errorf("%v, %q, %d certificates", r.HTTPAddr(), r.PageURL(), len(r.endpoint.WebCertificates()))
	}
}

// TestPageURL is about what people are told to open.
func TestPageURL(t *testing.T) {
	files := newTestCertificate(t, "*.example.org")
	for _, test := range []struct {
		udp, http string
		tls       bool
		want      string // before the port
	}{
		{":0", "127.0.0.1:0", false, "http://localhost:"},
		{":0", ":0", false, "http://localhost:"},
		{"127.0.0.1:0", ":0", false, "http://127.0.0.1:"},
		{":0", "127.0.0.2:0", false, "http://127.0.0.2:"},
		{":0", "127.0.0.1:0", true, "https://localhost:"},
	} {
		config := Config{Identity: newIdentity(1), Listen: test.udp, Sockets: 1, HTTP: test.http}
		if test.tls {
			config.TLSCert, config.TLSKey = files.cert, files.key
		}
		r, err := New(config)
		if err != nil {
			t.Fatal(err)
		}
		run(t, r)()
		if !strings.HasPrefix(r.PageURL(), test.want) {
			t.Errorf("%+v: %s", test, r.PageURL())
		}
	}
}

// TestWebSocketIsServed wants /ws to lead to the endpoint, only for pages that may, and its place to be given
// back.
func TestWebSocketIsServed(t *testing.T) {
	r, stop := start(t, Config{HTTP: "127.0.0.1:0"})
	defer stop()
	url := "ws://" + r.HTTPAddr().String() + web.SocketPath
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	dial := func(fields http.Header) (*websocket.Conn, int) {
		conn, answer, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{
			Subprotocols: []string{"wzp"}, HTTPHeader: fields, HTTPClient: client})
		if err != nil && answer == nil {
			t.Fatal(err)
		}
		if answer.Body != nil {
			answer.Body.Close()
		}
		return conn, answer.StatusCode
	}
	for name, fields := range map[string]http.Header{
		"another's": {"Origin": {"https://evil.example"}}, "null": {"Origin": {"null"}}, "none": {},
	} {
		if _, status := dial(fields); status != http.StatusForbidden {
			t.Errorf("origin %s: %d", name, status)
		}
	}
	conn, status := dial(http.Header{"Origin": {"http://localhost:8081"}})
	if conn == nil {
		t.Fatalf("origin localhost: %d", status)
	}
	_, text, err := conn.Read(t.Context())
	if err != nil || !strings.Contains(string(text), "Greeting") {
		t.Errorf("the relay said %q, %v", text, err)
	}
	conn.CloseNow()
	client.CloseIdleConnections()
	places := func() int {
		r.site.ln.mu.Lock()
		defer r.site.ln.mu.Unlock()
		return r.site.ln.places.Acquired()
	}
	for deadline := time.Now().Add(time.Minute); places() > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections still have a place", places())
		}
	}
}

// TestShutdownEndsWebSockets: Run must not wait for who says nothing.
func TestShutdownEndsWebSockets(t *testing.T) {
	r, stop := start(t, Config{HTTP: "127.0.0.1:0"})
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	conn, answer, err := websocket.Dial(t.Context(), "ws://"+r.HTTPAddr().String()+web.SocketPath,
		&websocket.DialOptions{
			Subprotocols: []string{"wzp"}, HTTPHeader: http.Header{"Origin": {"http://localhost"}},
			HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	if answer.Body != nil {
		answer.Body.Close()
	}
	defer conn.CloseNow()
	stop()
	for err == nil {
		_, _, err = conn.Read(t.Context())
	}
	if _, err := net.Dial("tcp", r.HTTPAddr().String()); err == nil {
		t.Error("the http port is still open")
	}
}

func TestHTTPErrors(t *testing.T) {
	r, stop := start(t, Config{HTTP: "127.0.0.1:0"})
	defer stop()
	for name, test := range map[string]struct {
		config Config
		want   string // in the text
		usage  bool   // whether it is a ConfigError
	}{
		"in use":     {Config{HTTP: r.HTTPAddr().String()}, "in use", false},
		"no address": {Config{HTTP: "nowhere"}, "nowhere", false},
		"no files": {Config{HTTP: "127.0.0.1:0", TLSCert: "no.crt", TLSKey: "no.key"},
			"cannot read --tls-cert", false},
		"one file": {Config{HTTP: "127.0.0.1:0", TLSCert: "no.crt"}, "together", true},
		"both": {Config{HTTP: "127.0.0.1:0", TLSCert: "a", TLSKey: "b", Domain: "voice.example.org"},
			"not both", true},
		"IP address":   {Config{HTTP: "127.0.0.1:0", Domain: "192.0.2.1", ACMECache: "x"}, "--domain", true},
		"local domain": {Config{HTTP: "127.0.0.1:0", Domain: "localhost", ACMECache: "x"}, "--domain", true},
		"bad domain": {Config{HTTP: "127.0.0.1:0", Domain: "voice example.org", ACMECache: "x"},
			"--domain", true},
		"no cache": {Config{HTTP: "127.0.0.1:0", Domain: "voice.example.org"}, "ACMECache", true},
		"no origin": {Config{HTTP: "127.0.0.1:0", WebOrigins: []string{"voice.example.org"}},
			"--web-origin", true},
		"origin's path": {Config{HTTP: "127.0.0.1:0", WebOrigins: []string{"https://voice.example.org/room"}},
			"--web-origin", true},
		"origin's port": {Config{HTTP: "127.0.0.1:0",
			WebOrigins: []string{"https://voice.example.org:99999"}}, "--web-origin", true},
		"any origin": {Config{HTTP: "127.0.0.1:0", WebOrigins: []string{"https://*"}}, "--web-origin",
			true},
	} {
		test.config.Identity, test.config.Listen, test.config.Sockets = newIdentity(2), "127.0.0.1:0", 1
		_, err := New(test.config)
		if http := (*HTTPError)(nil); !errors.As(err, &http) || !strings.Contains(err.Error(), test.want) ||
			errors.As(err, new(ConfigError)) != test.usage {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPlainHTTPForStrangers wants one warning where the page would have no microphone.
func TestPlainHTTPForStrangers(t *testing.T) {
	for addr, want := range map[string]int{":0": 1, "127.0.0.1:0": 0} {
		var log strings.Builder
		_, stop := start(t, Config{HTTP: addr, Log: slog.New(slog.NewTextHandler(&log, nil))})
		stop()
		if got := strings.Count(log.String(), "microphone"); got != want {
			t.Errorf("%s: %d warnings, want %d:\n%s", addr, got, want, log.String())
		}
	}
}

func TestHTTPS(t *testing.T) {
	files := newTestCertificate(t, "voice.example.org")
	r, stop := start(t, Config{HTTP: "127.0.0.1:0", TLSCert: files.cert, TLSKey: files.key})
	defer stop()
	_, port, _ := net.SplitHostPort(r.HTTPAddr().String())
	if want := "https://voice.example.org:" + port + "/"; r.PageURL() != want {
		t.Errorf("the page is at %s, want %s", r.PageURL(), want)
	}
	roots := x509.NewCertPool()
	roots.AddCert(files.leaf)
	config := &tls.Config{RootCAs: roots, ServerName: "voice.example.org", MinVersion: tls.VersionTLS12}
	answer, _ := fetch(t, config, "https://"+r.HTTPAddr().String()+"/")
	if answer.StatusCode != http.StatusOK || answer.ProtoMajor != 2 {
		t.Errorf("%s by %s", answer.Status, answer.Proto)
	}
	if !r.site.names.checkHost("voice.example.org:443") || r.site.names.checkHost("evil.example:443") {
		t.Error("not exactly the names of the certificate are the relay's own")
	}
	old := config.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS11, tls.VersionTLS11
	if conn, err := tls.Dial("tcp", r.HTTPAddr().String(), old); err == nil {
		conn.Close()
		t.Error("TLS 1.1 is spoken")
	}
}

// TestLimitListener counts places; every connection is from another address but where it says so.
func TestLimitListener(t *testing.T) {
	const total = 64
	l := newLimitListener(nil, new(drops.Counters), total, 2)
	enter := func(addr string) *limitedConn { return l.enter(netip.MustParseAddr(addr)) }
	first := enter("192.0.2.1")
	if first == nil || enter("192.0.2.1") == nil || enter("192.0.2.1") != nil {
		t.Error("one address has not exactly 2 places")
	}
	settle(first, http.StateActive)
	first.leave()
	first.leave()
	if enter("192.0.2.1") == nil || enter("192.0.2.1") != nil {
		t.Error("a place was not given back, or twice")
	}
	socket := enter("2001:db8::1")
	if socket == nil || enter("2001:db8::ffff:1") == nil || enter("2001:db8::2") != nil {
		t.Error("an IPv6 /64 has not exactly 2 places")
	}
	proxy := func(l *limitListener) *limitedConn { return l.enter(netip.Addr{}) }
	for range total - 4 {
		if proxy(l) == nil {
			t.Fatal("there are fewer places than there should be")
		}
	}
	if proxy(l) != nil {
		t.Error("there are more places than there should be")
	}
	settle(socket, http.StateHijacked)
	if proxy(l) != nil {
		t.Error("a place was given back too early")
	}
	socket.leave()
	socket.leave()
	if proxy(l) == nil || proxy(l) != nil {
		t.Error("the place of a WebSocket was not given back, or twice")
	}
	local := newLimitListener(nil, new(drops.Counters), 100, 1)
	for range 50 {
		if local.enter(addrOf(&addrConn{remote: netip.MustParseAddrPort("127.0.0.1:1")})) == nil ||
			local.enter(addrOf(&addrConn{remote: netip.MustParseAddrPort("[::1]:1")})) == nil {
			t.Fatal("a proxy on this machine is limited as one browser is")
		}
	}
}

// TestLimitListenerPrefixes has 30 IPv6 /64s of one customer open all connections that they can get, and keep
// them. Others still find a place; and WebSockets, whose sessions are limited, do not count against those who
// open a page.
func TestLimitListenerPrefixes(t *testing.T) {
	l := newLimitListener(nil, new(drops.Counters), 21_000, 1000)
	held := 0
	for subnet := range 30 {
		for range 1000 {
			if l.enter(netip.MustParseAddr(fmt.Sprintf("2001:db8:1:%x::1", subnet))) != nil {
				held++
			}
		}
	}
	if held > 21_000/8 {
		t.Errorf("a /56 has %d of 21,000 places", held)
	}
	for _, addr := range []string{"192.0.2.1", "2001:db8:2::1", "2001:db9::1"} {
		if l.enter(netip.MustParseAddr(addr)) == nil {
			t.Errorf("no place for %s", addr)
		}
	}
	// of a proxy that is another machine
	sockets := newLimitListener(nil, new(drops.Counters), 21_000, 20_000)
	for range 15_000 {
		conn := sockets.enter(netip.MustParseAddr("198.51.100.1"))
		if conn == nil {
			t.Fatal("WebSockets of a proxy are limited by prefix")
		}
		settle(conn, http.StateHijacked)
	}
}

// addrConn is a net.Conn of which only the address is asked.
type addrConn struct {
	net.Conn
	remote netip.AddrPort
}

func (c *addrConn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }
