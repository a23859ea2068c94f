// Package web is the browser client: its files, and the handler that serves them.
//
//	index.html *.css *.svg *.js */*.js ── go:embed ──> assets: filtered, compressed and hashed once, in memory
//	                                                      |
//	GET /  /{room}  /{file}  /connect.json ── Handler ────┘ ──> security headers, ETag, gzip
//	                              ^
//	                   Connect, from the relay or wzp page
//
// The page is plain ES modules, which are served as they are; its folders are named as the Go packages are.
// All of its addresses are relative, so that a proxy can put it under a path. What may not live here:
// anything that knows sessions, rooms or keys in Go. The package imports nothing of this module.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// ConnectPath is where Handler says how to reach the relay.
const ConnectPath = "/connect.json"

// SocketPath is where a relay takes WebSockets, beside what Handler serves.
const SocketPath = "/ws"

// files are those of the page and, as patterns cannot leave them out, its tests and this package. What is
// served of them, isAsset says.
//
//go:embed *.* */*.js
var files embed.FS

// contentTypes are those of the files that the page is made of; other files are not served.
var contentTypes = map[string]string{
	".html":        "text/html; charset=utf-8",
	".css":         "text/css; charset=utf-8",
	".js":          "text/javascript; charset=utf-8",
	".svg":         "image/svg+xml",
	".png":         "image/png",
	".webmanifest": "application/manifest+json",
}

// folders are those with modules of the page.
var folders = []string{"names", "identity", "wire", "e2ee", "link", "jitter", "audio", "call", "words", "page"}

// isAsset reports whether a file is served.
func isAsset(name string) bool {
	dir, base := path.Split(name)
	folder, _, _ := strings.Cut(dir, "/")
	return contentTypes[path.Ext(base)] != "" && !strings.Contains(base, ".test.") &&
		(dir == "" || slices.Contains(folders, folder))
}

// asset is a file that is ready to be sent.
type asset struct {
	contentType string
	plain, gzip body // gzip has no bytes where it would save nothing
}

// body is one representation of an asset, with the strong validator (RFC 9110, section 8.8.3) that is its
// own.
type body struct {
	bytes []byte
	etag  string
}

// pageAssets are the embedded ones, by path without the first slash.
var pageAssets = sync.OnceValues(func() (map[string]*asset, error) { return loadAssets(files) })

// loadAssets reads and compresses what is served of a file system.
func loadAssets(from fs.FS) (map[string]*asset, error) {
	assets := make(map[string]*asset)
	err := fs.WalkDir(from, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !isAsset(name) {
			return err
		}
		b, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		assets[name], err = newAsset(contentTypes[path.Ext(name)], b)
		return err
	})
	return assets, err
}

func newAsset(contentType string, b []byte) (*asset, error) {
	hash := sha256.Sum256(b)
	tag := hex.EncodeToString(hash[:16])
	a := &asset{contentType: contentType, plain: body{b, `"` + tag + `"`}}
	var small bytes.Buffer
	z, err := gzip.NewWriterLevel(&small, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(b); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	if small.Len() < len(b) {
		a.gzip = body{small.Bytes(), `"` + tag + `-gzip"`}
	}
	return a, nil
}

// serve answers a GET or HEAD with the asset, or with 304 if the browser has it.
func (a *asset) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	// may be kept, but is asked for: the page and its modules change together
	h.Set("Cache-Control", "no-cache")
	h.Add("Vary", "Accept-Encoding")
	b := a.plain
	if len(a.gzip.bytes) > 0 && acceptsGzip(r.Header) {
		b = a.gzip
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Etag", b.etag)
	if matches(r.Header, b.etag) {
		h.Del("Content-Type")
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	b.send(w, r)
}

// send answers with the bytes, or for HEAD with how many there are. Ranges are not served: the files are
// small.
func (b body) send(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", strconv.Itoa(len(b.bytes)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(b.bytes) // whoever asked may have gone
	}
}

// matches reads If-None-Match (RFC 9110, section 13.1.2), which compares weakly.
func matches(h http.Header, etag string) bool {
	for _, field := range h.Values("If-None-Match") {
		for tag := range strings.SplitSeq(field, ",") {
			if tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/"); tag == etag || tag == "*" {
				return true
			}
		}
	}
	return false
}

// acceptsGzip reads Accept-Encoding (RFC 9110, section 12.5.3).
func acceptsGzip(h http.Header) bool {
	for _, field := range h.Values("Accept-Encoding") {
		for coding := range strings.SplitSeq(field, ",") {
			name, weight, _ := strings.Cut(coding, ";")
			if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
				continue
			}
			q, weighed := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(weight), " ", ""), "q=")
			if !weighed {
				return true
			}
			value, err := strconv.ParseFloat(q, 64)
			return err == nil && value > 0
		}
	}
	return false
}

// Connect is what /connect.json says: where a browser reaches the relay (docs/protocol.md, section 8).
type Connect struct {
	Relay        string        `json:"relay"` // identity key, 64 lower-case hexadecimal digits
	Version      string        `json:"version"`
	WebTransport *WebTransport `json:"webtransport,omitempty"` // nil: none
	WebSocket    string        `json:"websocket,omitempty"`    // relative to this, or a whole URL; or empty
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
	assets  map[string]*asset
	connect func() Connect
	names   func(r *http.Request) []string
}

// Handler serves the page: its files, itself for / and for /{room}, which is any one segment that is not a
// file, and what connect returns as /connect.json. Everything else is not found. It answers GET and HEAD,
// holds no state, and sets the security headers on every answer. names returns what the browser that makes a
// request may call this server, "host:port"; nil: what the request says. Both functions are called from many
// goroutines at once, for each request.
func Handler(connect func() Connect, names func(r *http.Request) []string) http.Handler {
	assets, err := pageAssets()
	if err != nil {
		panic(err) // the files are part of the program, and were read before in its tests
	}
	if names == nil {
		names = func(r *http.Request) []string { return []string{r.Host} }
	}
	return &handler{assets: assets, connect: connect, names: names}
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	connect := h.connect()
	secure(w.Header(), r, connectSources(r, connect, h.names(r)))
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "this address can only be read", http.StatusMethodNotAllowed)
		return
	}
	if r.URL.Path == ConnectPath {
		serveConnect(w, r, connect)
		return
	}
	if a := h.assets[strings.TrimPrefix(r.URL.Path, "/")]; a != nil {
		a.serve(w, r)
		return
	}
	if page := h.assets["index.html"]; page != nil && isRoom(r.URL.EscapedPath()) {
		page.serve(w, r)
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
	body{bytes: append(b, '\n')}.send(w, r)
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
