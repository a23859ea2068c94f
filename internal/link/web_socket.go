package link

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/coder/websocket"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	socketProtocol = "wzp"
	socketPatience = 300 * time.Millisecond // how long media waits for TCP
	socketTexts    = 16                     // control messages that wait for their answer

	unsentReady = 2 << 10              // bytes in the kernel at which the next packet is not given to it yet
	unsentPoll  = 5 * time.Millisecond // how often it is asked then,
	// unsentPollMost is how often at least: thousands who read nothing must not keep a relay busy.
	unsentPollMost = 80 * time.Millisecond
)

var errTextLong = &wire.FormatError{What: "control message", Err: wire.ErrLimit, Detail: "is too long"}

// ServeWebSocket attaches a browser by WebSocket; it is the handler of /ws. It returns when the connection
// has ended, and Close ends and waits for it. The client's address is r.RemoteAddr, what the browser calls
// the relay r.Host.
func (ep *Endpoint) ServeWebSocket(w http.ResponseWriter, r *http.Request) {
	switch {
	case ep.web == nil:
		http.NotFound(w, r)
		return
	case !ep.web.config.CheckOrigin(r):
		http.Error(w, "pages of this origin may not connect", http.StatusForbidden)
		return
	}
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		http.Error(w, "the client's address is not known", http.StatusInternalServerError)
		return
	}
	leave, ok := ep.web.pending.enter(remote.Addr().Unmap(), time.Now())
	if !ok {
		ep.drops.Add(drops.Handshakes, 1)
		http.Error(w, errOverloaded.Error(), http.StatusServiceUnavailable)
		return
	}
	defer leave()
	switch {
	case !lists(r, "Upgrade", "websocket"):
		if r.Method == http.MethodGet { // else a page asks what is wrong
			ep.web.config.Trouble(r, TroubleUpgrade)
		}
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "websocket")
		http.Error(w, "this is for WebSockets, and the request does not ask for one",
			http.StatusUpgradeRequired)
		return
	case !lists(r, "Sec-WebSocket-Protocol", socketProtocol):
		http.Error(w, "the subprotocol is "+socketProtocol, http.StatusBadRequest)
		return
	}
	taken := &hijacked{ResponseWriter: w}
	conn, err := websocket.Accept(taken, r, &websocket.AcceptOptions{
		Subprotocols:       []string{socketProtocol},
		InsecureSkipVerify: true, // CheckOrigin was asked
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		ep.log.Debug("no WebSocket", "remote", remote, "err", err)
		return
	}
	c := newSocketCarrier(ep, conn, taken.conn, ep.web.config.Names(r))
	deadline := time.AfterFunc(handshakeTimeout, c.abort)
	defer deadline.Stop()
	served := newWebConn(ep, c, remote.Addr().Unmap(), socketPatience, func() {
		deadline.Stop()
		leave()
	})
	served.unknown = func() { ep.web.config.Trouble(r, TroubleName) }
	served.serve()
}

// lists reports whether a header field of a request is a list that has a token in it, in whatever case (RFC
// 9110, section 5.6.1).
func lists(r *http.Request, field, token string) bool {
	for _, list := range r.Header.Values(field) {
		for one := range strings.SplitSeq(list, ",") {
			if strings.EqualFold(strings.TrimSpace(one), token) {
				return true
			}
		}
	}
	return false
}

// RequestNames returns what a request says that the browser calls the relay: "host:port", in lower case.
func RequestNames(r *http.Request) []string {
	host := strings.ToLower(r.Host)
	if _, _, err := net.SplitHostPort(host); err == nil {
		return []string{host}
	}
	names := []string{host + ":443"}
	if r.TLS == nil { // or a proxy has taken TLS off
		names = append(names, host+":80")
	}
	return names
}

// hijacked keeps the connection that is taken over from an http.Server.
type hijacked struct {
	http.ResponseWriter
	conn net.Conn
}

// Hijack implements http.Hijacker.
func (h *hijacked) Hijack() (conn net.Conn, rw *bufio.ReadWriter, err error) {
	h.conn, rw, err = http.NewResponseController(h.ResponseWriter).Hijack()
	return h.conn, rw, err
}

// socketCarrier is a WebSocket as webCarrier: control messages are texts, packets binary messages.
type socketCarrier struct {
	conn   *websocket.Conn
	raw    net.Conn        // below it
	kernel syscall.RawConn // of TCP below that; nil: not known
	names  []string
	until  time.Time     // of read
	texts  chan []byte   // from receive to read; closed when receive has ended
	ended  chan struct{} // closed when nobody reads texts any more
	once   sync.Once     // closes ended
}

func newSocketCarrier(ep *Endpoint, conn *websocket.Conn, raw net.Conn, names []string) *socketCarrier {
	conn.SetReadLimit(int64(max(ep.config.MaxMessage, wire.MaxPacketSize)))
	c := &socketCarrier{
		conn: conn, raw: raw, names: names, texts: make(chan []byte, socketTexts), ended: make(chan struct{}),
	}
	if secure, ok := raw.(*tls.Conn); ok {
		raw = secure.NetConn()
	}
	if plain, ok := raw.(syscall.Conn); ok { // a *net.TCPConn, or what has one
		c.kernel, _ = plain.SyscallConn() // nil if it fails
	}
	return c
}

func (c *socketCarrier) read(limit int) (wire.Message, error) {
	var late <-chan time.Time
	if !c.until.IsZero() {
		timer := time.NewTimer(time.Until(c.until))
		defer timer.Stop()
		late = timer.C
	}
	select {
	case text, ok := <-c.texts:
		if !ok {
			return nil, io.EOF
		}
		if len(text) > limit {
			return nil, errTextLong
		}
		return wire.ParseMessage(text)
	case <-late:
		return nil, os.ErrDeadlineExceeded
	}
}

func (c *socketCarrier) readUntil(t time.Time) { c.until = t }

func (c *socketCarrier) write(m wire.Message) error {
	p, err := wire.AppendMessage(nil, m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
	defer cancel()
	return c.conn.Write(ctx, websocket.MessageText, p[4:]) // without the length
}

// finish does not wait: closing a WebSocket waits for the peer.
func (c *socketCarrier) finish() <-chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}

// ready waits while the kernel has much that it cannot send yet: that would be seconds of a few talkers'
// media.
func (c *socketCarrier) ready() {
	poll := unsentPoll
	for c.kernel != nil && unsent(c.kernel) > unsentReady {
		time.Sleep(poll)
		poll = min(2*poll, unsentPollMost)
	}
}

func (c *socketCarrier) send(p []byte) error {
	return c.conn.Write(context.Background(), websocket.MessageBinary, p)
}

func (c *socketCarrier) receive(accept func(packet []byte)) {
	defer close(c.texts)
	var buf bytes.Buffer
	for {
		kind, r, err := c.conn.Reader(context.Background())
		if err != nil {
			return
		}
		buf.Reset()
		if _, err := buf.ReadFrom(r); err != nil {
			return
		}
		if kind == websocket.MessageBinary {
			accept(buf.Bytes())
			continue
		}
		select {
		case c.texts <- bytes.Clone(buf.Bytes()):
		case <-c.ended:
			return
		}
	}
}

func (c *socketCarrier) bindings() []string { return c.names }

func (c *socketCarrier) close(reason string) {
	c.once.Do(func() { close(c.ended) })
	c.conn.Close(websocket.StatusNormalClosure, reason)
}

// abort closes what is below: the WebSocket itself would wait for whoever closes it already.
func (c *socketCarrier) abort() { c.raw.Close() }
