// Package web is the browser client: its files, and the handler that serves them.
//
//	index.html *.css *.svg */*.js ── tools/page ──> dist/ ── go:embed ──> assets: as compressed there
//	                                                             |
//	GET /  /{room}  /{file}  /connect.json ──────── Handler ─────┘ ──> security headers, ETag, br or gzip
//	                              ^
//	                   Connect, from the relay or wzp page
//
// The sources are plain ES modules in folders that are named as the Go packages are; tests use them as they
// are, and what is served is made of them (dist.go). All addresses are relative, so that a proxy can put the
// page under a path. What may not live here: anything that knows sessions, rooms or keys in Go. The package
// imports nothing of this module.
package web

import (
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
	"unicode/utf8"
)

// ConnectPath is where Handler says how to reach the relay.
const ConnectPath = "/connect.json"

// SocketPath is where a relay takes WebSockets, beside what Handler serves.
const SocketPath = "/ws"

// LeavePath is where a relay takes, by POST, that a page was closed.
const LeavePath = "/leave"

// contentTypes are those of the files that the page is made of.
var contentTypes = map[string]string{
	".html":        "text/html; charset=utf-8",
	".css":         "text/css; charset=utf-8",
	".js":          "text/javascript; charset=utf-8",
	".svg":         "image/svg+xml",
	".png":         "image/png",
	".webmanifest": "application/manifest+json",
}

// Connect is what /connect.json says: where a browser reaches the relay (docs/protocol.md, section 8).
type Connect struct {
	Relay        string        `json:"relay"` // identity key, 64 lower-case hexadecimal digits
	Version      string        `json:"version"`
	WebTransport *WebTransport `json:"webtransport,omitempty"` // nil: none
	WebSocket    string        `json:"websocket,omitempty"`    // relative to this, or a whole URL; or empty
	Leave        string        `json:"leave,omitempty"`        // likewise
	// Page is the address of the relay's own page, for invites from pages that others cannot open; or empty.
	Page string `json:"page,omitempty"`
}

// WebTransport is the part of Connect about WebTransport. It has either port and path, at the host of the
// page, or a URL.
type WebTransport struct {
	Port      int      `json:"port,omitempty"`
	Path      string   `json:"path,omitempty"`
	URL       string   `json:"url,omitempty"`
	Hashes    []string `json:"hashes"`    // SHA-256 of the certificates in use, hexadecimal
	Signature string   `json:"signature"` // the relay's over them, hexadecimal
}

// handler is made by Handler.
type handler struct {
	page    *pageFiles
	connect func() Connect
	names   func(r *http.Request) []string
}

// Handler serves the page: its files, itself for / and for /{room}, which is any one segment that is not a
// file, and what connect returns as /connect.json. Everything else is not found. It answers GET and HEAD,
// holds no state, and sets the security headers on every answer. names returns what the browser that makes a
// request may call this server, "host:port"; nil: what the request says. Both functions are called from many
// goroutines at once, for each request.
func Handler(connect func() Connect, names func(r *http.Request) []string) http.Handler {
	page, err := embedded()
	if err != nil {
		panic(err) // the files are part of the program, and were read before in its tests
	}
	if names == nil {
		names = func(r *http.Request) []string { return []string{r.Host} }
	}
	return &handler{page: page, connect: connect, names: names}
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	connect := h.connect()
	asset := h.page.assets[strings.TrimPrefix(r.URL.Path, "/")]
	isPage := asset == nil && r.URL.Path != ConnectPath && isRoom(r.URL.EscapedPath())
	if isPage {
		asset = h.page.document(r.Header)
	}
	secure(w.Header(), r, connectSources(r, connect, h.names(r)), asset)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "this address can only be read", http.StatusMethodNotAllowed)
		return
	}
	if r.URL.Path == ConnectPath {
		serveConnect(w, r, connect)
		return
	}
	if isPage {
		w.Header().Add("Vary", "Accept-Language")
	}
	if asset != nil {
		asset.serve(w, r, asset.keep && !isPage)
		return
	}
	if room, ok := strings.CutSuffix(r.URL.EscapedPath(), "/"); ok && len(room) > 1 && isRoom(room) {
		redirectToRoom(w, r, room)
		return
	}
	w.Header().Set("Cache-Control", "no-cache")
	http.Error(w, "there is nothing here", http.StatusNotFound)
}

// isRoom reports whether a path, as it was sent, is / or /{room}. Whether a room may be called so, the page
// says. Names of files of the kinds that the page is made of are no rooms, so that a missing file is missed,
// not answered with a page; neither is what browsers and crawlers ask every site for.
func isRoom(escaped string) bool {
	name, ok := strings.CutPrefix(escaped, "/")
	if !ok || strings.Contains(name, "/") {
		return false
	}
	name, err := url.PathUnescape(name)
	if err != nil || !utf8.ValidString(name) {
		return false
	}
	switch name {
	case ".", "..", "favicon.ico", "robots.txt":
		return false
	}
	return contentTypes[strings.ToLower(path.Ext(name))] == ""
}

// redirectToRoom sends /{room}/ to /{room}. The address is relative: the path that the browser sees may have
// more before it, which a proxy took away. What is after # goes along.
func redirectToRoom(w http.ResponseWriter, r *http.Request, escaped string) {
	to := "../" + strings.TrimPrefix(escaped, "/")
	if r.URL.RawQuery != "" {
		to += "?" + r.URL.RawQuery
	}
	w.Header().Set("Location", to)
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusPermanentRedirect)
}

func serveConnect(w http.ResponseWriter, r *http.Request, connect Connect) {
	b, err := json.Marshal(connect)
	if err != nil {
		http.Error(w, "the relay does not know how it can be reached", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store") // certificates are replaced
	send(w, r, append(b, '\n'))
}

// IsLocal reports whether a host, with or without a port, names the machine itself: localhost, 127.0.0.0/8 or
// ::1. Browsers take pages from there for as safe as https.
func IsLocal(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// LocalOnly lets only requests to h through whose Host is this machine's own name. It is for servers on
// loopback: a page of elsewhere whose name was made to lead here (DNS rebinding) would else be of the same
// origin as this one.
func LocalOnly(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !IsLocal(r.Host) {
			http.Error(w, "this page is at localhost only", http.StatusMisdirectedRequest)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// NewServer returns a server for h with limits on what one connection may cost. Connections that h hijacks,
// which WebSockets are, are free of its time limits from then on. What it reports, such as failed handshakes,
// is for debugging.
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 20 * time.Second, // with the TLS handshake, on bad networks
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      5 * time.Minute, // 100 KB at 4 kbit/s
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 100},
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
