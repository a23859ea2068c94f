package relay

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/acme"
)

// testCertificate is a self-signed certificate in files.
type testCertificate struct {
	t         *testing.T
	cert, key string // paths
	leaf      *x509.Certificate
	written   int // how often the files were
}

func newTestCertificate(t *testing.T, names ...string) *testCertificate {
	t.Helper()
	dir := t.TempDir()
	c := &testCertificate{t: t, cert: filepath.Join(dir, "tls.crt"), key: filepath.Join(dir, "tls.key")}
	cert, key := c.make(names...)
	c.write(c.cert, cert)
	c.write(c.key, key)
	return c
}

// make makes another certificate, as PEM.
func (c *testCertificate) make(names ...string) (cert, key []byte) {
	c.t.Helper()
	return c.makeValid(time.Now().Add(-time.Hour), time.Now().Add(time.Hour), names...)
}

// makeValid is make, with the time for which the certificate is valid.
func (c *testCertificate) makeValid(from, until time.Time, names ...string) (cert, key []byte) {
	c.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: names, IsCA: true,
		BasicConstraintsValid: true,
		Subject:               pkix.Name{CommonName: "voice.example.org"}, NotBefore: from, NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		c.t.Fatal(err)
	}
	if c.leaf, err = x509.ParseCertificate(der); err != nil {
		c.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		c.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

// write changes a file, at another time than before: clocks of file systems are coarse.
func (c *testCertificate) write(path string, b []byte) {
	c.t.Helper()
	c.written++
	if err := os.WriteFile(path, b, 0o600); err != nil {
		c.t.Fatal(err)
	}
	at := time.Unix(1_700_000_000+int64(c.written), 0)
	if err := os.Chtimes(path, at, at); err != nil {
		c.t.Fatal(err)
	}
}

// TestCertificateReload follows what tools that renew certificates do, and what goes wrong with them.
func TestCertificateReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		c := newTestCertificate(t, "one.example.org")
		desk, err := newCertificateDesk(Config{TLSCert: c.cert, TLSKey: c.key,
			Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		get := desk.config().GetCertificate
		want := func(when, name string, warnings int) {
			t.Helper()
			for range 3 {
				time.Sleep(certCheckEvery)
				cert, err := get(&tls.ClientHelloInfo{})
				if err != nil || !slices.Equal(cert.Leaf.DNSNames, []string{name}) {
					t.Errorf("%s: %v, %v, want %s", when, cert.Leaf.DNSNames, err, name)
				}
			}
			if got := strings.Count(log.String(), "cannot be used"); got != warnings {
				t.Errorf("%s: %d warnings, want %d:\n%s", when, got, warnings, log.String())
			}
		}
		want("at first", "one.example.org", 0)
		cert, key := c.make("two.example.org")
		c.write(c.cert, cert)
		want("when the key is still the old one", "one.example.org", 1)
		c.write(c.key, key)
		want("when both were replaced", "two.example.org", 1)
		if !desk.covers("two.example.org") || desk.covers("one.example.org") ||
			desk.name() != "two.example.org" {
			t.Error("the names are still those of the old certificate")
		}
		c.write(c.cert, []byte("nonsense"))
		want("when the file is broken", "two.example.org", 2)
		if err := os.Remove(c.key); err != nil {
			t.Fatal(err)
		}
		want("when the key is gone", "two.example.org", 3)
		cert, key = c.make("three.example.org")
		c.write(c.cert, cert)
		c.write(c.key, key)
		want("when they are back", "three.example.org", 3)
		if strings.Contains(log.String(), "PRIVATE") {
			t.Error("the log has a key")
		}
	})
}

// TestCertificateProblems wants the operator to be told of a certificate that browsers refuse: when it is
// loaded, when it expires while it is in use, and once a day.
func TestCertificateProblems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		c := newTestCertificate(t, "one.example.org")
		desk, err := newCertificateDesk(Config{TLSCert: c.cert, TLSKey: c.key,
			Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		connect := func() {
			time.Sleep(certCheckEvery)
			if _, err := desk.config().GetCertificate(&tls.ClientHelloInfo{}); err != nil {
				t.Fatal(err)
			}
		}
		said := func(when, what string, times int) {
			t.Helper()
			if got := strings.Count(log.String(),
				"level=WARN msg=\"browsers refuse the certificate\" why=\""+what); got != times {
				t.Errorf("%s: said %d times, want %d:\n%s", when, got, times, log.String())
			}
			log.Reset()
		}
		connect()
		said("a good one", "", 0)
		time.Sleep(2 * time.Hour)
		for range 10 {
			connect()
		}
		said("it has expired while it was in use", "it has expired", 1)
		time.Sleep(certWarnEvery)
		connect()
		said("a day later", "it has expired", 1)
		load := func(from, until time.Duration, names ...string) {
			cert, key := c.makeValid(time.Now().Add(from), time.Now().Add(until), names...)
			c.write(c.cert, cert)
			c.write(c.key, key)
			connect()
		}
		load(-time.Hour, time.Hour, "one.example.org")
		said("a new one", "", 0)
		load(-time.Hour, time.Hour)
		said("one with a common name only", "it names no host", 1)
		load(time.Hour, 2*time.Hour, "one.example.org")
		said("one of tomorrow", "it is not valid yet", 1)
		load(-2*time.Hour, -time.Hour, "one.example.org")
		said("an old one", "it has expired", 1)
	})
}

