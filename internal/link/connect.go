package link

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/udp"
	"github.com/wzp-voice/wzp/wire"
)

// ClientHandler is the Handler of a dialled session.
type ClientHandler interface {
	Handler
	// Attached says that the relay has welcomed the client: the first time, or again after the
	// connection or the relay was lost. fresh: the relay knew nothing of the session, so aliases and
	// urgent messages start from zero, on s, which takes the place of any earlier Session.
	Attached(s *Session, joined *wire.Joined, fresh bool)
	// Detached says that the client is trying to attach again, and why. The session goes on.
	Detached(cause string)
}

// ClientConfig says whom to dial, as whom, and which room to join.
type ClientConfig struct {
	Resolve    func(context.Context) (netip.AddrPort, error) // asked for every attempt
	ServerName string                                        // TLS server name
	Name       string                                        // shown to others; at most 64 bytes
	// CheckRelay is asked about the relay's key, which is proved, on every connection.
	CheckRelay func(identity.PublicKey) error
	// Join makes the request to join, with the member entry for this relay. It is called once.
	Join    func(relay identity.PublicKey) (*wire.Join, error)
	Handler ClientHandler
}

// Client keeps one session with a relay, over as many connections as it takes.
//
//	         +--- connection ended, answer overdue, reset, silence ---+
//	         v                                                        |
//	attaching (attempts race, with back-off) ── first Welcome ──> attached
//	         |                                                        |
//	         +── refused, or another relay key ──> ended <── Close ───+
type Client struct {
	ep     *Endpoint
	config ClientConfig
	id     [16]byte
	wakeup chan string // cap 1: why to attach again
	done   chan struct{}
	cancel context.CancelCauseFunc
	err    error // why it ended; valid after done

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
	answerTime   = 2 * time.Second
	raceAfter    = 2 * time.Second
	maxAttempts  = 3 // at once
	firstBackoff = 500 * time.Millisecond
	maxBackoff   = 5 * time.Second
	keepAlive    = 10 * time.Second
)

// ErrClosed is returned once the client has left.
var ErrClosed = errors.New("link: the client has left")

