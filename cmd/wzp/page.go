package main

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/names"
	"github.com/wzp-voice/wzp/internal/wire"
	"github.com/wzp-voice/wzp/web"
)

const (
	connectFresh   = 5 * time.Second  // how long what a relay said about itself is not asked again
	connectStale   = time.Hour        // how long it serves while the relay's http port cannot be reached
	connectTimeout = 15 * time.Second // for the relay to answer, at the start
	connectAgain   = 2 * time.Second  // while there is an answer that serves: browsers wait for 5 s
	connectLast    = 4 * time.Second  // when there is no such answer any more
	connectSize    = 64 << 10         // of its answer, bytes
	connectHashes  = 8                // certificates in it
)

// pageCmd serves the browser client from this machine, for any relay: whoever does so need not trust the
// relay's page.
//
//	browser ── http://localhost:8081/ ──> web.Handler            the page is this program's
//	   |            /connect.json    ──> relayPage ── https ──> the relay's, checked with its pinned key
//	   └───────── WebTransport, WebSocket ────────────────────> the relay
type pageCmd struct {
	Relay  string `required:"" placeholder:"HOST" help:"The relay: HOST or HOST:PORT of its https page, or its whole address, such as http://localhost:8080 or https://example.org/voice/."`
	Listen string `default:"127.0.0.1:8081" placeholder:"ADDR" help:"TCP address of the page; port 0 means any."`
	relayKeyFlags
}

// Run implements the command.
func (c *pageCmd) Run(ctx context.Context) error {
	p, err := c.page()
	if err != nil {
		return err
	}
	ln, err := web.Listen(c.Listen)
	if err != nil {
		return listenError("--listen", c.Listen, "", err)
	}
	defer ln.Close()
	if err := p.refresh(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // told to stop while asking
		}
		return err
	}
	fmt.Printf("Relay %s, fingerprint %s\n", p.base.Host, p.latest.Load().key.Fingerprint())
	fmt.Println("Open in a browser: " + localURL(ln.Addr()))
	if addr := ln.Addr().(*net.TCPAddr); !addr.IP.IsLoopback() {
		warn("browsers give the microphone only to pages from localhost here: others cannot use this page")
	}
	return p.serve(ctx, ln)
}

// page checks the command line, and prepares what it asks for.
func (c *pageCmd) page() (*relayPage, error) {
	base, err := parsePageURL("--relay", c.Relay)
	if err != nil {
		return nil, err
	}
	p := &relayPage{base: base, client: pageClient()}
	if p.wanted, p.known, err = c.relayKeyFlags.open(); err != nil {
		return nil, err
	}
	if p.known != nil && base.Scheme == "http" && !web.IsLocal(base.Host) {
		warn("over http, whoever is between can pose as the relay on the first visit: give --relay-key")
	}
	return p, nil
}

// warn says something on standard error, and the command goes on.
func warn(text string) { fmt.Fprintln(os.Stderr, "wzp: "+text) }

// parsePageURL reads a flag: HOST, HOST:PORT or the address of a page, which ends in a slash if there is a
// path, for a room's does not.
func parsePageURL(flag, text string) (*url.URL, error) {
	bad := usagef("%s is HOST, HOST:PORT or an address such as https://voice.example.org "+
		"or https://example.org/voice/, not %q", flag, text)
	address := text
	if !strings.Contains(text, "://") {
		if ip, err := netip.ParseAddr(text); err == nil && ip.Is6() {
			address = "[" + text + "]"
		}
		address = "https://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" ||
		u.Fragment != "" || u.Path != "" && !strings.HasSuffix(u.Path, "/") {
		return nil, bad
	}
	host, port := u.Hostname(), u.Port()
	n, err := strconv.ParseUint(cmp.Or(port, "1"), 10, 16)
	if err != nil || n == 0 || strings.HasSuffix(u.Host, ":") {
		return nil, bad
	}
	if _, err := netip.ParseAddr(host); err != nil {
		if host, err = names.Host(strings.TrimSuffix(host, ".")); err != nil {
			return nil, usagef("%s: the host of %q %w", flag, text, err)
		}
	}
	// A host alone as URLs have it is in brackets if it is an IPv6 address.
	base := &url.URL{Scheme: u.Scheme, Host: strings.TrimSuffix(net.JoinHostPort(host, port), ":")}
	if strings.Trim(u.Path, "/") != "" {
		base.Path = u.JoinPath("/").Path
	}
	return base, nil
}

// withPort is the host:port of a URL.
func withPort(u *url.URL) string {
	ports := map[string]string{"http": "80", "ws": "80", "https": "443", "wss": "443"}
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), ports[u.Scheme]))
}

