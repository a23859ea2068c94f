package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	"github.com/wzp-voice/wzp"
	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/names"
)

// talkFlags say who talks, over which relay, and how it sounds: in a room or in a call.
type talkFlags struct {
	Relay string `placeholder:"HOST:PORT" help:"The relay."`

	In      string        `type:"home" default:"mic" placeholder:"WHAT" help:"What to say: mic, tone, tone:HZ, FILE (WAV or Ogg Opus), a pipe, - (standard input: the same, or raw 16 bit mono 48 kHz) or none."`
	Out     string        `type:"home" default:"speaker" placeholder:"WHERE" help:"Where to play: speaker, none, FILE.wav or FILE.opus (the mix), a pipe, - (standard output) or DIR/ (a file a talker)."`
	Format  string        `enum:"wav,opus" default:"wav" help:"Of the files in --out DIR/: wav, or opus, which is small."`
	For     time.Duration `placeholder:"10s" help:"Leave after this time. Default: when the file of --in has ended, else never."`
	Mic     string        `placeholder:"NAME" help:"The microphone to take, by its name or title, or a part of it."`
	Speaker string        `placeholder:"NAME" help:"The loudspeaker to take, likewise."`

	PTT  bool   `name:"ptt" help:"Push to talk: start muted; the space bar opens and closes the microphone. In a room, H raises and lowers your hand."`
	Name string `placeholder:"NAME" help:"Shown to others."`

	relayKeyFlags
	Timeout time.Duration `default:"60s" help:"How long to try to join."`

	Bitrate int           `default:"24000" placeholder:"BPS" help:"Codec bits a second, 6000 to 64000."`
	Frame   time.Duration `default:"20ms" help:"Frame length: 20ms, 40ms or 60ms."`
	FEC     bool          `name:"fec" help:"Send a low-bitrate copy of each frame with the next one, for lossy paths."`
	DTX     bool          `name:"dtx" default:"true" negatable:"" help:"Send nothing while you are silent."`

	JSON     bool   `name:"json" help:"Print one JSON object a line; the last is the summary."`
	EventLog string `type:"home" placeholder:"FILE" help:"Note what becomes of each packet in this file, for wzp analyze."`
	knownNamesFlag
	contactsFlag
	identityFlag
}

// check finds wrong usage before anything is opened.
func (c *talkFlags) check() (err error) {
	switch {
	case c.Relay == "":
		return usagef("give --relay HOST:PORT")
	case c.Mic != "" && c.In != "mic":
		return usagef("--mic is for --in mic, not for --in %s", c.In)
	case c.Speaker != "" && c.Out != "speaker":
		return usagef("--speaker is for --out speaker, not for --out %s", c.Out)
	case c.Format == "opus" && !strings.HasSuffix(c.Out, "/"):
		return usagef("--format is for --out DIR/; name a file FILE.opus instead")
	case c.For < 0:
		return usagef("--for must not be negative")
	case c.Timeout <= 0:
		return usagef("--timeout must be more than 0")
	case c.Bitrate < 6000 || c.Bitrate > 64000:
		return usagef("--bitrate must be 6000 to 64000")
	case c.Frame != 20*time.Millisecond && c.Frame != 40*time.Millisecond && c.Frame != 60*time.Millisecond:
		return usagef("--frame must be 20ms, 40ms or 60ms")
	case c.PTT && c.In == "none":
		return usagef("--ptt needs something to say: give --in")
	case c.PTT && !term.IsTerminal(int(os.Stdin.Fd())):
		return usagef("--ptt takes the space bar from a terminal, and standard input is none: " +
			"run it in one, or leave --ptt out, which talks at once")
	}
	if c.Name, err = names.Member(c.Name); err != nil {
		return usagef("--name: %w", err)
	}
	if _, _, err := names.ParseAddress(c.Relay); err != nil {
		return usagef("--relay: %w", err)
	}
	return nil
}

// clientConfig says who we are and which relay we believe.
func (c *talkFlags) clientConfig(out *joinOutput) (config wzp.Config, err error) {
	config = wzp.Config{Name: c.Name, Program: "wzp " + buildVersion()}
	if config.RelayKey, config.KnownRelays, err = c.relayKeyFlags.open(); err != nil {
		return config, err
	}
	seed, made, err := c.loadOrCreate()
	if err != nil {
		return config, err
	}
	config.Identity = seed.Identity()
	if made != "" {
		out.identityMade(made, c.showWords(made), config.Identity.Fingerprint())
	}
	out.contacts = c.contactsFlag.met()
	config.KnownNames, err = c.knownNamesFlag.open(config.Identity)
	return config, err
}

// trustCommand is what to run to accept a fingerprint for a name, with the same files as now.
func (c *talkFlags) trustCommand(name string, f identity.Fingerprint) string {
	command := "wzp id trust"
	if c.KnownNames != nil {
		command += " --known-names " + names.ShellQuote(*c.KnownNames)
	}
	if c.Identity != nil {
		command += " --identity " + names.ShellQuote(*c.Identity)
	}
	return command + " -- " + shellName(name) + " " + f.String()
}

// newOutput returns what is printed to standard output, unless that is for sound.
func (c *talkFlags) newOutput() *joinOutput {
	out := &joinOutput{w: os.Stdout, gone: make(chan error, 1), json: c.JSON, relay: c.Relay,
		trust: c.trustCommand}
	if c.soundOnStdout() {
		out.w = os.Stderr
	}
	return out
}

