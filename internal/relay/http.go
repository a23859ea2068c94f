package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/web"
)

// shutdownTime is how long requests that are being answered have to end.
const shutdownTime = 2 * time.Second

// spareConnections is how many TCP connections there may be beyond the sessions that may all be WebSockets.
const spareConnections = 1_000

// ConfigError says what of Config cannot be, whatever the machine is like.
type ConfigError string

func (e ConfigError) Error() string { return string(e) }

// HTTPError says that there can be no page for browsers: Config.HTTP cannot be listened on, its certificate
// cannot be read, or what Config says about it cannot be.
type HTTPError struct{ Err error }

func (e *HTTPError) Error() string { return "cannot open the http port: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *HTTPError) Unwrap() error { return e.Err }

// site is what the relay has for browsers on TCP: the page, /connect.json and the WebSocket.
//
//	port ─ fileGuard ─ limitListener ─ [TLS] ─ http.Server ─┬─ /ws ─> link.Endpoint.ServeWebSocket
//	                                            ├─ POST /leave ─> leaveDesk (http_leave.go)
//	                                            └─ web.Handler, with connect (http_connect.go)
//	port 80 ─ http-01 of ACME, else a redirect  (only with Config.Domain)
type site struct {
	config  Config
	log     *slog.Logger
	ln      *limitListener // without TLS
	server  *http.Server
	certs   *certificateDesk // nil: no TLS
	names   *hostNames
	connect connectAnswer
	local   string // what people on this machine call it
	gate    gate
	drops   *drops.Counters

	redirect       *http.Server // nil: no port 80
	redirectListen *limitListener
}

// newSite opens the port, and refuses what cannot be. It returns nil if there is to be none.
func newSite(config Config, dropped *drops.Counters) (*site, error) {
	if config.HTTP == "" {
		return nil, nil // which does nothing, as a nil admin does
	}
	s := &site{config: config, log: config.Log, drops: dropped, local: "localhost"}
	var err error
	if s.certs, err = newCertificateDesk(config); err != nil {
		return nil, &HTTPError{err}
	}
	var ln net.Listener
	if s.names, err = newHostNames(config, s.certs); err == nil {
		ln, err = web.Listen(config.HTTP)
	}
	if err != nil {
		s.certs.close()
		return nil, &HTTPError{err}
	}
	files := openFilesLimit()
	all := connectionsFor(config.MaxSessions+spareConnections, files, config.Sockets)
	warnAboutFiles(s.log, all, config.MaxSessions, files)
	s.ln = newLimitListener(guardFiles(ln, "http", s.log, s.drops, pageReserve, false), s.drops, all,
		config.MaxPerAddress)
	s.ln.log = s.log
	s.openRedirect(min(spareConnections, max(leastConnections, all/8)))
	if s.certs == nil && !s.addr().Addr().IsLoopback() {
		s.log.Warn("browsers give the microphone only to pages from https or localhost: use --domain or "+
			"--tls-cert, or a reverse proxy with TLS, or listen on 127.0.0.1", "http", s.addr().String())
	}
	return s, nil
}

// openRedirect opens port 80 for ACME. Without it the https port serves for certificates, too.
func (s *site) openRedirect(connections int) {
	if s.config.Domain == "" {
		return
	}
	ln, err := net.Listen("tcp", s.config.ACMEListen)
	if err != nil {
		s.log.Warn("port 80 cannot be opened: certificates can be had only if the https port is 443 from "+
			"outside, and http addresses lead nowhere", "address", s.config.ACMEListen, "err", err)
		return
	}
	files := guardFiles(ln, "port 80", s.log, s.drops, pageReserve, false)
	s.redirectListen = newLimitListener(files, s.drops, connections, s.config.MaxPerAddress)
	s.redirect = web.NewServer(s.certs.challenges(s.url()), s.log)
}

// start makes the server, when the endpoint that it leads to is there.
func (s *site) start(r *Relay) {
	if s == nil {
		return
	}
	s.connect = connectAnswer{identity: r.config.Identity, version: r.config.Version,
		page: pageAddress(r.config, s.addr().Port()), port: int(r.Addr().Port()),
		certificates: r.endpoint.WebCertificates}
	if udp, tcp := r.Addr().Addr(), s.addr().Addr(); udp.IsLoopback() && (tcp == udp || tcp.IsUnspecified()) {
		s.local = udp.String() // browsers try WebTransport at the first address of localhost only
	}
	page := web.Handler(s.connect.get, s.names.pageNames)
	leave := newLeaveDesk(s.names.checkOrigin, r)
	s.server = web.NewServer(s.gate.guard(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if !s.serves(q.Host) {
			http.Error(w, "this relay does not know this name for its own", http.StatusMisdirectedRequest)
			return
		}
		if q.URL.Path == web.SocketPath {
			r.endpoint.ServeWebSocket(w, q)
			return
		}
		if q.URL.Path == web.LeavePath && q.Method == http.MethodPost {
			leave.ServeHTTP(w, q)
			return
		}
		page.ServeHTTP(w, q)
	})), s.log)
	s.server.ConnState = settle
	if s.certs != nil {
		s.server.TLSConfig = s.certs.config()
	}
}