// pageClient asks relays. Redirects are not followed: the key is pinned for the address that was given.
func pageClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxResponseHeaderBytes = 16 << 10
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// relayPage is a page for one relay, and what that said about itself.
type relayPage struct {
	base   *url.URL             // of the relay's page: scheme, host, and a path if there is one
	wanted identity.Fingerprint // the relay's, if it was given, else
	known  *identity.KnownRelays
	client *http.Client
	latest atomic.Pointer[relayAnswer] // which serves; nil: none was there yet

	mu     sync.Mutex // guards what follows; held while the relay is asked, so that it is asked once
	tried  time.Time  // when the relay was last asked, and
	err    error      // what came of it; nil if the answer serves
	failed string     // what was last said about a failure
}

// relayAnswer is a checked /connect.json of a relay.
type relayAnswer struct {
	connect web.Connect // with whole URLs
	key     identity.PublicKey
	addr    string // host:port of its UDP port; empty if it has none for browsers
	at      time.Time
}

// serve answers until ctx is done.
func (p *relayPage) serve(ctx context.Context, ln net.Listener) error {
	handler := p.handler(ctx)
	if ln.Addr().(*net.TCPAddr).IP.IsLoopback() {
		handler = web.LocalOnly(handler)
	}
	server := web.NewServer(handler, slog.New(slog.DiscardHandler))
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if server.Shutdown(patience) != nil {
			server.Close()
		}
		p.client.CloseIdleConnections()
	})
	err := server.Serve(ln)
	if !stop() {
		<-stopped
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("the page's port failed: %w", err)
	}
	return nil
}

// handler serves the page until ctx is done. The relay is asked in ctx, not in that of a request: a browser
// that gives up does not end it for the others that wait.
func (p *relayPage) handler(ctx context.Context) http.Handler {
	page := web.Handler(func() web.Connect {
		if answer := p.latest.Load(); answer != nil {
			return answer.connect
		}
		return web.Connect{}
	}, nil)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == web.ConnectPath {
			if err := p.refresh(ctx); err != nil {
				status := http.StatusBadGateway
				if errors.As(err, new(*identity.RelayKeyChangedError)) {
					status = http.StatusConflict // the page says so, too
				}
				http.Error(w, oneLine(err), status)
				return
			}
		}
		page.ServeHTTP(w, r)
	})
}

// refresh asks the relay about itself, unless it did so a moment ago, when what came of that holds: whoever
// waited for it need not wait again. While its http port cannot be reached, what it said before serves on:
// its UDP port may be fine.
func (p *relayPage) refresh(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.tried.IsZero() && time.Since(p.tried) < connectFresh {
		return p.err
	}
	now, last := time.Now(), p.latest.Load()
	serves := last != nil && now.Sub(last.at) < connectStale
	patience := connectTimeout
	switch {
	case serves:
		patience = connectAgain
	case last != nil:
		patience = connectLast
	}
	asking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	answer, err := p.ask(asking)
	if err == nil {
		err = p.trust(answer)
	}
	switch {
	case err == nil:
		answer.at, p.failed = now, ""
		p.latest.Store(answer)
	case serves && errors.As(err, new(*unreachableError)):
		err = nil
	case last != nil && ctx.Err() == nil:
		if text := oneLine(err); p.failed != text {
			p.failed = text
			warn(text)
		}
	}
	p.tried, p.err = time.Now(), err
	return err
}

