package test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// The proxies of docs/operations.md, as they stand there: only ports, names and files are put in.
//
//	Chromium ── https://voice.test:odd/, /voice/ ──> nginx or Caddy, with the docs' block ──> wzp relay

// proxied is the name that browsers find on this machine.
const proxied = "voice.test"

// docsBlock returns the one indented block of docs/operations.md that has a text in it.
func docsBlock(t *testing.T, with string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for part := range strings.SplitSeq(string(b), "\n\n") {
		part = strings.Trim(part, "\n")
		if !strings.HasPrefix(part, "    ") {
			blocks = append(blocks, "")
			continue
		}
		if len(blocks) == 0 || blocks[len(blocks)-1] == "" {
			blocks = append(blocks, part)
		} else {
			blocks[len(blocks)-1] += "\n\n" + part
		}
	}
	blocks = slices.DeleteFunc(blocks, func(block string) bool { return !strings.Contains(block, with) })
	if len(blocks) != 1 {
		t.Fatalf("docs/operations.md has %d blocks with %q", len(blocks), with)
	}
	return blocks[0]
}

// replace puts other texts in the place of those that must be there.
func replace(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("there is no %q in:\n%s", pairs[i], text)
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

// proxies are how the blocks are run: each returns a command that serves a port, with relays at / and at
// /voice/.
var proxies = map[string]func(t *testing.T, dir, port, root, path string) *exec.Cmd{
	"nginx": func(t *testing.T, dir, port, root, path string) *exec.Cmd {
		voice := replace(t, docsBlock(t, "location /voice/"), "127.0.0.1:8080", path)
		site := replace(t, docsBlock(t, "map $http_upgrade"), "listen 443", "listen 127.0.0.1:"+port,
			"voice.example.org", proxied,
			"/etc/ssl/voice.crt", filepath.Join(dir, "voice.crt"), "/etc/ssl/voice.key",
			filepath.Join(dir, "voice.key"),
			"127.0.0.1:8080", root, "location / {", voice+"\nlocation / {")
		write(t, filepath.Join(dir, "nginx.conf"), fmt.Sprintf("daemon off; master_process off; pid "+
			"%[1]s/pid; error_log stderr;\n"+
			"events {}\nhttp {\naccess_log off; client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; "+
			"fastcgi_temp_path %[1]s/c;\n"+
			"uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;\n%[2]s\n}\n", dir, site))
		return exec.Command(sbin("nginx"), "-e", "stderr", "-p", dir, "-c", filepath.Join(dir, "nginx.conf"))
	},
	"caddy": func(t *testing.T, dir, port, root, path string) *exec.Cmd {
		tls := fmt.Sprintf("{\n    tls %s/voice.crt %s/voice.key", dir, dir)
		voice := replace(t, docsBlock(t, "handle_path"), "127.0.0.1:8080", path, "example.org {",
			proxied+":"+port+" "+tls)
		top := replace(t, docsBlock(t, "voice.example.org {"), "127.0.0.1:8080", root)
		_, top, _ = strings.Cut(top, "{")
		top, _, _ = strings.Cut(top, "}")
		write(t, filepath.Join(dir, "Caddyfile"), "{\n    admin off\n    auto_https disable_redirects\n    "+
			"skip_install_trust\n    default_bind 127.0.0.1\n}\n"+
			strings.TrimSuffix(voice, "    }")+"    handle {\n"+top+"}\n    }\n")
		cmd := exec.Command("caddy", "run", "--adapter", "caddyfile", "--config",
			filepath.Join(dir, "Caddyfile"))
		cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
		return cmd
	},
}

// sbin finds a program that may be outside of users' PATH.
func sbin(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	return filepath.Join("/usr/sbin", name)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// certificate writes a certificate for the proxied name, which the browser is told to take.
func certificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: proxied},
		DNSNames:  []string{proxied},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "voice.crt"),
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})))
	write(t, filepath.Join(dir, "voice.key"),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}

// freePort returns a TCP port that nobody has at the moment.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return fmt.Sprint(netip.MustParseAddrPort(ln.Addr().String()).Port())
}

// startProxy runs a proxy before two relays, and returns its origin, and the relay under the path, which UDP
// does not reach.
func startProxy(t *testing.T, run func(t *testing.T, dir, port, root, path string) *exec.Cmd) (origin string,
	under *relay) {
	t.Helper()
	dir, port := t.TempDir(), freePort(t)
	origin = "https://" + net.JoinHostPort(proxied, port)
	certificate(t, dir)
	root := startRelay(t, "--web-origin", origin)
	under = blockUDP(t, "--web-origin", origin)
	bare := func(r *relay) string { return strings.Trim(strings.TrimPrefix(r.page, "http:"), "/") }
	p := launch(t, run(t, dir, port, bare(root), bare(under)))
	for deadline := time.Now().Add(soon); ; time.Sleep(20 * time.Millisecond) {
		if conn, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			conn.Close()
			return origin, under
		}
		if time.Now().After(deadline) || !p.running() {
			t.Fatalf("the proxy does not start:\n%s", p.stderr.tail(30))
		}
	}
}

