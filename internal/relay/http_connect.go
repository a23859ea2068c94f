package relay

import (
	"encoding/hex"
	"slices"
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
	port         int // UDP
	certificates func() []link.WebCertificate

	mu     sync.Mutex // guards what follows, so that not every request makes a signature
	hashes [][32]byte
	signed *web.WebTransport // for these hashes
}

func (c *connectAnswer) get() web.Connect {
	return web.Connect{
		Relay:        c.identity.Public().String(),
		Version:      c.version,
		WebTransport: c.webTransport(),
		WebSocket:    strings.TrimPrefix(web.SocketPath, "/"), // a proxy may put it under a path
		Leave:        strings.TrimPrefix(web.LeavePath, "/"),
	}
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
