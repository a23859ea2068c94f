package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
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

// testPage is a page of a few files, as tools/page makes them. The coding that is called br is none.
func testPage(t *testing.T) *pageFiles {
	t.Helper()
	from := fstest.MapFS{}
	file := func(name, text string, compressed bool) {
		if !compressed {
			from[name] = &fstest.MapFile{Data: []byte(text)}
			return
		}
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := io.WriteString(z, text); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		from[name+".gz"], from[name+".br"] = &fstest.MapFile{Data: b.Bytes()}, &fstest.MapFile{Data: []byte("br:" + text)}
	}
	file("door-en.html", "<!doctype html>English", true)
	file("door-ar.html", "<!doctype html>Arabic", true)
	file("room.js", roomText, true)
	file("icon.png", "png", false)
	file("manifest.webmanifest", "{}", true)
	file("web.go", "secret", false)
	file("list.json", `{"files": {
		"door-en-1.html": {"from": "door-en.html", "keep": true, "hash": "e1", "scripts": ["sha256-a"], "styles": ["sha256-b"]},
		"door-ar-2.html": {"from": "door-ar.html", "keep": true, "hash": "a2"},
		"room-3.js": {"from": "room.js", "keep": true, "hash": "03"},
		"icon-4.png": {"from": "icon.png", "keep": true, "hash": "04"},
		"manifest.webmanifest": {"from": "manifest.webmanifest", "hash": "05"}
	}, "documents": {"en": "door-en-1.html", "ar": "door-ar-2.html"}}`, false)
	page, err := loadPage(from)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

const roomText = "export const a = 1;"

// testHandler serves testPage.
func testHandler(t *testing.T) http.Handler {
	t.Helper()
	return &handler{page: testPage(t), connect: func() Connect { return connect },
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
		"/door-en-1.html":                  html,
		"/tea":                             html,
		"/v1.0":                            html,
		"/two%20words":                     html,
		"/%E8%8C%B6":                       html,
		"/one%2Ftwo":                       html,
		"/connect.json":                    "application/json",
		"/icon-4.png":                      "image/png",
		"/manifest.webmanifest":            "application/manifest+json",
		"/room-3.js":                       "text/javascript; charset=utf-8",
		"/tea/cup":                         "",
		"//":                               "",
		"//tea":                            "",
		"/page":                            html, // a room may be called so
		"/tea//":                           "",
		"/door-en-1.html/":                 "",
		"/page/missing.js":                 "",
		"/missing.js":                      "",
		"/favicon.ico":                     "",
		"/robots.txt":                      "",
		"/%FF":                             "",
		"/..":                              "",
		"/.":                               "",
		"/%2e%2e":                          "",
		"/page/../room-3.js":               "",
		"/page/..%2froom-3.js":             "",
		"/../../etc/passwd":                "",
		"/page/main.js":                    "",
		"/room.js":                         "",
		"/room.js.gz":                      html, // a room may be called so, but is not that file
		"/dist/room.js":                    "",
		"/list.json":                       html,
		"/web.go":                          html,
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
		WebSocket: "wss://relay.example/a;b/ws", Leave: "https://relay.example/a;b/leave"}
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
			"https://relay.example:4433/wt https://relay.example/a%3Bb/leave wss://relay.example/a%3Bb/ws"},
		{Connect{Leave: "leave"}, []string{"localhost:8081"}, false, ""},
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
	sources := []string{"'self'", "https://example.com:4433/wt", "wss://example.com", "ws://example.com"}
	for _, target := range []string{"/", "/tea", "/room-3.js", ConnectPath, "/no/thing"} {
		policy := contentSecurityPolicy(sources, nil, nil)
		if target == "/" || target == "/tea" { // English, with its script and its style
			policy = contentSecurityPolicy(sources, []string{"sha256-a"}, []string{"sha256-b"})
		}
		if strings.Contains(policy, "unsafe") {
			t.Error("the policy allows what is unsafe")
		}
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
	for _, target := range []string{"/", ConnectPath, "/room-3.js"} {
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

// TestCodings: the smallest coding that the browser takes, and the plain bytes to whoever takes none.
func TestCodings(t *testing.T) {
	h := testHandler(t)
	for accept, want := range map[string]string{
		"gzip": "gzip", "deflate, gzip;q=0.5": "gzip", "GZIP": "gzip", "br,gzip": "br", "gzip; q=1.0": "gzip",
		"gzip, deflate, br, zstd": "br", "br;q=0, gzip": "gzip", "BR;q=0.1": "br",
		"": "", "identity": "", "gzip;q=0": "", "gzip; q=0.0": "", "gzipped": "", "gzip;q=x": "", "br;q=2": "",
	} {
		r := ask(h, http.MethodGet, "/room-3.js", "Accept-Encoding", accept)
		if got := r.Header.Get("Content-Encoding"); got != want || r.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("Accept-Encoding %q: %q, want %q; Vary %q", accept, got, want, r.Header.Get("Vary"))
		}
		text := read(t, r)
		switch want {
		case "gzip":
			z, err := gzip.NewReader(strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(z)
			if err != nil {
				t.Fatal(err)
			}
			text = string(b)
		case "br":
			text = strings.TrimPrefix(text, "br:")
		}
		if text != roomText {
			t.Errorf("Accept-Encoding %q: got %q", accept, text)
		}
	}
	if r := ask(h, http.MethodGet, "/icon-4.png", "Accept-Encoding", "gzip, br"); r.Header.Get("Content-Encoding") != "" {
		t.Error("a picture was compressed again")
	}
}

// TestLanguage: the door is in the language that the browser wants most.
func TestLanguage(t *testing.T) {
	h := testHandler(t)
	for accept, want := range map[string]string{
		"": "English", "ar": "Arabic", "ar-EG,ar;q=0.9,en;q=0.8": "Arabic", "en-GB,en;q=0.9,ar;q=0.8": "English",
		"tlh, ar;q=0.1": "Arabic", "tlh": "English", "ar;q=0": "English", "AR": "Arabic", "*": "English",
		"en;q=0.3, ar;q=0.4": "Arabic", "arx": "English",
	} {
		r := ask(h, http.MethodGet, "/tea", "Accept-Language", accept)
		if got := strings.TrimPrefix(read(t, r), "<!doctype html>"); got != want {
			t.Errorf("Accept-Language %q: %s, want %s", accept, got, want)
		}
		if vary := r.Header.Values("Vary"); !slices.Contains(vary, "Accept-Language") {
			t.Errorf("Vary is %q", vary)
		}
	}
}

func TestETag(t *testing.T) {
	h := testHandler(t)
	plain := ask(h, http.MethodGet, "/tea")
	small := ask(h, http.MethodGet, "/tea", "Accept-Encoding", "gzip")
	tag, smallTag := plain.Header.Get("Etag"), small.Header.Get("Etag")
	if tag == smallTag || !strings.HasPrefix(tag, `"`) || plain.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("ETag %s and with gzip %s, Cache-Control %q", tag, smallTag,
			plain.Header.Get("Cache-Control"))
	}
	if ask(h, http.MethodGet, "/tea", "Accept-Language", "ar").Header.Get("Etag") == tag {
		t.Error("two files have the same ETag")
	}
	for target, want := range map[string]string{"/room-3.js": "public, max-age=31536000, immutable",
		"/door-en-1.html": "public, max-age=31536000, immutable", "/manifest.webmanifest": "no-cache"} {
		if got := ask(h, http.MethodGet, target).Header.Get("Cache-Control"); got != want {
			t.Errorf("%s: Cache-Control %q, want %q", target, got, want)
		}
	}
	for match, want := range map[string]int{
		tag: http.StatusNotModified, `"other", W/` + tag: http.StatusNotModified, "*": http.StatusNotModified,
		`"other"`: http.StatusOK, smallTag: http.StatusOK, "nonsense": http.StatusOK,
	} {
		r := ask(h, http.MethodGet, "/tea", "If-None-Match", match)
		if body := read(t, r); r.StatusCode != want || (body == "") != (want == http.StatusNotModified) {
			t.Errorf("If-None-Match %s: %d %q, want %d", match, r.StatusCode, body, want)
		}
		if r.Header.Get("Content-Security-Policy") == "" {
			t.Error("no security headers")
		}
	}
	if r := ask(h, http.MethodGet, "/tea", "If-None-Match", smallTag, "Accept-Encoding",
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

// TestEmbedded: all that is built can be served, in every coding, is what its name and its policy say, and is
// small.
func TestEmbedded(t *testing.T) {
	page, err := embedded()
	if err != nil {
		t.Fatal(err)
	}
	inline := regexp.MustCompile(`(?s)<(script|style)[^>]*>(.*?)</(?:script|style)>`)
	for path, a := range page.assets {
		sum := sha256.Sum256(a.plain())
		if hash := hex.EncodeToString(sum[:]); hash != a.tag || a.keep && !strings.Contains(path, hash[:8]) {
			t.Errorf("%s is not what it is called", path)
		}
		if a.contentType == "" || a.gzip != nil && (len(a.brotli) == 0 || len(a.brotli) >= len(a.plain())) {
			t.Errorf("%s: type %q, %d bytes of %d", path, a.contentType, len(a.brotli), len(a.plain()))
		}
		for _, match := range inline.FindAllStringSubmatch(string(a.plain()), -1) {
			sum := sha256.Sum256([]byte(match[2]))
			hash := "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
			if strings.HasSuffix(path, ".html") && !slices.Contains(append(a.scripts, a.styles...), hash) {
				t.Errorf("%s: its policy does not allow a %s in it", path, match[1])
			}
		}
	}
	for language, a := range page.documents {
		english := strings.Contains(string(a.plain()), "too old to join") ||
			strings.Contains(string(a.plain()), "This page needs JavaScript")
		if english != (language == "en") {
			t.Errorf("the document in %s speaks another language where no script runs", language)
		}
		// At 64 kbit/s, 15 KB come in 1.9 s; three round trips of 800 ms before that take 2.4 s.
		if len(a.brotli) > 15_000 {
			t.Errorf("the door in %s has %d bytes, which is too much for a slow network", language, len(a.brotli))
		}
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
		case tag != "" && tag != `"`+h.page.documents["en"].tag+`"`:
			if u, err := url.ParseRequestURI(target); err != nil ||
				`"`+h.page.assets[strings.TrimPrefix(u.Path, "/")].tag+`"` != tag {
				t.Errorf("%q is answered with another file", target)
			}
		}
	})
}
