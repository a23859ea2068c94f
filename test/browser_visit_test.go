package test

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/wzp-voice/wzp/internal/simnet"
)

// farSite is a relay's page far away: TLS and HTTP/2 before it, and all that a browser sends goes over a link
// with a round trip and a rate, TCP and UDP each.
//
//	Chromium ── https://voice.test ──> slowLink ──> TLS, h2 ──> wzp relay, --http
//	         └─ WebTransport ────────> simnet.Proxy ──────────> wzp relay, --listen
type farSite struct {
	origin string
	link   *slowLink
	trust  string // a flag of Chromium

	mu     sync.Mutex // guards what follows
	asked  answers
	worker func(*http.Response, []byte) []byte // what becomes of the service worker; nil: nothing
}

// alterWorker has the site serve another service worker from now on.
func (s *farSite) alterWorker(change func(*http.Response, []byte) []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.worker = change
}

func newFarSite(t *testing.T, roundTrip time.Duration, rate int64) *farSite {
	t.Helper()
	dir := t.TempDir()
	certificate(t, dir)
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "voice.crt"), filepath.Join(dir, "voice.key"))
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &farSite{link: newSlowLink(t, ln.Addr().String(), roundTrip, rate)}
	spki := sha256.Sum256(pair.Leaf.RawSubjectPublicKeyInfo)
	s.trust = "ignore-certificate-errors-spki-list=" + base64.StdEncoding.EncodeToString(spki[:])
	s.origin = "https://" + net.JoinHostPort(proxied, strconv.Itoa(int(netip.MustParseAddrPort(s.link.addr).Port())))
	r := startRelay(t, "--web-origin", s.origin)
	path := simnet.Profile{Delay: roundTrip / 2, Rate: rate}
	road, err := simnet.ListenProxy(simnet.ProxyConfig{Listen: "127.0.0.1:0", To: r.addr, Up: path, Down: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { road.Close() })
	server := &http.Server{Handler: s.pass(t, r, road.Addr().String()), ReadHeaderTimeout: soon,
		ErrorLog: log.New(io.Discard, "", 0), TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}}}
	t.Cleanup(func() { server.Close() })
	go server.ServeTLS(ln, "", "")
	return s
}

// pass is the proxy, which notes what is asked for, and has browsers come by the slow road.
func (s *farSite) pass(t *testing.T, r *relay, road string) http.Handler {
	t.Helper()
	to, err := url.Parse(r.page)
	if err != nil {
		t.Fatal(err)
	}
	real, slow := netip.MustParseAddrPort(r.addr).Port(), netip.MustParseAddrPort(road).Port()
	return &httputil.ReverseProxy{
		Rewrite: func(request *httputil.ProxyRequest) {
			request.SetURL(to)
			request.Out.Host = request.In.Host
			request.SetXForwarded()
			s.mu.Lock()
			defer s.mu.Unlock()
			if request.In.URL.Path == "/sw.js" && s.worker != nil {
				request.Out.Header.Del("Accept-Encoding")
				request.Out.Header.Del("If-None-Match")
			}
		},
		ModifyResponse: func(response *http.Response) error {
			const policy = "Content-Security-Policy"
			response.Header.Set(policy, strings.ReplaceAll(response.Header.Get(policy),
				fmt.Sprintf(":%d/wt", real), fmt.Sprintf(":%d/wt", slow)))
			b, err := io.ReadAll(response.Body)
			if err != nil {
				return err
			}
			if response.Request.URL.Path == "/connect.json" {
				b = bytes.Replace(b, fmt.Appendf(nil, `"port":%d`, real), fmt.Appendf(nil, `"port":%d`, slow), 1)
				if !json.Valid(b) {
					return fmt.Errorf("connect.json: %s", b)
				}
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if response.Request.URL.Path == "/sw.js" && s.worker != nil {
				b = s.worker(response, b)
			}
			response.Body = io.NopCloser(bytes.NewReader(b))
			response.ContentLength = int64(len(b))
			response.Header.Set("Content-Length", strconv.Itoa(len(b)))
			s.asked = append(s.asked, answer{response.Request.Method + " " + response.Request.URL.Path, len(b)})
			return nil
		},
	}
}

// visit returns what a visit took until one could join, and what it took after that.
func (s *farSite) visit() (before, after answers) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.asked, func(a answer) bool { return strings.Contains(a.what, "/sheets-") })
	if i < 0 {
		i = len(s.asked)
	}
	return slices.Clone(s.asked[:i]), slices.Clone(s.asked[i:])
}

// answer is one of the site.
type answer struct {
	what  string // method and path
	bytes int    // of its body, compressed
}

type answers []answer

func (all answers) bytes() (sum int) {
	for _, a := range all {
		sum += a.bytes
	}
	return sum
}

func (all answers) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d requests, %d bytes:\n", len(all), all.bytes())
	for _, a := range all {
		fmt.Fprintln(&text, a.what, a.bytes)
	}
	return text.String()
}

// stopwatch notes in the page when what happened: ms since the navigation began.
const stopwatch = `globalThis.wzpTimes = {};
	new MutationObserver(() => {
		const { state } = document.documentElement.dataset;
		globalThis.wzpTimes[state] ??= performance.now();
	}).observe(document, {
		subtree: true, attributes: true, attributeFilter: ['data-state'], childList: true,
	});
	addEventListener('click', () => { globalThis.wzpTimes.click ??= performance.now(); }, true);`

