package relay

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/web"
)

// namesReportEvery is how often it is logged that a page was refused.
const namesReportEvery = time.Minute

// hostNames knows which names are this relay's own, and whose pages may use it.
//
// Own are the names of the certificate, those of the machine itself, the addresses of its interfaces, and the hosts of
// the origins that the operator named, which are those of reverse proxies. It matters that no others are: a name that
// somebody else controls would let their server pass on what a browser signed for it, and a page of theirs pretend to be
// of the relay (DNS rebinding).
type hostNames struct {
	log     *slog.Logger
	certs   *certificateDesk    // nil: no TLS
	origins map[string]struct{} // named ones, as originOf has them
	hosts   map[string]struct{} // of these origins, lower case, without port

	mu       sync.Mutex // guards what follows
	reported time.Time  // when a refusal was logged
}

func newHostNames(config Config, certs *certificateDesk) (*hostNames, error) {
	n := &hostNames{log: config.Log, certs: certs, origins: make(map[string]struct{}), hosts: make(map[string]struct{})}
	for _, text := range config.WebOrigins {
		origin, host, ok := originOf(strings.TrimSuffix(text, "/"))
		if !ok {
			return nil, ConfigError(fmt.Sprintf("--web-origin is the beginning of a page's address, such as https://voice.example.org, not %q", text))
		}
		n.origins[origin], n.hosts[host] = struct{}{}, struct{}{}
	}
	return n, nil
}

// originOf reads a serialised origin (RFC 6454, section 6.2) and returns it without its scheme's own port, and its
// host, as identity.HostName has it.
func originOf(text string) (origin, host string, ok bool) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" ||
		u.ForceQuery || strings.HasSuffix(text, "#") || u.Scheme != "http" && u.Scheme != "https" {
		return "", "", false
	}
	if host, err = identity.HostName(u.Hostname()); err != nil {
		return "", "", false
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + net.JoinHostPort(host, port), host, true
}

// checkOrigin reports whether the page that a request comes from may use the relay: one of the relay's own, one of
// localhost, or one that the operator named. Browsers always say where a page is from; a request that does not is refused.
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
	if n.reports() {
		n.log.Warn("a page was refused: if it is yours, name it with --web-origin", "name", shortName(fields[0]))
	}
	return false
}

// checkHost reports whether a host, with or without a port, is the relay's own.
func (n *hostNames) checkHost(host string) bool {
	if n.own(strings.ToLower(hostOnly(host))) {
		return true
	}
	if n.reports() {
		n.log.Warn("a browser used a name that is not known to be this relay's: if it is, name its page with --web-origin",
			"name", shortName(host))
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

// reports reports whether to tell the operator, who may have to name something, of a refusal. Anybody can cause one, so
// it is said once a minute.
func (n *hostNames) reports() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	if now.Sub(n.reported) < namesReportEvery {
		return false
	}
	n.reported = now
	return true
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
