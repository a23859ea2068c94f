package web

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"encoding/json"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

var connect = Connect{
	Relay: strings.Repeat("2a", 32), Version: "wzp test",
	WebTransport: &WebTransport{Port: 4433, Path: "/wt", Hashes: []string{strings.Repeat("ab", 32)},
		Signature: strings.Repeat("cd", 64)},
	WebSocket: "ws",
}

// testHandler serves a page of a few files.
func testHandler(t *testing.T) http.Handler {
	t.Helper()
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	assets, err := loadAssets(fstest.MapFS{
		"index.html":               file("<!doctype html>" + strings.Repeat(" ", 1000)),
		"style.css":                file("a{}"),
		"icon.svg":                 file("<svg/>"),
		"app.webmanifest":          file("{}"),
		"page/main.js":             file("import './words.js';" + strings.Repeat("\n", 1000)),
		"page/sheets/invite.js":    file("export {};"),
		"page/main.test.js":        file("secret of a test"),
		"main.test.js":             file("secret of a test"),
		"page/scenes.test.html":    file("secret of a test"),
		"e2ee/testdata/a.json":     file("secret of a test"),
		"web.go":                   file("secret of a test"),
		"jsconfig.json":            file("secret of a test"),
		"node_modules/left/pad.js": file("secret of a test"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return &handler{assets: assets, connect: func() Connect { return connect },
		names: func(r *http.Request) []string { return []string{r.Host} }}
}

// ask makes a request with header fields: name, value, and so on.
func ask(h http.Handler, method, target string, fields ...string) *http.Response {
	r := httptest.NewRequest(method, "/", nil)
	var err error
	if r.URL, err = url.ParseRequestURI(target); err != nil { // what net/http reads requests with
		return &http.Response{StatusCode: http.StatusBadRequest, Body: http.NoBody}
	}
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func read(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPaths(t *testing.T) {
	h := testHandler(t)
	const html = "text/html; charset=utf-8"
	for target, want := range map[string]string{ // content type; empty: not found
		"/":                                html,
		"/index.html":                      html,
		"/tea":                             html,
		"/v1.0":                            html,
		"/two%20words":                     html,
		"/%E8%8C%B6":                       html,
		"/one%2Ftwo":                       html,
		"/connect.json":                    "application/json",
		"/style.css":                       "text/css; charset=utf-8",
		"/icon.svg":                        "image/svg+xml",
		"/app.webmanifest":                 "application/manifest+json",
		"/page/main.js":                    "text/javascript; charset=utf-8",
		"/page/sheets/invite.js":           "text/javascript; charset=utf-8",
		"/tea/cup":                         "",
		"//":                               "",
		"//tea":                            "",
		"/page":                            html, // a room may be called so
		"/tea//":                           "",
		"/index.html/":                     "",
		"/page/missing.js":                 "",
		"/missing.js":                      "",
		"/favicon.ico":                     "",
		"/robots.txt":                      "",
		"/%FF":                             "",
		"/..":                              "",
		"/.":                               "",
		"/%2e%2e":                          "",
		"/page/../style.css":               "",
		"/page/..%2fstyle.css":             "",
		"/../../etc/passwd":                "",
		"/page/main.test.js":               "",
		"/main.test.js":                    "",
		"/page/scenes.test.html":           "",
		"/e2ee/testdata/a.json":            "",
		"/node_modules/left/pad.js":        "",
		"/.well-known/acme-challenge/a":    "",
		"/page\\main.js":                   "",
		"/%00":                             html, // the page says that no room can be called so
		"/" + strings.Repeat("a", 1<<12):   html,
		"/" + strings.Repeat("a/", 1<<12):  "",
		"/" + strings.Repeat("%2F", 1<<12): html,
	} {
		r := ask(h, http.MethodGet, target)
		text := read(t, r)
		switch {
		case want == "" && r.StatusCode != http.StatusNotFound:
			t.Errorf("%.50s: %d %q, want 404", target, r.StatusCode, text)
		case want != "" && (r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != want):
			t.Errorf("%.50s: %d %q, want %q", target, r.StatusCode, r.Header.Get("Content-Type"), want)
		case strings.Contains(text, "secret"):
			t.Errorf("%.50s is served", target)
		}
	}
}

// TestSlashAfterRoom: the address of a room may end in a slash. The answer is relative, so that it is right
// under a path that a proxy took away.
func TestSlashAfterRoom(t *testing.T) {
	h := testHandler(t)
	for target, want := range map[string]string{
		"/tea/": "/tea", "/%E8%8C%B6/": "/%E8%8C%B6", "/one%2Ftwo/": "/one%2Ftwo", "/page/": "/page",
		"/a:b/": "/a:b", "/tea/?a=b": "/tea?a=b",
		"/https:%2F%2Fevil.example/": "/https:%2F%2Fevil.example", "/\\evil.example/": "/%5Cevil.example",
		"/../": "", "/%2e%2e/": "", "//": "", "/tea/cup/": "", "/style.css/": "", "//evil.example/": "",
	} {
		r := ask(h, http.MethodGet, target)
		to, found := r.Header.Get("Location"), r.StatusCode == http.StatusPermanentRedirect
		if found != (want != "") || !found && r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d to %q, want %q", target, r.StatusCode, to, want)
			continue
		}
		for _, before := range []string{"", "/voice"} {
			u, err := url.Parse("https://relay.example" + before + target)
			if !found {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if u, err = u.Parse(to); err != nil || u.String() != "https://relay.example"+before+want {
				t.Errorf("%s under %q leads to %v, %v", target, before, u, err)
			}
		}
	}
}

// TestConnectSources: a page may connect to where it came from and to its relay, and nowhere else.
func TestConnectSources(t *testing.T) {
	part := &WebTransport{Port: 4433, Path: "/wt"}
	whole := Connect{WebTransport: &WebTransport{URL: "https://relay.example:4433/wt?a;b"},
		WebSocket: "wss://relay.example/a;b/ws"}
	for _, test := range []struct {
		connect Connect
		names   []string
		tls     bool
		want    string
	}{
		{Connect{WebTransport: part, WebSocket: "ws"}, []string{"relay.example"}, true,
			"https://relay.example:4433/wt wss://relay.example"},
		{Connect{WebTransport: part, WebSocket: "ws"}, []string{"relay.example:8443"}, false,
			"https://relay.example:4433/wt wss://relay.example:8443 ws://relay.example:8443"},
		{Connect{WebTransport: part}, []string{"127.0.0.1:8080", "relay.example:8443"}, false,
			"https://127.0.0.1:4433/wt https://relay.example:4433/wt"},
		{Connect{WebSocket: "ws"}, []string{"localhost:8080"}, true, "wss://localhost:8080"},
		{Connect{WebTransport: part, WebSocket: "ws"}, []string{"[::1]:8080"}, true,
			"https://*:4433/wt wss://*:8080"},
		{whole, []string{"localhost:8081"}, false,
			"https://relay.example:4433/wt wss://relay.example/a%3Bb/ws"},
		{Connect{}, []string{"localhost:8081"}, false, ""},
		{Connect{WebTransport: part, WebSocket: "ws"}, []string{"a;script-src *", "a b", "*", "a:0",
			"a:99999", "", ":80", "a,b", "a'b", "\u2028"}, false, "https://a:4433/wt"},
	} {
		r := &http.Request{}
		if test.tls {
			r.TLS = &tls.ConnectionState{}
		}
		if got, want := strings.Join(connectSources(r, test.connect, test.names), " "),
			strings.TrimSpace("'self' "+test.want); got != want {
			t.Errorf("%+v at %q: %q, want %q", test.connect, test.names, got, want)
		}
	}
}

func TestSecurityHeaders(t *testing.T) {
	h := testHandler(t)
	policy := contentSecurityPolicy([]string{"'self'", "https://example.com:4433/wt", "wss://example.com",
		"ws://example.com"})
	for _, target := range []string{"/", "/tea", "/page/main.js", ConnectPath, "/no/thing"} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
			got := ask(h, method, target).Header
			for name, want := range map[string]string{
				"Content-Security-Policy":      policy,
				"Cross-Origin-Opener-Policy":   "same-origin",
				"Cross-Origin-Embedder-Policy": "require-corp",
				"Cross-Origin-Resource-Policy": "same-origin",
				"Referrer-Policy":              "no-referrer",
				"X-Content-Type-Options":       "nosniff",
				"Permissions-Policy":           permissionsPolicy,
				"Strict-Transport-Security":    "",
			} {
				if got.Get(name) != want {
					t.Errorf("%s %s: %s is %q, want %q", method, target, name, got.Get(name), want)
				}
			}
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Error("the policy allows what is unsafe")
	}
	for host, want := range map[string]bool{"relay.example:8443": true, "localhost:8443": false,
		"127.0.0.1": false, "[::1]:8443": false} {
		r := httptest.NewRequest(http.MethodGet, "https://"+host+"/", nil)
		r.TLS = &tls.ConnectionState{}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := w.Header().Get("Strict-Transport-Security") != ""; got != want {
			t.Errorf("HSTS over TLS at %s: %v, want %v", host, got, want)
		}
	}
}

func TestMethods(t *testing.T) {
	h := testHandler(t)
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions,
		"BREW"} {
		r := ask(h, method, "/")
		if r.StatusCode != http.StatusMethodNotAllowed || r.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d, Allow %q", method, r.StatusCode, r.Header.Get("Allow"))
		}
	}
	for _, target := range []string{"/", ConnectPath, "/page/main.js"} {
		r := ask(h, http.MethodHead, target)
		if body := read(t, r); r.StatusCode != http.StatusOK || body != "" {
			t.Errorf("HEAD %s: %d %q", target, r.StatusCode, body)
		}
		if got, want := r.Header.Get("Content-Length"),
			strconv.Itoa(len(read(t, ask(h, http.MethodGet, target)))); got != want {
			t.Errorf("HEAD %s: Content-Length %s, want %s", target, got, want)
		}
	}
}

func TestGzip(t *testing.T) {
	h := testHandler(t)
	for accept, want := range map[string]bool{
		"gzip": true, "deflate, gzip;q=0.5": true, "GZIP": true, "br,gzip": true, "gzip; q=1.0": true,
		"": false, "identity": false, "gzip;q=0": false, "gzip; q=0.0": false, "br": false, "gzipped": false,
		"gzip;q=x": false,
	} {
		r := ask(h, http.MethodGet, "/page/main.js", "Accept-Encoding", accept)
		if got := r.Header.Get("Content-Encoding") == "gzip"; got != want {
			t.Errorf("Accept-Encoding %q: gzip %v, want %v", accept, got, want)
		}
		if r.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("Vary is %q", r.Header.Get("Vary"))
		}
		text := read(t, r)
		if want {
			z, err := gzip.NewReader(strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(z)
			if err != nil {
				t.Fatal(err)
			}
			text = string(b)
		}
		if !strings.HasPrefix(text, "import './words.js';") {
			t.Errorf("Accept-Encoding %q: got %q", accept, text)
		}
	}
	if r := ask(h, http.MethodGet, "/style.css", "Accept-Encoding",
		"gzip"); r.Header.Get("Content-Encoding") != "" {
		t.Error("three bytes were compressed to more")
	}
}

func TestETag(t *testing.T) {
	h := testHandler(t)
	plain := ask(h, http.MethodGet, "/page/main.js")
	small := ask(h, http.MethodGet, "/page/main.js", "Accept-Encoding", "gzip")
	tag, smallTag := plain.Header.Get("Etag"), small.Header.Get("Etag")
	if tag == smallTag || !strings.HasPrefix(tag, `"`) || plain.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("ETag %s and with gzip %s, Cache-Control %q", tag, smallTag,
			plain.Header.Get("Cache-Control"))
	}
	if ask(h, http.MethodGet, "/style.css").Header.Get("Etag") == tag {
		t.Error("two files have the same ETag")
	}
	for match, want := range map[string]int{
		tag: http.StatusNotModified, `"other", W/` + tag: http.StatusNotModified, "*": http.StatusNotModified,
		`"other"`: http.StatusOK, smallTag: http.StatusOK, "nonsense": http.StatusOK,
	} {
		r := ask(h, http.MethodGet, "/page/main.js", "If-None-Match", match)
		if body := read(t, r); r.StatusCode != want || (body == "") != (want == http.StatusNotModified) {
			t.Errorf("If-None-Match %s: %d %q, want %d", match, r.StatusCode, body, want)
		}
		if r.Header.Get("Content-Security-Policy") == "" {
			t.Error("no security headers")
		}
	}
	if r := ask(h, http.MethodGet, "/page/main.js", "If-None-Match", smallTag, "Accept-Encoding",
		"gzip"); r.StatusCode != http.StatusNotModified {
		t.Errorf("gzip: %d, want 304", r.StatusCode)
	}
}

func TestConnect(t *testing.T) {
	h := testHandler(t)
	r := ask(h, http.MethodGet, ConnectPath)
	var got Connect
	if err := json.Unmarshal([]byte(read(t, r)), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(connect, got); diff != "" {
		t.Error(diff)
	}
	b, err := json.Marshal(Connect{Relay: "a", Version: "b"})
	if err != nil || string(b) != `{"relay":"a","version":"b"}` {
		t.Errorf("neither way: %s, %v", b, err)
	}
	b, err = json.Marshal(WebTransport{URL: "https://r:4433/wt", Hashes: []string{"a"}, Signature: "b"})
	if err != nil || string(b) != `{"url":"https://r:4433/wt","hashes":["a"],"signature":"b"}` {
		t.Errorf("whole URL: %s, %v", b, err)
	}
}

// TestEmbedded compares what is served with the files beside this one.
func TestEmbedded(t *testing.T) {
	h := Handler(func() Connect { return connect }, nil)
	served := 0
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		want, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		r := ask(h, http.MethodGet, "/"+name)
		got := []byte(read(t, r))
		switch found := r.StatusCode == http.StatusOK && bytes.Equal(got, want); {
		case isAsset(name) && !found:
			t.Errorf("%s is not served: add its folder to the go:embed pattern in web.go", name)
		case !isAsset(name) && found:
			t.Errorf("%s is served", name)
		case found:
			served++
		}
		if isAsset(name) && path.Ext(name) == ".html" &&
			(bytes.Contains(want, []byte("<script>")) || bytes.Contains(want, []byte(" style="))) {
			t.Errorf("%s has inline script or style, which the Content-Security-Policy forbids", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if served == 0 {
		t.Error("nothing is served")
	}
}

func TestIsLocal(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST:80": true, "127.0.0.1": true, "127.8.7.6:80": true, "[::1]": true,
		"[::1]:80": true, "::1": true,
		"localhost.example": false, "127.0.0.1.example": false, "10.0.0.1": false, "[::2]:80": false,
		"": false, ":80": false, "0.0.0.0": false,
	} {
		if got := IsLocal(host); got != want {
			t.Errorf("%q: %v, want %v", host, got, want)
		}
	}
}

// TestServer wants limits on everything that a connection can take.
func TestServer(t *testing.T) {
	s := NewServer(testHandler(t), slog.New(slog.DiscardHandler))
	if s.ReadHeaderTimeout == 0 || s.ReadTimeout == 0 || s.WriteTimeout == 0 || s.IdleTimeout == 0 ||
		s.MaxHeaderBytes == 0 || s.ErrorLog == nil {
		t.Errorf("something has no limit: %+v", s)
	}
}

// FuzzConnectSources: no Host ends its directive of the policy, or adds a source to it.
func FuzzConnectSources(f *testing.F) {
	for _, seed := range []string{"relay.example:8443", "[::1]:8080", "a;script-src *", "*", "a b", "'none'",
		"//a/b"} {
		f.Add(seed, "/wt")
	}
	f.Add("relay.example", "/a;b,c d")
	f.Fuzz(func(t *testing.T, host, path string) {
		connect := Connect{WebTransport: &WebTransport{Port: 4433, Path: "/wt"},
			WebSocket: "wss://" + host + path}
		for _, source := range connectSources(&http.Request{}, connect, []string{host})[1:] {
			u, err := url.Parse(strings.Replace(source, "*", "any", 1))
			if err != nil || u.Host == "" || strings.ContainsAny(source, "; ,\"\t\r\n") ||
				!slices.Contains([]string{"https", "wss", "ws"}, u.Scheme) {
				t.Errorf("%q makes the source %q", host, source)
			}
		}
	})
}

// FuzzPath looks for paths that are answered with anything but their own file, the page, or that nothing is
// there.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"/", "/tea", "/%E8%8C%B6", "/../web.go", "/%2e%2e%2fweb.go", "/a%2Fb", "/%",
		"/index.html", ConnectPath} {
		f.Add(seed)
	}
	h := Handler(func() Connect { return connect }, nil).(*handler)
	f.Fuzz(func(t *testing.T, target string) {
		r := ask(h, http.MethodGet, target)
		switch tag := r.Header.Get("Etag"); {
		case r.StatusCode == http.StatusBadRequest || r.StatusCode == http.StatusNotFound:
		case r.StatusCode == http.StatusPermanentRedirect &&
			strings.HasPrefix(r.Header.Get("Location"), "../"):
		case r.StatusCode != http.StatusOK:
			t.Errorf("%q: %d", target, r.StatusCode)
		case tag != "" && tag != h.assets["index.html"].plain.etag:
			if u, err := url.ParseRequestURI(target); err != nil ||
				h.assets[strings.TrimPrefix(u.Path, "/")].plain.etag != tag {
				t.Errorf("%q is answered with another file", target)
			}
		}
	})
}