// TestPageBehindProxies: with what docs/operations.md says, pages behind nginx and Caddy join on a port of
// their own, at the root by WebTransport, which goes past the proxy, and under a path by the WebSocket.
func TestPageBehindProxies(t *testing.T) {
	for name, run := range proxies {
		t.Run(name, func(t *testing.T) {
			origin, under := startProxy(t, run)
			p := openPage(t, origin+"/tea", proxiedLook)
			p.enter("anna")
			if took := p.path(); took != "webtransport" {
				t.Errorf("at the root the page takes %s", took)
			}
			p.do(chromedp.Navigate(origin + "/voice"))
			p.until("the page under the path", "location.pathname === '/voice/' && "+
				"document.documentElement.dataset.state === 'door'", soon)
			p.do(chromedp.Navigate(origin + "/voice/two%20words/"))
			p.until("the room's door", "location.pathname === '/voice/two%20words' && "+
				"document.documentElement.dataset.state === 'door'", soon)
			p.enter("anna")
			if took := p.path(); took != "websocket" {
				t.Errorf("under the path the page takes %s", took)
			}
			p.key(input.KeyRawDown, "i", "KeyI", false)
			p.until("the link", "document.querySelector('#invite-link')?.value === "+fmt.Sprintf("%q",
				origin+"/voice/two%20words"), soon)
			if n := under.metric("web_connections"); n != 1 {
				t.Errorf("%v browsers are connected to the relay under the path", n)
			}
			for _, line := range p.said() {
				if strings.HasPrefix(line, "exception") || strings.Contains(line, "Content Security Policy") {
					t.Error(line)
				}
			}
		})
	}
}

// TestPageGivesUp: UDP is blocked, and the proxy takes Upgrade away. The page says so, for how long it may
// take see web/link/dial-explain.test.js, and so does the relay's log.
func TestPageGivesUp(t *testing.T) {
	t.Parallel()
	r := blockUDP(t)
	to, err := url.Parse(r.page)
	if err != nil {
		t.Fatal(err)
	}
	pass := &httputil.ReverseProxy{Rewrite: func(request *httputil.ProxyRequest) {
		request.SetURL(to)
		request.Out.Host = request.In.Host
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		q.Header.Del("Connection")
		q.Header.Del("Upgrade")
		pass.ServeHTTP(w, q)
	}))
	t.Cleanup(server.CloseClientConnections)
	p := openPage(t, server.URL+"/tea", look{})
	shown := p.failsToEnter("anna")
	if !strings.HasPrefix(shown, "no_upgrade: The connection is blocked") ||
		!strings.Contains(shown, "status 426") {
		t.Errorf("the page says %q", shown)
	}
	if !r.logged(soon, `"level":"WARN"`, "took Upgrade away") {
		t.Errorf("the relay does not say why:\n%s", r.stderr.tail(10))
	}
}

// TestPageWithoutItsParts: nothing that comes after the door gets through, so that joining ends after a
// while. Once it does, after some more failures, joining again works and nothing is said of what was. A sheet
// that has not come says so, and opens when it has. Pauses are shortened.
func TestPageWithoutItsParts(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	to, err := url.Parse(r.page)
	if err != nil {
		t.Fatal(err)
	}
	var dead, noSheets atomic.Bool
	dead.Store(true)
	noSheets.Store(true)
	var failures sync.Map // by path: how many more there are
	pass := &httputil.ReverseProxy{Rewrite: func(request *httputil.ProxyRequest) {
		request.SetURL(to)
		request.Out.Host = request.In.Host
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		left, _ := failures.LoadOrStore(q.URL.Path, new(atomic.Int32))
		late := noSheets.Load() && strings.HasPrefix(q.URL.Path, "/sheets-")
		if path.Ext(q.URL.Path) == ".js" && (late || dead.Load() || left.(*atomic.Int32).Add(1) < 2) {
			panic(http.ErrAbortHandler) // the connection ends
		}
		pass.ServeHTTP(w, q)
	}))
	t.Cleanup(server.CloseClientConnections)
	p := openPage(t, server.URL+"/tea", look{before: `const real = setTimeout;
		globalThis.setTimeout = (act, ms, ...rest) => real(act,
			ms === 45_000 ? 5000 : [1000, 2000, 4000, 8000, 15_000].includes(ms) ? ms / 20 : ms, ...rest);`})
	shown := p.failsToEnter("anna")
	if !strings.HasPrefix(shown, "loading: ") || strings.Contains(shown, "import") {
		t.Errorf("the page says %q", shown)
	}
	failures.Clear()
	dead.Store(false)
	p.eval("document.querySelector('main .primary').click()", nil)
	p.state("joined", patience)
	var said string
	p.eval("document.querySelector('.bars').textContent", &said)
	if said != "" {
		t.Errorf("a bar is left: %q", said)
	}
	p.eval("document.querySelector('[data-icon=settings]').click()", nil)
	p.until("it is said that the sheet has not come", "document.querySelector('[data-bar=sheet]')", soon)
	noSheets.Store(false)
	p.until("the sheet opens, and that is not said any more",
		"document.querySelector('dialog[open]') && !document.querySelector('.bar')", patience)
}

// failsToEnter presses Join, and returns the code and the text of how it ended.
func (p *page) failsToEnter(name string) (shown string) {
	p.t.Helper()
	p.state("door", soon)
	p.press(name)
	p.state("ended", soon)
	p.eval("document.querySelector('main').dataset.ended + ': ' + document.querySelector('main').textContent",
		&shown)
	return shown
}

// proxiedLook is of a browser that finds the proxied name here, and minds no certificates.
var proxiedLook = look{flags: []string{"ignore-certificate-errors=true",
	"host-resolver-rules=MAP " + proxied + " 127.0.0.1"}}