// Dial attaches to a relay and joins. It returns when the relay has welcomed the client, when the relay
// refused it (*wire.Refused), when CheckRelay did, or when ctx is done; failures that may pass are tried
// again until then. The client lives until Close, or until a refusal: see Done.
func (ep *Endpoint) Dial(ctx context.Context, config ClientConfig) (*Client, error) {
	c := &Client{
		ep:      ep,
		config:  config,
		wakeup:  make(chan string, 1),
		done:    make(chan struct{}),
		changed: make(chan struct{}),
	}
	rand.Read(c.id[:])
	first, err := c.attach(ctx)
	if err != nil {
		return nil, err
	}
	runCtx, cancel := context.WithCancelCause(ep.ctx)
	c.cancel = cancel
	c.install(first)
	ep.background(func() {
		defer close(c.done)
		c.err = c.run(runCtx)
	})
	return c, nil
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

// Close leaves: the relay is told until it acknowledges, for at most a second.
func (c *Client) Close() error {
	select {
	case <-c.done:
		return nil
	default:
	}
	s := c.Session()
	if s.SendUrgent(wire.UrgentLeave, nil) == nil {
		deadline := time.Now().Add(time.Second)
		for s.UrgentPending() > 0 && time.Now().Before(deadline) && !s.Over() {
			time.Sleep(5 * time.Millisecond)
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
	case !ours && code == wire.CloseRefused:
		c.cancel(&wire.Refused{Code: wire.CodeProtocol})
	case !ours && code == wire.CloseReplaced:
		c.cancel(&wire.Goodbye{Code: wire.CodeReplaced})
	case !ours && code == wire.CloseShuttingDown:
		c.wake(causeShutdown)
	default:
		c.wake(causeSilence)
	}
}

// wake makes the client attach again, unless it is doing so.
func (c *Client) wake(cause string) {
	select {
	case c.wakeup <- cause:
	default:
	}
}

// run keeps the client attached until ctx is done or the relay refuses it.
func (c *Client) run(ctx context.Context) error {
	for {
		var cause string
		select {
		case <-ctx.Done():
			c.mu.Lock()
			current := c.current
			c.mu.Unlock()
			current.close("left")
			return ended(ctx)
		case cause = <-c.wakeup:
		}
		c.config.Handler.Detached(cause)
		next, err := c.attach(ctx)
		if err != nil {
			c.Session().End(wire.CloseRefused)
			if ctx.Err() != nil {
				return ended(ctx)
			}
			return err
		}
		c.install(next)
	}
}

// ended returns why ctx, of a client, is done.
func ended(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return ErrClosed // the endpoint was closed
}

// install makes a welcomed attempt the one in use, and its session the client's.
func (c *Client) install(next *attempt) {
	c.mu.Lock()
	old, s := c.current, c.session
	fresh := s == nil || s.Over() || s.incarnation != next.welcome.Incarnation
	if fresh {
		s = c.ep.newSession(c.config.Handler, c.id, next.relay)
		s.client, s.incarnation = c, next.welcome.Incarnation
		s.remote = next.remote.Addr()
	}
	previous := c.session
	c.session, c.current = s, next
	close(c.changed)
	c.changed = make(chan struct{})
	c.mu.Unlock()

	if fresh {
		if previous != nil {
			previous.abandon()
		}
		c.ep.mu.Lock()
		c.ep.all[s] = struct{}{}
		c.ep.mu.Unlock()
	}
	now := time.Now()
	a := &attachment{session: s, local: next.local, remote: next.welcome.ConnID, reset: next.welcome.ResetToken, conn: next.conn}
	s.install(a, &next.keys, udp.Path{Peer: next.remote}, now)
	c.ep.withTx(s.ping) // so that the relay takes this attachment's keys
	select {
	case <-c.wakeup: // whatever was wrong, was so before
	default:
	}
	if old != nil {
		c.ep.background(func() { old.close("replaced") })
	}
	c.ep.background(func() {
		err := next.read()
		s.detach(a)
		if c.isCurrent(next) {
			c.ep.log.Debug("control connection ended", "err", err)
			c.wake(next.cause(err))
		}
	})
	c.config.Handler.Attached(s, next.joined, fresh)
}

func (c *Client) isCurrent(t *attempt) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current == t
}

// abandon forgets a session that the relay has forgotten, without a word to anyone.
func (s *Session) abandon() {
	s.mu.Lock()
	s.ended = true
	attachments := s.attachments
	s.attachments = nil
	s.mu.Unlock()
	s.ep.forget(s, attachments)
}

// Over reports whether the session has ended.
func (s *Session) Over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// Request sends a control message and returns the answer. When that is overdue the client attaches again,
// and the message is sent again, until ctx is done.
func (c *Client) Request(ctx context.Context, m wire.Message) (wire.Message, error) {
	c.requests.Lock()
	defer c.requests.Unlock()
	for {
		c.mu.Lock()
		t, changed := c.current, c.changed
		c.mu.Unlock()
		if err := writeMessage(t.stream, m); err == nil {
			timer := time.NewTimer(max(answerTime, 4*c.Session().Quality().RTT))
			select {
			case answer := <-t.answers:
				timer.Stop()
				if refused, ok := answer.(*wire.Refused); ok {
					return nil, refused
				}
				return answer, nil
			case <-timer.C:
				c.wake(causeOverdue)
			case <-changed:
			case <-c.done:
			case <-ctx.Done():
			}
			timer.Stop()
		} else {
			c.wake(causeEnded)
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

// attach races attempts until one is welcomed.
func (c *Client) attach(ctx context.Context) (*attempt, error) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()

	type result struct {
		t   *attempt
		err error
	}
	results := make(chan result)
	running, backoff := 0, firstBackoff
	start := func() {
		running++
		wg.Go(func() {
			t, err := c.try(ctx)
			select {
			case results <- result{t, err}:
			case <-ctx.Done():
				if t != nil {
					t.abort()
				}
			}
		})
	}
	start()
	next := time.NewTimer(raceAfter)
	defer next.Stop()
	var last error
	for {
		select {
		case r := <-results:
			if r.err == nil {
				return r.t, nil
			}
			if final(r.err) {
				return nil, r.err
			}
			last = r.err
			running--
			c.ep.log.Debug("an attempt to attach failed", "err", r.err)
			if running == 0 {
				next.Reset(backoff/2 + jitter(backoff/2))
				backoff = min(2*backoff, maxBackoff)
			}
		case <-next.C:
			if running < maxAttempts {
				start()
			}
			next.Reset(raceAfter)
		case <-ctx.Done():
			if last == nil {
				last = context.Cause(ctx)
			}
			return nil, fmt.Errorf("the relay does not answer: %w", last)
		}
	}
}

// jitter returns a random duration below d.
func jitter(d time.Duration) time.Duration {
	var b [8]byte
	rand.Read(b[:])
	n := uint64(0)
	for _, x := range b {
		n = n<<8 | uint64(x)
	}
	return time.Duration(n % uint64(d))
}

// FinalError is a failure that trying again does not mend: the relay's key is not the expected one.
type FinalError struct{ Err error }

func (e *FinalError) Error() string { return e.Err.Error() }
func (e *FinalError) Unwrap() error { return e.Err }

// final reports whether trying again is useless.
func final(err error) bool {
	if refused := new(wire.Refused); errors.As(err, &refused) {
		return refused.Code != wire.CodeShuttingDown
	}
	return errors.As(err, new(*FinalError))
}

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
	answers chan wire.Message // cap 1; to Request
	goodbye atomic.Pointer[wire.Goodbye]
}

// try makes one attempt: handshake, Hello and Join in one flight, Welcome and Joined.
func (c *Client) try(ctx context.Context) (*attempt, error) {
	remote, err := c.config.Resolve(ctx)
	if err != nil {
		return nil, err
	}
	t := &attempt{ep: c.ep, remote: remote, local: c.ep.reserve(), answers: make(chan wire.Message, 1)}
	if err := t.handshake(ctx, c); err != nil {
		t.abort()
		return nil, err
	}
	return t, nil
}

func (t *attempt) handshake(ctx context.Context, c *Client) error {
	var refused error // by CheckRelay: TLS does not pass the error through
	config := clientTLS(c.config.ServerName, func(key identity.PublicKey) error {
		refused = c.config.CheckRelay(key)
		return refused
	})
	conn, err := t.ep.transport.Dial(ctx, net.UDPAddrFromAddrPort(t.remote), config, quicConfig(keepAlive))
	if err != nil {
		if refused != nil {
			return &FinalError{refused}
		}
		return err
	}
	t.conn = conn
	state := conn.ConnectionState().TLS
	if t.relay, err = relayKey(state); err != nil {
		return err
	}
	if t.keys, err = export(state); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { conn.CloseWithError(quicEnded, "") })
	defer stop()
	if t.stream, err = conn.OpenStreamSync(ctx); err != nil {
		return err
	}
	if err := t.sendFlight(c); err != nil {
		return err
	}
	return t.readFlight()
}

// sendFlight writes Hello and Join.
func (t *attempt) sendFlight(c *Client) error {
	c.joinOnce.Do(func() { c.join, c.joinErr = c.config.Join(t.relay) })
	if c.joinErr != nil {
		return &FinalError{c.joinErr}
	}
	hello := &wire.Hello{Name: c.config.Name, Client: t.ep.config.Version, Session: c.id, ConnID: t.local}
	hello.Sign(t.ep.config.Identity, t.keys.hello, t.relay)
	flight, err := wire.AppendMessage(nil, hello)
	if err == nil {
		flight, err = wire.AppendMessage(flight, c.join)
	}
	if err != nil {
		return &FinalError{err}
	}
	t.stream.SetWriteDeadline(time.Now().Add(handshakeTimeout))
	_, err = t.stream.Write(flight)
	return err
}

// readFlight reads Welcome and Joined.
func (t *attempt) readFlight() error {
	t.stream.SetReadDeadline(time.Now().Add(handshakeTimeout))
	defer t.stream.SetReadDeadline(time.Time{})
	for t.joined == nil {
		m, err := wire.ReadMessage(t.stream)
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case *wire.Welcome:
			t.welcome = m
		case *wire.Joined:
			if t.welcome == nil {
				return &wire.FormatError{Part: "Joined", Err: wire.ErrInvalid, Detail: "comes after Welcome"}
			}
			t.joined = m
		case *wire.Refused:
			return m
		case *wire.Goodbye:
			return m
		}
	}
	return nil
}

// read passes what the relay answers to Request until the connection ends.
func (t *attempt) read() error {
	for {
		m, err := wire.ReadMessage(t.stream)
		if err != nil {
			return err
		}
		if bye, ok := m.(*wire.Goodbye); ok {
			t.goodbye.Store(bye)
			continue
		}
		if _, ok := m.(*wire.UnknownMessage); ok {
			continue
		}
		select {
		case t.answers <- m:
		default: // nobody asked, or not any more
		}
	}
}

// cause says why the connection ended, for people.
func (t *attempt) cause(error) string {
	if bye := t.goodbye.Load(); bye != nil {
		return bye.Error()
	}
	return causeEnded
}

// abort ends an attempt that did not win.
func (t *attempt) abort() {
	t.ep.release(t.local)
	t.close("another attempt won")
}

// close ends the connection.
func (t *attempt) close(why string) {
	if t.conn != nil {
		t.conn.CloseWithError(quicEnded, why)
	}
}
