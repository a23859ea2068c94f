package main

import (
	"context"
	"errors"

	"github.com/wzp-voice/wzp"
	"github.com/wzp-voice/wzp/internal/names"
)

// joinCmd is a member on the command line.
type joinCmd struct {
	Room    string `arg:"" optional:"" help:"Name of the room."`
	Devices bool   `help:"List microphones and loudspeakers, and join nothing."`
	talkFlags
	secretFlags
}

func (c *joinCmd) Run(ctx context.Context) (err error) {
	if c.Devices {
		return c.listDevices()
	}
	if err := c.check(); err != nil {
		return err
	}
	ctx, stop := untilHangUp(ctx)
	defer stop()
	secret, err := c.secret()
	if err != nil {
		return err
	}
	out := c.newOutput()
	out.secret = secret != nil
	config, err := c.clientConfig(out)
	if err != nil {
		return err
	}
	stay := &stay{talkFlags: &c.talkFlags, out: out}
	defer func() { err = errors.Join(err, stay.close()) }()
	if err := stay.open(); err != nil {
		return err
	}
	return stay.join(ctx, c.Room, config, wzp.JoinConfig{Secret: secret, EventLog: stay.eventLog})
}

// check finds wrong usage before anything is opened.
func (c *joinCmd) check() (err error) {
	if c.Room == "" && c.Relay == "" {
		return usagef("give the name of a room and --relay HOST:PORT; or --devices, " +
			"which lists microphones and loudspeakers")
	}
	if err := c.talkFlags.check(); err != nil {
		return err
	}
	if c.Room, err = names.Room(c.Room); err != nil {
		return usageError{err}
	}
	return nil
}

// join joins the room, talks and listens until it is time to leave.
func (s *stay) join(ctx context.Context, room string, config wzp.Config, how wzp.JoinConfig) error {
	enter := func(ctx context.Context, client *wzp.Client) (err error) {
		s.room, err = client.Join(ctx, room, how)
		return err
	}
	return s.connect(ctx, config, enter, func(client *wzp.Client) error {
		s.out.joined(s.room, client.Identity().Fingerprint())
		return s.converse(ctx)
	})
}
