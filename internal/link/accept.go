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

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/seal"
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
	ln, err := ep.transport.Listen(ep.serverTLS(h3), config)
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
				} else {
					ep.serve(conn)
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

// proved notes that the connection's Hello was valid.
func (ep *Endpoint) proved(conn *quic.Conn) { handshakeOf(conn).leave() }

// serve handles one accepted connection until it ends.
func (ep *Endpoint) serve(conn *quic.Conn) {
	if ep.web != nil {
		ep.background(func() { refuseDatagrams(conn) })
	}
	a, stream, err := ep.hello(conn)
	if err != nil {
		ep.drops.Add(drops.Hello, 1)
		ep.log.Debug("refused a connection", "remote", conn.RemoteAddr(), "err", err)
		var refused *wire.Refused
		if stream != nil && errors.As(err, &refused) {
			ep.refuse(&streamChannel{stream, conn.Context()}, refused)
		}
		conn.CloseWithError(quicRefused, "")
		return
	}
	ep.control(&streamChannel{stream, conn.Context()}, a)
	ep.served(a)
	conn.CloseWithError(quicEnded, "")
}

// served notes that an accepted connection has ended, and with it a session that was never used.
func (ep *Endpoint) served(a *attachment) {
	s := a.session
	s.detach(a)
	s.mu.Lock()
	unused := s.unusedLocked()
	s.mu.Unlock()
	if unused {
		ep.WithTx(func(tx *Tx) { s.end(tx, wire.CloseLost, false) })
	}
}

// hello reads and checks the Hello of a new connection, attaches it to its session, old or new, and
// answers. The error is a *wire.Refused if the client should be told.
func (ep *Endpoint) hello(conn *quic.Conn) (*attachment, *quic.Stream, error) {
	deadline := handshakeOf(conn).start.Add(handshakeTimeout)
	ctx, cancel := context.WithDeadline(ep.ctx, deadline)
	defer cancel()
	stream, err := conn.AcceptStream(ctx)
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	if !ep.helloRate.allow(addrPort(conn.RemoteAddr()).Addr(), now) {
		return nil, stream, &wire.Refused{Code: wire.CodeRate}
	}
	stream.SetReadDeadline(deadline)
	m, err := wire.ReadMessageUpTo(stream, ep.config.MaxMessage)
	if err != nil {
		return nil, stream, refusedFor(err)
	}
	hello, ok := m.(*wire.Hello)
	if !ok {
		return nil, stream, &wire.Refused{Code: wire.CodeProtocol, Reason: "the first message is Hello"}
	}
	state := conn.ConnectionState().TLS
	keys, err := export(state)
	if err != nil {
		return nil, stream, err
	}
	if !hello.Verify(keys.hello, ep.config.Identity.Public()) {
		return nil, stream, &wire.Refused{Code: wire.CodeSignature}
	}
	peer, err := peerHello(state, hello)
	if err != nil {
		return nil, stream, err
	}
	ep.proved(conn)
	a, err := ep.attach(conn, hello, peer, &keys, now)
	if err != nil {
		return nil, stream, err
	}
	welcome := &wire.Welcome{
		ConnID:      a.local,
		ResetToken:  a.reset,
		Incarnation: a.session.incarnation,
		Relay:       ep.config.Version,
	}
	if err := writeMessage(stream, welcome); err != nil {
		ep.served(a)
		return nil, nil, err
	}
	return a, stream, nil
}

// refusedFor is what a client is told whose message could not be read.
func refusedFor(err error) error {
	if f := new(wire.FormatError); errors.As(err, &f) {
		return &wire.Refused{Code: wire.CodeOf(err), Reason: f.What}
	}
	return err
}

// attach adds the connection to the session that hello names.
func (ep *Endpoint) attach(conn *quic.Conn, hello *wire.Hello, peer bool, keys *exported, now time.Time) (*attachment, error) {
	remote := addrPort(conn.RemoteAddr())
	s, err := ep.sessionFor(hello, remote.Addr(), peer)
	if err != nil {
		return nil, err
	}
	a := &attachment{session: s, local: ep.reserve(), remote: hello.ConnID, conn: conn}
	a.reset = ep.resetKey.Token(uint32(a.local))
	if peer {
		ep.known.addPeer(remote.Addr(), now)
	}
	if !s.install(a, keys, udp.Path{Peer: remote}, now) {
		ep.forget(s, nil) // it may have ended before it was in the tables
		return nil, &wire.Refused{Code: wire.CodeShuttingDown}
	}
	s.measured(conn.ConnectionStats().MinRTT)
	return a, nil
}

// sessionFor returns the session that hello, which is proved, names. If there is none it makes one; peer: a peer
// link. Who may open the one kind gets no further on the other by it: a session stays what it was made as.
func (ep *Endpoint) sessionFor(hello *wire.Hello, remote netip.Addr, peer bool) (*Session, error) {
	if peer {
		defer ep.ask(hello.Session)()
	}
	ep.mu.RLock()
	s := ep.sessions[hello.Session]
	ep.mu.RUnlock()
	if s == nil {
		fresh := ep.newSession(nil, hello.Session, hello.Identity)
		if fresh.aliases.limit = clientAliases; peer {
			fresh.ofPeer()
		}
		fresh.name, fresh.remote = hello.Name, remote
		rand.Read(fresh.incarnation[:])
		if refused := ep.accepts(fresh, remote); refused != nil {
			return nil, refused
		}
		if s = ep.add(fresh); s != fresh {
			// Another connection of the same client was faster.
			fresh.accepted.Ended(fresh, wire.CloseReplaced)
		}
	}
	if s == nil || s.identity != hello.Identity || s.peer != peer {
		return nil, &wire.Refused{Code: wire.CodeSignature}
	}
	return s, nil
}

// ask waits until no other connection of a peer link is being accepted, and makes this one the one that is, until done is
// called: of several that come at once, one asks AcceptPeer.
func (ep *Endpoint) ask(session [16]byte) (done func()) {
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
	ep.all[s] = struct{}{}
	return s
}

func (ep *Endpoint) newSession(h Handler, id [16]byte, key identity.PublicKey) *Session {
	s := &Session{ep: ep, handler: h, id: id, identity: key}
	s.aliases.limit = wire.MaxAliases
	s.recv.authenticAt = time.Now()
	return s
}

// install makes a new attachment part of the session. It reports false when the session is over.
func (s *Session) install(a *attachment, keys *exported, path udp.Path, now time.Time) bool {
	send, receive := keys.secrets(s.client != nil)
	a.sealer = seal.NewSealer(send, s.counter.Load())
	s.mu.Lock()
	a.opener = seal.NewOpener(receive, s.recv.window.Next())
	ended := s.ended
	var dropped *attachment
	if !ended {
		dropped = s.attachLocked(a, now)
		if s.urgentOut.size() > 0 { // messages that were given to it before it could send
			s.stir()
		}
		if s.client != nil || s.out.Load() == nil || s.recv.received == 0 {
			s.setOutLocked(a)
		}
		if s.client != nil {
			s.retireLocked(a, now)
		}
		// The handshake proved this address.
		s.roaming = roaming{current: path}
		s.setPathLocked(path)
	}
	s.mu.Unlock()
	s.ep.bind(a, !ended)
	if dropped != nil {
		s.drop(dropped)
	}
	return !ended
}

// keep makes attempts that lost attachments that only receive, for as long as any that was superseded.
func (s *Session) keep(losers []*attempt, now time.Time) {
	var gone []*attachment
	for _, t := range losers {
		_, receive := t.keys.secrets(true)
		a := &attachment{session: s, local: t.local, retired: now}
		s.mu.Lock()
		a.opener = seal.NewOpener(receive, s.recv.window.Next())
		ended := s.ended
		if !ended {
			if dropped := s.attachLocked(a, now); dropped != nil {
				gone = append(gone, dropped)
			}
		}
		s.mu.Unlock()
		s.ep.bind(a, !ended)
	}
	s.drop(gone...)
}

// bind makes packets with the attachment's id reach it, or gives the id back.
func (ep *Endpoint) bind(a *attachment, use bool) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if use {
		ep.conns[a.local] = a
	} else {
		delete(ep.conns, a.local)
	}
}

// detach notes that an attachment's connection is gone. Its keys stay while they are in use; a browser's packets
// cannot go that way any more.
func (s *Session) detach(a *attachment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.conn = nil
	if a.ofBrowser() && s.out.Load() == a {
		s.setOutLocked(s.usableLocked())
	}
	if s.out.Load() != a && a.retired.IsZero() {
		a.retired = time.Now()
	}
}

// unusedLocked reports whether no sealed packet ever came and no connection is left on which the client could have
// heard of the session: it was an attempt that the client gave up. The caller holds s.mu.
func (s *Session) unusedLocked() bool {
	for _, a := range s.attachments {
		if a.conn != nil {
			return false
		}
	}
	return s.recv.received == 0 && len(s.attachments) > 0
}
