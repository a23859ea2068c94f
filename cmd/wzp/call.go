package main

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/wzp-voice/wzp"
	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/names"
)

// callCmd calls somebody.
type callCmd struct {
	Who string `arg:"" name:"fingerprint|name" help:"Whom to call: a fingerprint, a contact link, or the name of one of your contacts."`
	talkFlags
}

// whomToCall is how kong calls the argument where it is missing.
const whomToCall = "<fingerprint|name>"

// Help implements kong.HelpProvider.
func (*callCmd) Help() string { return keysHelp }

func (c *callCmd) Run(ctx context.Context) (err error) {
	if err := c.check(); err != nil {
		return err
	}
	contacts, err := c.contactsFlag.open()
	if err != nil {
		return err
	}
	who, err := callee(contacts, c.Who)
	if err != nil {
		return err
	}
	ctx, stop := untilHangUp(ctx)
	defer stop()
	out := c.newOutput()
	out.call = true
	config, err := c.clientConfig(out)
	if err != nil {
		return err
	}
	stay := &stay{talkFlags: &c.talkFlags, out: out}
	defer func() { err = errors.Join(err, stay.close()) }()
	if err := stay.openForCalls(); err != nil {
		return err
	}
	p := &phone{stay: stay, contacts: contacts, calling: &who}
	return p.run(ctx, config, wzp.LineConfig{Contacts: contacts, EventLog: stay.eventLog})
}

// callee finds whom somebody means.
func callee(contacts *identity.Contacts, who string) (identity.Contact, error) {
	if c, err := contacts.Find(who); err == nil || !errors.Is(err, identity.ErrNoContact) {
		return c, err
	}
	f, key, name, err := identity.ParseContact(who)
	switch {
	case err == nil:
		return identity.Contact{Name: name, Fingerprint: f, Key: key}, nil
	case strings.ContainsAny(who, ":#"): // which no name is likely to have
		return identity.Contact{}, usagef("%s is none of your contacts, nor can it be called: %w",
			names.Quote(who), err)
	default:
		return identity.Contact{}, usagef("%s is neither a fingerprint nor one of your contacts: see wzp "+
			"contacts list, or add them with wzp contacts add NAME FINGERPRINT", names.Quote(who))
	}
}

// phone is a line of a program, and the one call that it has at a time.
type phone struct {
	*stay
	contacts *identity.Contacts
	calling  *identity.Contact // whom to call, and then end; nil: we answer
	auto     bool              // answer whatever rings

	line    *wzp.Line
	pressed chan byte // keys; nil: there are none
	talks   sync.WaitGroup
	failed  chan error // why a conversation ended, if that was no end of a call
	total   summary    // of the calls that are over

	current *wzp.Call // the call that rings or is up; nil: there is none
	holds   bool      // by us; of current, as what follows
	mutes   bool      // by us
}

// run opens the line, and ends with the call that was made, or when it is told to.
func (p *phone) run(ctx context.Context, config wzp.Config, how wzp.LineConfig) error {
	ctx, noKeys := p.keys(ctx)
	defer noKeys()
	enter := func(ctx context.Context, client *wzp.Client) (err error) {
		p.line, err = client.OpenLine(ctx, how)
		return err
	}
	return p.connect(ctx, config, enter, func(client *wzp.Client) error {
		p.failed = make(chan error, 1)
		p.forgetKeys()
		p.out.lineOpen(client.Identity().Fingerprint(), how)
		if how.Available && !how.DoNotDisturb && !p.auto && p.pressed == nil {
			p.out.noKeys()
		}
		err := p.follow(ctx)
		err = errors.Join(err, p.line.Close())
		p.talks.Wait()
		p.out.total(&p.total)
		return err
	})
}

// follow calls, or answers, until it is over.
func (p *phone) follow(ctx context.Context) error {
	if p.calling != nil {
		call, err := p.dial()
		if err != nil {
			return err
		}
		p.begin(*call)
		p.out.calling(p.calling)
	}
	events := make(chan wzp.LineEvent)
	talkCtx, hangUp := context.WithCancel(ctx)
	defer hangUp()
	p.talks.Go(func() {
		defer close(events)
		for e := range p.line.Events() {
			select {
			case events <- e:
			case <-talkCtx.Done():
			}
		}
	})
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-p.out.gone:
			return err
		case key := <-p.pressed:
			p.press(key)
		case err := <-p.failed:
			return err
		case e, ok := <-events:
			if !ok {
				return nil
			}
			if over, err := p.happened(talkCtx, e); over {
				return err
			}
		}
	}
}

func (p *phone) dial() (*wzp.Call, error) {
	if p.calling.HasKey() {
		return p.line.CallKey(p.calling.Key)
	}
	return p.line.Call(p.calling.Fingerprint)
}

