package relay

import (
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/time/rate"

	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/names"
	"github.com/wzp-voice/wzp/web"
)

// The kinds of refusals that are logged.
const (
	refusedOrigin = iota
	refusedName
	refusedProof
	refusedUpgrade
	refusedKinds
)

// hostNames knows which names are this relay's own, and whose pages may use it.
//
// Own are the names of the certificate, those of the machine itself, the addresses of its interfaces, and the
// hosts of the origins that the operator named, which are those of reverse proxies. It matters that no others
// are: a name that somebody else controls would let their server pass on what a browser signed for it, and a
// page of theirs pretend to be of the relay (DNS rebinding).
type hostNames struct {
	log     *slog.Logger
	certs   *certificateDesk    // nil: no TLS
	origins map[string]struct{} // named ones, as originOf has them
	hosts   map[string]struct{} // of these origins, lower case, without port
	named   []string            // and with it, in order

	reported [refusedKinds]*rate.Limiter // of what the operator may have to name; anybody can cause a refusal
}

func newHostNames(config Config, certs *certificateDesk) (*hostNames, error) {
	n := &hostNames{log: config.Log, certs: certs, origins: make(map[string]struct{}),
		hosts: make(map[string]struct{})}
	for kind := range n.reported {
		n.reported[kind] = everyMinute()
	}
	for _, text := range config.WebOrigins {
		origin, host, ok := originOf(strings.TrimSuffix(text, "/"))
		if !ok {
			return nil, ConfigError(fmt.Sprintf("--web-origin is the beginning of a page's address, "+
				"without its path, such as https://voice.example.org, not %q", text))
		}
		n.origins[origin], n.hosts[host] = struct{}{}, struct{}{}
	}
	for _, origin := range slices.Sorted(maps.Keys(n.origins)) {
		_, name, _ := strings.Cut(origin, "://")
		n.named = append(n.named, name)
	}
	return n, nil
}

// originOf reads a serialised origin (RFC 6454, section 6.2) and returns it without its scheme's own port,
// and its host, as names.Host has it.
func originOf(text string) (origin, host string, ok bool) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" ||
		u.Fragment != "" || u.Opaque != "" ||
		u.ForceQuery || strings.HasSuffix(text, "#") || u.Scheme != "http" && u.Scheme != "https" {
		return "", "", false
	}
	if host, err = names.Host(u.Hostname()); err != nil {
		return "", "", false
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || port[0] == '0' {
		return "", "", false
	}
	return u.Scheme + "://" + net.JoinHostPort(host, port), host, true
}

// checkOrigin reports whether a request's page may use the relay: one of its own, of localhost, or named by
// the operator. Browsers always send an origin; a request without one is refused.
func (n *hostNames) checkOrigin(r *http.Request) bool {
	fields := r.Header.Values("Origin")
	if len(fields) != 1 {
		return false
	}
	origin, host, ok := originOf(fields[0])
	if !ok {
		return false
	}
	if host == "localhost" || host == "127.0.0.1" || host == "::1" {
		return true
	}
	if _, named := n.origins[origin]; named {
		return true
	}
	if host == strings.ToLower(hostOnly(r.Host)) && n.own(host) {
		return true
	}
	if n.reported[refusedOrigin].Allow() {
		n.log.Warn("a page was refused: if it is yours, name it with --web-origin", "name",
			shortName(fields[0]))
	}
	return false
}

// called returns what the requesting browser may call the relay, "host:port": what the request, the page's
// origin and the operator say. Proxies lose the port, or put another name there. Anybody in between can write
// it, so only hosts that are the relay's own count.
func (n *hostNames) called(r *http.Request) []string {
	names := link.RequestNames(r)
	if fields := r.Header.Values("Origin"); len(fields) == 1 {
		if origin, _, ok := originOf(fields[0]); ok {
			_, name, _ := strings.Cut(origin, "://")
			names = append(names, name)
		}
	}
	names = slices.DeleteFunc(append(names, n.named...),
		func(name string) bool { return !n.own(hostOnly(name)) })
	slices.Sort(names)
	return slices.Compact(names)
}

// pageNames returns where the page may connect to: the host of its request, and what the operator named; only
// that of the same host if there is one.
func (n *hostNames) pageNames(r *http.Request) []string {
	names := []string{strings.ToLower(r.Host)}
	host := hostOnly(names[0])
	_, known := n.hosts[host]
	for _, name := range n.named {
		if !known || hostOnly(name) == host {
			names = append(names, name)
		}
	}
	return names
}

// trouble tells the operator of requests for a WebSocket that a proxy spoilt.
func (n *hostNames) trouble(r *http.Request, what link.WebTrouble) {
	switch {
	case what == link.TroubleUpgrade && n.reported[refusedUpgrade].Allow():
		n.log.Warn("a browser asked for a WebSocket, but the proxy in between took Upgrade away: have it "+
			"pass Upgrade and Connection "+
			"(docs/operations.md, Behind a reverse proxy)", "name", shortName(r.Host))
	case what == link.TroubleName && n.reported[refusedProof].Allow():
		n.log.Warn("a browser opened a WebSocket by a name or port that this relay does not know for its "+
			"own: have the proxy leave Host as it is (nginx: proxy_set_header Host $http_host), or name the "+
			"page with --web-origin, port included", "name", shortName(r.Host), "page",
			shortName(r.Header.Get("Origin")))
	}
}

// checkHost reports whether a host, with or without a port, is the relay's own.
func (n *hostNames) checkHost(host string) bool {
	if n.own(strings.ToLower(hostOnly(host))) {
		return true
	}
	if n.reported[refusedName].Allow() {
		n.log.Warn("a browser used a name that is not known to be this relay's: if it is, name its page "+
			"with --web-origin", "name", shortName(host))
	}
	return false
}

func (n *hostNames) own(host string) bool {
	if _, named := n.hosts[host]; named || web.IsLocal(host) || n.certs.covers(host) {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ofThisMachine(ip)
}

// shortName is as much of a name as goes to the log.
func shortName(name string) string { return name[:min(len(name), 200)] }

// hostOnly is a host without its port, and an IPv6 address without brackets.
func hostOnly(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}

// ofThisMachine reports whether an interface has the address.
func ofThisMachine(ip netip.Addr) bool {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, addr := range addrs {
		if p, err := netip.ParsePrefix(addr.String()); err == nil && p.Addr() == ip.Unmap() {
			return true
		}
	}
	return false
}