// serves reports whether there is a page at a host. On loopback, plain http is for this machine and the proxy
// that the operator named: a page of elsewhere whose name leads here is not ours.
func (s *site) serves(host string) bool {
	return s.certs != nil || !s.addr().Addr().IsLoopback() || s.names.checkHost(host)
}

// serve answers until close. A nil site returns at once.
func (s *site) serve() {
	if s == nil {
		return
	}
	var wg sync.WaitGroup
	if s.redirect != nil {
		wg.Go(func() { s.report(s.redirect.Serve(s.redirectListen)) })
	}
	if s.certs != nil {
		wg.Go(s.certs.obtain)
		s.report(s.server.ServeTLS(s.ln, "", ""))
	} else {
		s.report(s.server.Serve(s.ln))
	}
	wg.Wait()
}

func (s *site) report(err error) {
	if !errors.Is(err, http.ErrServerClosed) {
		s.log.Error("the http port stopped", "err", err)
	}
}

// close ends serve: requests get shutdownTime, and it waits for all of them. WebSockets must have been closed
// before. It may be called when start was not.
func (s *site) close() {
	if s == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	s.certs.close()
	for _, server := range []*http.Server{s.redirect, s.server} {
		if server != nil && server.Shutdown(ctx) != nil {
			server.Close()
		}
	}
	for _, ln := range []*limitListener{s.redirectListen, s.ln} {
		if ln != nil {
			ln.Close()
		}
	}
	s.gate.close()
}

// webConfig is what the endpoint asks about browsers; nil if there are none.
func (s *site) webConfig() *link.WebConfig {
	if s == nil {
		return nil
	}
	return &link.WebConfig{CheckOrigin: s.names.checkOrigin, Names: s.names.called, Trouble: s.names.trouble}
}

// addr returns the TCP address; zero without a site.
func (s *site) addr() netip.AddrPort {
	if s == nil {
		return netip.AddrPort{}
	}
	addr := s.ln.Addr().(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
}

// logAddr is for the log; empty without a site.
func (s *site) logAddr() string {
	if s == nil {
		return ""
	}
	return s.addr().String()
}

// localhost4 is, with that of IPv6, where browsers find localhost.
var localhost4 = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// url is where people open the page.
func (s *site) url() string {
	if s == nil {
		return ""
	}
	scheme, port, host := "http", 80, s.local
	if s.certs != nil {
		scheme, port = "https", 443
	}
	switch addr := s.addr().Addr(); {
	case s.certs.name() != "":
		host = s.certs.name()
	case !addr.IsUnspecified() && addr != localhost4 && addr != netip.IPv6Loopback():
		host = addr.String()
	}
	if own := int(s.addr().Port()); own != port {
		return fmt.Sprintf("%s://%s/", scheme, net.JoinHostPort(host, strconv.Itoa(own)))
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() {
		host = "[" + host + "]"
	}
	return fmt.Sprintf("%s://%s/", scheme, host)
}

// tlsConfig is the server's for certificates from get.
func tlsConfig(get func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: get, NextProtos: []string{"h2",
		"http/1.1"}}
}

// gate counts requests under way, also those that became WebSockets, so that close can wait.
type gate struct {
	mu     sync.Mutex // guards what follows: nothing may be added once somebody waits
	closed bool
	wg     sync.WaitGroup
}

// guard lets requests to h through until the gate is closed.
func (g *gate) guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		closed := g.closed
		if !closed {
			g.wg.Add(1)
		}
		g.mu.Unlock()
		if closed {
			http.Error(w, "the relay shuts down", http.StatusServiceUnavailable)
			return
		}
		defer g.wg.Done()
		h.ServeHTTP(w, r)
	})
}

func (g *gate) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.wg.Wait()
}
