package link

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/webtransport-go"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/udp"
	"github.com/wzp-voice/wzp/internal/wire"
)

// WebConfig says which browsers may attach (docs/protocol.md, section 8). No function may be nil.
type WebConfig struct {
	// CheckOrigin is asked about each request for WebTransport and WebSocket.
	CheckOrigin func(r *http.Request) bool
	// Names returns what a browser that asks for a WebSocket may call the relay, "host:port" in lower case:
	// it signs the one that it opened, and others are refused. What the request says is RequestNames.
	Names func(r *http.Request) []string
	// Trouble is told of requests for a WebSocket that came to nothing because of what is between browser and
	// relay. Anybody can cause it.
	Trouble func(r *http.Request, what WebTrouble)
}

// WebTrouble is what a proxy, or the lack of a setting for it, did to a request for a WebSocket.
type WebTrouble int

const (
	// TroubleUpgrade says that the header fields that ask for a WebSocket were taken away.
	TroubleUpgrade WebTrouble = iota
	// TroubleName says that the Hello is signed for none of the names that the relay has.
	TroubleName
)

// closeGrace is how long a browser's connection that ends has for what it was still to be told.
const closeGrace = time.Second

// webServer is the part of an Endpoint that browsers attach to.
//
//	QUIC, ALPN h3 ── serveQUIC ── ServeHTTP: CONNECT /wt ──+
//	                                                       +──> webConn: Hello, control messages, packets
//	an http.Server ── Endpoint.ServeWebSocket ─────────────+
type webServer struct {
	ep           *Endpoint
	config       WebConfig
	certificates webCertificates
	transport    *webtransport.Server
	// pending are WebSockets before a valid Hello: apart from QUIC's, so that they do not keep native clients
	// out.
	pending *handshakes

	wg sync.WaitGroup // of each webConn's serve

	mu     sync.Mutex // guards what follows; no other lock is taken under it
	conns  map[*webConn]struct{}
	closed bool
}

func newWebServer(ep *Endpoint, config *WebConfig) (*webServer, error) {
	web := &webServer{ep: ep, config: *config, conns: make(map[*webConn]struct{})}
	web.pending = newHandshakes(ep.config.MaxHandshakes, ep.known, ep.log)
	web.transport = &webtransport.Server{
		H3:          &http3.Server{Handler: web, MaxHeaderBytes: maxWebHeader},
		CheckOrigin: func(*http.Request) bool { return true }, // ServeHTTP has asked
	}
	_, err := web.certificates.at(time.Now())
	return web, err
}

// WebCertificates returns the certificates that browsers may be shown by WebTransport, newest first; nil
// without Config.Web.
func (ep *Endpoint) WebCertificates() []WebCertificate {
	if ep.web == nil {
		return nil
	}
	made, err := ep.web.certificates.at(time.Now())
	if err != nil {
		ep.log.Warn("cannot make a certificate for browsers", "err", err)
		return nil
	}
	return made
}

// add counts a connection until remove. It reports false when the endpoint is closing.
func (web *webServer) add(w *webConn) bool {
	web.mu.Lock()
	defer web.mu.Unlock()
	if !web.closed {
		web.conns[w] = struct{}{}
		web.wg.Add(1)
	}
	return !web.closed
}

func (web *webServer) remove(w *webConn) {
	web.mu.Lock()
	delete(web.conns, w)
	web.mu.Unlock()
	web.wg.Done()
}

// open returns how many connections there are.
func (web *webServer) open() int {
	web.mu.Lock()
	defer web.mu.Unlock()
	return len(web.conns)
}

// close ends all connections, after what they were still to be told, and waits for them.
func (web *webServer) close() {
	web.mu.Lock()
	web.closed = true
	conns := slices.Collect(maps.Keys(web.conns))
	web.mu.Unlock()
	for _, w := range conns {
		w.CloseWithError(quicEnded, "shutting down")
	}
	web.wg.Wait()
	web.transport.Close()
}

// webCarrier is one connection of a browser: a session of WebTransport, or a WebSocket.
type webCarrier interface {
	controlChannel
	// ready waits until the network takes a packet, as far as that can be known, so that those that wait
	// meanwhile can still be dropped.
	ready()
	// send sends one packet. It may wait for the network, too.
	send(packet []byte) error
	// receive calls accept with each packet until the connection ends. accept keeps nothing of it.
	receive(accept func(packet []byte))
	// bindings returns what a Hello on this connection may be bound to.
	bindings() []string
	// close ends the connection in good order; it may wait for the network.
	close(reason string)
	// abort ends it at once, and all other calls with it.
	abort()
}

// webConn is a webCarrier with what this side does with it: three goroutines, which all end with it.
//
//	control messages ── serve ──> Endpoint.serve
//	packets ── receivePackets ──> Session.receive
//	Session.transmit ──> queue ── sendPackets ──> packets
type webConn struct {
	queue          webQueue // first: a fan-out looks for it
	controlChannel          // the carrier's
	carrier        webCarrier
	ep             *Endpoint
	remote         netip.Addr
	proved         func() // to be called once the Hello was valid
	unknown        func() // to be called if it was signed for another binding

	greeting   *wire.Greeting
	signed     [32]byte         // what the Hello signed
	attachment chan *attachment // cap 1: what receivePackets waits for

	closing sync.Once
	reason  string      // why it ends; valid once queue is closed
	force   *time.Timer // aborts it if it does not end in time; valid once queue is closed
}

