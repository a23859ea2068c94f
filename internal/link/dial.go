package link

import (
	"context"
	"crypto/rand"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/udp"
	"github.com/wzp-voice/wzp/internal/wire"
)

// ClientConfig says whom to dial, as whom, and which room to join, or that it is a line or a peer link.
type ClientConfig struct {
	Resolve    func(context.Context) (netip.AddrPort, error) // asked for every attempt
	ServerName string                                        // TLS server name
	Name       string                                        // shown to others; at most 64 bytes
	Identity   *identity.Identity                            // who dials; nil: the endpoint's. Not of a peer
	// CheckRelay is asked about the key that the relay shows, on every connection, before the relay has
	// proved that it holds it: compare it, keep nothing. Join gets the proved key.
	CheckRelay func(identity.PublicKey) error
	// Join makes the request to join, with the member entry for this relay. It is called once.
	Join func(relay identity.PublicKey) (*wire.Join, error)
	// Line, if set, opens a line instead: the session is in no room. It makes the request, for each attempt
	// anew, since records expire; attempts may ask at once. Join is not called.
	Line func(relay identity.PublicKey) (*wire.Available, error)
	// Peer dials as a relay: with the server name PeerServerName instead of ServerName, and with the
	// certificate of Config.Identity. There is nothing to join then: Join is not called.
	Peer bool
	// Probe dials with the server name ProbeServerName, to measure the way to the relay: see Session.Path.
	// Nothing is joined, and no urgent message can be sent.
	Probe bool
}

// Client keeps one session with a relay, over as many connections as it takes.
//
//	         +--- connection ended, answer overdue, reset, silence ---+
//	         v                                                        |
//	attaching (attempts race, with back-off) ── first Welcome ──> attached
//	         |                                                        |
//	         +── refused, or another relay key ──> ended <── Close ───+
type Client struct {
	ep      *Endpoint
	config  ClientConfig
	handler ClientHandler // from Start on
	id      [16]byte
	first   *attempt // that Dial made, for Start; nil after it
	said    Handshake
	wakeup  chan string // cap 1: why to attach again
	// restarted, cap 1, holds a token when the relay has shown that it is there and does not know us.
	restarted chan struct{}
	leaving   atomic.Bool // Close was called: nothing is attached any more
	done      chan struct{}
	cancel    context.CancelCauseFunc
	err       error // why it ended; valid after done

	joinOnce sync.Once
	join     *wire.Join
	joinErr  error

	requests sync.Mutex // held by the one Request under way

	mu      sync.Mutex // guards what follows
	session *Session
	current *attempt // the attachment in use
	changed chan struct{}
}

// Why a client attaches again; these are shown to people.
const (
	causeShutdown = "the relay is shutting down"
	causeReset    = "the relay was restarted"
	causeSilence  = "nothing is heard from the relay"
	causeOverdue  = "the relay does not answer"
	causeEnded    = "the connection ended"
)

const (
	answerTime = 2 * time.Second
	leaveTime  = time.Second
)

// ErrClosed is returned once the client has left.
var ErrClosed = errors.New("link: the client has left")

// Dial attaches to a relay, and joins or opens a line. It returns when the relay has welcomed the client,
// when the relay refused it (*wire.Refused, or ErrPeerRefused), when CheckRelay did, or when ctx is done or
// the endpoint closed; failures that may pass are tried again until then. What the relay said is in
// Handshake; nothing else is received before Start, and the relay sends it again.
func (ep *Endpoint) Dial(ctx context.Context, config ClientConfig) (*Client, error) {
	c := &Client{
		ep: ep, config: config, wakeup: make(chan string, 1), restarted: make(chan struct{}, 1),
		done: make(chan struct{}), changed: make(chan struct{}),
	}
	rand.Read(c.id[:])
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(ep.ctx, func() { cancel(ErrClosed) })()
	var err error
	if c.first, err = c.attach(ctx); err != nil {
		return nil, err
	}
	c.said = Handshake{c.first.relay, c.first.welcome.Relay, c.join, c.first.joined}
	return c, nil
}