// happened handles an event. over: the program ends.
func (p *phone) happened(ctx context.Context, e wzp.LineEvent) (over bool, err error) {
	switch e := e.(type) {
	case wzp.IncomingCall:
		p.rings(e.Call)
	case wzp.CallRings:
		p.out.callLine("ringing", p.calling.Name, e.Call, "It rings.")
	case wzp.CallUp:
		err := p.talk(ctx, e)
		return err != nil, err
	case wzp.CallHeld:
		p.holds = e.ByUs
		p.out.held(e)
	case wzp.CallMuted:
		p.out.muted(e)
	case wzp.CallSilent:
		p.out.silent(e)
	case wzp.ConsentAsked: // nobody is here to ask
		_ = e.Accept(false)
	case wzp.TransferAsked:
		_, _ = e.Accept(false)
	case wzp.CallEnded:
		return p.callEnded(e)
	case wzp.MissedCall:
		p.out.missed(p.contact(e.Person), e)
	case wzp.StrangerCalled:
		p.out.stranger(e)
	case wzp.ClockOff:
		p.out.clockOff(e)
	case wzp.LineDetached:
		p.out.print(line{Event: "detached", Cause: e.Cause, human: "Reconnecting: " + e.Cause + "."})
	case wzp.LineAttached:
		p.out.print(line{Event: "attached", Restarted: &e.Restarted, human: "Connected again."})
	case wzp.LineWarning:
		p.out.print(line{Event: "warning", Code: "relay", Text: e.Text, human: "Note: " + e.Text + "."})
	case wzp.LineEnded:
		return true, e.Err
	}
	return false, nil
}

// rings handles an incoming call.
func (p *phone) rings(call wzp.Call) {
	p.begin(call)
	key, _ := call.Person()
	p.out.incoming(p.contact(key), call, p.pressed != nil && !p.auto)
	if p.auto {
		p.answer()
	}
}

// begin notes the call that there is now.
func (p *phone) begin(call wzp.Call) {
	p.current, p.holds, p.mutes = &call, false, false
	p.saying = new(atomic.Pointer[wzp.Publication])
}

// answer answers the call that rings, if one does. What is said is opened for it.
func (p *phone) answer() {
	call := p.current
	if call == nil || !call.Incoming() || call.Room() != nil || p.source != nil {
		return
	}
	var err error
	if p.source, err = p.openIn(p.out); err != nil {
		p.out.print(line{Event: "warning", Code: "sound", Text: err.Error(),
			human: "The call is not answered: " + err.Error() + "."})
		_ = call.HangUp() // it may have ended
		return
	}
	if call.Answer() != nil { // it has just ended, as an event says
		p.closeIn()
	}
}

// closeIn closes what would be said.
func (p *phone) closeIn() {
	closeSource(p.source)
	p.source = nil
}

// contact is what we call somebody; empty of who is no contact.
func (p *phone) contact(key identity.PublicKey) string {
	c, err := p.contacts.ByFingerprint(key.Fingerprint())
	if err != nil {
		return ""
	}
	return c.Name
}

// talk talks in a call that is up, beside what else happens on the line. Who has called opens what is said
// only now.
func (p *phone) talk(ctx context.Context, e wzp.CallUp) (err error) {
	if p.current == nil || *p.current != e.Call {
		p.begin(e.Call)
	}
	if p.source == nil {
		if p.source, err = p.openIn(p.out); err != nil {
			return err
		}
	}
	s := &stay{talkFlags: p.talkFlags, out: p.out, source: p.source, play: p.play, room: e.Room,
		stays: p.stays, saying: p.saying, summed: p.total.add}
	p.source = nil // it is s that closes it
	key, _ := e.Call.Person()
	p.out.callUp(p.contact(key), e, p.keysOfCall())
	p.talks.Go(func() {
		defer p.out.rescue()
		defer closeSource(s.source)
		err := s.converse(ctx)
		if err == nil || errors.Is(err, wzp.ErrCallFailed) || errors.Is(err, wzp.ErrRoomOver) {
			return // the call is over, as an event says
		}
		select {
		case p.failed <- err:
		default: // the program is about to end
		}
	})
	return nil
}

// callEnded handles the end of a call. over: it was the one that we made.
func (p *phone) callEnded(e wzp.CallEnded) (over bool, err error) {
	p.out.callEnded(e)
	if p.current == nil || e.Call != *p.current {
		return false, nil
	}
	p.current = nil
	p.closeIn()
	if p.calling == nil {
		return false, nil
	}
	switch e.Outcome {
	case wzp.HungUp, wzp.HungUpHere, wzp.Cancelled, wzp.Transferred:
		return true, nil
	}
	return true, errors.New(whyNot(p.calling, e.Outcome))
}

// whyNot says why a call came to nothing, and what to do about it.
func whyNot(who *identity.Contact, o wzp.Outcome) string {
	name := who.Fingerprint.String()
	if who.Name != "" {
		name = names.Quote(who.Name)
	}
	switch o {
	case wzp.NoAnswer:
		return name + " did not answer: try again later"
	case wzp.Declined:
		return name + " declined the call"
	case wzp.Busy:
		return name + " is in another call: try again later"
	case wzp.NotThere:
		return name + " cannot be reached now: they take no calls, or not at a relay that this one knows"
	case wzp.Away:
		return name + " is not there now. Their relay has noted that you called, and they will see it"
	case wzp.Unreachable:
		return "there is no way to " + name + " now: try again in a minute"
	case wzp.TooMany:
		return "a relay on the way carries too many calls, or you called too often: try again in a minute"
	case wzp.WrongClock:
		return "the relays take the call for an old one: see that the clock of this machine is right"
	default:
		return "the call was lost: for too long nothing came from " + name
	}
}