// unreachableError says that the relay did not answer, which may pass.
type unreachableError struct{ error }

func (e *unreachableError) Unwrap() error { return e.error }

// ask fetches and checks the relay's /connect.json. Whether its key is the right one, trust says.
func (p *relayPage) ask(ctx context.Context) (*relayAnswer, error) {
	address := p.base.JoinPath(web.ConnectPath).String()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, err
	}
	r, err := p.client.Do(q)
	if err != nil {
		return nil, p.fetchError(err)
	}
	defer r.Body.Close()
	switch to := r.Header.Get("Location"); {
	case r.StatusCode >= 500:
		err = fmt.Errorf("the relay at %s has a problem: it answers %s", p.base, r.Status)
		return nil, &unreachableError{err}
	case r.StatusCode != http.StatusOK && to != "":
		return nil, fmt.Errorf("%s sends to %q: if that is the relay, give its address to --relay",
			p.base, to)
	case r.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s does not say how its relay is reached (%s): is it the page of a relay?",
			p.base, r.Status)
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, connectSize+1))
	if err != nil {
		return nil, p.fetchError(err)
	}
	answer, err := parseConnect(p.base, b)
	if err != nil {
		return nil, fmt.Errorf("what %s says about its relay cannot be used: %w", p.base, err)
	}
	return answer, nil
}

// fetchError says why the relay's page cannot be reached, and what to do if that is clear.
func (p *relayPage) fetchError(err error) error {
	if of := (*url.Error)(nil); errors.As(err, &of) {
		err = of.Err
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return fmt.Errorf("%s speaks http, not https: give --relay http://%s if nobody else is between",
			p.base, p.base.Host)
	}
	if dns := (*net.DNSError)(nil); errors.As(err, &dns) && dns.IsNotFound {
		err = errors.New("no host is called so")
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.New("it does not answer in time")
	}
	if p.base.Port() != "" { // which may be the one that "wzp join" is given
		err = fmt.Errorf("%w; is that its page, and not where it takes UDP?", err)
	}
	return &unreachableError{fmt.Errorf("cannot reach the relay at %s: %w", p.base, err)}
}

// trust checks the key of an answer against the one that was given, or was there before. A first one is kept
// if the relay has proved that it is its own. It is kept for both ports: the page's, which the user named,
// and the UDP port, which "wzp join" is given, if that is of the same host: the signature does not cover the
// URL, so a page could else have its key kept for somebody else's relay.
func (p *relayPage) trust(a *relayAnswer) error {
	if p.wanted != (identity.Fingerprint{}) {
		if got := a.key.Fingerprint(); got != p.wanted {
			return &identity.RelayKeyChangedError{Addr: p.base.Host, Known: p.wanted, Got: got}
		}
		return nil
	}
	addrs := []string{withPort(p.base)}
	host, _, err := net.SplitHostPort(a.addr)
	if err == nil && strings.EqualFold(host, p.base.Hostname()) && a.addr != addrs[0] {
		addrs = append(addrs, a.addr)
	}
	for _, addr := range addrs { // all of them before one is kept
		known, err := p.known.Verify(addr, a.key)
		if err != nil {
			return err
		}
		if !known && a.connect.WebTransport == nil {
			return fmt.Errorf("relay %s does not prove its key: give --relay-key", p.base.Host)
		}
	}
	for _, addr := range addrs {
		if err := p.known.Check(addr, a.key); err != nil {
			return err
		}
	}
	return nil
}