// Handshake is what was said when the client joined.
type Handshake struct {
	Relay   identity.PublicKey // whom the client is attached to, proved
	Version string             // what it says that it runs; of a stranger it may be anything
	Join    *wire.Join         // what was asked; nil of a line and of a peer link
	Joined  *wire.Joined       // what the relay answered; nil of a line and of a peer link
}

// Handshake returns what was said in Dial.
func (c *Client) Handshake() Handshake { return c.said }

// Start opens the session. It is called once, after Dial. The client lives until Close, or until a refusal:
// see Done.
func (c *Client) Start(h ClientHandler) {
	c.handler = h
	var ctx context.Context
	ctx, c.cancel = context.WithCancelCause(c.ep.ctx)
	c.install(c.first)
	c.first = nil // it can be replaced
	if !c.ep.background(func() {
		defer close(c.done)
		c.err = c.run(ctx)
	}) {
		c.err = ErrClosed
		close(c.done)
	}
}

// Done is closed when the client has ended for good; Err then says why.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err returns why the client ended, ErrClosed after Close.
func (c *Client) Err() error {
	<-c.done
	return c.err
}

// Session returns the session of now. After a relay was restarted it is another one.
func (c *Client) Session() *Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session
}

// Close leaves: the relay is told until it acknowledges that and what was sent before, for at most leaveTime.
// Not before Start.
func (c *Client) Close() error {
	if c.leaving.Swap(true) {
		<-c.done
		return nil
	}
	told := make(chan struct{})
	if c.Session().SendLast(wire.UrgentLeave, func(bool) { close(told) }) == nil {
		select {
		case <-told:
		case <-time.After(leaveTime):
		}
	}
	c.cancel(ErrClosed)
	<-c.done
	c.Session().End(wire.CloseLeft)
	return nil
}

// sessionEnded notes the end of the session, by this side or the other. What the relay does not mean
// for good is no end for the client: it attaches again.
func (c *Client) sessionEnded(s *Session, code wire.CloseCode, ours bool) {
	switch {
	case s != c.Session():
	case ours:
		c.cancel(ErrClosed)
	case code == wire.CloseRefused:
		c.cancel(&wire.Refused{Code: wire.CodeProtocol})
	case code == wire.CloseReplaced:
		c.cancel(&wire.Goodbye{Code: wire.CodeReplaced})
	case code == wire.CloseShuttingDown:
		c.reattach(causeShutdown)
	default:
		c.reattach(causeSilence)
	}
}

// reattach makes the client attach again, unless it is doing so or leaves.
func (c *Client) reattach(cause string) {
	if c.leaving.Load() {
		return
	}
	select {
	case c.wakeup <- cause:
	default:
	}
}

// run keeps the client attached until ctx is done or the relay refuses it.
func (c *Client) run(ctx context.Context) error {
	defer func() {
		c.mu.Lock()
		current := c.current
		c.mu.Unlock()
		current.close("left")
	}()
	for {
		var cause string
		select {
		case <-ctx.Done():
			return ended(ctx)
		case cause = <-c.wakeup:
		}
		c.handler.Detached(cause)
		next, err := c.attach(ctx)
		if ctx.Err() != nil {
			err = ended(ctx)
		}
		if err != nil {
			if next != nil {
				next.abort()
			}
			c.Session().End(wire.CloseRefused)
			return err
		}
		fresh := c.install(next)
		c.handler.Attached(next.joined, fresh)
	}
}

// ended returns why ctx, of a client, is done.
func ended(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return ErrClosed // the endpoint was closed
}

// sessionFor returns the session that a welcomed attempt is for: the client's, or a fresh one if the relay
// knew nothing of that.
func (c *Client) sessionFor(next *attempt) (s *Session, fresh bool) {
	s = c.Session()
	if s != nil && !s.Over() && s.incarnation == next.welcome.Incarnation {
		return s, false
	}
	s = c.ep.newSession(nil, c.id, next.relay)
	switch {
	case c.config.Peer:
		s.makePeer()
	case c.config.Probe:
		s.makeProbe()
		s.trips = new(trips)
	}
	s.client, s.incarnation = c, next.welcome.Incarnation
	s.remote = next.remote.Addr()
	s.handler = c.handler.Opened(s)
	return s, true
}