func newWebConn(
	ep *Endpoint, carrier webCarrier, remote netip.Addr, patience time.Duration, proved func(),
) *webConn {
	w := &webConn{
		controlChannel: carrier, carrier: carrier, ep: ep, remote: remote, proved: proved, unknown: func() {},
		greeting: &wire.Greeting{Relay: ep.config.Identity.Public()}, attachment: make(chan *attachment, 1),
	}
	w.queue.init(patience)
	return w
}

// CloseWithError ends the connection when what waits in its queue has been sent, or after closeGrace. It does
// not wait for that.
func (w *webConn) CloseWithError(_ quic.ApplicationErrorCode, reason string) error {
	w.closing.Do(func() {
		w.reason = reason
		w.force = time.AfterFunc(closeGrace, w.carrier.abort)
		w.queue.close()
	})
	return nil
}

// serve greets the browser and handles the connection until it ends.
func (w *webConn) serve() {
	if !w.ep.web.add(w) {
		w.carrier.abort()
		return
	}
	defer w.ep.web.remove(w)
	var wg sync.WaitGroup
	wg.Go(w.sendPackets)
	wg.Go(w.receivePackets)
	rand.Read(w.greeting.Challenge[:])
	if err := w.write(w.greeting); err != nil {
		w.ep.refuseHello(w, w.remote, err)
	} else {
		w.ep.serve(w, w.remote)
	}
	w.CloseWithError(quicEnded, "")
	wg.Wait()
	w.force.Stop()
}

// verify implements newcomer: the Hello has to be signed for one of the connection's bindings.
func (w *webConn) verify(hello *wire.Hello) (purpose, error) {
	for _, binding := range w.carrier.bindings() {
		w.signed = wire.WebHelloValue(w.greeting.Challenge, []byte(binding))
		if hello.Verify(w.signed[:], w.greeting.Relay) {
			w.proved()
			return forClient, nil
		}
	}
	w.unknown()
	return forClient, &wire.Refused{
		Code:   wire.CodeSignature,
		Reason: "the browser has another name or certificate for this relay than it knows",
	}
}

// attach implements newcomer.
func (w *webConn) attach(s *Session, _ *wire.Hello, now time.Time) *attachment {
	a := &attachment{session: s, web: w, conn: w}
	if !s.install(a, nil, udp.Path{}, now) {
		return nil
	}
	w.ep.webAttached.Add(1)
	w.attachment <- a
	return a
}

// complete implements newcomer. A browser has no use for an id, but there has to be one.
func (w *webConn) complete(welcome *wire.Welcome, hello *wire.Hello) {
	welcome.ConnID = 1
	welcome.SignWeb(w.ep.config.Identity, w.signed, hello)
}

// receivePackets handles packets until the connection ends. Those before the Hello are dropped.
func (w *webConn) receivePackets() {
	var a *attachment
	w.carrier.receive(func(p []byte) {
		if a == nil {
			select {
			case a = <-w.attachment:
			default:
				return
			}
		}
		w.ep.WithTx(func(tx *Tx) { w.received(tx, a, p) })
	})
}

// received handles a packet, which the connection has authenticated.
func (w *webConn) received(tx *Tx, a *attachment, p []byte) {
	low, frames, err := wire.ParseWebPacket(p)
	if err != nil {
		w.ep.drops.Add(drops.BadHeader, 1)
		return
	}
	a.session.receive(tx, a, low, 32, p, len(p)-len(frames), udp.Path{})
}

// sendPackets sends what is in the queue until it is closed and empty, or the connection ends; then it ends
// that.
func (w *webConn) sendPackets() {
	buf := make([]byte, 0, wire.MaxPacketSize)
	for {
		w.carrier.ready()
		p, stale, over := w.queue.pop(buf, time.Since(w.ep.start))
		w.ep.drops.Add(drops.BrowserLate, int(stale))
		if over {
			break
		}
		if p == nil {
			<-w.queue.ready
			continue
		}
		err := w.carrier.send(p)
		if errors.As(err, new(*quic.DatagramTooLargeError)) {
			w.ep.drops.Add(drops.BrowserSize, 1)
		} else if err != nil {
			w.CloseWithError(quicEnded, "")
			break
		}
	}
	w.carrier.close(w.reason)
}

// refuseDatagrams ends a connection that is no browser's and sends datagrams: they would fill memory, and the
// endpoint allows them for the browsers' sake.
func refuseDatagrams(conn *quic.Conn) {
	if _, err := conn.ReceiveDatagram(context.Background()); err == nil {
		conn.CloseWithError(quicRefused, "datagrams are for browsers")
	}
}
