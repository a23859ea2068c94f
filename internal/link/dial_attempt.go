package link

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// attempt is one connection to the relay, from its handshake on.
type attempt struct {
	ep      *Endpoint
	conn    *quic.Conn
	stream  *quic.Stream
	keys    exported
	local   wire.ConnID
	relay   identity.PublicKey
	remote  netip.AddrPort
	welcome *wire.Welcome
	joined  *wire.Joined
	isLine  bool              // the relay has answered Line
	answers chan wire.Message // cap 1; to Request

	// losers are the attempts that lost the race to this one and had said Hello: until the relay hears from
	// this one, it may send with their keys.
	losers []*attempt
	said   bool // Hello

	goodbye *wire.Goodbye // that the relay sent, or nil; valid once read has returned

	mu      sync.Mutex // guards what follows
	unasked int        // answers to come that nobody waits for any more
}

// try makes one attempt: handshake, Hello and Join in one flight, Welcome and Joined (a line says Available
// and is answered Line; a peer says Hello only and is welcomed only). With an error it returns an attempt
// that is to be aborted or kept as a loser, or nil.
func (c *Client) try(ctx context.Context, trip *roundTrip) (*attempt, error) {
	remote, err := c.config.Resolve(ctx)
	if err != nil {
		return nil, err
	}
	if c.config.Peer {
		c.ep.known.addPeer(remote.Addr(), time.Now())
	}
	t := &attempt{ep: c.ep, remote: remote, local: c.ep.reserve(), answers: make(chan wire.Message, 1)}
	return t, t.handshake(ctx, c, trip)
}

func (t *attempt) handshake(ctx context.Context, c *Client, trip *roundTrip) error {
	var refused error // by CheckRelay: TLS does not pass the error through
	config := clientTLS(c.config.ServerName, func(key identity.PublicKey) error {
		refused = c.config.CheckRelay(key)
		return refused
	})
	if c.config.Peer {
		config.ServerName, config.Certificates = PeerServerName, []tls.Certificate{t.ep.cert}
	}
	if c.config.Probe {
		config.ServerName = ProbeServerName
	}
	quicConfig := quicConfig()
	quicConfig.Tracer = trip.tracer(func(trip time.Duration) {
		t.ep.repeats.begin(t.remote, trip, time.Now())
	})
	conn, err := t.ep.transport.Dial(ctx, net.UDPAddrFromAddrPort(t.remote), config, quicConfig)
	if err != nil {
		if refused != nil {
			return &FinalError{refused}
		}
		return err
	}
	t.conn = conn
	state := conn.ConnectionState().TLS
	if t.relay, err = shownKey(state); err != nil {
		return err
	}
	if t.keys, err = export(state); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { conn.CloseWithError(quicEnded, "") })
	defer stop()
	if t.stream, err = t.conn.OpenStreamSync(ctx); err == nil {
		err = t.sendFlight(c)
	}
	if err == nil {
		err = t.readFlight(&c.config)
	}
	if c.config.Peer {
		err = refusedPeer(err)
	}
	return err
}

// sendFlight writes Hello, and Join or Available but for a peer.
func (t *attempt) sendFlight(c *Client) error {
	request, err := t.request(c)
	if err != nil {
		return &FinalError{err}
	}
	hello := &wire.Hello{Name: c.config.Name, Client: t.ep.config.Version, Session: c.id, ConnID: t.local}
	hello.Sign(cmp.Or(c.config.Identity, t.ep.config.Identity), t.keys.hello, t.relay)
	flight, err := wire.AppendMessage(nil, hello)
	if err == nil && request != nil {
		flight, err = wire.AppendMessage(flight, request)
	}
	if err != nil {
		return &FinalError{err}
	}
	t.stream.SetWriteDeadline(time.Now().Add(handshakeTimeout))
	t.said = true
	_, err = t.stream.Write(flight)
	return err
}

// request returns what follows the Hello; nil: nothing does.
func (t *attempt) request(c *Client) (wire.Message, error) {
	switch {
	case c.config.Peer, c.config.Probe:
		return nil, nil
	case c.config.Line != nil:
		return c.config.Line(t.relay)
	}
	c.joinOnce.Do(func() { c.join, c.joinErr = c.config.Join(t.relay) })
	return c.join, c.joinErr
}

// readFlight reads Welcome, and Joined or Line, which a peer does not get.
func (t *attempt) readFlight(config *ClientConfig) error {
	t.stream.SetReadDeadline(time.Now().Add(handshakeTimeout))
	defer t.stream.SetReadDeadline(time.Time{})
	for t.welcome == nil || !t.answered(config) {
		m, err := wire.ReadMessage(t.stream)
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case *wire.Welcome:
			t.welcome = m
		case *wire.Joined:
			t.joined = m
		case *wire.Line:
			t.isLine = true
		case *wire.Refused:
			return m
		case *wire.Goodbye:
			return m
		}
		if t.welcome == nil && (t.joined != nil || t.isLine) {
			return &wire.FormatError{What: wire.MessageName(m), Err: wire.ErrInvalid,
				Detail: "comes after Welcome"}
		}
	}
	return nil
}

// answered reports whether the relay has answered what followed the Hello.
func (t *attempt) answered(config *ClientConfig) bool {
	switch {
	case config.Peer, config.Probe:
		return true
	case config.Line != nil:
		return t.isLine
	}
	return t.joined != nil
}

// read passes what the relay answers to Request until the connection ends.
func (t *attempt) read() error {
	for {
		m, err := wire.ReadMessage(t.stream)
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case *wire.UnknownMessage:
		case *wire.Goodbye:
			t.goodbye = m
		default:
			t.answer(m)
		}
	}
}

// answer gives an answer to the Request that it belongs to: they come in the order of the requests.
func (t *attempt) answer(m wire.Message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.unasked > 0 {
		t.unasked--
		return
	}
	select {
	case t.answers <- m:
	default: // nobody asked
	}
}

// giveUp notes that the answer to the last request is not waited for any more.
func (t *attempt) giveUp() {
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-t.answers: // it has just come
	default:
		t.unasked++
	}
}

// lost is why the connection of an attempt ends that did not win.
const lost = "another attempt won"

// abort forgets an attempt that did not win, and what lost to it.
func (t *attempt) abort() {
	t.ep.release(t.local)
	t.close(lost)
	for _, l := range t.losers {
		t.ep.release(l.local)
	}
}

// close ends the connection.
func (t *attempt) close(why string) {
	if t.conn != nil {
		t.conn.CloseWithError(quicEnded, why)
	}
}