// install makes a welcomed attempt the one in use, and its session the client's.
func (c *Client) install(next *attempt) (fresh bool) {
	s, fresh := c.sessionFor(next)
	c.mu.Lock()
	old, previous := c.current, c.session
	c.session, c.current = s, next
	close(c.changed)
	c.changed = make(chan struct{})
	c.mu.Unlock()

	if fresh {
		if previous != nil { // the relay has forgotten it
			c.ep.WithTx(func(tx *Tx) { previous.end(tx, wire.CloseLost, false) })
		}
		c.ep.mu.Lock()
		c.ep.dialled[s] = struct{}{}
		c.ep.mu.Unlock()
	}
	now := time.Now()
	a := &attachment{
		session: s, local: next.local, remote: next.welcome.ConnID, reset: next.welcome.ResetToken,
		conn: next.conn,
	}
	installed := s.install(a, &next.keys, udp.Path{Remote: next.remote}, now)
	for _, t := range next.losers {
		s.install(&attachment{session: s, local: t.local, retired: now}, &t.keys, udp.Path{}, now)
	}
	c.ep.WithTx(s.pingUntilAnswered) // so that the relay takes this attachment's keys
	drain(c.wakeup)                  // what was wrong before
	drain(c.restarted)
	if !installed { // the session has just ended, maybe before it was in the tables
		c.ep.forget(s)
		c.reattach(causeSilence)
	}
	if old != nil {
		c.ep.background(func() { old.close("replaced") })
	}
	c.ep.background(func() {
		err := next.read()
		s.detach(a)
		c.lost(next, err)
	})
	return fresh
}

// lost notes that a connection has ended, and attaches again if it was the one in use.
func (c *Client) lost(t *attempt, err error) {
	c.mu.Lock()
	current := c.current
	c.mu.Unlock()
	if current != t {
		return
	}
	c.ep.log.Debug("control connection ended", "err", err)
	switch bye := t.goodbye; {
	case bye == nil && saysShutdown(err):
		c.reattach(causeShutdown)
	case bye == nil:
		c.reattach(causeEnded)
	case bye.Code == wire.CodeReplaced:
		c.cancel(bye)
	default:
		c.reattach(bye.Error())
	}
}

// saysShutdown reports whether a connection was closed because the relay shuts down: by it, which may be seen
// before the sealed packets that say so, or by us because of these, which may be seen before sessionEnded.
func saysShutdown(err error) bool {
	var closed *quic.ApplicationError
	return errors.As(err, &closed) && closed.ErrorCode == quicEnded &&
		closed.ErrorMessage == wire.CloseShuttingDown.String()
}

// Request sends a control message and returns the answer. When that is overdue the client attaches again,
// and the message is sent again, until ctx is done. On a peer link, and
// on a probe link, it fails with ErrPeerRequest.
func (c *Client) Request(ctx context.Context, m wire.Message) (wire.Message, error) {
	if c.config.Peer || c.config.Probe {
		return nil, ErrPeerRequest
	}
	c.requests.Lock()
	defer c.requests.Unlock()
	for {
		c.mu.Lock()
		t, changed := c.current, c.changed
		c.mu.Unlock()
		if err := writeMessage(t.stream, m); err == nil {
			switch answer := c.await(ctx, t, changed).(type) {
			case nil:
			case *wire.Refused:
				return nil, answer
			default:
				return answer, nil
			}
		} else if errors.As(err, new(*wire.FormatError)) {
			return nil, err
		} else {
			c.reattach(causeEnded)
		}
		select {
		case <-changed:
		case <-c.done:
			return nil, c.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// await returns the answer to what was sent on t, or nil if t is not in use any more or ctx is done.
func (c *Client) await(ctx context.Context, t *attempt, changed <-chan struct{}) wire.Message {
	overdue := time.NewTimer(max(answerTime, 4*c.Session().Quality().RTT))
	defer overdue.Stop()
	for {
		select {
		case answer := <-t.answers:
			return answer
		case <-overdue.C: // it may still come, before another connection is there
			c.reattach(causeOverdue)
		case <-ctx.Done():
			t.giveUp()
			return nil
		case <-changed:
			return nil
		case <-c.done:
			return nil
		}
	}
}
