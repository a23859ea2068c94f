package relay

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
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
	n := newTestNames(t, slog.New(slog.DiscardHandler), "https://front.example.org", "http://plain.example.org:8080/")
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
	if n.checkOrigin(&http.Request{Host: "localhost", Header: http.Header{"Origin": {"http://localhost", "http://evil.example"}}}) {
		t.Error("a request with two origins may use the relay")
	}
}

func TestCheckHost(t *testing.T) {
	n := newTestNames(t, slog.New(slog.DiscardHandler), "https://front.example.org:8443")
	for host, want := range map[string]bool{
		"voice.example.org:443": true, "voice.example.org": true, "VOICE.example.org:8080": true, "a.wild.example.org:443": true,
		"front.example.org:443": true, "localhost:8080": true, "127.0.0.1:8080": true, "[::1]:8080": true, "[::1]": true,
		"evil.example:443": false, "192.0.2.1:443": false, "[2001:db8::1]:443": false, "": false, ":443": false,
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

// TestRefusedOriginIsLogged wants the operator to learn what to name, and strangers not to fill the log.
func TestRefusedOriginIsLogged(t *testing.T) {
	var log strings.Builder
	n := newTestNames(t, slog.New(slog.NewTextHandler(&log, nil)))
	for range 100 {
		n.checkOrigin(&http.Request{Host: "voice.example.org", Header: http.Header{"Origin": {"https://front.example.org"}}})
	}
	if got := strings.Count(log.String(), "--web-origin"); got != 1 || !strings.Contains(log.String(), "https://front.example.org") {
		t.Errorf("%d lines:\n%s", got, log.String())
	}
}

func FuzzOrigin(f *testing.F) {
	for _, seed := range []string{"https://voice.example.org", "http://[::1]:8080", "null", "", "https://a:b@c", "https://a:99999", "http://%41"} {
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