// look is how a browser comes to the site.
func (s *farSite) look() look {
	return look{before: stopwatch, flags: []string{s.trust, "host-resolver-rules=MAP " + proxied + " 127.0.0.1"}}
}

// times are those of a visit.
type times struct{ Door, Click, Joined float64 }

func (t times) toDoor() time.Duration { return time.Duration(t.Door * 1e6) }
func (t times) toRoom() time.Duration { return time.Duration((t.Joined - t.Click) * 1e6) }

// What a first visit may take until one can join, compressed; and what comes after that, which are the sheets
// and what the browser needs to keep the page.
const mostRequests, mostBytes, mostLater = 8, 110_000, 20_000

// TestPageFirstVisit: a first visit by a slow link takes few requests and few bytes, and so not long.
func TestPageFirstVisit(t *testing.T) {
	t.Parallel()
	for _, path := range []struct {
		roundTrip    time.Duration
		rate         int64
		typing       time.Duration
		door, joined time.Duration
	}{
		{800 * time.Millisecond, 64_000, 10 * time.Second, 5 * time.Second, 5 * time.Second},
		{400 * time.Millisecond, 400_000, 3 * time.Second, 2 * time.Second, 2 * time.Second},
	} {
		s := newFarSite(t, path.roundTrip, path.rate)
		p := openPage(t, s.origin+"/tea", s.look())
		p.state("door", soon)
		time.Sleep(path.typing)
		p.press("anna")
		p.state("joined", patience)
		asked, later := s.visit()
		var took times
		p.eval("wzpTimes", &took)
		t.Logf("%v at %v bit/s: door after %v, joined %v after the click; %vlater %v", path.roundTrip, path.rate,
			took.toDoor(), took.toRoom(), asked, later)
		if len(asked) > mostRequests || asked.bytes() > mostBytes {
			t.Errorf("a visit takes %v", asked)
		}
	}
}

// TestPageOffline: who was here once has the page. Without a network its door opens, says that the relay
// cannot be reached until it can, and joins then; a call goes on while a new build waits; and a server
// without the service worker ends it all.
func TestPageOffline(t *testing.T) {
	t.Parallel()
	s := newFarSite(t, 20*time.Millisecond, 100_000_000)
	var once sync.Once
	s.alterWorker(func(response *http.Response, b []byte) []byte { // the first time it does not come
		once.Do(func() { response.StatusCode, b = http.StatusServiceUnavailable, nil })
		return b
	})
	p := openPage(t, s.origin+"/tea", s.look())
	p.state("door", soon)
	p.until("the page is kept", "navigator.serviceWorker.controller", patience)
	asked, later := s.visit()
	if len(asked) > mostRequests || asked.bytes() > mostBytes || later.bytes() > mostLater {
		t.Errorf("a visit takes %v, and later %v", asked, later)
	}
	s.link.kill()
	p.do(chromedp.Navigate(s.origin + "/two%20words#k=not-a-secret"))
	p.state("door", soon)
	var took times
	p.eval("wzpTimes", &took)
	t.Logf("without a network the door is there after %v", took.toDoor())
	p.until("the door says that the relay is away", "document.querySelector('[data-note=away]')?.hidden === false", patience)
	p.until("the whole page", "document.querySelector('[data-note=secret]')", patience) // by its check of the invite
	p.do(chromedp.Navigate(s.origin + "/tea/"))
	p.until("the slash is taken away", "location.pathname === '/tea'", patience)
	s.link.dead.Store(false)
	p.until("the relay is back", "document.querySelector('[data-note=away]')?.hidden", patience)
	p.enter("anna")

	s.alterWorker(func(_ *http.Response, b []byte) []byte { return append(b, "// another build"...) })
	p.eval(`(async () => {
		const { serviceWorker } = navigator;
		globalThis.registration = await serviceWorker.ready;
		globalThis.kept = serviceWorker.controller;
		await registration.update();
	})()`, nil)
	p.until("another build waits", "registration.waiting?.state === 'installed'", patience)
	var same bool
	p.eval("navigator.serviceWorker.controller === kept", &same)
	if !same {
		t.Error("the page took another build in a call")
	}
	p.eval("document.querySelector('.leave').click()", nil)
	p.state("ended", soon)
	p.eval("[...document.querySelectorAll('.screen button')].at(-1).click()", nil) // to the door
	p.until("another build is taken between calls", "navigator.serviceWorker.controller !== kept", patience)

	s.alterWorker(func(response *http.Response, _ []byte) []byte {
		response.StatusCode = http.StatusNotFound
		return nil
	})
	p.do(chromedp.Reload())
	p.eval(`(async () => { // until nothing is kept any more
		while ((await navigator.serviceWorker.getRegistrations()).length + (await caches.keys()).length > 0) {
			await new Promise((resolve) => setTimeout(resolve, 20));
		}
	})()`, nil)
	p.enter("anna")
	for _, line := range p.said() {
		if strings.HasPrefix(line, "exception") || strings.Contains(line, "Content Security Policy") {
			t.Error(line)
		}
	}
}
