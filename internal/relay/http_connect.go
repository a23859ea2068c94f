package relay

import (
	"encoding/hex"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/wire"
	"github.com/wzp-voice/wzp/web"
)

// webTransportPath is where the endpoint takes WebTransport (docs/protocol.md, section 8).
const webTransportPath = "/wt"

// connectAnswer makes what /connect.json says.
type connectAnswer struct {
	identity     *identity.Identity
	version      string
	page         string // address of the page, as others have it; empty: not known
	port         int    // UDP
	certificates func() []link.WebCertificate

	mu     sync.Mutex // guards what follows, so that not every request makes a signature
	hashes [][32]byte
	signed *web.WebTransport // for these hashes
}

func (c *connectAnswer) get() web.Connect {
	return web.Connect{
		Relay:        c.identity.Public().String(),
		Version:      c.version,
		Page:         c.page,
		WebTransport: c.webTransport(),
		WebSocket:    strings.TrimPrefix(web.SocketPath, "/"), // a proxy may put it under a path
		Leave:        strings.TrimPrefix(web.LeavePath, "/"),
	}
}

// pageAddress returns where others open the page of a relay whose http port this is, as far as its operator
// has said: at its domain, or at one of the named origins, best by https. It is empty if that is not known.
func pageAddress(config Config, port uint16) string {
	if config.Domain != "" {
		host := config.Domain
		if port != 443 {
			host = net.JoinHostPort(host, strconv.Itoa(int(port)))
		}
		return "https://" + host + "/"
	}
	best := ""
	for _, text := range config.WebOrigins {
		u, err := url.Parse(strings.TrimSuffix(text, "/"))
		if err == nil && !web.IsLocal(u.Host) && (best == "" || u.Scheme == "https" && best[:5] != "https") {
			best = u.Scheme + "://" + u.Host + "/"
		}
	}
	return best
}

// webTransport returns nil if there is no certificate for it.
func (c *connectAnswer) webTransport() *web.WebTransport {
	var hashes [][32]byte
	for _, cert := range c.certificates() {
		hashes = append(hashes, cert.Hash)
	}
	if len(hashes) == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.signed == nil || !slices.Equal(hashes, c.hashes) {
		c.hashes = hashes
		c.signed = &web.WebTransport{Port: c.port, Path: webTransportPath,
			Signature: hex.EncodeToString(wire.SignWebCertificates(c.identity, hashes))}
		for _, h := range hashes {
			c.signed.Hashes = append(c.signed.Hashes, hex.EncodeToString(h[:]))
		}
	}
	return c.signed
}
