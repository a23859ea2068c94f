package main

import (
	"context"
	"errors"
	"os"

	"golang.org/x/term"

	"github.com/wzp-voice/wzp"
)

// answerCmd takes calls.
type answerCmd struct {
	Auto    bool `help:"Answer at once whatever rings. Otherwise press a to answer and d to decline."`
	Anybody bool `help:"Let strangers ring, too, and not only your contacts."`
	Quiet   bool `name:"do-not-disturb" help:"Let nobody ring: callers see that nobody answers, and you see who called."`
	talkFlags
}

func (c *answerCmd) Run(ctx context.Context) (err error) {
	if err := c.check(); err != nil {
		return err
	}
	if c.PTT && !c.Auto {
		return usagef("--ptt takes the keys that answer a call: add --auto")
	}
	contacts, err := c.contactsFlag.open()
	if err != nil {
		return err
	}
	ctx, stop := untilHangUp(ctx)
	defer stop()
	if c.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.For)
		defer cancel()
	}
	out := c.newOutput()
	out.call = true
	config, err := c.clientConfig(out)
	if err != nil {
		return err
	}
	stay := &stay{talkFlags: &c.talkFlags, out: out, stays: true}
	defer func() { err = errors.Join(err, stay.close()) }()
	if err := stay.openQuietly(); err != nil {
		return err
	}
	p := &phone{stay: stay, contacts: contacts, auto: c.Auto}
	p.sound = func() (err error) { // a microphone is open in calls only
		p.source, err = c.openIn(out)
		return err
	}
	if !c.PTT && c.In != stdio && term.IsTerminal(int(os.Stdin.Fd())) {
		p.keys()
		defer out.restoreTerminal()
	}
	return p.run(ctx, config, wzp.LineConfig{Available: true, Contacts: contacts, Anybody: c.Anybody,
		DoNotDisturb: c.Quiet, EventLog: stay.eventLog})
}
