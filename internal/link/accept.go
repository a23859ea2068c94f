package link

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"net/netip"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/udp"
	"github.com/wzp-voice/wzp/internal/wire"
)

var errOverloaded = errors.New("link: too many handshakes under way")

// listen starts accepting if the endpoint has an Acceptor.
func (ep *Endpoint) listen() error {
	if ep.config.Accept == nil {
		return nil
	}
	config := quicConfig()
	var h3 *tls.Config
	if ep.web != nil {
		h3 = ep.web.configure(config)
	}
	// Early, for browsers: they wait for the settings of HTTP/3 before they ask for WebTransport, and get
	// them with the handshake, not a round trip after it. Nothing but these is said before it is complete.
	ln, err := ep.transport.ListenEarly(ep.serverTLS(h3), config)
	if err != nil {
		return err
	}
	ep.wg.Go(func() {
		for {
			conn, err := ln.Accept(ep.ctx)
			if err != nil {
				return // closed
			}
			ep.background(func() {
				if ep.web != nil && conn.ConnectionState().TLS.NegotiatedProtocol == http3.NextProtoH3 {
					ep.web.serveQUIC(conn)
					return
				}
				select {
				case <-conn.HandshakeComplete():
					ep.serveQUIC(conn)
				case <-conn.Context().Done(): // the handshake failed
				}
			})
		}
	})
	return nil
}

// handshake is a connection from its first packet until its Hello or its end, while it is counted as such.
type handshake struct {
	start time.Time
	leave func()   // counts it off; it may be called again
	web   *webQUIC // of a connection with ALPN h3
	// datagrams are those of the connection, if the endpoint takes browsers.
	datagrams *datagrams
}

type handshakeKey struct{}

// admit counts a new connection as being in its handshake, or refuses it when there are too many, or too many
// of its address. That is only held against addresses that are proved, which they have to be under load.
func (ep *Endpoint) admit(ctx context.Context, client *quic.ClientInfo) (context.Context, error) {
	h := &handshake{start: time.Now()}
	if ep.web != nil {
		h.datagrams = newDatagrams()
	}
	var addr netip.Addr
	if client.AddrVerified {
		addr = addrPort(client.RemoteAddr).Addr()
	}
	var ok bool
	if h.leave, ok = ep.pending.enter(addr, h.start); !ok {
		ep.drops.Add(drops.Handshakes, 1)
		return nil, errOverloaded
	}
	context.AfterFunc(ctx, h.leave)
	return context.WithValue(ctx, handshakeKey{}, h), nil
}

// handshakeOf returns what admit noted of a connection.
func handshakeOf(conn *quic.Conn) *handshake {
	return conn.Context().Value(handshakeKey{}).(*handshake)
}

// newcomer is a connection that has not said who it is yet: a quicNewcomer, or a browser's webConn.
type newcomer interface {
	controlChannel
	// verify checks that a Hello was signed for this connection, and says what that is for. The error is a
	// *wire.Refused if the remote should be told.
	verify(hello *wire.Hello) (purpose, error)
	// attach makes the connection an attachment of s, or returns nil if that is over.
	attach(s *Session, hello *wire.Hello, now time.Time) *attachment
	// complete adds to a Welcome what is for this kind of connection alone.
	complete(welcome *wire.Welcome, hello *wire.Hello)
}

// serve asks a connection who it is and answers it until it ends. It reports false if it was refused.
func (ep *Endpoint) serve(c newcomer, remote netip.Addr) bool {
	a, err := ep.hello(c, remote)
	if err != nil {
		ep.refuseHello(c, remote, err)
		return false
	}
	if a.ofBrowser() && a.session.stopped.Load() { // on the connection before: ask for what it takes to go on
		ep.WithTx(a.session.pingUntilAnswered)
	}
	ep.control(c, a)
	ep.served(a)
	return true
}

