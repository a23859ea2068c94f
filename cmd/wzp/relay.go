package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/relay"
)

// relayCmd runs the server.
type relayCmd struct {
	Listen  string `default:":4433" placeholder:"ADDR" help:"UDP address for clients; port 0 means any."`
	Admin   string `default:"127.0.0.1:9090" placeholder:"ADDR" help:"TCP address of /healthz, /readyz and /metrics; empty for none."`
	Data    string `placeholder:"DIR" help:"Directory of the relay's identity; made if missing. Default: wzp/relay in your configuration directory."`
	Sockets int    `default:"0" placeholder:"N" help:"UDP sockets on the port; 0 means one for each core."`

	MaxRooms      int     `default:"10000" placeholder:"N" help:"Rooms at once."`
	MaxMembers    int     `default:"2000" placeholder:"N" help:"Members of one room."`
	MaxSessions   int     `default:"20000" placeholder:"N" help:"Sessions at once."`
	MaxPerAddress int     `default:"1000" placeholder:"N" help:"Sessions of one address, or IPv6 /64."`
	MaxHandshakes int     `default:"1024" placeholder:"N" help:"Connections that have not proved who they are."`
	HelloRate     float64 `default:"20" placeholder:"N" help:"Connections a second of one address, or IPv6 /64."`
	MaxMessage    int     `default:"8192" placeholder:"BYTES" help:"Longest control message of a client, 4096 to 65536."`
	ControlRate   float64 `default:"10" placeholder:"N" help:"Control messages a second of one session."`
	MediaRate     int     `default:"500" placeholder:"N" help:"Media packets a second of one session."`

	LogLevel slog.Level `default:"INFO" placeholder:"LEVEL" help:"debug, info, warn or error."`
	LogJSON  bool       `name:"log-json" help:"Log one JSON object a line."`
}

func (c *relayCmd) Run(ctx context.Context) error {
	if err := c.check(); err != nil {
		return err
	}
	id, err := c.identity()
	if err != nil {
		return err
	}
	r, err := relay.New(relay.Config{
		Identity:      id,
		Version:       "wzp " + buildVersion(),
		Log:           c.logger(),
		Listen:        c.Listen,
		Sockets:       c.Sockets,
		Admin:         c.Admin,
		MaxRooms:      c.MaxRooms,
		MaxMembers:    c.MaxMembers,
		MaxSessions:   c.MaxSessions,
		MaxPerAddress: c.MaxPerAddress,
		MaxHandshakes: c.MaxHandshakes,
		HelloRate:     c.HelloRate,
		MaxMessage:    c.MaxMessage,
		ControlRate:   c.ControlRate,
		MediaRate:     c.MediaRate,
	})
	if err != nil {
		return c.listenError(err)
	}
	return r.Run(ctx)
}

// listenError says which flag names the port that cannot be opened, and what to do.
func (c *relayCmd) listenError(err error) error {
	var op *net.OpError
	if !errors.As(err, &op) {
		return err
	}
	flag, addr, otherwise := "--listen", c.Listen, ""
	if strings.HasPrefix(op.Net, "tcp") {
		flag, addr, otherwise = "--admin", c.Admin, ", or \"\" for none"
	}
	reason := op.Err.Error() + ": give HOST:PORT with an address of this machine"
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		reason = "a program has this port already: stop it, or choose another"
	case errors.Is(err, syscall.EACCES):
		reason = "not permitted: choose a port from 1024 on"
	}
	return fmt.Errorf("cannot listen on %s %s: %s%s", flag, addr, reason, otherwise)
}

// check refuses limits that would refuse everybody.
func (c *relayCmd) check() error {
	for _, limit := range []struct {
		flag  string
		value float64
	}{
		{"max-rooms", float64(c.MaxRooms)}, {"max-members", float64(c.MaxMembers)},
		{"max-sessions", float64(c.MaxSessions)}, {"max-per-address", float64(c.MaxPerAddress)},
		{"max-handshakes", float64(c.MaxHandshakes)}, {"hello-rate", c.HelloRate},
		{"control-rate", c.ControlRate}, {"media-rate", float64(c.MediaRate)},
	} {
		if !(limit.value > 0) {
			return usagef("--%s must be more than 0", limit.flag)
		}
	}
	if c.MaxMessage < 4096 || c.MaxMessage > 65536 {
		return usagef("--max-message must be 4096 to 65536")
	}
	if c.Sockets < 0 || c.Sockets > 64 {
		return usagef("--sockets must be 0 to 64")
	}
	return nil
}

// identity returns the relay's own, which it makes on the first start.
func (c *relayCmd) identity() (*identity.Identity, error) {
	dir := c.Data
	if dir == "" {
		config, err := os.UserConfigDir()
		if err != nil {
			return nil, fmt.Errorf("no place for the relay's identity: %w; give one with --data DIR", err)
		}
		dir = filepath.Join(config, "wzp", "relay")
	}
	seed, err := identity.LoadOrCreate(filepath.Join(dir, "identity"))
	if err != nil {
		return nil, err
	}
	return seed.Identity(), nil
}

func (c *relayCmd) logger() *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogJSON {
		return slog.New(slog.NewJSONHandler(os.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options))
}