// parseConnect reads a relay's /connect.json, checks the signature in it, and makes whole URLs of what is
// relative to base.
func parseConnect(base *url.URL, b []byte) (*relayAnswer, error) {
	if len(b) > connectSize {
		return nil, fmt.Errorf("it is longer than %d bytes", connectSize)
	}
	a := new(relayAnswer)
	if err := json.Unmarshal(b, &a.connect); err != nil {
		return nil, fmt.Errorf("it is not the JSON of a relay: %w", err)
	}
	var err error
	if a.key, err = identity.ParsePublicKey(a.connect.Relay); err != nil {
		return nil, err
	}
	// Invites lead to where the user has found the relay's page: what that says of itself counts only where
	// others cannot follow.
	if !web.IsLocal(base.Host) {
		a.connect.Page = base.JoinPath("/").String()
	}
	if wire.CheckName(a.connect.Version) != nil {
		return nil, errors.New("its version is longer than 64 bytes, or has control characters")
	}
	if a.connect.WebTransport != nil {
		if a.addr, err = checkWebTransport(base, a.key, a.connect.WebTransport); err != nil {
			return nil, err
		}
	}
	if a.connect.WebSocket != "" {
		scheme := "ws" + strings.TrimPrefix(base.Scheme, "http")
		if a.connect.WebSocket, _, err = wholeURL(base, a.connect.WebSocket, scheme); err != nil {
			return nil, err
		}
	}
	if a.connect.Leave != "" {
		if a.connect.Leave, _, err = wholeURL(base, a.connect.Leave, base.Scheme); err != nil {
			return nil, err
		}
	}
	if a.connect.WebTransport == nil && a.connect.WebSocket == "" {
		return nil, errors.New("it has neither WebTransport nor WebSocket")
	}
	return a, nil
}

// checkWebTransport makes t a URL, and returns its host:port.
func checkWebTransport(base *url.URL, key identity.PublicKey, t *web.WebTransport) (addr string, err error) {
	if len(t.Hashes) == 0 || len(t.Hashes) > connectHashes {
		return "", fmt.Errorf("it has %d certificates, not 1 to %d", len(t.Hashes), connectHashes)
	}
	hashes := make([][32]byte, len(t.Hashes))
	for i, text := range t.Hashes {
		h, err := hex.DecodeString(text)
		if err != nil || len(h) != len(hashes[i]) {
			return "", errors.New("a hash of a certificate is not 64 hexadecimal digits")
		}
		hashes[i] = [32]byte(h)
	}
	signature, err := hex.DecodeString(t.Signature)
	if err != nil || !wire.VerifyWebCertificates(key, hashes, signature) {
		return "", errors.New("its certificates are not signed by the relay's key: " +
			"somebody may have changed them")
	}
	if t.URL == "" {
		if t.Port < 1 || t.Port > 65535 || !strings.HasPrefix(t.Path, "/") {
			return "", errors.New("its WebTransport has neither a URL nor a port and a path")
		}
		t.URL = "https://" + net.JoinHostPort(base.Hostname(), strconv.Itoa(t.Port)) + t.Path
	}
	t.URL, addr, err = wholeURL(base, t.URL, "https")
	t.Port, t.Path = 0, ""
	return addr, err
}

// wholeURL resolves a reference of a relay against its base, beside whose connect.json it stands, and returns
// it with its host:port. A whole one must have that scheme, or the secure form of it.
func wholeURL(base *url.URL, text, scheme string) (whole, addr string, err error) {
	ref, err := url.Parse(text)
	if err != nil || ref.User != nil || ref.Fragment != "" {
		return "", "", fmt.Errorf("its address %q cannot be read", text)
	}
	if ref.Scheme == "" && ref.Host == "" && ref.Path != "" {
		beside := &url.URL{Scheme: scheme, Host: base.Host, Path: base.Path + "/"}
		ref = beside.JoinPath("/").ResolveReference(ref)
	}
	if ref.Hostname() == "" || ref.Scheme != scheme && (scheme != "ws" || ref.Scheme != "wss") {
		return "", "", fmt.Errorf("its address %q does not begin with %s://", text, scheme)
	}
	return ref.String(), withPort(ref), nil
}

// localURL is the address of a page on a port of this machine.
func localURL(addr net.Addr) string {
	a := addr.(*net.TCPAddr)
	host := "localhost"
	if !a.IP.IsUnspecified() && !a.IP.Equal(net.IPv4(127, 0, 0, 1)) {
		host = a.IP.String()
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(a.Port)) + "/"
}
