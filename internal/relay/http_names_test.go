package relay

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/wzp-voice/wzp/internal/link"
)

func newTestNames(t *testing.T, log *slog.Logger, origins ...string) *hostNames {
	t.Helper()
	config := Config{HTTP: "x", TLSCert: "", WebOrigins: origins, Log: log}
	files := newTestCertificate(t, "voice.example.org", "*.wild.example.org")
	config.TLSCert, config.TLSKey = files.cert, files.key
	desk, err := newCertificateDesk(config)
	if err != nil {
		t.Fatal(err)
	}
	n, err := newHostNames(config, desk)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestCheckOrigin(t *testing.T) {
	n := newTestNames(t, slog.New(slog.DiscardHandler), "https://front.example.org",
		"http://plain.example.org:8080/")
	for _, test := range []struct {
		host, origin string
		want         bool
	}{
		// Pages of the relay's own.
		{"voice.example.org", "https://voice.example.org", true},
		{"voice.example.org:4433", "https://voice.example.org", true},
		{"voice.example.org", "https://voice.example.org:8443", true},
		{"VOICE.example.org", "https://voice.EXAMPLE.org", true},
		{"a.wild.example.org", "https://a.wild.example.org", true},
		// Of localhost, whatever the relay is called.
		{"voice.example.org", "http://localhost", true},
		{"voice.example.org:4433", "http://localhost:8081", true},
		{"voice.example.org", "https://127.0.0.1:1", true},
		{"voice.example.org", "http://[::1]:8081", true},
		// Named ones.
		{"voice.example.org", "https://front.example.org", true},
		{"voice.example.org", "https://front.example.org:443", true},
		{"front.example.org:4433", "https://front.example.org", true},
		{"voice.example.org", "http://plain.example.org:8080", true},
		{"voice.example.org", "https://front.example.org:444", false},
		{"voice.example.org", "http://front.example.org", false},
		{"voice.example.org", "http://plain.example.org", false},
		// Others.
		{"voice.example.org", "https://evil.example", false},
		{"evil.example", "https://evil.example", false}, // DNS rebinding
		{"voice.example.org", "https://voice.example.org.evil.example", false},
		{"voice.example.org", "https://localhost.evil.example", false},
		{"voice.example.org", "https://localhost@evil.example", false},
		{"voice.example.org", "null", false},
		{"voice.example.org", "", false},
		{"voice.example.org", "file://", false},
		{"voice.example.org", "chrome-extension://voice.example.org", false},
		{"voice.example.org", "https://voice.example.org/path", false},
		{"voice.example.org", "voice.example.org", false},
		{"voice.example.org", "https://", false},
		{"voice.example.org", "https://\x00", false},
		{"", "https://", false},
	} {
		r := &http.Request{Host: test.host, Header: http.Header{"Origin": {test.origin}}}
		if got := n.checkOrigin(r); got != test.want {
			t.Errorf("%q at %q: %v, want %v", test.origin, test.host, got, test.want)
		}
	}
	if n.checkOrigin(&http.Request{Host: "voice.example.org", Header: http.Header{}}) {
		t.Error("a request without Origin may use the relay")
	}
	if n.checkOrigin(&http.Request{Host: "localhost",
		Header: http.Header{"Origin": {"http://localhost", "http://evil.example"}}}) {
		t.Error("a request with two origins may use the relay")
	}
}

func TestCheckHost(t *testing.T) {
	n := newTestNames(t, slog.New(slog.DiscardHandler), "https://front.example.org:8443")
	for host, want := range map[string]bool{
		"voice.example.org:443": true, "voice.example.org": true, "VOICE.example.org:8080": true,
		"a.wild.example.org:443": true,
		"front.example.org:443":  true, "localhost:8080": true, "127.0.0.1:8080": true, "[::1]:8080": true,
		"[::1]":            true,
		"evil.example:443": false, "192.0.2.1:443": false, "[2001:db8::1]:443": false, "": false,
		":443":                               false,
		"voice.example.org.evil.example:443": false, "b.a.wild.example.org:443": false,
	} {
		if got := n.checkHost(host); got != want {
			t.Errorf("%q: %v, want %v", host, got, want)
		}
	}
	plain, err := newHostNames(Config{Log: slog.New(slog.DiscardHandler)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !plain.checkHost("localhost:8080") || plain.checkHost("evil.example:8080") {
		t.Error("without TLS the relay's own are not only this machine's names")
	}
}

// TestCalled has browsers that come straight, or through proxies that lose the port or the whole Host: what
// they signed is found if, and only if, the host is the relay's own.
func TestCalled(t *testing.T) {
	for name, test := range map[string]struct {
		origins              []string
		host, origin, signed string
		want                 bool
	}{
		"straight": {nil, "voice.example.org:8443", "https://voice.example.org:8443",
			"voice.example.org:8443", true},
		"straight, usual port": {nil, "voice.example.org", "https://voice.example.org",
			"voice.example.org:443", true},
		"no port in Host": {nil, "voice.example.org", "https://voice.example.org:8443",
			"voice.example.org:8443", true},
		"another name in Host": {[]string{"https://front.example.org:8443"}, "127.0.0.1:8080",
			"https://front.example.org:8443", "front.example.org:8443", true},
		"wzp page, no port in Host": {[]string{"https://front.example.org:8443"}, "front.example.org",
			"http://localhost:8081", "front.example.org:8443", true},
		"wzp page, the port unknown": {nil, "voice.example.org", "http://localhost:8081",
			"voice.example.org:8443", false},
		"a server in the middle": {nil, "evil.example", "https://evil.example", "evil.example:443",
			false},
		"which keeps Host": {nil, "evil.example:8443", "https://voice.example.org",
			"evil.example:8443", false},
		"which changes Host": {nil, "voice.example.org", "https://voice.example.org",
			"evil.example:443", false},
		"and Origin": {nil, "voice.example.org", "https://evil.example", "evil.example:443",
			false},
		"with a name as ours": {nil, "voice.example.org", "https://voice.example.org.evil.example",
			"voice.example.org.evil.example:443", false},
		"with our name as user": {nil, "voice.example.org@evil.example", "https://voice.example.org",
			"voice.example.org@evil.example:443", false},
		"where others have been named": {[]string{"https://front.example.org"}, "127.0.0.1:8080",
			"https://evil.example", "evil.example:443", false},
	} {
		r := &http.Request{Host: test.host, Header: http.Header{"Origin": {test.origin},
			"X-Forwarded-Host": {test.signed}}}
		names := newTestNames(t, slog.New(slog.DiscardHandler), test.origins...).called(r)
		if got := slices.Contains(names, test.signed); got != test.want {
			t.Errorf("%s: %q is among %q: %v, want %v", name, test.signed, names, got, test.want)
		}
	}
}

// TestPageNames is about what a page may connect to, where a proxy keeps Host, loses the port, or puts
// another in its place.
func TestPageNames(t *testing.T) {
	n := newTestNames(t, slog.New(slog.DiscardHandler), "https://front.example.org:8443",
		"https://other.example.org")
	for host, want := range map[string]string{
		"front.example.org:8443": "front.example.org:8443 front.example.org:8443",
		"front.example.org":      "front.example.org front.example.org:8443",
		"127.0.0.1:8080":         "127.0.0.1:8080 front.example.org:8443 other.example.org:443",
	} {
		if got := strings.Join(n.pageNames(&http.Request{Host: host}), " "); got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
}

// TestSpoiltWebSocketIsLogged: what a proxy does wrong is said at a level that operators see, each kind once
// a minute.
func TestSpoiltWebSocketIsLogged(t *testing.T) {
	var log strings.Builder
	n := newTestNames(t, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelInfo})))
	for range 100 {
		r := &http.Request{Host: "voice.example.org",
			Header: http.Header{"Origin": {"http://localhost:8081"}}}
		n.trouble(r, link.TroubleName)
		n.trouble(r, link.TroubleUpgrade)
		n.checkHost("evil.example")
	}
	for _, hint := range []string{"proxy_set_header Host $http_host", "have it pass Upgrade",
		"a browser used a name"} {
		if got := strings.Count(log.String(), hint); got != 1 {
			t.Errorf("%q is said %d times:\n%s", hint, got, log.String())
		}
	}
}

// TestRefusedOriginIsLogged wants the operator to learn what to name, and strangers not to fill the log.
func TestRefusedOriginIsLogged(t *testing.T) {
	var log strings.Builder
	n := newTestNames(t, slog.New(slog.NewTextHandler(&log, nil)))
	for range 100 {
		n.checkOrigin(&http.Request{Host: "voice.example.org",
			Header: http.Header{"Origin": {"https://front.example.org"}}})
	}
	if got := strings.Count(log.String(), "--web-origin"); got != 1 ||
		!strings.Contains(log.String(), "https://front.example.org") {
		t.Errorf("%d lines:\n%s", got, log.String())
	}
}

func FuzzOrigin(f *testing.F) {
	for _, seed := range []string{"https://voice.example.org", "http://[::1]:8080", "null", "",
		"https://a:b@c", "https://a:99999", "http://%41"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		origin, host, ok := originOf(text)
		if !ok {
			return
		}
		if again, sameHost, ok := originOf(origin); !ok || again != origin || sameHost != host {
			t.Errorf("%q is %q at %q, which is %q at %q", text, origin, host, again, sameHost)
		}
	})
}

// TestPageAddress: invites from pages that others cannot open lead to where the operator says that it is.
func TestPageAddress(t *testing.T) {
	for _, test := range []struct {
		config Config
		want   string
	}{
		{Config{}, ""},
		{Config{Domain: "voice.example.org"}, "https://voice.example.org:8443/"},
		{Config{WebOrigins: []string{"http://localhost:8080"}}, ""},
		{Config{WebOrigins: []string{"http://a.example:8080/", "https://b.example", "https://c.example"}},
			"https://b.example/"},
	} {
		if got := pageAddress(test.config, 8443); got != test.want {
			t.Errorf("%v: %q, want %q", test.config.WebOrigins, got, test.want)
		}
	}
	if got := pageAddress(Config{Domain: "voice.example.org"}, 443); got != "https://voice.example.org/" {
		t.Errorf("at 443: %q", got)
	}
}
