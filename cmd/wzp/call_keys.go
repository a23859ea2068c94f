package main

import (
	"context"
	"os"

	"golang.org/x/term"
)

// mostKeys are kept while there is something else to do; what is pressed beyond is lost.
const mostKeys = 16

// keys reads single keys from a terminal, if standard input is one and not for sound. The keys that end the
// program end the context that it returns, whatever the program waits for; so does the end of the terminal.
// When that context is over, by done too, the terminal is as it was, and the keys raise signals again.
func (p *phone) keys(ctx context.Context) (_ context.Context, done func()) {
	fd := int(os.Stdin.Fd())
	if p.In == stdio || !term.IsTerminal(fd) {
		return ctx, func() {}
	}
	state, err := term.MakeRaw(fd)
	if err != nil {
		return ctx, func() {}
	}
	p.out.terminal.Store(&rawTerminal{fd: fd, state: state})
	p.pressed = make(chan byte, mostKeys)
	ctx, quit := context.WithCancel(ctx)
	context.AfterFunc(ctx, p.out.restoreTerminal)
	go p.readKeys(quit)
	return ctx, func() {
		quit()
		p.out.restoreTerminal()
	}
}

// readKeys reads keys until one quits. A read cannot be interrupted: its goroutine may end with the process.
func (p *phone) readKeys(quit context.CancelFunc) {
	defer p.out.rescue()
	defer quit()
	var key [1]byte
	for {
		if n, err := os.Stdin.Read(key[:]); n == 0 || err != nil {
			return
		}
		switch key[0] {
		case 'q', 'Q', 0x03, 0x1c: // Ctrl-C and Ctrl-\ do not raise signals in raw mode
			return
		}
		select {
		case p.pressed <- key[0]:
		default:
		}
	}
}

// forgetKeys forgets what was pressed before it could mean anything.
func (p *phone) forgetKeys() {
	for len(p.pressed) > 0 {
		<-p.pressed
	}
}

// keysHelp is what --help says of keys.
const keysHelp = "Keys in a call, in a terminal: m mutes, h holds, d hangs up; with --ptt the space bar " +
	"opens and closes the microphone. q or Ctrl-C quits."

// keysOfCall says what keys do in a call that is up.
func (p *phone) keysOfCall() string {
	switch {
	case p.pressed == nil:
		return ""
	case p.PTT, p.In == "none":
		return " Press h to hold, d to hang up."
	}
	return " Press m to mute, h to hold, d to hang up."
}

// press does what a key is for. Without a call it is for nothing, and that the call is not in a state for it
// is no error.
func (p *phone) press(key byte) {
	if p.current == nil {
		return
	}
	switch key {
	case 'a', 'A':
		p.answer()
	case 'd', 'D':
		_ = p.current.HangUp()
	case 'h', 'H':
		_ = p.current.Hold(!p.holds)
	case 'm', 'M':
		p.mute(!p.mutes)
	case ' ':
		p.pushToTalk()
	}
}

// mute closes our microphone, or opens it, and tells the other. What is said must be on its way: it would
// begin with an open microphone.
func (p *phone) mute(on bool) {
	said := p.saying.Load()
	if said == nil || p.PTT || p.current.Mute(on) != nil {
		return
	}
	p.mutes = on
	said.SetTalking(!on)
	p.out.ownMute(on)
}

// pushToTalk opens our microphone, or closes it, when it is for that.
func (p *phone) pushToTalk() {
	if said := p.saying.Load(); p.PTT && said != nil {
		on := !said.Talking()
		said.SetTalking(on)
		p.out.talking(on)
	}
}
