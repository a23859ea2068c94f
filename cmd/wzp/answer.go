package main

import (
	"context"
	"errors"

	"github.com/wzp-voice/wzp"
	"github.com/wzp-voice/wzp/identity"
)

// answerCmd takes calls.
type answerCmd struct {
	Auto    bool `help:"Answer at once whatever rings. Otherwise press a to answer and d to decline."`
	Anybody bool `help:"Let strangers ring, too, and not only your contacts."`
	Quiet   bool `name:"do-not-disturb" help:"Let nobody ring: callers see that nobody answers, and you see who called."`

	KeepMissed bool    `help:"Have the relay keep, sealed and for a day, the calls that you miss while you are away. Who knows your fingerprint can see then when you were there last."`
	StayKeys   *string `type:"home" placeholder:"FILE" help:"Where the keys to missed calls are kept (default: wzp/stay_keys in your configuration directory)."`
	talkFlags
}

// Help implements kong.HelpProvider.
func (*answerCmd) Help() string { return "While it rings: a answers, d declines. " + keysHelp }

func (c *answerCmd) Run(ctx context.Context) (err error) {
	if err := c.check(); err != nil {
		return err
	}
	contacts, err := c.contactsFlag.open()
	if err != nil {
		return err
	}
	stayKeys, err := openStayKeys(c.StayKeys)
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
	if err := stay.openForCalls(); err != nil {
		return err
	}
	p := &phone{stay: stay, contacts: contacts, auto: c.Auto}
	return p.run(ctx, config, wzp.LineConfig{Available: true, Contacts: contacts, Anybody: c.Anybody,
		DoNotDisturb: c.Quiet, KeepMissed: c.KeepMissed, StayKeys: stayKeys, EventLog: stay.eventLog})
}

func openStayKeys(flag *string) (*identity.StayKeys, error) {
	path, err := fileOr(flag, "--stay-keys", identity.DefaultStayKeysFile)
	if err != nil {
		return nil, err
	}
	return identity.OpenStayKeys(path)
}
