package web

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// contentSecurityPolicy lets the page run its own modules and reach its own relay, and nothing else. Whatever
// script an attacker could have run would find no other place to send to. Of what stands in the document,
// only the scripts and styles with these hashes are taken.
func contentSecurityPolicy(connect, scripts, styles []string) string {
	own := func(hashes []string) string {
		sources := "'self'"
		for _, hash := range hashes {
			sources += " '" + hash + "'"
		}
		return sources
	}
	return "default-src 'none'; script-src " + own(scripts) + "; style-src " + own(styles) + "; " +
		"img-src 'self' data:; " +
		"connect-src " + strings.Join(connect, " ") + "; worker-src 'self'; manifest-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// connectSources returns what the page may connect to: whence it came, and the addresses that /connect.json
// names. names are "host" or "host:port", as browsers may call this server: of a proxy it is
// not always known which is right.
func connectSources(r *http.Request, connect Connect, names []string) []string {
	sources := []string{"'self'"}
	add := func(scheme, host, port, path string) {
		if source := sourceOf(scheme, host, port, path); source != "" && !slices.Contains(sources, source) {
			sources = append(sources, source)
		}
	}
	whole := func(text string, schemes ...string) bool {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme) {
			return false
		}
		add(u.Scheme, u.Hostname(), u.Port(), u.EscapedPath())
		return true
	}
	if t := connect.WebTransport; t != nil && !whole(t.URL, "https") {
		for _, name := range names {
			host, _ := splitName(name)
			add("https", host, strconv.Itoa(t.Port), t.Path)
		}
	}
	whole(connect.Leave, "https", "http") // else it is of 'self'
	if connect.WebSocket != "" && !whole(connect.WebSocket, "wss", "ws") {
		for _, name := range names { // 'self' has WebSockets in it, but not in every browser
			host, port := splitName(name)
			add("wss", host, port, "")
			if r.TLS == nil { // or a proxy has taken TLS off
				add("ws", host, port, "")
			}
		}
	}
	return sources
}

// splitName returns a host without brackets, and its port, or "".
func splitName(name string) (host, port string) {
	if host, port, err := net.SplitHostPort(name); err == nil {
		return host, port
	}
	return strings.TrimSuffix(strings.TrimPrefix(name, "["), "]"), ""
}

const hostLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"

// sourceOf returns a host-source (CSP Level 3, section 2.3.1); "" if it cannot be one, for names come from
// requests. Of an IPv6 address, which the grammar lacks, only port and path can be said.
func sourceOf(scheme, host, port, path string) string {
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() {
		host = "*"
	} else if host == "" || strings.Trim(host, hostLetters) != "" {
		return ""
	}
	if port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return ""
		}
		host += ":" + port
	}
	return scheme + "://" + host + strings.NewReplacer(";", "%3B", ",", "%2C", " ", "%20").Replace(path)
}

// permissionsPolicy turns off what the page never needs. What it may need and is not named keeps its default,
// this origin only: autoplay, the clipboard, the screen's wake lock, the choice of a loudspeaker.
const permissionsPolicy = "microphone=(self), camera=(), display-capture=(), geolocation=(), " +
	"accelerometer=(), gyroscope=(), " +
	"magnetometer=(), midi=(), usb=(), serial=(), hid=(), payment=(), publickey-credentials-get=(), " +
	"idle-detection=(), local-fonts=(), xr-spatial-tracking=()"

// secure sets the headers that every answer has. connect is what the page may connect to, a is what is sent,
// if it is a file.
func secure(h http.Header, r *http.Request, connect []string, a *asset) {
	var scripts, styles []string
	if a != nil {
		scripts, styles = a.scripts, a.styles
	}
	h.Set("Content-Security-Policy", contentSecurityPolicy(connect, scripts, styles))
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Embedder-Policy", "require-corp")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Permissions-Policy", permissionsPolicy)
	if r.TLS != nil && !IsLocal(r.Host) {
		// Not for localhost, where it would close every other program's http port, too.
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}