// TestACMEFollowsTheWallClock wants renewals to be planned anew when the clock is set, and when the machine
// has slept: timers do not know of either.
func TestACMEFollowsTheWallClock(t *testing.T) {
	desk, err := newCertificateDesk(Config{Domain: "voice.example.org", ACMECache: t.TempDir(),
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer desk.close()
	wall, up := time.Now(), time.Duration(0)
	desk.clock = func() (time.Time, time.Duration) { return wall.Round(0), up }
	last := desk.manager()
	for _, test := range []struct {
		what      string
		wall, up  time.Duration // pass
		different bool
	}{
		{"a month", 30 * 24 * time.Hour, 30 * 24 * time.Hour, false},
		{"a clock that is a little wrong", 24*time.Hour + time.Minute, 24 * time.Hour, false},
		{"it is set by 45 days", 45 * 24 * time.Hour, time.Second, true},
		{"and then goes on", 24 * time.Hour, 24 * time.Hour, false},
		{"it is set back", -2 * 24 * time.Hour, time.Second, true},
	} {
		wall, up = wall.Add(test.wall), up+test.up
		next := desk.manager()
		if (next != last) != test.different {
			t.Errorf("%s: another manager: %v", test.what, next != last)
		}
		last = next
	}
}

// TestACMEPolicy asks for certificates of names that are not the relay's. The network is cut: whoever asks
// for it fails.
func TestACMEPolicy(t *testing.T) {
	var log strings.Builder
	config := Config{Domain: "voice.example.org", ACMECache: t.TempDir(),
		Log: slog.New(slog.NewTextHandler(&log, nil))}
	desk, err := newCertificateDesk(config)
	if err != nil {
		t.Fatal(err)
	}
	desk.close()
	if !slices.Contains(desk.config().NextProtos, acme.ALPNProto) {
		t.Error("TLS-ALPN challenges cannot be answered")
	}
	get := desk.config().GetCertificate
	for _, name := range []string{"", "localhost", "192.0.2.1", "evil.example", "www.voice.example.org",
		"voice.example.org.evil.example", "../../x.y"} {
		if _, err := get(&tls.ClientHelloInfo{ServerName: name}); err == nil ||
			strings.Contains(err.Error(), "context canceled") {
			t.Errorf("%q: %v", name, err)
		}
	}
	desk.obtain()
	if _, err := get(&tls.ClientHelloInfo{ServerName: "voice.example.org"}); err == nil {
		t.Error("a certificate without network")
	}
	if log.Len() != 0 {
		t.Errorf("strangers, and the end of the relay, are logged:\n%s", log.String())
	}
	if desk.name() != "voice.example.org" || !desk.covers("Voice.example.org") ||
		desk.covers("evil.example") {
		t.Error("the names are wrong")
	}
}

func TestACMEFailureIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		d := &certificateDesk{log: slog.New(slog.NewTextHandler(&log, nil)), domain: "voice.example.org",
			reported: everyMinute()}
		for range 100 {
			d.report(http.ErrHandlerTimeout)
			time.Sleep(time.Second)
		}
		if got := strings.Count(log.String(), "\n"); got != 2 {
			t.Errorf("%d lines in 100 seconds:\n%s", got, log.String())
		}
	})
}

// TestRedirect is about port 80 of a relay with a domain.
func TestRedirect(t *testing.T) {
	desk, err := newCertificateDesk(Config{Domain: "voice.example.org", ACMECache: t.TempDir(),
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer desk.close()
	h := desk.challenges("https://voice.example.org:8443/")
	for _, test := range []struct {
		method, target string
		status         int
		location       string
	}{
		{http.MethodGet, "/", http.StatusMovedPermanently, "https://voice.example.org:8443/"},
		{http.MethodGet, "/two%20words", http.StatusMovedPermanently,
			"https://voice.example.org:8443/two%20words"},
		{http.MethodHead, "//evil.example/x", http.StatusMovedPermanently,
			"https://voice.example.org:8443/evil.example/x"},
		{http.MethodPost, "/", http.StatusBadRequest, ""},
		{http.MethodGet, "/.well-known/acme-challenge/token", http.StatusForbidden, ""}, // of another host
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(test.method, test.target, nil)
		r.Host = "evil.example"
		h.ServeHTTP(w, r)
		if w.Code != test.status || w.Header().Get("Location") != test.location {
			t.Errorf("%s %s: %d to %q", test.method, test.target, w.Code, w.Header().Get("Location"))
		}
	}
	r := httptest.NewRequest(http.MethodGet, "http://voice.example.org/.well-known/acme-challenge/token", nil)
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != http.StatusNotFound {
		t.Errorf("a challenge that nobody set: %d", w.Code)
	}
}

// TestDomain runs a relay with a domain whose certificate cannot be had, and ends it.
func TestDomain(t *testing.T) {
	config := Config{HTTP: "127.0.0.1:0", Domain: "voice.example.org", ACMECache: t.TempDir(),
		ACMEListen: "127.0.0.1:0"}
	config.Identity, config.Listen, config.Sockets = newIdentity(1), "127.0.0.1:0", 1
	r, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	r.site.certs.close() // no network
	stop := run(t, r)
	defer stop()
	answer, _ := fetch(t, nil, "http://"+r.site.redirectListen.Addr().String()+"/tea")
	if got, want := answer.Header.Get("Location"),
		r.PageURL()+"tea"; answer.StatusCode != http.StatusMovedPermanently || got != want {
		t.Errorf("%s to %q, want %q", answer.Status, got, want)
	}
	if conn, err := tls.Dial("tcp", r.HTTPAddr().String(),
		&tls.Config{ServerName: "voice.example.org", MinVersion: tls.VersionTLS12}); err == nil {
		conn.Close()
		t.Error("a certificate without network")
	}
}