// late is why nothing came of the relay.
func (c *talkFlags) late() error {
	return fmt.Errorf("nothing was heard from %s within %v: check the address, that the relay runs, "+
		"and that its firewall lets the UDP port through", c.Relay, c.Timeout)
}

// stay is one stay in a room, or in a call, which is a room for two.
type stay struct {
	*talkFlags
	out *joinOutput

	// Of open:
	source   wzp.Source // nil: nothing is said
	play     wzp.PlayConfig
	closeOut func() error
	eventLog *wzp.EventLog // nil: none

	room   *wzp.Room                        // set before converse, as what follows
	stays  bool                             // it is not over when all was said, nor by --for
	summed func(*summary)                   // gets what it came to; nil: that is printed
	saying *atomic.Pointer[wzp.Publication] // gets what is published; nil: nobody asks
	ctx    context.Context
	stop   context.CancelFunc // ends ctx: it is time to leave
	wg     sync.WaitGroup
}

// whatLog is what cannot be done with an event log.
const whatLog = "write --event-log"

// open opens what is said, where it is played, and the event log. close is needed in any case.
func (s *stay) open() (err error) {
	if s.source, err = s.openIn(s.out); err != nil {
		return err
	}
	return s.openQuietly()
}

// openForCalls is open but for what is said, which is open in calls only: it is seen whether it can be.
func (s *stay) openForCalls() error {
	if err := s.findIn(); err != nil {
		return err
	}
	return s.openQuietly()
}

// openQuietly is open but for what is said.
func (s *stay) openQuietly() (err error) {
	if s.play, s.closeOut, err = s.openOut(s.out); err != nil {
		return err
	}
	if s.EventLog != "" {
		if s.eventLog, err = wzp.OpenEventLog(s.EventLog); err != nil {
			return fileError(whatLog, s.EventLog, err)
		}
	}
	return nil
}

// close closes what open has opened.
func (s *stay) close() (err error) {
	closeSource(s.source) // whoever says it closes it, too
	if s.closeOut != nil {
		err = s.closeOut()
	}
	if failed := s.eventLog.Close(); failed != nil {
		err = errors.Join(err, fileError(whatLog, s.EventLog, failed))
	}
	return err
}

// connect makes a client, has enter let it in at the relay within --timeout, and runs stay while it is there.
// It is no error to be told to stop meanwhile.
func (s *stay) connect(ctx context.Context, config wzp.Config,
	enter func(ctx context.Context, client *wzp.Client) error, stay func(client *wzp.Client) error) error {
	client, err := wzp.NewClient(s.Relay, config)
	if err != nil {
		return err
	}
	defer client.Close()
	s.out.close = client.Close
	defer s.out.rescue()
	enterCtx, cancel := context.WithTimeoutCause(ctx, s.Timeout, s.late())
	defer cancel()
	switch err := enter(enterCtx, client); {
	case err != nil && ctx.Err() != nil:
		return nil
	case err != nil:
		return err
	}
	return stay(client)
}

// run runs f on a goroutine that converse waits for.
func (s *stay) run(f func()) {
	s.wg.Go(func() {
		defer s.out.rescue()
		f()
	})
}

// converse runs everything that goes on in the room until it is time to leave, and joins it all at the end.
func (s *stay) converse(ctx context.Context) error {
	s.ctx, s.stop = context.WithCancel(ctx)
	defer s.stop()
	played, over := make(chan error, 1), make(chan error, 1)
	var playedFrom time.Time
	if s.play.Mix != nil || s.play.Each != nil {
		playedFrom = time.Now()
		s.run(func() { played <- s.room.Play(s.ctx, s.play) })
	}
	s.run(func() { over <- s.out.follow(s.room.Events(), s.room.Members) })
	p, err := s.say()
	if err == nil {
		err = s.wait(p, played, over)
	}
	s.stop()
	err = errors.Join(err, s.room.Leave())
	s.wg.Wait()
	sum := summarize(s.room, p, playedFrom)
	if s.summed != nil {
		s.summed(sum)
		return err
	}
	s.out.print(line{Event: "summary", summary: sum, human: sum.words()})
	return err
}

// say publishes the source; nil if there is none.
func (s *stay) say() (*wzp.Publication, error) {
	if s.source == nil {
		return nil, nil
	}
	p, err := s.room.Publish(s.source, wzp.PublishConfig{
		Bitrate: s.Bitrate, FrameDuration: s.Frame, FEC: s.FEC, NoDTX: !s.DTX, PushToTalk: s.PTT,
	})
	if err != nil {
		return nil, err
	}
	if s.saying != nil {
		s.saying.Store(p)
	}
	switch {
	case s.PTT && s.saying == nil:
		s.pushToTalk(p)
	case s.PTT: // who asks has the keys
		s.out.talking(false)
	}
	return p, nil
}

// wait returns when it is time to leave, with the reason if it is an error.
func (s *stay) wait(p *wzp.Publication, played, over <-chan error) error {
	var end <-chan time.Time
	if s.For > 0 && !s.stays {
		timer := time.NewTimer(s.For)
		defer timer.Stop()
		end = timer.C
	}
	var said <-chan struct{}
	if p != nil {
		said = p.Done()
	}
	for {
		select {
		case <-s.ctx.Done():
			return nil
		case <-end:
			return nil
		case <-said: // a file to its end, or the microphone was lost
			if err := p.Err(); err != nil || s.For == 0 && !s.stays {
				return err
			}
			said = nil // --for decides, or the other
		case err := <-played:
			if err != nil {
				return err
			}
			played = nil
		case err := <-over:
			return err
		case err := <-s.out.gone:
			return err
		}
	}
}