// refuseHello notes that a connection did not get as far as its Welcome, and tells it why if it should know.
func (ep *Endpoint) refuseHello(c controlChannel, remote netip.Addr, err error) {
	ep.drops.Add(drops.Hello, 1)
	ep.log.Debug("refused a connection", "remote", remote, "err", err)
	if refused := new(wire.Refused); errors.As(err, &refused) {
		ep.refuse(c, refused)
	}
}

// served notes that an accepted connection has ended, and with it a session of which no packet ever came and
// no connection is left on which the client could have heard of it: it was an attempt that the client gave
// up.
func (ep *Endpoint) served(a *attachment) {
	s := a.session
	s.detach(a)
	s.mu.Lock()
	unused := !s.ended && s.recv.received == 0 && !s.attachments.connected()
	s.mu.Unlock()
	if unused {
		ep.WithTx(func(tx *Tx) { s.end(tx, wire.CloseLost, false) })
	}
}

// hello reads and checks the Hello of a new connection, attaches it to its session, old or new, and
// answers. The error is a *wire.Refused if the remote should be told.
func (ep *Endpoint) hello(c newcomer, remote netip.Addr) (*attachment, error) {
	m, err := c.read(ep.config.MaxMessage)
	now := time.Now()
	// a connection that says nothing costs nothing
	said := err == nil || errors.As(err, new(*wire.FormatError))
	if said && !ep.helloRate.Allow(remote, now) {
		return nil, &wire.Refused{Code: wire.CodeRate}
	}
	if err != nil {
		return nil, refusedFor(err)
	}
	hello, ok := m.(*wire.Hello)
	if !ok {
		return nil, &wire.Refused{Code: wire.CodeProtocol, Reason: "the first message is Hello"}
	}
	what, err := c.verify(hello)
	if err != nil {
		return nil, err
	}
	s, err := ep.sessionFor(hello, remote, what)
	if err != nil {
		return nil, err
	}
	a := c.attach(s, hello, now)
	if a == nil {
		ep.forget(s) // it may have ended before it was in the tables
		return nil, &wire.Refused{Code: wire.CodeShuttingDown}
	}
	welcome := &wire.Welcome{
		ConnID: a.local, ResetToken: a.reset, Incarnation: s.incarnation, Relay: ep.config.Version,
	}
	c.complete(welcome, hello)
	if err := c.write(welcome); err != nil {
		ep.served(a)
		return nil, err
	}
	return a, nil
}

// refusedFor is what a client is told whose message could not be read.
func refusedFor(err error) error {
	if f := new(wire.FormatError); errors.As(err, &f) {
		return &wire.Refused{Code: wire.CodeOf(err), Reason: f.What}
	}
	return err
}

// quicNewcomer is a connection of a native client, or of a peer.
type quicNewcomer struct {
	streamChannel
	ep   *Endpoint
	conn *quic.Conn
	keys exported
}

// serveQUIC handles one accepted connection until it ends.
func (ep *Endpoint) serveQUIC(conn *quic.Conn) {
	if ep.web != nil {
		ep.background(func() { refuseDatagrams(conn) })
	}
	start, now := handshakeOf(conn).start, time.Now()
	ep.repeats.begin(addrPort(conn.RemoteAddr()), now.Sub(start), now)
	deadline := start.Add(handshakeTimeout)
	ctx, cancel := context.WithDeadline(ep.ctx, deadline)
	stream, err := conn.AcceptStream(ctx)
	cancel()
	remote := addrPort(conn.RemoteAddr()).Addr()
	if err != nil {
		ep.refuseHello(nil, remote, err)
		conn.CloseWithError(quicRefused, "")
		return
	}
	c := &quicNewcomer{streamChannel: streamChannel{stream, conn.Context()}, ep: ep, conn: conn}
	c.readUntil(deadline)
	if ep.serve(c, remote) {
		conn.CloseWithError(quicEnded, "")
	} else {
		conn.CloseWithError(quicRefused, "")
	}
}

func (c *quicNewcomer) verify(hello *wire.Hello) (what purpose, err error) {
	state := c.conn.ConnectionState().TLS
	if c.keys, err = export(state); err != nil {
		return what, err
	}
	if !hello.Verify(c.keys.hello, c.ep.config.Identity.Public()) {
		return what, &wire.Refused{Code: wire.CodeSignature}
	}
	if what, err = purposeOf(state, hello); err == nil {
		handshakeOf(c.conn).leave()
	}
	return what, err
}

