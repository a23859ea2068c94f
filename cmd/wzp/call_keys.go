package main

import (
	"os"

	"golang.org/x/term"
)

// keys reads single keys from a terminal, for as long as the program runs: a read cannot be interrupted, so
// its goroutine ends with the process.
func (p *phone) keys() {
	fd := int(os.Stdin.Fd())
	state, err := term.MakeRaw(fd)
	if err != nil {
		return
	}
	p.out.terminal.Store(&rawTerminal{fd: fd, state: state})
	p.pressed = make(chan byte)
	go func() {
		defer p.out.rescue()
		defer close(p.pressed)
		var key [1]byte
		for {
			if n, err := os.Stdin.Read(key[:]); n == 0 || err != nil {
				return
			}
			p.pressed <- key[0]
		}
	}()
}

// press does what a key is for. quit: it ends the program. That a call is not in a state for it is no error.
func (p *phone) press(key byte) (quit bool) {
	switch key {
	case 'a', 'A':
		if p.current.Incoming() && p.current.Room() == nil {
			p.answer()
		}
	case 'd', 'D':
		_ = p.current.HangUp()
	case 'h', 'H':
		_ = p.current.Hold(!p.holds)
	case 'm', 'M':
		p.mute(!p.mutes)
	case 'q', 0x03, 0x1c: // Ctrl-C and Ctrl-\ do not raise signals in raw mode
		return true
	}
	return false
}

// mute closes our microphone, or opens it, and tells the other.
func (p *phone) mute(on bool) {
	if p.current.Mute(on) != nil {
		return
	}
	p.mutes = on
	if said := p.saying.Load(); said != nil {
		said.SetTalking(!on)
	}
	p.out.ownMute(on)
}
