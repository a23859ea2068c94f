package wzp

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/call"
	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/eventlog"
)

// Config says who a client is and which relays it believes.
type Config struct {
	Identity *identity.Identity // nil: a new one, for this client only
	Name     string             // shown to others, at most 64 bytes
	Program  string             // name and version, told to the relay; default "wzp"

	// How the relay's key is checked. One of the two is needed.
	RelayKey    identity.Fingerprint  // the relay must have this one
	KnownRelays *identity.KnownRelays // it must be the one of the first visit, which is kept

	// KnownNames are the names that people called themselves before: a Warning tells of whoever comes with
	// another key. nil: only the names that this Client has met are known.
	KnownNames *identity.KnownNames

	Log *slog.Logger // nil: silent
}

// Client is a UDP port from which rooms of one relay are joined. Close it when it is not needed any more.
type Client struct{ engine *call.Client }

// NewClient returns a client of the relay at addr, HOST:PORT. Nothing is sent before Join.
func NewClient(addr string, config Config) (*Client, error) {
	engine, err := call.NewClient(addr, call.Config(config))
	if err != nil {
		return nil, public(err)
	}
	return &Client{engine}, nil
}

// Identity returns who the client is.
func (c *Client) Identity() *identity.Identity { return c.engine.Identity() }

// Close ends the client, and waits for it. Where it did not leave, the others see it for another minute.
func (c *Client) Close() error { return c.engine.Close() }

// JoinConfig says how a room is joined. The zero value is a room without invite secret.
type JoinConfig struct {
	// Secret is shared by other means than the relay: whoever lacks it is outside, and hears nothing.
	Secret *Secret

	// EventLog, if any, notes what becomes of each packet. It is of one room at a time; the caller closes it.
	EventLog *EventLog
}

// Join joins the room called name, 1 to 64 bytes. It returns once the relay has let the client in, or with
// the reason why it did not (see Errors above); failures that may pass are tried again until ctx is done.
// Then the room lives until Leave, or until the relay ends it (see [Ended]), whatever becomes of ctx.
func (c *Client) Join(ctx context.Context, name string, config JoinConfig) (*Room, error) {
	var inner call.JoinConfig
	if config.Secret != nil {
		inner.Secret = config.Secret.secret
	}
	if config.EventLog != nil {
		inner.EventLog = config.EventLog.writer
	}
	engine, err := c.engine.Join(ctx, name, inner)
	if err != nil {
		return nil, public(err)
	}
	return &Room{engine}, nil
}

// Secret is a room's invite secret, 32 random bytes. It prints as "secret", whatever the verb.
type Secret struct{ secret *e2ee.Secret }

// NewSecret returns a new one.
func NewSecret() *Secret { return &Secret{e2ee.NewSecret()} }

// ParseSecret reads what Text returned and nothing else: no passwords. No error repeats any of the text.
func ParseSecret(text string) (*Secret, error) {
	secret, err := e2ee.ParseSecret(text)
	if err != nil {
		return nil, err
	}
	return &Secret{secret}, nil
}

// Text returns what people pass on: "wzp-" and 48 characters. It is the one method that shows the secret.
func (s *Secret) Text() string { return s.secret.Text() }

// String says that there is a secret, not which.
func (*Secret) String() string { return "secret" }

// Format prints String.
func (s *Secret) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// MarshalText is String, for encoding/json and log/slog.
func (s *Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// EventLog is a file in which a room notes each packet that it sends and hears, for "wzp analyze"; for its
// format see docs/event-log.md. It never holds media up: what cannot be written in time is left out and
// counted.
type EventLog struct{ writer *eventlog.Writer }

// OpenEventLog opens or continues the log at path. PATH.1 to PATH.3 are the parts before, of 128 MiB each.
func OpenEventLog(path string) (*EventLog, error) {
	writer, err := eventlog.Open(path, nil)
	if err != nil {
		return nil, err
	}
	return &EventLog{writer}, nil
}

// Close writes what is waiting, after the room is over, and returns the first error of all. A nil one has
// none.
func (l *EventLog) Close() error {
	if l == nil {
		return nil
	}
	return l.writer.Close()
}