func (c *quicNewcomer) attach(s *Session, hello *wire.Hello, now time.Time) *attachment {
	remote := addrPort(c.conn.RemoteAddr())
	a := &attachment{session: s, local: c.ep.reserve(), remote: hello.ConnID, conn: c.conn}
	a.reset = c.ep.resetKey.Token(uint32(a.local))
	if s.peer {
		c.ep.known.addPeer(remote.Addr(), now)
	}
	if !s.install(a, &c.keys, udp.Path{Remote: remote}, now) {
		return nil
	}
	if rtt := c.conn.ConnectionStats().MinRTT; rtt > 0 {
		// Who joins in the middle of a flood has a path on which it was never shorter since.
		s.mu.Lock()
		s.narrow.least.add(rtt)
		s.mu.Unlock()
	}
	return a
}

func (c *quicNewcomer) complete(*wire.Welcome, *wire.Hello) {}

// sessionFor returns the session that hello, which is proved, names. If there is none it makes one.
func (ep *Endpoint) sessionFor(hello *wire.Hello, remote netip.Addr, what purpose) (*Session, error) {
	if what == forPeer {
		defer ep.askOnce(hello.Session)()
	}
	ep.mu.RLock()
	s := ep.sessions[hello.Session]
	ep.mu.RUnlock()
	if s == nil {
		fresh := ep.newSession(nil, hello.Session, hello.Identity)
		fresh.aliases.limit = clientAliases
		switch what {
		case forPeer:
			fresh.makePeer()
		case forProbe:
			fresh.makeProbe()
		}
		fresh.remote = remote
		rand.Read(fresh.incarnation[:])
		if refused := ep.accepts(fresh, remote); refused != nil {
			return nil, refused
		}
		if s = ep.add(fresh); s != fresh {
			// Another connection of the same client was faster.
			fresh.accepted.Ended(fresh, wire.CloseReplaced)
		}
	}
	if s == nil || s.identity != hello.Identity || s.purpose() != what {
		return nil, &wire.Refused{Code: wire.CodeSignature}
	}
	return s, nil
}

// accepts asks the acceptor of its kind about a new session, and notes what handles it.
func (ep *Endpoint) accepts(s *Session, remote netip.Addr) *wire.Refused {
	var h PeerHandler
	var refused *wire.Refused
	switch s.purpose() {
	case forPeer:
		h, refused = ep.config.Peers.AcceptPeer(s)
	case forProbe:
		h, refused = ep.probes.accept(remote)
	default:
		s.requests, refused = ep.config.Accept.Accept(s, remote)
		h = s.requests
	}
	if refused != nil {
		return refused
	}
	s.mu.Lock()
	s.handler, s.accepted = h, h
	over, code := s.ended, s.code
	s.mu.Unlock()
	if over { // while the acceptor was asked
		h.Ended(s, code)
	}
	return nil
}

// askOnce waits until no other connection of a peer link is being accepted, and makes this one the one that
// is, until done is called: of several that come at once, one asks AcceptPeer.
func (ep *Endpoint) askOnce(session [16]byte) (done func()) {
	mine := make(chan struct{})
	for {
		ep.mu.Lock()
		other := ep.asking[session]
		if other == nil {
			ep.asking[session] = mine
		}
		ep.mu.Unlock()
		if other == nil {
			break
		}
		<-other
	}
	return func() {
		ep.mu.Lock()
		delete(ep.asking, session)
		ep.mu.Unlock()
		close(mine)
	}
}

// add puts an accepted session into the table, unless one with its id is there: then it returns that one. It
// returns nil when the endpoint is closed.
func (ep *Endpoint) add(s *Session) *Session {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if ep.closed {
		return nil
	}
	if old := ep.sessions[s.id]; old != nil {
		return old
	}
	ep.sessions[s.id] = s
	return s
}
