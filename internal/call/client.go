package call

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/names"
	"github.com/wzp-voice/wzp/internal/udp"
)

// Config is described in the package at the root.
type Config struct {
	Identity    *identity.Identity
	Name        string
	Program     string
	RelayKey    identity.Fingerprint
	KnownRelays *identity.KnownRelays
	KnownNames  *identity.KnownNames
	Log         *slog.Logger
}

// ErrCallFailed is why the room of a call ends that was lost.
var ErrCallFailed = errors.New("wzp: the call was lost: for too long nothing came from the other end")

// ErrClosed is what Join returns once the client was closed.
var ErrClosed = errors.New("wzp: the client is closed")

// UnreachableError says that no host has the relay's name, or that nothing answered in time.
type UnreachableError struct{ Err error }

func (e *UnreachableError) Error() string { return e.Err.Error() }
func (e *UnreachableError) Unwrap() error { return e.Err }

// Client is a UDP port from which rooms are joined.
type Client struct {
	config   Config
	addr     string // host:port of the relay
	host     string // as names.Host has it
	typed    string // the address as it was given
	endpoint *link.Endpoint
	resolver link.Resolver

	names nameBook

	mu     sync.Mutex // guards what follows
	closed bool
	rooms  map[*Room]struct{}
	lines  map[*Line]struct{}
}

// NewClient returns a client of the relay at addr, HOST:PORT. Nothing is sent before Join.
func NewClient(addr string, config Config) (*Client, error) {
	host, port, err := names.ParseAddress(addr)
	if err != nil {
		return nil, fmt.Errorf("the relay's address: %w", err)
	}
	if config.KnownRelays == nil && config.RelayKey == (identity.Fingerprint{}) {
		return nil, errors.New("no way to know the relay: give Config.RelayKey or Config.KnownRelays")
	}
	if config.Name, err = names.Member(config.Name); err != nil {
		return nil, err
	}
	if config.Identity == nil {
		config.Identity = identity.NewSeed().Identity()
	}
	if config.Program == "" {
		config.Program = "wzp"
	}
	mux, err := udp.Listen(":0", 1)
	if err != nil {
		return nil, err
	}
	c, err := newClient(net.JoinHostPort(host, strconv.Itoa(int(port))), host, mux, config)
	if err == nil {
		c.typed = addr
	}
	return c, err
}

func newClient(addr, host string, mux *udp.Mux, config Config) (*Client, error) {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	endpoint, err := link.NewEndpoint(mux, link.Config{
		Identity: config.Identity, Version: config.Program, Log: config.Log,
	})
	if err != nil {
		return nil, errors.Join(err, mux.Close())
	}
	return &Client{
		config: config, addr: addr, host: host, endpoint: endpoint,
		rooms: make(map[*Room]struct{}), lines: make(map[*Line]struct{}),
		names: nameBook{
			own: config.Name, self: config.Identity.Public(), file: config.KnownNames,
			met: make(map[string]identity.PublicKey),
		},
	}, nil
}

// Identity returns who the client is.
func (c *Client) Identity() *identity.Identity { return c.config.Identity }

// Close ends the client, and waits for it. Rooms that were not left are dropped.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	err := c.endpoint.Close()
	c.mu.Lock()
	rooms, lines := slices.Collect(maps.Keys(c.rooms)), slices.Collect(maps.Keys(c.lines))
	c.mu.Unlock()
	for _, l := range lines {
		l.wg.Wait()
	}
	for _, r := range rooms {
		if _, first := r.leaving(); first {
			r.end()
		} else {
			r.wg.Wait()
		}
	}
	return err
}

// isClosed reports whether Close was called.
func (c *Client) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// add remembers a room until it has been left.
func (c *Client) add(r *Room) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rooms[r] = struct{}{}
}

// addLine remembers a line until it is over.
func (c *Client) addLine(l *Line) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines[l] = struct{}{}
}

func (c *Client) removeLine(l *Line) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.lines, l)
}

func (c *Client) remove(r *Room) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.rooms, r)
}

// resolve finds the relay's address.
func (c *Client) resolve(ctx context.Context) (netip.AddrPort, error) {
	addr, err := c.resolver.Resolve(ctx, c.addr)
	if notFound := new(net.DNSError); errors.As(err, &notFound) && notFound.IsNotFound {
		host, _, _ := net.SplitHostPort(c.typed)
		err = &UnreachableError{fmt.Errorf("no host is called %q: check the relay's address", host)}
		return netip.AddrPort{}, &link.FinalError{Err: err}
	}
	return addr, err
}

// dial attaches to the relay, for what config asks of it. An error says whether the client was closed, or
// nothing answered before ctx was done.
func (c *Client) dial(ctx context.Context, config link.ClientConfig) (*link.Client, error) {
	config.Resolve, config.ServerName, config.Name = c.resolve, c.host, c.config.Name
	config.CheckRelay = c.checkRelay
	conn, err := c.endpoint.Dial(ctx, config)
	switch {
	case err == nil:
	case c.isClosed():
		err = ErrClosed
	case ctx.Err() != nil:
		err = &UnreachableError{err}
	}
	return conn, err
}

// checkRelay compares the key that a relay shows. It has not proved yet that it holds it, so nothing is kept.
func (c *Client) checkRelay(key identity.PublicKey) error {
	if want := c.config.RelayKey; want != (identity.Fingerprint{}) {
		if got := key.Fingerprint(); got != want {
			return &identity.RelayKeyChangedError{Addr: c.addr, Known: want, Got: got}
		}
		return nil
	}
	_, err := c.config.KnownRelays.Verify(c.addr, key)
	return err
}

// rememberRelay remembers the proved key of a relay that is visited for the first time.
func (c *Client) rememberRelay(key identity.PublicKey) error {
	if c.config.RelayKey != (identity.Fingerprint{}) {
		return nil
	}
	return c.config.KnownRelays.Check(c.addr, key)
}
