package link

import (
	"context"
	"crypto/tls"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/webtransport-go"
)

const (
	transportPath     = "/wt"
	transportPatience = 200 * time.Millisecond // how long media waits for QUIC
	// lastWords is how long a connection stays open for what was given to QUIC last: it sends nothing more
	// once it is closed.
	lastWords = 50 * time.Millisecond

	// maxWebRequests is how many requests a browser may make on one connection; it makes one.
	maxWebRequests  = 16
	maxWebHeader    = 16 << 10 // bytes
	maxWebStreams   = 4        // that the client has open at once: requests
	maxWebUniStream = 8        // HTTP/3 has three; browsers open others to see whether we mind
)

// configure makes a listener take ALPN h3 beside wzp, and returns the TLS configuration for it. Streams and
// datagrams are allowed to all then: which protocol is spoken is known too late. What a native client opens
// is not read: see refuseDatagrams.
func (web *webServer) configure(config *quic.Config) (h3 *tls.Config) {
	config.Tracer = trace
	config.EnableDatagrams = true
	config.EnableStreamResetPartialDelivery = true
	config.MaxIncomingStreams = maxWebStreams
	config.MaxIncomingUniStreams = maxWebUniStream
	return &tls.Config{
		NextProtos:             []string{http3.NextProtoH3},
		MinVersion:             tls.VersionTLS13,
		SessionTicketsDisabled: true,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return web.certificates.show(time.Now())
		},
	}
}

// ofBrowser reports whether who says hello speaks HTTP/3 and not our protocol.
func ofBrowser(hello *tls.ClientHelloInfo) bool {
	protocols := hello.SupportedProtos
	return slices.Contains(protocols, http3.NextProtoH3) && !slices.Contains(protocols, alpn)
}

// webQUIC is a connection with ALPN h3.
type webQUIC struct {
	conn     *quic.Conn
	deadline *time.Timer // ends it, unless a Hello comes
	requests atomic.Int32
	taken    atomic.Bool // by a session of WebTransport
}

// serveQUIC handles a connection with ALPN h3 until it ends.
func (web *webServer) serveQUIC(conn *quic.Conn) {
	h := handshakeOf(conn)
	h.web = &webQUIC{conn: conn}
	h.web.deadline = time.AfterFunc(time.Until(h.start.Add(handshakeTimeout)), func() {
		conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "no Hello in time")
	})
	defer h.web.deadline.Stop()
	if err := web.transport.ServeQUICConn(conn); err != nil {
		web.ep.log.Debug("an HTTP/3 connection failed", "remote", conn.RemoteAddr(), "err", err)
	}
	conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
}

// ServeHTTP handles a request on a connection with ALPN h3: a session of WebTransport is all that there is.
func (web *webServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := r.Context().Value(handshakeKey{}).(*handshake)
	conn := h.web.conn
	if h.web.requests.Add(1) > maxWebRequests {
		conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeExcessiveLoad), "too many requests")
		return
	}
	if r.Method != http.MethodConnect || r.URL.Path != transportPath {
		http.NotFound(w, r)
		return
	}
	if !web.config.CheckOrigin(r) {
		http.Error(w, "pages of this origin may not connect", http.StatusForbidden)
		return
	}
	if h.web.taken.Swap(true) {
		http.Error(w, "one session a connection", http.StatusTooManyRequests)
		return
	}
	// The connection is of no use without its session.
	defer conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
	session, err := web.transport.Upgrade(w, r)
	if err != nil {
		web.ep.log.Debug("no session of WebTransport", "remote", conn.RemoteAddr(), "err", err)
		http.Error(w, "this is for WebTransport", http.StatusBadRequest)
		return
	}
	web.serveTransport(conn, session, h)
}

// serveTransport opens the stream for control messages and serves the session on it.
func (web *webServer) serveTransport(conn *quic.Conn, session *webtransport.Session, h *handshake) {
	ctx, cancel := context.WithDeadline(session.Context(), h.start.Add(handshakeTimeout))
	defer cancel()
	stream, err := session.OpenStreamSync(ctx)
	if err != nil {
		return
	}
	c := &transportCarrier{
		streamChannel: streamChannel{stream, conn.Context()}, conn: conn, session: session,
		certificates: &web.certificates, datagrams: h.datagrams,
	}
	newWebConn(web.ep, c, addrPort(conn.RemoteAddr()).Addr(), transportPatience, func() {
		h.web.deadline.Stop()
		h.leave()
	}).serve()
}

// transportCarrier is a session of WebTransport as webCarrier. Control messages are on the one stream.
type transportCarrier struct {
	streamChannel
	conn         *quic.Conn
	session      *webtransport.Session
	certificates *webCertificates
	datagrams    *datagrams
}

func (c *transportCarrier) ready() { c.datagrams.wait(c.conn.Context()) }

func (c *transportCarrier) send(p []byte) error {
	c.datagrams.given.Add(1) // before it can be sent
	err := c.session.SendDatagram(p)
	if err != nil {
		c.datagrams.given.Add(-1)
	}
	return err
}

// receive also ends the session when the client opens a stream: there is one, which is ours.
func (c *transportCarrier) receive(accept func(packet []byte)) {
	ctx := c.session.Context()
	done := make(chan struct{}, 2)
	go func() {
		if _, err := c.session.AcceptStream(ctx); err == nil {
			c.abort()
		}
		done <- struct{}{}
	}()
	go func() {
		if _, err := c.session.AcceptUniStream(ctx); err == nil {
			c.abort()
		}
		done <- struct{}{}
	}()
	for {
		p, err := c.session.ReceiveDatagram(ctx)
		if err != nil {
			break
		}
		accept(p)
	}
	<-done
	<-done
}

// bindings returns the hashes of the certificates that the client can have been shown.
func (c *transportCarrier) bindings() (list []string) {
	made, err := c.certificates.at(time.Now())
	if err != nil {
		return nil
	}
	for _, m := range made {
		list = append(list, string(m.Hash[:]))
	}
	return list
}

func (c *transportCarrier) close(reason string) {
	c.pause() // for packets, which nobody would read after the session's end
	c.session.CloseWithError(0, reason)
	c.pause()
	c.abort()
}

// pause lets QUIC send what it was given.
func (c *transportCarrier) pause() {
	select {
	case <-time.After(lastWords):
	case <-c.conn.Context().Done():
	}
}

func (c *transportCarrier) abort() {
	c.conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
}
